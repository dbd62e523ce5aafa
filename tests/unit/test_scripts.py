"""Every script of a rule finds what it imports: a name that moved would else be missed until that rule runs."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "workflow_scripts").rglob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_finds_what_it_imports(path):
    wanted = [
        (node.module, name.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    ]
    assert wanted
    for module, name in wanted:
        owner = import_module(module)
        assert hasattr(owner, name) or import_module(f"{module}.{name}"), f"{module} has no {name}"
