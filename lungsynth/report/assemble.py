"""All that the page shows, from the files of a study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lungsynth import __version__
from lungsynth.report.cautions import cautions
from lungsynth.report.data import ReportData
from lungsynth.report.gather import gather
from lungsynth.report.origin import behind, flat, provenance, trainings


def assemble(
    files: Mapping[str, Path | list[Path]],
    view: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, Any] | None = None,
    page: tuple[str, str] = ("make_report", "report/report.html"),
) -> ReportData:
    """Everything on the page; a part whose files are not named is left out.

    Args:
        files: by the names of `gather.gather`, `cautions.cautions`, `origin.trainings`; lists in the order of shards.
        view: the settings of the whole study, as a rule's view carries them.
        records: what the jobs of the study left, see `origin.read_records`; those that `files` do not stand on are no
            part of the study any more and are left out.
        environment: digests and versions for the page's last section.
        page: the rule that makes the page and the file's path, the end of the graph of rules.
    """
    settings = flat(view)
    edges, stages, made = behind(records, files, page)
    return ReportData(
        study=view["study"],
        seed=view["seed"],
        version=__version__,
        title=settings.get("release.title", ReportData.title),
        warnings=cautions(files, view["cohort"]["sources"]),
        edges=edges,
        stages=stages,
        settings=settings,
        provenance=provenance(made, environment or {}),
        **gather(files, tuple(view["image"]["window_hu"]), trainings(files, settings)),
    )
