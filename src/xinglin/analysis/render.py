"""Released results for people: p-values, intervals, text tables, rows for pandas and polars.

Runs where the analyst is, never on a node; scipy, pandas and polars are imported only when asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any, Literal

import msgspec

from xinglin.analysis.algorithm import NamedFailure, Outcome, Result
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.noisy_render import NOISED, crosstab_rows
from xinglin.kernel.verdict import Denied

Rows = list[dict[str, Any]]


def to_dict(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain JSON values with its kind under ``type``."""
    plain: dict[str, Any] = msgspec.to_builtins(outcome)
    return plain


def from_dict(plain: Mapping[str, Any]) -> Outcome:
    """The outcome of ``to_dict``; raises ``msgspec.ValidationError`` on anything else."""
    kinds: Any = Result | Denied | NamedFailure
    outcome: Outcome = msgspec.convert(plain, kinds)
    return outcome


def coefficients(result: Result, level: float = 0.95) -> Rows:
    """A model's terms with standard error, z, two-sided p and the interval of that level (normal theory).

    As statsmodels' ``GLM``: the normal distribution for every family.
    """
    if result.kind != "glm" or not 0 < level < 1:
        raise BadParameters("Coefficients belong to a model, and a level lies between 0 and 1.")
    width = NormalDist().inv_cdf(0.5 + level / 2)
    rows = []
    payload = result.payload
    for term, value, error in zip(payload["terms"], payload["coefficients"], payload["standard_errors"], strict=True):
        z = value / error if error else math.copysign(math.inf, value)  # a perfect fit
        rows.append(
            {
                "term": term,
                "coefficient": value,
                "standard_error": error,
                "z": z,
                "p": math.erfc(abs(z) / math.sqrt(2.0)),
                "low": value - width * error,
                "high": value + width * error,
            }
        )
    return rows


def p_values(result: Result) -> dict[str, float]:
    """The p-values of a comparison or a crosstab (two-sided); empty where the test was withheld.

    Fisher's exact test is of the 2 × 2 table itself.
    """
    from scipy import special, stats

    payload = result.payload
    if result.kind == "ttest":
        found = {}
        for name in ("student", "welch"):
            found[name] = 2.0 * float(special.stdtr(payload[name]["df"], -abs(payload[name]["t"])))
        return found
    if result.kind == "anova":
        return {"f": float(special.fdtrc(payload["df_between"], payload["df_within"], payload["f"]))}
    test = payload.get("test")
    if result.kind != "crosstab" or not test:
        return {}
    found = {
        name: float(special.chdtrc(test["df"], test[name])) for name in ("chi2", "g2", "chi2_yates") if name in test
    }
    if "odds_ratio" in test:
        counts = [[n for n in row if n] for row in payload["counts"] if any(row)]
        whole = payload["counts"] if len(payload["counts"]) == 2 and len(payload["counts"][0]) == 2 else counts
        found["fisher"] = float(stats.fisher_exact(whole)[1])
    return found


def rows_of(result: Result) -> Rows:
    """The result as rows of one table; ``None`` is what the rules hide."""
    if result.kind in NOISED:
        return NOISED[result.kind](result.payload)
    reader = _ROWS.get(result.kind)
    if reader is None:
        raise BadParameters(f"A result of kind {result.kind!r} has no rows.")
    rows = reader(result)
    return explained(result, rows) if "pack" in result.payload else rows


def result_frame(result: Result, library: Literal["pandas", "polars"] = "pandas") -> Any:
    """The rows as a data frame; raises ``ImportError`` when the library is not installed."""
    if library == "polars":
        import polars as pl

        return pl.DataFrame(rows_of(result), infer_schema_length=None)
    import pandas as pd

    return pd.DataFrame(rows_of(result))


