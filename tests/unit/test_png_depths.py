"""A PNG is read with all its bits or not at all, and transparency is one thing however a file says it."""

import struct
import zlib

import numpy as np
import pytest

from lungsynth.cohort.images.pictures import read_picture
from lungsynth.study.errors import DataError

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
LEVELS = np.random.default_rng(0).integers(0, 65536, (24, 32))
FULL = np.full((24, 32), 65535)


def png(path, rows, colours, bits, **chunks):
    """A PNG written byte by byte: rows [h, w, channels]; chunks stand before the pixels."""
    values = np.asarray(rows).reshape(len(rows), -1)
    if bits < 8:
        lines = [np.packbits(np.unpackbits(v.astype("u1")[:, None], axis=1)[:, -bits:]).tobytes() for v in values]
    else:
        lines = [v.astype(">u2" if bits == 16 else "u1").tobytes() for v in values]

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], bits, colours, 0, 0, 0)
    parts = {"IHDR": head, **chunks, "IDAT": zlib.compress(b"".join(b"\0" + line for line in lines)), "IEND": b""}
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name.encode(), body) for name, body in parts.items()))
    return path


def test_grey_of_sixteen_bits_is_exact(tmp_path):
    picture = read_picture(png(tmp_path / "a.png", LEVELS[..., None], GREY, 16))
    assert picture.bits == 16
    assert np.array_equal(picture.values, LEVELS)


@pytest.mark.parametrize(
    ("planes", "colours"),
    [
        ([LEVELS] * 3, RGB),
        ([LEVELS, LEVELS, LEVELS // 256 * 256], RGB),
        ([LEVELS, FULL], GREY_ALPHA),
        ([LEVELS] * 3 + [FULL], RGB_ALPHA),
    ],
)
def test_several_channels_of_sixteen_bits_are_not_read_with_eight(tmp_path, planes, colours):
    path = png(tmp_path / "a.png", np.stack(planes, 2), colours, 16)
    with pytest.raises(DataError, match=r"a\.png: has several channels of 16 bits"):
        read_picture(path)


EIGHT = LEVELS // 256


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("shown", [True, False])
def test_a_transparent_level_of_a_grey_picture_is_transparency_where_a_pixel_has_it(tmp_path, bits, shown):
    top = 2**bits - 1
    values = np.where(LEVELS % 2, top, 0 if shown else top)
    path = png(tmp_path / "a.png", values[..., None], GREY, bits, tRNS=struct.pack(">H", 0))
    if shown:
        with pytest.raises(DataError, match=r"a\.png: is transparent in places"):
            read_picture(path)
    else:
        picture = read_picture(path)
        assert (picture.values == (65535 if bits == 16 else 255)).all()


@pytest.mark.parametrize("shown", [True, False])
def test_a_transparent_colour_is_transparency_where_a_pixel_has_it(tmp_path, shown):
    key = int(EIGHT[0, 0]) if shown else 256 - 1 - int(EIGHT.max() == 255) * 0
    values = np.minimum(EIGHT, 254)
    path = png(tmp_path / "a.png", np.stack([values] * 3, 2), RGB, 8, tRNS=struct.pack(">3H", *[min(key, 255)] * 3))
    if shown:
        with pytest.raises(DataError, match="is transparent in places"):
            read_picture(path)
    else:
        assert np.array_equal(read_picture(path).values, values)


@pytest.mark.parametrize("shown", [True, False])
def test_a_transparent_entry_of_a_palette_is_transparency_where_a_pixel_has_it(tmp_path, shown):
    entries = np.repeat(np.arange(256, dtype="u1")[:, None], 3, 1).tobytes()
    values = EIGHT.copy()
    if not shown:
        values[values == 7] = 8
    path = png(tmp_path / "a.png", values[..., None], PALETTE, 8, PLTE=entries, tRNS=bytes([255] * 7 + [0]))
    if shown:
        values[0, 0] = 7
        path = png(tmp_path / "a.png", values[..., None], PALETTE, 8, PLTE=entries, tRNS=bytes([255] * 7 + [0]))
        with pytest.raises(DataError, match="is transparent in places"):
            read_picture(path)
    else:
        assert np.array_equal(read_picture(path).values, values)


def test_full_alpha_of_eight_bits_is_no_transparency(tmp_path):
    rows = np.stack([EIGHT, np.full_like(EIGHT, 255)], 2)
    assert np.array_equal(read_picture(png(tmp_path / "a.png", rows, GREY_ALPHA, 8)).values, EIGHT)
    rows[3, 3, 1] = 254
    with pytest.raises(DataError, match="is transparent in places"):
        read_picture(png(tmp_path / "a.png", rows, GREY_ALPHA, 8))
