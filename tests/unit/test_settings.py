"""A study is valid and frozen, or a person gets one line: path, value, what is allowed, the nearest key."""

import copy
import json
import sys

import pytest

from lungsynth.study.errors import StudyError
from lungsynth.workflow import settings

KIND = """
from typing import ClassVar
from pydantic import Field
from lungsynth.study.errors import StudyError
from lungsynth.study.base import Settings as Base

class Settings(Base):
    gives_probability: ClassVar[bool] = ".beta." not in __name__
    width: int = Field(8, ge=1, description="channels")
    path: str = Field("somewhere", description="folder")

    def check_size(self, size):
        if size % 8:
            raise self.refuses("take a multiple of 8")

    @property
    def refuses(self):
        return StudyError if self.path == "polite" else ValueError
"""
CONFIG = {
    "study": "tiny",
    "cohort": {"sources": [{"reader": "alpha", "path": "here", "role": "fit"}], "phantom": {"patients": 24}},
    "segment": {"kind": "alpha", "alpha": {"width": 4}, "beta": {"width": 99}},
    "features": {"kind": "beta"},
    "generate": {"nodules": {"kind": "alpha"}, "normals": {"kind": "beta", "beta": {}}, "pictures": {"kind": "beta"}},
    "score": {"metrics": ["plus"]},
    "release": {"formats": ["plus"]},
}


@pytest.fixture(autouse=True)
def rooms(tmp_path, monkeypatch):
    """Two kinds for every room, so that these tests stand apart from the real ones."""
    room = tmp_path / "rooms_under_test"
    for name in ("alpha", "beta"):
        (room / name).mkdir(parents=True)
        (room / name / "__init__.py").write_text("")
        (room / name / "settings.py").write_text(KIND)
    (room / "flat").mkdir()
    for name in ("__init__", "plus", "minus"):
        (room / "flat" / f"{name}.py").write_text("")
    (room / "__init__.py").write_text(
        "from lungsynth.study.registry import Registry\n"
        "KINDS = Registry(__name__, what='kind')\nFLAT = Registry(__name__ + '.flat', what='metric', flat=True)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(settings, "KINDS", dict.fromkeys(settings.KINDS, ("rooms_under_test", "KINDS")))
    monkeypatch.setattr(settings, "NAMES", dict.fromkeys(settings.NAMES, ("rooms_under_test", "FLAT")))
    monkeypatch.setattr(settings, "READERS", ("rooms_under_test", "KINDS"))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "rooms_under_test"]:
        del sys.modules[name]


def config(path="", value=None):
    made = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    block = made
    for name in parents:
        block = block.setdefault(name, {})
    if path:
        block[last] = value
    return made


def message(path, value):
    with pytest.raises(StudyError) as caught:
        settings.load(config(path, value))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_chosen_kinds_block_is_filled_and_the_others_are_checked_and_dropped():
    assert message("segment.beta", {"width": 0}).startswith("segment.beta.width: got 0")
    study = settings.load(config())
    assert study.segment.block() == {"width": 4, "path": "somewhere"}
    assert "beta" not in study.segment.model_extra
    assert study.generate.normals.block() == {"width": 8, "path": "somewhere"}
    assert study.cohort.sources == [{"path": "here", "width": 8, "reader": "alpha", "role": "fit"}]
    assert study.cohort.phantom.patients == 24


def test_a_study_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        settings.load(config()).image.size_px = 64


@pytest.mark.parametrize(
    ("path", "key", "nearest"),
    [
        ("sede", "sede", "seed"),
        ("image.size_pix", "image.size_pix", "size_px"),
        ("compose.groups.size_maxx", "compose.groups.size_maxx", "size_max"),
        ("segment.training.stepz", "segment.training.stepz", "steps"),
        ("segment.betta", "segment.betta", "beta"),
        ("segment.alpha.widht", "segment.alpha.widht", "width"),
        ("generate.nodules.sampling.coumt", "generate.nodules.sampling.coumt", "count"),
        ("cohort.phantom.patient", "cohort.phantom.patient", "patients"),
    ],
)
def test_an_unknown_key_gets_its_path_and_the_nearest_one(path, key, nearest):
    assert message(path, 1) == f"{key}: unknown key; did you mean {nearest!r}?"


def test_a_key_like_no_other_gets_the_list():
    assert message("image.zzzzzz", 1) == "image.zzzzzz: unknown key; known keys: size_px, fov_mm, window_hu, channels"


