"""The release: every format keeps the contract, what is written can be decoded, tables agree with the masks."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.transforms import LoadImaged
from PIL import Image
from pydantic import ValidationError

from lungsynth.release.datasheet import Sheet, cohort_summary, datasheet, left_out, lesion_summary, markdown
from lungsynth.release.export import export, finish
from lungsynth.release.exporter import About, Item
from lungsynth.release.formats.coco import run_lengths
from lungsynth.release.manifest import (
    KEPT_COLUMNS,
    LESION_COLUMNS,
    MANIFEST_COLUMNS,
    items,
    joined,
    lesion_rows,
    measure_shard,
)
from lungsynth.release.registry import EXPORTERS
from lungsynth.sets.tables import concatenate
from lungsynth.study.errors import DataError
from lungsynth.study.stages.score import Release

ABOUT = About("test", "0.1.0", "CC BY 4.0", mm_per_px=2.0, slice_mm=2.5, window_hu=(-1000, 400))
SOURCES = {1: "scan:4", 2: "w_capsule:1:17"}
SHARDS = {"0": ["a", "b"], "1": [], "2": ["c"], "10": ["d"]}


def disc(size: int, row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def pixels(size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """An image and its mask with two lesions."""
    rng = np.random.default_rng(3)
    image = rng.integers(-1000, 400, (size, size)).astype(np.int16)
    mask = np.zeros((size, size), np.uint8)
    mask[disc(size, 12, 14, 4)] = 1
    mask[disc(size, 33, 30, 6)] = 2
    image[mask == 1] = -600
    image[mask == 2] = 20
    return image, mask


def an_item(name: str = "a", place: str = "nifti/0") -> Item:
    image, mask = pixels()
    facts = {"normal": "n07", "group": "group-00001", "seed": 99, "rank": 3}
    return Item(name, place, image, mask, facts, lesion_rows(name, image, mask, SOURCES, ABOUT.mm_per_px))


def released(folder: Path, name: str, shards: dict[str, list[str]] = SHARDS) -> dict[str, pd.DataFrame]:
    """A whole release in one format, shard by shard, the last first; the files of each shard."""
    made = {
        shard: export(name, ABOUT, (an_item(one, f"{name}/{shard}") for one in names), folder, shard)
        for shard, names in reversed(shards.items())
    }
    finish(name, ABOUT, folder)
    return {shard: made[shard] for shard in shards}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", EXPORTERS.names())
class TestContract:
    """What `Exporter` asks of every registered format, and nothing else."""

    def test_names_for_each_item_in_order_a_file_of_its_own_and_one_with_its_lesions(self, name, tmp_path):
        made = released(tmp_path, name)
        table = pd.concat(made.values())
        assert table["name"].tolist() == ["a", "b", "c", "d"] and table["file"].is_unique
        for shard, rows in made.items():
            assert all(file.startswith(f"images/{name}/{shard}/") for file in rows["file"])
        assert all((tmp_path / file).is_file() for file in [*table["file"], *table["mask"]])

    def test_writes_in_its_places_only_and_marks_what_lies_there(self, name, tmp_path):
        released(tmp_path, name)
        places = (f"images/{name}/", f"masks/{name}/", f"{name}/")
        assert all(file.startswith(places) for file in contents(tmp_path))
        assert all("_synthetic" in Path(file).name for file in contents(tmp_path) if not file.startswith(f"{name}/"))

    def test_the_same_items_give_the_same_bytes_in_any_folder(self, name, tmp_path):
        for folder in ("one", "another"):
            released(tmp_path / folder, name)
        assert contents(tmp_path / "one") == contents(tmp_path / "another")

    def test_holds_one_item_at_a_time(self, name, tmp_path):
        for part in ("images", "masks"):
            (tmp_path / part / name / "0").mkdir(parents=True)
        asked = []

        def one_by_one():
            for one in ("a", "b", "c"):
                asked.append(one)
                yield an_item(one, f"{name}/0")

        for number, (image, _) in enumerate(EXPORTERS.get(name)(ABOUT).export(one_by_one(), tmp_path), start=1):
            assert len(asked) == number and (tmp_path / image).is_file()

    def test_a_set_of_which_nothing_was_kept_can_be_finished(self, name, tmp_path):
        made = released(tmp_path, name, {"0": [], "1": []})
        assert not sum(map(len, made.values()))

    def test_says_what_a_value_means(self, name, tmp_path):
        exporter = EXPORTERS.get(name)(ABOUT)
        assert "HU" in exporter.image_values and exporter.mask_values

    def test_its_name_is_no_folder_of_the_release(self, name, tmp_path):
        assert name not in ("images", "masks")


def test_every_sidecar_marks_its_image_as_synthetic(tmp_path):
    files = released(tmp_path, "png16")["0"]
    sidecar = json.loads((tmp_path / files["file"][0]).with_suffix(".json").read_text())
    assert sidecar["synthetic"] is True and "NOT FOR DIAGNOSTIC" in sidecar["notice"]
    assert sidecar["values"]["png16"]["image"] == "uint16, value = HU + 1024"
    assert sidecar["source_nodules"] == {"1": "scan:4", "2": "w_capsule:1:17"} and sidecar["rank"] == 3
    assert (sidecar["normal"], sidecar["group"], sidecar["seed"]) == ("n07", "group-00001", 99)


def test_a_format_that_fails_leaves_nothing_that_looks_whole(tmp_path):
    bad = an_item("b", "png16/0")
    bad.image[0, 0] = -2000
    with pytest.raises(DataError, match="-2000 HU lies under -1024"):
        export("png16", ABOUT, [an_item("a", "png16/0"), bad], tmp_path, "0")
    assert contents(tmp_path) == {}


SHAPES = st.tuples(st.integers(2, 9), st.integers(2, 9))
SCALE = hnp.arrays(np.int16, SHAPES, elements=st.integers(-1024, 3071))


def decoded(name: str, path: Path) -> np.ndarray:
    """A lossless format's picture as HU, or its mask, by libraries that know nothing of ours."""
    if name == "nifti":
        return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0]
    with Image.open(path) as picture:
        stored = np.asarray(picture)
    return stored if stored.dtype == np.uint8 else stored.astype(int) - 1024


