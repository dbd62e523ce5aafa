"""Whose scan it is stays with the scan: planted names, dates and numbers reach no file and no log of a cohort."""

import gzip
import io
import os
import re
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from chest_samples import chest, write_dicom

from lungsynth.cohort.conclude import conclude
from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.cohort.names import Names, hide, public_id, token
from lungsynth.cohort.prepare import prepare_batch
from lungsynth.cohort.qc import qc_page
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

ONE = Split(fit=1, tune=0, domain=0, test=0)
PLANTED = {
    "PatientName": "QUENBY^XERXES",
    "PatientID": "MRN8812345",
    "PatientBirthDate": "19311213",
    "AccessionNumber": "ACC7712345",
    "InstitutionName": "ZYXHOSPITAL",
    "ReferringPhysicianName": "VORTIGERN^ABEL",
    "StudyDate": "20190317",
    "StudyDescription": "CHEST OF QUENBY",
}
SERIES = "1.3.12.2.1107.5.1.4.20190317.55555"
FOLDER, FILE = "QUENBY_XERXES 19311213", "MRN8812345 Quenby"
SECRETS = ("quenby", "xerxes", "8812345", "19311213", "7712345", "zyxhospital", "vortigern", "20190317", "zebediah")


def plant(root: Path) -> None:
    """A good scan, a truncated one, one with damaged tags, a report and a link, all of them full of names."""
    for k, name in enumerate(("good", "truncated", "tilted", "damaged")):
        own = {**PLANTED, "PatientID": f"{PLANTED['PatientID']}{k}"}
        folder = root / f"{FOLDER} {name}"
        write_dicom(folder, chest(seed=k)[0], series=f"{SERIES}.{k}", **own)
        for path in sorted(folder.iterdir()):
            data = pydicom.dcmread(path)
            private = data.private_block(0x0011, "ZEBEDIAH", create=True)
            private.add_new(0x01, "LO", "ZEBEDIAH was here")
            if name == "tilted":
                data.GantryDetectorTilt = 12
            data.save_as(path)
            path.rename(folder / f"{FILE} {path.name}")
    first = sorted((root / f"{FOLDER} truncated").iterdir())[0]
    first.write_bytes(first.read_bytes()[:-500])
    for path in (root / f"{FOLDER} damaged").iterdir():
        path.write_bytes(path.read_bytes().replace(b"DS\x04\x001.0 ", b"DS\x04\x00abc "))
    write_dicom(root / FOLDER, chest()[0][:2], series=f"{SERIES}.9", **{**PLANTED, "Modality": "SR"})
    write_dicom(root / f"{FOLDER} broken", chest()[0][:1], series=f"{SERIES}.8", **PLANTED)
    (path,) = (root / f"{FOLDER} broken").iterdir()
    path.write_bytes(path.read_bytes().replace(b"CS\x02\x00CT", b"CS\x62\x00CT"))  # Modality runs on into the name
    (root / FOLDER / "Quenby's notes.dcm").write_text("Quenby")
    (root / FOLDER / "Quenby.dcm").symlink_to("/dev/null")


def run(root: Path, out: Path, **own):
    """The cohort stage's tables, volumes, pictures and page."""
    sources = [{"reader": "dicom", "path": root.name, **own}]
    readers = [open_reader(sources[0], root.parent)]
    listed, unread = list_scans(readers, sources, ONE, 1, 1)
    write_csv(out / "scans.csv", listed)
    write_csv(out / "unread.csv", unread)
    listed, unread = read_csv(out / "scans.csv"), read_csv(out / "unread.csv")
    table = prepare_batch(listed.to_dict("records"), readers, out / "0")
    made = conclude(listed, unread, [out / "0"], ONE, 1, "report")
    for name in ("scans", "marks", "quarantine"):
        write_csv(out / f"cohort-{name}.csv", getattr(made, name))
    pictures = {path.stem: path.read_bytes() for path in (out / "0").glob("*.png")}
    (out / "qc.html").write_text(qc_page(made.every, pictures))
    with pytest.raises(DataError) as stopped:
        conclude(listed, unread, [out / "0"], ONE, 1, "stop")
    (out / "log.txt").write_text(str(stopped.value))
    return table, made


def opened(path: Path) -> bytes:
    """A file's name and bytes, unpacked where it is packed."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data += gzip.decompress(data)
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as packed:
            data += b"".join(packed.read(name) for name in packed.namelist())
    if path.suffix == ".png":
        data += b"".join(png_texts(data))
    return str(path.name).encode() + data


def png_texts(data: bytes):
    """Texts of a PNG, compressed ones unpacked."""
    stream = io.BytesIO(data[8:])
    while head := stream.read(8):
        body = stream.read(int.from_bytes(head[:4]) + 4)[:-4]
        if head[4:] in (b"tEXt", b"iTXt", b"eXIf"):
            yield body
        if head[4:] == b"zTXt":
            yield zlib.decompress(body.partition(b"\0")[2][1:])


def leaks(folder: Path) -> list[tuple[str, str]]:
    """File and secret for each secret that is found, in any case, in 8 or 16 bits."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = opened(path).lower()
        found += [(path.name, s) for s in SECRETS if s.encode() in data or s.encode("utf-16-le") in data]
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "scans"
    plant(root)
    return root


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_no_identity_reaches_a_file_or_the_log(planted, tmp_path, capfd):
    table, made = run(planted, tmp_path)
    reasons = made.quarantine.reason
    assert (table.verdict == "ok").sum() == 1, table.reason.tolist()
    for pattern in ("cannot be decoded", "tilted by 12", "cannot be understood", "SR", "is no DICOM file", "link"):
        assert reasons.str.contains(pattern).any(), f"no scan was set aside for: {pattern}"
    assert not re.search("|".join(SECRETS), "".join(capfd.readouterr()).lower())
    assert leaks(tmp_path) == []


