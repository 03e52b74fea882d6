"""Data of a study: an admitted query, and the statistics that hospitals compute on its rows together."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import msgspec

from xinglin.kernel.verdict import deny
from xinglin.sdk.again import answered_before
from xinglin.sdk.errors import Refused
from xinglin.sdk.noise import NoiseWords, rho_text, worded
from xinglin.sdk.plans import build_plan, send, snapshot_instant
from xinglin.sdk.scope import Scope, scope_of
from xinglin.sdk.session import Held, Session

if TYPE_CHECKING:
    import pyarrow as pa

    from xinglin.analysis.table import Column
    from xinglin.kernel.instants import Instant
    from xinglin.sdk.preview import Preview
    from xinglin.sdk.results import StudyResult
    from xinglin.sdk.run import Run
    from xinglin.sdk.synthetic import SyntheticPreview
    from xinglin.terms.request import Plan

ALGORITHMS = (
    "describe", "covariance", "histogram", "quantiles", "crosstab", "ttest", "anova", "glm", "table1", "flow",
    "dp_count", "dp_histogram", "dp_crosstab", "dp_describe", "dp_quantiles", "dp_linear",
)  # fmt: skip


class Asking(msgspec.Struct, frozen=True):
    """Which study asks, by which session, about which data set."""

    space: Session
    id: str
    title: str
    data_set: str


class Data:
    """Rows that stay where they are. Every method that asks waits for the result; ``ask`` does not wait.

    Made by ``Study.sql``; raises ``Refused`` there when the SQL is not admitted. ``held``: the agreements to run
    under, by hospital.
    """

    def __init__(self, study: Asking, sql: str, held: dict[str, Held]) -> None:
        self.study, self.sql = study, sql
        space = study.space
        described = space.data_sets(study.data_set).get(study.data_set, {})
        said = space.packs_said.get(study.data_set, {})
        self.scope: Scope = scope_of(sql, held, described, space.names(), said)

    def __repr__(self) -> str:
        columns = ", ".join(f"{column.name} ({column.kind})" for column in self.scope.columns)
        return f"Data of {self.study.title!r} at {len(self.scope.roster)} hospitals: {columns}"

    def like(self, sql: str) -> Data:
        """The rows of another SELECT of the study, at the same hospitals."""
        return Data(self.study, sql, dict(self.scope.held))

    def at(self, hospitals: Sequence[str]) -> Data:
        """The same rows of these hospitals alone (labels or DIDs)."""
        names = self.study.space.names()
        held = {did: one for did, one in self.scope.held.items() if did in hospitals or names.get(did) in hospitals}
        if not held:
            words = f"No active agreement with {', '.join(hospitals)}."
            raise Refused(deny("sdk.no_agreement", words, "See study.agreements.").reasons)
        return Data(self.study, self.sql, held)

    def for_everyone(self) -> Data:
        """The same rows, asked under the L1 pack: what is released may be deposited as a product and read by anyone."""
        found = copy.copy(self)
        found.scope = self.scope.for_everyone()
        return found

    def under(self, *packs: str | Path) -> Data:
        """The same rows, under further disclosure packs (shipped names, or TOML files): stricter, never looser."""
        from xinglin.sdk.packs import pack_given

        found = copy.copy(self)
        found.scope = self.scope.under(*(pack_given(one) for one in packs))
        return found

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the query's columns."""
        return tuple(column.name for column in self.scope.columns)

    def numbers(self) -> list[str]:
        """Names of the numbers with a published range."""

        def plain(column: Column) -> bool:
            return column.kind == "number" and column.low is not None and column.high is not None

        return [column.name for column in self.scope.domain if plain(column)]

    # --- before anything is asked --------------------------------------------------------------

    @overload
    def preview(self, algorithm: Literal["synthetic"], **params: Any) -> SyntheticPreview:
        """Of a synthetic set."""

    @overload
    def preview(self, algorithm: str = "", **params: Any) -> Preview:
        """Of a statistic."""

    def preview(self, algorithm: str = "", **params: Any) -> Preview | SyntheticPreview:
        """What would leave, in which cells, from whom, under which rules and allowance; with noise, at which cost.

        Reads no row and sends nothing about the question. Without an ``algorithm``: of ``describe``, over every
        number unless ``columns`` names some; ``synthetic``: of a set, with the words of ``space.synthetic``. Raises
        what the statistic itself would raise before it is sent.
        """
        if algorithm == "synthetic":
            from xinglin.sdk.synthetic import Synthesis

            return Synthesis(self, **params).preview()
        from xinglin.sdk.preview import preview_of

        if algorithm in ("", "describe", "dp_describe"):
            algorithm, params = algorithm or "describe", {"columns": self.numbers(), **params}
        algorithm, params = self._worded(algorithm, params)
        return preview_of(self.study.space, self.study.title, self.sql, self.scope, algorithm, params, self.study.id)

    def twin(self, rows: int = 1_000) -> pa.Table:
        """A stand-in for these rows, from what is published alone, for trying code: no permission, no cost."""
        from xinglin.sdk.twins import twin_of_query

        return twin_of_query(self.scope.columns, rows)

    def plan(self, algorithm: str, *, as_of: Instant | None = None, **params: Any) -> Plan:
        """The plan that ``ask`` would sign; raises its errors."""
        scope = self.scope
        algorithm, params = self._worded(algorithm, params)
        instant = snapshot_instant(self.study.space, scope.roster) if as_of is None else as_of
        return build_plan(self.study.id, self.study.data_set, self.sql, scope, algorithm, params, instant)

    def ask(self, algorithm: str, *, as_of: Instant | None = None, **params: Any) -> Run:
        """Ask and do not wait: the run, to be followed now or later by its id.

        An unknown column, a refused formula or other bad parameters raise before anything is sent; ``Refused`` when
        the hub or a rule says no. With words of noise (``epsilon="0.5"``, see ``NoiseWords``) it is the statistic of
        that name with proven noise. ``as_of``: read the tables as they were at that instant (ms), now unless given.
        """
        return send(self.study.space, self.plan(algorithm, as_of=as_of, **params), self.scope.purpose)

    def answer(self, algorithm: str, *, shows: str = "", **params: Any) -> StudyResult:
        """Ask and wait: what the methods below do, with a statistic's parameters as ``ask`` takes them.

        ``shows``: the matrix to print where the result has several. A noised question that was answered on the same
        tables before is that answer again, at no cost. Raises as ``ask`` and ``Run.result`` do.
        """
        from xinglin.sdk.progress import following

        run = self.ask(algorithm, **params)
        try:
            with following(self.study.space.quiet) as tell:
                found = run.result(tell)
        except Refused as refused:
            earlier = answered_before(self.study.space, run.plan, refused.reasons)
            if earlier is None:
                raise
            found = earlier.result()
        except KeyboardInterrupt as stop:
            stop.add_note(f"The run goes on. Its result: space.run({run.id!r}).result()")
            raise
        if found.noise is not None:
            found.budget_left = self._left()
        return found.showing(shows) if shows else found

    def _left(self) -> str:
        """What the study may still spend at every hospital it asks; empty where one has said nothing."""
        from xinglin.sdk.budgets import budgets_of

        told = budgets_of(self.study.space, self.study.data_set, self.study.id)
        left = {one.hospital: one.left for one in told if one.hospital in self.scope.roster}
        return rho_text(min(left.values())) if len(left) == len(self.scope.roster) else ""

    def _worded(self, algorithm: str, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return worded(algorithm, params, len(self.scope.roster), self.scope.rules)

    # --- statistics: exact, or with proven noise (epsilon="0.5") -----------------------------------

    def describe(self, *columns: str, by: Sequence[str] | str = (), **noise: Unpack[NoiseWords]) -> StudyResult:
        """Rows, mean, variance and standard deviation of each number (all of them unless named), by groups if asked.

        With noise: persons, each once at the mean of own rows, in place of rows.
        """
        return self.answer("describe", columns=list(columns) or self.numbers(), by=_names(by), **noise)

    def mean(self, column: str, by: Sequence[str] | str = (), **noise: Unpack[NoiseWords]) -> StudyResult:
        """The mean of one number; ``result.mean`` where it has one cell."""
        moments: dict[str, Any] = {"moments": 1} if noise else {}
        return self.answer("describe", columns=[column], by=_names(by), **moments, **noise)

    def count(self, *by: str, **noise: Unpack[NoiseWords]) -> StudyResult:
        """Persons with a row, in all or in each combination of ``by``; with noise alone."""
        return self.answer("count", by=list(by), **noise)

    def crosstab(self, rows: str, columns: str, **noise: Unpack[NoiseWords]) -> StudyResult:
        """Counts over two columns' levels, with χ² and Fisher's exact test where nothing is hidden.

        With noise: of persons, and no test.
        """
        return self.answer("crosstab", rows=rows, columns=columns, **noise)

    def histogram(
        self, column: str, bins: int = 20, edges: Sequence[float] = (), **noise: Unpack[NoiseWords]
    ) -> StudyResult:
        """Counts in ``bins`` equal bins over the published range, or between ``edges``; of persons, with noise."""
        return self.answer("histogram", column=column, bins=bins, edges=list(edges), **noise)

    def quantiles(
        self, column: str, probabilities: Sequence[float] = (0.25, 0.5, 0.75), **noise: Unpack[NoiseWords]
    ) -> StudyResult:
        """Quantiles, within 1e-6 of the column's published range; over persons within a thousandth, with noise."""
        return self.answer("quantiles", column=column, probabilities=list(probabilities), **noise)

    def linear(self, outcome: str, *columns: str, **noise: Unpack[NoiseWords]) -> StudyResult:
        """Least squares of a number on others, with noise alone; ``glm`` fits exactly."""
        return self.answer("linear", outcome=outcome, columns=list(columns), **noise)

    def covariance(self, *columns: str) -> StudyResult:
        """Covariance matrix over the complete cases of these numbers."""
        return self.answer("covariance", shows="covariance", columns=list(columns) or self.numbers())

    def correlation(self, *columns: str) -> StudyResult:
        """Pearson's correlations over the complete cases of these numbers."""
        return self.answer("covariance", columns=list(columns) or self.numbers())

    def ttest(self, column: str, by: str, levels: Sequence[str] = ()) -> StudyResult:
        """Student's and Welch's t-test of a number between two levels of ``by``."""
        return self.answer("ttest", column=column, by=by, levels=list(levels))

    def anova(self, column: str, by: str, levels: Sequence[str] = ()) -> StudyResult:
        """One-way analysis of variance of a number over levels of ``by``."""
        return self.answer("anova", column=column, by=by, levels=list(levels))

    def glm(self, formula: str, family: str = "gaussian", link: str = "") -> StudyResult:
        """A generalised linear model: ``data.glm("disease ~ age + C(sex)", family="binomial")``.

        Families: gaussian, binomial, poisson, gamma. The formula is read against an allow-list, never evaluated.
        """
        return self.answer("glm", formula=formula, family=family, link=link)

    def table1(self, by: str, columns: Sequence[str] | None = None, categories: Sequence[str] = ()) -> StudyResult:
        """The baseline table: each column (all others unless named) by ``by``; ``categories``: count by value."""
        chosen = [name for name in self.columns if name != by] if columns is None else list(columns)
        return self.answer("table1", columns=chosen, by=by, categories=list(categories))

    def flow(self, *steps: str) -> StudyResult:
        """How many persons each filter removed: ``steps`` are boolean columns of the query, in order."""
        return self.answer("flow", steps=list(steps))


def _names(given: Sequence[str] | str) -> list[str]:
    return [given] if isinstance(given, str) else list(given)
