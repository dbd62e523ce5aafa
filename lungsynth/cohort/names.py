"""Names of files and folders often name patients: found without leaving the root, written without telling them.

A list of scans holds a token for each path, `path-` and a hash. Whoever has the folder finds the path again:

    python -m lungsynth.cohort.names FOLDER path-0123456789abcdef
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lungsynth.cohort.base import ScanRef, short_hash
from lungsynth.study.errors import DataError, StudyError

PUBLIC_PATIENT = re.compile(r"LIDC-IDRI-\d{4}")
PUBLIC_UID = re.compile(r"1\.3\.6\.1\.4\.1\.14519\.5\.2\.1\.6279\.6001\.\d+")
"""LIDC-IDRI's, and so LUNA16's; another UID may hold a date, and is hashed."""

ESCAPE = re.compile(r"\\(?:\\|[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
"""What `quoted` writes for a letter that cannot be shown, or for a backslash."""

NO_TEXT = "its name is no UTF-8 text; rename it"


def public_id(text: str, kind: str) -> str:
    """An id as it is where it is a public one; of any other a hash, since it may name a person or hold a date.

    kind: what the hash begins with, P for patients, S for series.
    """
    public = not text or PUBLIC_PATIENT.fullmatch(text) or PUBLIC_UID.fullmatch(text)
    return text if public else f"{kind}-{short_hash(text)}"


def token(relative: str | Path) -> str:
    """What stands for a path relative to the root. A hash hides a name from readers, not from one who guesses it."""
    return f"path-{hashlib.sha256(os.fsencode(relative)).hexdigest()[:16]}"


def entries(root: Path) -> Iterator[Path]:
    """Every file and folder under the root, relative and sorted; links to folders are named and never entered."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        relative = Path(folder).relative_to(root)
        yield from (relative / name for name in sorted([*folders, *files]))


def link_fault(path: Path, root: Path) -> str:
    """Why a path is not followed: a link that leads nowhere or out of the root, or what is neither file nor folder
    (opening a pipe would wait for ever); empty if it stays inside."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # Python's word for a loop changes with its version
        return "is a link to nothing or to itself"
    if not target.is_relative_to(root.resolve()):
        return "is a link that leads out of the folder; copy or move it in"
    return "" if target.is_file() or target.is_dir() else "is neither a file nor a folder"


class Names:
    """The names under one root. The folder is walked once, when a token or a message asks for it."""

    def __init__(self, root: str | Path):
        self.root = Path(root)

    @cached_property
    def by_token(self) -> Mapping[str, Path]:
        """Token -> relative path."""
        return {token(path): path for path in entries(self.root)}

    def reveal(self, ref: ScanRef) -> ScanRef:
        """The reference with its paths, from one that `hide` made.

        Raises:
            DataError: a file is gone.
        """
        found = [self.by_token.get(str(path)) for path in ref.source_files]
        if None in found:
            raise DataError(
                f"{found.count(None)} of {len(found)} files of the scan were moved or renamed since the scans were "
                "listed; put them back, or remove the study's cohort/scans.csv and run again"
            )
        return replace(ref, source_files=tuple(found))

    def without_names(self, text: str) -> str:
        """A message with tokens for the paths under the root."""
        if str(self.root) not in text:
            return text
        for path in sorted(self.by_token.values(), key=lambda path: len(str(path)), reverse=True):
            text = text.replace(str(self.root / path), token(path))
        return text.replace(f"{self.root}/", "").replace(str(self.root), "the folder")


def hide(ref: ScanRef, public: bool) -> ScanRef:
    """The reference with tokens for its paths; unless the set is public, also for its UID, which may hold a date."""
    uid = ref.uid if public or not ref.uid else f"S-{hashlib.sha256(ref.uid.encode()).hexdigest()[:16]}"
    return replace(ref, source_files=tuple(Path(token(path)) for path in ref.source_files), uid=uid)


def is_text(name: str) -> bool:
    """Whether the bytes of a file's name are UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def printable(name: str | Path) -> str:
    """A name that fits into a line of a table: bytes that are no UTF-8, and line ends, are written as escapes."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(name: str | Path) -> str:
    """A name in one line of a table, from which `unquoted` makes the name again, whatever bytes it holds."""
    text = str(name).replace("\\", "\\\\")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def unquoted(text: str) -> str:
    """The name that `quoted` wrote."""
    return ESCAPE.sub(lambda found: found[0].encode().decode("unicode_escape"), text)


def under_root(data_root: str | Path, path: str, where: str) -> Path:
    """A path of the study's below the data root.

    Raises:
        StudyError: it leaves the data root; `where` names the setting.
    """
    found = Path(os.path.normpath(Path(data_root) / path))
    if not found.is_relative_to(os.path.normpath(data_root)):
        raise StudyError(f"{where}: path {path!r} leaves the data root; set LUNGSYNTH_DATA instead")
    return found


def main(arguments: list[str]) -> None:
    """Print the paths behind tokens."""
    if len(arguments) < 2:
        sys.exit("usage: python -m lungsynth.cohort.names FOLDER path-TOKEN ...")
    names = Names(arguments[0]).by_token
    for wanted in arguments[1:]:
        print(f"{wanted}  {printable(names[wanted]) if wanted in names else 'is not in this folder'}")


if __name__ == "__main__":
    main(sys.argv[1:])
