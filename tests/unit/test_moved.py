"""Keys of older studies are answered with the key of today, and that key is there."""

from functools import reduce
from pathlib import Path

import pytest
import yaml

from lungsynth.study.errors import StudyError
from lungsynth.workflow.moved import MOVED
from lungsynth.workflow.settings import load

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("old", MOVED)
def test_an_old_key_names_the_new_one(old):
    block = reduce(lambda inner, name: {name: inner}, reversed(old.split(".")), 1)
    with pytest.raises(StudyError, match=f"^{old}: is ") as caught:
        load(block)
    assert str(caught.value).endswith(f"{MOVED[old]} now")


@pytest.mark.parametrize("new", sorted({part for new in MOVED.values() for part in new.split(" and ")}))
def test_the_new_key_is_there(new):
    there = load(CONFIG).model_dump(mode="json")
    assert reduce(lambda block, name: block.get(name, "missing"), new.split("."), there) != "missing", new