@pytest.mark.parametrize("name", ["nifti", "png16"])
@settings(max_examples=10, deadline=None)
@given(SCALE)
def test_any_shape_and_any_hu_of_the_scale_is_decoded_equal(tmp_path_factory, name, image):
    folder, exporter = tmp_path_factory.mktemp("any"), EXPORTERS.get(name)(ABOUT)
    mask = (image % 7).astype(np.uint8)
    exporter.write_image(folder / f"i{exporter.suffix}", image)
    exporter.write_mask(folder / f"m{exporter.suffix}", mask)
    np.testing.assert_array_equal(decoded(name, folder / f"i{exporter.suffix}"), image)
    np.testing.assert_array_equal(decoded(name, folder / f"m{exporter.suffix}"), mask)


def test_monai_loads_image_and_mask_on_one_grid_with_size_and_orientation(tmp_path):
    files = released(tmp_path, "nifti")["0"]
    pair = {"image": str(tmp_path / files["file"][0]), "mask": str(tmp_path / files["mask"][0])}
    loaded = LoadImaged(keys=["image", "mask"], image_only=True)(pair)
    hu, mask = pixels()
    for key, wanted in (("image", hu), ("mask", mask)):
        one = loaded[key]
        np.testing.assert_array_equal(np.asarray(one)[:, :, 0], wanted.T)  # nibabel's order is x, y, z
        # MONAI's world is RAS: columns run to the patient's left, rows to the back, both against its axes.
        np.testing.assert_allclose(np.asarray(one.affine), np.diag([-2.0, -2.0, 2.5, 1.0]), atol=1e-6)
        np.testing.assert_allclose(np.asarray(one.pixdim), (2, 2, 2.5))


