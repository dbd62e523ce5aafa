"""The release: what is written is read back, tables agree with the masks, twice gives equal bytes."""

import json

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from lungsynth.release.datasheet import Sheet, cohort_summary, datasheet, lesion_summary, markdown
from lungsynth.release.manifest import LESION_COLUMNS, MANIFEST_COLUMNS, Item, lesion_rows, write_images
from lungsynth.release.registry import EXPORTERS
from lungsynth.study.errors import DataError

SPACING = (2.5, 2.0, 2.0)


def disc(size: int, row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def an_item(name: str = "composite_000003", size: int = 48) -> Item:
    rng = np.random.default_rng(3)
    image = rng.integers(-1000, 400, (size, size)).astype(np.int16)
    mask = np.zeros((size, size), np.uint8)
    mask[disc(size, 12, 14, 4)] = 1
    mask[disc(size, 33, 30, 6)] = 2
    image[mask == 1] = -600
    image[mask == 2] = 20
    return Item(name, image, mask, "n07", "g00001", 99, {1: "scan:4", 2: "w_capsule:1:17"}, {"rank": 3})


@pytest.mark.parametrize("name", EXPORTERS.names())
class TestEveryFormat:
    """The contract of every registered exporter."""

    def test_reads_back_equal(self, name, tmp_path):
        exporter, item = EXPORTERS.get(name)(), an_item()
        image, mask = tmp_path / f"a{exporter.suffix}", tmp_path / f"b{exporter.suffix}"
        exporter.write_image(image, item.image, SPACING)
        exporter.write_mask(mask, item.mask, SPACING)
        for got, wanted in ((exporter.read_image(image), item.image), (exporter.read_mask(mask), item.mask)):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)

    def test_same_bytes_twice_under_any_name(self, name, tmp_path):
        exporter, item = EXPORTERS.get(name)(), an_item()
        paths = [tmp_path / folder / f"{folder}{exporter.suffix}" for folder in ("one", "another")]
        for path in paths:
            path.parent.mkdir()
            exporter.write_image(path, item.image, SPACING)
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_says_what_a_value_means(self, name, tmp_path):
        exporter = EXPORTERS.get(name)()
        assert "HU" in exporter.image_values and exporter.suffix.startswith(".") and exporter.mask_values

    @settings(max_examples=10, deadline=None)
    @given(st.data())
    def test_any_shape_and_any_hu_of_the_scale(self, name, tmp_path_factory, data):
        shape = data.draw(st.tuples(st.integers(2, 9), st.integers(2, 9)))
        image = data.draw(hnp.arrays(np.int16, shape, elements=st.integers(-1024, 3071)))
        exporter = EXPORTERS.get(name)()
        path = tmp_path_factory.mktemp("any") / f"x{exporter.suffix}"
        exporter.write_image(path, image, SPACING)
        np.testing.assert_array_equal(exporter.read_image(path), image)


def test_nifti_carries_the_spacing_in_mm(tmp_path):
    EXPORTERS.get("nifti")().write_image(tmp_path / "x.nii.gz", an_item().image, (2.5, 1.5, 2.0))
    image = sitk.ReadImage(str(tmp_path / "x.nii.gz"))
    assert image.GetSize() == (48, 48, 1) and image.GetPixelID() == sitk.sitkInt16
    np.testing.assert_allclose(image.GetSpacing(), (2.0, 1.5, 2.5))


