"""Pictures as data addresses of one length: neither size nor format tells one from another."""

import base64
import io

import numpy as np
from PIL import Image


def encode(picture: np.ndarray) -> str:
    """A uint8 picture [h, w] or [h, w, 3] as a PNG in a data address.

    Pixels are stored and not compressed: what compresses well would be known by its length, and generated pictures,
    which are smoother, do. No text, time or colour profile is in the file.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="PNG", compress_level=0)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
