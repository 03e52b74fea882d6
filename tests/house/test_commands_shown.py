"""Every command that pages, messages and documents show exists, with the options that they show."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from xinglin.cli.app import app

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"```(?:sh|bash|shell|console|text)?\n(.*?)```", re.S)
SPAN = re.compile(r"`((?:tools/)?xinglin [a-z][^`\n]*)`")
EVERYWHERE = {"--json", "--language", "--help"}


def spelled(text: str) -> Iterator[str]:
    """What stands after ``xinglin`` on each line that is a command."""
    for line in text.replace("\\\n", " ").splitlines():
        if re.search(r" v\d ?$", line):
            continue  # what a key is derived for
        found = re.match(r"\s*(?:\$ )?(?:tools/)?xinglin ([a-z].*)", line)
        if found:
            yield found[1]


def in_documents() -> Iterator[tuple[str, str]]:
    for path in sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")]):
        if path.name == "cli.md" or "decisions" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        for block in FENCE.findall(text):
            yield from ((path.name, one) for one in spelled(block))
        for span in SPAN.findall(FENCE.sub("", text)):
            yield from ((path.name, one) for one in spelled(span))


def in_pages() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "src" / "xinglin" / "console").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from ((path.name, one) for one in spelled(node.value))
                found = re.search(r"[:`] ?xinglin ([a-z][^`]*?)[.`]?$", node.value)
                if found and not node.value.startswith("xinglin"):
                    yield path.name, found[1]


def fault(words: str, command: Any) -> str:
    """What of a command does not exist; empty where all does."""
    tokens = re.sub(r"'[^']*'|\"[^\"]*\"", "X", words.split(" #", maxsplit=1)[0].split(" | ", maxsplit=1)[0]).split()
    while hasattr(command, "commands") and tokens:
        name = tokens[0].rstrip(",.;")
        if name.startswith("-"):
            break
        if name not in command.commands:
            return "" if name.isupper() or name in ("…", "...") else f"no verb {name!r}"
        command, tokens = command.commands[name], tokens[1:]
    known = EVERYWHERE | {opt for one in command.params for opt in (*one.opts, *one.secondary_opts)}
    given = [token.split("=")[0].rstrip(",.;)") for token in tokens if re.match(r"--[a-z]", token)]
    wrong = [one for one in given if one not in known]
    return f"no option {', '.join(wrong)}" if wrong else ""


@pytest.mark.parametrize("shown", [in_documents, in_pages], ids=["documents", "pages"])
def test_every_command_that_is_shown_exists(shown: Any) -> None:
    command = typer.main.get_command(app)
    found = list(shown())
    assert len(found) > 50
    assert [(place, words, why) for place, words in found if (why := fault(words, command))] == []


def test_what_does_not_exist_is_found() -> None:
    command = typer.main.get_command(app)
    assert fault("catalogue entry X", command) == "no verb 'entry'"
    assert fault("node budget --dataset X", command) == "no option --dataset"
    assert fault("node budget --data-set X --json", command) == ""
