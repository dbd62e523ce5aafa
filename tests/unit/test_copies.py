"""A picture under several names, also encoded again or resized, is found while listing and never has two roles."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage as ndi

from lungsynth.cohort.base import ROLES
from lungsynth.cohort.conclude import conclude
from lungsynth.cohort.copies import copies, thumbnail
from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.cohort.names import Names
from lungsynth.cohort.prepare import prepare_batch
from lungsynth.cohort.qc import qc_page
from lungsynth.cohort.split import Claim, assign
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

HALVES = Split(fit=1, tune=0, domain=0, test=1)


def scene(seed, size=160):
    """A picture with large and small shapes, as a photograph has."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    smooth = sum(ndi.gaussian_filter(noise, sigma) * sigma for sigma in (4, 12, 30))
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def encoded(array, quality=40, factor=1.0):
    image, file = Image.fromarray(array), io.BytesIO()
    image = image.resize([round(side * factor) for side in image.size], Image.Resampling.BICUBIC)
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def lists(root, *sources, split=HALVES):
    sources = [{"reader": "images", "size_px": 64, **source} for source in sources]
    readers = [open_reader(source, root) for source in sources]
    return list_scans(readers, sources, split, 1, 1)[0], readers


@pytest.mark.parametrize(
    "changed",
    [
        lambda a: np.asarray(Image.open(io.BytesIO(encoded(a, 20)))),
        lambda a: np.asarray(Image.open(io.BytesIO(encoded(a, 75, 0.4)))),
        lambda a: np.asarray(Image.fromarray(a).resize((300, 220))),
        lambda a: a.astype(np.float32) * 257,
        lambda a: np.clip(a * 0.7 + 30, 0, 255),
    ],
)
def test_a_changed_picture_is_a_copy_and_another_one_is_not(changed):
    looks = {f"p{seed}": thumbnail(scene(seed)) for seed in range(30)}
    assert copies(looks) == {}
    assert copies({**looks, "q7": thumbnail(changed(scene(7)))}) == {"q7": "p7"}


def test_empty_pictures_are_copies_of_nothing():
    assert copies({"a": thumbnail(np.zeros((40, 50))), "b": thumbnail(np.full((9, 7), 255))}) == {}
    assert copies({}) == {}


def test_copies_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr("lungsynth.cohort.copies.BLOCK", 7)
    looks = {f"p{seed:02}": thumbnail(scene(seed % 25)) for seed in range(50)}
    assert copies(looks) == {f"p{seed:02}": f"p{seed - 25:02}" for seed in range(25, 50)}


@given(
    groups=st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=2, max_size=3), max_size=4), seed=st.integers(0, 9)
)
def test_patients_with_one_picture_have_one_role(groups, seed):
    found = [Claim(name, None, ROLES, "a") for name in "abcdefghijkl"]
    roles = assign(found, HALVES, seed, groups)
    assert sorted(roles) == list("abcdefghijkl")
    assert all(len({roles[name] for name in group}) == 1 for group in groups)
    assert set(roles.values()) == {"fit", "test"}


def test_copies_share_a_role_and_the_page_says_so(tmp_path):
    for seed in range(8):
        save(tmp_path / "p" / "a" / f"{seed}.png", encoded(scene(seed), 95))
        save(tmp_path / "p" / "b" / f"{seed}.jpg", encoded(scene(seed), 30, 0.5))
    save(tmp_path / "p" / "b" / "same.jpg", encoded(scene(0), 30, 0.5))
    listed, readers = lists(tmp_path, {"path": "p"})
    names = Names(tmp_path / "p").by_token
    assert set(listed.role) == {"fit", "test"}
    groups = listed.assign(number=[names[files[2:-2]].stem for files in listed.files])
    groups["number"] = groups.number.replace("same", "0")
    assert (groups.groupby("number").role.nunique() == 1).all()
    prepare_batch(listed.to_dict("records"), readers, tmp_path / "out")
    made = conclude(listed, listed[:0][["source"]].assign(file="", reason=""), [tmp_path / "out"], HALVES, 1, "report")
    assert made.quarantine.reason.str.fullmatch(r"the same image as scan P-\w+-\w+").tolist() == [True]
    assert (made.every.copy_of != "").sum() == 9
    page = qc_page(made.every, {})
    assert page.count("<dt>copy of</dt>") == 9
    assert page.count("<dt>class</dt>") == 17


def test_copies_in_folders_of_fixed_roles_are_all_named_at_once(tmp_path):
    for seed in range(4):
        save(tmp_path / "train" / "a" / f"Jane {seed}.png", encoded(scene(seed)))
    for seed in (1, 3, 9):
        save(tmp_path / "held" / "b" / f"Doe {seed}.jpg", encoded(scene(seed), 60, 0.7))
    with pytest.raises(DataError, match="2 images are there more than once, in different roles") as told:
        lists(tmp_path, {"path": "train", "role": "fit"}, {"path": "held", "role": "test"})
    text = str(told.value)
    assert "\n" not in text
    assert not [name for name in ("Jane", "Doe") if name in text]
    names = Names(tmp_path / "train").by_token | Names(tmp_path / "held").by_token
    assert {path.name for token, path in names.items() if token in text} == {
        "Jane 1.png", "Jane 3.png", "Doe 1.jpg", "Doe 3.jpg",
    }  # fmt: skip