def test_nifti_carries_the_spacing_of_each_axis(tmp_path):
    exporter = EXPORTERS.get("nifti")(ABOUT)
    exporter.write_image(tmp_path / "x.nii.gz", pixels()[0])
    image = sitk.ReadImage(str(tmp_path / "x.nii.gz"))
    assert image.GetSize() == (48, 48, 1) and image.GetPixelID() == sitk.sitkInt16
    np.testing.assert_allclose(image.GetSpacing(), (2.0, 2.0, 2.5))


def run_length_mask(segmentation: dict) -> np.ndarray:
    """A mask out of COCO's uncompressed run lengths, by their definition."""
    height, width = segmentation["size"]
    values = [k % 2 for k, count in enumerate(segmentation["counts"]) for _ in range(count)]
    return np.array(values, bool).reshape(width, height).T


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, SHAPES))
def test_run_lengths_are_decoded_to_the_same_mask(where):
    made = run_length_mask({"size": list(where.shape), "counts": run_lengths(where)})
    np.testing.assert_array_equal(made, where)


class TestCoco:
    """A reader of COCO sets finds pictures, boxes and outlines, and nothing that it would stumble on."""

    @pytest.fixture
    def folder(self, tmp_path):
        released(tmp_path, "coco")
        return tmp_path

    @pytest.fixture
    def instances(self, folder):
        return json.loads((folder / "coco/instances_synthetic.json").read_text())

    def test_images_are_8_bit_in_the_window_under_the_root_that_file_names_stand_on(self, folder, instances):
        hu, _ = pixels()
        assert [one["file_name"].split("/")[0] for one in instances["images"]] == ["0", "0", "2", "10"]
        for one in instances["images"]:
            with Image.open(folder / "images/coco" / one["file_name"]) as picture:
                assert picture.mode == "L" and picture.size == (one["width"], one["height"])
                np.testing.assert_allclose(
                    np.asarray(picture) / 255, (np.clip(hu, -1000, 400) + 1000) / 1400, atol=0.002
                )

    def test_boxes_areas_and_outlines_are_those_of_the_masks(self, instances):
        _, mask = pixels()
        for one in instances["annotations"]:
            where = run_length_mask(one["segmentation"])
            np.testing.assert_array_equal(where, mask == one["label"])
            x, y, width, height = one["bbox"]
            assert where[y : y + height, x : x + width].sum() == where.sum() == one["area"]
            assert (
                where[y].any() and where[y + height - 1].any() and where[:, x].any() and where[:, x + width - 1].any()
            )
            assert one["iscrowd"] == 0 and one["category_id"] == instances["categories"][0]["id"] == 1

    def test_numbers_start_at_1_and_run_through_the_shards(self, instances):
        assert [one["id"] for one in instances["images"]] == [1, 2, 3, 4]
        assert [one["id"] for one in instances["annotations"]] == list(range(1, 9))
        assert [one["image_id"] for one in instances["annotations"]] == [1, 1, 2, 2, 3, 3, 4, 4]

    def test_says_that_it_is_synthetic_and_under_which_licence(self, instances):
        assert instances["info"]["synthetic"] is True and "NOT FOR DIAGNOSTIC" in instances["info"]["description"]
        assert instances["licenses"][0]["name"] == "CC BY 4.0"
        assert {one["license"] for one in instances["images"]} == {instances["licenses"][0]["id"]}

    def test_a_shards_own_file_is_a_set_too(self, folder, instances):
        shard = json.loads((folder / "masks/coco/2/instances_synthetic.json").read_text())
        assert shard.keys() == instances.keys()
        assert [one["id"] for one in shard["images"]] == [1] and len(shard["annotations"]) == 2


