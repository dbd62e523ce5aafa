"""Settings of a folder of pictures."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study.base import PowerOfTwo
from lungsynth.study.base import Settings as Base
from lungsynth.study.expressions import Expression


class Settings(Base):
    """CLASS/NAME.png, .jpg or .dcm: single pictures with a word on what each shows."""

    path: str = Field("images", description="folder under the data root")
    classes: tuple[str, ...] = Field((), description="sub-folders to read; empty: all")
    size_px: PowerOfTwo = Field(256, ge=64, le=1024, description="rows and columns of every image, a power of two")
    fit: Literal["crop", "pad"] = Field("crop", description="the shorter side fills the square, or the longer one does")
    mm_per_px: float | None = Field(
        None, gt=0, description="pixel of a PNG or JPEG, which do not say it, and of such DICOM; null: unknown"
    )
    grey_hu: tuple[float, float] = Field((-1000, 400), description="HU of the darkest and the brightest grey level")
    bits: int | None = Field(None, ge=8, le=16, description="of a grey level; null: all that the file has, 8 or 16")
    chest_ct: bool = Field(False, description="true for axial slices of chest CT: lungs are segmented and needed")
    patient: Expression = Field(
        "",
        description="regular expression of the patient's id in CLASS/NAME; its first group if it has one; empty: each "
        "file is a patient, DICOM files by their PatientID",
    )
    keep_patient_ids: bool = Field(False, description="true where names hold pseudonyms already; else a hash")

    @model_validator(mode="after")
    def _range_opens(self):
        if self.grey_hu[0] >= self.grey_hu[1]:
            raise ValueError(f"grey_hu must rise, got {list(self.grey_hu)}")
        return self
