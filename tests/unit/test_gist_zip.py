"""GIST's zip: written as dataset_tool.py writes it, read back, and refused in one line where it cannot be trusted."""

import io
import json
import zipfile

import numpy as np
import pytest
from picture_samples import levels
from PIL import Image

from lungsynth.cohort.pictures.listing import list_pictures
from lungsynth.cohort.pictures.squares import read_all
from lungsynth.sets import gist_zip
from lungsynth.sets.gist_zip import GistZip, member, write_gist_zip
from lungsynth.study.errors import DataError
from lungsynth.study.stages.pictures import Pictures

N = 12
LABELS = [0, 1] * (N // 2)


def squares(n=N, size=64, bits=8, channels=1):
    shape = (size, size) if channels == 1 else (size, size, 3)
    return np.stack([levels(shape, bits, seed=k) for k in range(n)])


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


def pack(path, members, labels="as they are", **also):
    """A zip of these members (name -> bytes) and a dataset.json."""
    if labels == "as they are":
        labels = [[name, k % 2] for k, name in enumerate(members)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr("dataset.json", json.dumps({"labels": labels} | also))
    return path


def pictures(n=N, size=64):
    return {member(k): png(image) for k, image in enumerate(squares(n, size))}


def listed(path, **own):
    return list_pictures(path, Pictures(path="p.zip", **own), 1)


def fails(path, pattern, **own):
    with pytest.raises(DataError, match=pattern) as caught:
        listed(path, **own)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_what_is_written_is_what_dataset_tool_writes(tmp_path):
    """Names, order, storing, PNG of level 0 and the JSON, as NVlabs/stylegan3's dataset_tool.py has them."""
    images = squares()
    write_gist_zip(tmp_path / "p.zip", images, LABELS)
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        names = archive.namelist()
        assert names == [f"00000/img{k:08d}.png" for k in range(N)] + ["dataset.json"]
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
        assert json.loads(archive.read("dataset.json")) == {
            "labels": [[f"00000/img{k:08d}.png", k % 2] for k in range(N)]
        }
        opened = [Image.open(archive.open(name)) for name in names[:-1]]
        assert {one.mode for one in opened} == {"L"}
        assert all(np.array_equal(np.asarray(one), image) for one, image in zip(opened, images, strict=True))
        assert archive.getinfo(names[0]).file_size > 64 * 64
    assert member(49_999) == "00049/img00049999.png"


def test_equal_sets_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_gist_zip(tmp_path / name / "p.zip", squares(), LABELS, ["normal", "ill"])
    assert (tmp_path / "a/p.zip").read_bytes() == (tmp_path / "b/p.zip").read_bytes()


@pytest.mark.parametrize(("bits", "channels", "own"), [(8, 1, {}), (16, 1, {"bits": 16}), (8, 3, {"colour": "keep"})])
def test_what_was_written_comes_back(tmp_path, bits, channels, own):
    images = squares(bits=bits, channels=channels)
    write_gist_zip(tmp_path / "p.zip", images, LABELS, ["normal", "ill \n"])
    found = listed(tmp_path / "p.zip", **own)
    assert found.refused.empty
    table = found.table.sort_values("file")
    assert list(table["file"]) == [member(k) for k in range(N)]
    assert list(table["class"]) == ["normal", "ill \\n"] * (N // 2)
    assert np.array_equal(read_all(tmp_path / "p.zip", table, Pictures(**own)), images)
    small = Pictures(size_px=32, **own)
    assert read_all(tmp_path / "p.zip", table, small).shape == (N, 32, 32, 3)[: 3 + (channels == 3)]


def test_labels_without_names_are_classes_by_number(tmp_path):
    write_gist_zip(tmp_path / "p.zip", squares(), LABELS)
    assert set(listed(tmp_path / "p.zip").table["class"]) == {"0", "1"}
    assert set(listed(tmp_path / "p.zip", classes=["1"]).table["class"]) == {"1"}
    fails(tmp_path / "p.zip", "class 2 of pictures.classes has no picture to use", classes=["1", "2"])


def test_without_labels_all_are_one_class(tmp_path):
    write_gist_zip(tmp_path / "p.zip", squares(), None)
    with zipfile.ZipFile(tmp_path / "p.zip") as archive:
        assert json.loads(archive.read("dataset.json")) == {"labels": None}
    assert set(listed(tmp_path / "p.zip").table["class"]) == {"all"}


def test_what_is_no_picture_or_damaged_is_refused_and_the_rest_goes_on(tmp_path):
    members = pictures(14) | {"README.txt": b"x", "00000/.hidden.png": b"x"}
    members[member(3)] = members[member(3)][:200]
    members[member(4)] = png(levels((64, 64), 16))
    labels = [[member(k), k % 2] for k in range(14)]
    found = listed(pack(tmp_path / "p.zip", members, labels))
    assert len(found.table) == 12
    said = dict(zip(found.refused["file"], found.refused["reason"], strict=True))
    assert said["README.txt"] == "is no PNG or JPEG file"
    assert said[member(3)].startswith("cannot be read as a PNG or JPEG (")
    assert said[member(4)].startswith("has grey levels of 16 bits")
    assert len(said) == 3


def test_a_member_whose_bytes_were_changed_is_refused(tmp_path):
    write_gist_zip(tmp_path / "p.zip", squares(), LABELS)
    raw = bytearray((tmp_path / "p.zip").read_bytes())
    raw[3000] ^= 255
    (tmp_path / "p.zip").write_bytes(raw)
    found = listed(tmp_path / "p.zip")
    assert found.refused.to_dict("records") == [
        {"file": member(0), "reason": "cannot be unpacked from the zip (BadZipFile)"}
    ]


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png", "C:/out.png", "..\\out.png"])
def test_a_zip_that_writes_outside_its_folder_is_refused(tmp_path, name):
    fails(pack(tmp_path / "p.zip", pictures() | {name: png(levels())}), "leads out of its folder; such an archive")
    assert [path.name for path in tmp_path.iterdir()] == ["p.zip"]


def test_an_encrypted_member_is_refused(tmp_path):
    path = pack(tmp_path / "p.zip", pictures())
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
    path.write_bytes(raw)
    fails(path, "is encrypted; save it without a password")


def test_bombs_are_refused_before_anything_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(gist_zip, "MEMBER_BYTES", 2**22)
    monkeypatch.setattr(gist_zip, "BOMB_BYTES", 2**24)
    monkeypatch.setattr(GistZip, "read", lambda *_: pytest.fail("was unpacked"))
    fails(pack(tmp_path / "p.zip", {"a.png": bytes(2**22 + 1)}), "unpacks to 4194305 bytes, more than a picture has")
    many = {f"{k}.png": bytes(2**21) for k in range(9)}
    fails(pack(tmp_path / "q.zip", many), r"q.zip: unpacks to \d+ bytes, over 100 times its size")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(tmp_path):
    path = pack(tmp_path / "p.zip", pictures())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member(2), png(levels()))
    fails(path, r"'00000/img00000002.png' is there twice")


ONE = [member(k) for k in range(N)]


@pytest.mark.parametrize(
    ("labels", "also", "pattern"),
    [
        ([[name, 0] for name in ONE[:-2]], {}, r"has no label for '00000/img00000010.png' \(and 1 more\)"),
        ([[name, 0] for name in [*ONE, "x.png"]], {}, "labels 'x.png', which is not there"),
        ([[name, 0] for name in [*ONE, ONE[0]]], {}, "labels '00000/img00000000.png' twice"),
        ([[name, "0"] for name in ONE], {}, "the label of '00000/img00000000.png' is '0'; whole numbers"),
        ([[name, -1] for name in ONE], {}, "is -1; whole numbers"),
        ([[name, True] for name in ONE], {}, "is True; whole numbers"),
        ([[name, [0.5, 1]] for name in ONE], {}, r"is \[0.5, 1\]; whole numbers"),
        ([[*ONE]], {}, "entry 0 of labels is no pair of a file and its label"),
        ({"a": 1}, {}, "entry 0 of labels is no pair"),
        ([[name, 2] for name in ONE], {"classes": ["a", "b"]}, "has the label 2, but names of 2 classes"),
        ([[name, 0] for name in ONE], {"classes": ["a", "a"]}, "classes must be a list of different names"),
        ([[name, 0] for name in ONE], {"classes": "ab"}, "classes must be a list of different names"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, labels, also, pattern):
    fails(pack(tmp_path / "p.zip", pictures(), labels, **also), pattern)


@pytest.mark.parametrize("text", [b"", b"[", b"\xff\xfe", b"[" * 100_000])
def test_a_dataset_json_that_is_no_json_is_refused(tmp_path, text):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("dataset.json", text)
    fails(tmp_path / "p.zip", "dataset.json is no JSON")


def test_a_zip_without_labels_file_or_of_no_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("a.png", png(levels()))
    fails(tmp_path / "p.zip", "has no dataset.json, which says the label of every picture")
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("dataset.json", "[]")
    fails(tmp_path / "r.zip", 'dataset.json is no mapping with the key "labels"')
    (tmp_path / "q.zip").write_text("no zip")
    fails(tmp_path / "q.zip", "cannot be read as a zip")
    fails(tmp_path / "gone.zip", "no such file")


def test_unequal_pictures_are_refused(tmp_path):
    members = pictures()
    members[member(5)] = png(levels((32, 32)))
    fails(pack(tmp_path / "p.zip", members), r"its pictures differ in size, .* a side; save them alike")
    members[member(5)] = png(levels((64, 32)))
    fails(pack(tmp_path / "q.zip", members), r"00000/img00000005.png is 32 x 64 px and no square")


@pytest.mark.parametrize(
    ("images", "labels", "names"),
    [
        (squares(2, 48), [0, 1], ()),
        (squares(2)[:, :32], [0, 1], ()),
        (squares(2).astype(np.int16), [0, 1], ()),
        (squares(2), [0], ()),
        (squares(2), [0, 2], ("a", "b")),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path, images, labels, names):
    with pytest.raises(ValueError, match=r"images|squares"):
        write_gist_zip(tmp_path / "p.zip", images, labels, names)
    assert not list(tmp_path.iterdir())


def test_an_archive_is_closed_when_it_is_refused(tmp_path, recwarn):
    (tmp_path / "p.zip").write_bytes(b"")
    pack(tmp_path / "p.zip", pictures(), [])
    with pytest.raises(DataError):
        GistZip(tmp_path / "p.zip")
    assert not recwarn.list
