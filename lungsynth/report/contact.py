"""Contact sheets: rows of slices, pairs before and after refinement, and the story as one PNG for the README."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lungsynth.ct import picture
from lungsynth.ct.picture import enlarged
from lungsynth.report.data import Pictures
from lungsynth.report.figures import (
    LUNG_WINDOW,
    View,
    change_view,
    free_corner,
    inset_of,
    picture_sheet,
    slice_view,
    tile_view,
    zoom_box,
)

ROWS = {
    "real": ("Real", "slices of test patients, with their marked nodules"),
    "normal": ("Generated", "normal lungs from the generator, before any nodule"),
    "composite": ("Composite", "nodules laid on lungs at true size"),
    "refined": ("Refined", "the same composites, made to look like real slices"),
}


@dataclass(frozen=True)
class Row:
    """A row of the contact sheet: its set's name (also its colour), title, sentence, count and views."""

    name: str
    title: str
    words: str
    total: int
    views: list[View]


@dataclass(frozen=True)
class Pair:
    """A composite before and after refinement, what changed, and its largest lesion enlarged, before and after."""

    before: View
    after: View
    change: View
    zooms: list[View]


def contact_rows(sheet: dict[str, Pictures], count: int = 5) -> list[Row]:
    """The sheet's rows in the order in which data flow; sets that are missing are left out."""
    rows = []
    for name, (title, words) in ROWS.items():
        if name not in sheet or not len(sheet[name].images):
            continue
        pictures = sheet[name]
        views = [_view(pictures, index, title) for index in range(min(count, len(pictures.images)))]
        rows.append(Row(name, title, words, pictures.total or len(pictures.images), views))
    return rows


def _view(pictures: Pictures, index: int, title: str, size: int = 360, zoom: bool = True) -> View:
    mask = None if pictures.masks is None else np.asarray(pictures.masks[index])
    lesions = 0 if mask is None else len(np.unique(mask[mask > 0]))
    alt = f"{title} chest CT slice {index + 1}, {lesions} lesion{'' if lesions == 1 else 's'}"
    caption = pictures.captions[index] if index < len(pictures.captions) else ""
    return slice_view(np.asarray(pictures.images[index]), pictures.mm_per_px, alt, mask, caption, size, zoom)


def pairs(sheet: dict[str, Pictures], count: int = 4) -> list[Pair]:
    """Composite and refined image of the same items, with a map of the change; [] where one of them is missing."""
    if "composite" not in sheet or "refined" not in sheet:
        return []
    before, after = sheet["composite"], sheet["refined"]
    number = min(count, len(before.images), len(after.images))
    return [_pair(before, after, index) for index in range(number)]


def _pair(before: Pictures, after: Pictures, index: int) -> Pair:
    images = [np.asarray(side.images[index]) for side in (before, after)]
    change = change_view(*images, before.mm_per_px, f"Change by refinement in slice {index + 1}")
    zooms = []
    if before.masks is not None and np.any(before.masks[index]):
        for image, word in zip(images, ("composite", "refined"), strict=True):
            zooms.append(inset_of(image, np.asarray(before.masks[index]), before.mm_per_px, word, 300)[0])
    views = (_view(side, index, word, 480, False) for side, word in ((before, "Composite"), (after, "Refined")))
    return Pair(*views, change, zooms)


def empty_border(sets: list[Pictures]) -> int:
    """Width in px of the border that no lesion of any set reaches (2 px kept), so that sheets show nodules large."""
    masks = [np.asarray(one.masks) for one in sets if one.masks is not None and len(one.images)]
    if len(masks) < len(sets) or not masks or len({mask.shape[1:] for mask in masks}) > 1:
        return 0
    used = np.any([mask.any(0) for mask in masks], axis=0)
    if not used.any():
        return 0
    rows, columns = np.nonzero(used)
    height, width = used.shape
    return max(0, int(min(rows.min(), columns.min(), height - 1 - rows.max(), width - 1 - columns.max())) - 2)


def nodule_sheet(pictures: Pictures, title: str, columns: int = 8, rows: int = 5, border: int = 0) -> View:
    """Small images as one picture of at most `columns` x `rows`, each without its outer `border` px.

    Images of unsigned numbers are grey levels or colours, and shown as they are.
    """
    count = min(len(pictures.images), columns * rows)
    height, width = pictures.images.shape[1:3]
    if pictures.images.dtype.kind == "u":
        return picture_sheet(np.asarray(pictures.images)[:count], columns, f"{count} {title}")
    inner = np.s_[:count, border : height - border, border : width - border]
    masks = None if pictures.masks is None else np.asarray(pictures.masks)[inner]
    return tile_view(np.asarray(pictures.images)[inner], masks, pictures.mm_per_px, columns, f"{count} {title}")


def _tile(image: np.ndarray, mask: np.ndarray | None, mm_per_px: float, side: int) -> Image.Image:
    """One slice of `side` px with a scale bar, and its largest lesion framed and enlarged in a free corner."""
    tile = enlarged(image, LUNG_WINDOW, side)
    draw, white = ImageDraw.Draw(tile), (235, 235, 235)
    bar, y = round(50 / mm_per_px * side / image.shape[1]), side - 10
    draw.line([(10, y), (10 + bar, y)], fill=white, width=2)
    draw.text((10, y - 17), "50 mm", fill=white, font=ImageFont.load_default(12))
    if mask is None or not mask.any():
        return tile
    row, column, size = zoom_box(mask, mm_per_px)
    scale, zoom = side / image.shape[1], round(0.36 * side)
    corner = free_corner(row + size / 2, column + size / 2, image.shape)
    left, top = (side - zoom if at else 0 for at in (corner[1] == "r", corner[0] == "b"))
    tile.paste(enlarged(image[row : row + size, column : column + size], LUNG_WINDOW, zoom), (left, top))
    for x, y, width in ((left, top, zoom - 1), (column * scale, row * scale, size * scale)):
        draw.rectangle([x, y, x + width, y + width], outline=(255, 196, 84))
    return tile


def story_sheet(sheet: dict[str, Pictures], columns: int = 4, side: int = 300) -> bytes:
    """The story in one PNG: a row each of real, generated, composite and refined slices, lesions enlarged, 50 mm bars.

    The same images give the same bytes.
    """
    rows = []
    for name, (title, words) in ROWS.items():
        shown = sheet.get(name)
        if shown is None or not len(shown.images):
            continue
        masks = [None] * columns if shown.masks is None else shown.masks
        pairs = list(zip(shown.images, masks, strict=False))[:columns]
        tiles = [_tile(np.asarray(image), mask, shown.mm_per_px, side) for image, mask in pairs]
        rows.append(picture.Row(title, words, tiles))
    return picture.sheet(rows, columns)
