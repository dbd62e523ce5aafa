"""CT images as pictures for a page: window, outlines, scale bars, insets, change maps."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lungsynth.ct.picture import outline
from lungsynth.ct.window import to_grey

LUNG_WINDOW = (-1350.0, 150.0)
NODULE_WINDOW = (-900.0, 200.0)


def encode(grey: np.ndarray, size: int | None = None, quality: int = 90) -> str:
    """A uint8 picture [h, w] or [h, w, 3] as a data address (WebP); the longer side becomes `size` px where given."""
    picture = Image.fromarray(np.ascontiguousarray(grey))
    if size and max(picture.size) != size:
        scale = size / max(picture.size)
        wanted = tuple(max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize(wanted, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def outlines(mask: np.ndarray, left: float = 0.0, top: float = 0.0) -> str:
    """The outlines of a mask's lesions as one SVG path, in px of the mask moved by (left, top)."""
    parts = []
    for label in np.unique(mask[mask > 0]):
        for line in outline(mask == label):
            points = [f"{x + left:.2f},{y + top:.2f}" for x, y in line[:-1]]
            parts.append(f"M{'L'.join(points)}Z")
    return "".join(parts)


def scale_bar(width_px: int, height_px: int, mm_per_px: float, length_mm: float, text_px: float) -> str:
    """A bar of `length_mm` with its length in words, in the lower left corner, for an overlay in image px."""
    length, x, y = length_mm / mm_per_px, 0.04 * width_px, 0.955 * height_px
    tick = 0.012 * height_px
    return (
        f'<path class="scale" d="M{x:.2f},{y - tick:.2f}V{y:.2f}H{x + length:.2f}V{y - tick:.2f}"/>'
        f'<text class="scale-text" x="{x:.2f}" y="{y - 1.7 * tick:.2f}" font-size="{text_px:.2f}">'
        f"{length_mm:g} mm</text>"
    )


@dataclass(frozen=True)
class View:
    """One picture on the page: pixels, overlay and words.

    Attributes:
        src: data address; overlay: SVG marks in image px; width, height: of the image in px.
        path: outlines of the lesions, "" for none.
        alt, caption: words.
        inset: a second view, a zoom on the largest lesion, and the corner where it lies ("br", "tr", "tl").
        box: the inset's square in image px (x, y, side).
    """

    src: str
    width: int
    height: int
    overlay: str
    path: str
    alt: str
    caption: str = ""
    inset: "View | None" = None
    corner: str = ""
    box: tuple[float, float, float] | None = None


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, counts = np.unique(mask[mask > 0], return_counts=True)
    return mask == labels[counts.argmax()]


def zoom_box(mask: np.ndarray, mm_per_px: float, least_mm: float = 36.0) -> tuple[int, int, int]:
    """(row, column, side) of a square in the image round the largest lesion: 2.2 lesions wide, at least `least_mm`."""
    height, width = mask.shape
    rows, columns = np.nonzero(_largest(mask))
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    side = int(min(max(2.2 * extent, least_mm / mm_per_px), height, width))
    row, column = (round((int(axis.min()) + int(axis.max()) + 1) / 2 - side / 2) for axis in (rows, columns))
    return min(max(row, 0), height - side), min(max(column, 0), width - side), side


def inset_of(
    image: np.ndarray, mask: np.ndarray, mm_per_px: float, alt: str, size: int = 180
) -> tuple[View, str, tuple]:
    """A zoom on the largest lesion, the corner of the picture where it is out of the way, and its square."""
    row, column, side = zoom_box(mask, mm_per_px)
    part = np.s_[row : row + side, column : column + side]
    bar = scale_bar(side, side, mm_per_px, 10, (0.11 if size < 240 else 0.06) * side)
    grey = to_grey(image[part], LUNG_WINDOW)
    view = View(encode(grey, size), side, side, bar, outlines(mask[part]), f"{alt}, the largest lesion enlarged")
    return view, free_corner(row + side / 2, column + side / 2, image.shape), (column, row, side)


