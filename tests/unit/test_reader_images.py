"""Pictures become square slices on one scale; colour, damage and what has no class are refused in one line."""

import shutil

import numpy as np
import pytest
from chest_samples import chest, write_dicom
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.data import get_testdata_file

from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.cohort.prepare import prepare_batch
from lungsynth.release.exporter import About
from lungsynth.release.formats.png16 import Png16
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split


def levels(shape=(96, 128), top=256, seed=0):
    return np.random.default_rng(seed).integers(0, top, shape).astype(np.uint8 if top <= 256 else np.uint16)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def reader(root, **own):
    return open_reader({"reader": "images", "path": root.name, "size_px": 64, **own}, root.parent)


def only_scan(root, **own):
    made = reader(root, **own)
    (ref,) = made.list()
    return made.read(ref)


def fails(root, pattern, **own):
    with pytest.raises(DataError, match=pattern) as caught:
        only_scan(root, **own)
    assert "\n" not in str(caught.value)


def test_grey_levels_reach_from_air_to_the_top_of_the_window(tmp_path):
    for name, dtype, top in (("p8", np.uint8, 255), ("p16", np.uint16, 65535)):
        array = np.zeros((64, 64), dtype)
        array[0, 0], array[0, 1] = top, top // 5
        save(tmp_path / name / "a" / "x.png", array)
        hu = only_scan(tmp_path / name).volume.hu
        assert hu.dtype == np.int16
        assert (hu.shape, hu[0, 0, 0], hu[0, 0, 1], hu[0, 1, 1]) == ((1, 64, 64), 400, -720, -1000)
    assert only_scan(tmp_path / "p8", grey_hu=[-500, 100]).volume.hu[0, 0, 0] == 100


def test_twelve_bits_in_a_file_of_sixteen_are_stretched_when_named(tmp_path):
    array = np.zeros((64, 64), np.uint16)
    array[0, 0] = 4095
    save(tmp_path / "p" / "a" / "x.png", array)
    assert only_scan(tmp_path / "p", bits=12).volume.hu[0, 0, 0] == 400
    fails(tmp_path / "p", "x.png: has grey levels to 4095, more than bits 10", bits=10)


def test_released_pictures_come_back_as_their_hu(tmp_path):
    hu = np.random.default_rng(1).integers(-1024, 3000, (64, 64)).astype(np.int16)
    (tmp_path / "p" / "a").mkdir(parents=True)
    about = About("test", "0.1.0", "CC0", mm_per_px=2.0, slice_mm=2.5, window_hu=(-1000, 400))
    Png16(about).write_image(tmp_path / "p" / "a" / "x.png", hu)
    assert np.array_equal(only_scan(tmp_path / "p", grey_hu=[-1024, 64511]).volume.hu[0], hu)


