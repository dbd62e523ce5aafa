"""Digests of code: what a step's result depends on, and no more."""

import ast
import atexit
import contextlib
import hashlib
import json
import os
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from lungsynth.ct.files import write_text

ROOT = Path(__file__).resolve().parents[2]
# Their effect reaches a step through the settings view that its rule carries.
LEFT_OUT = ("lungsynth.study", "lungsynth.workflow")
# But for these: the one stands between a training script and the loop, and what it hands on makes the state; from the
# other every random number descends.
COUNTED = ("lungsynth.workflow.training", "lungsynth.study.seeds")
# The view carries values and not what the models compute of them, such as a pixel's size: that counts where its name is
# used (`_computed`). These modules compute nothing of settings.
NO_SETTINGS = ("__init__.py", "base.py", "errors.py", "registry.py", "seeds.py")
FORMAT = b"3"
MEMORY = Path(".snakemake", "lungsynth-code.json")
TEMPLATES = {".html", ".j2", ".css", ".js", ".md"}


def code_digest(script: str, *plugins: str) -> str:
    """Digest of a script, of the plug-in modules that the study names and of all of lungsynth that they import.

    Imports inside functions count; a package's `__init__` counts with every module of it; a property or a method of a
    settings model counts with every file that uses its name, a field with none. Comments, docstrings and formatting do
    not change it.

    Args:
        script: path under workflow_scripts/, for example "banks/cut_banks.py".
        plugins: modules that a registry imports by name, for example "lungsynth.generate.dcgan.network".
    """
    files = code_files(script, *plugins)
    names = [(str(path.relative_to(ROOT)), _parsed(path)[0]) for path in files]
    computed = _computed({name for path in files for name in _parsed(path)[2]})
    return hashlib.sha256(repr([*names, *computed]).encode()).hexdigest()[:16]


def code_files(script: str, *plugins: str) -> list[Path]:
    """The files behind `code_digest`, sorted."""
    todo = [ROOT / "workflow_scripts" / script, *(path for name in plugins for path in _files(name))]
    seen: set[Path] = set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(_parsed(path)[1])
    return sorted(seen)


def tree_digest() -> str:
    """One digest of everything that could have a say: all of lungsynth, the rules, the scripts and the Snakefile."""
    files = [ROOT / "Snakefile"]
    for folder in ("lungsynth", "rules", "workflow_scripts"):
        files.extend(path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".smk", *TEMPLATES})
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _parsed(path: Path) -> tuple[str, tuple[Path, ...], frozenset[str]]:
    """The digest of one file's meaning, the files of lungsynth that it imports, names of settings' members it uses."""
    content = path.read_bytes()
    if path.suffix != ".py":
        return hashlib.sha256(content).hexdigest(), (), frozenset()
    meaning, names, texts, used, _ = _remembered(content, _package(path))
    imported = [file for name in names for file in _files(name)]
    files = tuple(dict.fromkeys([*imported, *_templates(path.parent, texts)]))
    return meaning, files, frozenset(_members().keys() & set(used))


def _package(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])


@cache
def _members() -> dict[str, list]:
    """Name -> [digest, names that it uses] of every function of that name in `study` that computes of settings."""
    found: dict[str, list] = {}
    for path in sorted((ROOT / "lungsynth" / "study").rglob("*.py")):
        if path.name not in NO_SETTINGS:
            for name, member in _remembered(path.read_bytes(), _package(path))[4]:
                found.setdefault(name, []).append(member)
    return found


def _computed(used: set[str]) -> list:
    """What stands behind the names `used` in `study`, and behind those that it uses itself; sorted."""
    todo, seen = list(used), set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(one for _, inner in _members()[name] for one in inner if one in _members())
    return [[name, *(digest for digest, _ in _members()[name])] for name in sorted(seen)]


def _remembered(content: bytes, package: str) -> list:
    """What `_read` gives, kept by the file's bytes from one start to the next: parsing is most of a dry run's time."""
    memory = _memory()
    key = hashlib.sha256(b"\0".join([FORMAT, package.encode(), content])).hexdigest()
    if key not in memory:
        if not memory.get("new"):
            atexit.register(_keep, _place() / MEMORY, memory)
        memory["new"] = True
        memory[key] = _read(content, package)
    return memory[key]


@cache
def _memory() -> dict:
    try:
        return json.loads((_place() / MEMORY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _place() -> Path:
    """Where the memory lies: in the checkout, or where one stands if that is read-only."""
    return ROOT if os.access(ROOT, os.W_OK) else Path.cwd()


def _keep(path: Path, memory: dict) -> None:
    """Where nothing can be written, the next start parses again."""
    memory.pop("new", None)
    with contextlib.suppress(OSError):
        write_text(path, json.dumps(memory))


def _read(content: bytes, package: str) -> list:
    """Of a Python file: [digest, imported names, texts that name a template, all names, members of its models]."""
    tree = ast.parse(content)
    names = _imports(tree, package)
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    _strip_docstrings(tree)
    meaning = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    templates = [text for text in texts if any(suffix in text for suffix in TEMPLATES)]
    members = _members_of(tree) if f"{package}.".startswith("lungsynth.study.") else []
    return [meaning, names, templates, _used(tree, own=False), members]


def _used(tree: ast.AST, own: bool) -> list[str]:
    """Attributes and imported names in a tree; `own`: plain names too, by which a module uses what it holds itself.

    Elsewhere a plain name that was not imported is a variable, and only called like what settings compute.
    """
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    if own:
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return sorted(names | {node.name for node in ast.walk(tree) if isinstance(node, ast.alias)})


def _members_of(tree: ast.Module) -> list:
    """[name, [digest, names that it uses]] of functions, of methods but the validators', and of a module's constants.

    Fields are left out: the view carries them. So are validators: they refuse, and what they change is in the view.
    """
    found = []
    for node in [*tree.body, *(part for one in tree.body if isinstance(one, ast.ClassDef) for part in one.body)]:
        if isinstance(node, ast.FunctionDef) and not any("validator" in ast.dump(one) for one in node.decorator_list):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            names = []
        member = [hashlib.sha256(ast.dump(node).encode()).hexdigest(), _used(node, own=True)]
        found.extend([name, member] for name in names)
    return found


def _templates(folder: Path, texts: list[str]) -> list[Path]:
    """Pages and texts beside a module that names one of them: they make its output too, with what they include."""
    places = [folder, folder / "templates"]
    found = sorted(path for place in places if place.is_dir() for path in place.iterdir() if path.suffix in TEMPLATES)
    return found if any(path.name in text for path in found for text in texts) else []


def _imports(tree: ast.AST, package: str) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            names.append(base)
            names.extend(f"{base}.{alias.name}" for alias in node.names)
    return [name for name in names if name == "lungsynth" or name.startswith("lungsynth.")]


@cache
def _files(name: str) -> tuple[Path, ...]:
    """The module's file and the `__init__` of every package above it; nothing for a name that is no module."""
    if name not in COUNTED and any(name == room or name.startswith(f"{room}.") for room in LEFT_OUT):
        return ()
    base = ROOT.joinpath(*name.split("."))
    if base.with_suffix(".py").is_file():
        own = [base.with_suffix(".py")]
    elif (base / "__init__.py").is_file():
        own = [base / "__init__.py"]
    else:
        return ()
    above = [folder / "__init__.py" for folder in base.parents if folder.is_relative_to(ROOT / "lungsynth")]
    return (*own, *(path for path in above if path.is_file()))


def _strip_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
