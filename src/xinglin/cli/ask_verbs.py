"""Verbs that ask for a statistic, and ``preview``; the same words as the SDK's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.options import AccountFolder, AskPassphrase, PassphraseFile, Study, passphrase
from xinglin.cli.output import ends, printer
from xinglin.cli.run_verbs import ReceiptFile, print_result

if TYPE_CHECKING:
    from xinglin.sdk.data import Data
    from xinglin.sdk.results import StudyResult

Sql = Annotated[str, typer.Option("--sql", help="One SELECT over the study's views, or @FILE.")]
Hospital = Annotated[list[str] | None, typer.Option("--hospital", help="Only this one (label or DID). Repeatable.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Print the run's id and end; see 'xinglin run result'.")]
By = Annotated[str, typer.Option("--by", help="Column of the groups.")]
Level = Annotated[list[str] | None, typer.Option("--level", help="Compare this level. Repeatable; default all.")]
Columns = Annotated[list[str] | None, typer.Argument(help="Columns of the query; every number unless named.")]
Number = Annotated[str, typer.Argument(help="A number of the query.")]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    verbs: tuple[Callable[..., None], ...] = (
        preview, describe, crosstab, histogram, quantiles, correlation, ttest, anova, glm, table1, flow,
    )  # fmt: skip
    for verb in verbs:
        app.command()(verb)


@ends
def preview(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    algorithm: Annotated[str, typer.Argument(help="A statistic by name; describe unless named.")] = "",
    param: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the statistic (JSON or text).")] = None,
    hospital: Hospital = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """What would leave, in which cells, from whom, under which rules. Reads no row and asks no hospital."""
    params = dict(_param(text) for text in param or [])
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        found = data.preview(algorithm, **params)
    printer.value(found.to_dict(), lambda: str(found))


@ends
def describe(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    column: Columns = None,
    by: Annotated[list[str] | None, typer.Option(help="Column of the groups. Repeatable.")] = None,
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Rows, mean, variance and standard deviation of numbers, by groups if asked."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            chosen = column or data.numbers()
            _ask(data, "describe", columns=chosen, by=by or [])
        else:
            _show(data.describe(*(column or ()), by=by or ()), receipt)


@ends
def crosstab(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    rows: Annotated[str, typer.Argument(help="Category of the rows.")],
    columns: Annotated[str, typer.Argument(help="Category of the columns.")],
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Counts over two categories, with chi-square and Fisher's exact test where nothing is hidden."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            _ask(data, "crosstab", rows=rows, columns=columns)
        else:
            _show(data.crosstab(rows, columns), receipt)


@ends
def histogram(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    column: Number,
    bins: Annotated[int, typer.Option(help="Equal bins over the published range.")] = 20,
    edge: Annotated[list[float] | None, typer.Option(help="An edge, in place of bins. Repeatable.")] = None,
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Counts of a number in bins."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            _ask(data, "histogram", column=column, bins=bins, edges=edge or [])
        else:
            _show(data.histogram(column, bins, edge or ()), receipt)


@ends
def quantiles(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    column: Number,
    probability: Annotated[
        list[float] | None, typer.Option("--p", help="0 to 1. Repeatable; default quartiles.")
    ] = None,
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Quantiles of a number, within 1e-6 of its published range."""
    chosen = probability or [0.25, 0.5, 0.75]
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            _ask(data, "quantiles", column=column, probabilities=chosen)
        else:
            _show(data.quantiles(column, chosen), receipt)


@ends
def correlation(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    column: Columns = None,
    covariance: Annotated[bool, typer.Option(help="Show covariances in place of correlations.")] = False,
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Correlations of numbers over complete cases."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            _ask(data, "covariance", columns=column or data.numbers())
        else:
            _show(data.covariance(*(column or ())) if covariance else data.correlation(*(column or ())), receipt)


@ends
def ttest(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    column: Number,
    by: By,
    level: Level = None,
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Student's and Welch's t-test of a number between two groups."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            _ask(data, "ttest", column=column, by=by, levels=level or [])
        else:
            _show(data.ttest(column, by, level or ()), receipt)


@ends
def anova(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    column: Number,
    by: By,
    level: Level = None,
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """One-way analysis of variance of a number over groups."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            _ask(data, "anova", column=column, by=by, levels=level or [])
        else:
            _show(data.anova(column, by, level or ()), receipt)


@ends
def glm(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    formula: Annotated[str, typer.Argument(help="Such as 'disease ~ age + C(sex)'.")],
    family: Annotated[str, typer.Option(help="gaussian, binomial, poisson or gamma.")] = "gaussian",
    link: Annotated[str, typer.Option(help="Link function; the family's own unless named.")] = "",
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """A generalised linear model: linear, logistic, Poisson or Gamma regression."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            _ask(data, "glm", formula=formula, family=family, link=link)
        else:
            _show(data.glm(formula, family, link), receipt)


@ends
def table1(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    by: By,
    column: Columns = None,
    category: Annotated[list[str] | None, typer.Option(help="Count this whole number by value. Repeatable.")] = None,
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """The baseline table of a paper: every column by group."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            chosen = column or [name for name in data.columns if name != by]
            _ask(data, "table1", columns=chosen, by=by, categories=category or [])
        else:
            _show(data.table1(by, column or None, category or ()), receipt)


@ends
def flow(
    account: AccountFolder,
    study: Study,
    sql: Sql,
    step: Annotated[list[str], typer.Argument(help="Boolean columns of the query, in order.")],
    hospital: Hospital = None,
    no_wait: NoWait = False,
    receipt: ReceiptFile = None,
    passphrase_file: PassphraseFile = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """How many persons each filter removed."""
    with _Opened(account, study, sql, hospital, passphrase(passphrase_file, ask_passphrase)) as data:
        if no_wait:
            _ask(data, "flow", steps=step)
        else:
            _show(data.flow(*step), receipt)


class _Opened:
    """The data of a question, and the space closed behind it."""

    def __init__(self, account: Path, study: str, sql: str, hospitals: list[str] | None, secret: str) -> None:
        from xinglin.sdk.space import connect

        self._space = connect(account, passphrase=secret, quiet=True if printer.as_json else None)
        self._study, self._hospitals = study, hospitals
        self._sql = Path(sql[1:]).read_text(encoding="utf-8") if sql.startswith("@") else sql

    def __enter__(self) -> Data:
        try:
            return self._space.study(self._study).sql(self._sql, hospitals=self._hospitals)
        except BaseException:
            self._space.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._space.close()


def _ask(data: Data, algorithm: str, **params: Any) -> None:
    run = data.ask(algorithm, **params)
    printer.value({"run_id": run.id}, run.id)


def _show(found: StudyResult, receipt: Path | None) -> None:
    print_result(found, receipt)


def _param(text: str) -> tuple[str, Any]:
    import msgspec

    name, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter("A parameter is written NAME=VALUE.")
    try:
        return name, msgspec.json.decode(value.encode())
    except msgspec.DecodeError:
        return name, value
