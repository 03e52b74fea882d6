"""``xinglin law …``: the law packs, their articles, and terms checked against them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from xinglin.cli.output import REFUSED, columns, ends, facts, printer

if TYPE_CHECKING:
    from xinglin.terms.law.engine import LawReport
    from xinglin.terms.law.model import Pack, Rule

app = typer.Typer(no_args_is_help=True, help="Law packs: articles as data, and terms checked against them.")

OwnPacks = Annotated[
    list[Path] | None,
    typer.Option("--pack", help="A pack of your own (TOML); may be repeated.", exists=True, dir_okay=False),
]


@app.command()
@ends
def packs() -> None:
    """List the shipped packs: the law, since when, how many articles, how many ask a person."""
    from xinglin.terms.law import PACKS, load_pack

    rows = [_row(load_pack(name)) for name in PACKS]
    printer.value(rows, lambda: columns(rows, ("name", "title", "title_zh", "status", "since", "articles", "asking")))


@app.command()
@ends
def show(
    name: Annotated[str, typer.Argument(help="The pack's name; 'xinglin law packs' lists them.")],
    own: OwnPacks = None,
) -> None:
    """Show a pack: each article, when it applies, what is checked or asked; withdrawals and clocks."""
    from xinglin.terms.law import load_pack

    pack = next((one for one in _own(own) if one.name == name), None) or load_pack(name)
    rows = [_shown(rule) for rule in pack.rules]
    withdrawals = [msgspec.to_builtins(one) for one in pack.withdrawals]
    clocks = [msgspec.to_builtins(one) for one in pack.clocks]
    value = {**_row(pack), "source": pack.source, "note": pack.note, "digest": pack.digest}
    told = {**value, "rules": rows, "withdrawals": withdrawals, "clocks": clocks}
    printer.value(told, lambda: "\n\n".join(_lines(value, rows, withdrawals, clocks)))


@app.command()
@ends
def check(
    terms: Annotated[Path, typer.Argument(help="Facts, packs and answers (TOML).", exists=True, dir_okay=False)],
    own: OwnPacks = None,
    every: Annotated[bool, typer.Option("--all", help="Articles that are satisfied or do not apply, too.")] = False,
) -> None:
    """Check terms against their packs; ends with 1 where an article is in the way."""
    from xinglin.terms.law import check_articles, read_stated

    stated = read_stated(terms.read_text(encoding="utf-8"), _own(own))
    report = check_articles(stated.subject, stated.packs, stated.answers)
    value = {
        "allowed": bool(report),
        "counts": report.counts,
        "reasons": msgspec.to_builtins(report.reasons),
        "report": msgspec.to_builtins(report),
    }
    printer.value(value, lambda: shown_report(report, every))
    if not report:
        raise typer.Exit(REFUSED)


def _own(paths: list[Path] | None) -> list[Pack]:
    from xinglin.terms.law import read_pack

    return [read_pack(path.read_text(encoding="utf-8")) for path in paths or []]


def _row(pack: Pack) -> dict[str, Any]:
    return {
        "name": pack.name,
        "title": pack.title,
        "title_zh": pack.title_zh,
        "status": pack.status,
        "since": pack.since,
        "articles": len(pack.rules),
        "asking": sum(bool(rule.question) for rule in pack.rules),
    }


def _shown(rule: Rule) -> dict[str, Any]:
    from xinglin.terms.law.conditions import condition_text

    return {
        "rule": rule.key,
        "article": rule.article,
        "words": rule.words,
        "words_zh": rule.words_zh,
        "applies when": condition_text(rule.applies),
        "checked": condition_text(rule.check),
        "question": rule.question,
        "question_zh": rule.question_zh,
        "valid_days": rule.valid_days,
        "remedy": rule.remedy,
        "relaxable": rule.relaxable,
        "source": rule.source,
        "second_hand": rule.second_hand,
        "draft": rule.draft,
    }


def _lines(
    head: dict[str, Any], rows: list[dict[str, Any]], withdrawals: list[dict[str, Any]], clocks: list[dict[str, Any]]
) -> list[str]:
    lines = [facts(head)]
    for row in rows:
        asked = f"\n  asks a person ({row['valid_days']} days): {row['question']}" if row["question"] else ""
        marks = " [draft]" if row["draft"] else ""
        lines.append(
            f"{row['rule']}  {row['article']}{marks}\n  {row['words']}\n  {row['words_zh']}\n"
            f"  applies: {row['applies when']}\n  checked: {row['checked']}{asked}\n  remedy: {row['remedy']}"
        )
    if withdrawals:
        lines.append(columns(withdrawals, ("basis", "effect", "regime", "frozen", "reach", "article")))
    if clocks:
        lines.append(columns(clocks, ("id", "months", "weeks", "extension_months", "waits", "article")))
    return lines


def shown_report(report: LawReport, every: bool) -> str:
    """A report for people: what is in the way and what would have to change; with ``every``, all articles."""
    told = [one for one in report.articles if every or one.reason is not None]
    lines = []
    for one in told:
        lines.append(f"{one.outcome.upper()}  {one.rule}  {one.article}")
        lines.append(f"  {one.reason.words if one.reason else one.how}")
        if one.reason and one.reason.remedy:
            lines.append(f"  What would have to change: {one.reason.remedy}")
    lines += [f"REFUSED  {one.words} {one.remedy}" for one in report.refused]
    lines += [f"{one.name}: checked before its day, {one.since}" for one in report.packs if one.early]
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items())
    return "\n".join(
        [*lines, f"{len(report.articles)} articles: {counts}. {'Nothing' if report else 'This'} is in the way."]
    )
