"""Parts of objects: what is kept stays where and as it was, and nothing else stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.intake.redaction import redact

BUNDLE, LINES, CSV, HL7 = "application/fhir+json", "application/fhir+ndjson", "text/csv", "application/hl7-v2"


def entry(body: str, url: str = "") -> str:
    return f'{{"fullUrl":"{url}","resource":{body}}}'


def bundle(*entries: str) -> bytes:
    return f'{{"resourceType":"Bundle","type":"batch","id":"x","entry":[{",".join(entries)}]}}'.encode()


def test_entries_keep_their_number_and_their_digits() -> None:
    body = bundle(
        entry('{"resourceType":"Patient","id":"1"}'),
        entry('{"resourceType":"Observation","id":"2","valueQuantity":{"value":1.10}}'),
    )
    rest = redact(BUNDLE, body, {"entry[1]"}, {"entry[0]"}, {"Patient/1"})
    assert rest is not None and b'"value":1.10' in rest
    kept = json.loads(rest)
    assert kept["entry"][0] == {} and kept["entry"][1]["resource"]["id"] == "2" and "id" not in kept


def test_a_part_that_names_the_person_goes_whatever_its_place_says() -> None:
    body = bundle(
        entry('{"resourceType":"Patient","id":"1"}', "urn:uuid:7"),
        entry('{"resourceType":"Claim","id":"2","related":"Patient/1"}'),
        entry('{"resourceType":"Claim","id":"3","related":"urn:uuid:7"}'),
        entry('{"resourceType":"Claim","id":"4","related":"Patient/11"}'),
    )
    rest = redact(BUNDLE, body, {"entry[1]", "entry[2]", "entry[3]"}, {"entry[0]"}, {"Patient/1"})
    assert rest is not None
    assert [bool(one) for one in json.loads(rest)["entry"]] == [False, False, False, True]


def test_an_entry_in_which_others_and_the_person_are_goes() -> None:
    body = bundle(entry('{"resourceType":"Bundle"}'), entry('{"resourceType":"Patient","id":"9"}'))
    keep, drop = {"entry[0] entry[1]", "entry[1]"}, {"entry[0] entry[0]"}
    rest = redact(BUNDLE, body, keep, drop, ())
    assert rest is not None and [bool(one) for one in json.loads(rest)["entry"]] == [False, True]


def test_lines_keep_their_number() -> None:
    body = b'{"id":"1"}\n{"id":"2"}\n{"id":"Patient/1"}\n'
    assert redact(LINES, body, {"line 2", "line 3"}, {"line 1"}, {"Patient/1"}) == b'\n{"id":"2"}\n\n'


def test_records_of_a_sheet_keep_their_line_though_they_span_several() -> None:
    body = b'mrn,name\n1,"of\none"\n2,"two ""x"""\n3,c\n'
    assert redact(CSV, body, {"line 4"}, {"line 2", "line 5"}, ()) == b'mrn,name\n\n\n2,"two ""x"""\n\n'
    assert redact(CSV, body.decode().encode("utf-16"), {"line 4"}, {"line 2"}, ()) is None
    assert redact(CSV, b'mrn\n1,"open\n', {"line 2"}, (), ()) is None


def test_messages_of_a_batch() -> None:
    first, second = b"MSH|^~\\&|A\rPID|||1", b"MSH|^~\\&|A\rPID|||2"
    body = first + b"\r" + second + b"\r"
    rest = redact(HL7, body, {"message[2]/PID"}, {"message[1]/PID"}, ())
    assert rest == second + b"\r"


@pytest.mark.parametrize("media_type", ["application/dicom", BUNDLE, LINES, CSV, HL7])
def test_nothing_is_kept_where_nothing_is_known_to_be_of_others(media_type: str) -> None:
    assert redact(media_type, b"whatever", (), {"line 1"}, ()) is None
    assert redact(media_type, b"\x00\xff", {"", "PID"}, (), ()) is None
    assert redact("application/dicom", b"x", {"line 1"}, (), ()) is None


@given(st.binary(max_size=200), st.sampled_from([BUNDLE, LINES, HL7]), st.sets(st.integers(0, 5)))
def test_whatever_the_bytes_it_answers(body: bytes, media_type: str, kept: set[int]) -> None:
    places = {place for n in kept for place in (f"line {n}", f"entry[{n}]", f"message[{n}]")}
    rest = redact(media_type, body, places, (), {"Patient/1"})
    assert rest is None or rest