@pytest.mark.parametrize("shape", [(96, 128), (128, 96), (64, 64), (200, 70)])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_mark_keeps_its_place_in_the_square(tmp_path, shape, fit):
    array = np.zeros(shape, np.uint8)
    at = (shape[0] // 2 - 9, shape[1] // 2 + 14)
    array[at[0] - 2 : at[0] + 3, at[1] - 2 : at[1] + 3] = 255
    save(tmp_path / "p" / "a" / "x.png", array)
    volume = only_scan(tmp_path / "p", fit=fit, mm_per_px=0.5).volume
    side = (min if fit == "crop" else max)(shape)
    assert volume.spacing_mm == pytest.approx((1, 0.5 * side / 64, 0.5 * side / 64))
    weight = (volume.hu - -1000.0).ravel()
    where = np.moveaxis(np.indices(volume.hu.shape), 0, -1).reshape(-1, 3)
    centre = volume.to_mm((where * weight[:, None]).sum(0) / weight.sum())
    assert centre[:2] == pytest.approx((at[1] * 0.5, at[0] * 0.5), abs=0.1)


def test_what_is_beyond_the_picture_is_air(tmp_path):
    save(tmp_path / "p" / "a" / "x.png", np.full((64, 128), 255, np.uint8))
    hu = only_scan(tmp_path / "p", fit="pad").volume.hu[0]
    assert (hu[:16] == -1000).all()
    assert (hu[17:47] == 400).all()


def test_equal_channels_are_grey(tmp_path):
    grey = levels((64, 64))
    smooth = np.add.outer(np.arange(64), 2 * np.arange(64)).astype(np.uint8)
    palette = Image.fromarray(grey).convert("P")
    save(tmp_path / "l" / "a" / "x.png", grey)
    save(tmp_path / "rgb" / "a" / "x.png", np.stack([grey] * 3, -1))
    save(tmp_path / "rgba" / "a" / "x.png", np.stack([grey] * 3 + [np.full_like(grey, 255)], -1))
    (tmp_path / "p" / "a").mkdir(parents=True)
    palette.save(tmp_path / "p" / "a" / "x.png")
    found = [only_scan(tmp_path / name).volume.hu for name in ("l", "rgb", "rgba", "p")]
    assert all(np.array_equal(hu, found[0]) for hu in found)
    save(tmp_path / "jpg" / "a" / "x.JPEG", np.stack([smooth] * 3, -1), format="JPEG", quality=95)
    expected = -1000 + smooth / 255 * 1400
    assert np.abs(only_scan(tmp_path / "jpg").volume.hu[0] - expected).mean() < 20


def test_a_picture_on_its_side_is_put_upright(tmp_path):
    array = np.zeros((64, 64), np.uint8)
    array[:32] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    save(tmp_path / "p" / "a" / "x.jpg", array, exif=exif)
    hu = only_scan(tmp_path / "p").volume.hu[0]
    assert hu[:24].max() < -900 < 300 < hu[40:].min()


@pytest.mark.parametrize(
    ("picture", "name", "pattern"),
    [
        (np.dstack([levels(), levels(), levels(seed=1)]), "x.png", "is a colour picture; save it as grey"),
        (np.dstack([levels()] * 4), "x.png", "is transparent in places"),
        (np.dstack([levels()] * 3), "cmyk.jpg", r"is a colour picture \(CMYK\)"),
    ],
)
def test_colour_is_refused(tmp_path, picture, name, pattern):
    path = tmp_path / "p" / "a" / name
    path.parent.mkdir(parents=True)
    made = Image.fromarray(picture)
    (made.convert("CMYK") if name == "cmyk.jpg" else made).save(path)
    fails(tmp_path / "p", f"{name}: {pattern}")


def test_several_pictures_in_a_file_are_refused(tmp_path):
    more = [Image.fromarray(levels(seed=1))]
    save(tmp_path / "p" / "a" / "x.png", levels(), save_all=True, append_images=more)
    fails(tmp_path / "p", "holds 2 pictures")


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.97])
def test_truncated_pictures_are_refused(tmp_path, name, share):
    path = save(tmp_path / "p" / "a" / name, levels())
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    fails(tmp_path / "p", f"a/{name}: cannot be read as a PNG or JPEG")


def test_one_format_under_the_name_of_another_is_read_and_others_are_not(tmp_path):
    save(tmp_path / "p" / "a" / "x.png", levels(), format="JPEG")
    assert only_scan(tmp_path / "p").volume.hu.shape == (1, 64, 64)
    save(tmp_path / "p" / "a" / "x.png", levels(), format="TIFF")
    fails(tmp_path / "p", "cannot be read as a PNG or JPEG")


def test_classes_are_folders_and_the_rest_is_named(tmp_path):
    for name in ("normal/1.png", "normal/deep er/2.png", "pneumonia/1.png", "loose.png", ".trash/1.png"):
        save(tmp_path / "p" / name, levels((64, 64)))
    (tmp_path / "p" / "normal" / "notes.txt").write_text("x")
    (tmp_path / "p" / "normal" / "fake.dcm").write_text("x")
    (tmp_path / "p" / "normal" / "away.png").symlink_to("/etc/passwd")
    (tmp_path / "p" / "pneumonia" / "round").symlink_to("..")
    made = reader(tmp_path / "p")
    assert sorted(ref.extra["class"] for ref in made.list()) == ["normal", "normal", "pneumonia"]
    assert {ref.kind for ref in made.list()} == {"slice"}
    assert dict(made.skipped) == {
        "loose.png": "lies in no class folder",
        "normal/away.png": "is a link that leads out of the folder; copy or move it in",
        "normal/fake.dcm": "is no DICOM file (InvalidDicomError)",
        "normal/notes.txt": "is no PNG, JPEG or DICOM file",
    }
    few = reader(tmp_path / "p", classes=["pneumonia"])
    assert [ref.extra["class"] for ref in few.list()] == ["pneumonia"]


