"""Registries list without importing, import late, and are loud about what is wrong."""

import sys

import pytest

from lungsynth.study.errors import StudyError
from lungsynth.study.registry import Registry

SETTINGS = "class Settings:\n    kind = {name!r}\n"
KIND = "from plugins_under_test import KINDS\n\n\n@KINDS.register({name!r})\nclass Kind:\n    pass\n"


@pytest.fixture
def kinds(tmp_path, monkeypatch):
    """A room of two kinds and a folder that is none; returns its registry."""
    room = tmp_path / "plugins_under_test"
    for name in ("beta", "alpha"):
        (room / name).mkdir(parents=True)
        (room / name / "__init__.py").write_text("")
        (room / name / "settings.py").write_text(SETTINGS.format(name=name))
        (room / name / "network.py").write_text(KIND.format(name=name))
    (room / "helpers").mkdir()
    (room / "helpers" / "__init__.py").write_text("")
    (room / "flat.py").write_text("")
    (room / "__init__.py").write_text(
        "from lungsynth.study.registry import Registry\nKINDS = Registry(__name__, what='kind')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield __import__("plugins_under_test").KINDS
    for name in [name for name in sys.modules if name.split(".")[0] == "plugins_under_test"]:
        del sys.modules[name]


def test_names_are_sorted_and_no_network_is_imported(kinds):
    assert kinds.names() == ["alpha", "beta"]
    assert not [name for name in sys.modules if name.endswith(("alpha.network", "beta.network", "alpha.settings"))]


def test_settings_come_without_the_network(kinds):
    assert kinds.settings("alpha").kind == "alpha"
    assert "plugins_under_test.alpha.network" not in sys.modules


def test_get_imports_that_kind_alone_and_twice_is_once(kinds):
    assert kinds.get("alpha") is kinds.get("alpha")
    assert "plugins_under_test.beta.network" not in sys.modules


@pytest.mark.parametrize("ask", ["get", "settings", "check"])
def test_an_unknown_kind_is_answered_with_the_list(kinds, ask):
    with pytest.raises(StudyError, match="no kind is called 'alfa'; there are: alpha, beta"):
        getattr(kinds, ask)("alfa")


def test_a_name_is_given_once(kinds):
    kinds.get("alpha")
    with pytest.raises(ValueError, match="registered twice"):
        kinds.register("alpha")(object)


def test_a_file_that_registers_another_name_is_found_out(kinds, tmp_path):
    (tmp_path / "plugins_under_test" / "beta" / "network.py").write_text(KIND.format(name="gamma"))
    with pytest.raises(ValueError, match="does not register 'beta'"):
        kinds.get("beta")


def test_entries_of_a_flat_room_are_files(kinds):
    assert Registry("plugins_under_test", flat=True).names() == ["flat"]


def test_the_rooms_list_their_kinds():
    from lungsynth.features.registry import EXTRACTORS
    from lungsynth.release.registry import EXPORTERS
    from lungsynth.score.registry import METRICS

    assert "compact" in EXTRACTORS.names()
    assert {"nifti", "png16"} <= set(EXPORTERS.names())
    assert {"fid", "kid", "inception_score"} <= set(METRICS.names())
