"""Statements of WS/T 500 documents: observations of data elements (WS 363), some of which say together one thing.

A diagnosis is a code (DE05.01.024.00), a name (DE05.01.025.00) or both, side by side or one in the other; a result
is an item with its number, unit and finding. What is none of these is an Observation of its data element.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from xinglin.records.documents.bounds import ENTRY_DEPTH
from xinglin.records.documents.cda.findings import key_at, note_of, observed, read_observation, who
from xinglin.records.documents.cda.gathering import Gathering, Json
from xinglin.records.documents.cda.systems import ELEMENTS, UCUM, UNITS
from xinglin.records.documents.cda.values import concept, found_at, span, text_of, told, value_of

if TYPE_CHECKING:
    from lxml.etree import _Element

DIAGNOSIS_CODE, DIAGNOSIS_NAME = "DE05.01.024.00", "DE05.01.025.00"
CHINESE_CODES = frozenset(("DE05.10.130.00", "DE05.10.138.00"))
CHINESE_NAMES = frozenset(("DE05.10.172.00",))
ALLERGY_FLAG = "DE02.10.023.00"
ALLERGY_TEXTS = frozenset(("DE02.10.022.00", "DE05.01.022.00"))
PROCEDURE_CODE, PROCEDURE_NAME = "DE06.00.093.00", "DE06.00.094.00"
MEDICINE_NAME, MEDICINE_USE = "DE08.50.022.00", frozenset(("DE06.00.136.00", "DE06.00.133.00"))
RESULT_TEXT, RESULT_NUMBER, RESULT_UNIT, RESULT_CODE = (f"DE04.30.{n}.00" for n in ("009", "015", "016", "017"))
_RESULTS = frozenset((RESULT_TEXT, RESULT_NUMBER, RESULT_CODE))
ITEMS = frozenset(("DE04.30.019.00", "DE04.30.020.00", "DE04.30.018.00"))
_NULL_WORDS = frozenset(("", "-", "--", "/", "无", "NA", "N/A", "null", "不详"))
_USES = (
    ("入院", "admission"),
    ("出院", "discharge"),
    ("术前", "preoperative"),
    ("术后", "postoperative"),
    ("初步", "admission"),
    ("门", "outpatient"),
)
_SECTION_USES = {
    "46241-6": "admission",
    "42347-5": "admission",
    "11535-2": "discharge",
    "10219-4": "preoperative",
    "10218-6": "postoperative",
}
PLANNED, NONE = "cda: planned, not done", "cda: says that there is none"
Placed = tuple["_Element", str]


def element_code(statement: _Element) -> str:
    """The data element of a statement; empty where its code is of another system."""
    code = statement.find("code")
    found = told(code, "code")
    return found if found.startswith("DE") and told(code, "codeSystem") in (ELEMENTS, "") else ""


def read_group(statements: Sequence[Placed], gathering: Gathering) -> set[int]:
    """Statements side by side that say one thing together; which of them are read with that."""
    codes = [element_code(one) for one, _ in statements]
    done: set[int] = set()
    done |= _paired(statements, codes, ({DIAGNOSIS_CODE}, {DIAGNOSIS_NAME}), gathering)
    done |= _paired(statements, codes, (CHINESE_CODES, CHINESE_NAMES), gathering)
    results = [at for at, code in enumerate(codes) if code in _RESULTS]
    if results and len(results) == len({codes[at] for at in results}) and _is_result(statements, gathering):
        _result([one for one, _ in statements], statements[results[0]], gathering)
        done |= {at for at, code in enumerate(codes) if code in _RESULTS | ITEMS | {RESULT_UNIT}}
    return done


def _paired(
    statements: Sequence[Placed], codes: list[str], kinds: tuple[frozenset[str] | set[str], ...], gathering: Gathering
) -> set[int]:
    """Codes and names of diagnoses that are as many and stand side by side."""
    coded = [at for at, code in enumerate(codes) if code in kinds[0]]
    named = [at for at, code in enumerate(codes) if code in kinds[1] and not _has(statements[at][0], kinds[0])]
    if not coded or len(coded) != len(named):
        return set()
    for at, other in zip(coded, named, strict=True):
        _diagnosis(statements[at], gathering, statements[other][0])
    return {*coded, *named}


def _has(statement: _Element, codes: frozenset[str] | set[str]) -> bool:
    return any(element_code(one) in codes for one in _related(statement))


def _related(statement: _Element) -> list[_Element]:
    return [one for link in statement.findall("entryRelationship") for one in link.findall("observation")]


def _is_result(statements: Sequence[Placed], gathering: Gathering) -> bool:
    """Whether the results belong to one item: components of one organizer, or under one observation."""
    first = statements[0][0].getparent()
    return len(statements) > 1 and first is not None and first.tag == "component"


def read_element(statement: _Element, gathering: Gathering, place: str) -> bool:
    """One statement of a data element with all that is within it."""
    code = element_code(statement)
    if code in (DIAGNOSIS_CODE, DIAGNOSIS_NAME) or code in CHINESE_CODES | CHINESE_NAMES:
        _diagnosis((statement, place), gathering, None)
    elif code == ALLERGY_FLAG or code in ALLERGY_TEXTS:
        _allergy(statement, gathering, place)
    elif code == PROCEDURE_CODE and told(statement.find("value"), "code"):
        _procedure(statement, gathering, place)
    elif code == MEDICINE_NAME:
        _medicine(statement, gathering, place)
    elif any(element_code(one) in _RESULTS for one in _related(statement)):
        _result([statement, *_related(statement)], (statement, place), gathering)
    else:
        _plain(statement, gathering, place, 1)
    return True


def _plain(statement: _Element, gathering: Gathering, place: str, level: int) -> None:
    """An Observation of a data element, and of those within it."""
    value = statement.find("value")
    if value is None or value.get("nullFlavor") or _said(value):
        if not read_observation(statement, gathering, place):
            gathering.ignore("cda: a statement that says nothing")
    else:
        gathering.ignore(NONE if text_of(value) or told(value, "value") else "cda: a statement that says nothing")
    if level < ENTRY_DEPTH.value:
        for number, one in enumerate(_related(statement), 1):
            inner = one.get("moodCode", "EVN") == "EVN" and gathering.count()
            if inner and element_code(one):
                _plain(one, gathering, f"{place}/{number}", level + 1)


def _said(value: _Element) -> str:
    """The code, number or words of a value; empty where it says nothing, or that there is none."""
    for text in (told(value, "code"), told(value, "value"), text_of(value), told(value, "displayName")):
        if text not in _NULL_WORDS:
            return text
    return ""


def _diagnosis(placed: Placed, gathering: Gathering, beside: _Element | None) -> None:
    """A Condition; ``beside``: the statement with its name, where it stands beside."""
    statement, place = placed
    both = [statement, *_related(statement), *([beside] if beside is not None else [])]
    value = next((one.find("value") for one in both if told(one.find("value"), "code") not in _NULL_WORDS), None)
    code = concept(value) or {}
    names = [text_of(one.find("value")) for one in both if element_code(one) in {DIAGNOSIS_NAME, *CHINESE_NAMES}]
    name = next((text for text in names if text not in _NULL_WORDS), "")
    if name:
        code = {**code, "text": name}
    if not code:
        gathering.ignore("cda: a diagnosis that names nothing")
        return
    start, end = span(statement.find("effectiveTime"))
    label = "".join(text for text in _labels(statement))
    use = next((word for mark, word in _USES if mark in label), _SECTION_USES.get(gathering.section, ""))
    recorder = who(statement, gathering, place) or gathering.author
    body: Json = {
        "code": code,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "category": [{"coding": [{"code": "encounter-diagnosis"}]}],
        "recordedDate": start or gathering.made,
        "abatementDateTime": end,
        "recorder": {"reference": recorder} if recorder else None,
        "note": note_of(statement, gathering),
    }
    gathering.fact("Condition", key_at(statement, gathering, place), body, place)
    if use:
        gathering.uses[gathering.resources[-1].body["id"]] = use


def _labels(statement: _Element) -> Iterator[str]:
    code = statement.find("code")
    if code is not None:
        yield code.get("displayName") or ""
        for name in code.iter("name"):
            yield name.get("displayName") or text_of(name)


def _allergy(statement: _Element, gathering: Gathering, place: str) -> None:
    """An AllergyIntolerance where a substance is named; else the answer to whether there is any."""
    texts = [statement, *_related(statement)]
    names = [text_of(one.find("value")) for one in texts if element_code(one) in ALLERGY_TEXTS]
    names += [text_of(one) for one in statement.iter("desc")]
    name = next((text for text in names if text not in _NULL_WORDS), "")
    flag = value_of(value, {}).get("valueBoolean") if (value := statement.find("value")) is not None else None
    if name and flag is not False:
        body: Json = {
            "code": {"text": name},
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": "confirmed"}]},
            "recordedDate": span(statement.find("effectiveTime"))[0] or gathering.made,
        }
        gathering.fact("AllergyIntolerance", key_at(statement, gathering, place), body, place)
    elif flag is None or not read_observation(statement, gathering, place):
        gathering.ignore(NONE)


def _procedure(statement: _Element, gathering: Gathering, place: str) -> None:
    """A Procedure of a data element; one that is planned (拟) is none."""
    if "拟" in "".join(_labels(statement)):
        gathering.ignore(PLANNED)
        return
    start, _ = span(statement.find("effectiveTime"))
    body: Json = {"code": concept(statement.find("value")), "status": "completed", "performedDateTime": start}
    gathering.fact("Procedure", key_at(statement, gathering, place), body, place)


def _medicine(statement: _Element, gathering: Gathering, place: str) -> None:
    """A MedicationStatement of a medicine's name with its use."""
    name = text_of(statement.find("value"))
    if name in _NULL_WORDS:
        gathering.ignore(NONE)
        return
    uses = [text_of(one.find("value")) for one in _related(statement) if element_code(one) in MEDICINE_USE]
    text = next((one for one in uses if one not in _NULL_WORDS), "")
    start, _ = span(statement.find("effectiveTime"))
    body: Json = {
        "medicationCodeableConcept": {"text": name},
        "status": "unknown",
        "effectiveDateTime": start,
        "dateAsserted": gathering.made,
        "dosage": [{"text": text}] if text else None,
    }
    gathering.fact("MedicationStatement", key_at(statement, gathering, place), body, place)


