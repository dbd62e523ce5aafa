"""NIfTI files, but for those that are masks of MetaImages."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from lungsynth.cohort.base import ScanRef
from lungsynth.cohort.nifti.reader import NiftiReader
from lungsynth.cohort.scans.settings import Settings


class Niftis(NiftiReader):
    """Scans with masks beside them."""

    is_other_mask: Callable[[Path], bool]

    @classmethod
    def of(cls, settings: Settings, root: Path, is_other_mask: Callable[[Path], bool]) -> "Niftis":
        """The reader of NIfTI files under a folder of scans.

        Args:
            is_other_mask: whether a path belongs to a scan of another format.
        """
        made = cls(settings.model_copy(update={"max_scans": None}), root)
        made.is_other_mask = is_other_mask
        return made

    def _strangers(self) -> Iterator[tuple[str, str]]:
        return iter(())  # the reader of the other series tells of them

    def _scans(self) -> Iterator[Path]:
        return (path for path in super()._scans() if not self.is_other_mask(path))

    def _ref(self, path: Path) -> ScanRef | None:
        ref = super()._ref(path)
        annotated = self._mask_file(path, self.settings.nodules) is not None
        return ref and replace(ref, extra={"reader": "nifti", "annotated": annotated})
