"""Who the patient of a series is, also where PatientID is blank: what shares a study or a frame of reference is one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lungsynth.cohort.dicom.headers import Header, Tags

STAND_INS = ("StudyInstanceUID", "FrameOfReferenceUID", "SeriesInstanceUID")


class Patient(NamedTuple):
    """Attributes:
    text: the PatientID, or a UID that stands for the patient.
    is_id: whether it is the PatientID.
    """

    text: str
    is_id: bool


def patient_id(tags: Tags) -> str:
    """The PatientID; empty where it is missing or blank."""
    return str(tags.get("PatientID", None) or "").strip(" \0\t\r\n")


def patients_of(series: Mapping[str, Header]) -> dict[str, Patient]:
    """The patient of each series, by one header of it.

    Where PatientID is blank it is the id of another series of the same study or frame of reference; where there is
    none, the study's UID stands for the patient, else that of the frame, else that of the series. So two series of one
    study are never two patients.
    """
    uids = {key: stand_ins(header.tags) for key, header in series.items()}
    first = _linked(uids.values())
    ids: dict[str, set[str]] = defaultdict(set)
    for key, header in series.items():
        ids[first[uids[key][0]]].add(patient_id(header.tags))
    made = {}
    for key, header in series.items():
        stand_in = first[uids[key][0]]
        known = patient_id(header.tags) or min(ids[stand_in] - {""}, default="")
        made[key] = Patient(known or stand_in.partition(" ")[2], bool(known))
    return made


def stand_ins(tags: Tags) -> list[str]:
    """The UIDs that can stand for a patient, with their rank: of the study, the frame of reference, the series."""
    found = (str(tags.get(name, None) or "").strip() for name in STAND_INS)
    return [f"{rank} {uid}" for rank, uid in enumerate(found) if uid]


def _linked(chains: Iterable[Sequence[str]]) -> dict[str, str]:
    """UID -> the best UID that it is linked to; the UIDs of one series are linked."""
    root: dict[str, str] = {}

    def find(uid: str) -> str:
        while root.setdefault(uid, uid) != uid:
            root[uid] = root[root[uid]]
            uid = root[uid]
        return uid

    for chain in chains:
        for uid in chain:
            low, high = sorted((find(chain[0]), find(uid)))
            root[high] = low
    return {uid: find(uid) for uid in root}