def _result(statements: Sequence[_Element], placed: Placed, gathering: Gathering) -> None:
    """An Observation of an item with its number and unit, its words and its finding."""
    every = [*statements, *(one for each in statements for one in _related(each))]
    by_code = {element_code(one): one for one in reversed(every) if element_code(one)}
    item = next((one for one in every if element_code(one) not in _RESULTS | {RESULT_UNIT} and element_code(one)), None)
    if any(element_code(one) in ITEMS for one in every):
        item = next(one for one in every if element_code(one) in ITEMS)
    code = _item(item)
    if code is None:
        gathering.ignore("cda: a result without its item")
        return
    value = _result_value(by_code)
    finding = concept(found_at(by_code.get(RESULT_CODE), "value"))
    body: Json = {**observed(placed[0], gathering), **value, "code": code}
    body["interpretation"] = [finding] if finding else None
    body.setdefault("category", [{"coding": [{"code": "laboratory"}]}])
    gathering.fact("Observation", key_at(placed[0], gathering, placed[1]), body, placed[1])


def _item(item: _Element | None) -> Json | None:
    """What was examined: the item's value, or its data element where it has none."""
    if item is None:
        return None
    value = item.find("value")
    named = concept(value) or {}
    words = text_of(value)
    if words not in _NULL_WORDS:
        named = {**named, "text": words}
    return named or concept(item.find("code"))


def _result_value(by_code: dict[str, _Element]) -> Json:
    number = by_code.get(RESULT_NUMBER)
    found = found_at(number, "value")
    made = value_of(found, {}) if found is not None and _said(found) else {}
    quantity = made.get("valueQuantity")
    unit = text_of(found_at(by_code.get(RESULT_UNIT), "value"))
    if quantity and "unit" not in quantity and unit not in _NULL_WORDS:
        plain = UNITS.get(unit, unit)
        quantity |= {"unit": unit, **({"system": UCUM, "code": plain} if plain.isascii() and " " not in plain else {})}
    if made:
        return made
    words = text_of(found_at(by_code.get(RESULT_TEXT), "value"))
    return {"valueString": words} if words not in _NULL_WORDS else {}
