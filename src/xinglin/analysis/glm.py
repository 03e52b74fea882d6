"""Generalised linear models by Newton steps whose gradient and curvature are pooled sums.

Round 0 counts persons of every cell and takes moments of the numeric pieces, for centring and scaling.
Each further round adds up, at the coefficients of the state, the score Zᵀs, the information ZᵀWZ and
the deviance; every node takes the same step. The pooled fit is the maximum likelihood fit itself: the
step is iterated until it changes no coefficient by more than 1e-11 of its size or standard error.

Source: McCullagh and Nelder (1989), §2.5; standard errors, scale, deviance and AIC as statsmodels'
``GLM`` defines them (expected information; Pearson scale for Gaussian and Gamma).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis import arithmetic as exact
from xinglin.analysis.algorithm import Algorithm, Cell, Guard, NamedFailure, Outcome, Part, Premises, Result, State
from xinglin.analysis.cells import Crossing, crossing_cells
from xinglin.analysis.design import Design, Piece, is_binary
from xinglin.analysis.errors import BadParameters, NoPublishedRange, PackRefused
from xinglin.analysis.families import FAMILIES, Family
from xinglin.analysis.formula import parse_formula
from xinglin.analysis.glm_local import (
    Prepared,
    log_outcome,
    moment_sums,
    null_deviance,
    prepare,
    step_sums,
    support_counts,
)
from xinglin.analysis.glm_pack import held_by_one, judge_model, shown_pack, wants_leverage
from xinglin.analysis.glm_result import Fit, payload_of, told_payload
from xinglin.analysis.glm_scaling import Moments, Scaling, frame, link, moments_of, reach, scaling_of
from xinglin.analysis.packed import rounds
from xinglin.analysis.parameters import read_params
from xinglin.analysis.support import OUTSIDE, PROFILE, check_support
from xinglin.analysis.table import Floats, Table, column_of, select
from xinglin.kernel.verdict import Allowed, Denied, Verdict, every
from xinglin.privacy.disclosure import check_total

INDEPENDENT = 1e-12
"""A pivot at most this part of its diagonal means that a column is a combination of others."""
CONVERGED, ROUNDING = 1e-11, 1e-8
"""A step this small, on the scale of coefficient or standard error, ends; so does one below the second
that no longer shrinks: what is left is rounding."""
MAX_STEPS, MAX_HALVINGS = 50, 20


class GlmParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``formula``; ``family``: gaussian, binomial, poisson, gamma; ``link``: the family's by default."""

    formula: str
    family: str
    link: str = ""


class GlmState(State, frozen=True, kw_only=True):
    """Coefficients are on the standardised scale. ``step`` led from ``previous`` to ``coefficients``.

    ``curvature``: upper triangle of the pooled inverse information before it, where a pack limits leverage.
    """

    observed: tuple[tuple[int, ...], ...] = ()
    moments: tuple[Moments, ...] = ()
    outcome: Moments = Moments(0.0, 1.0, 1.0)
    log_outcome: float = 0.0
    null_deviance: float = 0.0
    coefficients: tuple[float, ...] = ()
    previous: tuple[float, ...] = ()
    step: tuple[float, ...] = ()
    deviance: float | None = None
    change: float | None = None
    halvings: int = 0
    curvature: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET


class Glm(Algorithm):
    """Linear, logistic, Poisson and Gamma regression; equals the pooled fit."""

    kind = "glm"
    state_type = GlmState

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, GlmParams)
        self.formula = parse_formula(self.params.formula)
        self.family = _family(self.params)
        self.design = Design(self.formula, self.domain)
        self._check_outcome()
        if rounds(self.pack) and self.family.name == "gamma":
            raise PackRefused(
                "Under a pack that rounds counts no Gamma model is told: one row's score has no bound there.",
                remedy="Use the gaussian family, of the logarithm of the outcome.",
            )
        self._crossings = self._all_crossings()
        self._rows: tuple[Table, Table] | None = None
        self._prepared: Prepared | None = None
        self._scaling: tuple[object, Scaling] | None = None
        self.design.columns({name: range(len(coded.levels)) for name, coded in self.design.coded.items()})

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the formula, the outcome first."""
        return self.formula.columns

    # Cells and rules: every level, and every crossing of levels that a term names, is a released cell.

    def cell_names(self) -> tuple[str, ...]:
        """``all``, then each combination of levels of each crossing."""
        return ("all", *(name for crossing in self._crossings for name in crossing.names))

    def cells(self, table: Table) -> list[Cell]:
        """The complete cases, then the rows of each combination of levels."""
        used = self.used(table)
        return [Cell("all", used), *(cell for c in self._crossings for cell in crossing_cells(table, c, used))]

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """Every cell but the empty levels that rules which publish zeros leave out of the model."""
        return tuple(name for name in self.cell_names() if name not in result.payload["empty_cells"])

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """Minimum cell everywhere, residual degrees of freedom, and the share of parameters.

        Empty levels are as small as small ones unless the rules publish zeros; then they are left out
        of the model, as they would be of the pooled data.
        """
        persons = dict(zip(self.cell_names(), guard.cells, strict=True))
        if self.rules.publish_zeros:
            persons = {name: count for name, count in persons.items() if count or name == "all"}
        size = len(self.design.columns(self._observed(guard)))
        return check_total(
            self.rules,
            persons=persons,
            hospitals=hospitals,
            dof=guard.persons_used - size,
            parameters=size,
        )

    def _all_crossings(self) -> list[Crossing]:
        sets = list(self.design.crossings())
        response = column_of(self.domain, self.formula.response.column)
        if self.family.name == "binomial" or is_binary(response):
            sets.append((response.name,))
        # A crossing's margins are cells too, and the coding needs to know which levels occur.
        sets += [(name,) for name in self.design.coded]
        return [Crossing.of(self.domain, names) for names in dict.fromkeys(sets)]

    def _observed(self, guard: Guard) -> dict[str, tuple[int, ...]]:
        observed: dict[str, tuple[int, ...]] = {}
        position = 1
        for crossing in self._crossings:
            counts = guard.cells[position : position + len(crossing.names)]
            position += len(crossing.names)
            if len(crossing.columns) == 1 and crossing.columns[0] in self.design.coded:
                observed[crossing.columns[0]] = tuple(k for k, count in enumerate(counts) if count)
        return observed

    def _check_outcome(self) -> None:
        low, high = self.design.response.low, self.design.response.high
        column = column_of(self.domain, self.formula.response.column)
        if self.formula.response.column in (c for t in self.formula.terms for f in t for c in [f.column]):
            raise BadParameters("The outcome stands on both sides of the formula.", remedy="Leave it out on the right.")
        family = self.family
        if family.name == "binomial" and not is_binary(column):
            raise NoPublishedRange(
                f"A binomial outcome is a boolean, or a whole number from 0 to 1; {column.name!r} is neither.",
                remedy=f"Write a comparison in the query, such as {column.name} > 0.",
            )
        strict = family.name == "gamma"
        if low < family.above or high > family.most or (strict and low <= 0):
            raise NoPublishedRange(
                f"The published range of the outcome {column.name!r} does not suit the {family.name} family.",
                remedy=f"Bound it in the query with GREATEST and LEAST, {'above' if strict else 'at or above'} 0.",
            )
        if family.link == "inverse" and not self.formula.intercept:
            raise BadParameters("The inverse link needs an intercept.", remedy="Leave out '-1'.")

    # Round 0: moments. Further rounds: score, information, deviance.

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Moments in round 0; after that the sums of a step, with the support counts in round 1."""
        fit = _glm(state)
        if fit.round == 0:
            rows = float(self.max_rows)
            pieces = len(self.design.pieces) + 1
            extra = (Part("log_outcome", 1, rows * 750.0),) if self.family.name == "gamma" else ()
            return (Part("moments", 2 * pieces, rows * 1.001), *extra)
        scaling, size = self._scaled(fit), len(fit.coefficients)
        rows = scaling.rows
        packed, bounds = size * (size + 1) // 2, scaling.bounds
        curvature = rows * scaling.largest * scaling.largest * bounds.weight
        parts = [
            Part("score", size, rows * scaling.largest * bounds.score),
            Part("information", packed, curvature),
            Part("sums", 4, rows * bounds.other),
            Part("counts", 2, rows, integer=True),
        ]
        if not self.family.canonical:
            parts.append(Part("expected", packed, curvature))
        if fit.round == 1:
            supported = self._supported(fit)
            parts += [
                Part("null", 1, rows * bounds.other),
                Part("outside", OUTSIDE * len(supported), rows, integer=True),
                Part("profile_persons", PROFILE * len(supported), rows, integer=True),
                Part("profile_sums", PROFILE * len(supported), 4.0 * rows),
            ]
        if not isinstance(fit.curvature, msgspec.UnsetType):
            parts.append(Part("leverage", 1, rows, integer=True))
        return tuple(parts)

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """This hospital's sums at the state's coefficients."""
        fit, complete = _glm(state), self._complete(table)
        if fit.round == 0:
            values = {"moments": moment_sums(self.design, complete)}
            if self.family.name == "gamma":
                values["log_outcome"] = log_outcome(self.design, complete)
            return values
        scaling = self._scaled(fit)
        known = self._prepared
        if known is None or known.table is not complete or known.scaling is not scaling:
            known = self._prepared = prepare(self.design, scaling, complete)
        values = step_sums(self.family, known, fit.coefficients)
        if fit.round == 1:
            values["null"] = null_deviance(self.family, known)
            values |= support_counts(self._supported(fit), complete)
        if self.pack is not None and not isinstance(fit.curvature, msgspec.UnsetType):
            limit, persons = self.pack.settings.max_leverage, complete.persons
            held = held_by_one(self.family, known, fit.coefficients, fit.curvature, persons, limit)
            values["leverage"] = np.asarray([float(held)])
        return values

    def _complete(self, table: Table) -> Table:
        if self._rows is None or self._rows[0] is not table:
            self._rows = (table, select(table, self.used(table), self.columns))
        return self._rows[1]

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The start after round 0; a step, a shorter step, a result or a named failure after that."""
        fit = _glm(state)
        if fit.round == 1:
            return self._start(fit, totals)
        if fit.round == 2:
            verdict = self._check_support(fit, totals)
            if isinstance(verdict, Denied):
                return verdict
            fit = msgspec.structs.replace(fit, null_deviance=totals["null"][0])
        return self._step(fit, totals)

    def _start(self, fit: GlmState, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """Scale by pooled moments, and start at the model that is the mean alone."""
        rows = fit.guard.rows_used
        found: list[Moments] = []
        for position, piece in enumerate((self.design.response, *self.design.pieces)):
            first, second = totals["moments"][2 * position : 2 * position + 2]
            moments, varies = moments_of(piece, first / rows, second / rows)
            if not varies and position == 0:
                return _constant()
            if not varies and self.design.centred:
                return NamedFailure(
                    "collinear",
                    f"{piece.label!r} does not vary in the pooled data.",
                    f"Leave {piece.label!r} out.",
                )
            found.append(moments)
        observed = self._observed(fit.guard)
        fit = msgspec.structs.replace(
            fit,
            observed=tuple(observed[name] for name in self.design.coded),
            moments=tuple(found[1:]),
            outcome=found[0],
            log_outcome=totals.get("log_outcome", (0.0,))[0],
        )
        scaling = self._scaled(fit)
        if scaling.null_mean is None:
            return _constant()
        start = [0.0] * len(scaling.columns)
        if self.formula.intercept:
            start[0] = link(self.family.link, scaling.null_mean)
        return msgspec.structs.replace(fit, coefficients=tuple(start))

    def _step(self, fit: GlmState, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """One Newton step, halved while it makes the fit worse. See the module's docstring for the end."""
        deviance = totals["sums"][0]
        extreme, beyond = totals["counts"]
        if beyond or _rose(fit.deviance, deviance, fit.guard.rows_used):
            return _shorter(fit)
        lower = exact.cholesky(exact.symmetric(totals["information"], len(fit.coefficients)), INDEPENDENT)
        if isinstance(lower, int):
            return self._dependent(fit, lower, extreme > 0)
        step, inverse = exact.solve(lower, totals["score"]), exact.inverse(lower)
        errors = [math.sqrt(row[j]) for j, row in enumerate(inverse)]
        moved = tuple(b + s for b, s in zip(fit.coefficients, step, strict=True))
        change = max(abs(s) / max(abs(b), e) for s, b, e in zip(step, moved, errors, strict=True))
        stuck = change <= ROUNDING and fit.change is not None and change > fit.change / 8
        asked = wants_leverage(self.pack)
        if (change <= CONVERGED or stuck) and (not asked or "leverage" in totals):
            return self._finish(fit, totals, moved)
        if extreme and self._runs_away(fit, step, exact.dot(step, totals["score"])):
            return _separation()
        if fit.round > MAX_STEPS:
            return _separation() if extreme else _not_converged()
        return msgspec.structs.replace(
            fit,
            previous=fit.coefficients,
            coefficients=moved,
            step=tuple(step),
            deviance=deviance,
            change=change,
            halvings=0,
            curvature=tuple(v for i, row in enumerate(inverse) for v in row[i:]) if asked else msgspec.UNSET,
        )

    def _finish(self, fit: GlmState, totals: Mapping[str, tuple[float, ...]], moved: tuple[float, ...]) -> Outcome:
        name = "information" if self.family.canonical else "expected"
        lower = exact.cholesky(exact.symmetric(totals[name], len(moved)), INDEPENDENT)
        if isinstance(lower, int):
            return self._dependent(fit, lower, extreme=False)
        verdict = self._packed_verdict(fit, len(moved), totals)
        if isinstance(verdict, Denied):
            return verdict
        done = Fit(
            formula=self.formula.text,
            family=self.family.name,
            link=self.family.link,
            dispersion=self.family.dispersion,
            intercept=self.formula.intercept,
            coefficients=moved,
            covariance=exact.inverse(lower),
            scaling=self._scaled(fit),
            sums=totals["sums"],
            null_deviance=fit.null_deviance,
            log_outcome=fit.log_outcome,
            guard=fit.guard,
            empty_cells=tuple(n for n, count in zip(self.cell_names(), fit.guard.cells, strict=True) if not count),
            steps=fit.round - 1,
        )
        found = payload_of(done, self.rules)
        if self.pack is None:
            return found
        payload: dict[str, Any] | Denied = found.payload
        if rounds(self.pack):
            payload = told_payload(self.pack, done, found.payload, self._reaches(done.scaling))
        if isinstance(payload, Denied):
            return payload
        return Result(found.kind, {**payload, **shown_pack(self.pack, verdict)})

    def _reaches(self, scaling: Scaling) -> list[float]:
        """How far a row can lie from nought in each column of the fitted scale."""
        return [
            reach(self.design.pieces[column.piece], shift, scale) if column.piece >= 0 else 1.0
            for column, shift, scale in zip(scaling.columns, scaling.shift, scaling.scale, strict=True)
        ]

    def _packed_verdict(self, fit: GlmState, size: int, totals: Mapping[str, tuple[float, ...]]) -> Verdict:
        """What the hospitals' packs have against the model."""
        if self.pack is None:
            return Allowed()
        return judge_model(
            self.pack,
            persons=fit.guard.persons_used,
            parameters=size,
            crossings=self._crossings,
            cells=fit.guard.cells[1:],
            predictors=frozenset(self.formula.columns) - {self.formula.response.column},
            held=int(totals.get("leverage", (0.0,))[0]),
        )

    def _runs_away(self, fit: GlmState, step: list[float], gain: float) -> bool:
        """Whether the likelihood hardly rises while a coefficient still marches: it has no maximum.

        Steps are measured per published half range (levels: as they are): under separation each step
        moves the linear predictor of the separated rows by about one.
        """
        if self.family.name not in ("binomial", "poisson") or gain > 1e-6:
            return False
        scaling = self._scaled(fit)
        units = [
            frame(self.design.pieces[column.piece])[1] / scale if column.piece >= 0 else 1.0
            for column, scale in zip(scaling.columns, scaling.scale, strict=True)
        ]
        return max(abs(s) * unit for s, unit in zip(step, units, strict=True)) > 0.25

    def _dependent(self, fit: GlmState, index: int, extreme: bool) -> NamedFailure:
        if extreme and fit.round > 2:
            return _separation()
        label = self._scaled(fit).columns[index].label
        return NamedFailure(
            "collinear",
            f"In the pooled data {label!r} is a combination of the terms before it.",
            f"Leave {label!r} out.",
        )

    def _scaled(self, fit: GlmState) -> Scaling:
        key = (fit.observed, fit.moments, fit.outcome, fit.guard.rows_used)
        if self._scaling is None or self._scaling[0] != key:
            columns = self.design.columns(dict(zip(self.design.coded, fit.observed, strict=True)))
            scaling = scaling_of(self.design, self.family, columns, fit.moments, fit.outcome, fit.guard.rows_used)
            self._scaling = (key, scaling)
        return self._scaling[1]

    def _supported(self, fit: GlmState) -> list[tuple[Piece, Moments]]:
        """The pieces that cells do not cover already: all but plain booleans."""
        every_piece = zip((self.design.response, *self.design.pieces), (fit.outcome, *fit.moments), strict=True)
        return [(piece, moments) for piece, moments in every_piece if not self._is_plain_binary(piece)]

    def _is_plain_binary(self, piece: Piece) -> bool:
        return len(piece.factors) == 1 and is_binary(column_of(self.domain, piece.factors[0][0].column))

    def _check_support(self, fit: GlmState, totals: Mapping[str, tuple[float, ...]]) -> Verdict:
        verdicts: list[Verdict] = [Allowed()]
        for k, (piece, _) in enumerate(self._supported(fit)):
            bins = slice(k * PROFILE, (k + 1) * PROFILE)
            outside = totals["outside"][k * OUTSIDE : (k + 1) * OUTSIDE]
            persons, sums = totals["profile_persons"][bins], totals["profile_sums"][bins]
            verdicts.append(check_support(self.rules, piece.label, outside, persons, sums))
        return every(verdicts)


