"""A folder of images drawn from a released generator: files, a table, a datasheet."""

from pathlib import Path

import jinja2
import numpy as np

from lungsynth import __version__
from lungsynth.ct import volume
from lungsynth.ct.files import write_text
from lungsynth.generate.pretrained import Pretrained
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.tables import write_csv

MARK = "_synthetic"
MASKS = {"normals": ("lungs", "1 the right lung, 2 the left"), "nodules": ("nodule", "1 the nodule")}
WHAT = {"normals": "slices of the chest", "nodules": "nodules"}


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
    rows = made.table.drop(columns=["patient", "scan"]).assign(seed=seed, index=np.arange(len(made)))
    write_csv(folder / "images.csv", rows.assign(file=[a for a, _ in names], mask=[b for _, b in names]))
    page = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)
    template = (Path(__file__).parent / "templates" / "DATASHEET.md.j2").read_text(encoding="utf-8")
    facts = {
        "name": network.name,
        "recipe": network.recipe,
        "what": WHAT[network.target],
        "count": len(made),
        "empty": int((~made.masks.any((1, 2))).sum()),
        "mask_values": mask_values,
        "seed": seed,
        "version": __version__,
        "card": f"models/{network.name}/CARD.md",
    }
    write_text(folder / "DATASHEET.md", page.from_string(template).render(**facts))
