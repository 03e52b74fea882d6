"""A generated hospital's interface engine: HL7 v2.5.1 messages, one ADT^A04 and one ORU^R01 a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from xinglin.sample.facts import DISEASE, LOINC, NO, YES, Finding, Person, persons
from xinglin.sample.hospital import SampleHospital

_SEX = {"female": "F", "male": "M"}


def messages(hospital: SampleHospital) -> Iterator[bytes]:
    """Registration and result of every person, in UTF-8, segments ended by CR."""
    slug = hospital.profile.slug.upper()
    for number, person in enumerate(persons(hospital), 1):
        yield _adt(slug, f"{slug}A{number:06d}", person)
        yield _oru(slug, f"{slug}R{number:06d}", person)


def cancelled(hospital: SampleHospital, number: int) -> bytes:
    """A visit of the person ``number`` (from 1) that is registered by the messages and taken back: ADT^A11."""
    slug = hospital.profile.slug.upper()
    person = next(person for at, person in enumerate(persons(hospital), 1) if at == number)
    head = _head(slug, f"{slug}C{number:06d}", "ADT^A11^ADT_A09", _text(person.examined_at, hours=1))
    return _joined(head, f"EVN||{_text(person.examined_at, hours=1)}", _pid(slug, person), _visit(slug, person))


def _adt(slug: str, control: str, person: Person) -> bytes:
    at = _text(person.examined_at)
    code, words, _ = DISEASE
    segments = [_head(slug, control, "ADT^A04^ADT_A01", at), f"EVN||{at}", _pid(slug, person), _visit(slug, person)]
    if person.disease:
        segments.append(f"DG1|1||{code}^{words}^I10||{at}|F")
    return _joined(*segments)


def _oru(slug: str, control: str, person: Person) -> bytes:
    at = _text(person.examined_at, hours=2)
    segments = [
        _head(slug, control, "ORU^R01^ORU_R01", at),
        _pid(slug, person),
        _visit(slug, person),
        f"ORC|RE|O{person.key}^{slug}|F{person.key}^{slug}",
        f"OBR|1|O{person.key}^{slug}|F{person.key}^{slug}|CARDIAC^Cardiac work-up^L|||{at}|||||||||||||||{at}||CUS|F",
        *(_obx(number, finding, at) for number, finding in enumerate(person.findings, 1)),
    ]
    return _joined(*segments)


def _obx(number: int, finding: Finding, at: str) -> str:
    measure = finding.measure
    code = f"{measure.code}^{measure.words}^{'LN' if measure.system == LOINC else 'SCT'}"
    if isinstance(finding.value, bool):
        value = f"{YES}^Yes^SCT" if finding.value else f"{NO}^No^SCT"
        return f"OBX|{number}|CWE|{code}||{value}||||||F|||{at}"
    unit = f"{measure.unit}^{measure.unit}^UCUM"
    return f"OBX|{number}|NM|{code}||{finding.value:g}|{unit}|||||F|||{at}"


def _head(slug: str, control: str, kind: str, at: str) -> str:
    return f"MSH|^~\\&|HIS|{slug}|XINGLIN|{slug}|{at}||{kind}|{control}|P|2.5.1|||AL|NE||UNICODE UTF-8"


def _pid(slug: str, person: Person) -> str:
    sex, born = _SEX[person.sex], f"{person.birth_date:%Y%m%d}"
    return f"PID|1||{person.key}^^^{slug}^MR||{person.name}^^^^^^L||{born}|{sex}|||||{person.phone}"


def _visit(slug: str, person: Person) -> str:
    at = _text(person.examined_at)
    return f"PV1|1|O|CARD^^^{slug}||||||||||||||||V{person.key}^^^{slug}^VN{'|' * 25}{at}"


def _text(at: dt.datetime, hours: int = 0) -> str:
    return f"{at + dt.timedelta(hours=hours):%Y%m%d%H%M%S}+0800"


def _joined(*segments: str) -> bytes:
    return ("\r".join(segments) + "\r").encode()
