"""Entries of sections to facts: C-CDA's templates, and plain CDA statements by what they are.

A statement is judged by its element, its template where it has one that is known, and its section. What is about a
relative, or planned and not a medicine, is ignored and counted: it is no fact about the patient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from xinglin.records.documents.bounds import ENTRY_DEPTH
from xinglin.records.documents.cda import medicines
from xinglin.records.documents.cda.elements import read_element, read_group
from xinglin.records.documents.cda.findings import (
    read_allergy,
    read_condition,
    read_encounter_entry,
    read_observation,
    read_procedure,
    read_report,
)
from xinglin.records.documents.cda.gathering import Gathering
from xinglin.records.documents.cda.systems import ELEMENTS
from xinglin.records.documents.cda.values import told

if TYPE_CHECKING:
    from lxml.etree import _Element

_CCDA = "2.16.840.1.113883.10.20.22.4."
_IHE = "1.3.6.1.4.1.19376.1.5.3.1.4."
ALLERGY, PROBLEM, FAMILY = frozenset(("7", "90")), frozenset(("4",)), frozenset(("45", "46"))
_DETAILS = frozenset(("5", "6", "8", "9", "31", "47", "48", "51", "53", "64", "72", "86", "111", "119", "143", "145"))
"""Templates that say something about the statement around them (status, severity, age at onset, comment …)."""
_KINDS = {
    **dict.fromkeys(ALLERGY, read_allergy),
    "4": read_condition,
    "12": read_procedure,
    "13": read_procedure,
    "14": read_procedure,
    "16": medicines.read_medication,
    "52": medicines.read_immunization,
    "49": read_encounter_entry,
}
_PROBLEMS = frozenset(
    ("11450-4", "46240-8", "29548-5", "11535-2", "46241-6", "42347-5", "11348-0", "10219-4", "10218-6")
)
_ALLERGIES = frozenset(("48765-2",))
RELATIVE, PLANNED, DEEP, EMPTY = (
    "cda: about a relative",
    "cda: planned, not done",
    "cda: statements nested too deeply",
    "cda: a statement that says nothing",
)
FAMILY_SECTION = "10157-6"
_NAMES = frozenset(("observation", "act", "organizer", "procedure", "substanceAdministration", "encounter", "supply"))
_LINKS = ("entryRelationship", "component")
Reading = Callable[["_Element", Gathering, str], bool]


def read_entries(section: _Element, gathering: Gathering, place: str) -> None:
    """All entries of a section."""
    entries = section.findall("entry")
    statements = [(one, f"{place}/entry[{number}]") for number, entry in enumerate(entries, 1) for one in _inner(entry)]
    relative = gathering.section == FAMILY_SECTION or section.find("subject") is not None
    done = read_group(statements, gathering)
    for number, (statement, here) in enumerate(statements):
        if relative or statement.find("subject") is not None:
            gathering.ignore(RELATIVE)
        elif number not in done:
            read_statement(statement, gathering, here, 1)


def read_statement(statement: _Element, gathering: Gathering, place: str, level: int) -> None:
    """One statement and those within it."""
    if level > ENTRY_DEPTH.value or not gathering.count():
        gathering.ignore(DEEP)
        return
    templates = _templates(statement)
    if templates & FAMILY or statement.find("subject") is not None:
        gathering.ignore(RELATIVE)
        return
    if templates & _DETAILS and level > 1:
        return
    if statement.get("moodCode", "EVN") != "EVN" and statement.tag not in ("substanceAdministration", "supply"):
        gathering.ignore(PLANNED)
        return
    read, whole = _reading(statement, templates, gathering)
    made = read(statement, gathering, place)
    if not made and not whole and statement.tag != "act" and len(statement) == 0:
        gathering.ignore(EMPTY)
    if whole and made:
        return
    _within(statement, gathering, place, level)


def _within(statement: _Element, gathering: Gathering, place: str, level: int) -> None:
    inner = [one for name in _LINKS for link in statement.findall(name) for one in _inner(link)]
    statements = [(one, f"{place}/{number}") for number, one in enumerate(inner, 1)]
    done = read_group(statements, gathering)
    for number, (one, here) in enumerate(statements):
        if number not in done:
            read_statement(one, gathering, here, level + 1)


def _inner(link: _Element) -> list[_Element]:
    return [one for one in link if one.tag in _NAMES and not one.get("nullFlavor")]


def _templates(statement: _Element) -> set[str]:
    """The last parts of the C-CDA templates that a statement names."""
    roots = (told(one, "root") for one in statement.findall("templateId"))
    return {root[len(_CCDA) :] for root in roots if root.startswith(_CCDA)}


def _reading(statement: _Element, templates: set[str], gathering: Gathering) -> tuple[Reading, bool]:
    """How a statement is read, and whether that takes the statements within it too."""
    for name in templates:
        if name in _KINDS:
            return _KINDS[name], name not in ("49", "14", "12", "13")
    tag, code = statement.tag, statement.find("code")
    if tag == "observation":
        return _observing(statement, templates, gathering)
    if tag == "procedure":
        return read_procedure, False
    if tag == "substanceAdministration":
        vaccine = gathering.section == "11369-6"
        return (medicines.read_immunization if vaccine else medicines.read_medication), gathering.section == "11369-6"
    if tag == "supply":
        return medicines.read_supply, True
    if tag == "encounter":
        return read_encounter_entry, False
    if tag == "organizer" and (templates & {"1", "26"} or told(code, "codeSystem") not in ("", ELEMENTS)):
        return read_report, False
    return _nothing, False


def _observing(statement: _Element, templates: set[str], gathering: Gathering) -> tuple[Reading, bool]:
    if told(statement.find("code"), "codeSystem") == ELEMENTS:
        return read_element, True
    if gathering.section in _PROBLEMS and not templates and told(statement.find("value"), "code"):
        return read_condition, False
    if gathering.section in _ALLERGIES and statement.find("participant") is not None:
        return read_allergy, True
    return read_observation, False


def _nothing(statement: _Element, gathering: Gathering, place: str) -> bool:
    return False
