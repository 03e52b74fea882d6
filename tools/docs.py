"""Writes ``docs/reference`` and further pages from the code: state tables, the command line, terms, the glossary.

``tools/python tools/docs.py`` writes; with ``--check`` it names the pages that differ and ends with 1.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contracts_page
import glossary_page
import law_page
import terms_page

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src"
REFERENCE = ROOT / "docs" / "reference"


def state_tables() -> dict[str, Any]:
    """Every ``StateTable`` that a module of the product holds, by module and name."""
    from xinglin.kernel.states import StateTable

    found = {}
    for path in sorted((SOURCES / "xinglin").rglob("*.py")):
        if "StateTable(" in path.read_text(encoding="utf-8") and "kernel" not in path.parts:
            name = ".".join(path.relative_to(SOURCES).with_suffix("").parts)
            for key, value in vars(importlib.import_module(name)).items():
                if isinstance(value, StateTable):
                    found[f"{name}.{key}"] = value
    return found


def states_page() -> str:
    """The state tables as Mermaid diagrams."""
    lines = [
        "# States",
        "",
        "Printed from the transition tables in the code by `make docs`; a move that is not here is refused.",
        "",
    ]
    for name, table in state_tables().items():
        lines += [f"## {table.name}", "", f"`{name}`", "", "```mermaid", table.diagram(), "```", ""]
    return "\n".join(lines)


def command_page() -> str | None:
    """Every verb of the command line with its arguments and options; None where there is no command line."""
    if importlib.util.find_spec("xinglin.cli") is None or importlib.util.find_spec("xinglin.cli.app") is None:
        return None
    import typer.main

    command = typer.main.get_command(importlib.import_module("xinglin.cli.app").app)
    lines = [
        "# Command line",
        "",
        "Printed from the commands themselves by `make docs`. `xinglin VERB --help` says the same.",
        "",
    ]
    for path, leaf in _commands(command, ("xinglin",)):
        lines += _command(path, leaf)
    return "\n".join(lines)


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name in sorted(getattr(command, "commands", {})):
        inner = command.commands[name]
        if not inner.hidden:
            yield from _commands(inner, (*path, name))


def _command(path: tuple[str, ...], command: Any) -> list[str]:
    lines = ["#" * min(len(path) + 1, 4) + " " + " ".join(path), "", (command.help or "").strip(), ""]
    rows = [_parameter(one) for one in command.params if not getattr(one, "hidden", False)]
    if rows:
        lines += ["| argument or option | default | meaning |", "|---|---|---|", *rows, ""]
    return lines


def _parameter(one: Any) -> str:
    spelled = " ".join(f"`{text}`" for text in [*one.opts, *one.secondary_opts])
    if one.param_type_name == "argument":
        spelled = f"`{one.name.upper()}`"
    default = "" if one.default in (None, False, (), []) or callable(one.default) else f"`{one.default}`"
    words = " ".join((getattr(one, "help", "") or "").split()).replace("|", "\\|")
    return f"| {spelled} | {'required' if one.required else default} | {words} |"


def pages() -> dict[Path, str]:
    """Every page that the code determines."""
    made = {
        REFERENCE / "states.md": states_page(),
        ROOT / "docs" / "glossary.md": glossary_page.page(),
        ROOT / "docs" / "terms.md": terms_page.page(),
        ROOT / "docs" / "contracts.md": contracts_page.page(),
        ROOT / "docs" / "law.md": law_page.page(),
    }
    commands = command_page()
    if commands is not None:
        made[REFERENCE / "cli.md"] = commands
    return made


def differing() -> list[Path]:
    """Pages that are not what the code says."""
    return [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` only compare them."""
    stale = differing()
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} differs from the code: run make docs")
        return 1 if stale else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in stale:
        path.write_text(made[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
