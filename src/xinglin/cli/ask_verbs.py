"""Verbs that ask for a statistic, and ``preview``; the same words as the SDK's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.budget_verbs import budget
from xinglin.cli.given import given
from xinglin.cli.options import (
    AccountFolder,
    AskPassphrase,
    Hospital,
    PassphraseFile,
    Sql,
    Study,
    passphrase,
    select_text,
)
from xinglin.cli.output import ends, printer
from xinglin.cli.run_verbs import ReceiptFile, print_result

if TYPE_CHECKING:
    from xinglin.sdk.data import Data

NoWait = Annotated[bool, typer.Option("--no-wait", help="Print the run's id and end; see 'xinglin run result'.")]
By = Annotated[str, typer.Option("--by", help="Column of the groups.")]
Level = Annotated[list[str] | None, typer.Option("--level", help="Compare this level. Repeatable; default all.")]
Columns = Annotated[list[str] | None, typer.Argument(help="Columns of the query; every number unless named.")]
Epsilon = Annotated[str, typer.Option("--epsilon", help="Answer with proven noise: its cost, exact text as 0.5.")]
Delta = Annotated[str, typer.Option("--delta", help="Delta of that epsilon, exact text; 1/1000000 unless named.")]
Rho = Annotated[str, typer.Option("--rho", help="The cost as rho, in place of epsilon.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Ask anew what was answered before; it costs again.")]
Number = Annotated[str, typer.Argument(help="A number of the query.")]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    verbs: tuple[Callable[..., None], ...] = (
        preview, budget, describe, count, linear, crosstab, histogram, quantiles, correlation, ttest, anova, glm,
        table1, flow,
    )  # fmt: skip
    for verb in verbs:
        app.command()(verb)


class _Asker:
    """Data to ask about, and what becomes of an answer: waited for and shown, or left under its run's id."""

    def __init__(self, data: Data, no_wait: bool, receipt: Path | None, noise: dict[str, Any]) -> None:
        self.data, self._noise = data, noise
        self._no_wait, self._receipt = no_wait, receipt

    def ask(self, algorithm: str, *, shows: str = "", **params: Any) -> None:
        """Ask, and print."""
        params |= self._noise
        if self._no_wait:
            run = self.data.ask(algorithm, **params)
            printer.value({"run_id": run.id}, run.id)
        else:
            print_result(self.data.answer(algorithm, shows=shows, **params), self._receipt)


