"""Current views over append-only tables: the latest version of each fact, without what was taken back."""

from __future__ import annotations

import msgspec

TAKEN_BACK = ("entered-in-error", "refuted", "cancelled")
"""Statuses under which a fact no longer holds (FHIR R4 value sets of the canonical tables)."""


class CurrentRule(msgspec.Struct, frozen=True):
    """How a table versions its facts: the fact's id, what orders its versions, and its status."""

    fact: str
    order: str
    status: str = ""


def current_select(relation: str, rule: CurrentRule) -> str:
    """A SELECT of the facts of ``relation`` (a name in the engine) that hold now.

    >>> current_select("obs", CurrentRule("id", "seen"))
    'SELECT * FROM "obs" QUALIFY row_number() OVER (PARTITION BY "id" ORDER BY "seen" DESC) = 1'
    """
    fact, order = _quoted(rule.fact), _quoted(rule.order)
    latest = f"row_number() OVER (PARTITION BY {fact} ORDER BY {order} DESC) = 1"
    if not rule.status:
        return f"SELECT * FROM {_quoted(relation)} QUALIFY {latest}"  # noqa: S608 (quoted names of the node)
    status, words = _quoted(rule.status), ", ".join(f"'{word}'" for word in TAKEN_BACK)
    inner = f"SELECT * FROM {_quoted(relation)} QUALIFY {latest}"  # noqa: S608 (quoted names of the node)
    return f"SELECT * FROM ({inner}) WHERE {status} IS NULL OR {status} NOT IN ({words})"  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