def explained(result: Result, rows: Rows) -> Rows:
    """The rows with a column ``why``: which rule of which pack hid what is hidden in them; empty where nothing is."""
    words = why_hidden(result)
    found = []
    for at, row in enumerate(rows):
        told = {name: value for name, value in row.items() if name != "why"}
        blank = any(value is None for value in told.values())
        own = words.get(f"row {at}") if blank else None
        found.append({**told, "why": (own or words.get("", "")) if blank else ""})
    return (
        found if any(row["why"] for row in found) else [{n: v for n, v in row.items() if n != "why"} for row in found]
    )


def why_hidden(result: Result) -> dict[str, str]:
    """Why entries of a result under a disclosure pack are hidden: by name of the entry; "" for all of a table.

    Names are ``column=level`` parts; entries of lists are ``row N``. Empty without a pack.
    """
    payload = result.payload
    found: dict[str, str] = {}
    for table in payload.get("why", []):
        found.update(dict.fromkeys(table["cells"], table["words"]))
    listed = payload.get("cells") or payload.get("quantiles") or []
    for at, entry in enumerate(listed):
        if entry.get("hidden"):
            found[f"row {at}"] = " ".join(reason["words"] for reason in entry["hidden"])
    for at, step in enumerate(payload.get("steps", []) if result.kind == "flow" else []):
        if "why" in step:
            found[f"row {at}"] = step["why"]["words"]
    for variable in payload.get("variables", []):
        if variable["kind"] == "number":
            for cell in (variable["overall"], *variable["groups"]):
                if cell["hidden"]:
                    found[f"{variable['name']} | {cell['group']}"] = " ".join(one["words"] for one in cell["hidden"])
    if found:
        found[""] = "; ".join(dict.fromkeys(found.values()))
    return found


def summary(result: Result) -> str:
    """A text table for a terminal, in the manner of statsmodels."""
    if result.kind == "glm":
        return _model_text(result)
    rows = rows_of(result)
    head = f"{result.kind}: {result.payload.get('column') or result.payload.get('by') or ''}".rstrip(": ")
    if not rows:
        return head
    names = [name for name in rows[0] if name != "why"]
    return "\n".join(
        [head, *_grid(names, [[_shown(row[name]) for name in names] for row in rows]), *_footnotes(result)]
    )


def _footnotes(result: Result) -> list[str]:
    """Why something is hidden, and what of a pack nobody could judge."""
    if "pack" not in result.payload:
        return []
    words = [one for name, one in why_hidden(result).items() if name]
    unjudged = [f"not judged: {one['rule']} of {one['pack']}. {one['words']}" for one in _unjudged(result)]
    return [f"hidden: {one}" for one in dict.fromkeys(words)] + unjudged


def _unjudged(result: Result) -> list[dict[str, str]]:
    found: list[dict[str, str]] = result.payload.get("not_judged", [])
    return found


def _model_text(result: Result) -> str:
    payload = result.payload
    facts = [
        ("Formula", payload["formula"]),
        ("Family, link", f"{payload['family']}, {payload['link']}"),
        ("Rows used", payload["rows_used"]),
        ("Rows missing", payload["rows_missing"]),
        ("Persons used", payload["persons_used"]),
        ("Df residual", payload["df_residual"]),
        ("Df model", payload["df_model"]),
        ("Scale", payload["scale"]),
        ("Log likelihood", payload["log_likelihood"]),
        ("Deviance", payload["deviance"]),
        ("Null deviance", payload["null_deviance"]),
        ("Pearson chi2", payload["pearson_chi2"]),
        ("AIC", payload["aic"]),
        ("Steps", payload["steps"]),
    ]
    lines = ["Generalised linear model, pooled over hospitals by secure sum"]
    lines += [f"{name + ':':<16}{_shown(value)}" for name, value in facts]
    names = ["", "coef", "std err", "z", "P>|z|", "[0.025", "0.975]"]
    body = []
    for row in coefficients(result):
        numbers = [row["coefficient"], row["standard_error"]]
        tail = [f"{row['z']:.3f}", f"{row['p']:.3f}", f"{row['low']:.4g}", f"{row['high']:.4g}"]
        body.append(
            [row["term"], *(f"{value:.4f}" if abs(value) >= 1e-3 else f"{value:.3e}" for value in numbers), *tail]
        )
    return "\n".join([*lines, "", *_grid(names, body)])


