"""What comes out of bundles, bulk files and single resources, and what of them cannot be read."""

from __future__ import annotations

import contextlib
import copy
import tarfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.records.errors import Unreadable
from xinglin.records.fhir import FhirReader, bounds, identifier_key
from xinglin.records.fhir import reader as reader_module
from xinglin.records.model import Read, ReadContext, Resource

CONTEXT = ReadContext("his", 0)
PATIENT = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "http://h.example/mrn", "value": "77"}]}
WEIGHT: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"text": "weight"},
    "subject": {"reference": "Patient/p1"},
}


def read(value: Any, release: str = "R4", **options: Any) -> list[Read]:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return list(FhirReader(**options).read(body, ReadContext("his", 0, release=release)))


def resources(parts: list[Read]) -> list[Resource]:
    return [each for part in parts for each in part.resources]


def unread(parts: list[Read]) -> list[tuple[str, str]]:
    return [(each.place, each.code) for part in parts for each in part.unread]


def accounted(parts: list[Read]) -> bool:
    return all(p.received == len(p.resources) + len(p.unread) + sum(p.ignored.values()) for p in parts)


def bundle(*entries: Any, kind: str = "collection") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(resource: Any, **more: Any) -> dict[str, Any]:
    return {"resource": copy.deepcopy(resource), **more}


def weight(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(WEIGHT), **changes}


@pytest.mark.parametrize("kind", ["collection", "document", "transaction", "batch", "searchset", "history", "message"])
def test_bundles_of_every_type_give_their_resources(kind: str) -> None:
    parts = read(bundle(entry(PATIENT), entry(WEIGHT), kind=kind))
    assert [(each.place, each.body["id"]) for each in resources(parts)] == [("entry[0]", "p1"), ("entry[1]", "o1")]
    assert accounted(parts)


def test_a_single_resource_is_one_record() -> None:
    (part,) = read(WEIGHT)
    assert part.received == 1
    assert part.resources[0].flags == ()


def test_full_urls_become_plain_references_wherever_they_stand() -> None:
    made = weight(
        subject={"reference": "urn:uuid:11111111-1111-4111-8111-111111111111"},
        performer=[{"reference": "http://fhir.example/r4/Practitioner/d1"}],
        extension=[{"url": "http://h.example/x", "valueReference": {"reference": "urn:uuid:1-2"}}],
        note=[{"text": "x", "authorReference": {"reference": "urn:uuid:1-2"}}],
        component=[{"code": {"text": "x"}}],
    )
    doctor = {"resourceType": "Practitioner", "id": "d1"}
    parts = read(
        bundle(
            entry(made, fullUrl="urn:uuid:1-3"),
            entry(PATIENT, fullUrl="urn:uuid:11111111-1111-4111-8111-111111111111"),
            entry(doctor, fullUrl="urn:uuid:1-2"),
            entry({**doctor, "id": "d2"}, fullUrl="http://fhir.example/r4/Practitioner/d2"),
        )
    )
    body = resources(parts)[0].body
    assert body["subject"]["reference"] == "Patient/p1"
    assert body["performer"][0]["reference"] == "Practitioner/d1"
    assert body["extension"][0]["valueReference"]["reference"] == "Practitioner/d1"
    assert body["note"][0]["authorReference"]["reference"] == "Practitioner/d1"


def test_versioned_and_absolute_references_to_the_own_server_become_plain() -> None:
    for text in (
        "Patient/p1/_history/3",
        "https://fhir.example/r4/Patient/p1",
        "https://fhir.example/r4/Patient/p1/_history/9",
    ):
        (one,) = resources(read(weight(subject={"reference": text}), bases=["https://fhir.example/r4/"]))
        assert one.body["subject"]["reference"] == "Patient/p1"
        assert one.flags == ()


