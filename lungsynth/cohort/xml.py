"""XML from strangers: parsed without entities, so that a file can neither read others nor blow up."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError, ParserCreate

from lungsynth.cohort.names import entries, link_fault
from lungsynth.study.errors import DataError

LARGEST_BYTES = 50_000_000
STEP = 1 << 14


def xml_files(root: Path) -> Iterator[Path]:
    """The files .xml or .XML under a folder that do not lead out of it, sorted."""
    for relative in entries(root):
        path = root / relative
        hidden = any(part.startswith(".") for part in relative.parts)
        if relative.suffix.lower() == ".xml" and not hidden and not link_fault(path, root) and path.is_file():
            yield path


class Start(NamedTuple):
    """What the beginning of an XML file tells.

    Attributes:
        names: of the elements to there, without their namespace; empty where it is no XML.
        text: of the element asked for; empty without it.
    """

    names: frozenset[str]
    text: str


def start_of(path: Path, element: str) -> Start:
    """Names, and the text of the first `element` (in capital or small letters), read as far as needed.

    Damage that comes later is left for `parse` to find.
    """
    names, texts, depth = [], [], [0]

    def begin(name: str, _: dict[str, str]) -> None:
        names.append(_local(name))
        if depth[0] or names[-1].lower() == element.lower():
            depth[0] += 1

    def end(_: str) -> None:
        if depth[0]:
            depth[0] -= 1
            if not depth[0]:
                raise StopIteration

    def within(text: str) -> None:
        if depth[0]:
            texts.append(text)

    scanner = ParserCreate(namespace_separator="}")
    scanner.StartElementHandler, scanner.EndElementHandler, scanner.CharacterDataHandler = begin, end, within
    try:
        with path.open("rb") as file:
            for part in iter(lambda: file.read(STEP), b""):
                scanner.Parse(part, False)
    except (StopIteration, OSError, ExpatError, ValueError, LookupError):
        pass
    return Start(frozenset(names), "".join(texts).strip())


def parse(path: Path) -> ElementTree.Element:
    """The root element of an XML file; names lose their namespace.

    Raises:
        DataError: it is no XML, is over 50 MB, or declares a document type, as no annotation needs.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes are too many for an annotation")
        data = path.read_bytes()
        _refuse_document_type(path, data)
        root = ElementTree.fromstring(data)
    except (OSError, ElementTree.ParseError, ExpatError, ValueError, LookupError) as error:
        raise DataError(f"{path}: cannot be read as XML ({error})") from None
    for element in root.iter():
        element.tag = _local(element.tag) if isinstance(element.tag, str) else ""
    return root


def _local(name: str) -> str:
    """A name without its namespace; a prefix that no namespace was declared for is no part of it either."""
    return name.rpartition("}")[2].rpartition(":")[2]


def _refuse_document_type(path: Path, data: bytes) -> None:
    """Entities are declared in a document type. The parser sees one in every encoding, a search of bytes does not."""

    def refuse(*_: object) -> None:
        raise DataError(f"{path}: declares a document type or entities, which annotations do not need; refused")

    scanner = ParserCreate()
    scanner.StartDoctypeDeclHandler = refuse
    scanner.EntityDeclHandler = refuse
    scanner.Parse(data, True)
