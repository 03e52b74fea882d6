"""Every command on the page about connecting is one: its verb, options and values are taken as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import typer.main
from typer._click.core import Context

from xinglin.cli.app import app
from xinglin.node.intake.sources import parse_sources

PAGE = Path(__file__).resolve().parent.parent.parent.parent / "docs/connect.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def test_every_command_of_the_page_is_taken() -> None:
    command: object = typer.main.get_command(app)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) > 20
    for line in lines:
        with Context(command, info_name="xinglin") as root:  # type: ignore[arg-type]
            _parsed(command, shlex.split(line)[1:], root)


def _parsed(command: object, words: list[str], parent: Context) -> None:
    """Parse ``words`` as the verb at the end of its groups would; a wrong option or value raises."""
    inner = getattr(command, "commands", {}).get(words[0])
    assert inner is not None, words[0]
    if getattr(inner, "commands", None):
        _parsed(inner, words[1:], parent)
    else:
        inner.make_context(words[0], words[1:], parent=parent)


def test_the_page_s_sources_are_sources() -> None:
    found = [parse_sources(block) for block in blocks("toml") if "[[source]]" in block]
    assert [[one.way for one in each] for each in found] == [["mllp"], ["web"], ["fhir"]]
