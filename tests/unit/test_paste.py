"""Nodules pasted into other places: seen, marked, apart from the scan's own, and the same for the same stream."""

from dataclasses import replace

import numpy as np
import pytest

from lungsynth.ct.volume import Volume
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.training import paste, windows


@pytest.fixture
def scan():
    """Two lungs in tissue, a vessel along z, and a ball of 8 mm in one of them."""
    z, y, x = (
        (np.arange(n) * step).reshape([-1 if axis == k else 1 for k in range(3)])
        for axis, (n, step) in enumerate(((24, 2.5), (96, 1.4), (128, 1.4)))
    )
    hu, lungs = np.full((24, 96, 128), 40, np.int16), np.zeros((24, 96, 128), np.uint8)
    lungs[2:22, 16:80, 8:56], lungs[2:22, 16:80, 72:120] = 1, 2
    hu[lungs > 0] = -850
    hu[2:22, 40:44, 16:20] = 40
    ball = (z - 30) ** 2 + (y - 67) ** 2 + (x - 134) ** 2 < 4.0**2
    hu[ball] = -20
    return Scan("s1", "p1", Volume(hu, (2.5, 1.4, 1.4)), ball.astype(np.uint8), lungs)


def test_pasted_nodules_lie_in_the_lungs_away_from_the_scan_s_own_and_are_marked(scan):
    pieces = paste.pieces_of(scan)
    more = paste.pasted(scan, pieces, 4, np.random.default_rng(0))
    assert 1 <= more.nodules.max() <= 4
    new = more.nodules > 0
    assert (scan.lungs[new] > 0).all()
    assert not (new & (scan.nodules > 0)).any()
    assert np.median((more.volume.hu.astype(int) - scan.volume.hu)[new]) > paste.SEEN_HU
    assert (more.volume.hu >= scan.volume.hu).all()
    centres, labels = windows.nodule_centres(more.nodules)
    assert set(labels) == set(range(1, more.nodules.max() + 1))
    own, _ = windows.nodule_centres(scan.nodules)
    gap = np.linalg.norm((centres[:, None] - own[None]) * np.array([2.5, 1.4, 1.4]), axis=2)
    assert gap.min() > 5


def test_the_scan_itself_is_not_changed_and_the_same_stream_gives_the_same_scan(scan):
    before = scan.volume.hu.copy()
    pieces = paste.pieces_of(scan)
    one, two = (paste.pasted(scan, pieces, 3, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(scan.volume.hu, before)
    np.testing.assert_array_equal(one.volume.hu, two.volume.hu)
    np.testing.assert_array_equal(one.nodules, two.nodules)


def test_in_tissue_nobody_sees_a_nodule_and_none_is_laid(scan):
    full = replace(scan, volume=replace(scan.volume, hu=np.full_like(scan.volume.hu, 40)))
    more = paste.pasted(full, paste.pieces_of(scan), 4, np.random.default_rng(0))
    assert not more.nodules.any()
    np.testing.assert_array_equal(more.volume.hu, full.volume.hu)


def test_a_varied_piece_keeps_its_size_in_mm_within_the_factor(scan):
    (piece,) = paste.pieces_of(scan)
    volume = piece.mask.sum() * np.prod(piece.spacing_mm)
    for seed in range(8):
        _, mask = paste.varied(piece, (1.25, 0.7, 0.7), np.random.default_rng(seed))
        share = mask.sum() * 1.25 * 0.7 * 0.7 / volume
        assert 0.75 * paste.SCALE[0] ** 3 < share < 1.25 * paste.SCALE[1] ** 3


def test_a_nodule_at_the_volume_s_edge_is_no_piece(scan):
    nodules = np.zeros_like(scan.nodules)
    nodules[:2, 30:34, 20:24] = 1
    assert paste.pieces_of(replace(scan, nodules=nodules)) == []
