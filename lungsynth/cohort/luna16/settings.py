"""Settings of a LUNA16 folder."""

from pydantic import Field

from lungsynth.study.base import Settings as Base


class Settings(Base):
    """Scans as UID.mhd in any sub-folder, annotations.csv, and lung masks if there are any."""

    path: str = Field("luna16", description="folder under the data root")
    annotations: str = Field("annotations.csv", description="seriesuid,coordX,coordY,coordZ,diameter_mm; empty: none")
    lungs: str = Field("seg-lungs-LUNA16", description="folder of lung masks; where it is missing, lungs are segmented")
    right_labels: tuple[int, ...] = Field((4,), description="values of the right lung in the masks")
    left_labels: tuple[int, ...] = Field((3,), description="values of the left lung")
    other_labels: tuple[int, ...] = Field((5,), description="values that are no lung (trachea); others are refused")
    nodules: str = Field("nodules", description="folder of UID.nii.gz labels, k = k-th annotation of the series")
    sphere_min_hu: int = Field(-750, description="without labels: a nodule is its annotated sphere above this")
    max_scans: int | None = Field(None, ge=1, description="the first scans by UID; null: all")
