"""Folders of DICOM as they come: what is no CT is passed over, a bad series gives one line, the good ones are read."""

import os
import re

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from chest_samples import chest, write_dicom
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.uid import HTJ2KLossless, RLELossless

from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.cohort.prepare import prepare_batch
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

SHAPE = (12, 20, 24)
GOOD = "1.9.9"


def volume(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(-1000, 1000, shape)


def reader(root, **own):
    return open_reader({"reader": "dicom", "path": root.name, **own}, root.parent)


def verdicts(root):
    """Series UID -> its volume, or the one line that says why there is none; and the reasons of skipped files."""
    made, found = reader(root), {}
    for ref in made.list():
        try:
            found[ref.uid] = made.read(ref).volume
        except DataError as error:
            assert "\n" not in str(error)
            found[ref.uid] = str(error)
    return found, made.skipped


def edit(path, **tags):
    """Other tags for one file; None removes one."""
    data = pydicom.dcmread(path)
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        elif isinstance(value, DataElement):
            data.add(value)
        else:
            setattr(data, name, value)
    data.save_as(path)


@pytest.fixture
def folder(tmp_path):
    """A folder with one good series, to which the tests add."""
    write_dicom(tmp_path / "d", volume(9), series=GOOD, PatientID="good")
    for path in list((tmp_path / "d").iterdir()):
        path.rename(path.with_name(f"good{path.name}"))
    return tmp_path / "d"


def positions(z):
    return [(-100.0, -90.0, float(v)) for v in z]


EVEN = np.arange(12) * 5.0


@pytest.mark.parametrize(
    ("tags", "pattern"),
    [
        ({"PixelSpacing": [0, 0]}, "PixelSpacing is 0 x 0 mm"),
        ({"PixelSpacing": [0.7, -0.7]}, "PixelSpacing is 0.7 x -0.7 mm"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "8-bit pixels are no Hounsfield units"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "PhotometricInterpretation is not MONOCHROME2"),
        ({"GantryDetectorTilt": -7}, "tilted by 7 degrees"),
        ({"positions": positions([*EVEN[:6], *EVEN[:6]]), "AcquisitionNumber": 1}, "two slices lie at 0 mm; keep one"),
        ({"positions": positions([*EVEN[:4], *EVEN[5:], 60])}, "slices are missing after 15 mm .10 mm where 5 mm"),
        ({"positions": positions([*EVEN[:11], 51.5])}, "not evenly spaced, at 50 mm"),
        ({"positions": positions(np.cumsum([0, 5, 5, 5, 5, 5, 5, 5, 7, 7, 7, 7]))}, "not evenly spaced"),
        ({"positions": [(-100 + 9 * (k == 5), -90, 5 * k) for k in range(12)]}, "at 25 mm lies 9.0 mm beside the line"),
        ({"GantryDetectorTilt": [0, 7]}, "a tag of the series cannot be understood"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.9848, -0.1736]}, "the slices are sheared by 10.0 degrees"),
        ({"ImagePositionPatient": None}, "a slice has no ImagePositionPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "not two unit vectors"),
        ({"RescaleIntercept": "nan"}, "is no number"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_bad_series_gives_one_line_and_hides_no_good_one(folder, tags, pattern):
    write_dicom(folder, volume(), series="1.1", **tags)
    found, _ = verdicts(folder)
    assert np.array_equal(found[GOOD].hu, volume(9))
    assert isinstance(found["1.1"], str), "the bad series was read"
    assert pattern.replace(".10", "(10") in found["1.1"]


def test_two_acquisitions_in_one_series_are_named(folder):
    for number in (1, 2):
        write_dicom(folder.parent / str(number), volume(number), series="1.1", AcquisitionNumber=number)
        for path in (folder.parent / str(number)).iterdir():
            path.rename(folder / f"{number}-{path.name}")
    found, _ = verdicts(folder)
    assert "two slices lie at -200 mm of acquisitions 1 and 2; make them two series" in found["1.1"]
    assert np.array_equal(found[GOOD].hu, volume(9))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Modality": "MR"}, "modality MR, not CT"),
        ({"Modality": "SR"}, "modality SR, not CT"),
        ({"Modality": "CT PN DOE^JANE"}, "its modality is not CT"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "a localizer"),
        ({"ImageType": "LOCALIZER"}, "a localizer"),
        ({"SamplesPerPixel": 3}, "a colour picture"),
        ({"NumberOfFrames": 2}, "a multi-frame file"),
        ({"PixelSpacing": None}, "the tag PixelSpacing is missing"),
        ({"SeriesInstanceUID": None}, "the tag SeriesInstanceUID is missing"),
        ({"Modality": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, "the tag Modality is missing"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR|The value for the data element")
def test_what_is_no_ct_slice_is_one_line_for_the_folder(folder, tags, reason):
    write_dicom(folder / "more", volume(), series="1.1", **tags)
    found, skipped = verdicts(folder)
    assert list(found) == [GOOD]
    assert skipped == [("more/0000.dcm", f"{reason} (and 11 more in its folder)")]


@pytest.mark.parametrize("empty", [None, "", []])
def test_an_empty_image_type_says_nothing(tmp_path, empty):
    write_dicom(tmp_path / "d", volume(), ImageType=empty)
    assert np.array_equal(verdicts(tmp_path / "d")[0]["1.2.3.4"].hu, volume())


def test_files_that_are_no_images_do_no_harm(folder):
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (folder / "readme.txt").write_text("words")
    (folder / "no suffix").write_bytes(os.urandom(500))
    (folder / "empty.dcm").touch()
    (folder / "a folder.dcm").mkdir()
    (folder / ".hidden.dcm").write_text("x")
    os.mkfifo(folder / "pipe.dcm")
    found, skipped = verdicts(folder)
    assert np.array_equal(found[GOOD].hu, volume(9))
    assert skipped == [("empty.dcm", "is no DICOM file")]


def test_names_may_hold_spaces_and_any_letter(tmp_path):
    target = tmp_path / "d" / "Größe 5 µm — 肺 (1)"
    write_dicom(target, volume())
    for path in list(target.iterdir()):
        path.rename(path.with_name(f"Schicht № {path.name}"))
    assert np.array_equal(verdicts(tmp_path / "d")[0]["1.2.3.4"].hu, volume())


def test_links_are_followed_neither_for_ever_nor_out_of_the_folder(folder):
    outside = folder.parent / "outside"
    write_dicom(outside, volume(1), series="1.1")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "self.dcm").symlink_to("self.dcm")
    (folder / "again.dcm").symlink_to(next(folder.glob("good*")))
    (folder / "away.dcm").symlink_to(next(outside.iterdir()))
    (folder / "all.v2").symlink_to(outside, target_is_directory=True)
    found, skipped = verdicts(folder)
    assert list(found) == [GOOD]
    assert np.array_equal(found[GOOD].hu, volume(9))
    assert [(name, reason[:24]) for name, reason in skipped] == [
        ("all.v2", "is a link that leads out"),
        ("self.dcm", "is a link to nothing or "),
    ]
    assert skipped[0][1].endswith("(and 1 more in its folder)")


def test_a_link_to_a_file_that_is_not_found_by_itself_counts(tmp_path):
    write_dicom(tmp_path / "d" / ".store", volume())
    for path in (tmp_path / "d" / ".store").iterdir():
        (tmp_path / "d" / path.name).symlink_to(path)
    assert np.array_equal(verdicts(tmp_path / "d")[0]["1.2.3.4"].hu, volume())


def test_the_folder_itself_may_be_a_link(tmp_path):
    write_dicom(tmp_path / "real", volume())
    (tmp_path / "d").symlink_to(tmp_path / "real", target_is_directory=True)
    assert np.array_equal(verdicts(tmp_path / "d")[0]["1.2.3.4"].hu, volume())


def test_a_file_cut_off_within_its_tags_leaves_a_gap(folder):
    write_dicom(folder, volume(), series="1.1")
    path = next(p for p in folder.glob("0*.dcm") if str(pydicom.dcmread(p).SOPInstanceUID) == "1.1.5")
    path.write_bytes(path.read_bytes()[:420])
    found, skipped = verdicts(folder)
    assert "slices are missing after -185 mm" in found["1.1"]
    assert skipped[0][0] == path.name
    assert np.array_equal(found[GOOD].hu, volume(9))


@pytest.mark.parametrize("slopes", [(1, 2, 0.5), (1, 1.000244, 1), (0.5, 1, 2)])
def test_every_slice_has_its_own_slope_and_intercept(tmp_path, slopes):
    hu = volume()
    sops = write_dicom(tmp_path / "d", hu)
    by_sop = {str(pydicom.dcmread(path).SOPInstanceUID): path for path in (tmp_path / "d").iterdir()}
    expected = []
    for k, sop in enumerate(sops):
        slope, intercept = slopes[k % 3], -1024 - k
        edit(by_sop[sop], RescaleSlope=slope, RescaleIntercept=intercept)
        expected.append(np.clip(np.rint((hu[k] + 1024.0) * slope + intercept), -1024, 3071))
    assert np.array_equal(verdicts(tmp_path / "d")[0]["1.2.3.4"].hu, expected)


def test_slices_that_differ_in_their_sign_keep_their_values(tmp_path):
    hu = volume()
    write_dicom(tmp_path / "d", hu, PixelRepresentation=0)
    for path in sorted((tmp_path / "d").iterdir())[::2]:
        data = pydicom.dcmread(path)
        stored = data.pixel_array.astype(np.int32) - 1024
        edit(path, PixelRepresentation=1, RescaleIntercept=0, PixelData=stored.astype(np.int16).tobytes())
    assert np.array_equal(verdicts(tmp_path / "d")[0]["1.2.3.4"].hu, hu)


def test_padding_of_each_slice_is_its_own(tmp_path):
    hu = np.maximum(volume(), -980)
    hu[:, :2], hu[:, 2:4] = -1000, -990
    write_dicom(tmp_path / "d", hu)
    for path in sorted((tmp_path / "d").iterdir())[::2]:
        padding = {
            name: DataElement(name, "SS", value)
            for name, value in (("PixelPaddingValue", 24), ("PixelPaddingRangeLimit", 34))
        }
        edit(path, **padding)
    read = verdicts(tmp_path / "d")[0]["1.2.3.4"].hu
    emptied = (read[:, :4] == -1024).all((1, 2))
    assert np.count_nonzero(emptied) == 6
    assert np.array_equal(read[~emptied], hu[~emptied])
    assert np.array_equal(read[:, 4:], hu[:, 4:])


def test_noise_of_the_last_digits_is_no_fault(tmp_path):
    z = np.round(np.arange(12) * 0.625, 1)  # gaps of 0.6 and 0.7
    write_dicom(tmp_path / "d", volume(), positions=positions(z))
    for k, path in enumerate(sorted((tmp_path / "d").iterdir())):
        edit(path, PixelSpacing=[2.5 + 1e-6 * k, 2.5 - 1e-6 * k])
    made = verdicts(tmp_path / "d")[0]["1.2.3.4"]
    assert np.array_equal(made.hu, volume())
    assert made.spacing_mm[0] == pytest.approx(z[-1] / 11, abs=1e-6)


def test_a_slice_between_two_others_breaks_the_grid(tmp_path):
    write_dicom(tmp_path / "d", volume(), positions=positions([*EVEN[:11], 22]))
    assert "the slices are not evenly spaced" in verdicts(tmp_path / "d")[0]["1.2.3.4"]


@pytest.mark.parametrize("made", ["RLE", "JPEG", "JPEG2000"])
def test_compressed_slices_are_read(tmp_path, made):
    hu = volume(shape=(12, 64, 64))
    write_dicom(tmp_path / "d", hu)
    for path in (tmp_path / "d").iterdir():
        data = pydicom.dcmread(path)
        if made == "RLE":
            data.compress(RLELossless, generate_instance_uid=False)
        else:
            image = sitk.GetImageFromArray(data.pixel_array[None])
            draft = str(tmp_path / "draft.dcm")
            sitk.WriteImage(image, draft, useCompression=True, compressor=made)
            packed = pydicom.dcmread(draft)
            data.PixelData, data["PixelData"].is_undefined_length = packed.PixelData, True
            data.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
        assert data.file_meta.TransferSyntaxUID.is_compressed
        data.save_as(path)
    assert np.array_equal(verdicts(tmp_path / "d")[0]["1.2.3.4"].hu, hu)


def test_jpeg_ls_is_read(tmp_path):
    packed, plain = (pydicom.dcmread(get_testdata_file(f"MR_small{n}.dcm")) for n in ("_jpeg_ls_lossless", ""))
    write_dicom(tmp_path / "d", volume(shape=(1, 64, 64)))
    (path,) = (tmp_path / "d").iterdir()
    data = pydicom.dcmread(path)
    data.PixelData, data["PixelData"].is_undefined_length = packed.PixelData, True
    data.file_meta.TransferSyntaxUID = packed.file_meta.TransferSyntaxUID
    data.save_as(path)
    (made,) = verdicts(tmp_path / "d")[0].values()
    assert np.array_equal(made.hu[0], np.clip(plain.pixel_array.astype(int) - 1024, -1024, 3071))


def test_a_compression_that_cannot_be_decoded_is_named(folder):
    write_dicom(folder, volume(), series="1.1")
    for path in folder.glob("0*.dcm"):
        data = pydicom.dcmread(path)
        data.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + bytes(60)])
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = HTJ2KLossless
        data.save_as(path)
    found, _ = verdicts(folder)
    assert "High-Throughput JPEG 2000" in found["1.1"]
    assert "decompress it" in found["1.1"]
    assert np.array_equal(found[GOOD].hu, volume(9))


def test_pixels_without_a_rescale_are_seen_to_be_no_hounsfield_units(tmp_path):
    hu = chest()[0]
    empty = {"RescaleIntercept": None, "RescaleSlope": None}
    for patient, tags in (("a", {}), ("b", {"RescaleIntercept": 0}), ("c", empty), ("d", {})):
        write_dicom(tmp_path / "d" / patient, hu, patient=patient, series=f"1.{ord(patient)}", **tags)
    for path in (tmp_path / "d" / "d").iterdir():
        edit(path, RescaleIntercept=None, RescaleSlope=None)
    source = {"reader": "dicom", "path": "d", "keep_patient_ids": True}
    made = reader(tmp_path / "d", keep_patient_ids=True)
    listed, _ = list_scans([made], [source], Split(fit=1, tune=0, domain=0, test=0), 1, 1)
    table = prepare_batch(listed.to_dict("records"), [made], tmp_path / "out").set_index("patient")
    assert table.verdict.to_dict() == {"a": "ok", **dict.fromkeys("bcd", "quarantined")}
    assert table.reason[["b", "c", "d"]].str.contains("are these Hounsfield units?", regex=False).all()


def test_slices_of_two_patients_under_one_uid_stop_no_run(folder):
    write_dicom(folder, volume(), series="1.1")
    edit(folder / "0003.dcm", PatientID=None)
    made = reader(folder)
    listed, _ = list_scans([made], [{"reader": "dicom", "path": "d"}], Split(fit=1, tune=0, domain=0, test=0), 1, 1)
    assert len(listed) == 2
    assert "the slices of the series differ in PatientID" in verdicts(folder)[0]["1.1"]


def test_blanks_round_an_id_make_no_second_patient(folder):
    write_dicom(folder / "more", volume(), series="1.1", patient=" good")
    assert len({ref.patient for ref in reader(folder).list()}) == 1


def test_a_file_that_cannot_be_read_as_a_slice_is_told_even_without_a_suffix(folder, monkeypatch):
    write_dicom(folder / "more", volume()[:1])
    (path,) = (folder / "more").iterdir()
    data = pydicom.dcmread(path)
    data.preamble = None
    del data.file_meta
    data.save_as(folder / "IM0001", implicit_vr=True, little_endian=True, enforce_file_format=False)
    path.unlink()
    (folder / "IM0002").write_text("x")
    closed, opened = folder / "IM0002", type(folder).open

    def deny(path, *args, **options):
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(type(folder), "open", deny)
    skipped = dict(verdicts(folder)[1])
    assert skipped == {
        "IM0001": "is a DICOM file of the old form, without a preamble; convert it",
        "IM0002": "cannot be opened",
    }


@pytest.mark.parametrize(
    ("own", "pattern"),
    [
        ({"Rows": SHAPE[1] + 1}, "has 960 bytes of pixels where Rows, Columns and BitsAllocated ask for 1008"),
        ({"Rows": SHAPE[1] // 2}, "has 960 bytes of pixels where Rows, Columns and BitsAllocated ask for 480"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "has 960 bytes of pixels where .* ask for 1920"),
        ({"PixelData": bytes(900)}, "has 900 bytes of pixels where Rows, Columns and BitsAllocated ask for 960"),
    ],
)
def test_pixels_are_as_many_as_the_tags_say(folder, own, pattern):
    write_dicom(folder, volume(), series="1.1")
    for path in folder.glob("0*.dcm"):
        edit(path, **own)
    found, _ = verdicts(folder)
    assert re.search(pattern, found["1.1"])
    assert np.array_equal(found[GOOD].hu, volume(9))


def test_a_byte_that_makes_the_length_even_is_no_pixel(tmp_path):
    write_dicom(tmp_path / "d", volume())
    for path in (tmp_path / "d").iterdir():
        edit(path, PixelData=pydicom.dcmread(path).PixelData + bytes(2))
    assert np.array_equal(verdicts(tmp_path / "d")[0]["1.2.3.4"].hu, volume())
