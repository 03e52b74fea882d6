"""What is published of a product: kinds, ranges without anybody's extreme, levels without rare ones, roles, grades."""

from __future__ import annotations

import math

import msgspec

from xinglin.catalogue.model import ColumnDescription, TableDescription
from xinglin.records.tabular.behind import Behind
from xinglin.records.tabular.model import Product, ProductColumn
from xinglin.records.tabular.patterns import names_persons
from xinglin.records.tabular.profile import Profile

MIN_PERSONS = 10
OTHER = "other"
MAX_LEVELS = 999
IDENTIFIERS = frozenset(
    {
        "person.id",
        "person.name",
        "person.family",
        "person.given",
        "person.national_id",
        "person.insurance_id",
        "person.phone",
        "person.email",
        "person.address",
        "person.postal_code",
        "person.contact",
        "person.birth_date",
        "visit.id",
        "visit.inpatient_no",
        "visit.outpatient_no",
        "visit.doctor",
        "visit.bed",
        "dx.doctor",
        "op.staff",
        "lab.row",
        "lab.report",
        "drug.order",
        "row.key",
    }
)
"""Meanings that name a person or may; never a column of data."""

_ROWS, _NEARLY_ALL, _DIGITS = 20, 0.9, 6
"""A number of so many digits that nearly every one of so many rows has of its own names rows or persons."""


class Published(msgspec.Struct, frozen=True):
    """A column as it may be published, and why it is graded so."""

    column: ProductColumn
    reason: str = ""


def publish(profile: Profile, meaning: str, persons: Behind, words: str, source: str = "") -> Published:
    """How a column is published. ``persons``: who stands behind its values; ``source``: its name where it differs."""
    if meaning in IDENTIFIERS or _names_somebody(profile, meaning):
        return Published(ProductColumn("text", source, "identifier", words=words), "it names a person or may")
    if meaning == "gene.variant":
        levels, other = _levels(persons)
        kind = "category" if levels else "text"
        column = ProductColumn(kind, source, words=words, grade="L3", levels=levels, other=other)
        return Published(column, "genomes are L3")
    if profile.fits("date") and not profile.fits("number", 0.99):
        return Published(ProductColumn(_dated(profile), source, words=words), "a date: no range is published")
    if profile.fits("free text", 0.2) or meaning == "note.text":
        return Published(ProductColumn("text", source, words=words), "free text is kept and never exposed")
    if profile.boolean:
        return Published(ProductColumn("boolean", source, words=words))
    coded = meaning in ("dx.code", "op.code", "visit.type", "visit.disposition", "visit.admit_source", "lab.code")
    if profile.fits("number", 0.995) and not coded and not (meaning.endswith("sex") or profile.distinct <= 2):
        return _number(profile, persons, words, source)
    return _category(profile, persons, words, source)


def _names_somebody(profile: Profile, meaning: str) -> bool:
    """Identity numbers, telephones, e-mail, persons' names, long numbers that nearly every row has of its own."""
    if profile.fits("identity number", 0.5) or profile.fits("phone", 0.8) or profile.fits("e-mail", 0.5):
        return True
    if not meaning and profile.fits("number", 0.995) and profile.filled >= _ROWS:
        own = profile.distinct >= _NEARLY_ALL * profile.filled
        return own and all(len(value) >= _DIGITS and value.isdigit() for value, _ in profile.top)
    return names_persons(value for value, _ in profile.top)


def _category(profile: Profile, persons: Behind, words: str, source: str) -> Published:
    levels, other = _levels(persons)
    if not levels or len(levels) > MAX_LEVELS or profile.longest > 200:
        return Published(ProductColumn("text", source, words=words), "too many different or rare values for a category")
    different = len(persons.counts)
    rare = different - len(levels) + bool(other)
    become = f"'{other}'" if other else "NULL"
    reason = f"values of fewer than {MIN_PERSONS} persons ({rare} of {different}) become {become}" if rare else ""
    flag = "rare_merged" if rare else ""
    column = ProductColumn("category", source, words=words, levels=levels, other=other, flag=flag)
    return Published(column, reason)


def _dated(profile: Profile) -> str:
    return "instant" if profile.top and ":" in profile.top[0][0] else "date"


def _levels(persons: Behind) -> tuple[tuple[str, ...], str]:
    """Levels of at least ``MIN_PERSONS`` persons; the rest together as one, if they are so many."""
    kept = sorted((value for value, count in persons.counts.items() if count >= MIN_PERSONS), key=_natural)
    rest = persons.together(value for value, count in persons.counts.items() if count < MIN_PERSONS)
    other = OTHER if rest >= MIN_PERSONS and kept and OTHER not in kept else ""
    return ((*kept, other) if other else tuple(kept)), other


def _natural(value: str) -> tuple[float, str]:
    digits = value.lstrip("[(<>=≥≤ ").split("-")[0].split(")")[0]
    try:
        number = float(digits)
    except ValueError:
        return math.inf, value
    return (number, value) if math.isfinite(number) else (math.inf, value)


def _number(profile: Profile, persons: Behind, words: str, source: str) -> Published:
    from xinglin.records.tabular.values import to_number

    read = {value: number for value in persons.counts if (number := to_number(value)[0]) is not None}
    values = sorted(read, key=read.__getitem__)
    if persons.together(values) < MIN_PERSONS:
        return Published(ProductColumn("text", source, words=words), f"fewer than {MIN_PERSONS} persons have a number")
    low, high = read[persons.reached(values, MIN_PERSONS)], read[persons.reached(values[::-1], MIN_PERSONS)]
    whole = all(number.is_integer() for number in read.values())
    low, high = rounded_range(low, high, whole)
    clipped = read[values[0]] < low or read[values[-1]] > high
    reason = "the range leaves out what fewer than 10 persons have" if clipped else ""
    kind = "integer" if whole else "number"
    flag = "range_clipped" if clipped else ""
    return Published(ProductColumn(kind, source, low=low, high=high, words=words, flag=flag), reason)


def rounded_range(low: float, high: float, whole: bool) -> tuple[float, float]:
    """A range padded outwards to a round grid of about a tenth of its width.

    >>> rounded_range(1, 126, True), rounded_range(36.4, 40.2, False)
    ((0.0, 140.0), (36.0, 40.5))
    """
    span = max(high - low, 1.0 if whole else abs(high) * 1e-6 or 1.0)
    power = 10.0 ** math.floor(math.log10(span / 10))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span / 10 - 1e-12)
    step = max(step, 1.0) if whole else step
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    if low >= 0 and bottom <= step:
        bottom = 0.0
    if not bottom < top:
        top = bottom + step
    return round(bottom, 9) + 0.0, round(top, 9) + 0.0


def product_description(product: Product, words: str = "") -> TableDescription:
    """The catalogue's description of a product; the patient's key is the column ``patient``."""
    columns = [ColumnDescription("patient", "text", "person", words="the person's key at this hospital")]
    for name, column in product.columns.items():
        kind = column.kind
        data = column.role == "data"
        number = data and kind in ("number", "integer")
        columns.append(
            ColumnDescription(
                name,
                kind,
                column.role,
                unit=column.unit,
                low=column.low if number else None,
                high=column.high if number else None,
                levels=column.levels if data and kind == "category" else (),
                grade=column.grade,
                words=column.words,
            )
        )
    return TableDescription(product.name, tuple(columns), "patient", product.grade, words or product.words)