def test_a_patient_of_another_server_stays_one_and_is_flagged() -> None:
    (one,) = resources(read(weight(subject={"reference": "https://other.example/r4/Patient/p1"})))
    assert one.body["subject"]["reference"] == "https://other.example/r4/Patient/p1"
    assert [flag.code for flag in one.flags] == ["fhir.other_server"]


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient?identifier=http://h.example/mrn|77"},
        {"identifier": {"system": "http://h.example/mrn", "value": "77"}},
        {"type": "Patient", "identifier": {"system": "http://h.example/mrn", "value": "77"}},
    ],
)
def test_a_patient_named_by_an_identifier_is_found_in_the_bundle_or_gets_that_identifiers_key(subject: Any) -> None:
    found = resources(read(bundle(entry(weight(subject=copy.deepcopy(subject))), entry(PATIENT))))[0]
    assert found.body["subject"]["reference"] == "Patient/p1"
    alone = resources(read(weight(subject=copy.deepcopy(subject))))[0]
    assert alone.body["subject"]["reference"] == identifier_key("http://h.example/mrn", "77")
    assert alone.body["subject"]["identifier"] == {"system": "http://h.example/mrn", "value": "77"}


def test_a_conditional_reference_to_anything_else_is_kept_as_its_identifier() -> None:
    (one,) = resources(read(weight(encounter={"reference": "Encounter?identifier=http://h.example/visit|9"})))
    assert one.body["encounter"] == {
        "type": "Encounter",
        "identifier": {"system": "http://h.example/visit", "value": "9"},
    }


def test_contained_resources_are_kept_and_lifted() -> None:
    order = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "contained": [
            {"resourceType": "Medication", "id": "med", "code": {"coding": [{"code": "A01"}]}},
            {"resourceType": "Practitioner", "id": "doc", "name": [{"family": "Wang", "given": ["Li"]}]},
        ],
        "medicationReference": {"reference": "#med"},
        "requester": {"reference": "#doc"},
    }
    (one,) = resources(read(order))
    assert one.flags == ()
    assert one.body["medicationCodeableConcept"] == {"coding": [{"code": "A01"}]}
    assert "medicationReference" not in one.body
    assert one.body["requester"] == {"reference": "#doc", "display": "Li Wang"}
    assert len(one.body["contained"]) == 2


def test_a_contained_patient_is_one_only_with_an_identifier() -> None:
    inside = weight(contained=[{**PATIENT, "id": "x"}], subject={"reference": "#x"})
    assert resources(read(inside))[0].body["subject"]["reference"] == identifier_key("http://h.example/mrn", "77")
    nameless = weight(contained=[{"resourceType": "Patient", "id": "x"}], subject={"reference": "#x"})
    assert unread(read(nameless)) == [("", "fhir.contained_patient")]


def test_a_resource_without_an_id_gets_the_same_one_for_the_same_content() -> None:
    nameless = {key: value for key, value in WEIGHT.items() if key != "id"}
    ids = [resources(read(dict(order)))[0].body["id"] for order in (nameless, reversed(nameless.items()))]
    assert ids[0] == ids[1]
    assert resources(read({**nameless, "status": "amended"}))[0].body["id"] != ids[0]
    person = {key: value for key, value in PATIENT.items() if key != "id"}
    key = f"Patient/{resources(read(person))[0].body['id']}"
    assert key == identifier_key("http://h.example/mrn", "77")


def test_a_put_names_the_id_that_the_resource_lacks() -> None:
    nameless = {key: value for key, value in WEIGHT.items() if key != "id"}
    parts = read(bundle(entry(nameless, request={"method": "PUT", "url": "Observation/o9"}), kind="transaction"))
    assert resources(parts)[0].body["id"] == "o9"


