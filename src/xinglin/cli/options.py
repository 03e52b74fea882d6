"""Options that several verbs share, and what stands behind them: folders, passphrases, logs."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Option("--folder", "-f", help="The process's folder.", file_okay=False)]
AccountFolder = Annotated[Path, typer.Option("--account", "-a", help="The account's folder.", file_okay=False)]
PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", help="File whose first line opens the keys.", dir_okay=False)
]
AskPassphrase = Annotated[bool, typer.Option("--passphrase", help="Ask for the passphrase of the keys.")]
Study = Annotated[str, typer.Option("--study", "-s", help="Title of the study.")]
Title = Annotated[str, typer.Argument(help="Title of the study.")]
DataSet = Annotated[str, typer.Option(help="Data set that the hospitals publish.")]
View = Annotated[list[str], typer.Option(help="A cohort view: NAME=SELECT …, or NAME=@FILE. Repeatable.")]
Variable = Annotated[list[str], typer.Option(help="A published column, table.column. Repeatable.")]
Sql = Annotated[str, typer.Option("--sql", help="One SELECT over the study's views, or @FILE.")]
Hospital = Annotated[list[str] | None, typer.Option("--hospital", help="Only this one (label or DID). Repeatable.")]
Purpose = Annotated[str, typer.Option(help="Purpose of use.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log everything.")]


def passphrase(file: Path | None, ask: bool, *, new: bool = False) -> str:
    """The passphrase from ``file`` (its first line) or from a prompt; "" when neither was asked for."""
    if file is not None:
        lines = file.read_text(encoding="utf-8").splitlines()
        return lines[0] if lines else ""
    if ask:
        return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))
    return ""


def select_text(given: str) -> str:
    """A SELECT as it is typed: the text, or ``@FILE`` that holds it."""
    return Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given


def set_up_log(verbose: bool = False) -> None:
    """Event names and ids to the error stream; never values."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("xinglin")
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
