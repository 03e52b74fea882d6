"""Rules that always hold, kept in drawn rows: post-processing, since they are public."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xinglin.privacy.synthesis.coding import Columns, Values
from xinglin.privacy.synthesis.errors import BadColumns
from xinglin.privacy.synthesis.schema import OnlyWhen, Ordered, Schema


def keep_rules(columns: Columns, schema: Schema, beside: Mapping[str, Values] | None = None) -> Columns:
    """The columns with every rule of the schema kept, in the rules' order.

    ``beside``: columns of the person of each row, as ``person_table.column``, that rules may name.
    """
    found = dict(columns)
    for rule in schema.rules:
        if isinstance(rule, OnlyWhen):
            _empty(found, rule)
        else:
            _raise(found, rule, beside or {})
    return found


def _empty(columns: Columns, rule: OnlyWhen) -> None:
    allowed = set(rule.levels)
    kept = np.fromiter((value in allowed for value in columns[rule.when].tolist()), bool, len(columns[rule.when]))
    values = columns[rule.column]
    if values.dtype == object:
        columns[rule.column] = np.where(kept, values, np.array(None, dtype=object))
    else:
        columns[rule.column] = np.where(kept, values.astype(np.float64), np.nan)


def _raise(columns: Columns, rule: Ordered, beside: Mapping[str, Values]) -> None:
    first = columns.get(rule.first, beside.get(rule.first))
    if first is None:
        raise BadColumns(f"A rule needs {rule.first!r}, which is not there.")
    second = columns[rule.second]
    below = second.astype(np.float64) < first.astype(np.float64)
    columns[rule.second] = np.where(below, first, second).astype(second.dtype)