@pytest.mark.parametrize(
    ("path", "value", "parts"),
    [
        ("seed", "many", ["seed: got 'many'", "integer"]),
        ("image.size_px", 8, ["image.size_px: got 8", "32"]),
        ("image.fov_mm", float("inf"), ["image.fov_mm: got inf", "finite"]),
        ("image.window_hu", [-1000], ["image.window_hu.1: is missing"]),
        ("image.window_hu", [400, -1000], ["image: window_hu must rise", "[400.0, -1000.0]"]),
        ("device", "gpu", ["device: got 'gpu'", "'auto', 'cpu' or 'cuda'"]),
        ("study", "../up", ["study: got '../up'", "pattern"]),
        ("cohort.split.fit", -1, ["cohort.split.fit: got -1"]),
        ("segment.alpha.width", 0, ["segment.alpha.width: got 0"]),
        ("refine.objective.crop_px", 2048, ["study: refine.objective.crop_px 2048 is larger than image.size_px"]),
        (
            "compose",
            {"render": {"count": 9}, "plan": {"keep": 4}},
            ["compose: render.count 9 is more than plan.keep 4"],
        ),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(path, value, parts):
    text = message(path, value)
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    "path",
    ["segment.kind", "generate.nodules.kind", "features.kind"],
)
def test_a_misspelt_kind_gets_the_nearest_and_the_list(path):
    assert message(path, "alhpa") == f"{path}: no kind 'alhpa'; did you mean 'alpha'?; there are: alpha, beta"
    assert message(path, "zzz") == f"{path}: no kind 'zzz'; there are: alpha, beta"


def test_misspelt_names_in_lists():
    assert "score.metrics: no metric 'plsu'; did you mean 'plus'?" in message("score.metrics", ["plus", "plsu"])
    assert "release.formats: no metric 'nifty'" in message("release.formats", ["nifty"])


def test_sources_are_checked_one_by_one():
    good = {"reader": "alpha"}
    assert message("cohort.sources", []).startswith("cohort.sources: is empty")
    assert message("cohort.sources", [good, {"path": "x"}]).startswith("cohort.sources[1].reader: is missing")
    assert "cohort.sources[0].reader: no kind 'alfa'" in message("cohort.sources", [{"reader": "alfa"}])
    assert message("cohort.sources", [good, {"reader": "beta", "pth": "x"}]) == (
        "cohort.sources[1].pth: unknown key; did you mean 'path'?"
    )


@pytest.mark.parametrize("path", ["polite", "plain"])
def test_a_size_that_a_network_cannot_take_is_a_setting(path):
    broken = config("banks.nodule_px", 36)
    broken["generate"]["nodules"]["alpha"] = {"path": path}
    with pytest.raises(StudyError) as caught:
        settings.load(broken)
    assert str(caught.value) == ("banks.nodule_px: 36 does not suit generate.nodules.kind alpha: take a multiple of 8")


def test_a_missing_key_is_named():
    with pytest.raises(StudyError, match=r"^score\.inception\.sha256: is missing$"):
        settings.load(config("score.inception", {"path": "weights.pt"}))


def test_views_are_equal_whatever_the_order_and_spelling_of_numbers():
    one, other = config("image", {"fov_mm": 320, "size_px": 160}), config("image", {"size_px": 160, "fov_mm": 320.0})
    other = dict(reversed(other.items()))
    views = [
        settings.view(settings.load(values), *paths)
        for values, paths in ((one, ("image", "study")), (other, ("study", "image")))
    ]
    assert views[0] == views[1]
    assert type(views[0]) is str
    assert json.loads(views[0]).keys() == {"image", "seed", "study"}
    assert " " not in views[0]


def test_a_view_holds_its_keys_alone_and_always_the_seed():
    study = settings.load(config())
    assert json.loads(settings.view(study, "image.size_px")) == {
        "image.size_px": study.image.size_px,
        "seed": study.seed,
    }
    other = settings.load(config("compose.render.count", 10))
    assert settings.view(study, "image", "segment") == settings.view(other, "image", "segment")
    assert settings.view(study, "compose.render") != settings.view(other, "compose.render")


def test_what_is_computed_from_settings_is_seen_with_all_that_goes_into_it():
    study = settings.load(config())
    value = json.loads(settings.view(study, "segment.detector"))["segment.detector"]
    assert value["kind"] == "alpha" and value["settings"]["width"] == 4
    made = settings.typed("segment.detector", value)
    assert made == study.segment.detector
    for path, other in (("segment.alpha.width", 5), ("segment.network.slices", 1)):
        changed = settings.load(config(path, other))
        assert settings.view(study, "segment.detector") != settings.view(changed, "segment.detector")
    other = settings.load(config("segment.operating_point.threshold", 0.3))
    assert settings.view(study, "segment.detector") == settings.view(other, "segment.detector")


def test_a_script_cannot_read_what_its_view_does_not_hold():
    made = settings.typed(
        "segment.network", json.loads(settings.view(settings.load(config()), "segment.network"))["segment.network"]
    )
    with pytest.raises(AttributeError, match="threshold"):
        _ = made.threshold


def test_banks_along_masks_need_a_detector_that_makes_masks(monkeypatch):
    assert settings.load(config()).banks.cut_from == "segmentation"
    with pytest.raises(StudyError, match=r"banks\.cut_from: segmentation .* segment\.kind beta gives no probability"):
        settings.load(config("segment.kind", "beta"))


def test_typed_values_are_those_of_the_model():
    study = settings.load(config())
    view = json.loads(settings.view(study, "image", "cohort", "segment.alpha", "study"))
    assert settings.typed("image", view["image"]) == study.image
    assert settings.typed("image", view["image"]).window_hu == study.image.window_hu
    assert settings.typed("cohort", view["cohort"]).split == study.cohort.split
    assert settings.typed("segment.alpha", view["segment.alpha"]) == {"width": 4, "path": "somewhere"}
    assert settings.typed("study", view["study"]) == "tiny"


def test_a_block_that_may_be_null_is_a_model_where_it_is_given():
    given = {"path": "weights.pt", "sha256": "0" * 64}
    assert settings.typed("score.inception", given).sha256 == "0" * 64
    assert settings.typed("score.inception", None) is None
