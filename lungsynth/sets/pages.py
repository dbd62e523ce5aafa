"""Pages from templates: HTML that escapes what it is given, and in which a name that is missing is an error."""

from pathlib import Path
from typing import Any

import jinja2
import markupsafe


def asset(folder: Path, name: str) -> markupsafe.Markup:
    """A style sheet or script beside the templates, to be put into a page as it is."""
    return markupsafe.Markup((folder / name).read_text("utf-8"))


def html(folder: Path, name: str, **values: Any) -> str:
    """The template `name` of a folder with these values; the same values give the same text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**values)