def test_history_gives_versions_and_a_deletion_is_one() -> None:
    parts = read(
        bundle(
            {
                "fullUrl": "http://f.example/Condition/c1",
                "request": {"method": "DELETE", "url": "Condition/c1"},
                "response": {"status": "204", "lastModified": "2024-03-02T00:00:00Z"},
            },
            entry(weight(meta={"lastUpdated": "2024-03-01T00:00:00.5+08:00"}), request={"method": "PUT", "url": "x"}),
            {"request": {"method": "DELETE", "url": "Observation?code=7"}},
            {"request": {"method": "PATCH", "url": "Observation/1"}},
            {"request": {"method": "GET", "url": "Observation/1"}},
            kind="history",
        )
    )
    gone, kept = resources(parts)
    assert (gone.body["status"], gone.partial, gone.version_at) == ("deleted", True, 1709337600000)
    assert gone.body["verificationStatus"] == {"coding": [{"code": "entered-in-error"}]}
    assert kept.version_at == 1709222400500
    assert [code for _, code in unread(parts)] == ["fhir.conditional_delete", "fhir.patch"]
    assert parts[0].ignored == {"a request that changes nothing": 1}
    assert accounted(parts)


def test_one_bad_line_quarantines_that_line_only() -> None:
    lines = [orjson.dumps(weight(id=f"o{n}")) for n in range(5)]
    lines[2] = lines[2][:30]
    lines.insert(4, b"")
    lines.append(b"\xff\xfe{}")
    lines.append(b"[1]")
    parts = read(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\n")
    assert [each.place for each in resources(parts)] == ["line 1", "line 2", "line 4", "line 6"]
    assert unread(parts) == [
        ("line 3", "fhir.json"),
        ("line 7", "fhir.encoding"),
        ("line 8", "fhir.not_an_object"),
    ]
    assert accounted(parts)


def test_a_damaged_first_line_does_not_hide_the_others() -> None:
    parts = read(b'{"resourceType":"Pat\n' + orjson.dumps(WEIGHT) + b"\n" + orjson.dumps(WEIGHT))
    assert len(resources(parts)) == 2
    assert unread(parts) == [("line 1", "fhir.json")]


def test_bulk_files_come_in_parts_and_parts_in_pieces() -> None:
    assert (bounds.PART_RESOURCES.value, bounds.READ_RESOURCES.value) == (2000, 32)
    part = [(32, True)] * 62 + [(16, False)]
    for many, parts in (
        (4001, read(b"\n".join(orjson.dumps(weight(id=f"o{n}")) for n in range(4001)))),
        (2001, read(bundle(*(entry(weight(id=f"o{n}")) for n in range(2001))))),
    ):
        assert [(one.received, one.open) for one in parts] == part * (many // 2000) + [(1, False)]
        assert [each.body["id"] for each in resources(parts)] == [f"o{n}" for n in range(many)]
    assert [(one.received, one.open) for one in read(bundle())] == [(0, False)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"subject": None}, "fhir.no_patient"),
        ({"subject": {"display": "x"}}, "fhir.no_patient"),
        ({"subject": {"reference": "Banana/1"}}, "fhir.wrong_patient"),
        ({"subject": {"reference": "Encounter/1"}}, "fhir.wrong_patient"),
        ({"subject": {"reference": "urn:uuid:nobody"}}, "fhir.unknown_patient"),
        ({"resourceType": "Banana"}, "fhir.unknown_type"),
        ({"resourceType": "MedicationOrder"}, "fhir.other_release"),
        ({"resourceType": "BodyStructureX"}, "fhir.unknown_type"),
        ({"id": "a b"}, "fhir.id"),
        ({"id": 7}, "fhir.id"),
    ],
)
def test_what_cannot_be_attributed_is_unread(change: dict[str, Any], code: str) -> None:
    parts = read(bundle(entry(weight(**change))))
    assert unread(parts) == [("entry[0]", code)]
    assert "Banana" not in repr(parts)


def test_what_is_about_no_person_is_counted_and_not_quarantined() -> None:
    (part,) = read(weight(subject={"reference": "Device/1"}))
    assert part.ignored == {"about no single person (Device)": 1}
    (part,) = read(bundle(entry({"resourceType": "OperationOutcome"}), {"search": {"mode": "match"}}))
    assert part.ignored == {"an operation's outcome": 1, "an entry without a resource": 1}