def test_the_search_finds_what_is_there(planted, tmp_path):
    run(planted, tmp_path, keep_patient_ids=True)
    names = {name for name, _ in leaks(tmp_path)}
    assert {"scans.csv", "unread.csv", "cohort-quarantine.csv", "qc.html", "log.txt"} <= names
    assert any(name.endswith(".nii.gz") for name in names)


def test_the_search_looks_into_packed_files(tmp_path):
    text = b"Quenby"
    (tmp_path / "a.gz").write_bytes(gzip.compress(text * 9))
    np.savez_compressed(tmp_path / "b.npz", name=np.frombuffer(text * 9, np.uint8))
    chunk = b"zTXt" + b"who\0\0" + zlib.compress(text * 9)
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n" + (len(chunk) - 4).to_bytes(4) + chunk + bytes(4))
    assert leaks(tmp_path) == [("a.gz", "quenby"), ("b.npz", "quenby"), ("c.png", "quenby")]


def test_who_has_the_folder_finds_the_file_behind_a_token(planted, tmp_path):
    _, made = run(planted, tmp_path)
    reason = next(r for r in made.quarantine.reason if "decoded" in r)
    assert "python -m lungsynth.cohort.names FOLDER" in (tmp_path / "qc.html").read_text()
    (shown,) = re.findall(r"path-[0-9a-f]{16}", reason)
    command = [sys.executable, "-m", "lungsynth.cohort.names", str(planted), shown, "path-0"]
    first, second = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert first.startswith(f"{shown}  {FOLDER} truncated/{FILE}")
    assert second == "path-0  is not in this folder"


def test_a_file_that_went_away_is_one_line(tmp_path):
    write_dicom(tmp_path / "d", chest((12, 64, 64))[0])
    (ref,) = open_reader({"reader": "dicom", "path": "d"}, tmp_path).list()
    assert Names(tmp_path / "d").reveal(hide(ref, public=False)).source_files == ref.source_files
    (tmp_path / "d" / "0003.dcm").rename(tmp_path / "d" / "0099.dcm")
    with pytest.raises(DataError, match=r"^1 of 12 files of the scan were moved or renamed"):
        Names(tmp_path / "d").reveal(hide(ref, public=False))


def test_a_file_that_may_not_be_opened_sets_its_scan_aside_without_its_name(tmp_path):
    write_dicom(tmp_path / "d", chest((12, 64, 64))[0])
    source = {"reader": "dicom", "path": "d"}
    made = open_reader(source, tmp_path)
    listed, _ = list_scans([made], [source], ONE, 1, 1)

    def denied(ref):
        raise PermissionError(13, "Permission denied", str(tmp_path / "d" / "0003.dcm"))

    made.read = denied
    table = prepare_batch(listed.to_dict("records"), [made], tmp_path / "out")
    assert table.reason.tolist() == [f"{token('0003.dcm')}: Permission denied"]


def test_a_pseudonym_can_be_given_by_the_hash(tmp_path):
    write_dicom(tmp_path / "d", chest((12, 64, 64))[0], patient="MRN8812345")
    (ref,) = open_reader({"reader": "dicom", "path": "d"}, tmp_path).list()
    (given,) = open_reader({"reader": "dicom", "path": "d", "patients": {ref.patient: "A7"}}, tmp_path).list()
    assert given.patient == "A7"


def test_names_that_are_no_text_do_not_stop_the_list(tmp_path):
    write_dicom(tmp_path / "d", chest((12, 64, 64))[0])
    odd = str(tmp_path / "d").encode() + b"/\xff\n.dcm"
    with open(odd, "wb") as file:
        file.write(b"no image")
    for own in ({}, {"keep_patient_ids": True}):
        source = {"reader": "dicom", "path": "d", **own}
        _, unread = list_scans([open_reader(source, tmp_path)], [source], ONE, 1, 1)
        write_csv(tmp_path / "unread.csv", unread)
        (name,) = read_csv(tmp_path / "unread.csv").file
        assert name == ("\\xff\\n.dcm" if own else token(os.fsdecode(b"\xff\n.dcm")))


def test_public_ids_stay_and_others_become_hashes():
    for known in ("LIDC-IDRI-0001", "1.3.6.1.4.1.14519.5.2.1.6279.6001.77", ""):
        assert public_id(known, "P") == known
    for secret in ("QUENBY^XERXES", "LIDC-IDRI-0001 QUENBY", "1.2.840.20200131.1"):
        hidden = public_id(secret, "P")
        assert re.fullmatch(r"P-[0-9a-f]{10}", hidden)
        assert hidden == public_id(secret, "P")
