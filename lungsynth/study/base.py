"""What every settings model is: frozen, and without room for an unknown key."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


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


class WithPreset(Settings):
    """A block that may take a named set of values, for example a paper's; what is stated beside the name goes first.

    A subclass names its sets in `presets`, and in the type of a field `preset`, "none" first. The values stand in the
    validated block like any others, so that what a preset means is seen wherever settings are shown.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {**cls.presets.get(values.get("preset"), {}), **values}


def paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """BLOCK.BLOCK.KEY and value of everything in nested settings: each block, then what stands in it."""
    for name, value in values.items():
        yield f"{prefix}{name}", value
        if isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{name}.")


def _power_of_two(size: int) -> int:
    if size & (size - 1):
        raise ValueError(f"must be a power of two, got {size}")
    return size


PowerOfTwo = Annotated[int, AfterValidator(_power_of_two)]