def test_patients_are_files_unless_the_names_say_more(tmp_path):
    for name in ("normal/Doe-1.png", "normal/Doe-2.png", "ill/Doe-3.png"):
        save(tmp_path / "p" / name, levels((64, 64)))
    assert len({ref.patient for ref in reader(tmp_path / "p").list()}) == 3
    people = reader(tmp_path / "p", patient="/([^/]+)-").list()
    assert len({ref.patient for ref in people}) == 1
    assert len({ref.scan for ref in people}) == 3
    assert all(ref.patient.startswith("P-") and "Doe" not in ref.scan for ref in people)
    kept = reader(tmp_path / "p", patient="/([^/]+)-", keep_patient_ids=True).list()
    assert {ref.patient for ref in kept} == {"Doe"}


@pytest.mark.parametrize(
    "own", [{"size_px": 96}, {"size_px": 2048}, {"grey_hu": [0, 0]}, {"patient": "["}, {"fit": "stretch"}, {"bits": 4}]
)
def test_impossible_settings_are_refused(tmp_path, own):
    (tmp_path / "p").mkdir()
    with pytest.raises(ValueError, match=next(iter(own))):
        reader(tmp_path / "p", **own)


def test_a_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "p").mkdir()
    fails(tmp_path / "p", "no picture")


def test_dicom_ct_keeps_its_hu_and_its_patient(tmp_path):
    hu = chest(shape=(2, 64, 64))[0]
    write_dicom(tmp_path / "p" / "a", hu)
    made = reader(tmp_path / "p")
    refs = made.list()
    assert len({ref.patient for ref in refs}) == 1
    assert len({ref.uid for ref in refs}) == 2
    volumes = [made.read(ref).volume for ref in refs]
    assert {v.hu.tobytes() for v in volumes} == {hu[:1].tobytes(), hu[1:].tobytes()}
    assert volumes[0].spacing_mm == (1.0, 2.5, 2.5)


@pytest.mark.parametrize(("kind", "turned"), [("MONOCHROME2", False), ("MONOCHROME1", True)])
def test_other_dicom_is_grey_levels_with_white_bright(tmp_path, kind, turned):
    stored = np.zeros((1, 64, 64), np.int32)
    stored[0, 0, 0] = 4095
    tags = {"Modality": "DX", "PhotometricInterpretation": kind, "RescaleIntercept": -7, "PixelRepresentation": 0}
    write_dicom(tmp_path / "p" / "a", stored - 1024, BitsStored=12, HighBit=11, **tags)
    hu = only_scan(tmp_path / "p").volume.hu[0]
    assert (hu[0, 0], hu[5, 5]) == ((-1000, 400) if turned else (400, -1000))


def test_ct_whose_black_is_white_is_refused(tmp_path):
    write_dicom(tmp_path / "p" / "a", chest(shape=(1, 64, 64))[0], PhotometricInterpretation="MONOCHROME1")
    fails(tmp_path / "p", "is CT in MONOCHROME1")


def test_truncated_dicom_and_oblong_pixels_are_refused(tmp_path):
    write_dicom(tmp_path / "p" / "a", chest(shape=(1, 64, 64))[0])
    (path,) = (tmp_path / "p" / "a").iterdir()
    path.write_bytes(path.read_bytes()[:-300])
    fails(tmp_path / "p", "0000.dcm: ")
    write_dicom(tmp_path / "p" / "a", chest(shape=(1, 64, 64))[0], PixelSpacing=[1, 2])
    fails(tmp_path / "p", "pixels of 1 x 2 mm; they must be square")


def prepared(root, out, **own):
    made = reader(root, **own)
    listed, _ = list_scans([made], [{"reader": "images"}], Split(fit=1, tune=0, domain=0, test=0), 1, seed=1)
    return prepare_batch(listed.to_dict("records"), [made], out)


