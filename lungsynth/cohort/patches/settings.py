"""Settings of a table of nodule patches."""

from pydantic import Field

from lungsynth.study.base import Settings as Base


class Settings(Base):
    """nodules.npz and nodules.csv: square patches of one slice with a nodule each, in HU, with consensus masks."""

    path: str = Field("lidc_nodules", description="folder under the data root")
    exclude_patients: tuple[str, ...] = Field((), description="patients who are in another source")
    min_readers: int = Field(3, ge=1, le=4, description="readers whose contour is on the slice, at least")
    drop_near_duplicates: bool = Field(True, description="leave out rows marked as a second copy of a nodule")
    drop_with_others: bool = Field(False, description="leave out patches that show another marked nodule too")
    test_modulus: int | None = Field(
        5, ge=2, description="patients whose SHA-256 is a multiple of it are test, others never; null: dealt like all"
    )
    max_patients: int | None = Field(None, ge=1, description="the first patients by SHA-256; null: all")
