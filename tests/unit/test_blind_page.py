"""The page of a blind test tells nothing of what a picture is, and its key tells all."""

import base64
import hashlib
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lungsynth.sets import bank, shard
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.tables import write_parquet
from lungsynth.study.errors import DataError
from lungsynth.study.stages.utility import Reader
from lungsynth.utility.reader import draw, sides
from lungsynth.utility.reader.blind import KEY_COLUMNS, make_test
from lungsynth.utility.reader.page import window_of_ct
from tests.unit.blind_cases import WINDOW, a_test, made_side, noisy, real_side, smooth


def known(page: str) -> dict:
    """All that the page knows."""
    return json.loads(re.search(r'<script type="application/json" id="test">(.*?)</script>', page, re.S)[1])


def pixels(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


@pytest.fixture(scope="module")
def test():
    return a_test()


def test_a_question_is_a_number_and_a_picture_and_nothing_else(test):
    questions = known(test.page)["questions"]
    assert [one["id"] for one in questions] == [f"q{k:03d}" for k in range(1, 11)]
    assert {tuple(sorted(one)) for one in questions} == {("id", "src")}


def test_pictures_are_encoded_alike_and_equally_long_whatever_they_show(test):
    values = known(test.page)
    sources = [one["src"] for part in ("orientation", "questions") for one in values[part]]
    assert len({len(src) for src in sources}) == 1
    files = [base64.b64decode(src.split(",")[1]) for src in sources]
    assert len({file[:33] for file in files}) == 1  # signature and header: size, depth, colour, filter
    chunks = {
        tuple(re.findall(rb"IHDR|IDAT|IEND|tEXt|tIME|pHYs|gAMA|iCCP|sRGB|zTXt|iTXt|eXIf", file)) for file in files
    }
    assert all(set(names) == {b"IHDR", b"IDAT", b"IEND"} for names in chunks)
    # The check is worth something: compressed, the two sides would be told by their length.
    assert len(smooth(1).tobytes()) == len(noisy(1).tobytes())


def test_nothing_of_the_key_stands_in_the_page(test):
    for name in {*test.key["source"], *test.key["group"], "lesions_test", "refined"}:
        assert name not in test.page
    assert "truth" not in json.dumps(known(test.page)["questions"])


def test_the_page_is_the_same_with_the_truths_exchanged():
    """So neither order nor names nor the test's id depend on what a picture is, even for one who knows the seed."""
    how = Reader(orientation=0, real=6, generated=6)
    one, other = (of(6) for of in (real_side, made_side))
    first, second = make_test(one, other, how, 3, "t", WINDOW), make_test(other, one, how, 3, "t", WINDOW)
    assert first.page == second.page and first.id == second.id
    assert first.key["source"].tolist() == second.key["source"].tolist()
    assert not (first.key["truth"] == second.key["truth"]).any()


def test_the_order_mixes_the_truths_and_follows_the_seed():
    how = Reader(orientation=0, real=12, generated=12)
    orders = [
        "".join(make_test(real_side(), made_side(), how, seed, "t", None).key["truth"].str[0]) for seed in range(20)
    ]
    assert len(set(orders)) == 20
    firsts = [order[0] for order in orders]
    assert 3 <= firsts.count("r") <= 17


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_test(test):
    again, other = a_test(), a_test(seed=8)
    assert again.page == test.page and again.key.equals(test.key)
    assert other.id != test.id and other.page != test.page


def test_the_key_says_of_every_picture_what_it_is(test):
    assert tuple(test.key.columns) == KEY_COLUMNS
    assert set(test.key["page_sha256"]) == {hashlib.sha256(test.page.encode()).hexdigest()}
    assert set(test.key["test"]) == {test.id} and known(test.page)["id"] == test.id
    of_source = {f"scan-{k:04d}": image for k, image in enumerate(noisy(12))}
    of_source |= {f"composite-{k:07d}": image for k, image in enumerate(smooth(12))}
    values = known(test.page)
    shown = [*values["orientation"], *values["questions"]]
    for one, row in zip(shown, test.key.itertuples(), strict=True):
        np.testing.assert_array_equal(pixels(one["src"]), of_source[row.source])
        assert (row.truth == "real") == row.source.startswith("scan")
        assert row.role == ("test" if row.truth == "real" else "refined")
    assert test.key["source"].is_unique


def test_the_orientation_says_the_truth_and_is_balanced_as_the_set():
    how = Reader(orientation=4, real=9, generated=3)
    test = make_test(real_side(), made_side(), how, 1, "t", WINDOW)
    labelled = test.key[test.key["part"] == "orientation"]
    assert labelled["truth"].value_counts().to_dict() == {"real": 3, "generated": 1}
    assert [one["truth"] for one in known(test.page)["orientation"]] == labelled["truth"].tolist()


def test_the_page_asks_the_network_for_nothing(test):
    assert "default-src 'none'" in test.page and "http" not in test.page.replace("http-equiv", "")
    assert known(test.page)["window"]["range_hu"] == [-1000, 400]


def test_windows_go_from_the_study_s_own_to_what_the_pictures_hold():
    assert window_of_ct((-1350, 150), (-1000, 400)).presets_hu == ((-1350, 150), (-1000, 400), (-160.0, 240.0))
    assert window_of_ct((-1000, 200), (-1000, 200)).presets_hu == ((-1000, 200),)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"real": 50}, r"utility\.reader\.real: asks for 50 pictures and 4 for orientation, banks/lesions_test has 12"),
        ({"generated": 50}, r"utility\.reader\.generated: asks for 50 pictures and 4 .* released composites has 12"),
    ],
)
def test_too_few_pictures_are_refused_with_the_setting_s_key(asked, line):
    how = Reader(**{"orientation": 4, "real": 5, "generated": 5} | asked)
    with pytest.raises(DataError, match=line):
        make_test(real_side(), made_side(), how, 1, "t", WINDOW)