def _family(params: GlmParams) -> Family:
    known = {name: [pair for pair in FAMILIES if pair[0] == name] for name, _ in FAMILIES}
    pairs = known.get(params.family)
    pair = (params.family, params.link or (pairs[0][1] if pairs else ""))
    if pair not in FAMILIES:
        raise BadParameters(
            f"There is no family {params.family!r} with link {params.link or 'default'!r}.",
            remedy="Families: " + ", ".join(f"{name} ({by})" for name, by in FAMILIES) + ".",
        )
    return FAMILIES[pair]


def _glm(state: State) -> GlmState:
    if not isinstance(state, GlmState):
        raise TypeError("a model goes on from a model's state")
    return state


def _rose(before: float | None, now: float, rows: int) -> bool:
    """Whether the deviance rose by more than rounding explains."""
    return before is not None and now - before > 1e-10 * (abs(before) + 1e-3 * rows)


def _shorter(fit: GlmState) -> GlmState | NamedFailure:
    if not fit.previous or fit.halvings >= MAX_HALVINGS:
        return _not_converged()
    part = 0.5 ** (fit.halvings + 1)
    coefficients = tuple(b + part * s for b, s in zip(fit.previous, fit.step, strict=True))
    return msgspec.structs.replace(fit, coefficients=coefficients, halvings=fit.halvings + 1)


def _constant() -> NamedFailure:
    return NamedFailure("constant", "The outcome does not vary in the pooled data.", "Widen the cohort.")


def _separation() -> NamedFailure:
    return NamedFailure(
        "separation",
        "In the pooled data the terms tell the outcome apart completely for some rows: no largest likelihood exists.",
        "Merge levels, or leave out the term that decides the outcome.",
    )


def _not_converged() -> NamedFailure:
    return NamedFailure(
        "not_converged", "The model does not converge on the pooled data.", "Use fewer terms, or bound the columns."
    )