def test_png_is_16_bit_hu_plus_1024_and_refuses_less(tmp_path):
    exporter = EXPORTERS.get("png16")(ABOUT)
    exporter.write_image(tmp_path / "x.png", np.array([[-1024, 0], [40, 3071]], np.int16))
    with Image.open(tmp_path / "x.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), [[0, 1024], [1064, 4095]])
    with pytest.raises(DataError, match="-2048 HU lies under -1024"):
        exporter.write_image(tmp_path / "y.png", np.full((2, 2), -2048, np.int16))
    assert not (tmp_path / "y.png").exists()


def test_a_lesions_row_is_measured_on_its_mask():
    first, second = an_item().lesions
    assert (first["row"], first["column"]) == (12, 14)
    assert [first[k] for k in ("row_min", "column_min", "row_max", "column_max")] == [8, 10, 16, 18]
    area = disc(48, 12, 14, 4).sum()
    assert first["diameter_mm"] == pytest.approx(2 * 2.0 * np.sqrt(area / np.pi))
    assert (first["texture"], second["texture"]) == ("ground_glass", "solid")
    assert (first["source_nodule"], second["source_nodule"]) == ("scan:4", "w_capsule:1:17")


def test_a_lesion_that_vanished_from_the_mask_is_an_error():
    image, mask = pixels()
    mask[mask == 2] = 0
    with pytest.raises(DataError, match=r"composite-0000003: the mask holds lesions \[1\], its rows \[1, 2\]"):
        lesion_rows("composite-0000003", image, mask, SOURCES, 2.0)


SEED = 2**62 + 12345
"""A float would not hold it."""


def measured(kept: list[int]) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, pd.DataFrame]:
    """A shard of three composites, and what is released of it."""
    image, mask = pixels()
    images, masks = np.stack([image] * 3), np.stack([mask] * 3)
    laid = [
        {"image": at, "lesion": label, "source_nodule": source, "composite": 10 * at, "normal": at % 2, "group": 7 + at}
        for at in range(3)
        for label, source in SOURCES.items()
    ]
    plan = pd.DataFrame({"rank": [0, 10, 20], "seed": [SEED, SEED + 1, SEED + 2], "clearance_mm": 0.5})
    return images, masks, *measure_shard(images, masks, pd.DataFrame(laid), kept, plan, ["n0", "n1"], 2.0)


def test_what_the_gate_kept_is_described_with_where_it_comes_from():
    _, _, kept, lesions = measured([1, 2])
    assert kept.to_dict("records") == [
        dict(zip(KEPT_COLUMNS, (1, "composite-0000010", "n1", "group-00008", SEED + 1, 10, 2), strict=True)),
        dict(zip(KEPT_COLUMNS, (2, "composite-0000020", "n0", "group-00009", SEED + 2, 20, 2), strict=True)),
    ]
    assert tuple(lesions.columns) == LESION_COLUMNS
    assert lesions["image"].tolist() == [name for name in kept["name"] for _ in range(2)]


def test_items_carry_what_was_measured():
    images, masks, kept, lesions = measured([2])
    (item,) = items(images, masks, kept, lesions, "nifti/0")
    assert item.facts == {"normal": "n0", "group": "group-00009", "seed": SEED + 2, "rank": 20}
    assert item.image_file(".png") == "images/nifti/0/composite-0000020_synthetic.png"
    assert item.mask_file(".png") == "masks/nifti/0/composite-0000020_mask_synthetic.png"
    assert [lesion["source_nodule"] for lesion in item.lesions] == list(SOURCES.values())


