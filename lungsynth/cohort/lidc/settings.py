"""Settings of a LIDC-IDRI folder."""

from pydantic import Field

from lungsynth.study.base import Settings as Base


class Settings(Base):
    """DICOM series as TCIA lays them out, with the four readers' XML anywhere in the folder."""

    path: str = Field("LIDC-IDRI", description="folder under the data root")
    min_readers: int = Field(1, ge=1, le=4, description="lesions marked by fewer readers are left out")
    consensus: float = Field(0.5, gt=0, le=1, description="share of the readers who marked a lesion, for each voxel")
    include_border: bool = Field(False, description="count the contour's own pixels, which lie outside the nodule")
    only_patients: tuple[str, ...] = Field((), description="PatientIDs to read; empty: all")
    max_tilt_deg: float = Field(0.5, ge=0, description="a series whose slices lean more than this is refused")
