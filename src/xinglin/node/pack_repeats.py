"""How often a question was answered before at this node, for packs that lock repeats.

The same question in other words is the same: how its SQL is written (``pack_meaning``), what its columns are called and
which of them it does not use, the order of columns, levels and terms, and which column of a table is called its rows.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import to_builtins

from xinglin.gate import Use
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Reason
from xinglin.node.pack_meaning import meaning
from xinglin.node.runs import use_of
from xinglin.stores.node_database import NodeDatabase
from xinglin.terms.request import Plan
from xinglin.wire.channel import RunOrder

_NOT_TOLD = frozenset({"reviewers", "lock_repeats", "lock_days", "exact_answers_cap"})
"""Settings that change nothing in what an answer tells."""
_OF_COLUMNS = frozenset({"rows", "columns", "column", "by", "steps", "categories"})
"""Parameters that name columns of the query."""
_WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[^\W\d]\w*")
_LEFT, _UNANSWERED = frozenset({"authorised", "delivered", "settled"}), frozenset({"refused", "withheld", "ended"})
"""States of runs whose answer is out, or will be; and of those that have none."""


def question_of(plan: Plan) -> str:
    """The digest of what a plan asks, whatever its study, snapshot, roster and order of words."""
    asked = meaning(plan.sql)
    params: Any = {name: _resolved(name, value, asked.columns) for name, value in plan.params.items()}
    if plan.algorithm == "crosstab":
        params = {"table": [params.pop("rows", ""), params.pop("columns", "")], **params}
    return canonical_digest(
        {
            "data_set": plan.data_set,
            "rows": asked.rows,
            "algorithm": plan.algorithm,
            "params": _unordered(params),
        }
    )


def answered_before(database: NodeDatabase, use: Use) -> tuple[Instant, ...]:
    """When the asker was answered the same question here, this run apart; by exact answers of the data set."""
    question, found = question_of(use.plan), []
    for charge in database.allowance(use.plan.data_set).charges:
        record = database.record(charge.run) if charge.run != use.run else None
        row = database.run(charge.run) if record is not None and record.state == "settled" else None
        if row is None or record is None or question_of(decode_json(row.plan, Plan)) != question:
            continue
        if use_of(RunOrder(row.run, row.request, row.plan)).request.requester == use.request.requester:
            found.append(record.opened)
    return tuple(sorted(found))


def told_otherwise(database: NodeDatabase, use: Use) -> tuple[Reason, ...]:
    """Why a question may not be asked again: it was answered at the same hospitals under other disclosure settings.

    Two answers to one question, hidden and rounded in two ways, tell together what neither tells. Asked by the same
    person or under the same agreement, with packs in both plans: what was answered without any says all that a stricter
    answer would. Under the same settings nothing is said. A run in progress counts where it was opened before.
    """
    plan = use.plan
    if plan.named is None:
        return ()
    question, settings = question_of(plan), _settings(plan)
    agreed, own = set(plan.agreements.values()), database.record(use.run)
    for charge in database.allowance(plan.data_set).charges:
        record = database.record(charge.run) if charge.run != use.run else None
        if record is None or record.state in _UNANSWERED:
            continue
        if record.state not in _LEFT and own is not None and (own.opened, use.run) < (record.opened, charge.run):
            continue
        row = database.run(charge.run)
        if row is None or b'"disclosure"' not in row.plan:
            continue
        earlier = decode_json(row.plan, Plan)
        if earlier.named is None:
            continue
        if _settings(earlier) == settings or earlier.roster != plan.roster or question_of(earlier) != question:
            continue
        who = use_of(RunOrder(row.run, row.request, row.plan)).request.requester
        if who == use.request.requester or agreed & set(earlier.agreements.values()):
            words = "This question was answered under other disclosure settings; two answers would tell what none does."
            where = f"See {charge.run}, or ask" if who == use.request.requester else "Ask"
            remedy = f"{where} under the disclosure packs of that answer, or ask something else."
            return (Reason("terms.pack_other_settings", words, remedy),)
    return ()


def _settings(plan: Plan) -> bytes:
    """What decides how an answer is hidden and rounded."""
    named = {} if plan.named is None else plan.named.settings
    told = {name: value for name, value in named.items() if name not in _NOT_TOLD}
    rules = {name: value for name, value in to_builtins(plan.rules).items() if name not in _NOT_TOLD}
    return canonical_bytes({"packs": told, "rules": rules})


def _resolved(name: str, value: Any, columns: dict[str, str]) -> Any:
    """A parameter with what a column is in the place of what it is called."""
    if name == "formula" and isinstance(value, str):
        told = _WORD.sub(lambda word: columns.get(word[0].lower(), word[0]), value)
        response, _, terms = "".join(told.split()).partition("~")
        return f"{response}~{'+'.join(sorted(terms.split('+')))}"
    if name not in _OF_COLUMNS:
        return value
    if isinstance(value, list | tuple):
        return [_resolved(name, one, columns) for one in value]
    return columns.get(value.lower(), value.lower()) if isinstance(value, str) else value


def _unordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unordered(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return sorted((_unordered(inner) for inner in value), key=canonical_bytes)
    return "".join(value.split()) if isinstance(value, str) else value
