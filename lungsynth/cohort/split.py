"""Who may be used for what: every patient gets one role, and one only."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lungsynth.cohort.base import ROLES, ScanRef
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.seeds import rng
from lungsynth.study.stages.cohort import Role, Split


@dataclass(frozen=True)
class Claim:
    """What one source says of a patient: a role that is fixed, or those that are open; `why` names the source."""

    patient: str
    fixed: Role | None
    allowed: tuple[Role, ...]
    why: str


def check_roles(source: Mapping[str, Any], where: str) -> None:
    """The keys `role` and `roles` of a source.

    Raises:
        StudyError: an unknown role, or `roles` that is no mapping from roles to lists of patients.
    """
    named = source.get("roles") or {}
    if not isinstance(named, Mapping) or not all(isinstance(v, list | tuple) for v in named.values()):
        raise StudyError(f"{where}.roles: must map a role to a list of patients, got {named!r}")
    for role in [*named, *([source["role"]] if source.get("role") else [])]:
        if role not in ROLES:
            raise StudyError(f"{where}: no role {role!r}; there are: {', '.join(ROLES)}")


def claims(
    refs: Sequence[ScanRef], allowed: Sequence[tuple[Role, ...]], source: Mapping[str, Any], where: str
) -> list[Claim]:
    """A source's claims: patients named in `roles`, then what the reader prescribes, then the source's `role`.

    Raises:
        DataError: `roles` names a patient who is not in the source, or one patient twice.
    """
    check_roles(source, where)
    named: dict[str, Role] = {}
    known = {ref.patient for ref in refs}
    for role, patients in (source.get("roles") or {}).items():
        for patient in patients:
            if patient not in known:
                raise DataError(f"{where}.roles.{role}: no patient {patient!r} in the source")
            if named.setdefault(patient, role) != role:
                raise DataError(f"{where}.roles: patient {patient!r} has two roles, {named[patient]} and {role}")
    made = {}
    for ref, open_to in zip(refs, allowed, strict=True):
        fixed = named.get(ref.patient) or (open_to[0] if len(open_to) == 1 else source.get("role"))
        made[ref.patient] = Claim(ref.patient, fixed, tuple(open_to), where)
    return [made[patient] for patient in sorted(made)]


def assign(
    found: Sequence[Claim], split: Split, seed: int, together: Sequence[Collection[str]] = ()
) -> dict[str, Role]:
    """Patient -> role. Fixed roles stay; the rest is dealt out by the split's counts, or shares in their proportion.

    The deal depends on the seed and the set of patients alone, not on their order.

    Args:
        together: groups of patients who must have one role, since one picture is in the folders of all; each group
            counts as one patient. Groups with a patient in common are one.

    Raises:
        DataError: a patient in two roles, or too few patients for the roles that the split asks for.
    """
    leader = leaders(together)
    claims = [replace(claim, patient=leader.get(claim.patient, claim.patient)) for claim in found]
    roles = _dealt(claims, split, seed)
    return {patient: roles[leader.get(patient, patient)] for patient in sorted({claim.patient for claim in found})}


def leaders(together: Sequence[Collection[str]]) -> dict[str, str]:
    """Patient -> the first by name of all who must share a role with him."""
    groups: list[set[str]] = []
    for group in map(set, together):
        joined = [other for other in groups if other & group]
        groups = [other for other in groups if not other & group] + [group.union(*joined)]
    return {patient: min(group) for group in groups for patient in group}


def _dealt(found: Sequence[Claim], split: Split, seed: int) -> dict[str, Role]:
    roles, open_to = _fixed(found)
    rest = sorted(set(open_to) - set(roles))
    rng(seed, "cohort", "split").shuffle(rest)
    wanted = {role: getattr(split, role) for role in ROLES}
    slots = _slots(len(rest), wanted, set(roles.values()))
    held_back: list[str] = []
    for patient in rest:
        role = next((r for r in slots if r in open_to[patient]), None)
        if role is None:
            held_back.append(patient)
            continue
        slots.remove(role)
        roles[patient] = role
    for patient in held_back:
        roles[patient] = max(open_to[patient], key=lambda role: (wanted[role], -ROLES.index(role)))
    return roles


def _fixed(found: Sequence[Claim]) -> tuple[dict[str, Role], dict[str, tuple[Role, ...]]]:
    """The fixed roles, and for every patient the roles that all its sources allow."""
    roles: dict[str, Role] = {}
    why: dict[str, str] = {}
    open_to: dict[str, tuple[Role, ...]] = {}
    for claim in sorted(found, key=lambda c: (c.patient, c.why)):
        before = open_to.get(claim.patient, ROLES)
        open_to[claim.patient] = tuple(role for role in before if role in claim.allowed)
        if claim.fixed and roles.setdefault(claim.patient, claim.fixed) != claim.fixed:
            raise DataError(
                f"patient {claim.patient} is in two roles: {roles[claim.patient]} ({why[claim.patient]}) and "
                f"{claim.fixed} ({claim.why}); leave the patient out of one source"
            )
        if claim.fixed:
            why[claim.patient] = claim.why
    for patient, allowed in open_to.items():
        if not allowed and patient not in roles:
            raise DataError(f"patient {patient}: its sources leave no role open to it; name one under `roles`")
    return roles, open_to


def _slots(n: int, wanted: dict[Role, int], filled: set[Role]) -> list[Role]:
    """`n` roles in the split's proportion, by largest remainder, at least one for each role that nobody has yet."""
    total = sum(wanted.values())
    asked = [role for role in ROLES if wanted[role]]
    empty = [role for role in asked if role not in filled]
    if n < len(empty):
        people = "1 patient" if n == 1 else f"{n} patients"
        raise DataError(
            f"cohort: {people} for the roles {', '.join(empty)}; add patients or set roles to 0 in the split"
        )
    if n == 0:
        return []
    if total == 0:
        raise DataError("cohort.split: all counts are 0, but there are patients without a role")
    exact = {role: n * wanted[role] / total for role in asked}
    counts = {role: max(int(exact[role]), role in empty) for role in asked}
    while sum(counts.values()) < n:
        counts[max(asked, key=lambda r: (exact[r] - counts[r], -ROLES.index(r)))] += 1
    while sum(counts.values()) > n:
        able = [r for r in asked if counts[r] > (r in empty)]
        counts[max(able, key=lambda r: (counts[r] - exact[r], ROLES.index(r)))] -= 1
    return _interleaved(counts)


def _interleaved(counts: dict[Role, int]) -> list[Role]:
    """The roles in an order in which each is spread evenly."""
    at = defaultdict(list)
    for role, count in counts.items():
        for i in range(count):
            at[(i + 0.5) / count].append(role)
    return [role for place in sorted(at) for role in at[place]]
