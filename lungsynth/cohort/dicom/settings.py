"""Settings of a folder of DICOM CT."""

from typing import Literal

from pydantic import Field

from lungsynth.study.base import Settings as Base


class Settings(Base):
    """DICOM files in any sub-folder, one or many series, with boxes (Pascal VOC) by SOP UID if there are any."""

    path: str = Field("dicom", description="folder under the data root")
    images: Literal["series", "slices"] = Field("series", description="a series is a scan, or each file is a slice")
    keep_patient_ids: bool = Field(
        False,
        description="true for public sets whose PatientID is a pseudonym already; false also hides the names of files",
    )
    patients: dict[str, str] = Field(
        default_factory=dict,
        description="PatientID, or better its hash (P-...; settings are recorded) -> pseudonym, instead of the hash",
    )
    only_patients: tuple[str, ...] = Field((), description="pseudonyms to read; empty: all")
    max_tilt_deg: float = Field(0.5, ge=0, description="a series whose slices lean more than this is refused")
