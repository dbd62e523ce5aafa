"""The second chain's images: single pictures in folders, one a class."""

from typing import Literal

from pydantic import Field, model_validator

from lungsynth.study.base import PowerOfTwo, Settings
from lungsynth.study.expressions import Expression


class Shares(Settings):
    """Parts of each class by role, in this proportion; all pictures of a patient have one role."""

    fit: int = Field(7, ge=1, description="extractor, generators and classifiers learn from these")
    tune: int = Field(1, ge=1, description="selection and the choice of a state stand on these")
    test: int = Field(2, ge=1, description="held out: references, floors, classifiers' tests")


class Pictures(Settings):
    """A folder with one sub-folder a class, or a zip of equal squares with dataset.json (chain: pictures)."""

    path: str | None = Field(None, description="folder or .zip under LUNGSYNTH_DATA; null: none")
    classes: tuple[str, ...] = Field((), description="sub-folders to read, in order; empty: all")
    size_px: PowerOfTwo = Field(64, ge=32, le=1024, description="rows and columns of every image, a power of two")
    fit: Literal["crop", "pad"] = Field("crop", description="cut to the middle square, or filled with black to one")
    bits: Literal[8, 16] = Field(8, description="of a grey level; pictures of another depth are left out")
    colour: Literal["refuse", "convert", "keep"] = Field(
        "refuse", description="pictures with colour are left out, made grey (ITU-R 601), or all are kept red-green-blue"
    )
    patient: Expression = Field(
        "",
        description="regular expression of what names a patient in CLASS/NAME; its first group if it has one; empty: "
        "each picture is one, DICOM files by their PatientID",
    )
    split: Shares = Shares()
    mirror: bool = Field(False, description="learn from mirrored copies too; not where left and right differ")
    quarantine: Literal["report", "stop"] = Field("report", description="what a bad picture does to the run")

    @property
    def channels(self) -> int:
        """Of an image: 1, or 3 in colour."""
        return 3 if self.colour == "keep" else 1

    @property
    def levels(self) -> tuple[int, int]:
        """The darkest and the brightest grey level."""
        return 0, 2**self.bits - 1

    @model_validator(mode="after")
    def _can_be_kept(self):
        if self.bits == 16 and self.colour == "keep":
            raise ValueError("colour: keep needs bits: 8; colour of 16 bits is not read")
        if double := sorted({name for name in self.classes if self.classes.count(name) > 1}):
            raise ValueError(f"classes names {', '.join(double)} twice; once is enough")
        return self
