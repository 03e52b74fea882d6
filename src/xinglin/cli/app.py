"""The command line: every verb, and the global ``--json`` that stands before or after it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from xinglin.cli import (
    access_review_verbs,
    ask_verbs,
    catalogue_search_verbs,
    catalogue_verbs,
    check_verbs,
    connect_verbs,
    consent_verbs,
    console_verbs,
    dsp_verbs,
    extract_verbs,
    hub_verbs,
    intake_verbs,
    lake_verbs,
    law_node_verbs,
    law_verbs,
    map_verbs,
    national_verbs,
    node_verbs,
    patient_verbs,
    product_verbs,
    quality_verbs,
    relay_verbs,
    run_verbs,
    score_verbs,
    space_verbs,
    study_verbs,
    synthetic_verbs,
    terms_verbs,
    witness_verbs,
    workspace_verbs,
)
from xinglin.cli.language import OPTION, split_language, spoken, translate, words_of
from xinglin.cli.output import ends, printer
from xinglin.words import LANGUAGES, Words

_JSON = "--json"
_OWN_JSON = frozenset({"demo"})
"""Verbs whose own ``--json`` takes a file."""


class _Verbs(TyperGroup):
    """Takes ``--language`` and the global ``--json`` out of the arguments; the latter wherever it stands."""

    def main(self, *args: Any, **options: Any) -> Any:
        """One call; how it printed does not hold for the next one in this process."""
        before = printer.as_json, printer.asked
        asked = options.pop("args", args[0] if args else None)
        given, printer.asked = split_language(list(sys.argv[1:] if asked is None else asked))
        try:
            words = Words.of(printer.asked) if printer.asked in LANGUAGES else words_of()
            if words.language != "en":
                translate(self, words)
            with spoken(words):
                return super().main(given, *args[1:], **options)
        finally:
            printer.as_json, printer.asked = before

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments without ``--json``."""
        words_of(printer.asked)
        kept, printer.as_json = split_json(args)
        return list(super().parse_args(ctx, kept))


def split_json(args: list[str]) -> tuple[list[str], bool]:
    """The arguments without the global ``--json``, and whether it was there; what follows ``--`` is left alone.

    >>> split_json(["run", "list", "--json"])
    (['run', 'list'], True)
    >>> split_json(["demo", "--json", "result.json"])
    (['demo', '--json', 'result.json'], False)
    """
    verb = next((word for word in args if not word.startswith("-")), "")
    stop = args.index(verb) if verb in _OWN_JSON else len(args)
    stop = min(stop, args.index("--") if "--" in args else stop)
    head = [word for word in args[:stop] if word != _JSON]
    return head + args[stop:], len(head) < stop


app = typer.Typer(
    name="xinglin",
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Xinglin 杏林: a health trusted data space. Approved uses come to the data; only protected results leave.",
    epilog="Exit codes: 0 done, 1 refused with reasons, 2 wrong use, 3 nobody answers, 4 verification failed, "
    "5 ended without a result, 6 done with a part of what was given.",
)
app.add_typer(hub_verbs.app, name="hub")
app.add_typer(node_verbs.app, name="node")
app.add_typer(witness_verbs.app, name="witness")
app.add_typer(relay_verbs.app, name="relay")
app.add_typer(intake_verbs.app, name="intake")
app.add_typer(console_verbs.app, name="console")
app.add_typer(lake_verbs.app, name="lake")
app.add_typer(map_verbs.app, name="map")
app.add_typer(patient_verbs.app, name="patients")
app.add_typer(product_verbs.app, name="product")
app.add_typer(terms_verbs.app, name="terms")
law_verbs.app.add_typer(law_node_verbs.app)
app.add_typer(law_verbs.app, name="law")
app.add_typer(quality_verbs.quality, name="quality")
catalogue_search_verbs.add_to(catalogue_verbs.catalogue)
app.add_typer(catalogue_verbs.catalogue, name="catalogue")
app.add_typer(consent_verbs.consent, name="consent")
app.add_typer(study_verbs.app, name="study")
app.add_typer(national_verbs.app, name="contract")
app.add_typer(access_review_verbs.app, name="access")
app.add_typer(run_verbs.app, name="run")
app.add_typer(score_verbs.app, name="score")
app.add_typer(extract_verbs.app, name="extract")
app.add_typer(synthetic_verbs.app, name="synthetic")
node_verbs.app.command()(extract_verbs.leak)
for _verb in (
    synthetic_verbs.synthesise, synthetic_verbs.shelf, synthetic_verbs.judged, synthetic_verbs.allow_synthesis,
):  # fmt: skip
    node_verbs.app.command()(_verb)
app.add_typer(workspace_verbs.app, name="workspace")
connect_verbs.add_to(app)
dsp_verbs.add_to(app)
space_verbs.add_to(app)
ask_verbs.add_to(app)
check_verbs.add_to(app)


def _version(asked: bool) -> None:
    if asked:
        from xinglin import __version__

        printer.value({"version": __version__}, f"xinglin {__version__}")
        raise typer.Exit


@app.callback()
def root(
    as_json: Annotated[bool, typer.Option(_JSON, help="Answer with one JSON value; before or after the verb.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", callback=_version, is_eager=True)
    ] = False,
    language: Annotated[
        str, typer.Option(OPTION, help="en or zh, before the verb; else XINGLIN_LANGUAGE, LC_ALL or LANG.")
    ] = "",
) -> None:
    """Xinglin 杏林: a health trusted data space. Approved uses come to the data; only protected results leave."""


@app.command()
@ends
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End by itself when the story is told.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the study's result to this file.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the four real hospitals' files.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the space lives; a temporary folder by default.")] = None,
    keep: Annotated[bool, typer.Option(help="Keep the folder at the end.")] = False,
) -> None:
    """A whole space on this machine: hub, four hospitals, witness, one study, proof, and what must not work."""
    from xinglin.cli.demo import run_demo

    run_demo(exit_at_end=leave, json_file=json_file, data=data, folder=folder, keep=keep)


PRIVATE_UMASK = 0o077
"""Whatever a verb or a process of this program writes is its owner's alone, also where a library writes it."""


def run() -> None:
    """The console script."""
    os.umask(PRIVATE_UMASK)
    app()