def test_types_belong_to_releases() -> None:
    later = {"resourceType": "DeviceUsage", "id": "d", "patient": {"reference": "Patient/1"}}
    assert unread(read(later)) == [("", "fhir.other_release")]
    assert len(resources(read(later, release="R5"))) == 1
    with pytest.raises(Unreadable):
        read(WEIGHT, release="STU3")


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"[]", b'"x"', b"{", b'{"a":1}', b'{"resourceType":7}', b"\xff\xfe{\x00}\x00"]
)
def test_what_is_no_fhir_json_at_all_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


def test_nesting_without_end_is_refused() -> None:
    inner = b'{"url":"http://h.example/x","extension":['
    for levels in (30, 70, 450):
        deep = b'"extension":[' + inner * levels + b'{"url":"x","valueString":"x"}' + b"]}" * levels + b"]"
        for name in (b'"id":"1",', b""):
            body = orjson.dumps(WEIGHT).replace(b'"id":"o1",', name).replace(b'"status"', deep + b',"status"')
            assert [code for _, code in unread(read(body))] == ([] if levels < 64 else ["fhir.too_deep"])
    with pytest.raises(Unreadable):
        read(b'{"resourceType":' + b"[" * 5000 + b"]" * 5000 + b"}")


def test_bundles_in_bundles_have_a_limit() -> None:
    value = bundle(entry(WEIGHT))
    for _ in range(bounds.BUNDLES_IN_BUNDLES.value - 1):
        value = bundle(entry(value))
    assert resources(read(value))[0].place == "entry[0] entry[0] entry[0]"
    assert [code for _, code in unread(read(bundle(entry(value))))] == ["fhir.too_deep"]


def test_limits_refuse_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(orjson.dumps(WEIGHT))
    lines = orjson.dumps(WEIGHT) + b"\n" + orjson.dumps(WEIGHT)[:-1] + b" }\n" + orjson.dumps(WEIGHT)
    limit = bounds.Limit("FHIR resource size", size, "bytes")
    monkeypatch.setattr(reader_module, "RESOURCE_BYTES", limit)
    assert unread(read(lines)) == [("line 2", "fhir.too_large")]
    assert unread(read(bundle(entry(WEIGHT), entry(weight(id="o12"))))) == [("entry[1]", "fhir.too_large")]
    monkeypatch.setattr(reader_module, "BUNDLE_BYTES", bounds.Limit("FHIR bundle size", size, "bytes"))
    assert read(WEIGHT)
    with pytest.raises(Unreadable):
        read(weight(id="o12"))


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.records.fhir import entries

    monkeypatch.setattr(entries, "BUNDLE_ENTRIES", bounds.Limit("entries of a FHIR bundle", 2, "entries"))
    assert len(resources(read(bundle(entry(PATIENT), entry(WEIGHT))))) == 2
    with pytest.raises(Unreadable):
        read(bundle(entry(PATIENT), entry(PATIENT), entry(WEIGHT)))


def test_real_bundles_are_read_whole_and_without_a_flag(shared_data: Path) -> None:
    count = 0
    with tarfile.open(shared_data / "synthea" / "bundles.tar.xz") as archive:
        for member in archive:
            if count > 4000 or not member.isfile():
                continue
            file = archive.extractfile(member)
            assert file is not None
            body = file.read()
            parts = read(body)
            assert accounted(parts)
            assert not unread(parts)
            found = resources(parts)
            assert len(found) == len(orjson.loads(body)["entry"])
            assert not [(each.place, each.flags) for each in found if each.flags]
            assert b"urn:uuid" not in b"".join(orjson.dumps(each.body.get("subject")) for each in found)
            count += len(found)
    assert count > 4000


NAMES = [*WEIGHT, "entry", "resource", "request", "meta", "contained", "reference", "identifier", "method", "url"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["Bundle", "Observation", "Patient", "Nope"]))
def test_any_json_is_accounted_for(value: Any, kind: str) -> None:
    whole = {"resourceType": kind, **(value if isinstance(value, dict) else {"entry": value, "subject": value})}
    try:
        parts = read(whole)
    except Unreadable:
        return
    assert accounted(parts)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert accounted(read(body))
