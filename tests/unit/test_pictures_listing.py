"""Folders of pictures become a list with roles; what cannot be used is refused in one line, and the rest goes on."""

import io
import os
import shutil
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chest_samples import chest, write_dicom
from hypothesis import given
from hypothesis import strategies as st
from picture_samples import fill, levels, save
from PIL import Image, ImageFile

from lungsynth.cohort.images.pictures import decode
from lungsynth.cohort.names import quoted, unquoted
from lungsynth.cohort.pictures.listing import COLUMNS, ROLES, deal, list_pictures, picture_id
from lungsynth.cohort.pictures.sources import root_of
from lungsynth.cohort.pictures.squares import read_all
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.stages.pictures import Pictures, Shares

REAL = Path(os.environ.get("LUNGSYNTH_DATA", "data"), "cxr")
REAL_PATIENT = r"person\d+|IM-\d+"


def listed(root, seed=1, **own):
    return list_pictures(root, Pictures(path="p", **own), seed)


def reasons(found):
    return dict(zip(found.refused["file"], found.refused["reason"], strict=True))


def why(root, name, **own):
    """The reason of the one picture that was refused; the others are listed."""
    found = listed(root, **own)
    assert list(found.refused["file"]) == [name]
    assert len(found.table) == 12
    (reason,) = found.refused["reason"]
    assert "\n" not in reason
    return reason


def fails(root, pattern, **own):
    with pytest.raises(DataError, match=pattern) as caught:
        listed(root, **own)
    assert "\n" not in str(caught.value)


@pytest.fixture
def root(tmp_path):
    """Two classes of six good pictures."""
    return fill(tmp_path / "p")


def test_a_good_folder_is_listed_whole(root):
    found = listed(root)
    assert tuple(found.table.columns) == COLUMNS
    assert found.refused.empty
    assert found.table["id"].is_monotonic_increasing
    assert found.table["class"].value_counts().to_dict() == {"normal": 6, "ill": 6}
    assert set(found.table[["width", "height"]].itertuples(index=False, name=None)) == {(128, 96)}
    assert set(found.table["role"]) == set(ROLES)
    assert found.table["patient"].nunique() == 12
    pd.testing.assert_frame_equal(found.table, listed(root).table)


def test_the_seed_deals_and_the_place_of_the_folder_does_not(root, tmp_path):
    shutil.copytree(root, tmp_path / "elsewhere")
    pd.testing.assert_frame_equal(listed(root).table, listed(tmp_path / "elsewhere").table)
    assert listed(root, seed=1).table["role"].tolist() != listed(root, seed=2).table["role"].tolist()


@pytest.mark.parametrize(
    ("array", "name", "pattern"),
    [
        (np.dstack([levels(), levels(), levels(seed=1)]), "x.png", "is a colour picture; save it as grey"),
        (np.dstack([levels()] * 4), "x.png", "is transparent in places; save it as grey without transparency"),
        (levels(bits=16), "x.png", "has grey levels of 16 bits, and pictures.bits is 8; the two are not mixed"),
        (levels((1, 1)), "x.png", "is 1 x 1 px, too small for size_px 64"),
        (levels((15, 300)), "x.png", "is 300 x 15 px, too small for size_px 64"),
        (levels((8001, 8001), seed=3)[:1] * np.ones((8001, 1), np.uint8), "x.png", "8001 x 8001 pixels are more than"),
    ],
)
def test_pictures_that_cannot_be_used_are_refused(root, array, name, pattern):
    save(root / "ill" / name, array)
    assert why(root, f"ill/{name}").startswith(pattern)


def test_cmyk_is_refused_whatever_the_rule_of_colour(root):
    (root / "ill" / "x.jpg").write_bytes(b"")
    Image.fromarray(np.dstack([levels()] * 3)).convert("CMYK").save(root / "ill" / "x.jpg")
    for colour in ("refuse", "convert", "keep"):
        assert why(root, "ill/x.jpg", colour=colour) == "is a colour picture (CMYK); save it as grey"


def test_eight_bits_are_refused_where_sixteen_are_asked(tmp_path):
    root = fill(tmp_path / "p", bits=16)
    save(root / "ill" / "x.png", levels())
    assert why(root, "ill/x.png", bits=16).startswith("has grey levels of 8 bits, and pictures.bits is 16")


