"""The code digest: what a step's result depends on changes it, and nothing else does."""

import pytest

from lungsynth.workflow import digest

TREE = {
    "Snakefile": "",
    "rules/a.smk": "",
    "requirements.txt": "",
    "workflow_scripts/stage/make.py": "from lungsynth.room import tool\n\nwith open('x') as f:\n    tool.run(f)\n",
    "workflow_scripts/stage/other.py": "import json\n",
    "lungsynth/__init__.py": "",
    "lungsynth/room/__init__.py": '"""Docstring."""\n',
    "lungsynth/room/tool.py": (
        '"""Tool."""\n\n\n'
        'def run(f):\n    """Run."""\n'
        "    from .late import go\n    from lungsynth.study.seeds import rng\n\n    return go(f, rng)\n"
    ),
    "lungsynth/room/late.py": "import lungsynth.deep.base as base\n\n\ndef go(f, rng):\n    return base.ONE * f.px\n",
    "lungsynth/room/aside.py": "TWO = 2\n",
    "lungsynth/deep/__init__.py": "",
    "lungsynth/deep/base.py": "ONE = 1\n",
    "lungsynth/pages/__init__.py": "",
    "lungsynth/pages/page.py": "def page(get):\n    return get('page.html.j2')\n",
    "lungsynth/pages/chart.py": "import json\n",
    "lungsynth/pages/templates/style.css": "p {}\n",
    "lungsynth/pages/templates/page.html.j2": "<p>hello</p>\n",
    "lungsynth/study/__init__.py": "",
    "lungsynth/study/seeds.py": "def rng():\n    pass\n",
    "lungsynth/study/errors.py": "def px():\n    pass\n",
    "lungsynth/study/stages.py": (
        "from pydantic import model_validator\n\nSIDES = 2\n\n\n"
        "class Image:\n    size: int = 3\n\n"
        '    @property\n    def px(self):\n        """Size."""\n        return self._half() * 2\n\n'
        "    def _half(self):\n        return self.size / SIDES\n\n"
        "    @property\n    def unused(self):\n        return 1\n\n"
        '    @model_validator(mode="after")\n    def _px(self):\n        return self.px\n'
    ),
    "lungsynth/workflow/__init__.py": "",
    "lungsynth/studying/__init__.py": "",
    "lungsynth/studying/notes.py": "THREE = 3\n",
    "lungsynth/kinds/one/__init__.py": "",
    "lungsynth/kinds/one/network.py": (
        "from lungsynth.kinds.one.settings import Settings\nfrom lungsynth.studying import notes\n"
    ),
    "lungsynth/kinds/one/settings.py": "class Settings:\n    pass\n",
    "lungsynth/kinds/__init__.py": "",
}


