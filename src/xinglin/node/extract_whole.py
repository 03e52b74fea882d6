"""Whole FHIR resources of a cohort, in the computing child: as the hospital received them, and protected.

1. query: the persons. 2. their facts, and the resources of these. 3. de-identify by the profile, narrowed to what the
agreement exposes and to what tells nobody; times of day are cut off, ages left out. 4. the elements of Patient are
k-anonymous, with every earlier extract too; codes that could be identifiers, and dates that tell a year of birth, are
left out. 5. mark the measured numbers. 6. measure again. 7. write files, with what was left out.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xinglin.gate.model import ExtractGuard
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.engine_messages import Extract, Extracted, Load, Refusal
from xinglin.node.extract_beside import Beside
from xinglin.node.extract_codes import plainly_coded, systems_of_many, without_ages
from xinglin.node.extract_elements import Elements, exposed, narrowed, pruned
from xinglin.node.extract_fhir import NDJSON
from xinglin.node.extract_mark import Given, Marking
from xinglin.node.extract_numbers import mark_resources
from xinglin.node.extract_patients import BORN, Resource, columns_of_patients, patient_of
from xinglin.node.extract_sources import Found, Wanted, resources_of, wanted_of
from xinglin.node.extract_told import band, risks_of_extract
from xinglin.terms.extracts import PATIENT, decimal
from xinglin.wire.extracts import ColumnSaid, ExtractFile

if TYPE_CHECKING:
    from xinglin.lake.query import QuerySession
    from xinglin.privacy.anonymity import Anonymised, Report
    from xinglin.privacy.deidentify import Compiled, Keys, Profile

OUTCOME = "OperationOutcome"
SAMPLE = 20
NEVER = 10_000
"""A year that no date reaches."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T[0-9:.]+(Z|[+-]\d\d:\d\d)?\Z")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T.*)?)?)?\Z")
_NO_DATES = frozenset({"id", "code", "system", "value", "unit", "reference", "display", "url"})
_INSTANTS = frozenset({"issued", "recorded", "lastUpdated"})
_OF = ("subject", "patient")
_LEFT_OUT = (
    "Of every resource: elements that the agreement or the profile does not name, notes, words of codes, extensions, "
    "times of day, ages, codes that could be identifiers, and dates by which a year of birth could be told, are left "
    "out."
)
_encode = msgspec.json.Encoder().encode


def extracted_whole(
    request: Extract, load: Load, engine: QuerySession, persons: Iterable[int], profile: Profile, keys: Keys
) -> Extracted | Refusal:
    """The resources of ``persons`` (codes of the engine); ``Refusal`` where a protection cannot be carried out."""
    found = exposed(load, request.ask.resources)
    if isinstance(found, Denied):
        return Refusal(found.reasons)
    if not request.raw.folder:
        return Refusal(deny("extract.no_resources", "The hospital keeps no resources.", "Ask for the rows.").reasons)
    elements, tables = found
    own = narrowed(profile, elements)
    wanted = wanted_of(engine, tables, frozenset(persons))  # 2
    made = _Given(_compiled(own, keys, request), keys, elements, wanted)
    for one in resources_of(wanted, request.raw):
        made.take(one)  # 3
    if not made.patients:
        words = "Of nobody of the cohort the hospital has received a Patient resource."
        return Refusal(deny("extract.no_resources", words, "Ask for the rows.").reasons)
    return _protected(request, own, made)


def _compiled(profile: Profile, keys: Keys, request: Extract) -> Compiled:
    from datetime import UTC, datetime

    from xinglin.privacy.deidentify import compile_profile

    return compile_profile(profile, keys, datetime.fromtimestamp(request.draft.as_of / 1000, UTC).date())


class _Given:
    """De-identified resources by the person's code; ``lacking``: persons of whom something asked for is not given."""

    def __init__(self, compiled: Compiled, keys: Keys, elements: Elements, wanted: list[Wanted]) -> None:
        from xinglin.privacy.deidentify.keys import Pseudonyms

        self._compiled, self._elements, self._names = compiled, elements, Pseudonyms(keys)
        self.patients: dict[int, Resource] = {}
        self.born: dict[int, int] = {}
        """The year of birth as it was received, whether it is agreed or not: no date before it may leave."""
        self.others: dict[int, list[Resource]] = defaultdict(list)
        self._asked = defaultdict(int, dict.fromkeys({one.kind for one in wanted}, 0))
        for one in wanted:
            self._asked[one.kind] += 1

    def take(self, one: Found) -> None:
        """De-identify one resource; what the profile gives nothing of, or may not be given whole, is left out."""
        person = one.fact.person
        if one.fact.kind == PATIENT:
            self.born[person] = max(self.born.get(person, -1), _year(one.body.get(BORN)))
        given = self._deidentified(one)
        if given is None:
            return
        if one.fact.kind == PATIENT:
            # A person whom the hospital knows by several records is one Patient.
            self.patients.setdefault(person, given)
        else:
            for name in _OF:
                if name in given:
                    given[name] = {"reference": f"{PATIENT}/{self.id_of(person)}"}
            self.others[person].append(given)
        self._asked[one.fact.kind] -= 1

    def _deidentified(self, one: Found) -> Resource | None:
        """What may be given of a resource; nothing of one that tells an age, or that is no record to be protected."""
        from xinglin.privacy.deidentify.errors import BadRecord

        try:
            given = self._compiled.resource(one.body, one.fact.namespace, person=str(one.fact.person))
        except BadRecord:
            return None
        left = by_day(pruned(given, self._elements[one.fact.kind])) if given is not None else None
        return without_ages(left) if left is not None else None

    def id_of(self, person: int) -> str:
        """The id of a person's Patient, of this extract alone."""
        return self._names.of(str(person)).rpartition("/")[2]

    @property
    def incomplete(self) -> list[str]:
        """Types of which facts of the cohort have no resource that could be given."""
        return sorted(kind for kind, left in self._asked.items() if left > 0)