def test_only_chest_ct_needs_lungs(tmp_path):
    save(tmp_path / "p" / "a" / "x.png", levels((64, 64)))
    (row,) = prepared(tmp_path / "p", tmp_path / "free").to_dict("records")
    assert (row["verdict"], row["kind"]) == ("ok", "slice")
    (row,) = prepared(tmp_path / "p", tmp_path / "held", chest_ct=True, mm_per_px=1).to_dict("records")
    assert (row["verdict"], row["reason"]) == ("quarantined", "no lungs found")


def test_pixels_of_unknown_size_are_not_judged_by_it(tmp_path):
    for name, shape in (("wide", (640, 700)), ("small", (64, 64))):
        save(tmp_path / "p" / "a" / f"{name}.png", levels(shape) // 4 + 190)  # and nothing in it is as dark as air
    table = prepared(tmp_path / "p", tmp_path / "free")
    assert table.verdict.tolist() == ["ok", "ok"]
    assert table.spacing_mm.isna().all()
    assert table.hu_noise.isna().all()
    assert table["class"].tolist() == ["a", "a"]
    table = prepared(tmp_path / "p", tmp_path / "told", mm_per_px=0.5)
    assert sorted(table.reason) == ["", "pixels of 5 x 5 mm; 0.2 to 3 are possible"]
    save(tmp_path / "q" / "a" / "x.png", levels())
    fails(tmp_path / "q", "x.png: does not say how large its pixels are, .* set mm_per_px", chest_ct=True)


def test_the_picture_on_the_page_shows_every_grey_level(tmp_path):
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    save(tmp_path / "p" / "a" / "x.png", ramp)
    (row,) = prepared(tmp_path / "p", tmp_path / "out").to_dict("records")
    shown = np.asarray(Image.open(tmp_path / "out" / f"{row['scan']}.png").convert("L")).astype(int)[100]
    assert (shown[:4].max(), shown[-4:].min()) == (0, 255)
    assert np.abs(shown - np.linspace(0, 255, len(shown))).max() < 12


def test_names_in_pictures_and_of_files_reach_no_output(tmp_path):
    words = PngInfo()
    words.add_text("Patient", "Doe^Jane")
    save(tmp_path / "p" / "ill" / "Doe.png", levels((64, 64)), pnginfo=words)
    save(tmp_path / "p" / "ill" / "Doe cut.png", levels((64, 64))).write_bytes(b"")
    table = prepared(tmp_path / "p", tmp_path / "out")
    assert sorted(table.verdict) == ["ok", "quarantined"]
    texts = [path.name.encode() + path.read_bytes() for path in (tmp_path / "out").iterdir()]
    assert not [text for text in texts if b"doe" in text.lower()]


def test_a_tag_that_holds_a_name_by_mistake_is_quoted_nowhere(tmp_path, recwarn):
    write_dicom(tmp_path / "p" / "a", np.zeros((1, 64, 64), np.int16))
    path = next((tmp_path / "p" / "a").iterdir())
    raw = path.read_bytes()
    at = raw.index(b"\x28\x00\x30\x00DS")  # PixelSpacing: tag, kind, length of the value, value
    length = int.from_bytes(raw[at + 6 : at + 8], "little")
    path.write_bytes(raw[: at + 8] + b"Quenby".ljust(length) + raw[at + 8 + length :])
    fails(tmp_path / "p", "a tag cannot be understood$")
    assert [str(warning.message) for warning in recwarn.list] == []


@pytest.mark.parametrize("name", ["examples_palette.dcm", "examples_rgb_color.dcm"])
def test_dicom_in_colour_is_refused(tmp_path, name):
    (tmp_path / "d" / "a").mkdir(parents=True)
    shutil.copy(get_testdata_file(name, download=False), tmp_path / "d" / "a" / "x.dcm")
    fails(tmp_path / "d", "x.dcm: is in colour or has several frames")


@pytest.mark.parametrize(
    ("tags", "pattern"),
    [
        ({"Modality": "MR", "BitsStored": 0}, "a tag cannot be understood"),
        ({"RescaleSlope": "nan"}, "a tag cannot be understood"),
        ({"Rows": 512}, "has .* bytes of pixels where Rows, Columns and BitsAllocated ask for"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_dicom_whose_tags_cannot_be_true_is_refused(tmp_path, tags, pattern):
    write_dicom(tmp_path / "d" / "a", chest()[0][:1], **tags)
    fails(tmp_path / "d", rf"0000\.dcm: {pattern}")
