"""Every patient has one role; the deal follows the split, the seed and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungsynth.cohort.base import ROLES, ScanRef
from lungsynth.cohort.split import Claim, assign, check_roles, claims
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.stages.cohort import Split


def free(names):
    return [Claim(name, None, ROLES, "a") for name in names]


counts = st.builds(Split, **{role: st.integers(0, 20) for role in ROLES}).filter(
    lambda s: s.fit + s.tune + s.domain + s.test > 0
)


@given(n=st.integers(4, 60), split=counts, seed=st.integers(0, 1000))
def test_shares_follow_the_split_and_no_asked_role_stays_empty(n, split, seed):
    roles = assign(free(map(str, range(n))), split, seed)
    total = sum(getattr(split, role) for role in ROLES)
    assert len(roles) == n
    for role in ROLES:
        got, exact = list(roles.values()).count(role), n * getattr(split, role) / total
        assert (got == 0) == (getattr(split, role) == 0) or got >= 1
        assert got <= max(1, exact + 1)
        if total == n:
            assert got == getattr(split, role)


@given(names=st.sets(st.text("abcdef", min_size=1), min_size=4, max_size=30), seed=st.integers(0, 99), data=st.data())
def test_the_order_of_files_changes_nothing(names, seed, data):
    shuffled = data.draw(st.permutations(sorted(names)))
    assert assign(free(shuffled), Split(), seed) == assign(free(sorted(names)), Split(), seed)


def test_another_seed_deals_otherwise():
    people = free(map(str, range(24)))
    assert assign(people, Split(), 1) != assign(people, Split(), 2)


@given(closed=st.sets(st.integers(0, 29), max_size=10), seed=st.integers(0, 50))
def test_a_role_that_is_not_open_is_never_dealt(closed, seed):
    people = [Claim(str(k), None, ("fit", "tune", "domain") if k in closed else ROLES, "a") for k in range(30)]
    roles = assign(people, Split(), seed)
    assert len(roles) == 30
    assert not any(roles[str(k)] == "test" for k in closed)


def test_fixed_roles_stay_and_the_rest_is_dealt():
    fixed = [Claim("x", "test", ROLES, "b"), Claim("y", "test", ROLES, "b")]
    roles = assign([*fixed, *free("abc")], Split(fit=1, tune=1, domain=1, test=0), 3)
    assert {roles["x"], roles["y"]} == {"test"}
    assert sorted(roles[p] for p in "abc") == ["domain", "fit", "tune"]


def test_a_patient_of_two_sources_keeps_one_role():
    roles = assign([Claim("a", "test", ROLES, "lidc"), *free("abcde")], Split(fit=2, tune=1, domain=1, test=1), 1)
    assert roles["a"] == "test"


def test_a_patient_in_two_roles_stops_everything():
    with pytest.raises(DataError, match=r"patient a is in two roles: test \(lidc\) and fit \(patches\)"):
        assign([Claim("a", "test", ROLES, "lidc"), Claim("a", "fit", ROLES, "patches")], Split(), 1)


def test_sources_that_leave_no_role_open():
    with pytest.raises(DataError, match="leave no role open"):
        assign([Claim("a", None, ("fit",), "x"), Claim("a", None, ("test",), "y")], Split(), 1)


@pytest.mark.parametrize(("n", "text"), [(1, "1 patient for the roles"), (3, "3 patients for the roles")])
def test_too_few_patients_are_one_line(n, text):
    with pytest.raises(DataError, match=text) as caught:
        assign(free(map(str, range(n))), Split(), 1)
    assert "\n" not in str(caught.value)


def refs(*people):
    return [ScanRef(p, p, "volume", ()) for p in people]


def test_a_sources_role_and_its_named_patients():
    source = {"role": "fit", "roles": {"test": ["b"]}}
    made = claims(refs("a", "b", "c"), [ROLES, ROLES, ("test",)], source, "s")
    assert {claim.patient: claim.fixed for claim in made} == {"a": "fit", "b": "test", "c": "test"}


@pytest.mark.parametrize(
    ("roles", "pattern"),
    [({"test": ["z"]}, "no patient 'z' in the source"), ({"test": ["a"], "fit": ["a"]}, "has two roles")],
)
def test_named_patients_are_checked(roles, pattern):
    with pytest.raises(DataError, match=pattern):
        claims(refs("a"), [ROLES], {"roles": roles}, "cohort.sources[0]")


@pytest.mark.parametrize(
    "source", [{"role": "train"}, {"roles": {"tset": []}}, {"roles": ["a"]}, {"roles": {"fit": "a"}}]
)
def test_unknown_roles_are_a_fault_of_the_settings(source):
    with pytest.raises(StudyError, match=r"cohort.sources\[1\]"):
        check_roles(source, "cohort.sources[1]")
