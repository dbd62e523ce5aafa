"""Regular expressions that a study gives, to find a patient's id in a name."""

import re
from typing import Annotated

from pydantic import AfterValidator


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from None
    return text


Expression = Annotated[str, AfterValidator(_compiles)]


def first_in(name: str, expression: str) -> str:
    """What the expression finds in a name: its first group if it has one, else all of it; empty where nothing fits."""
    match = re.search(expression, name)
    return (match[1 if match.re.groups else 0] or "") if match else ""
