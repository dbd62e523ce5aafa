"""Settings of a folder of NIfTI scans."""

from typing import Literal

from pydantic import Field, field_validator

from lungsynth.study.base import Settings as Base
from lungsynth.study.expressions import Expression


class Settings(Base):
    """NAME.nii or NAME.nii.gz in any sub-folder, one scan a file, with masks beside them or in folders of masks.

    A mask is named by an ending (`_lungs`: NAME_lungs.nii.gz beside the scan) or by a folder with a slash at its end
    (`lungs/`: NAME.nii.gz in a folder `lungs` at the source's top, beside the scan or beside its folder); `lungs/_seg`
    is both. A scan without the file has no such mask.
    """

    path: str = Field("nifti", description="folder under the data root")
    lungs: str = Field("_lungs", description="ending or folder/ of lung masks; empty: lungs are segmented")
    nodules: str = Field("_nodules", description="ending or folder/ of nodule masks; empty: none")
    nodule_values: Literal["auto", "labels", "binary"] = Field(
        "auto", description="label k is a nodule, or 3-D components are; auto: components where there is one value only"
    )
    right_labels: tuple[int, ...] = Field((1,), description="values of the right lung, where a mask has two values")
    left_labels: tuple[int, ...] = Field((2,), description="values of the left lung; one value alone is cut in two")
    other_labels: tuple[int, ...] = Field((), description="values that are no lung (trachea); others are refused")
    patient: Expression = Field(
        "[^/]+$", description="regular expression of the patient's id in FOLDER/NAME; its first group if it has one"
    )
    keep_patient_ids: bool = Field(False, description="true where file names hold pseudonyms already; else a hash")
    axes: str = Field(
        "", pattern="^([LR][PA][SI])?$", description="of files without sform and qform (LPS, RAS ...); empty: refused"
    )
    max_scans: int | None = Field(None, ge=1, description="the first scans by path; null: all")

    @field_validator("lungs", "nodules")
    @classmethod
    def _stays_inside(cls, text: str) -> str:
        if text.startswith("/") or ".." in text.split("/"):
            raise ValueError("must be an ending or a folder inside the source")
        return text
