"""Suggested corrections as rules: which rows, what value instead, and why. A person accepts or refuses each.

A rule is a SELECT over current views that gives ``fact``, ``patient``, ``current`` and ``suggested``. Nothing is ever
changed silently: originals stay, and an accepted suggestion is a new version of its fact with its own provenance.
"""

from __future__ import annotations

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.quality_checks import quality_check
from xinglin.kernel.states import StateTable

SUGGESTION_STATES = StateTable(
    "a suggested correction", "open", (("open", "accept", "accepted"), ("open", "refuse", "refused"))
)


class SuggestionRule(msgspec.Struct, frozen=True):
    """``where`` and ``suggested``: SQL over the row ``f`` of ``table``. ``version`` grows when either changes."""

    id: str
    table: str
    column: str
    where: str
    suggested: str
    needs: tuple[str, ...]
    words: str
    words_zh: str
    version: int = 1


def _unit(
    id_: str, code: str, unit: str, low: float, high: float, suggested: str, words: tuple[str, str]
) -> SuggestionRule:
    where = f"f.code = '{code}' AND f.value_unit = '{unit}' AND f.value_number BETWEEN {low:g} AND {high:g}"
    needs = ("code", "value_unit", "value_number")
    return SuggestionRule(id_, "observation", "value_number", where, suggested, needs, *words)


SUGGESTION_RULES = (
    _unit("fahrenheit", "8310-5", "Cel", 90, 112, "round((f.value_number - 32) * 5 / 9, 2)",
          ("a temperature in degrees Fahrenheit under Celsius", "以摄氏度记录的华氏温度")),
    _unit("metres", "8302-2", "cm", 0.3, 2.5, "round(f.value_number * 100, 2)",
          ("a height in metres under centimetres", "以厘米记录的米制身高")),
    _unit("grams", "29463-7", "kg", 700, 8000, "round(f.value_number / 1000, 4)",
          ("a weight in grams under kilograms", "以千克记录的克制体重")),
    _unit("grams_per_litre", "718-7", "g/dL", 40, 250, "round(f.value_number / 10, 3)",
          ("haemoglobin in g/L under g/dL", "以 g/dL 记录的 g/L 血红蛋白")),
)  # fmt: skip

REPEATED = ("encounter", "condition", "observation", "medication", "procedure", "immunization")
"""Tables whose repeated facts are suggested to be taken back, but the first of them."""


def suggestion_select(rule: SuggestionRule) -> str:
    """``fact``, ``patient``, ``current``, ``suggested`` of every row that the rule is about."""
    return (
        f"SELECT f.id AS fact, f.patient AS patient, CAST(f.{rule.column} AS VARCHAR) AS current, "  # noqa: S608
        f'CAST({rule.suggested} AS VARCHAR) AS suggested FROM "{rule.table}" AS f WHERE {rule.where}'
    )


def repeated_rule(table: str) -> SuggestionRule | None:
    """The rule that suggests to take repeated facts of a table back; ``None`` where it has no such check."""
    check, found = quality_check(f"uniqueness.same.{table}"), canonical_table(table)
    if check is None or found is None:
        return None
    status = found.status[0]
    words = ("the same fact is there before it, from its own or another feed", "此前已有相同的记录")
    return SuggestionRule(
        f"repeated_{table}", table, status, f"({check.applies}) AND ({check.fails})", "'entered-in-error'",
        (*check.needs, status), *words,
    )  # fmt: skip


def repeated_select(rule: SuggestionRule) -> str:
    """As ``suggestion_select``, of a ``repeated_rule``: rows that follow another with the same content."""
    same = ", ".join(f'"{name}"' for name in rule.needs[:-1])
    window = f"OVER (PARTITION BY {same} ORDER BY id)"
    numbered = f'row_number() {window} AS "#n", first_value(id) {window} AS "#of"'
    return (
        f"SELECT f.id AS fact, f.patient AS patient, CAST(f.{rule.column} AS VARCHAR) AS current, "  # noqa: S608
        f'{rule.suggested} AS suggested FROM (SELECT *, {numbered} FROM "{rule.table}") AS f WHERE {rule.where}'
    )
