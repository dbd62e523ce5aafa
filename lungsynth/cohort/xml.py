"""XML from strangers: parsed without entities, so that a file can neither read others nor blow up."""

from pathlib import Path
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError, ParserCreate

from lungsynth.study.errors import DataError

LARGEST_BYTES = 50_000_000


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
        element.tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
    return root


def _refuse_document_type(path: Path, data: bytes) -> None:
    """Entities are declared in a document type. The parser sees one in every encoding, a search of bytes does not."""

    def refuse(*_: object) -> None:
        raise DataError(f"{path}: declares a document type or entities, which annotations do not need; refused")

    scanner = ParserCreate()
    scanner.StartDoctypeDeclHandler = refuse
    scanner.EntityDeclHandler = refuse
    scanner.Parse(data, True)
