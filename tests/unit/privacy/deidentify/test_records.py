"""Tables, resources and messages of one study: the same pseudonyms, intervals kept, two studies apart."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.privacy.deidentify import BadRecord, Compiled, Keys, UnknownField, compile_profile, load_profile, shipped
from xinglin.privacy.deidentify.keys import Noise, Prf, Pseudonyms, Shifts

TODAY = dt.date(2026, 11, 22)
SECRET = bytes(range(32))
HEAD = 'format = 1\nname = "p"\ntitle = "t"\nsource = "s"\n'


def compiled(name: str = "gdpr-pseudonymised", study: str = "study") -> Compiled:
    return compile_profile(shipped(name), Keys(study, "data", SECRET), TODAY)


def own(text: str) -> Compiled:
    return compile_profile(load_profile(HEAD + text), Keys("study", "data", SECRET), TODAY)


def texts(*values: str | None) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def day(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def test_one_person_is_the_same_in_tables_resources_and_messages() -> None:
    it = compiled()
    table = it.table("patient", {"id": texts("Patient/00123"), "sex": texts("male")}, texts("Patient/00123"))
    body = it.resource({"resourceType": "Patient", "id": "00123", "gender": "male"})
    seen = it.resource({"resourceType": "Observation", "subject": {"reference": "Patient/00123", "display": "Li"}})
    message = it.message(b"MSH|^~\\&|||||20240301||ADT^A01|1|P|2.5\rPID|1||00123^^^^MR||Li^San||19900307|M\r")
    assert body is not None and seen is not None
    assert table["id"][0] == f"Patient/{body['id']}" == seen["subject"]["reference"]
    assert message.split(b"\r")[1].split(b"|")[3].decode() == body["id"]
    assert seen["subject"].keys() == {"reference"}


def test_visits_and_merged_persons_of_messages_are_those_of_the_tables() -> None:
    it = compiled()
    head = b"MSH|^~\\&|||||20240301||ADT^A40|1|P|2.5\rPID|1||8^^^HIS^MR~110101199003071234^^^^NNCHN\rMRG|7^^^HIS^MR\r"
    lines = it.message(head + b"PV1|1|I" + b"|" * 17 + b"V1^^^HIS^VN\r").decode().split("\r")
    ids = it.table(
        "encounter", {"id": texts("Encounter/HIS.V1"), "patient": texts("Patient/HIS.8")}, texts("Patient/HIS.8")
    )
    assert "Patient/" + lines[1].split("|")[3] == ids["patient"][0]
    assert (
        "Patient/" + lines[2].split("|")[1] == it.table("patient", {"id": texts("Patient/HIS.7")}, texts("x"))["id"][0]
    )
    assert "Encounter/" + lines[3].split("|")[19] == ids["id"][0]


def test_the_column_of_persons_gives_the_same_whether_or_not_it_is_the_very_array() -> None:
    it = compiled()
    persons = texts("Patient/1", None, "Patient/2", "Patient/1")
    same = it.table("condition", {"patient": persons}, persons)["patient"]
    apart = it.table("condition", {"patient": persons.copy()}, persons)["patient"]
    assert same.tolist() == apart.tolist() and same[1] is None and same[0] == same[3] != same[2]
    assert it.table("condition", {"patient": texts()}, texts())["patient"].tolist() == []


def test_the_namespace_of_a_source_is_part_of_the_key_and_is_not_shown() -> None:
    it = compiled()
    table = it.table("patient", {"id": texts("north/Patient/7", "south/Patient/7")}, texts("a", "b"))
    bodies = [it.resource({"resourceType": "Patient", "id": "7"}, namespace=each) for each in ("north", "south")]
    assert [f"Patient/{body['id']}" for body in bodies if body] == list(table["id"])
    assert table["id"][0] != table["id"][1] and "north" not in table["id"][0]


def test_parts_of_a_fact_stay_parts_of_it() -> None:
    ids = compiled().table("observation", {"id": texts("Observation/1", "Observation/1#2")}, texts("p", "p"))["id"]
    assert ids[1] == ids[0] + "#2"


@given(st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=30))
@settings(max_examples=40)
def test_a_column_gives_what_single_values_give_and_two_studies_cannot_join(values: list[str]) -> None:
    one, other = (Pseudonyms(Keys(study, "data", SECRET)) for study in ("one", "other"))
    many = one.of_texts(values)
    assert many == [one.of(value) for value in values]
    assert len(set(many)) == len(set(values))
    assert not {text[-32:] for text in many} & {text[-32:] for text in other.of_texts(values)}


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8), st.binary(min_size=16, max_size=32))
def test_keys_of_studies_and_data_sets_never_meet(study: str, data_set: str, secret: bytes) -> None:
    keys = Keys(study, data_set, secret)
    others = [
        Keys(study + "x", data_set, secret),
        Keys(study, data_set + "x", secret),
        Keys(study, data_set, secret + b"x"),
    ]
    if len(study) > 1:
        others.append(Keys(study[:-1], study[-1] + data_set, secret))
    derived = {keys.derive("pseudonym"), keys.derive("shift"), *(other.derive("pseudonym") for other in others)}
    assert len(derived) == 2 + len(others)


def test_long_texts_and_texts_with_odd_ends_have_pseudonyms_of_their_own() -> None:
    prf = Prf(SECRET)
    values = ["a", "a\0", "a\0\0", "", "x" * 62, "x" * 63, "x" * 64, "张" * 20, "张" * 21, "张" * 40, "\ud800"]
    assert len({bytes(row) for row in prf.of_texts(values)}) == len(values)


def test_plain_keys_of_one_type_are_not_told_from_others() -> None:
    it = Pseudonyms(Keys("s", "d", SECRET))
    plain = (["Patient/1", "Patient/2"], ["Patient/1", "x"], ["Patient/", "Patient/1"], ["Patient/1", "Patient/1/2"])
    odd = (["Patient/1\nPatient/2", "Patient/3"], ["Patient/1", "\nPatient/"])
    for values in (*plain, *odd):
        assert it.of_texts(values) == [it.of(value) for value in values], values


def test_intervals_of_a_person_stay_in_and_across_tables_and_forms() -> None:
    it = compiled()
    person, other = "Patient/1", "Patient/2"
    onsets = np.array([day("2020-01-01"), day("2020-03-01"), day("2020-01-01")]) * 86_400_000
    out = it.table("condition", {"onset": onsets}, texts(person, person, other))["onset"]
    assert out[1] - out[0] == onsets[1] - onsets[0]
    assert out[0] != onsets[0] and out[2] != onsets[2]
    moved = (out[0] - onsets[0]) // 86_400_000
    body = it.resource({"resourceType": "Condition", "subject": {"reference": person}, "onsetDateTime": "2020-01-01"})
    assert body is not None
    assert day(body["onsetDateTime"]) - day("2020-01-01") == moved
    message = it.message(b"MSH|^~\\&|||||20200101||ADT^A01|1|P|2.5\rPID|1||1^^^^MR\r").split(b"\r")[0].split(b"|")[6]
    assert (dt.datetime.strptime(message.decode(), "%Y%m%d").date() - dt.date(2020, 1, 1)).days == moved


@given(st.integers(1, 3660), st.lists(st.text(max_size=12), min_size=1, max_size=40, unique=True))
def test_a_shift_is_never_nothing_and_within_its_range(days: int, persons: list[str]) -> None:
    shifts = Shifts(Keys("s", "d", SECRET)).of_texts(persons, days)
    assert np.all(np.abs(shifts) <= days) and np.all(shifts != 0)


def test_shifts_spread_over_their_whole_range() -> None:
    shifts = Shifts(Keys("s", "d", SECRET)).of_texts([str(n) for n in range(20_000)], 10)
    counts = np.bincount(shifts + 10, minlength=21)
    assert counts[10] == 0
    others = np.delete(counts, 10)
    # 1,000 are expected of each; five standard deviations are 154.
    assert others.min() > 846 and others.max() < 1154


def test_dates_of_nobody_are_not_given_where_they_would_have_to_move() -> None:
    it = compiled()
    out = it.table("condition", {"onset": np.array([0, 0])}, texts("Patient/1", None))["onset"]
    assert not np.isnan(out[0]) and np.isnan(out[1])
    assert it.resource({"resourceType": "Condition", "onsetDateTime": "2020-01-01"}) is None
    body = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}}
    moved = it.resource({**body, "onsetDateTime": "2020-03", "recordedDate": "2020"})
    assert moved is not None
    assert "onsetDateTime" not in moved and "recordedDate" not in moved, "a month that stays would tell the shift"


@pytest.mark.parametrize("dtype", ["int64", "float64", "datetime64[D]"])
def test_dates_become_years_in_any_kind_of_array(dtype: str) -> None:
    days = np.array([day("1990-05-06"), day("1969-12-31"), day("1930-01-01")]).astype(dtype)
    out = compiled("hipaa-safe-harbor").table("patient", {"birth_date": days}, texts("a", "b", "c"))["birth_date"]
    assert out.dtype == days.dtype
    wanted = [day("1990-01-01"), day("1969-01-01"), day("1936-01-01")]
    assert out.astype("int64").tolist() == wanted, "who may be over 89 is in the one oldest year"


def test_missing_dates_stay_missing_and_precisions_are_told() -> None:
    columns = {
        "started": np.array([np.nan, day("2020-05-06") * 86_400_000.0 - 3_600_000]),
        "started_precision": texts(None, "minute"),
        "started_zone": texts(None, "+08:00"),
    }
    out = compiled("gb-t-37964").table("encounter", columns, texts("a", "a"))
    assert np.isnan(out["started"][0]) and out["started"][1] == day("2020-05-01") * 86_400_000
    assert out["started_precision"].tolist() == [None, "month"]
    assert out["started_zone"].tolist() == [None, None]


def test_a_date_in_a_table_that_is_told_to_the_month_does_not_move() -> None:
    columns = {"onset": np.array([0, 0, 0]), "onset_precision": texts("month", "day", "year")}
    out = compiled().table("condition", columns, texts("a", "a", "a"))["onset"]
    assert np.isnan(out[[0, 2]]).all() and not np.isnan(out[1])


@pytest.mark.parametrize("hidden", ["TZhang San", "T10:11:12.110101199003071234Z", "T10:11 Li", "T10:11:12Z x", "Tx"])
def test_nothing_hides_behind_a_date(hidden: str) -> None:
    body = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "recordedDate": "2020-01-01" + hidden}
    for name in ("gdpr-pseudonymised", "gb-t-37964", "hipaa-limited"):
        given = compiled(name).resource(body)
        if name != "hipaa-limited" or "110101" not in hidden:
            assert given is not None and "recordedDate" not in given
    message = f"MSH|^~\\&|||||20240301{hidden[1:]}||ADT^A01|1|P|2.5\rPID|1||1^^^^MR\r"
    given_message = compiled().message(message.encode()).decode()
    assert given_message.split("|")[6] == ""


def test_years_and_area_codes_and_diagnoses_are_coarser() -> None:
    columns = {"birth_year": np.array([1930, 1990]), "postal_code": texts("02139", "20301"), "sex": texts("male", None)}
    out = compiled("hipaa-safe-harbor").table("patient", columns, texts("a", "b"))
    assert out["birth_year"].tolist() == [1936, 1990]
    assert out["postal_code"].tolist() == ["021", "000"]
    assert compiled("gb-t-37964").table("patient", columns, texts("a", "b"))["postal_code"].tolist() == ["02", "20"]
    assert compiled("gb-t-42460").table("patient", columns, texts("a", "b"))["birth_year"].tolist() == [1930, 1990]
    codes = compiled("public").table("condition", {"code": texts("E11.9", None)}, texts("a", "b"))
    assert codes["code"].tolist() == ["E11", None]
    coding = {"system": "urn:oid:2.16.840.1.113883.6.3", "code": "E11.9", "display": "x"}
    body = {"resourceType": "Condition", "code": {"coding": [coding]}}
    coded = compiled("public").resource(body)
    assert coded is not None and coded["code"] == {"coding": [{"system": coding["system"], "code": "E11"}]}


def test_only_what_is_named_comes_out_of_a_table() -> None:
    columns = {"id": texts("Condition/1"), "note": texts("Li San"), "batch": np.array([1]), "unheard": texts("x")}
    assert set(compiled("hipaa-safe-harbor").table("condition", columns, texts("a"))) == {"id"}
    with pytest.raises(UnknownField, match="condition"):
        compiled().table("conditions", columns, texts("a"))
    with pytest.raises(BadRecord):
        compiled().table("condition", columns, texts("a", "b"))


def test_what_the_source_wrote_in_words_has_to_be_named_itself() -> None:
    columns = {name: texts("x") for name in ("code", "code_system", "code_source", "code_source_text", "code_loss")}
    assert set(compiled("hipaa-limited").table("condition", columns, texts("a"))) == set(columns) - {"code_source_text"}
    assert set(compiled("emergency").table("condition", columns, texts("a"))) == set(columns)
    kept = own('[tables.condition]\nkeep = ["code"]\ndrop = ["code_source"]')
    assert set(kept.table("condition", columns, texts("a"))) == {"code", "code_system", "code_loss"}


NUMBERS = """
[actions]
binned = { do = "generalise", low = 0, high = 100, bin = 10 }
noised = { do = "perturb", span = 4, places = 3 }
named = { do = "substitute", value = "redacted" }
[own.visits]
binned = ["age"]
noised = ["weight"]
named = ["ward"]
[fhir.Observation]
noised = ["valueQuantity"]
[fhir.Quantity]
keep = ["value", "unit"]
"""


def test_numbers_are_binned_and_noised_and_the_same_question_has_the_same_answer() -> None:
    it = own(NUMBERS)
    columns = {"age": np.array([-5, 37, 140]), "weight": np.array([70.0, np.nan, 80.0]), "ward": texts("A", None, "B")}
    out, again = (it.table("visits", columns, texts("a", "b", "a")) for _ in range(2))
    assert out["age"].tolist() == [0, 30, 100]
    assert out["ward"].tolist() == ["redacted", None, "redacted"]
    assert abs(out["weight"][0] - 70) <= 2 and out["weight"][0] != 70 and np.isnan(out["weight"][1])
    np.testing.assert_array_equal(out["weight"], again["weight"])
    told = it.resource({"resourceType": "Observation", "valueQuantity": {"value": 70, "unit": "kg"}})
    assert told is not None and abs(told["valueQuantity"]["value"] - 70) <= 2


def test_noise_is_uniform_over_its_span() -> None:
    noise = Noise(Keys("s", "d", SECRET)).of_values([str(n) for n in range(20_000)], "f", np.ones(20_000))
    counts = np.histogram(noise, bins=10, range=(-0.5, 0.5))[0]
    # 2,000 are expected of each; five standard deviations are 213. A scale 30 % off leaves bins empty.
    assert counts.min() > 1787 and counts.max() < 2213


def test_references_go_where_their_resources_went() -> None:
    it = compiled()
    patient = {"resourceType": "Patient", "id": "7"}
    body: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": patient},
            {
                "fullUrl": "https://h.example/fhir/Observation/1",
                "resource": {
                    "resourceType": "Observation",
                    "id": "1",
                    "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
                    "contained": [{"resourceType": "Specimen", "id": "s1", "status": "available"}],
                    "specimen": {"reference": "#s1"},
                    "device": {"reference": "Device?identifier=secret"},
                    "encounter": {"reference": "https://other.example/fhir/Encounter/7"},
                },
            },
        ],
    }
    given = it.resource(body)
    alone = it.resource(patient)
    assert given is not None and alone is not None
    first, second = (entry["resource"] for entry in given["entry"])
    assert first["id"] == alone["id"]
    assert second["subject"]["reference"] == f"Patient/{first['id']}"
    assert second["specimen"]["reference"] == "#" + second["contained"][0]["id"] != "#s1"
    assert "device" not in second
    assert second["encounter"]["reference"].startswith("Encounter/")
    assert "other.example" not in str(given) and "secret" not in str(given)
    assert (
        second["encounter"]["reference"]
        != it.resource({"resourceType": "Observation", "encounter": {"reference": "Encounter/7"}})["encounter"][
            "reference"
        ]
    ), "another server's number 7 is another one"  # type: ignore[index]


def test_extensions_stay_where_their_url_is_named() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
    it = own(f'[extensions]\n"{url}" = "keep"\n[fhir.Patient]\nkeep = ["gender"]\n[fhir.Address]\nkeep = ["state"]')
    extensions = [{"url": url, "valueAddress": {"state": "MA", "city": "Boston"}}, {"url": "x", "valueString": "Li"}]
    given = it.resource({"resourceType": "Patient", "extension": extensions})
    assert given is not None and given["extension"] == [{"url": url, "valueAddress": {"state": "MA"}}]


def test_notes_are_cleaned_by_what_the_record_itself_says() -> None:
    it = compiled()
    told = it.resource(
        {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [
                {
                    "resource": {
                        "resourceType": "Patient",
                        "id": "1",
                        "name": [{"family": "Quill", "given": ["Orsolya"]}],
                    }
                },
                {"resource": {"resourceType": "Condition", "note": [{"text": "orsolya quill feels dizzy"}]}},
            ],
        }
    )
    assert told is not None
    note = told["entry"][1]["resource"]["note"][0]["text"]
    assert "quill" not in note.lower() and "dizzy" in note
    message = b"MSH|^~\\&|||||20200101||ORU^R01|1|P|2.5\rPID|1||1||Quill^Orsolya\rNTE|1||Orsolya Quill is dizzy\r"
    assert b"Quill" not in it.message(message) and b"dizzy" in it.message(message)


def test_nesting_without_end_is_refused() -> None:
    body: dict[str, Any] = {"resourceType": "Questionnaire"}
    inner: dict[str, Any] = {"linkId": "x"}
    body["item"] = [inner]
    for _ in range(5_000):
        inner["item"] = [{"linkId": "x"}]
        inner = inner["item"][0]
    it = own('[fhir.Questionnaire]\nkeep = ["item"]\n[fhir."Questionnaire.item"]\nkeep = ["item", "required"]')
    with pytest.raises(BadRecord):
        it.resource(body)
