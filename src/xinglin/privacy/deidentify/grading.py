"""The grade of what remains, computed: GB/T 42460-2023 has four.

1: a person is named directly. 2: direct identifiers are gone, a person may still be told by others. 3: the risk of
telling a person is measured and acceptable, or nothing is left to tell one by. 4: aggregates, no record of a person.
What counts as direct or quasi-identifier is decided here from the definitions, not by the profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from xinglin.catalogue.canonical import CanonicalColumn
from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.privacy.deidentify.model import DROP, Action, Profile
from xinglin.privacy.deidentify.names import is_resource, named, read_spec

Sort = Literal["direct", "quasi"]
Grade = Literal[1, 2, 3, 4]
ACCEPTABLE_RISK = 0.05
"""The greatest chance of telling one person that counts as acceptable, unless the evaluation says another: k = 20."""

# fmt: off
_QUASI_COLUMNS = frozenset(
    (
        "birth_date", "birth_year", "sex", "city", "province", "postal_code", "marital_status", "language",
        "ethnicity", "race", "occupation", "multiple_birth", "length_days",
    )
)
# fmt: on
# fmt: off
_TEXT_COLUMNS = frozenset(
    (
        "note", "body", "conclusion", "value_text", "title", "range_text", "frequency_text", "description",
        "series_description", "protocol", "place_of_death",
    )
)
# fmt: on
_DIRECT_TYPES = frozenset(("HumanName", "ContactPoint", "Identifier", "Attachment", "Narrative", "Signature"))
_DIRECT_LEAVES = frozenset(("base64Binary", "xhtml", "id", "oid", "uuid"))
_DATES = frozenset(("date", "dateTime", "instant", "Period", "Timing", "Age"))
_TERM_TEXTS = frozenset(("Age", "Coding", "CodeableConcept", "Quantity", "Meta", "Dosage.doseAndRate", "SampledData"))
_QUASI_ELEMENTS = frozenset(
    ("gender", "birthDate", "city", "state", "country", "postalCode", "maritalStatus", "communication")
)
_QUASI_PARTS = frozenset((("Encounter", "length"),))
# fmt: off
_PERSON_SEGMENTS = frozenset(
    (
        "PID", "PD1", "NK1", "GT1", "IN1", "IN2", "IN3", "MRG", "STF", "PRA", "ROL", "PRT", "ACC", "CON", "CTD",
        "PDA", "PRD",
    )
)
# fmt: on
_QUASI_PID = frozenset((7, 8, 10, 15, 16, 17, 22, 24, 25, 26, 28, 29))
_NO_PERSON_PID = frozenset((1, 30, 31, 32, 33))
_STAFF_AND_NUMBERS = {
    "PV1": {7, 8, 9, 17, 19, 50, 52},
    "ORC": {2, 3, 4, 10, 11, 12, 19},
    "OBR": {2, 3, 10, 13, 16, 28, 32, 33, 34, 35},
    "OBX": {16, 23, 24, 25},
    "DG1": {16},
    "PR1": {8, 11, 12},
    "RXA": {10},
    "RXD": {7, 10},
    "TXA": {5, 9, 10, 11, 12, 13, 14, 15, 16},
    "SPM": {2, 3},
    "SCH": {1, 2, 12, 16, 20},
    "EVN": {5},
    "NTE": {3},
}
_V2_DATES = {
    "PV1": {44, 45},
    "PV2": {8, 9},
    "OBX": {12, 14, 19},
    "OBR": {6, 7, 8, 14, 22},
    "DG1": {5, 19},
    "PR1": {5},
    "EVN": {2, 3, 6},
    "MSH": {7},
}


class Remaining(msgspec.Struct, frozen=True, order=True):
    """One field that is given and tells who: ``form`` (tables, fhir, hl7v2), its place, and how it tells."""

    form: str
    place: str
    sort: Sort


class Risk(msgspec.Struct, frozen=True):
    """Measured on the data themselves: the greatest chance that an attacker who knows a person tells that one."""

    prosecutor: float
    acceptable: float = ACCEPTABLE_RISK


def grade_of(remaining: tuple[Remaining, ...], risk: Risk | None = None, *, aggregated: bool = False) -> Grade:
    """The grade of GB/T 42460-2023 of what remains.

    ``risk``: of k-anonymity over the quasi-identifiers that remain; without it grade 3 is not reached while one does.
    ``aggregated``: no row is of a person.

    >>> grade_of((Remaining("tables", "patient.sex", "quasi"),)), grade_of((), None)
    (2, 3)
    """
    if aggregated:
        return 4
    if any(each.sort == "direct" for each in remaining):
        return 1
    if not remaining or (risk is not None and risk.prosecutor <= risk.acceptable):
        return 3
    return 2


def remaining_of(profile: Profile) -> tuple[Remaining, ...]:
    """Everything that a profile gives and that tells who a person is, directly or together with more."""
    return tuple(sorted({*_of_tables(profile), *_of_fhir(profile), *_of_hl7v2(profile)}))


def _of_tables(profile: Profile) -> Iterator[Remaining]:
    for name, fields in profile.tables.items():
        table = canonical_table(name)
        columns = {column.name: column for column in table.columns} if table else {}
        for field, action in fields.items():
            sort = _sort_of_column(field, columns.get(field), action, own=table is None)
            if sort is not None:
                yield Remaining("tables", f"{name}.{field}", sort)


def _sort_of_column(field: str, column: CanonicalColumn | None, action: Action, *, own: bool) -> Sort | None:
    if action == DROP or action.do in ("pseudonymise", "substitute"):
        return None
    kind, words = (column.kind, column.words) if column else ("text", "")
    if field in _QUASI_COLUMNS or kind in ("date", "time", "instant"):
        return "quasi"
    if field in _TEXT_COLUMNS or field.endswith("_source_text"):
        return "quasi" if action.do == "note" or field.endswith("_source_text") else "direct"
    identifies = column is not None and column.role == "identifier"
    key = field in ("id", "patient") or ".id)" in words
    return "direct" if identifies or key or own or field in ("sample", "genotype", "variant_id") else None


def _of_fhir(profile: Profile) -> Iterator[Remaining]:
    for kind, fields in profile.fhir.items():
        for path, action in fields.items():
            sort = _sort_of_element(kind, path, action)
            if sort is not None:
                yield Remaining("fhir", f"{kind}.{path}", sort)
    yield from (Remaining("fhir", url, "direct") for url, action in profile.extensions.items() if action != DROP)


def _sort_of_element(kind: str, path: str, action: Action) -> Sort | None:
    if action == DROP or action.do in ("pseudonymise", "substitute"):
        return None
    owner, name, type_name = kind, path, ""
    for name in path.split("."):
        found = named(type_name or owner, name)
        if found is None:
            return "direct"
        owner, type_name = type_name or owner, found[1].name.removeprefix("@")
    if name in _QUASI_ELEMENTS or type_name in _DATES or (owner, name) in _QUASI_PARTS:
        return "quasi"
    if type_name in _DIRECT_LEAVES:
        return "direct"
    if type_name in ("string", "markdown"):
        return "quasi" if action.do == "note" or owner in _TERM_TEXTS else "direct"
    if type_name in _DIRECT_TYPES or owner in _DIRECT_TYPES:
        # The whole is named; its own list decides, and is looked at by itself.
        return None if type_name in _DIRECT_TYPES else "direct"
    reference = type_name == "Reference" and is_resource(kind) and action.do == "keep"
    return "direct" if reference or (owner, name) == ("Reference", "reference") else None


def _of_hl7v2(profile: Profile) -> Iterator[Remaining]:
    for segment, specs in profile.hl7v2.items():
        for spec, action in specs.items():
            sort = _sort_of_field(segment, spec, action)
            if sort is not None:
                yield Remaining("hl7v2", f"{segment}-{spec}", sort)


def _sort_of_field(segment: str, spec: str, action: Action) -> Sort | None:
    if action == DROP or action.do in ("pseudonymise", "substitute"):
        return None
    field, component, _, kind = read_spec(segment, spec)
    if segment == "PID":
        if field in _NO_PERSON_PID:
            return None
        return "quasi" if field in _QUASI_PID or (field == 11 and component in (3, 4, 5, 6)) else "direct"
    if segment in _PERSON_SEGMENTS or segment.startswith("Z"):
        return "direct"
    if action.do == "note":
        return "quasi"
    if field in _STAFF_AND_NUMBERS.get(segment, ()) or kind in ("ST", "TX", "FT", "XPN", "XAD", "XCN", "CX", "ED"):
        return "direct"
    dated = field in _V2_DATES.get(segment, ()) or kind in ("DT", "TS", "DTM") or action.on_dates
    return "quasi" if dated else None
