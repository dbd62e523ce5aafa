"""Shards: three files that come back, and that are streamed and not loaded."""

import numpy as np
import pandas as pd
import pytest

from lungsynth.sets import shard
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import rng as named_rng


def make(n=5):
    rng = np.random.default_rng(n)
    images = rng.integers(-1000, 400, (n, 16, 12)).astype(np.int16)
    masks = (images > 0).astype(np.uint8) * 2
    return images, masks, pd.DataFrame({"composite": np.arange(n), "seed": rng.integers(0, 2**62, n)})


def test_a_shard_comes_back_and_its_arrays_stay_on_disk(tmp_path):
    images, masks, rows = make()
    shard.write(tmp_path / "3", images, masks, rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3.npy", "3.parquet", "3_masks.npy"]
    back = shard.read(tmp_path / "3")
    assert isinstance(back[0], np.memmap)
    assert not back[0].flags.writeable
    np.testing.assert_array_equal(back[0], images)
    np.testing.assert_array_equal(back[1], masks)
    assert (back[0].dtype, back[1].dtype) == (np.int16, np.uint8)
    pd.testing.assert_frame_equal(back[2], rows)
    assert not isinstance(shard.read(tmp_path / "3", mmap=False)[0], np.memmap)


def test_two_writes_give_equal_bytes(tmp_path):
    for folder in ("a", "b"):
        shard.write(tmp_path / folder / "0", *make())
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_dot_in_the_stem_is_no_suffix(tmp_path):
    assert {path.name for path in shard.files(tmp_path / "v1.2").values()} == {
        "v1.2.npy",
        "v1.2_masks.npy",
        "v1.2.parquet",
    }


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("keep", [0, 40, -8])
def test_a_truncated_shard_is_one_line(tmp_path, mmap, keep):
    shard.write(tmp_path / "0", *make())
    data = (tmp_path / "0.npy").read_bytes()
    (tmp_path / "0.npy").write_bytes(data[:keep])
    with pytest.raises(DataError, match=r"0\.npy"):
        shard.read(tmp_path / "0", mmap)


def test_nothing_pickled_is_opened(tmp_path):
    shard.write(tmp_path / "0", *make())
    np.save(tmp_path / "0.npy", np.array([{}], object))
    with pytest.raises(DataError, match=r"0\.npy"):
        shard.read(tmp_path / "0")


def test_a_sample_reads_some_images_of_all_shards_and_pairs_stages(tmp_path):
    first, second = tmp_path / "0.npy", tmp_path / "1.npy"
    shard.save(first, np.arange(5, dtype=np.int16)[:, None, None])
    shard.save(second, np.arange(5, 12, dtype=np.int16)[:, None, None])
    few, again = (shard.sample([first, second], 6, named_rng(1, "x"))[:, 0, 0].tolist() for _ in range(2))
    assert few == again == sorted(few) and len(set(few)) == 6 and max(few) > 4
    assert shard.sample([first, second], 12, named_rng(1, "x"))[:, 0, 0].tolist() == list(range(12))
    assert shard.sample_places([5, 7], 6, named_rng(1, "x")) == [(k >= 5, k - 5 * (k >= 5)) for k in few]