def test_pictures_of_two_sizes_or_on_both_sides_are_refused():
    how = Reader(orientation=0, real=3, generated=3)
    large = sides.of_images("large", noisy(3, 32), ["a", "b", "c"])
    with pytest.raises(DataError, match="differ in size"):
        make_test(real_side(3), large, how, 1, "t", WINDOW)
    same = sides.of_images("copies", noisy(3), ["a", "b", "c"])
    with pytest.raises(DataError, match="are the same picture"):
        make_test(real_side(3), same, how, 1, "t", WINDOW)


def test_patients_of_the_orientation_come_in_no_question_and_questions_are_spread():
    patients = [f"p{k}" for k in (0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3)]
    test = make_test(
        real_side(groups=patients), made_side(), Reader(orientation=2, real=6, generated=6), 1, "t", WINDOW
    )
    real = test.key[test.key["truth"] == "real"]
    asked = real[real["part"] == "question"]["group"]
    assert set(real[real["part"] == "orientation"]["group"]) == {"p0"}
    assert asked.value_counts().to_dict() == {"p1": 2, "p2": 2, "p3": 2}
    assert any("6 real pictures show 3 patients" in note for note in test.notes)


def test_where_one_patient_is_all_there_is_it_is_said():
    how = Reader(orientation=4, real=5, generated=5)
    test = make_test(real_side(groups=["p"] * 12), made_side(), how, 1, "t", WINDOW)
    assert any("of the same patients" in note for note in test.notes)
    assert test.key["source"].is_unique


