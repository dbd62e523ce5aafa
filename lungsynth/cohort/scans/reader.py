"""A folder of whole scans of any kind: what lies there is found, and each scan goes to the reader that knows it."""

from collections.abc import Iterable
from functools import cached_property

from lungsynth.cohort.base import Reader, Scan, ScanRef
from lungsynth.cohort.luna16.annotations import read_excluded
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.scans.metaimages import MetaImages
from lungsynth.cohort.scans.niftis import Niftis
from lungsynth.cohort.scans.series import AllSeries, LidcSeries
from lungsynth.cohort.sniff import in_brief
from lungsynth.study.errors import DataError

SLICE = "a single slice; `reader: scans` takes whole scans, `reader: dicom` or `nifti` takes slices too"


@READERS.register("scans")
class ScansReader(Reader):
    """The union of what the readers lidc, dicom, luna16 and nifti find.

    `extra` of a scan holds `reader`, the one that reads it, and `annotated`: whether somebody looked for lesions in it
    and wrote them down, so that a scan without marks is one without lesions.
    """

    def list(self) -> list[ScanRef]:
        """Every whole scan, from names and headers; a series that is there in two formats is listed once."""
        parts = (self._series, self._metaimages, self._niftis)
        found = [*_or_none(self._series), *self._metaimages.list(), *_or_none(self._niftis)]
        skipped = [line for part in parts for line in part.skipped] + read_excluded(self.root)[1]
        skipped += [(str(ref.source_files[0]), SLICE) for ref in found if ref.kind == "slice"]
        refs, doubles = _once(ref for ref in found if ref.kind == "volume")
        self.skipped = in_brief(dict(skipped + doubles).items())
        if not refs:
            passed = f"; the first file that was passed over: {skipped[0][1]}" if skipped else ""
            raise DataError(
                f"{self.root}: no whole scan in the folder: neither a DICOM series of two slices or more, nor NIfTI "
                f"(.nii, .nii.gz), nor MetaImage (.mhd, .mha); check LUNGSYNTH_DATA and the source's path{passed}"
            )
        return sorted(refs, key=lambda ref: ref.scan)[: self.settings.max_scans]

    def read(self, ref: ScanRef) -> Scan:
        """The scan, by the reader that `extra` names."""
        name = ref.extra["reader"]
        if name == "lidc":
            return self._lidc.read(ref)
        if name == "dicom":
            return self._series.read(ref)
        return self._metaimages.read(ref) if name == "luna16" else self._niftis.read(ref)

    @property
    def mask_names(self) -> str:
        """Of NIfTI scans."""
        return self._niftis.mask_names

    @cached_property
    def _lidc(self) -> LidcSeries:
        return LidcSeries.of(self.settings, self.root)

    @cached_property
    def _series(self) -> AllSeries:
        return AllSeries.of(self.settings, self.root, self._lidc)

    @cached_property
    def _metaimages(self) -> MetaImages:
        return MetaImages(self.settings, self.root)

    @cached_property
    def _niftis(self) -> Niftis:
        return Niftis.of(self.settings, self.root, self._metaimages.is_mask)


def _or_none(part: Reader) -> list[ScanRef]:
    """What a reader lists; nothing where it says that there is none: elsewhere there may be other scans."""
    try:
        return part.list()
    except DataError:
        return []


def _once(refs: Iterable[ScanRef]) -> tuple[list[ScanRef], list[tuple[str, str]]]:
    """Each series once, annotated if any of its copies is; and what was left out, with the reason."""
    kept: dict[str, ScanRef] = {}
    doubles = []
    for ref in sorted(refs, key=lambda ref: not ref.extra["annotated"]):
        first = kept.setdefault(ref.uid or ref.scan, ref)
        if first is not ref:
            doubles.append((str(ref.source_files[0]), f"is the series of scan {first.scan} once more"))
    return [*kept.values()], doubles