def _grid(names: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(names, *body, strict=True)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join([first, *rest]).rstrip()

    return [line(names), rule, *(line(row) for row in body), rule]


def _shown(value: Any) -> str:
    if value is None:
        return "hidden"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "; ".join(_shown(item) for item in value)
    return str(value)


def _moment_rows(result: Result) -> Rows:
    names = ("column", "group", "rows", "mean", "variance", "sd")
    return [{name: cell[name] for name in names} for cell in result.payload["cells"]]


def _covariance_rows(result: Result) -> Rows:
    columns = result.payload["columns"]
    return [
        {"column": name, **dict(zip(columns, row, strict=True))}
        for name, row in zip(columns, result.payload["correlation"], strict=True)
    ]


def _histogram_rows(result: Result) -> Rows:
    edges = result.payload["edges"]
    return [
        {"low": low, "high": high, "count": count}
        for low, high, count in zip(edges[:-1], edges[1:], result.payload["counts"], strict=True)
    ]


def _quantile_rows(result: Result) -> Rows:
    return [{"probability": q["probability"], "value": q["value"]} for q in result.payload["quantiles"]]


def _crosstab_rows(result: Result) -> Rows:
    return crosstab_rows(result.payload)


def _group_rows(result: Result) -> Rows:
    names = ("level", "rows", "mean", "sd")
    return [{name: group[name] for name in names} for group in result.payload["groups"]]


def _flow_rows(result: Result) -> Rows:
    return [dict(step) for step in result.payload["steps"]]


def _feasibility_rows(result: Result) -> Rows:
    return [{name: result.payload[name] for name in ("persons", "round_to")}]


def _baseline_rows(result: Result) -> Rows:
    payload = result.payload
    groups = [f"{payload['by']}={level}" for level in payload["levels"]]
    rows: Rows = [{"variable": "n", **dict(zip(groups, payload["sizes"], strict=True)), "overall": payload["total"]}]
    for variable in payload["variables"]:
        if variable["kind"] == "number":
            cells = [_mean_sd(cell) for cell in (*variable["groups"], variable["overall"])]
            rows.append(
                {"variable": f"{variable['name']}, mean (sd)", **dict(zip([*groups, "overall"], cells, strict=True))}
            )
            continue
        for level, counts, total in zip(variable["levels"], variable["counts"], variable["totals"], strict=True):
            shares = [
                _share(n, size) for n, size in zip((*counts, total), (*payload["sizes"], payload["total"]), strict=True)
            ]
            rows.append(
                {"variable": f"{variable['name']} = {level}", **dict(zip([*groups, "overall"], shares, strict=True))}
            )
    return [{name: None if value is None else str(value) for name, value in row.items()} for row in rows]


def _mean_sd(cell: Mapping[str, Any]) -> str | None:
    if cell["mean"] is None:
        return None
    return f"{cell['mean']:.2f} ({'' if cell['sd'] is None else format(cell['sd'], '.2f')})"


def _share(count: int | None, size: int | None) -> str | None:
    if count is None:
        return None
    return f"{count} ({100 * count / size:.1f}%)" if size else str(count)


_ROWS: dict[str, Callable[[Result], Rows]] = {
    "glm": coefficients,
    "describe": _moment_rows,
    "covariance": _covariance_rows,
    "histogram": _histogram_rows,
    "quantiles": _quantile_rows,
    "crosstab": _crosstab_rows,
    "ttest": _group_rows,
    "anova": _group_rows,
    "flow": _flow_rows,
    "feasibility": _feasibility_rows,
    "table1": _baseline_rows,
}