def whole_release(folder: Path, formats: list[str], shards=([0, 1, 2], [])) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A release of shards of which the gate kept these places: its two tables."""
    parts = [measured(kept) for kept in shards]
    files = {
        name: concatenate(
            export(name, ABOUT, items(*part, f"{name}/{number}"), folder, str(number))
            for number, part in enumerate(parts)
        )
        for name in formats
    }
    for name in formats:
        finish(name, ABOUT, folder)
    return joined(*(concatenate(part[k] for part in parts) for k in (2, 3)), files)


def test_tables_name_files_that_exist_and_agree_with_them(tmp_path):
    manifest, lesions = whole_release(tmp_path, ["nifti", "png16", "coco"])
    assert tuple(manifest.columns[:6]) == MANIFEST_COLUMNS and tuple(lesions.columns) == LESION_COLUMNS
    assert manifest.lesions.tolist() == [2, 2, 2] == lesions.groupby("image").size().tolist()
    assert set(lesions.image) == set(manifest.file) and manifest.seed.tolist() == [SEED, SEED + 1, SEED + 2]
    for row in manifest.itertuples():
        assert row.file.split(".")[0].endswith("_synthetic") and row.mask.split(".")[0].endswith("_synthetic")
        image, mask = (decoded("nifti", tmp_path / file) for file in (row.file, row.mask))
        for lesion in lesions[lesions.image == row.file].itertuples():
            assert image[mask == lesion.label].mean() == pytest.approx(lesion.mean_hu)
    others = ["png16_file", "png16_mask", "coco_file", "coco_mask"]
    assert manifest.columns[6:].tolist() == others and all(
        (tmp_path / f).is_file() for c in others for f in manifest[c]
    )


def test_the_tables_point_to_the_first_format(tmp_path):
    manifest, lesions = whole_release(tmp_path, ["coco", "nifti"])
    assert manifest["file"].str.startswith("images/coco/0/").all() and set(lesions["image"]) == set(manifest["file"])
    assert manifest["nifti_mask"].str.startswith("masks/nifti/0/").all()


def test_shards_of_which_nothing_is_kept_leave_tables_without_rows(tmp_path):
    manifest, lesions = whole_release(tmp_path, ["nifti", "png16"], [[], []])
    assert len(manifest) == len(lesions) == 0
    assert tuple(manifest.columns[:6]) == MANIFEST_COLUMNS and tuple(lesions.columns) == LESION_COLUMNS


def test_a_format_that_lacks_an_image_is_noticed(tmp_path):
    _, _, kept, lesions = measured([0, 1])
    files = export("png16", ABOUT, [an_item("composite-0000000", "png16/0")], tmp_path, "0")
    with pytest.raises(ValueError, match="png16 has written 1 images that are not the 2 released ones"):
        joined(kept, lesions, {"png16": files})


@pytest.mark.parametrize("formats, words", [([], "at least 1 item"), (["nifti", "nifti"], "names nifti twice")])
def test_no_format_or_one_twice_is_refused_before_any_job(formats, words):
    with pytest.raises(ValidationError, match=words):
        Release(formats=formats)


def test_an_empty_release_is_one_clear_line():
    with pytest.raises(DataError, match="the release is empty: the gate kept no composite"):
        a_sheet(images=0)


def a_sheet(**changes) -> Sheet:
    gate = pd.DataFrame({"what": ["kept", "erased"], "hits": [3, 7], "n": [10, 10], "of": "images"})
    facts = {
        "title": "Chests",
        "study": "demo",
        "seed": 1,
        "version": "0.1.0",
        "licence": "CC BY 4.0",
        "source_note": "Phantoms.",
    }
    facts |= {"images": 1, "lesions": 2, "size_px": 48, "mm_per_px": 2.0, "window_hu": (-1000.0, 400.0)}
    facts |= {
        "values": {"nifti": {"image": "int16", "mask": "uint8"}},
        "lesion_table": markdown(lesion_summary(pd.DataFrame(an_item().lesions))),
        "left_out_table": markdown(left_out({"nodules": {"empty mask": 4}}, gate)),
    }
    return Sheet(**(facts | changes))


def test_the_datasheet_states_mark_licence_use_and_what_is_missing():
    text = datasheet(a_sheet())
    for words in ("NOT FOR DIAGNOSTIC USE", "CC BY 4.0", "## Intended use", "Phantoms.", "image int16; mask uint8"):
        assert words in text
    assert "| generated nodules | empty mask | 4 |  |" in text
    assert "| composites after refinement | erased | 7 | 10 images |" in text and "| kept |" not in text
    assert "-1000 to 400 HU" in text and "| all | 2 |" in text and datasheet(a_sheet()) == text
    assert "Nothing was left out." in datasheet(a_sheet(left_out_table=""))


def test_the_cohort_table_counts_patients_not_scans():
    scans = pd.DataFrame({"patient": ["a", "a", "b"], "role": ["test", "test", "fit"]})
    assert cohort_summary(scans).to_dict("records") == [
        {"role": "fit", "patients": 1, "scans": 1},
        {"role": "test", "patients": 1, "scans": 2},
    ]
