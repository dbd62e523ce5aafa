"""What every settings model is: frozen, and without room for an unknown key."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A block of settings. Unknown keys, NaN and infinity are refused, values cannot be changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WithKinds(Settings):
    """A block that holds one sub-block for each kind under the kind's name; the chosen kind's is validated later."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="the kind that is used; its settings stand in the sub-block of that name")

    def block(self) -> dict[str, Any]:
        """The chosen kind's own settings, as they stand in the study."""
        return dict((self.model_extra or {}).get(self.kind) or {})


def paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """BLOCK.BLOCK.KEY and value of everything in nested settings: each block, then what stands in it."""
    for name, value in values.items():
        yield f"{prefix}{name}", value
        if isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{name}.")
