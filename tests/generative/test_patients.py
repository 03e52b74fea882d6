"""Any text normalises without an error; any order and grouping of versions makes the same persons."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.patients.people import LI, WANG, version

from xinglin.patients.contact import address_of, phone_of
from xinglin.patients.crosswalk import read_crosswalk
from xinglin.patients.errors import BadCrosswalk
from xinglin.patients.folding import NOTHING, Version, fold
from xinglin.patients.identity import check_character, parse_id
from xinglin.patients.index import PatientIndex
from xinglin.patients.names import compatible, name_of
from xinglin.stores.patient_index import PatientStore

KEYS = tuple(f"Patient/{n}" for n in range(1, 5))
SAID: tuple[dict[str, Any], ...] = (
    WANG,
    LI,
    {**WANG, "sex": "female"},
    {**WANG, "national_id": None, "identifier": "7", "identifier_system": "urn:his"},
    {"identifier": "7", "identifier_system": "urn:his"},
    {"name": "王伟", "birth_date": "1980-01-05", "insurance_id": "A123"},
    {"replaced_by": "Patient/1"},
    {"replaced_by": "Patient/3", **LI},
    {"status": "entered-in-error"},
)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_normalises_and_stays_so(text: str) -> None:
    found = parse_id(text)
    if found is not None:
        again = parse_id(found.number)
        assert again is not None and again.number == found.number
    name = name_of(text)
    assert name_of(name.key).key in (name.key, "")
    assert compatible(name, name)
    assert phone_of(phone_of(text)) in (phone_of(text), "")
    assert address_of(address_of(text)) == address_of(text)


@settings(deadline=None)
@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_never_passes_the_check(seventeen: str, at: int, shift: int) -> None:
    wrong = seventeen[:at] + str((int(seventeen[at]) + shift) % 10) + seventeen[at + 1 :]
    assert check_character(seventeen) != check_character(wrong)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_crosswalk_or_a_named_error(body: bytes) -> None:
    try:
        found = read_crosswalk(b"patient,person\n" + body)
    except BadCrosswalk:
        return
    assert all(found)


@st.composite
def histories(draw: st.DrawFn) -> list[Version]:
    """Versions of a few records, each at an instant of its own."""
    made = []
    for at in range(1, draw(st.integers(2, 9))):
        said = draw(st.sampled_from(SAID))
        cleared = draw(st.sampled_from(((), ("replaced_by",), ("national_id", "sex"))))
        partial = draw(st.booleans())
        made.append(
            version(draw(st.sampled_from(KEYS)), at, partial=partial, cleared=cleared if partial else (), **said)
        )
    return made


@settings(deadline=None)
@given(histories(), st.randoms())
def test_versions_fold_the_same_in_any_order(versions: list[Version], chance: Any) -> None:
    def folded(ordered: list[Version]) -> dict[str, Any]:
        states = dict.fromkeys(KEYS, NOTHING)
        for one in ordered:
            states[one.patient] = fold(states[one.patient], one)
        return {
            key: [(value, state.stamp(at)) for at, value in enumerate(state.values)] for key, state in states.items()
        }

    shuffled = chance.sample([*versions, *versions], 2 * len(versions))
    assert folded(versions) == folded(shuffled)


@settings(max_examples=25, deadline=None)
@given(histories(), st.randoms(), st.integers(1, 4))
def test_the_same_versions_make_the_same_persons_however_they_come(
    versions: list[Version], chance: Any, size: int
) -> None:
    def persons(groups: list[list[Version]]) -> tuple[dict[str, Any], dict[str, int]]:
        with tempfile.TemporaryDirectory() as folder:
            store = PatientStore.in_folder(Path(folder), bytes(32))
            index = PatientIndex(store)
            for group in groups:
                index.take(group, 99)
            found = {key: one.person for key, one in store.persons().items()}, dict(store.counts().links)
            assert len(store.persons()) != 1 and {one.patient for one in store.persons().values()} == set(found[0])
            for one in store.records():
                was = [person.person for _, person in store.person_history(one.key)]
                assert (was[-1] if was else "") == found[0].get(one.key, ""), "the lake's last row is the index's"
            store.close()
        return found

    shuffled = chance.sample(versions, len(versions))
    groups = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    assert persons([versions]) == persons(groups) == persons([*groups, versions])