STAGES = TREE["lungsynth/study/stages.py"]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small repository in place of this one."""
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(digest, "ROOT", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    """Digests are kept for one parse; an edit comes before the next."""
    digest._parsed.cache_clear()
    digest._files.cache_clear()
    digest._memory.cache_clear()
    digest._members.cache_clear()


def after(tree, name, text, *plugins, script="stage/make.py"):
    """Whether an edit of one file changes a script's digest."""
    forget()
    before = digest.code_digest(script, *plugins)
    (tree / name).write_text(text)
    forget()
    return digest.code_digest(script, *plugins) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("workflow_scripts/stage/make.py", TREE["workflow_scripts/stage/make.py"] + "tool.run(None)\n"),
        ("lungsynth/room/tool.py", TREE["lungsynth/room/tool.py"].replace("go(f, rng)", "go(rng, f)")),
        ("lungsynth/room/late.py", TREE["lungsynth/room/late.py"] + "X = 1\n"),
        ("lungsynth/deep/base.py", "ONE = 2\n"),
        ("lungsynth/room/__init__.py", "X = 1\n"),
        ("lungsynth/deep/__init__.py", "X = 1\n"),
        ("lungsynth/__init__.py", "X = 1\n"),
        ("lungsynth/study/seeds.py", "def rng():\n    return 4\n"),
        ("lungsynth/study/stages.py", STAGES.replace("_half() * 2", "_half() * 3")),
        ("lungsynth/study/stages.py", STAGES.replace("self.size / SIDES", "self.size // SIDES")),
        ("lungsynth/study/stages.py", STAGES.replace("SIDES = 2", "SIDES = 4")),
    ],
    ids=[
        *("script", "import", "import in a function", "import of an import", "package", "its package", "root package"),
        *("random numbers", "computed of settings", "what that uses", "its constant"),
    ],
)
def test_an_edit_of_what_counts_changes_it(tree, name, text):
    assert after(tree, name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lungsynth/room/tool.py", TREE["lungsynth/room/tool.py"].replace('"""Run."""', '"""Walk."""')),
        ("lungsynth/room/tool.py", "# Why.\n" + TREE["lungsynth/room/tool.py"].replace("Tool.", "Tools.")),
        ("lungsynth/room/late.py", TREE["lungsynth/room/late.py"].replace("go(f, rng)", "go(\n    f,\n    rng,\n)")),
        ("lungsynth/room/__init__.py", ""),
        ("lungsynth/room/aside.py", "TWO = 3\n"),
        ("lungsynth/study/errors.py", "def px():\n    return 4\n"),
        ("lungsynth/study/stages.py", STAGES.replace("size: int = 3", "size: int = 4\n    new: float = 1.5")),
        ("lungsynth/study/stages.py", STAGES + "\n\nclass New:\n    px: int = 5\n"),
        ("lungsynth/study/stages.py", STAGES.replace('"""Size."""', '"""Side."""')),
        ("lungsynth/study/stages.py", STAGES.replace("return 1", "return 2")),
        ("lungsynth/study/stages.py", STAGES.replace("return self.px", "assert self.px")),
        ("workflow_scripts/stage/other.py", "import os\n"),
        ("rules/a.smk", "rule all:\n"),
    ],
    ids=[
        *(
            "docstring",
            "comment",
            "format",
            "package docstring",
            "not imported",
            "message",
            "field",
            "block of settings",
        ),
        *("docstring of a property", "property that is not used", "validator", "other script", "rule"),
    ],
)
def test_an_edit_of_anything_else_does_not(tree, name, text):
    assert not after(tree, name, text)


def test_a_named_plug_in_counts_with_all_it_imports(tree):
    plugin = "lungsynth.kinds.one.network"
    assert after(tree, "lungsynth/kinds/one/settings.py", "class Settings:\n    x = 1\n", plugin)
    assert after(tree, "lungsynth/kinds/__init__.py", "X = 1\n", plugin)
    assert not after(tree, "lungsynth/kinds/one/settings.py", "class Settings:\n    x = 2\n")


def test_a_room_whose_name_begins_like_study_is_not_left_out(tree):
    assert after(tree, "lungsynth/studying/notes.py", "THREE = 4\n", "lungsynth.kinds.one.network")


@pytest.mark.parametrize("name", ["page.html.j2", "style.css"])
def test_a_template_counts_with_the_module_that_names_it_and_with_no_other(tree, name):
    path = f"lungsynth/pages/templates/{name}"
    assert after(tree, path, "/* edited */\n", "lungsynth.pages.page")
    assert not after(tree, path, "/* again */\n", "lungsynth.pages.chart")
    assert not after(tree, path, "/* and again */\n")


def test_files_are_in_order_and_within_the_repository(tree):
    files = digest.code_files("stage/make.py", "lungsynth.pages.page", "lungsynth.no_such_module")
    assert files == sorted(files)
    assert [str(path.relative_to(tree)) for path in files] == [
        "lungsynth/__init__.py",
        "lungsynth/deep/__init__.py",
        "lungsynth/deep/base.py",
        "lungsynth/pages/__init__.py",
        "lungsynth/pages/page.py",
        "lungsynth/pages/templates/page.html.j2",
        "lungsynth/pages/templates/style.css",
        "lungsynth/room/__init__.py",
        "lungsynth/room/late.py",
        "lungsynth/room/tool.py",
        "lungsynth/study/__init__.py",
        "lungsynth/study/seeds.py",
        "workflow_scripts/stage/make.py",
    ]


def test_a_digest_is_a_plain_string_that_does_not_depend_on_where_the_tree_lies(tree, tmp_path_factory, monkeypatch):
    made = digest.code_digest("stage/make.py")
    assert type(made) is str
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    for name, text in reversed(TREE.items()):
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).write_text(text)
    monkeypatch.setattr(digest, "ROOT", elsewhere)
    forget()
    assert digest.code_digest("stage/make.py") == made


@pytest.mark.parametrize(
    "name",
    [
        "lungsynth/study/errors.py",
        "lungsynth/workflow/__init__.py",
        "rules/a.smk",
        "Snakefile",
        "workflow_scripts/stage/other.py",
    ],
)
def test_the_tree_digest_sees_what_code_digests_leave_out(tree, name):
    before = digest.tree_digest()
    (tree / name).write_text("# edited\n")
    assert digest.tree_digest() != before


def test_compiled_files_are_no_part_of_the_tree(tree):
    before = digest.tree_digest()
    (tree / "lungsynth" / "__pycache__").mkdir()
    (tree / "lungsynth" / "__pycache__" / "room.pyc").write_bytes(b"\0")
    assert digest.tree_digest() == before


def test_a_training_script_sees_an_edit_of_the_training_loop():
    """The loop is reached through `workflow`, whose other modules are left out."""
    forget()
    scripts = sorted((digest.ROOT / "workflow_scripts").glob("*/train_*.py"))
    assert scripts
    for script in scripts:
        files = digest.code_files(f"{script.parent.name}/{script.name}")
        assert digest.ROOT / "lungsynth/train/loop.py" in files, script
        assert digest.ROOT / "lungsynth/workflow/step.py" not in files, script
