"""The profile language: allow-lists, words and actions, and what is refused."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.kernel.errors import LimitExceeded
from xinglin.privacy.deidentify import (
    SHIPPED,
    BadProfile,
    Keys,
    NeedsToday,
    NoProfile,
    Risk,
    UnknownField,
    compile_profile,
    for_reader,
    grade_of,
    intersect,
    load_profile,
    shipped,
)
from xinglin.privacy.deidentify.actions import meet
from xinglin.privacy.deidentify.errors import BadKeys
from xinglin.privacy.deidentify.model import DROP, KEEP, Action, Profile

KEYS = Keys("study", "data", bytes(range(32)))
TODAY = dt.date(2026, 11, 22)
HEAD = 'format = 1\nname = "p"\ntitle = "t"\nsource = "s"\n'


def profile(text: str) -> Profile:
    return load_profile(HEAD + text)


@pytest.mark.parametrize(
    ("text", "place", "nearest"),
    [
        ('[tables.patient]\nkeep = ["sexx"]', "tables.patient", "sex"),
        ('[tables.pacient]\nkeep = ["sex"]', "tables", "patient"),
        ('[fhir.Patient]\nkeep = ["birthdate"]', "fhir.Patient", "birthDate"),
        ('[fhir.Patient]\nkeep = ["contact.nam"]', "fhir.Patient.contact", "name"),
        ('[fhir.Pacient]\nkeep = ["name"]', "fhir", "Patient"),
        ('[hl7v2.PIDD]\nkeep = ["3"]', "hl7v2", "PID"),
        ('[hl7v2.PID]\nkeep = ["99"]', "hl7v2.PID", ""),
        ('[hl7v2.PID]\nkeep = ["5@NM"]', "hl7v2.PID", ""),
        ('[tables.patient]\nwen = ["sex"]', "actions", ""),
        ('extends = ["clinicall"]', "extends", "clinical"),
        ('[actions]\nkeeep = "keep"\n[tables.patient]\nkeep = ["sex"]', "actions", "keep"),
        ('[actions]\nx = "kep"\n[tables.patient]\nx = ["sex"]', "actions.x", "keep"),
        ('[actions]\nx = { do = "generalise", dat = "year" }\n[tables.patient]\nx = ["sex"]', "actions.x", "date"),
        ("[table.patient]", "profile", "tables"),
        ('[readers]\nlane = ["x"]', "readers", "lanes"),
    ],
)
def test_an_unknown_name_is_refused_with_its_place_and_the_nearest(text: str, place: str, nearest: str) -> None:
    with pytest.raises(UnknownField) as refused:
        profile(text)
    assert (refused.value.place, refused.value.nearest) == (place, nearest)


@pytest.mark.parametrize(
    "text",
    [
        "no toml",
        '[actions]\nx = { do = "generalise" }\n[tables.patient]\nx = ["sex"]',
        '[actions]\nx = { do = "shift", days = -1 }\n[tables.patient]\nx = ["sex"]',
        '[actions]\nx = { do = "generalise", bin = -1 }\n[tables.patient]\nx = ["sex"]',
        '[actions]\nx = { do = "generalise", low = 3, high = 2 }\n[tables.patient]\nx = ["sex"]',
        '[actions]\nx = { do = "generalise", date = "week" }\n[tables.patient]\nx = ["sex"]',
        '[actions]\nx = "substitute"\n[tables.patient]\nx = ["sex"]',
        '[actions]\nx = 3\n[tables.patient]\nx = ["sex"]',
        '[tables.patient]\nkeep = ["sex"]\ndrop = ["sex"]',
        '[tables.patient]\nkeep = "sex"',
        '[own.patient]\nkeep = ["sex"]',
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadProfile):
        profile(text)


def test_another_format_a_missing_title_and_too_much_text_are_refused() -> None:
    with pytest.raises(BadProfile, match="format"):
        load_profile('format = 2\nname = "p"')
    with pytest.raises(BadProfile, match="title"):
        load_profile('format = 1\nname = "p"')
    with pytest.raises(LimitExceeded):
        profile("#" * 262_144)


@pytest.mark.parametrize(
    "text",
    [
        '[actions]\nx = { do = "shift", days = 9 }\n[tables.patient]\nx = ["sex"]',
        '[actions]\nx = { do = "generalise", bin = 9 }\n[tables.patient]\nx = ["birth_date"]',
        '[actions]\nx = { do = "generalise", prefix = 9 }\n[tables.encounter]\nx = ["length_days"]',
        '[actions]\nx = { do = "shift", days = 9 }\n[fhir.Patient]\nx = ["gender"]',
        '[actions]\nx = "note"\n[fhir.Patient]\nx = ["gender"]',
        '[actions]\nx = { do = "generalise", bin = 9 }\n[fhir.Patient]\nx = ["birthDate"]',
    ],
)
def test_an_action_that_does_not_fit_its_field_is_refused_when_compiled(text: str) -> None:
    with pytest.raises(BadProfile):
        compile_profile(profile(text), KEYS, TODAY)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_gives_no_direct_identifier(name: str) -> None:
    compiled = compile_profile(shipped(name), KEYS, TODAY)
    assert compiled.grade == 2
    assert not [each for each in compiled.remaining if each.sort == "direct"]
    assert compiled.tables


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_is_for_all_three_forms(name: str) -> None:
    read = shipped(name)
    for form, wanted in ((read.tables, "patient"), (read.fhir, "Patient"), (read.hl7v2, "PID")):
        assert any(action != DROP for action in form[wanted].values())


def test_the_grade_is_computed_from_what_remains() -> None:
    named = compile_profile(profile('[tables.patient]\nkeep = ["name", "sex"]'), KEYS)
    assert named.grade == 1
    quasi = compile_profile(profile('[tables.patient]\nkeep = ["sex"]'), KEYS)
    assert quasi.grade == 2
    assert quasi.grade_of_table("patient", Risk(0.04)) == 3
    assert quasi.grade_of_table("patient", Risk(0.06)) == 2
    assert quasi.grade_of_table("patient", Risk(0.2, acceptable=0.25)) == 3
    assert compile_profile(profile('[tables.condition]\nkeep = ["code"]'), KEYS).grade == 3
    assert grade_of(named.remaining, aggregated=True) == 4


@pytest.mark.parametrize(
    "text",
    [
        '[tables.patient]\nkeep = ["id"]',
        '[tables.observation]\nkeep = ["encounter"]',
        '[tables.note]\nkeep = ["body"]',
        '[fhir.Patient]\nkeep = ["id"]',
        '[fhir.Patient]\nkeep = ["name"]\n[fhir.HumanName]\nkeep = ["family"]',
        '[fhir.Observation]\nkeep = ["subject"]\n[fhir.Reference]\nkeep = ["reference"]',
        '[fhir.Observation]\nkeep = ["valueString"]',
        '[fhir.Patient]\nkeep = ["address.line"]',
        '[extensions]\n"http://x" = "keep"\n[fhir.Patient]\nkeep = ["gender"]',
        '[hl7v2.PID]\nkeep = ["3"]',
        '[hl7v2.PV1]\nkeep = ["7.2"]',
        '[hl7v2.ZPI]\nkeep = ["1"]',
        '[hl7v2.OBX]\nkeep = ["5@TX"]',
    ],
)
def test_what_names_a_person_is_grade_one_however_it_is_called(text: str) -> None:
    assert compile_profile(profile(text), KEYS).grade == 1


def test_high_ages_ask_for_the_day() -> None:
    with pytest.raises(NeedsToday):
        compile_profile(shipped("hipaa-safe-harbor"), KEYS)
    compile_profile(shipped("hipaa-limited"), KEYS)


def test_keys_name_a_study_and_are_long_enough_and_are_not_shown() -> None:
    for study, data_set, secret in (("", "d", bytes(32)), ("s", "", bytes(32)), ("s", "d", bytes(15))):
        with pytest.raises(BadKeys):
            Keys(study, data_set, secret)
    assert "\\x" not in repr(Keys("s", "d", bytes(32)))


@pytest.mark.parametrize("table", [table.name for table in CANONICAL_TABLES])
def test_the_lists_leave_system_columns_out_and_every_identifier_under_a_word_of_its_own(table: str) -> None:
    fields = shipped("hipaa-limited").tables[table]
    assert {"batch", "source", "message", "place", "recorded_at", "flags"}.isdisjoint(fields)
    columns = {column.name: column for column in next(t for t in CANONICAL_TABLES if t.name == table).columns}
    for name, action in fields.items():
        if name in columns and columns[name].role == "identifier" and name not in ("birth_date", "postal_code"):
            assert action.do in ("drop", "pseudonymise"), name


def test_a_reader_gets_the_strictest_of_the_profiles_made_for_such_readers() -> None:
    every = [shipped(name) for name in SHIPPED]
    assert for_reader(every, "emergency", "", "treatment") == shipped("emergency")
    met = for_reader([shipped("hipaa-limited"), shipped("gdpr-pseudonymised")], "research", "L2", "any")
    assert met.tables["condition"]["onset"].shift_days == 182
    assert met.tables["patient"]["postal_code"].digits == 2
    assert met.tables["patient"]["birth_date"].date == "year"
    assert met.tables["patient"]["city"] == DROP
    with pytest.raises(NoProfile):
        for_reader(every, "advertising", "L3", "any")


def test_narrowing_by_dotted_names_is_not_undone_by_another_profile() -> None:
    narrow = profile('[fhir.Patient]\nkeep = ["address.state"]\n[fhir.Address]\nkeep = ["state", "city", "line"]')
    wide = profile('[fhir.Patient]\nkeep = ["address"]\n[fhir.Address]\nkeep = ["state", "city", "line"]')
    body = {"resourceType": "Patient", "address": [{"state": "MA", "city": "Boston", "line": ["1 Main St"]}]}
    assert compile_profile(narrow, KEYS).resource(body)["address"] == [{"state": "MA"}]  # type: ignore[index]
    for met in (intersect(narrow, wide), intersect(wide, narrow)):
        given = compile_profile(met, KEYS).resource(body)
        assert given is None or "city" not in str(given)


ACTIONS = st.one_of(
    st.sampled_from([KEEP, DROP, Action("pseudonymise"), Action("note"), Action("substitute", value="x")]),
    st.builds(
        Action,
        st.just("change"),
        shift_days=st.sampled_from([0, 30, 182]),
        date=st.sampled_from(["", "month", "year"]),
        oldest=st.sampled_from([0, 85, 89]),
        digits=st.sampled_from([0, 2, 3]),
        prefix=st.sampled_from([0, 3]),
        low=st.sampled_from([None, 0.0, 1.0]),
        high=st.sampled_from([None, 9.0]),
        bin=st.sampled_from([0.0, 5.0, 10.0, 7.0]),
    ),
)


@given(ACTIONS, ACTIONS)
def test_the_strictest_of_two_is_the_same_in_either_order_and_drop_absorbs(one: Action, other: Action) -> None:
    assert meet(one, other) == meet(other, one)
    assert meet(one, one) == one
    assert meet(meet(one, other), other) == meet(one, other)
    assert meet(one, DROP) == DROP and meet(one, KEEP) == one


@given(ACTIONS, ACTIONS, ACTIONS)
def test_a_third_profile_never_brings_anything_back(one: Action, other: Action, third: Action) -> None:
    if meet(one, other) == DROP:
        assert meet(meet(one, other), third) == DROP
