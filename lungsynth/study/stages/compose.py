"""Groups of nodules on normals: the plan and its rendering."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study.base import Settings

MOST_ROWS = 2**31 - 1
"""Tables of groups and plans number their rows in 32 bits."""


class Groups(Settings):
    """Groups of nodules that are laid on one lung together (C8)."""

    count: int = Field(400, ge=1, le=MOST_ROWS, description="groups drawn")
    size_max: int = Field(3, ge=1, le=255, description="members at most; masks number them in 8 bits")
    size_mean: float = Field(1.5, gt=0, description="mean of the Poisson law before it is cut to 1..size_max")
    gap_mm: float = Field(2, ge=0, description="between the edges of two members")
    tries: int = Field(50, ge=1, description="positions tried for a member")
    n_generated: int = Field(200, ge=0, description="generated nodules in the pool")
    n_real: int = Field(40, ge=0, description="real nodules in the pool")


class Normals(Settings):
    """The lungs that groups are laid on."""

    n_generated: int = Field(60, ge=0, description="generated normals in the pool")
    n_real: int = Field(20, ge=0, description="real normals in the pool")


class Presence(Settings):
    """Where nodules occur (C9)."""

    bins: int = Field(32, ge=4, description="of the map, along each side of the lung's box")
    sigma: float = Field(0.05, gt=0, description="Gaussian smoothing, as a share of the box")
    uniform: float = Field(0.1, ge=0, le=1, description="share of a uniform map mixed in")


class Plan(Settings):
    """Which of all combinations are kept (C2)."""

    keep: int = Field(2000, ge=1, le=MOST_ROWS, description="composites in the plan")
    score: Literal["min_clearance", "mean_clearance", "min_center", "mean_center"] = "min_clearance"
    min_contrast_hu: float = Field(80, ge=0, description="of a lesion to what it is laid on, in the nodule's mean HU")
    max_per_normal: int | None = Field(50, ge=1, description="composites of one normal; null: no bound")
    max_per_group: int | None = Field(12, ge=1, description="composites of one group; null: no bound")


class Render(Settings):
    """How much of the plan is rendered, and how."""

    count: int = Field(240, ge=1, description="composites rendered")
    pick: Literal["best", "spread"] = Field("spread", description="the plan's best, or even steps through all of it")
    shard_size: int = Field(120, ge=1, description="composites in a shard")
    feather_mm: float = Field(1.0, ge=0, description="soft edge of a lesion (C10)")
    texture: float = Field(1.0, ge=0, le=1, description="share of the background's texture kept in a lesion")

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.count // self.shard_size)


class Compose(Settings):
    """Groups on normals: the plan is an index, rendering is on demand."""

    groups: Groups = Groups()
    normals: Normals = Normals()
    presence: Presence = Presence()
    plan: Plan = Plan()
    render: Render = Render()
    min_diameter_px: float = Field(3, ge=1, description="smaller nodules are not laid on images")

    @model_validator(mode="after")
    def _plan_holds_what_is_rendered(self):
        if self.render.count > self.plan.keep:
            raise ValueError(f"render.count {self.render.count} is more than plan.keep {self.plan.keep}")
        return self
