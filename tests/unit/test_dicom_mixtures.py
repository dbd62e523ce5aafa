"""One series is one scan of one patient: what its slices do not have in common sets it aside, in one line."""

import itertools

import numpy as np
import pydicom
import pytest
from chest_samples import write_dicom

from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

SHAPE = (12, 20, 24)


def volume(seed=0):
    return np.random.default_rng(seed).integers(-1000, 1000, SHAPE)


def write(root, each, **tags):
    """A series; `each` gives the tags of slice k, None takes one away."""
    write_dicom(root, volume(), **tags)
    for path in root.iterdir():
        data = pydicom.dcmread(path)
        for name, value in each(int(data.SOPInstanceUID.rpartition(".")[2]) - 1).items():
            if value is None and name in data:
                delattr(data, name)
            elif value is not None:
                setattr(data, name, value if value != "empty" else None)
        data.save_as(path)


def read(root):
    made = open_reader({"reader": "dicom", "path": root.name}, root.parent)
    (ref,) = made.list()
    return made.read(ref).volume.hu


def fails(root, pattern):
    with pytest.raises(DataError, match=pattern) as caught:
        read(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", [None, "empty"])
@pytest.mark.parametrize("names", [("RescaleIntercept",), ("RescaleSlope",), ("RescaleSlope", "RescaleIntercept")])
def test_a_slice_without_its_rescale_is_no_slice_of_a_scan_whose_others_have_it(tmp_path, names, missing):
    write(tmp_path / "d", lambda k: dict.fromkeys(names, missing) if k == 5 else {})
    fails(tmp_path / "d", f"1 of 12 slices lack the tag {names[0]}")


def test_pixels_without_a_sign_and_without_an_intercept_are_no_hounsfield_units(tmp_path):
    write(tmp_path / "d", lambda k: {"RescaleIntercept": None, "RescaleSlope": None}, PixelRepresentation=0)
    fails(tmp_path / "d", "the tag RescaleIntercept is missing and the pixels have no sign")


def test_pixels_with_a_sign_and_without_any_rescale_are_their_hounsfield_units(tmp_path):
    write(tmp_path / "d", lambda k: {"RescaleIntercept": None, "RescaleSlope": None})
    assert np.array_equal(read(tmp_path / "d"), volume() + 1024)


def test_a_slope_of_zero_is_refused(tmp_path):
    write(tmp_path / "d", lambda k: {}, RescaleSlope=0)
    fails(tmp_path / "d", "RescaleSlope is 0")


def either(first, second):
    return lambda k: second if k % 2 else first


@pytest.mark.parametrize(
    ("each", "pattern"),
    [
        (either({"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": "B70f"}), "differ in ConvolutionKernel"),
        (either({"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": None}), "differ in ConvolutionKernel"),
        (lambda k: {"ConvolutionKernel": "B30f" if k < 6 else "B70f"}, "differ in ConvolutionKernel"),
        (either({"ConvolutionKernel": ["I30f", "3"]}, {"ConvolutionKernel": ["I30f", "2"]}), "ConvolutionKernel"),
        (either({"KVP": "80"}, {"KVP": "140"}), "differ in KVP"),
        (either({"FrameOfReferenceUID": "1.1"}, {"FrameOfReferenceUID": "1.2"}), "differ in FrameOfReferenceUID"),
        (either({"StudyInstanceUID": "1.1"}, {"StudyInstanceUID": "1.2"}), "differ in StudyInstanceUID"),
        (either({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}), "AcquisitionNumber goes back and forth"),
        (either({"AcquisitionNumber": 1}, {"AcquisitionNumber": "empty"}), "AcquisitionNumber goes back and forth"),
        (lambda k: {"AcquisitionNumber": 1 + k // 2 + 9 * (k % 2)}, "AcquisitionNumber goes back and forth"),
        (lambda k: {"AcquisitionNumber": 1 + (4 <= k < 8)}, "AcquisitionNumber goes back and forth"),
        (
            either({"AcquisitionTime": "101200"}, {"AcquisitionTime": "101230.25"}),
            "AcquisitionTime goes back and forth",
        ),
        (lambda k: {"AcquisitionTime": f"1012{30 * (k % 2) + k:02d}.5"}, "AcquisitionTime goes back and forth"),
        (
            either({"AcquisitionDateTime": "20200101101200"}, {"AcquisitionDateTime": "20200101101230.25+0100"}),
            "AcquisitionTime goes back and forth",
        ),
        (
            either({}, {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}),
            "ImageType goes back and forth",
        ),
    ],
)
def test_two_acquisitions_in_turn_are_not_one_scan(tmp_path, each, pattern):
    write(tmp_path / "d", each)
    fails(tmp_path / "d", f"{pattern}.* it is more than one scan")


@pytest.mark.parametrize(
    "each",
    [
        lambda k: {"AcquisitionNumber": k + 1, "AcquisitionTime": f"1012{4 * k:02d}"},
        lambda k: {"AcquisitionNumber": 12 - k, "AcquisitionTime": f"1012{59 - 4 * k:02d}"},
        lambda k: {"AcquisitionNumber": 1 + k // 6, "AcquisitionTime": "101200" if k < 6 else "101300"},
        lambda k: {"AcquisitionNumber": 1 + (k + 6) % 12, "AcquisitionTime": f"1012{4 * ((k + 6) % 12):02d}"},
        lambda k: {"AcquisitionTime": f"101200.{(7 * k) % 10}"},
        lambda k: {"AcquisitionTime": "235958" if k < 6 else "000001"},
        lambda k: {"AcquisitionTime": "no time"},
        lambda k: {"KVP": "120" if k % 2 else "120.0"},
        lambda k: {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "A"] if k < 6 else ["ORIGINAL", "PRIMARY", "AXIAL"]},
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_stations_that_follow_each_other_are_one_scan(tmp_path, each):
    write(tmp_path / "d", each)
    assert np.array_equal(read(tmp_path / "d"), volume())


@pytest.mark.parametrize(
    ("tags", "pattern"),
    [
        ({"AcquisitionTime": "101230"}, "two slices lie at -200 mm of two times of acquisition; make them two series"),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, "two slices lie at -200 mm of two values of ImageType; make"),
        ({"AcquisitionNumber": 2}, "two slices lie at -200 mm of acquisitions 2 and unknown; make them two series"),
        ({"ConvolutionKernel": "B70f"}, "differ in ConvolutionKernel"),
    ],
)
def test_slices_at_one_place_are_told_apart(tmp_path, tags, pattern):
    write(tmp_path / "d", lambda k: {}, AcquisitionTime="101200")
    write(tmp_path / "e", lambda k: tags, AcquisitionTime="101200")
    for path in (tmp_path / "e").iterdir():
        path.rename(tmp_path / "d" / f"e{path.name}")
    fails(tmp_path / "d", pattern)


BLANK = {"empty": {"PatientID": ""}, "absent": {"PatientID": None}, "blank": {"PatientID": "  "}}


def people(root, reader="dicom", **own):
    """Series -> patient, and how many have more than one role."""
    source = {"reader": reader, "path": root.name, **own}
    made = open_reader(source, root.parent)
    rows, _ = list_scans([made], [source], Split(fit=1, tune=0, domain=0, test=1), 1, 3)
    assert rows.groupby("patient").role.nunique().max() == 1
    return {ref.uid: ref.patient for ref in made.list()}


def link(root, series, tags):
    write(root / series, lambda k: tags, series=series)


@pytest.mark.parametrize("reader", ["dicom", "scans", "lidc"])
@pytest.mark.parametrize("blank", BLANK)
def test_series_of_one_study_are_one_patient_where_nobody_is_named(tmp_path, blank, reader):
    for person, series in itertools.product("123", "45"):
        own = {"StudyInstanceUID": f"1.{person}", "FrameOfReferenceUID": f"2.{person}.{series}"}
        link(tmp_path / "d", f"9.{person}.{series}", BLANK[blank] | own)
    found = people(tmp_path / "d", reader)
    assert len(set(found.values())) == 3
    assert all(patient.startswith("P-") for patient in found.values())
    for person in "123":
        assert found[f"9.{person}.4"] == found[f"9.{person}.5"]


def test_without_a_study_the_frame_of_reference_is_the_patient_and_then_the_series(tmp_path):
    nobody = {"PatientID": "", "StudyInstanceUID": None}
    link(tmp_path / "d", "9.1", nobody | {"FrameOfReferenceUID": "2.1"})
    link(tmp_path / "d", "9.2", nobody | {"FrameOfReferenceUID": "2.1"})
    link(tmp_path / "d", "9.3", nobody)
    link(tmp_path / "d", "9.4", nobody)
    link(tmp_path / "d", "9.5", {"PatientID": "", "StudyInstanceUID": "1.5", "FrameOfReferenceUID": "2.1"})
    found = people(tmp_path / "d")
    assert found["9.1"] == found["9.2"] == found["9.5"]
    assert len(set(found.values())) == 3


def test_a_series_without_a_name_belongs_to_the_patient_of_its_study(tmp_path):
    link(tmp_path / "d", "9.1", {"PatientID": "Doe", "StudyInstanceUID": "1.1"})
    link(tmp_path / "d", "9.2", {"PatientID": "", "StudyInstanceUID": "1.1"})
    link(tmp_path / "d", "9.3", {"PatientID": "Roe", "StudyInstanceUID": "1.2"})
    link(tmp_path / "d", "9.4", {"PatientID": "", "StudyInstanceUID": "1.4"})
    found = people(tmp_path / "d")
    assert found["9.1"] == found["9.2"]
    assert len(set(found.values())) == 3
    kept = people(tmp_path / "d", keep_patient_ids=True)
    assert (kept["9.1"], kept["9.2"], kept["9.3"]) == ("Doe", "Doe", "Roe")
    assert kept["9.4"].startswith("P-")


def test_slices_as_scans_have_the_patient_of_their_study(tmp_path):
    link(tmp_path / "d", "9.1", {"PatientID": ""})
    made = open_reader({"reader": "dicom", "path": "d", "images": "slices"}, tmp_path)
    assert (len(made.list()), len({ref.patient for ref in made.list()})) == (12, 1)


@pytest.mark.parametrize(
    ("each", "said"),
    [
        (lambda k: {"InstanceNumber": k + 7}, "its slices are numbered from 7 on; those before are not in the folder"),
        (
            lambda k: {"InstanceNumber": k + 1, "ImagesInAcquisition": 24},
            "its tags count 24 slices, the folder holds 12",
        ),
        (lambda k: {"NumberOfSeriesRelatedInstances": 13}, "its tags count 13 slices, the folder holds 12"),
        (lambda k: {"InstanceNumber": 2 * k + 7}, None),
        (lambda k: {"InstanceNumber": k + 1, "ImagesInAcquisition": 6}, None),
        (lambda k: {"InstanceNumber": "empty"}, None),
    ],
)
def test_a_series_whose_numbers_show_that_its_end_is_missing_is_told(tmp_path, each, said):
    write(tmp_path / "d", each)
    made = open_reader({"reader": "dicom", "path": "d"}, tmp_path)
    assert len(made.list()) == 1
    assert made.skipped == ([("0000.dcm", said)] if said else [])
