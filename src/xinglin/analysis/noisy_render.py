"""Rows of noised results for people: counts, moments, quantiles and lines, with the intervals of their noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Rows = list[dict[str, Any]]


def count_rows(payload: Mapping[str, Any]) -> Rows:
    """Groups with their noised persons."""
    names = ("group", "count", "low", "high")
    rows = [{name: cell[name] for name in names} for cell in payload["cells"]]
    if len(rows) > 1:
        rows.append({"group": "total", **dict(zip(names[1:], _total(payload), strict=True))})
    return rows


def histogram_rows(payload: Mapping[str, Any]) -> Rows:
    """Bins with their noised persons; ± is half the 95 % interval of the noise."""
    edges = payload["edges"]
    return [
        {"low": low, "high": high, "count": count, "±": payload["half_width"]}
        for low, high, count in zip(edges[:-1], edges[1:], payload["counts"], strict=True)
    ]


def crosstab_rows(payload: Mapping[str, Any]) -> Rows:
    """The table with its margins, exact or noised (then every cell ± ``half_width``)."""
    levels = payload["column_levels"]
    rows = [
        {payload["rows"]: level, **dict(zip(levels, counts, strict=True)), "total": total}
        for level, counts, total in zip(payload["row_levels"], payload["counts"], payload["row_totals"], strict=True)
    ]
    totals = dict(zip(levels, payload["column_totals"], strict=True))
    return [*rows, {payload["rows"]: "total", **totals, "total": payload["total"]}]


def moment_rows(payload: Mapping[str, Any]) -> Rows:
    """Columns and groups with persons, sum, mean and its interval, variance and deviation."""
    return [dict(cell) for cell in payload["cells"]]


def quantile_rows(payload: Mapping[str, Any]) -> Rows:
    """Values with their intervals."""
    return [dict(one) for one in payload["quantiles"]]


def line_rows(payload: Mapping[str, Any]) -> Rows:
    """Terms with coefficient, standard error and interval."""
    names = ("terms", "coefficients", "standard_errors", "low", "high")
    columns = ("term", "coefficient", "standard_error", "low", "high")
    return [dict(zip(columns, row, strict=True)) for row in zip(*(payload[name] for name in names), strict=True)]


def _total(payload: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return payload["total"], payload["total_low"], payload["total_high"]


NOISED: dict[str, Callable[[Mapping[str, Any]], Rows]] = {
    "dp_count": count_rows,
    "dp_histogram": histogram_rows,
    "dp_crosstab": crosstab_rows,
    "dp_describe": moment_rows,
    "dp_quantiles": quantile_rows,
    "dp_linear": line_rows,
}
"""By kind of result: its rows."""
