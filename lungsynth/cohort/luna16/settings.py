"""Settings of a LUNA16 folder."""

from pydantic import Field, field_validator

from lungsynth.study.base import Settings as Base
from lungsynth.study.stages.cohort import Role


class Settings(Base):
    """Scans as UID.mhd in any sub-folder, annotations.csv, and lung masks if there are any."""

    path: str = Field("luna16", description="folder under the data root")
    annotations: str = Field("annotations.csv", description="seriesuid,coordX,coordY,coordZ,diameter_mm; empty: none")
    lungs: str = Field("seg-lungs-LUNA16", description="folder of lung masks; where it is missing, lungs are segmented")
    right_labels: tuple[int, ...] = Field((4,), description="values of the right lung in the masks")
    left_labels: tuple[int, ...] = Field((3,), description="values of the left lung")
    other_labels: tuple[int, ...] = Field((5,), description="values that are no lung (trachea); others are refused")
    nodules: str = Field("nodules", description="folder of UID.nii.gz labels, k = k-th annotation of the series")
    folds: dict[Role, tuple[int, ...]] = Field(
        default_factory=dict,
        description="role -> numbers of subset folders ({fit: [0, 1, 2], tune: [3], test: [9]}); subsets that are not "
        "named are left out; empty: all are read and dealt out by the split",
    )
    sphere_min_hu: int = Field(-750, description="without labels: a nodule is its annotated sphere above this")
    max_scans: int | None = Field(None, ge=1, description="the first scans by UID; null: all")

    @field_validator("folds")
    @classmethod
    def _one_role_a_subset(cls, folds: dict[Role, tuple[int, ...]]) -> dict[Role, tuple[int, ...]]:
        roles: dict[int, Role] = {}
        for role, subsets in folds.items():
            for subset in subsets:
                if subset in roles:
                    raise ValueError(f"subset{subset} is named twice, under {roles[subset]} and {role}")
                roles[subset] = role
        return folds
