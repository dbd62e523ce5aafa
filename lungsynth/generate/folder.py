"""A folder of images drawn from a released generator: files, a table, a datasheet; of pictures a contact sheet too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from lungsynth import __version__
from lungsynth.ct import picture, volume
from lungsynth.ct.files import write_bytes, write_text
from lungsynth.generate.pretrained import Pretrained
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.grid import in_words
from lungsynth.sets.seen import learnt_from
from lungsynth.sets.tables import write_csv

MARK = "_synthetic"
MASKS = {"normals": ("lungs", "1 the right lung, 2 the left"), "nodules": ("nodule", "1 the nodule")}
WHAT = {"normals": "slices of the chest", "nodules": "nodules"}
COLUMNS, LINES, TILE_PX = 8, 2, 96
"""Of a contact sheet, each class: pictures in a line, lines, and the side up to which small ones are enlarged."""


def write_folder(folder: Path, made: ImageSet, network: Pretrained, seed: int, slice_mm: float) -> None:
    """Write images/, masks/, images.csv and DATASHEET.md.

    Args:
        made: what `Pretrained.sample` gave for this seed; slice_mm: thickness that a flat image states.
    """
    mask_name, mask_values = MASKS[network.target]
    spacing = (slice_mm, made.mm_per_px, made.mm_per_px)
    names = []
    for name, image, mask in zip(made.table["id"], made.images, made.masks, strict=True):
        names.append((f"images/{name}{MARK}.nii.gz", f"masks/{name}_{mask_name}{MARK}.nii.gz"))
        for file, pixels in zip(names[-1], (image, mask), strict=True):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            volume.write(folder / file, volume.Volume(pixels[None], spacing))
    write_csv(folder / "images.csv", _rows(made, seed, [a for a, _ in names]).assign(mask=[b for _, b in names]))
    more = {
        "what": WHAT[network.target],
        "empty": int((~made.masks.any((1, 2))).sum()),
        "mask_values": mask_values,
        "card": network.card,
    }
    _write_datasheet(folder, "DATASHEET.md.j2", made, network, seed, more)


def write_beside_pictures(
    folder: Path, made: ImageSet, files: Sequence[str], names: Sequence[str], network: Pretrained, seed: int
) -> None:
    """Write images.csv, contact.png and DATASHEET.md of pictures whose files lie in the folder already.

    Args:
        made: what `Pretrained.sample` gave for this seed; files: of each picture, in images/.
        names: of the classes, in order; empty where none were told.
    """
    rows = _rows(made, seed, [f"images/{file}" for file in files])
    write_csv(folder / "images.csv", rows)
    levels = tuple(network.recipe["grid"]["levels"])
    label = rows["label"].to_numpy() if names else np.full(len(rows), "")
    groups = {name: made.images[label == name] for name in names or [""]}
    write_bytes(folder / "contact.png", contact_sheet(groups, levels))
    counts = {name: len(images) for name, images in groups.items() if name}
    _write_datasheet(
        folder, "PICTURES.md.j2", made, network, seed, {"grid": in_words(network.recipe["grid"]), "counts": counts}
    )


def contact_sheet(groups: dict[str, np.ndarray], levels: tuple[int, int]) -> bytes:
    """PNG bytes with the first pictures of every group that has any, under its name.

    Args:
        groups: [n, h, w] or, in colour, [n, h, w, 3] of each, in grey levels.
    """
    rows = []
    for name, images in groups.items():
        shown = images[: COLUMNS * LINES]
        tiles = [picture.enlarged(one, levels, len(one) * max(1, TILE_PX // len(one)), smooth=False) for one in shown]
        if tiles:
            rows.append(picture.Row(name or "pictures", f"the first {len(tiles)} of {len(images)}", tiles))
    return picture.sheet(rows, COLUMNS)


def _rows(made: ImageSet, seed: int, files: Sequence[str]) -> pd.DataFrame:
    rows = made.table.drop(columns=["patient", "scan"])
    return rows.assign(seed=seed, index=np.arange(len(made)), file=list(files))


def _write_datasheet(
    folder: Path, name: str, made: ImageSet, network: Pretrained, seed: int, more: dict[str, Any]
) -> None:
    """DATASHEET.md from a template of this room, with what every one says and `more`."""
    page = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True, trim_blocks=True
    )
    template = (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
    learnt = learnt_from(network.recipe, "pictures" if network.target == "pictures" else "images")
    facts = {"name": network.name, "recipe": network.recipe, "count": len(made), "seed": seed, "version": __version__}
    write_text(folder / "DATASHEET.md", page.from_string(template).render(**facts, learnt_from=learnt, **more))
