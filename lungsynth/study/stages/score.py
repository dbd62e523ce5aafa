"""Which numbers, how sure they are, and what is handed over."""

from pydantic import Field, model_validator

from lungsynth.study.base import Settings


class Weights(Settings):
    """A file with weights that the user has."""

    path: str = Field(description="under LUNGSYNTH_DATA: .safetensors, or a PyTorch state dict")
    sha256: str = Field(pattern="^[0-9a-fA-F]{64}$", description="of the file; another one is refused")


class Anatomy(Settings):
    """The measures of anatomy."""

    slices: int = Field(100, ge=20, description="of every set that are measured, at most: a seeded sample")


class Checkpoints(Settings):
    """What is drawn from every state of a training of pictures."""

    count: int = Field(400, ge=2, description="images that are scored")
    shown: int = Field(8, ge=1, description="of them in a row of the picture along the training")


class Score(Settings):
    """Which numbers, and how sure they are."""

    metrics: list[str] = Field(
        [
            *("inception_score", "fid", "kid", "precision", "recall", "density", "coverage"),
            *("authenticity", "membership"),
        ],
        description="names of lungsynth/score/metrics",
    )
    images: int = Field(5000, ge=100, description="of a set of shards that scores look at, at most: a seeded sample")
    bootstrap: int = Field(200, ge=20, description="resamples behind an interval")
    floors: int = Field(10, ge=1, description="random halves behind a floor")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of every interval")
    anatomy: Anatomy = Anatomy()
    checkpoints: Checkpoints = Checkpoints()
    inception: Weights | None = Field(None, description="{path, sha256} of InceptionV3 weights: scores by them too")


class Release(Settings):
    """What is handed over."""

    formats: list[str] = Field(
        ["nifti", "png16"],
        min_length=1,
        description="names of lungsynth/release/formats; the tables point to the first",
    )
    slice_mm: float = Field(2.5, gt=0, description="thickness written into a 2-D image's spacing")
    title: str = Field("Synthetic chest CT slices with lung nodules", description="of the datasheet and report")
    licence: str = Field("CC BY 4.0", description="of the released data")
    source_note: str = Field(
        "Source images are digital phantoms made by this software; no patient's data is in them.",
        description="a line on the source data for the datasheet: licence, attribution",
    )

    @model_validator(mode="after")
    def _each_format_once(self):
        if double := sorted({name for name in self.formats if self.formats.count(name) > 1}):
            raise ValueError(f"formats names {', '.join(double)} twice; once is enough")
        return self