def test_png_is_16_bit_hu_plus_1024_and_refuses_less(tmp_path):
    exporter = EXPORTERS.get("png16")()
    exporter.write_image(tmp_path / "x.png", np.array([[-1024, 0], [40, 3071]], np.int16), SPACING)
    with Image.open(tmp_path / "x.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), [[0, 1024], [1064, 4095]])
    with pytest.raises(DataError, match="-2048 HU lies under -1024"):
        exporter.write_image(tmp_path / "y.png", np.full((2, 2), -2048, np.int16), SPACING)
    assert not (tmp_path / "y.png").exists()


def test_a_lesions_row_is_measured_on_its_mask():
    first, second = lesion_rows(an_item(), "images/x.nii.gz", 2.0)
    assert (first["row"], first["column"]) == (12, 14)
    assert [first[k] for k in ("row_min", "column_min", "row_max", "column_max")] == [8, 10, 16, 18]
    area = disc(48, 12, 14, 4).sum()
    assert first["diameter_mm"] == pytest.approx(2 * 2.0 * np.sqrt(area / np.pi))
    assert (first["texture"], second["texture"]) == ("ground_glass", "solid")
    assert (first["source_nodule"], second["source_nodule"]) == ("scan:4", "w_capsule:1:17")


def test_a_lesion_that_vanished_from_the_mask_is_an_error():
    item = an_item()
    item.mask[item.mask == 2] = 0
    with pytest.raises(DataError, match=r"composite_000003: the mask holds lesions \[1\], its rows \[1, 2\]"):
        lesion_rows(item, "x", 2.0)


def release(folder, items):
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    formats = EXPORTERS.names()
    return write_images(items, folder / "images", folder / "masks", formats, 2.0, 2.5, {"study": "test"})


def test_tables_name_files_that_exist_and_agree_with_them(tmp_path):
    manifest, lesions = release(tmp_path, [an_item("a"), an_item("b")])
    assert tuple(manifest.columns[:6]) == MANIFEST_COLUMNS and tuple(lesions.columns) == LESION_COLUMNS
    assert manifest.lesions.tolist() == [2, 2] == lesions.groupby("image").size().tolist()
    assert set(lesions.image) == set(manifest.file)
    for row in manifest.itertuples():
        assert row.file.split(".")[0].endswith("_synthetic") and row.mask.split(".")[0].endswith("_synthetic")
        image, mask = (sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f)))[0] for f in (row.file, row.mask))
        for lesion in lesions[lesions.image == row.file].itertuples():
            assert image[mask == lesion.label].mean() == pytest.approx(lesion.mean_hu)
    others = {f"{name}_file" for name in EXPORTERS.names()[1:]}
    assert others <= set(manifest.columns) and all((tmp_path / f).is_file() for c in others for f in manifest[c])


def test_every_sidecar_marks_its_image_as_synthetic(tmp_path):
    release(tmp_path, [an_item("a")])
    sidecar = json.loads((tmp_path / "images" / "a_synthetic.json").read_text())
    assert sidecar["synthetic"] is True and "NOT FOR DIAGNOSTIC" in sidecar["notice"]
    assert sidecar["values"]["png16"]["image"] == "uint16, value = HU + 1024"
    assert sidecar["source_nodules"] == {"1": "scan:4", "2": "w_capsule:1:17"} and sidecar["rank"] == 3


def test_a_release_made_twice_is_the_same_byte_for_byte(tmp_path):
    made = []
    for name in ("one", "two"):
        tables = release(tmp_path / name, [an_item("a"), an_item("b")])
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        made.append([(p.name, p.read_bytes()) for p in files] + [t.to_csv() for t in tables])
    assert made[0] == made[1] and len(made[0]) == 2 * 5 + 2


def test_a_shard_of_which_nothing_is_kept_gives_tables_that_join_the_others(tmp_path):
    none, some = release(tmp_path / "none", []), release(tmp_path / "some", [an_item()])
    for empty, full in zip(none, some, strict=True):
        assert len(empty) == 0 and list(empty.columns) == list(full.columns)


def test_an_empty_release_is_one_clear_line():
    with pytest.raises(DataError, match="the release is empty: the gate kept no composite"):
        a_sheet(images=0)


def a_sheet(**changes) -> Sheet:
    lesions = pd.DataFrame(lesion_rows(an_item(), "x", 2.0))
    left_out = markdown(pd.DataFrame({"what": ["erased by refinement"], "count": [7]}))
    facts = {
        "title": "Chests",
        "study": "demo",
        "seed": 1,
        "version": "0.1.0",
        "licence": "CC BY 4.0",
        "source_note": "Phantoms.",
    }
    facts |= {
        "images": 1,
        "lesions": 2,
        "size_px": 48,
        "mm_per_px": 2.0,
        "window_hu": (-1000.0, 400.0),
        "formats": ["nifti"],
    }
    facts |= {
        "values": {"nifti": "int16"},
        "lesion_table": markdown(lesion_summary(lesions)),
        "left_out_table": left_out,
    }
    return Sheet(**(facts | changes))


def test_the_datasheet_states_mark_licence_use_and_what_is_missing():
    text = datasheet(a_sheet())
    for words in ("NOT FOR DIAGNOSTIC USE", "CC BY 4.0", "## Intended use", "erased by refinement | 7", "Phantoms."):
        assert words in text
    assert "-1000 to 400 HU" in text and "| all | 2 |" in text and datasheet(a_sheet()) == text
    assert "Nothing was left out." in datasheet(a_sheet(left_out_table=""))


def test_the_cohort_table_counts_patients_not_scans():
    scans = pd.DataFrame({"patient": ["a", "a", "b"], "role": ["test", "test", "fit"]})
    assert cohort_summary(scans).to_dict("records") == [
        {"role": "fit", "patients": 1, "scans": 1},
        {"role": "test", "patients": 1, "scans": 2},
    ]
