"""Settings of a folder of whole scans of any kind."""

from pydantic import Field

from lungsynth.cohort.nifti.settings import Settings as NiftiSettings


class Settings(NiftiSettings):
    """DICOM series, NIfTI and MetaImage files in any sub-folder, with what marks lie beside them.

    Marks are LIDC-IDRI's XML, Pascal VOC boxes, LUNA16's annotations.csv, and NIfTI masks of nodules. The keys of the
    NIfTI reader hold for NIfTI files; `patient` and `max_scans` for MetaImages too.
    """

    path: str = Field(".", description="folder under the data root; a dot: all of it")
    keep_patient_ids: bool = Field(
        False, description="true where PatientID and file names are pseudonyms already; LIDC-IDRI's and LUNA16's are"
    )
    min_readers: int = Field(2, ge=1, le=4, description="LIDC-IDRI: lesions marked by fewer readers are left out")
    max_tilt_deg: float = Field(0.5, ge=0, description="a DICOM series whose slices lean more than this is refused")
    max_scans: int | None = Field(None, ge=1, description="the first scans by id; null: all")
