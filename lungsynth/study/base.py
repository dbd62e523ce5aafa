"""What every settings model is: frozen, and without room for an unknown key."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A block of settings. Unknown keys, NaN and infinity are refused, values cannot be changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