def by_day(value: Any, name: str = "") -> Any:
    """The value with every time cut to its day: a time of day to the second tells a visit from all others.

    >>> by_day({"period": {"start": "2021-03-04T10:11:12+08:00"}, "issued": "2021-03-04T10:11:12Z"})
    {'period': {'start': '2021-03-04'}, 'issued': '2021-03-04T00:00:00Z'}
    """
    if isinstance(value, dict):
        return {key: by_day(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [by_day(inner, name) for inner in value]
    found = _TIME.match(value) if isinstance(value, str) else None
    if found is None:
        return value
    return f"{found[1]}T00:00:00Z" if name in _INSTANTS else found[1]


def from_year(value: Any, year: int, name: str = "") -> Any:
    """The value without dates before ``year``: they would tell that a person was born earlier than their class says.

    >>> from_year({"onsetDateTime": "1950-03-01", "period": {"start": "1950-01-01", "end": "1990-01-01"}}, 1980)
    {'period': {'end': '1990-01-01'}}
    """
    if isinstance(value, dict):
        kept = {key: from_year(inner, year, key) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner is not None and inner not in ({}, [])}
    if isinstance(value, list):
        return [one for inner in value if (one := from_year(inner, year, name)) not in (None, {})]
    early = isinstance(value, str) and name not in _NO_DATES and _DATE.match(value) and int(value[:4]) < year
    return None if early else value


def _year(date: Any) -> int:
    """The year of a date; -1 where it has none."""
    text = str(date)[:4]
    return int(text) if text.isascii() and text.isdigit() and len(text) == 4 else -1


def years_of(
    born: Iterable[int], classes: np.ndarray[Any, np.dtype[Any]], kept: np.ndarray[Any, np.dtype[Any]]
) -> list[int]:
    """For each person who stays, the year after the latest year of birth in their class.

    ``born``: of every person, -1 where it is not known. Where nobody's of a class is, every date is too early.
    """
    latest = np.full(int(classes.max(initial=0)) + 1, -1)
    np.maximum.at(latest, classes, np.array([*born], dtype=np.int64)[kept])
    return [int(year) + 1 if year >= 0 else NEVER for year in latest[classes]]


def _protected(request: Extract, profile: Profile, made: _Given) -> Extracted | Refusal:
    from xinglin.privacy.anonymity import Quasi, Rules, check

    ask, draft = request.ask, request.draft
    codes = sorted(made.patients, key=made.id_of)
    persons = np.array(codes, dtype=np.int64)
    before = columns_of_patients([made.patients[code] for code in codes])
    if not before:
        words = "The profile, or the agreement, gives nothing of a Patient that tells one from another."
        return Refusal(deny("extract.nothing_left", words, "Agree on sex or year of birth.").reasons)
    rules = Rules(k=ask.k, suppression=min(float(decimal(ask.suppressed)), 0.999))
    beside = Beside(request.earlier, request.index_key)
    anonymous = beside.anonymised(before, [Quasi(name) for name in before], rules, persons)  # 4
    if isinstance(anonymous, Denied):
        return Refusal(anonymous.reasons)
    index = beside.index(draft.run_id, anonymous, persons[anonymous.kept], rules)
    if isinstance(index, Denied):
        return Refusal(index.reasons)
    given: dict[str, list[Resource]] = defaultdict(list)
    years = years_of([made.born.get(code, -1) for code in codes], anonymous.classes, anonymous.kept)
    staying = [codes[place] for place in anonymous.kept.tolist()]
    systems = systems_of_many({code: made.others[code] for code in staying}, ask.k)
    for row, code in enumerate(staying):
        given[PATIENT].append(patient_of(made.patients[code], anonymous.columns, row, made.id_of(code)))
        for one in made.others[code]:
            given[one["resourceType"]].append(from_year(plainly_coded(one, systems), years[row]))
    for listed in given.values():
        listed.sort(key=lambda one: str(one.get("id", "")))
    mark = Given(draft.run_id, ask.workspace, draft.agreement, draft.released, b"")
    marking = mark_resources([one for listed in given.values() for one in listed], request.mark_key, mark)  # 5
    again = columns_of_patients_shown(anonymous)
    measured = check(again, list(again), persons=persons[anonymous.kept])  # 6
    return _written(request, profile, _Whole(anonymous, measured, marking, dict(given), made.incomplete, index), beside)


def columns_of_patients_shown(anonymous: Anonymised) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The columns as they leave in Patients."""
    return {name: np.asarray(values) for name, values in anonymous.columns.items()}


class _Whole(msgspec.Struct, frozen=True):
    """What the steps gave."""

    anonymous: Any
    measured: Report
    marking: Marking
    given: dict[str, list[Resource]]
    incomplete: list[str]
    index: bytes


def _written(request: Extract, profile: Profile, made: _Whole, beside: Beside) -> Extracted:
    from xinglin.privacy.deidentify.grading import Risk, grade_of, remaining_of

    ask, draft, measured = request.ask, request.draft, made.measured
    files = {f"{kind}.ndjson": _lines(listed) for kind, listed in sorted(made.given.items())}
    files[f"{OUTCOME}.ndjson"] = _lines([_outcome(made)])
    remaining = tuple(one for one in remaining_of(profile) if one.form == "fhir")
    grade = grade_of(remaining, Risk(measured.risks.prosecutor))
    digest = canonical_digest(msgspec.to_builtins(profile))
    left_out = len(made.anonymous.classes) and round(made.anonymous.loss.suppressed * _rows(made.anonymous))
    manifest = msgspec.structs.replace(
        draft,
        profile_digest=digest,
        grade=grade,
        rows=measured.rows,
        persons=measured.persons,
        left_out=left_out,
        k=measured.k,
        risks=risks_of_extract(made.anonymous, measured),
        columns=_said(made),
        files=tuple(
            ExtractFile(name, NDJSON, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()
        ),
    )
    guard = ExtractGuard(
        rows=measured.rows,
        persons=measured.persons,
        left_out=left_out,
        profile=profile.name,
        profile_digest=digest,
        k=measured.k,
        l=0,
        t="",
        mark=canonical_digest({"agreement": draft.agreement, "at": draft.released}) if made.marking.is_set else "",
        recipient=draft.recipient,
        size_bytes=sum(map(len, files.values())),
        grade=grade,
        compared=beside.compared,
    )
    shown = _shown(manifest, ask.k, made, beside.compared)
    return Extracted(canonical_bytes(manifest), files, guard, shown, made.marking.said, made.index)


def _rows(anonymous: Any) -> float:
    """Rows that went in, of the share that was left out."""
    staying = 1.0 - float(anonymous.loss.suppressed)
    return len(anonymous.classes) / staying if staying > 0 else 0.0


def _said(made: _Whole) -> tuple[ColumnSaid, ...]:
    patient = [ColumnSaid(f"{PATIENT}.{name}", "text", "quasi", "de-identified; generalised to k") for name in
               made.anonymous.columns]  # fmt: skip
    words = "de-identified; what tells a person left out, dates moved and cut to days"
    others = [
        ColumnSaid(kind, "resource", "resource", f"{words}; {made.marking.words}" if kind == "Observation" else words)
        for kind in sorted(made.given)
        if kind != PATIENT
    ]
    return (*patient, *others)


def _outcome(made: _Whole) -> Resource:
    """What was left out, in words without counts."""
    issues = [_LEFT_OUT]
    if made.anonymous.loss.suppressed:
        issues.append("Patients who could be told from too few others are left out, with all that is theirs.")
    lacking = "some facts of the cohort are not here: no whole resource of them was received, or none that may leave."
    issues += [f"{kind}: {lacking}" for kind in made.incomplete]
    return {
        "resourceType": OUTCOME,
        "issue": [
            {"severity": "information", "code": "suppressed", "diagnostics": words} for words in issues
        ],
    }  # fmt: skip


def _shown(manifest: Any, k: int, made: _Whole, compared: int) -> bytes:
    plain = msgspec.to_builtins(manifest)
    told = ("study", "data_set", "recipient", "agreement", "profile", "grade", "k", "l", "t", "risks", "columns")
    first = [one for listed in made.given.values() for one in listed[: max(1, SAMPLE // len(made.given))]]
    page = {name: plain[name] for name in told} | {
        "rows": band(manifest.rows),
        "persons": band(manifest.persons),
        "left_out": band(manifest.left_out),
        "resources": {kind: band(len(listed)) for kind, listed in sorted(made.given.items())},
        "asked": {"k": k},
        "mark": made.marking.words,
        "earlier_extracts": f"compared with {compared}: joined with them nobody is among fewer than k",
        "files": [{"name": one.name, "size_bytes": one.size_bytes} for one in manifest.files],
        "sample": [{"resource": _encode(one).decode()} for one in first],
    }
    return msgspec.json.encode(page)


def _lines(listed: list[Resource]) -> bytes:
    write: Callable[[Any], bytes] = _encode
    return b"".join(write(one) + b"\n" for one in listed)
