"""A data set's statement by the code tables of the Chinese national catalogue, and by GB/T 39725-2020.

Code tables of NDI-TR-2025-06 (national data infrastructure, catalogue; March 2025, for trial): source, delivery, update
frequency, quality (001 to 004 for A to D), security level (001 to 005 for levels 1 to 5). Identifiers as in
NDI-TR-2025-04: area (6 digits) and organisation, a stroke, type (1), serial (6), check (2). The texts themselves were
not to be had: tables are as summaries and implementations of others quote them. Two things are this project's own
choice where those do not say them: the check digits (ISO 7064 MOD 97-10, which is GB/T 17710) and the bounds of the
quality letters (``QUALITY_FROM``).
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from xinglin.catalogue.errors import BadNationalCode
from xinglin.catalogue.statement import ConfirmedGrade, DataSetStatement
from xinglin.kernel.instants import to_text

Delivery = Literal["001", "002", "003", "004", "005", "006"]
DELIVERIES = {
    "001": "数据集",
    "002": "API 接口",
    "003": "数据应用",
    "004": "数据报告",
    "005": "数据对象",
    "006": "其他",
}
Origin = Literal["001", "002", "003", "004"]
ORIGINS = {"001": "原始数据", "002": "采集数据", "003": "交易数据", "004": "其他"}
TYPES = {"A": "API", "S": "服务", "P": "产品", "D": "结构化数据资源", "F": "文件数据资源"}
"""The first letter behind an identifier's stroke: products are A, S or P, resources D or F."""
INDUSTRIES = {"Q84": "卫生"}
"""Of GB/T 4754-2017; others are written without a label."""
QUALITIES = {"001": "A", "002": "B", "003": "C", "004": "D"}
QUALITY_FROM = (("001", 95), ("002", 85), ("003", 70), ("004", 0))
"""Whole percents of passed checks, the mean over kinds, from which a letter is given."""
LEVELS = {"001": "第1级", "002": "第2级", "003": "第3级", "004": "第4级", "005": "第5级"}
FREQUENCY = re.compile(r"00[1-9]\Z")

AREA = re.compile(r"(1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|81|82)\d{4}\Z")
"""GB/T 2260: the first two digits name a province."""
_ORGANISATION = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}\Z")
_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"

CATEGORIES = ("个人属性数据", "健康状况数据", "医疗应用数据", "医疗支付数据", "卫生资源数据", "公共卫生数据")
"""The six categories of GB/T 39725-2020."""
_CATEGORY = {
    "patient": 0,
    "condition": 1,
    "observation": 1,
    "allergy": 1,
    "variant": 1,
    "claim": 3,
    "organization": 4,
    "staff": 4,
    "location": 4,
    "supply": 4,
    "death": 5,
    "immunization": 5,
}
_MEDICAL_USE = 2

_LEVEL_OF = {
    ("L1", ""): 1,
    ("L2", ""): 3,
    ("L2", "rare_codes"): 3,
    ("L3", ""): 4,
    ("L3", "genome"): 5,
}
"""GB/T 39725-2020, 6.3: 1 open to all; 2 no person can be identified; 3 de-identified in part, a project's own;
4 identifies a person; 5 the most sensitive, in the narrowest circle. Genomes are taken for level 5."""


class NationalOffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the provider states. ``area``: six digits (GB/T 2260); ``organisation``: the unified social credit code
    (GB 32100-2015, 18 characters, the last a check); ``serial``: of this resource; ``frequency``: code of the update
    frequency, 001 (in real time) to 009 (historical); ``kind``: letter of ``TYPES``, by default as it is delivered.
    """

    area: str
    organisation: str
    serial: int
    frequency: str
    delivery: Delivery = "002"
    kind: str = ""
    contact: str = ""
    origin: Origin = "001"
    industry: str = "Q84"


def national_record(statement: DataSetStatement, offer: NationalOffer) -> dict[str, Any]:
    """The statement as a catalogue record: keys in English, labels of codes in Chinese. Raises ``BadNationalCode``."""
    if not FREQUENCY.match(offer.frequency):
        raise BadNationalCode("The update frequency has a code from 001 to 009.", remedy="See NDI-TR-2025-06.")
    if not re.fullmatch(r"[A-T]\d{0,4}", offer.industry):
        raise BadNationalCode("An industry is a letter and up to four digits.", remedy="See GB/T 4754-2017.")
    level = max((level_of(one) for one in statement.grades), default=_LEVEL_OF[statement.grade, ""])
    quality = quality_code(statement)
    return {
        "identifier": identifier(offer),
        "name": statement.title,
        "summary": statement.words,
        "provider": {"did": statement.provider, "organisation": offer.organisation, "contact": offer.contact},
        "type": {"code": _type(offer), "label": TYPES[_type(offer)]},
        "industry": {"code": offer.industry, "label": INDUSTRIES.get(offer.industry, "")},
        "origin": {"code": offer.origin, "label": ORIGINS[offer.origin]},
        "delivery": {"code": offer.delivery, "label": DELIVERIES[offer.delivery]},
        "frequency": {"code": offer.frequency},
        "quality": {"code": quality, "label": QUALITIES[quality]},
        "security_level": {"code": f"{level:03d}", "label": LEVELS[f"{level:03d}"]},
        "categories": sorted({category_of(table.name) for table in statement.tables}, key=CATEGORIES.index),
        "time": {"from": statement.first_month, "to": statement.last_month},
        "records": statement.records,
        "persons": statement.persons,
        "updated": to_text(statement.at),
        "tables": [_table(statement, table.name, table.words, table.rows) for table in statement.tables],
        "confirmed": statement.confirmed,
        "digest": statement.digest(),
        "format": "NDI-TR-2025-06",
    }


def identifier(offer: NationalOffer) -> str:
    """``area organisation / type serial check``. Raises ``BadNationalCode``.

    >>> identifier(NationalOffer("310101", "12310000425005432M", 7, "001"))
    '31010112310000425005432M/A00000704'
    """
    if not AREA.match(offer.area):
        raise BadNationalCode("An area has six digits, the first two of a province.", remedy="See GB/T 2260.")
    if not _ORGANISATION.match(offer.organisation) or offer.organisation[17] != credit_check(offer.organisation):
        raise BadNationalCode(
            "An organisation has a unified social credit code of 18 characters.",
            why="its form or its last character, which checks the others, is another",
            remedy="See GB 32100-2015.",
        )
    if not 0 <= offer.serial <= 999_999:
        raise BadNationalCode("A serial number has at most six digits.")
    kind = _type(offer)
    body = f"{offer.area}{offer.organisation}{kind}{offer.serial:06d}"
    digits = "".join(str(int(letter, 36)) for letter in body)
    check = 98 - int(digits + "00") % 97
    return f"{offer.area}{offer.organisation}/{kind}{offer.serial:06d}{check:02d}"


def credit_check(code: str) -> str:
    """The 18th character of a unified social credit code by the first 17 (GB 32100-2015, ISO 7064 MOD 31-3).

    >>> credit_check("91350100M000100Y43")
    '3'
    """
    total = sum(_LETTERS.index(letter) * pow(3, at, 31) for at, letter in enumerate(code[:17]))
    return _LETTERS[-total % 31]


def _type(offer: NationalOffer) -> str:
    kind = offer.kind or {"002": "A"}.get(offer.delivery, "P")
    if kind not in TYPES:
        raise BadNationalCode(f"'{kind[:8]}' is no type.", remedy=f"Use one of {', '.join(TYPES)}.")
    return kind


def category_of(table: str) -> str:
    """The category of GB/T 39725 that a table falls into; other tables are medical use."""
    return CATEGORIES[_CATEGORY.get(table, _MEDICAL_USE)]


def level_of(grade: ConfirmedGrade) -> int:
    """The level of GB/T 39725, 1 to 5; an unknown grade is taken for the highest."""
    return _LEVEL_OF.get((grade.grade, grade.found), _LEVEL_OF.get((grade.grade, ""), 5))


def quality_code(statement: DataSetStatement) -> str:
    """A to D as a code; ``004`` where nothing was checked."""
    scores = statement.quality.scores if statement.quality else {}
    if not scores:
        return "004"
    mean = sum(scores.values()) / len(scores)
    return next(code for code, least in QUALITY_FROM if mean >= least)


def _table(statement: DataSetStatement, name: str, words: str, rows: int) -> dict[str, Any]:
    own = [one for one in statement.grades if one.table == name]
    levels = {one.column: level_of(one) for one in own}
    return {
        "name": name,
        "words": words,
        "rows": rows,
        "category": category_of(name),
        "fields": [
            {
                "name": one.name,
                "words": one.words,
                "type": one.kind,
                "filled_percent": one.filled_percent,
                "level": levels.get(one.name, _LEVEL_OF.get((one.grade, ""), 5)),
            }
            for one in statement.variables
            if one.table == name
        ],
        "withheld": sorted(one.column for one in own if one.role != "data"),
    }