def test_both_sides_have_the_real_one_s_classes():
    """Else a class would be a hint: 8 of 12 real pictures are ill, and of generated ones half."""
    real, made = ["ill"] * 8 + ["well"] * 4, ["ill", "well"] * 6
    how = Reader(orientation=0, real=6, generated=6)
    test = make_test(real_side(classes=real), made_side(classes=made), how, 1, "t", None)
    of_source = dict(zip([f"scan-{k:04d}" for k in range(12)], real, strict=True))
    of_source |= dict(zip([f"composite-{k:07d}" for k in range(12)], made, strict=True))
    found = test.key.assign(kind=test.key["source"].map(of_source)).groupby(["truth", "kind"]).size()
    assert found.tolist() == [4, 2, 4, 2]
    with pytest.raises(DataError, match="needed"):
        make_test(
            real_side(classes=real), made_side(classes=made), Reader(orientation=0, real=3, generated=12), 1, "t", None
        )
    with pytest.raises(DataError, match="'well'"):
        make_test(real_side(classes=real), made_side(classes=["ill"] * 12), how, 1, "t", None)


@pytest.mark.parametrize("total", [0, 1, 7, 100])
def test_shares_become_whole_numbers_that_sum_up(total):
    shares = pd.Series({"a": 3.0, "b": 1.0, "c": 2.5})
    found = draw.counts(shares, total)
    assert found.sum() == total and (abs(found - shares / shares.sum() * total) < 1).all()


def test_a_bank_gives_its_pictures_in_the_order_asked_for(tmp_path):
    images = np.arange(5)[:, None, None] * np.ones((1, 8, 8)) * 100 - 1000
    table = pd.DataFrame({"id": list("abcde"), "patient": ["007", "007", "", "8", "9"], "class": list("xxyyy")})
    bank.write(tmp_path / "b.npz", ImageSet(images.astype(np.int16), np.zeros((5, 8, 8), np.uint8), 2.0, table))
    side = sides.of_bank(tmp_path / "b.npz", "b", "test", sides.grey_of_ct((-1000, -600)))
    assert side.read(np.array([3, 0, 4]))[:, 0, 0].tolist() == [191, 0, 255]
    assert side.table["group"].tolist() == ["007", "007", "c", "8", "9"]
    assert side.table["class"].tolist() == list("xxyyy")


def test_the_release_is_what_the_gate_kept_of_every_shard(tmp_path):
    shards, tables = [], []
    for part, kept in enumerate(([0, 2], [1])):
        shards.append(tmp_path / f"{part}.npy")
        shard.save(
            shards[-1],
            np.full((3, 8, 8), -1000, np.int16) + 40 * (3 * part + np.arange(3, dtype=np.int16))[:, None, None],
        )
        rows = {"at": kept, "name": [f"composite-{part}{at}" for at in kept], "normal": ["n"] * len(kept)}
        tables.append(tmp_path / f"{part}.parquet")
        write_parquet(tables[-1], pd.DataFrame(rows))
    side = sides.of_release(shards, tables, sides.grey_of_ct((-1000, -745)))
    assert side.table["id"].tolist() == ["composite-00", "composite-02", "composite-11"]
    assert side.read(np.array([2, 0, 1]))[:, 3, 3].tolist() == [160, 0, 80]


def test_both_sides_go_the_same_way_to_grey():
    hu = np.array([-3000, -1000, 400, 3000])
    assert sides.grey_of_ct((-1000, 400))(hu).tolist() == [0, 0, 255, 255]
    assert sides.grey_of_pictures(65535)(np.array([0, 32768, 65535], np.uint16)).tolist() == [0, 128, 255]
    eight = np.arange(256, dtype=np.uint8)
    assert (sides.grey_of_pictures(255)(eight) == eight).all()


def test_colour_pictures_stay_in_colour():
    colour = np.random.default_rng(1).integers(0, 256, (6, 16, 16, 3), np.uint8)
    real, made = (sides.of_images(name, part, list(ids)) for name, part, ids in
                  (("r", colour[:3], "abc"), ("g", colour[3:], "def")))  # fmt: skip
    test = make_test(real, made, Reader(orientation=0, real=3, generated=3), 1, "t", None)
    values = known(test.page)
    assert values["window"] is None and pixels(values["questions"][0]["src"]).shape == (16, 16, 3)