@contextmanager
def _data(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    hospital: Hospital = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> Iterator[Data]:
    from xinglin.sdk.space import connect

    secret = passphrase(passphrase_file, ask_passphrase)
    with connect(account, passphrase=secret, quiet=True if printer.as_json else None) as space:
        text = select_text(sql)
        yield space.study(study).sql(text, hospitals=hospital)


@contextmanager
def _asking(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
    epsilon: Epsilon = "",
    delta: Delta = "",
    rho: Rho = "",
    fresh: Fresh = False,
) -> Iterator[_Asker]:
    words: dict[str, Any] = {"epsilon": epsilon, "delta": delta, "rho": rho, "fresh": fresh}
    with _data(account, study, sql, hospital, passphrase_file, ask_passphrase) as data:
        yield _Asker(data, no_wait, receipt, {name: value for name, value in words.items() if value})


@ends
@given("data", _data)
def preview(
    data: Data,
    algorithm: Annotated[str, typer.Argument(help="A statistic by name; describe unless named.")] = "",
    param: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the statistic (JSON or text).")] = None,
) -> None:
    """What would leave, in which cells, from whom, under which rules. Reads no row and asks no hospital."""
    found = data.preview(algorithm, **dict(_param(text) for text in param or []))
    printer.value(found.to_dict(), lambda: str(found))


@ends
@given("asker", _asking)
def describe(
    asker: _Asker,
    column: Columns = None,
    by: Annotated[list[str] | None, typer.Option(help="Column of the groups. Repeatable.")] = None,
) -> None:
    """Rows, mean, variance and standard deviation of numbers, by groups if asked."""
    asker.ask("describe", columns=column or asker.data.numbers(), by=by or [])


@ends
@given("asker", _asking)
def count(
    asker: _Asker,
    by: Annotated[list[str] | None, typer.Option(help="Column of the groups. Repeatable.")] = None,
) -> None:
    """Persons with a row, by groups if asked; with noise alone (--epsilon)."""
    asker.ask("count", by=by or [])


@ends
@given("asker", _asking)
def linear(
    asker: _Asker,
    outcome: Number,
    column: Annotated[list[str], typer.Argument(help="Numbers that explain it.")],
) -> None:
    """Least squares of a number on others; with noise alone (--epsilon). 'glm' fits exactly."""
    asker.ask("linear", outcome=outcome, columns=column)


@ends
@given("asker", _asking)
def crosstab(
    asker: _Asker,
    rows: Annotated[str, typer.Argument(help="Category of the rows.")],
    columns: Annotated[str, typer.Argument(help="Category of the columns.")],
) -> None:
    """Counts over two categories, with chi-square and Fisher's exact test where nothing is hidden."""
    asker.ask("crosstab", rows=rows, columns=columns)


@ends
@given("asker", _asking)
def histogram(
    asker: _Asker,
    column: Number,
    bins: Annotated[int, typer.Option(help="Equal bins over the published range.")] = 20,
    edge: Annotated[list[float] | None, typer.Option(help="An edge, in place of bins. Repeatable.")] = None,
) -> None:
    """Counts of a number in bins."""
    asker.ask("histogram", column=column, bins=bins, edges=edge or [])


@ends
@given("asker", _asking)
def quantiles(
    asker: _Asker,
    column: Number,
    probability: Annotated[
        list[float] | None, typer.Option("--p", help="0 to 1. Repeatable; default quartiles.")
    ] = None,
) -> None:
    """Quantiles of a number, within 1e-6 of its published range."""
    asker.ask("quantiles", column=column, probabilities=probability or [0.25, 0.5, 0.75])


@ends
@given("asker", _asking)
def correlation(
    asker: _Asker,
    column: Columns = None,
    covariance: Annotated[bool, typer.Option(help="Show covariances in place of correlations.")] = False,
) -> None:
    """Correlations of numbers over complete cases."""
    asker.ask("covariance", shows="covariance" if covariance else "", columns=column or asker.data.numbers())


@ends
@given("asker", _asking)
def ttest(asker: _Asker, column: Number, by: By, level: Level = None) -> None:
    """Student's and Welch's t-test of a number between two groups."""
    asker.ask("ttest", column=column, by=by, levels=level or [])


@ends
@given("asker", _asking)
def anova(asker: _Asker, column: Number, by: By, level: Level = None) -> None:
    """One-way analysis of variance of a number over groups."""
    asker.ask("anova", column=column, by=by, levels=level or [])


@ends
@given("asker", _asking)
def glm(
    asker: _Asker,
    formula: Annotated[str, typer.Argument(help="Such as 'disease ~ age + C(sex)'.")],
    family: Annotated[str, typer.Option(help="gaussian, binomial, poisson or gamma.")] = "gaussian",
    link: Annotated[str, typer.Option(help="Link function; the family's own unless named.")] = "",
) -> None:
    """A generalised linear model: linear, logistic, Poisson or Gamma regression."""
    asker.ask("glm", formula=formula, family=family, link=link)


@ends
@given("asker", _asking)
def table1(
    asker: _Asker,
    by: By,
    column: Columns = None,
    category: Annotated[list[str] | None, typer.Option(help="Count this whole number by value. Repeatable.")] = None,
) -> None:
    """The baseline table of a paper: every column by group."""
    chosen = column or [name for name in asker.data.columns if name != by]
    asker.ask("table1", columns=chosen, by=by, categories=category or [])


@ends
@given("asker", _asking)
def flow(
    asker: _Asker, step: Annotated[list[str], typer.Argument(help="Boolean columns of the query, in order.")]
) -> None:
    """How many persons each filter removed."""
    asker.ask("flow", steps=step)


def _param(text: str) -> tuple[str, Any]:
    import msgspec

    name, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter("A parameter is written NAME=VALUE.")
    try:
        return name, msgspec.json.decode(value.encode())
    except msgspec.DecodeError:
        return name, value
