"""Data types of HL7 v3 as FHIR says them: times, codes, identifiers, quantities, names, addresses."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from xinglin.records.documents.cda.systems import ABSENT, UCUM, UNITS, system_uri
from xinglin.records.v2maps.keys import fact_id, hashed

if TYPE_CHECKING:
    from lxml.etree import _Element

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_TS = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?(?:(Z)|([+-]\d\d):?(\d\d)?)?"
)
_DASHED = re.compile(
    r"(\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:(Z)|([+-]\d\d):?(\d\d))?)?)?"
)
_UCUM = re.compile(r"[!-~]+")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?|[+-]?\.\d+")
_YES = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
Json = dict[str, Any]


def kind_of(element: _Element) -> str:
    """The data type that ``xsi:type`` names, without prefix."""
    return (element.get(XSI_TYPE) or "").rpartition(":")[2].strip()


def text_of(element: _Element | None) -> str:
    """All text in an element, blanks joined."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def found_at(element: _Element | None, path: str) -> _Element | None:
    """The first element at a path, or None."""
    return None if element is None else element.find(path)


def told(element: _Element | None, name: str) -> str:
    """An attribute without blanks around it; empty where the element is absent or null."""
    if element is None or element.get("nullFlavor"):
        return ""
    return (element.get(name) or "").strip()


def moment(text: str) -> str:
    """A TS (HL7 v3 data types) as FHIR text of the same precision, with a zone only where it has one.

    >>> moment("20240301080509.25+0800"), moment("202403010805"), moment("2024"), moment("20241301")
    ('2024-03-01T08:05:09.25+08:00', '2024-03-01T08:05', '2024', '')
    """
    plain = text.strip()
    match = _TS.fullmatch(plain) or _DASHED.fullmatch(plain)
    if match is None:
        return ""
    year, month, day, hour, minute, second, fraction, utc, hours, minutes = match.groups()
    if not _sensible(year, month, day, hour, minute, second):
        return ""
    date = "-".join(part for part in (year, month, day) if part)
    if hour is None:
        return date
    clock = ":".join(part for part in (hour, minute, second) if part)
    zone = "Z" if utc else f"{hours}:{minutes or '00'}" if hours else ""
    return f"{date}T{clock}{'.' + fraction if fraction else ''}{zone}"


def _sensible(year: str, *parts: str | None) -> bool:
    limits = ((1, 12), (1, 31), (0, 23), (0, 59), (0, 60))
    inside = all(part is None or low <= int(part) <= high for part, (low, high) in zip(parts, limits, strict=True))
    return year != "0000" and inside


def time_at(element: _Element | None) -> str:
    """The moment of a TS element, or of the start of an interval."""
    if element is None:
        return ""
    return moment(told(element, "value")) or moment(told(element.find("low"), "value"))


def span(element: _Element | None) -> tuple[str, str]:
    """Start and end of an IVL_TS; a TS has a start alone. A centre stands for the start."""
    if element is None:
        return "", ""
    start = time_at(element) or moment(told(element.find("center"), "value"))
    return start, moment(told(element.find("high"), "value"))


def concept(element: _Element | None, words: dict[str, str] | None = None) -> Json | None:
    """A CodeableConcept of a code with its translations; ``words``: narrative by ID, for ``originalText``."""
    if element is None:
        return None
    codings = [coding for each in (element, *element.findall("translation")) if (coding := _coding(each))]
    text = original_text(element, words or {}) or (element.get("displayName") or "").strip()
    made: Json = {}
    if codings:
        made["coding"] = codings
    if text:
        made["text"] = text
    return made or None


def _coding(element: _Element) -> Json | None:
    code = (element.get("code") or "").strip()
    if not code or element.get("nullFlavor"):
        return None
    made = {"system": system_uri(element.get("codeSystem") or ""), "code": code}
    if not made["system"]:
        del made["system"]
    if display := (element.get("displayName") or "").strip():
        made["display"] = display
    return made


def original_text(element: _Element, words: dict[str, str]) -> str:
    """What the author wrote: the text itself, or the narrative that it refers to."""
    original = element.find("originalText")
    if original is None:
        return ""
    return referred(original, words) or text_of(original)


def referred(element: _Element | None, words: dict[str, str]) -> str:
    """The narrative that ``<reference value="#id"/>`` names."""
    reference = found_at(element, "reference")
    value = told(reference, "value")
    return words.get(value[1:], "") if value.startswith("#") else ""


def identifier(element: _Element | None) -> tuple[str, str]:
    """Root and extension of an II; empty where it is null or has no root."""
    if element is None or element.get("nullFlavor"):
        return "", ""
    return (element.get("root") or "").strip(), (element.get("extension") or "").strip()


def key_of(root: str, extension: str) -> str:
    """The id of a fact: the same as an HL7 v2 feed's that names the same authority and number."""
    if not root and not extension:
        return ""
    return fact_id(root, extension) if extension else hashed("", root)


def number(text: str) -> float | int | None:
    """A finite decimal as JSON says it; None for anything else."""
    plain = text.strip()
    if not _NUMBER.fullmatch(plain):
        return None
    try:
        value = Decimal(plain)
    except InvalidOperation:
        return None
    if value == value.to_integral_value() and abs(value) < 2**53 and "." not in plain and "e" not in plain.lower():
        return int(value)
    made = float(value)
    return made if abs(made) != float("inf") else None


def quantity(element: _Element | None) -> Json | None:
    """A Quantity of a PQ; its unit is a UCUM code where it can be one."""
    value = number(told(element, "value"))
    if element is None or value is None:
        return None
    made: Json = {"value": value}
    unit = (element.get("unit") or "").strip()
    if unit and unit != "1":
        made["unit"] = unit
        code = UNITS.get(unit, unit)
        if _UCUM.fullmatch(code):
            made |= {"system": UCUM, "code": code}
    return made


