"""A grade for each column, suggested with its reason; a person confirms it before anything is published.

Sources of the classes: GB/T 42460-2023 (direct identifiers, quasi-identifiers), GB/T 39725-2020 (five levels),
the Human Genetic Resources Regulation (genomes).
"""

from __future__ import annotations

import re

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.profile import ColumnProfile, TableProfile

FREE_TEXT_CHARACTERS = 60
"""A text that is longer somewhere is taken for free text."""
NEARLY_ALL = 0.9
"""A value of its own for this share of the rows: the column names rows or persons."""
LONG_NUMBER = re.compile(r"(?!\d{4}-\d\d(-\d\d)?\Z)\+?\d[\d -]{7,}[\dX]\Z")
"""Of a card or a telephone; a day is none."""
_DIRECT = re.compile(
    r"(^|_)(name|xm|phone|tel|mobile|dh|address|dz|email|national_id|id_?card|sfzh|ssn|passport|insurance|"
    r"mrn|patient_?id|patient_?nbr|zyh|mzh|blh|barcode|plate|url|ip)(_|$)|姓名|电话|手机|地址|身份证|住址|邮箱|病历号|住院号|门诊号|医保号"
)
_GENOME = re.compile(r"(^|_)(genotype|allele|variant|rsid|sequence|snp|genome|vcf)(_|$)|基因|变异")
_QUASI = re.compile(
    r"(^|_)(birth|born|csrq|zip|postal|postcode|yb|city|town|village|occupation|employer)(_|$)|出生|邮编|职业|单位名称|籍贯|民族"
)
_RARE = ("code", "diagnosis", "diag", "disease", "icd")

CLASSES = ("identifier", "free_text", "genome", "quasi_identifier", "rare_codes", "plain")


class GradeSuggestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``role`` and ``grade`` for a column, the class that it fell into, and why, in words."""

    column: str
    role: str
    grade: str
    found: str
    why: str


def suggest_grade(table: TableProfile, column: ColumnProfile, *, min_persons: int = 10) -> GradeSuggestion:
    """The class, role and grade of one column of ``table``, with the reason; the first rule that fits decides.

    >>> p = ColumnProfile("phone", "text", 10, 10, 10)
    >>> suggest_grade(TableProfile("patient", 10, 10, (p,)), p).role
    'identifier'
    """
    name = column.name.lower()
    if _GENOME.search(name):
        return _found(column, "data", "L3", "genome", "its name says genome, and a genome names its person")
    if _DIRECT.search(name):
        return _found(column, "identifier", "L3", "identifier", "its name says that it names a person")
    if column.holds == "text":
        text = _of_text(table, column, min_persons)
        if text is not None:
            return text
    if _QUASI.search(name):
        return _found(column, "identifier", "L2", "quasi_identifier", "with other facts it singles a person out")
    return _found(column, "data", "L2", "plain", "de-identified fact")


def suggest_grades(table: TableProfile, *, min_persons: int = 10) -> tuple[GradeSuggestion, ...]:
    """One suggestion a column, in order."""
    return tuple(suggest_grade(table, column, min_persons=min_persons) for column in table.columns)


def _of_text(table: TableProfile, column: ColumnProfile, min_persons: int) -> GradeSuggestion | None:
    coded = _coded(table.name, column.name)
    if not coded and column.levels and all(LONG_NUMBER.match(level.value) for level in column.levels[:20]):
        return _found(
            column, "identifier", "L3", "identifier", "its values are long numbers, like a card's or a phone's"
        )
    if column.longest > FREE_TEXT_CHARACTERS and not (coded and column.name.endswith("_system")):
        return _found(column, "identifier", "L3", "free_text", f"free text (up to {column.longest} characters)")
    if not coded and column.filled >= 20 and column.distinct >= NEARLY_ALL * column.filled:
        return _found(column, "identifier", "L3", "identifier", "nearly every row has a value of its own")
    rare = sum(level.persons < min_persons for level in column.levels)
    if rare and any(word in column.name.lower() for word in _RARE):
        why = f"{rare} of its codes are of fewer than {min_persons} persons: left out of the published levels"
        return _found(column, "data", "L2", "rare_codes", why)
    return None


def _coded(table: str, column: str) -> bool:
    """Codes of a code system are long numbers in some (SNOMED CT), and name no person."""
    canonical = canonical_table(table)
    kinds = {part.name: one.kind for one in canonical.columns for part in one.physical()} if canonical else {}
    return kinds.get(column) in ("concept", "coded") and not column.endswith(("_source", "_source_text"))


def _found(column: ColumnProfile, role: str, grade: str, found: str, why: str) -> GradeSuggestion:
    return GradeSuggestion(column.name, role, grade, found, why)
