"""Where a NIfTI file lies is one rule: the sform where its code is above 0, else the qform; sizes must agree."""

import gzip
import itertools
import struct

import numpy as np
import pytest

from lungsynth.cohort.listing import open_reader
from lungsynth.ct.volume import upright
from lungsynth.study.errors import DataError

SHAPE = (11, 20, 24)
HU = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype("<i2")
SFORM = [[-2.5, 0, 0, 30.0], [0, -2.5, 0, 25.0], [0, 0, 5.0, -50.0]]
"""RAS, of an upright array whose first voxel lies at -30, -25, -50 in LPS."""
QFORM = (0, 0, 1.0, 30.0, 25.0, -50.0)
MIRROR = (1.0, 0, 0, -27.5, 25.0, -50.0)


def write(
    path, sform=SFORM, sform_code=0, qform=QFORM, qform_code=0, qfac=1.0, units=2, size=SHAPE, more=b"", offset=352
):
    """A file of HU; `more` follows the pixels."""
    head = bytearray(352)

    def put(form, at, *values):
        struct.pack_into("<" + form, head, at, *values)

    put("i", 0, 348)
    put("8h", 40, 3, *size[::-1], 1, 1, 1, 1)
    put("2h", 70, 4, 16)
    put("8f", 76, qfac, 2.5, 2.5, 5.0, 1, 1, 1, 1)
    put("3f", 108, offset, 1.0, 0.0)
    head[123] = units
    put("2h", 252, qform_code, sform_code)
    put("6f", 256, *qform)
    put("12f", 280, *np.ravel(sform))
    head[344:348] = b"n+1\0"
    raw = bytes(head) + HU.tobytes() + more
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


def read(root, kind="nifti", **own):
    made = open_reader({"reader": kind, "path": root.name, **own}, root.parent)
    (ref,) = made.list()
    return made.read(ref).volume, made.skipped


CODES = list(itertools.product((1, 2, 3, 4, 5, 32767), (0, 1, 2, 3, 4, 5, -1)))


@pytest.mark.parametrize("kind", ["nifti", "scans"])
@pytest.mark.parametrize(("sform_code", "qform_code"), CODES)
def test_the_sides_are_those_of_the_sform_whatever_the_codes(tmp_path, sform_code, qform_code, kind):
    write(tmp_path / "n" / "a.nii", SFORM, sform_code, MIRROR, qform_code, qfac=-1.0)
    volume, skipped = read(tmp_path / "n", kind)
    made = upright(volume)
    assert np.array_equal(made.hu, HU)
    assert made.origin_mm == pytest.approx((-30, -25, -50))
    said = [
        ("a.nii", "is read, but its sform and qform place it differently; the sform is taken, as its code is above 0")
    ]
    assert skipped == (said if qform_code > 0 else [])


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (1, 2), (0, 1), (0, 2), (-1, 1), (2, 0)])
@pytest.mark.parametrize(("units", "scale"), [(2, 1.0), (0, 1.0)])
def test_forms_that_agree_are_read_without_a_word(tmp_path, codes, units, scale):
    write(tmp_path / "n" / "a.nii.gz", sform_code=codes[0], qform_code=codes[1], units=units)
    volume, skipped = read(tmp_path / "n")
    assert np.array_equal(upright(volume).hu, HU)
    assert volume.to_mm([1, 2, 3]) == pytest.approx((-22.5, -20, -45))
    assert skipped == []


@pytest.mark.parametrize("sform_code", [1, 2])
def test_a_shift_between_the_forms_is_told_and_the_sform_taken(tmp_path, sform_code):
    write(tmp_path / "n" / "a.nii", SFORM, sform_code, (*QFORM[:5], 150.0), 1)
    volume, skipped = read(tmp_path / "n")
    assert volume.origin_mm == pytest.approx((-30, -25, -50))
    assert len(skipped) == 1


@pytest.mark.parametrize("codes", [(0, 0), (-1, 0), (0, -1)])
def test_without_a_code_above_zero_sides_are_not_guessed(tmp_path, codes):
    write(tmp_path / "n" / "a.nii", sform_code=codes[0], qform_code=codes[1])
    with pytest.raises(DataError, match="neither sform nor qform"):
        read(tmp_path / "n")
    assert np.array_equal(read(tmp_path / "n", axes="LPS")[0].hu, HU)


ANGLES = [(0, 0, 0, 1), (0.5, 0.5, 0.5, 1), (0, 0.6, 0, -1), (0.1, -0.2, 0.97, 1), (1.2, 0, 0, 1), (0, 0, 1, -1)]


@pytest.mark.parametrize(("b", "c", "d", "qfac"), ANGLES)
def test_a_qform_is_the_rotation_of_its_quaternion(tmp_path, b, c, d, qfac):
    write(tmp_path / "n" / "a.nii", qform=(b, c, d, 0, 0, 0), qform_code=1, qfac=qfac)
    volume, _ = read(tmp_path / "n")
    axis = np.array([b, c, d]) / max(1.0, np.linalg.norm([b, c, d]))
    half = np.arcsin(min(1.0, np.linalg.norm(axis)))
    unit = axis / max(np.linalg.norm(axis), 1e-12)
    cross = np.array([[0, -unit[2], unit[1]], [unit[2], 0, -unit[0]], [-unit[1], unit[0], 0]])
    turn = np.eye(3) + np.sin(2 * half) * cross + (1 - np.cos(2 * half)) * cross @ cross  # Rodrigues
    expected = np.diag([-1, -1, 1]) @ turn @ np.diag([1, 1, qfac])
    assert np.reshape(volume.direction, (3, 3)) == pytest.approx(expected, abs=1e-6)


def test_masks_follow_the_same_rule_as_their_scan(tmp_path):
    write(tmp_path / "n" / "a.nii", SFORM, 2, MIRROR, 1, qfac=-1.0)
    write(tmp_path / "n" / "a_nodules.nii", SFORM, 1, QFORM, 1)
    path = tmp_path / "n" / "a_nodules.nii"
    mask = np.zeros(SHAPE, "<i2")
    mask[3:5, 4:8, 5:9] = 1
    path.write_bytes(path.read_bytes()[:352] + mask.tobytes())
    made = open_reader({"reader": "nifti", "path": "n"}, tmp_path)
    (ref,) = made.list()
    assert np.array_equal(made.read(ref).nodules, mask)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    ("own", "pattern"),
    [
        ({"size": (10, 20, 24)}, "has 10912 bytes where its header has room for 9952; header and pixels are of two"),
        ({"size": (12, 20, 24)}, "truncated, 10912 bytes where its header promises 11872"),
        ({"more": HU.tobytes()}, "has 21472 bytes where its header has room for 10912"),
        ({"more": b"\0"}, "has 10913 bytes where its header has room for 10912"),
        ({"offset": 0.0}, "has 10912 bytes where its header has room for 10908"),
    ],
)
def test_a_header_has_room_for_exactly_its_pixels(tmp_path, name, own, pattern):
    write(tmp_path / "n" / name, sform_code=1, **own)
    with pytest.raises(DataError, match=pattern):
        read(tmp_path / "n")
