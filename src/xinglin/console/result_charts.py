"""Pictures of a released result, by its kind: forest plots, histograms, cross tables, quantiles. Pure.

What the rules hide is hatched and names its rule; nothing is drawn in its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from xinglin.console.charts import Bar, Bin, Cell, Chart, Estimate, Line, Mark, bars, forest, heat, histogram, lines

if TYPE_CHECKING:
    from xinglin.console.charts.model import Say


class Answered(Protocol):
    """A result, released or held: its kind, its payload, and the rows of its table."""

    @property
    def kind(self) -> str:
        """Of the statistic."""

    @property
    def payload(self) -> dict[str, Any]:
        """Plain values; ``None`` is what the rules hide."""

    def rows(self) -> list[dict[str, Any]]:
        """As rows of one table."""


_Z = 1.959964
_MOST_ROWS, _MOST_COLUMNS = 30, 12
MIN_CELL = "min_cell"


def charts_of(found: Answered, say: Say) -> tuple[Chart, ...]:
    """The pictures of a result; none for a kind that is best read as a table."""
    draw = _DRAWN.get(found.kind.removeprefix("dp_"))
    return tuple(draw(found, say)) if draw is not None else ()


def rule_of(payload: Mapping[str, Any]) -> str:
    """The id of the rule that hid entries of a table, as far as it may be told: the same for all of them."""
    told = payload.get("why") or ()
    rules = dict.fromkeys(str(one.get("rule", "")) for one in told if isinstance(one, Mapping))
    return ", ".join(filter(None, rules)) or MIN_CELL


def _model(found: Answered, _: Say) -> list[Chart]:
    """Coefficients; as ratios on a logarithmic axis where the link is a logit or a logarithm."""
    payload = found.payload
    if found.kind != "glm":
        rows = [(row["term"], row["coefficient"], row["low"], row["high"]) for row in found.rows()]
        return [_forest(_("Coefficients with 95 % intervals"), rows, _, log=False)]
    rows = [(row["term"], row["coefficient"], row["low"], row["high"]) for row in found.rows()]
    rows = [row for row in rows if row[0] != "Intercept"]
    ratio = payload["link"] in ("logit", "log")
    if not ratio:
        return [_forest(_("Coefficients with 95 % intervals"), rows, _, log=False)]
    bent = [(name, *(_exp(value) for value in values)) for name, *values in rows]
    if any(value is None for _name, *values in bent for value in values):
        return [_forest(_("Coefficients with 95 % intervals"), rows, _, log=False)]
    title = _("Odds ratios with 95 % intervals") if payload["link"] == "logit" else _("Ratios with 95 % intervals")
    return [_forest(title, bent, _, log=True)]


def _forest(title: str, rows: Sequence[Sequence[Any]], _: Say, *, log: bool) -> Chart:
    found = [
        Estimate(str(name), value, low, high)
        for name, value, low, high in rows
        if all(isinstance(one, int | float) and math.isfinite(one) for one in (value, low, high))
    ]
    return forest(title, found, log=log, named=_("Term of the model"), say=_)


def _exp(value: float) -> float | None:
    try:
        bent = math.exp(value)
    except OverflowError:
        return None
    return bent if 0 < bent < 1e12 else None


def _histogram(found: Answered, _: Say) -> list[Chart]:
    payload = found.payload
    edges = payload["edges"]
    bins = [Bin(low, high, count) for low, high, count in zip(edges[:-1], edges[1:], payload["counts"], strict=True)]
    return [histogram(_("Histogram of %(column)s", column=payload["column"]), bins, say=_)]


def _crosstab(found: Answered, _: Say) -> list[Chart]:
    payload = found.payload
    rows, columns = payload["row_levels"], payload["column_levels"]
    if len(rows) > _MOST_ROWS or len(columns) > _MOST_COLUMNS:
        return []
    rule = rule_of(payload)
    cells = [[Cell(value, "" if value is not None else rule) for value in row] for row in payload["counts"]]
    title = _("%(rows)s by %(columns)s", rows=payload["rows"], columns=payload["columns"])
    return [heat(title, rows, columns, cells, named=payload["rows"], say=_)]


def _groups(found: Answered, _: Say) -> list[Chart]:
    """Means with their intervals, one picture for each column that has several groups."""
    payload, charts = found.payload, []
    cells = payload.get("cells") or [
        {**one, "column": payload["column"], "group": one["level"]} for one in payload["groups"]
    ]
    for column in dict.fromkeys(cell["column"] for cell in cells):
        rows = [_mean(cell) for cell in cells if cell["column"] == column]
        told = [row for row in rows if row is not None]
        if len(rows) > 1 and told:
            charts.append(_forest(_("Mean of %(column)s with 95 %% intervals", column=column), told, _, log=False))
    return charts[:4]


def _mean(cell: Mapping[str, Any]) -> tuple[str, float, float, float] | None:
    mean = cell.get("mean")
    if mean is None:
        return None
    if cell.get("mean_low") is not None:
        return str(cell["group"]), mean, cell["mean_low"], cell["mean_high"]
    sd, rows = cell.get("sd"), cell.get("rows")
    if sd is None or not rows:
        return None
    half = _Z * sd / math.sqrt(rows)
    return str(cell["group"]), mean, mean - half, mean + half


def _quantiles(found: Answered, _: Say) -> list[Chart]:
    payload = found.payload
    points = tuple(Mark(one["probability"], one["value"]) for one in payload["quantiles"] if one["value"] is not None)
    if len(points) < 2:
        return []
    line = Line(payload["column"], points)
    return [lines(_("Quantiles of %(column)s", column=payload["column"]), [line], across=_("Share of rows"), say=_)]


def _flow(found: Answered, _: Say) -> list[Chart]:
    steps = [
        Bar(str(one.get("step") or one.get("name") or number), float(count or 0), hidden=count is None)
        for number, one in enumerate(found.payload["steps"], 1)
        for count in (one.get("persons"),)
    ]
    return [bars(_("Persons after each filter"), steps, counted=_("Persons"), say=_)]


def _counts(found: Answered, _: Say) -> list[Chart]:
    told = [
        Bar(str(one["group"]), max(0.0, float(one["count"] or 0)), hidden=one["count"] is None)
        for one in found.payload["cells"]
    ]
    return [bars(_("Persons, with noise"), told, counted=_("Persons"), say=_)]


_DRAWN = {
    "glm": _model,
    "linear": _model,
    "histogram": _histogram,
    "crosstab": _crosstab,
    "describe": _groups,
    "ttest": _groups,
    "anova": _groups,
    "quantiles": _quantiles,
    "flow": _flow,
    "count": _counts,
}