def test_several_channels_of_sixteen_bits_are_refused(root):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + bytes(64 * 6) for _ in range(64))
    head = struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (root / "ill" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    assert why(root, "ill/x.png").startswith("has several channels of 16 bits")


def test_a_palette_of_greys_is_grey_and_one_of_colours_is_not(root):
    Image.fromarray(levels(seed=7)).convert("P").save(root / "ill" / "grey.png")
    colours = Image.fromarray(np.dstack([levels(), levels(), levels(seed=1)])).quantize(16)
    colours.save(root / "ill" / "x.png")
    found = listed(root)
    assert reasons(found) == {"ill/x.png": "is a colour picture; save it as grey"}
    assert "ill/grey.png" in set(found.table["file"])


@pytest.mark.parametrize("size", [(20_000, 20_000), (12_000, 12_000)])
def test_huge_pictures_are_refused_without_being_decoded(root, size, monkeypatch):
    Image.new("1", size).save(root / "ill" / "x.png")
    load = ImageFile.ImageFile.load

    def guarded(self):
        assert self.size != size
        return load(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", guarded)
    assert "more than 64000000" in why(root, "ill/x.png")


def test_several_frames_are_refused(root):
    save(root / "ill" / "x.png", levels(), save_all=True, append_images=[Image.fromarray(levels(seed=1))])
    assert why(root, "ill/x.png") == "holds 2 pictures; save them one a file"


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_damaged_pictures_are_refused(root, name, share):
    raw = save(root / "ill" / name, levels()).read_bytes()
    (root / "ill" / name).write_bytes(raw[: int(len(raw) * share)])
    assert why(root, f"ill/{name}").startswith("cannot be read as a PNG or JPEG (")


def test_bytes_that_are_wrong_anywhere_are_one_line():
    """A few bytes of good files changed at random; one such file once brought a TypeError out of its EXIF."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    random, good = np.random.default_rng(0), []
    for array, kind in ((levels((24, 24)), "PNG"), (levels((24, 24)), "JPEG"), (levels((24, 24), 16), "PNG")):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, format=kind, exif=exif)
        good.append(buffer.getvalue())
    ends = {"read": 0, "refused": 0}
    for k in range(1500):
        raw = bytearray(good[k % 3])
        for place in random.integers(0, min(len(raw), 300), 3):
            raw[place] = random.integers(0, 256)
        try:
            decode(io.BytesIO(raw), "x.png", "convert")
            ends["read"] += 1
        except DataError as error:
            assert "\n" not in str(error)
            ends["refused"] += 1
    assert min(ends.values()) > 30


def test_what_is_no_picture_is_named_and_what_is_hidden_is_not(root, tmp_path):
    (root / "ill" / "notes.txt").write_text("x")
    (root / "ill" / "fake.png").write_text("no picture")
    (root / "ill" / "README").write_text("x")
    save(root / "loose.png", levels())
    (root / ".git").mkdir()
    save(root / "ill" / ".thumb.png", levels())
    (root / "empty").mkdir()
    save(tmp_path / "away" / "1.png", levels())
    (root / "ill" / "link.png").symlink_to(tmp_path / "away" / "1.png")
    (root / "ill" / "nowhere.png").symlink_to("gone.png")
    (root / "link").symlink_to(root / "ill")
    found = listed(root)
    assert len(found.table) == 12
    assert reasons(found) == {
        "empty": "is a folder without a picture",
        "ill/README": "is no DICOM file (InvalidDicomError)",
        "ill/fake.png": "cannot be read as a PNG or JPEG (it is neither)",
        "ill/link.png": "is a link that leads out of the folder; copy or move it in",
        "ill/notes.txt": "is no PNG, JPEG or DICOM file",
        "ill/nowhere.png": "is a link to nothing or to itself",
        "link": "is a link to a folder, which is not followed",
        "loose.png": "lies in no class folder",
    }


def test_folders_inside_a_class_belong_to_it(root):
    save(root / "ill" / "left" / "deep" / "1.png", levels(seed=5))
    row = listed(root).table.set_index("file").loc["ill/left/deep/1.png"]
    assert row["class"] == "ill"


def test_a_double_within_a_class_is_kept_once(root):
    again = root / "ill" / "again.png"
    Image.open(root / "ill" / "0.png").convert("RGB").save(again)  # other bytes, the same pixels
    found = listed(root)
    ((refused, reason),) = reasons(found).items()
    first = ({"ill/again.png", "ill/0.png"} - {refused}).pop()
    assert reason == f"is a double of {first}"
    ids = found.table.set_index("file")["id"]
    again.unlink() if refused == "ill/again.png" else (root / "ill" / "0.png").unlink()
    assert ids[first] == listed(root).table.set_index("file").loc[first, "id"]


def test_one_picture_in_two_classes_is_refused_everywhere(root):
    for name in ("ill/a.png", "ill/b.png", "normal/c.png"):
        save(root / name, levels(seed=9))
    found = listed(root)
    assert len(found.table) == 12
    words = "is the same picture as {} of another class; which class is right is unknown"
    said = reasons(found)
    assert set(said) == {"ill/a.png", "ill/b.png", "normal/c.png"}
    assert said["ill/a.png"] == said["ill/b.png"] == words.format("normal/c.png")
    assert said["normal/c.png"] in (words.format("ill/a.png"), words.format("ill/b.png"))


def test_pictures_that_look_alike_have_one_role(tmp_path):
    root = fill(tmp_path / "p")
    for k in range(10):
        smooth = Image.fromarray(levels((9, 12), seed=500 + k)).resize((128, 96), Image.Resampling.BICUBIC)
        smooth.save(root / "ill" / f"{k}.png")
        smooth.resize((64, 48), Image.Resampling.BOX).save(root / "ill" / f"{k} small.jpg")
    roles = listed(root).table.set_index("file")["role"]
    assert all(roles[f"ill/{k}.png"] == roles[f"ill/{k} small.jpg"] for k in range(10))


def test_patients_of_doubles_stay_together(tmp_path):
    root = fill(tmp_path / "p", n=1)
    for k in range(12):
        for group in ("normal", "ill"):
            save(root / group / f"p{k}-1.png", levels(seed=100 * k + (group == "ill")))
    shutil.copy(root / "ill" / "p3-1.png", root / "ill" / "p9-2.png")
    for group in ("normal", "ill"):
        (root / group / "0.png").unlink()
    roles = listed(root, patient=r"p\d+").table.set_index("file")["role"]
    kept = {name: roles.get(name) for name in ("normal/p3-1.png", "normal/p9-1.png", "ill/p9-1.png")}
    assert len(set(kept.values())) == 1


@pytest.mark.parametrize(
    "name",
    [
        "a b.png",
        " lead.png",
        "line\nbreak.png",
        "cr\rlf.png",
        "肺 炎.png",
        "tab\t,\"quote'.png",
        "back\\n.png",
        "NA.png",
    ],
)
def test_names_of_any_letters_are_read_back_from_the_table(root, tmp_path, name):
    picture = levels((64, 64), seed=11)
    save(root / "ill" / name, picture)
    save(root / "lung\n\U0001fac1, \"'x" / name, levels((64, 64), seed=12))
    for k in range(5):
        save(root / "lung\n\U0001fac1, \"'x" / f"{k}.png", levels((64, 64), seed=20 + k))
    found = listed(root)
    write_csv(tmp_path / "list.csv", found.table)
    table = read_csv(tmp_path / "list.csv")
    assert table.to_dict("list") == found.table.to_dict("list")
    assert all(line.count("\r") == 0 for line in (tmp_path / "list.csv").read_text().splitlines())
    row = table[table["file"] == quoted(f"ill/{name}")]
    assert np.array_equal(read_all(root, row, Pictures())[0], picture)
    assert all(one.isascii() and "/" not in one and " " not in one for one in table["id"])


def test_names_that_are_no_text_are_read_back(root):
    made = save(root / "ill" / "x.png", levels((64, 64), seed=11))
    os.rename(made, os.fsencode(made.parent) + b"/caf\xe9.png")
    row = listed(root).table.set_index("file", drop=False).loc[["ill/caf\\udce9.png"]]
    assert np.array_equal(read_all(root, row, Pictures())[0], levels((64, 64), seed=11))


@given(st.text(st.characters(exclude_characters="\0")))
def test_a_quoted_name_is_one_line_and_comes_back(name):
    assert unquoted(quoted(name)) == name
    assert len(quoted(name).splitlines()) <= 1


def test_classes_with_numbers_for_names_stay_text(tmp_path):
    root = fill(tmp_path / "p", classes=("0", "007", "NA"))
    found = listed(root)
    write_csv(tmp_path / "list.csv", found.table)
    assert set(read_csv(tmp_path / "list.csv")["class"]) == {"0", "007", "NA"}


def test_named_classes_alone_are_read(root):
    fill(root, classes=("other",), n=1)
    found = listed(root, classes=("ill", "normal"))
    assert set(found.table["class"]) == {"ill", "normal"}
    fails(root, r"class gone of pictures.classes has no picture to use", classes=("ill", "gone"))
    (root / "empty").mkdir()
    fails(root, r"class empty .*\(1 refused; empty is a folder without a picture\)", classes=("ill", "empty"))
    (root / "bad").mkdir()
    (root / "bad" / "x.png").write_text("x")
    fails(root, r"class bad .*bad/x.png cannot be read as a PNG or JPEG", classes=("ill", "bad"))


@pytest.mark.parametrize(("n", "pattern"), [(1, "1 picture of 1 patient"), (2, "2 pictures of 2 patients")])
def test_a_class_of_too_few_pictures_is_named(root, n, pattern):
    fill(root, classes=("few",), n=n)
    fails(root, f"class few: {pattern}.* too few for one each in fit, tune, test")


def test_a_class_with_one_picture_to_learn_from_is_named(root):
    fill(root, classes=("few",), n=3)
    fails(root, r"class few: 1 picture to learn from \(3 in all\), where 2 are the least")


def test_a_folder_without_pictures_or_none_at_all_is_named(tmp_path):
    (tmp_path / "p" / "a").mkdir(parents=True)
    fails(tmp_path / "p", "has no picture to use")
    fails(tmp_path / "gone", "gone: no such folder or .zip; set LUNGSYNTH_DATA or pictures.path")


def test_the_first_bad_picture_stops_the_run_where_asked(root):
    (root / "ill" / "notes.txt").write_text("x")
    fails(root, r"p: ill/notes.txt is no PNG, JPEG or DICOM file \(pictures.quarantine: stop\)", quarantine="stop")


def test_colour_is_refused_made_grey_or_kept(root):
    colour = np.dstack([levels(), levels(seed=1), levels(seed=2)])
    save(root / "ill" / "x.png", colour)
    assert reasons(listed(root)) == {"ill/x.png": "is a colour picture; save it as grey"}
    row = listed(root, colour="convert", size_px=128, fit="pad").table.set_index("file", drop=False).loc[["ill/x.png"]]
    made = read_all(root, row, Pictures(colour="convert", size_px=128, fit="pad"))[0, 16:112]
    weighed = colour @ [0.299, 0.587, 0.114]  # ITU-R 601
    assert np.abs(made - weighed).max() <= 1
    kept = listed(root, colour="keep").table
    assert read_all(root, kept, Pictures(colour="keep")).shape == (13, 64, 64, 3)


def test_grey_jpegs_of_three_channels_count_as_grey(root):
    smooth = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)
    save(root / "ill" / "x.jpg", np.dstack([smooth] * 3), quality=80)
    found = listed(root)
    assert found.refused.empty
    assert len(found.table) == 13


def test_patients_are_files_unless_the_names_say_more(tmp_path):
    root = tmp_path / "p"
    for k in range(8):
        for group in ("normal", "ill"):
            for view in (1, 2):
                save(root / group / f"Doe{k}-{view}.png", levels(seed=k * 100 + view * 10 + (group == "ill")))
    assert listed(root).table["patient"].nunique() == 32
    table = listed(root, patient=r"/(Doe\d)-").table
    assert table["patient"].nunique() == 8
    assert (table.groupby("patient")["role"].nunique() == 1).all()
    assert table["patient"].str.fullmatch("P-[0-9a-f]{10}").all()
    save(root / "ill" / "Roe.png", levels(seed=5))
    assert reasons(listed(root, patient=r"/(Doe\d)-")) == {"ill/Roe.png": r"its name does not match patient: /(Doe\d)-"}


def dicom(folder, stored, **tags):
    """A picture of a modality that is no CT."""
    about = {"Modality": "DX", "RescaleIntercept": 0, "PixelRepresentation": 0, **tags}
    write_dicom(folder, stored[None].astype(np.int32) - 1024, **about)  # it adds them


def test_dicom_of_12_bits_fills_16_and_knows_its_patient(tmp_path):
    root = fill(tmp_path / "p", bits=16)
    stored = levels((64, 64), 16) % 4096
    stored[0, :2] = 0, 4095
    dicom(root / "ill" / "scan", stored, BitsStored=12, HighBit=11, PatientID="Doe")
    assert why_not(root, bits=16) == {}
    table = listed(root, bits=16).table
    row = table[table["file"].str.endswith(".dcm")]
    made = read_all(root, row, Pictures(bits=16))[0]
    assert np.array_equal(made, np.rint(stored * (65535 / 4095)).astype(np.uint16))
    (name,) = row["file"]
    shutil.copytree(root / "ill" / "scan", root / "normal" / "scan")
    (copied,) = (root / "normal" / "scan").iterdir()
    raw = copied.read_bytes()
    copied.write_bytes(raw[:-2] + b"\x01\x00")  # another picture of the same patient
    table = listed(root, bits=16).table
    assert table[table["file"].str.endswith(".dcm")]["patient"].nunique() == 1
    assert name in set(table["file"])


def why_not(root, **own):
    return reasons(listed(root, **own))


def test_dicom_of_ct_and_of_another_depth_is_refused(root):
    write_dicom(root / "ill" / "ct", chest(shape=(1, 64, 64))[0])
    dicom(root / "normal" / "dx", levels((64, 64), 16) % 4096, BitsStored=12, HighBit=11)
    assert sorted(reasons(listed(root)).values()) == [
        "has grey levels of 16 bits, and pictures.bits is 8; the two are not mixed",
        "is CT, whose numbers are HU and no grey levels; chain: composites reads it",
    ]


def test_the_folder_must_be_named_and_below_the_data(tmp_path):
    assert root_of(Pictures(path="p"), tmp_path) == tmp_path / "p"
    for path, words in ((None, "pictures.path: name a folder"), ("../p", "pictures.path: path '../p' leaves the data")):
        with pytest.raises(StudyError, match=words):
            root_of(Pictures(path=path), tmp_path)


people = st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), min_size=1, max_size=120)


@given(people, st.integers(0, 5), st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)))
def test_no_patient_has_two_roles_and_shares_are_near_the_split(rows, seed, parts):
    shares = Shares(fit=parts[0], tune=parts[1], test=parts[2])
    every = [("a", f"P-a{k}") for k in range(9)] + [(group, f"P-{person}") for person, group in rows]
    table = pd.DataFrame(every, columns=["class", "patient"])
    try:
        role = deal(table, shares, seed)
    except DataError as error:
        assert "too few" in str(error)
        return
    assert set(role) == set(table["patient"])
    assert role == deal(table.sample(frac=1, random_state=seed), shares, seed)
    for _, group in table.groupby("class"):
        assert set(group["patient"].map(role)) == set(ROLES)


@given(st.integers(10, 200), st.integers(10, 200), st.integers(0, 9))
def test_each_class_is_dealt_in_the_shares(n, m, seed):
    table = pd.DataFrame({"class": ["a"] * n + ["b"] * m, "patient": [f"P-{k}" for k in range(n + m)]})
    role = table["patient"].map(deal(table, Shares(), seed))
    for group, size in (("a", n), ("b", m)):
        found = role[table["class"] == group].value_counts()
        for name, part in (("fit", 0.7), ("tune", 0.1), ("test", 0.2)):
            assert abs(found[name] - part * size) < 1.01


@given(st.sets(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1), min_size=2))
def test_ids_are_unique_and_safe_as_file_names(names):
    ids = [picture_id("a class/of", name) for name in names]
    assert len({one.lower() for one in ids}) == len(names)
    assert all(one.isascii() and len(one) < 60 and not set(one) & set(" /\\\n\"'") for one in ids)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no chest X-rays at {REAL}; set LUNGSYNTH_DATA")
def test_a_thousand_chest_films_are_listed_and_cut_in_seconds():
    settings = Pictures(path="cxr", patient=REAL_PATIENT)
    start = time.perf_counter()
    found = list_pictures(REAL, settings, 2023)
    squares = read_all(REAL, found.table, settings)
    assert time.perf_counter() - start < 60
    assert found.refused.empty
    assert squares.shape == (1000, 64, 64)
    assert found.table["patient"].nunique() == 961
    share = found.table.groupby("class")["role"].value_counts(normalize=True)
    for group in ("normal", "pneumonia"):
        assert share[group, "fit"] == pytest.approx(0.7, abs=0.02)
        assert share[group, "test"] == pytest.approx(0.2, abs=0.02)
