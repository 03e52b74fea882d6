"""Refusals that repair themselves: one to three concrete edits of a question, by the code of what was refused. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.console.questions import Question, fitting
from xinglin.words import Words

if TYPE_CHECKING:
    from xinglin.analysis.admit import OutputColumn
    from xinglin.kernel.verdict import Reason

_QUOTED = re.compile(r"'([^']{1,128})'")
_SMALL = frozenset({"privacy.small_cell", "privacy.dominance", "privacy.min_tail", "gate.few_persons"})
_MODEL = frozenset({"privacy.many_parameters", "privacy.few_degrees_of_freedom"})
_BUDGET = frozenset({"privacy.study_spent", "privacy.everybody_spent", "privacy.no_budget", "privacy.reserved"})
_ANSWERS = frozenset({"privacy.no_answers", "privacy.no_allowance", "terms.no_allowance", "sdk.noise"})
_FEW = frozenset({"sdk.few_hospitals", "privacy.few_hospitals", "terms.few_hospitals", "sdk.no_agreement"})
_WHERE = re.compile(r"\s+WHERE\s+(?:(?!\bGROUP\b|\bORDER\b|\bLIMIT\b|\)).)*$", re.IGNORECASE | re.DOTALL)
_FEWER_BINS = 2


class Repair(msgspec.Struct, frozen=True):
    """An edit: what it does (translated), the question after it, and whether that is admitted, once judged."""

    label: str
    question: Question
    admitted: bool | None = None


def repairs_of(
    words: Words,
    question: Question,
    reasons: Sequence[Reason],
    columns: Sequence[OutputColumn],
    views: Mapping[str, Sequence[str]],
    fitted: str = "",
) -> tuple[Repair, ...]:
    """Edits that speak to the reasons, the closest first; each another question, none twice, at most three.

    ``fitted``: the SELECT with the same ranges at every hospital, where they publish different ones.
    """
    found: list[Repair] = []
    if fitted and any(reason.code == "sdk.domain_differs" for reason in reasons):
        found.append(Repair(words.text("The same ranges and levels at every hospital"), _with_sql(question, fitted)))
    for reason in reasons:
        for make in (_renamed, _bounded, _fitted, _blunter, _cheaper, _everybody):
            found += make(words, question, reason, columns, views)
    seen: set[bytes] = {msgspec.json.encode(question)}
    kept = []
    for one in found:
        key = msgspec.json.encode(one.question)
        if key not in seen:
            seen.add(key)
            kept.append(one)
    return tuple(kept[:3])


Columns = Sequence["OutputColumn"]
Views = Mapping[str, Sequence[str]]
Make = Callable[[Words, Question, "Reason", Columns, Views], list[Repair]]


def _renamed(words: Words, question: Question, reason: Reason, _columns: Columns, views: Views) -> list[Repair]:
    """A name that nobody knows becomes the nearest ones that are known."""
    if reason.code not in ("sql.unknown_column", "sql.unknown_relation"):
        return []
    named = _QUOTED.search(reason.words)
    if named is None:
        return []
    wrong = named.group(1).rpartition(".")[2]
    known = list(views) if reason.code == "sql.unknown_relation" else sorted({c for v in views.values() for c in v})
    near = difflib.get_close_matches(wrong, known, n=2, cutoff=0.5) or (known if len(known) == 1 else [])
    return [
        Repair(
            words.text("Write %(right)s in place of %(wrong)s", right=right, wrong=wrong),
            _with_sql(question, re.sub(rf"\b{re.escape(wrong)}\b", lambda _m, right=right: right, question.sql)),  # type: ignore[misc]
        )
        for right in near
    ]


def _bounded(words: Words, question: Question, reason: Reason, columns: Columns, _views: Views) -> list[Repair]:
    """A column without a published range is left out of the SELECT."""
    if reason.code != "analysis.no_published_range":
        return []
    named = _QUOTED.search(reason.words)
    name = named.group(1) if named else ""
    rest = [one.name for one in columns if one.name != name]
    if not name or not rest:
        return []
    plain = re.sub(rf",\s*{re.escape(name)}\b|\b{re.escape(name)}\s*,\s*", "", question.sql, count=1)
    return [Repair(words.text("Leave %(name)s out", name=name), _with_sql(question, plain))]


def _fitted(words: Words, question: Question, reason: Reason, columns: Columns, _views: Views) -> list[Repair]:
    """A field with a column that does not fit takes those that do."""
    if reason.code not in ("analysis.bad_parameters", "analysis.unknown_column", "console.bad_field"):
        return []
    edits = []
    for field in question.asked.fields:
        fits = fitting(field, columns)
        given = question.fields.get(field.name, ())
        for name in [one for one in fits if one not in given][:2]:
            label = words.text("%(field)s: %(name)s", field=words.text(field.label), name=name)
            edits.append(Repair(label, _with_field(question, field.name, (name,))))
    return edits[:2]


def _blunter(words: Words, question: Question, reason: Reason, _columns: Columns, _views: Views) -> list[Repair]:
    """Too few persons: fewer bins, no groups, a wider cohort."""
    if reason.code in _MODEL and "+" in question.first("formula"):
        shorter = question.first("formula").rpartition("+")[0].strip()
        label = words.text("A smaller model: %(formula)s", formula=shorter)
        return [Repair(label, _with_field(question, "formula", (shorter,)))]
    if reason.code not in _SMALL:
        return []
    edits = _without_levels(words, question, reason)
    asked = question.first("bins")
    if question.operation == "histogram" and asked.isascii() and asked.isdigit() and len(asked) < 6:
        bins = max(2, int(asked) // _FEWER_BINS)
        edits.append(Repair(words.text("%(n)s bins", n=bins), _with_field(question, "bins", (str(bins),))))
    if question.operation in ("describe", "count") and question.fields.get("by"):
        edits.append(Repair(words.text("Without groups"), _with_field(question, "by", ())))
    wider = _WHERE.sub("", question.sql).rstrip()
    if wider != question.sql:
        edits.append(Repair(words.text("Everybody: without the last WHERE"), _with_sql(question, wider)))
    return edits


def _without_levels(words: Words, question: Question, reason: Reason) -> list[Repair]:
    """Groups that are too small by name are left out."""
    named = [one.partition("=") for one in _QUOTED.findall(reason.words) if one.count("=") == 1 and " & " not in one]
    if not named or len({column for column, _sign, _level in named}) != 1:
        return []
    column = named[0][0]
    if not column.isidentifier():
        return []
    levels = ", ".join(f"'{level}'" for _column, _sign, level in named)
    joint = "AND" if re.search(r"\bWHERE\b", question.sql.rpartition(")")[2], re.IGNORECASE) else "WHERE"
    label = words.text("Leave out %(column)s: %(levels)s", column=column, levels=levels)
    return [Repair(label, _with_sql(question, f"{question.sql.rstrip()}\n{joint} {column} NOT IN ({levels})"))]


def _cheaper(words: Words, question: Question, reason: Reason, _columns: Columns, _views: Views) -> list[Repair]:
    """What costs too much of the budget is asked for half of it; exact answers that ran out, with noise."""
    if reason.code in _BUDGET and question.epsilon:
        half = _halved(question.epsilon)
        label = words.text("ε = %(epsilon)s, with more noise", epsilon=half)
        return [Repair(label, msgspec.structs.replace(question, epsilon=half))] if half else []
    if reason.code in _ANSWERS and question.asked.noise != "no" and not question.epsilon:
        return [Repair(words.text("With noise, ε = 0.5"), msgspec.structs.replace(question, epsilon="0.5"))]
    return []


def _everybody(words: Words, question: Question, reason: Reason, _columns: Columns, _views: Views) -> list[Repair]:
    """Too few hospitals: ask all of them."""
    if reason.code not in _FEW or not question.hospitals:
        return []
    return [Repair(words.text("Ask every hospital in force"), msgspec.structs.replace(question, hospitals=()))]


def _halved(epsilon: str) -> str:
    from fractions import Fraction

    try:
        half = Fraction(epsilon) / 2
    except (ValueError, ZeroDivisionError):
        return ""
    return f"{float(half):.6g}" if half > 0 else ""


def _with_sql(question: Question, sql: str) -> Question:
    return msgspec.structs.replace(question, sql=sql)


def _with_field(question: Question, name: str, value: tuple[str, ...]) -> Question:
    return msgspec.structs.replace(question, fields={**question.fields, name: value})