def free_corner(row: float, column: float, shape: tuple[int, int]) -> str:
    """Where an inset hides neither the lesion at (row, column) nor the scale bar: "br", "tr" or "tl"."""
    if row < shape[0] / 2:
        return "br"
    return "tr" if column < shape[1] / 2 else "tl"


def slice_view(
    image: np.ndarray,
    mm_per_px: float,
    alt: str,
    mask: np.ndarray | None = None,
    caption: str = "",
    size: int = 360,
    zoom: bool = True,
) -> View:
    """A slice in the lung window (width 1500, level -600): outlines, a 50 mm bar, an inset where it has a lesion."""
    height, width = image.shape
    bar = scale_bar(width, height, mm_per_px, 50, (0.05 if size < 400 else 0.03) * height)
    path = outlines(mask) if mask is not None else ""
    view = View(encode(to_grey(image, LUNG_WINDOW), size), width, height, bar, path, alt, caption)
    if not (path and zoom):
        return view
    inset, corner, box = inset_of(image, mask, mm_per_px, alt)
    return View(view.src, width, height, bar, path, alt, caption, inset, corner, box)


def change_view(
    before: np.ndarray, after: np.ndarray, mm_per_px: float, alt: str, size: int = 480, limit: float = 150
) -> View:
    """What changed between two slices: darker blue, brighter orange, nothing black; full colour at `limit` HU."""
    change = np.clip((after.astype(np.float32) - before.astype(np.float32)) / limit, -1, 1)
    up, down = np.maximum(change, 0)[..., None], np.maximum(-change, 0)[..., None]
    colour = up * np.array([255, 170, 70]) + down * np.array([70, 160, 255])
    height, width = before.shape
    bar = scale_bar(width, height, mm_per_px, 50, 0.03 * height)
    return View(encode(colour.astype(np.uint8), size), width, height, bar, "", alt)


def picture_sheet(images: np.ndarray, columns: int, alt: str, wanted_px: int = 96) -> View:
    """Pictures in grey levels as one, rows of `columns` with a pixel of black between them.

    Args:
        images: uint8 [n, h, w] or [n, h, w, 3], or uint16 [n, h, w], of which the upper 8 bits are shown.
        wanted_px: side that each should have on the page; small ones are enlarged.
    """
    images = (images >> 8).astype(np.uint8) if images.dtype == np.uint16 else images
    n, height, width = images.shape[:3]
    rows = -(-n // columns)
    shape = rows * (height + 1) - 1, columns * (width + 1) - 1, *images.shape[3:]
    sheet = np.zeros(shape, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + 1), (index % columns) * (width + 1)
        sheet[top : top + height, left : left + width] = image
    src = encode(sheet, min(1600, max(shape[:2]) * max(1, wanted_px // max(height, width))), quality=88)
    return View(src, shape[1], shape[0], "", "", alt)


def tile_view(images: np.ndarray, masks: np.ndarray | None, mm_per_px: float, columns: int, alt: str) -> View:
    """Images as one picture: rows of `columns`, a pixel of black between them, outlines and a scale bar on it.

    Images up to 64 px are nodules, in a window of -900 to 200 HU with a bar of 10 mm; larger ones are slices.
    """
    n, height, width = images.shape
    small = max(height, width) <= 64
    rows = -(-n // columns)
    sheet = np.zeros((rows * (height + 1) - 1, columns * (width + 1) - 1), np.uint8)
    path = []
    for index in range(n):
        top, left = (index // columns) * (height + 1), (index % columns) * (width + 1)
        sheet[top : top + height, left : left + width] = to_grey(images[index], NODULE_WINDOW if small else LUNG_WINDOW)
        path.append("" if masks is None else outlines(masks[index], left, top))
    bar = scale_bar(width, height, mm_per_px, 10 if small else 50, (0.16 if small else 0.07) * height)
    src = encode(sheet, min(1200, 3 * max(sheet.shape)), quality=88)
    return View(src, sheet.shape[1], sheet.shape[0], bar, "".join(path), alt)
