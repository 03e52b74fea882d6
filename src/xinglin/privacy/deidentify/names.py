"""What a profile may name: columns, FHIR elements, HL7 v2 positions. Everything else is refused."""

from __future__ import annotations

import re
from functools import cache

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES, canonical_table
from xinglin.privacy.deidentify.errors import UnknownField
from xinglin.privacy.deidentify.nearest import nearest
from xinglin.records.fhir.definitions import Element, ElementType, elements, is_defined, lineage, resource_types

RELEASE = "R4"
_SPEC = re.compile(r"([1-9]\d?)(?:\.([1-9]\d?))?(?:\.([1-9]\d?))?(?:@([A-Z]{2,3}))?")
_SEGMENT_FIELDS = (
    "ABS14 ACC13 AIG14 AIL12 AIP12 AIS12 AL1.6 ARV6 AUT29 BLG4 BPO14 BPX21 BTX20 CDM13 CM0.11 CM1.3 CM2.4 CON25 CSP4 "
    "CSR16 CSS3 CTD7 CTI3 DB1.8 DG1.26 DRG33 DSC2 ERR12 EVN7 FAC12 FT1.43 GOL22 GP1.5 GP2.14 GT1.57 IAM30 IAR4 IN1.54 "
    "IN2.72 IN3.27 INV20 IPC9 LOC9 MFA6 MFE7 MFI6 MRG7 MSA8 MSH25 NK1.41 NPU2 NTE9 OBR54 OBX33 ODS4 ODT3 OM1.59 ORC38 "
    "ORG13 OVR5 PCR23 PD1.22 PDA9 PID40 PR1.25 PRA12 PRB28 PRD14 PRT24 PTH7 PV1.54 PV2.50 QAK6 QPD3 QRD12 QRF10 RF1.25 "
    "RGS3 ROL14 RQ1.7 RQD10 RXA28 RXC11 RXD34 RXE45 RXG32 RXO36 RXR6 RXV22 SAC44 SCH27 SFT6 SPM32 STF41 TQ1.14 TQ2.10 "
    "TXA26 UAC2 UB1.23 UB2.17 VAR6"
)


@cache
def segments() -> dict[str, int]:
    """The segments of HL7 v2.3 to 2.8.2 that are about care, and the number of fields of each."""
    return {each[:3]: int(each[3:].lstrip(".")) for each in _SEGMENT_FIELDS.split()}


def check_column(table: str, column: str) -> None:
    """Raise ``UnknownField`` unless a canonical table has the column (a logical one, or a part of it)."""
    known = canonical_table(table)
    if known is None:
        raise UnknownField(table, "tables", nearest(table, [each.name for each in CANONICAL_TABLES]))
    names = {name for stored in known.physical() for name in (stored.name, stored.part_of)}
    if column not in names:
        raise UnknownField(column, f"tables.{table}", nearest(column, names))


def check_element(kind: str, path: str) -> None:
    """Raise ``UnknownField`` unless a FHIR type has the element."""
    if not is_defined(kind):
        known = sorted({*resource_types(RELEASE), "CodeableConcept", "Coding", "Quantity", "Period", "Reference"})
        raise UnknownField(kind, "fhir", nearest(kind, known))
    at = kind
    for name in path.split("."):
        found = named(at, name)
        if found is None:
            raise UnknownField(name, f"fhir.{at}", nearest(name, json_names(at) if is_defined(at) else ()))
        at = found[1].name.removeprefix("@")


@cache
def json_names(kind: str) -> dict[str, tuple[Element, ElementType]]:
    """The elements of a FHIR type by JSON name, inherited ones included."""
    return {name: (each, type_) for each in elements(kind, RELEASE) for name, type_ in each.names().items()}


def named(kind: str, name: str) -> tuple[Element, ElementType] | None:
    """One element of a FHIR type; ``None`` where there is none of that name."""
    return json_names(kind).get(name) if is_defined(kind) else None


def is_resource(kind: str) -> bool:
    """Whether a FHIR type is one of a resource that can stand alone."""
    return kind in resource_types(RELEASE)


def inherited(kind: str) -> tuple[str, ...]:
    """A type and what it derives from, the most general first."""
    return tuple(reversed(lineage(kind)))


def read_spec(segment: str, spec: str) -> tuple[int, int, int, str]:
    """Field, component, sub-component and the type of OBX-2 under which it holds. Raises ``UnknownField``.

    >>> read_spec("OBX", "5.1@CWE"), read_spec("PID", "8")
    ((5, 1, 1, 'CWE'), (8, 1, 1, ''))
    """
    most = 99 if segment.startswith("Z") and len(segment) == 3 else segments().get(segment)
    if most is None:
        raise UnknownField(segment, "hl7v2", nearest(segment, segments()))
    found = _SPEC.fullmatch(spec)
    if found is None or int(found[1]) > most or (found[4] and segment != "OBX"):
        raise UnknownField(spec, f"hl7v2.{segment}", "")
    return int(found[1]), int(found[2] or 1), int(found[3] or 1), found[4] or ""