def value_of(element: _Element, words: dict[str, str]) -> Json:
    """``value[x]`` of an observation by the type of its value; ``dataAbsentReason`` for a null flavour."""
    flavour = (element.get("nullFlavor") or "").strip()
    kind = kind_of(element)
    made = _VALUES.get(kind, _any_value)(element, words)
    if made:
        return made
    if flavour:
        return {"dataAbsentReason": {"coding": [{"code": ABSENT.get(flavour, "unknown")}]}}
    return {}


def _any_value(element: _Element, words: dict[str, str]) -> Json:
    """A value without a type that is known: by what it has."""
    if element.get("code"):
        return _code_value(element, words)
    if element.get("unit") or _NUMBER.fullmatch((element.get("value") or "").strip()):
        return _quantity_value(element, words)
    return _text_value(element, words)


def _quantity_value(element: _Element, words: dict[str, str]) -> Json:
    made = quantity(element)
    if made is None:
        written = (element.get("value") or "").strip()
        return {"valueString": written} if written and not element.get("nullFlavor") else {}
    return {"valueQuantity": made}


def _text_value(element: _Element, words: dict[str, str]) -> Json:
    text = referred(element, words) or text_of(element) or told(element, "value")
    return {"valueString": text} if text else {}


def _code_value(element: _Element, words: dict[str, str]) -> Json:
    made = concept(element, words)
    return {"valueCodeableConcept": made} if made else {}


def _yes_value(element: _Element, words: dict[str, str]) -> Json:
    found = _YES.get(told(element, "value").lower())
    return _text_value(element, words) if found is None else {"valueBoolean": found}


def _time_value(element: _Element, words: dict[str, str]) -> Json:
    start, end = span(element)
    if end:
        return {"valuePeriod": {name: text for name, text in (("start", start), ("end", end)) if text}}
    if start:
        return {"valueDateTime": start}
    return _text_value(element, words)


def _interval_value(element: _Element, words: dict[str, str]) -> Json:
    """An IVL_PQ: a comparator where one end is open, a range where both are given."""
    low, high = element.find("low"), element.find("high")
    least, most = quantity(low), quantity(high)
    if least and most:
        return {"valueRange": {"low": least, "high": most}}
    if least and low is not None:
        return {"valueQuantity": least | {"comparator": ">" if low.get("inclusive") == "false" else ">="}}
    if most and high is not None:
        return {"valueQuantity": most | {"comparator": "<" if high.get("inclusive") == "false" else "<="}}
    return _quantity_value(element, words)


def _ratio_value(element: _Element, words: dict[str, str]) -> Json:
    top, bottom = quantity(element.find("numerator")), quantity(element.find("denominator"))
    return {"valueRatio": {"numerator": top, "denominator": bottom}} if top and bottom else _text_value(element, words)


_VALUES = {
    "PQ": _quantity_value,
    "REAL": _quantity_value,
    "INT": _quantity_value,
    "MO": _quantity_value,
    "CD": _code_value,
    "CE": _code_value,
    "CV": _code_value,
    "CO": _code_value,
    "CS": _code_value,
    "ST": _text_value,
    "ED": _text_value,
    "SC": _text_value,
    "BL": _yes_value,
    "BN": _yes_value,
    "TS": _time_value,
    "IVL_TS": _time_value,
    "IVL_PQ": _interval_value,
    "IVL_REAL": _interval_value,
    "IVL_INT": _interval_value,
    "RTO": _ratio_value,
    "RTO_PQ_PQ": _ratio_value,
}


def human_name(element: _Element | None) -> Json | None:
    """A HumanName: parts where there are any, else the text as it is."""
    if element is None or element.get("nullFlavor"):
        return None
    family = " ".join(text for each in element.findall("family") if (text := text_of(each)))
    given = [text for each in element.findall("given") if (text := text_of(each))]
    if not family and not given:
        text = text_of(element)
        return {"text": text} if text else None
    made: Json = {}
    if family:
        made["family"] = family
    if given:
        made["given"] = given
    return made


_ADDRESS = (("city", "city"), ("state", "state"), ("postalCode", "postalCode"), ("country", "country"))
_LINES = ("streetAddressLine", "streetName", "houseNumber", "additionalLocator")
_CHINESE = ("state", "city", "county", "township", "streetName", "houseNumber", "additionalLocator")


def address(element: _Element | None) -> Json | None:
    """An Address; a Chinese one (with ``township``) as one text, the largest part first."""
    if element is None or element.get("nullFlavor"):
        return None
    made: Json = {name: text for tag, name in _ADDRESS if (text := text_of(element.find(tag)))}
    if element.find("township") is not None:
        text = "".join(text_of(element.find(tag)) for tag in _CHINESE)
        if text:
            made["text"] = text
    else:
        lines = [text for tag in _LINES for each in element.findall(tag) if (text := text_of(each))]
        if lines:
            made["line"] = lines
    if not made and (text := text_of(element)):
        made["text"] = text
    return made or None


def telecom(elements: list[_Element]) -> list[Json]:
    """ContactPoints of telecom elements that have a value."""
    found = []
    for element in elements:
        value = told(element, "value")
        scheme, colon, rest = value.partition(":")
        if value:
            system = {"mailto": "email", "fax": "fax", "http": "url", "https": "url"}.get(scheme, "phone")
            found.append({"system": system, "value": rest if colon and system != "url" else value})
    return found
