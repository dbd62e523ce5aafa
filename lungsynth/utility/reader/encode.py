"""Pictures as data addresses of one length: neither size nor format tells one from another."""

import base64

import numpy as np

from lungsynth.ct.picture import stored_png


def encode(picture: np.ndarray) -> str:
    """A uint8 picture [h, w] or [h, w, 3] as a PNG in a data address.

    Pixels are stored and not compressed: what compresses well would be known by its length, and generated pictures,
    which are smoother, do.
    """
    return "data:image/png;base64," + base64.b64encode(stored_png(picture)).decode()
