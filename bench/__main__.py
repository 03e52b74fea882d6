"""``make bench``: runs every benchmark of this folder in a process of its own and writes BENCHMARKS.md.

A benchmark is a module here that prints one JSON object a line: a figure (``name``, ``what``, ``value``,
``unit``, ``promise``, ``comment``) or a row of a table; anything else is shown as it was printed. A
``promise`` is ``<=`` or ``>=`` and a number in the figure's unit. Names are stable: others may refer to them.

``ARGS="secure_sum evidence_log"`` runs those alone and leaves the other sections as they were.
``ARGS=--quick`` runs a small variant of everything, prints it, and writes nothing.
"""

from __future__ import annotations

import ast
import datetime as dt
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "BENCHMARKS.md"
TIME_LIMIT_S = 3600
QUICK = "--quick"
FIGURE = ("name", "what", "value", "unit", "promise", "comment")
_HEAD = ("figure", "what", "measured", "promise", "reached", "comment")
_INTRO = """# Benchmarks

Written by `make bench`; the machine and the time stand beside each section. Figures are named by a key that
stays. A promise is what the project set itself beforehand; *reached* says by how much. A peer that is named in a
figure ran beside ours in the same run; figures that are cited were published by others. The emergency summary is
not built yet.
"""


def benchmarks() -> dict[str, str]:
    """Name of each benchmark and what it says of itself: its docstring."""
    paths = sorted((ROOT / "bench").glob("[a-z]*.py"))
    return {path.stem: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem for path in paths}


def machine() -> str:
    """Processor, cores, memory, system and Python, in a line."""
    cpu = re.search(r"model name\s*: (.+)", _text("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s+(\d+)", _text("/proc/meminfo"))
    parts = [
        cpu[1] if cpu else platform.processor() or platform.machine(),
        f"{len(os.sched_getaffinity(0))} cores",
        f"{int(memory[1]) / 1024**2:.0f} GiB" if memory else "",
        f"{platform.system()} {platform.release().partition('-')[0]}",
        f"Python {platform.python_version()}",
    ]
    return ", ".join(part for part in parts if part)


def run(name: str, options: list[str]) -> tuple[str, bool]:
    """What one benchmark printed, or how it failed; and whether it ended well."""
    words = [sys.executable, "-m", f"bench.{name}", *options]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"failed: not done within {TIME_LIMIT_S} s", False
    if done.returncode:
        return f"{done.stdout.strip()}\nfailed with {done.returncode}\n{done.stderr.strip()[-2000:]}".strip(), False
    return done.stdout.strip(), True


def section(name: str, words: str, said: str) -> str:
    """A benchmark's part of the page."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    head = f"## {name}\n\n{words}\n\n`make bench ARGS={name}` · {stamp} · {machine()}\n\n"
    return head + render(said) + "\n"


def render(said: str) -> str:
    """Objects with the same keys as one table; anything else as it was printed."""
    blocks: list[str] = []
    rows: list[dict[str, Any]] = []
    plain: list[str] = []

    def close() -> None:
        if rows:
            blocks.append(_table(rows))
        if plain:
            blocks.append("```\n" + "\n".join(plain) + "\n```")
        rows.clear()
        plain.clear()

    for line in said.splitlines():
        value = _object(line)
        if value is None:
            if rows:
                close()
            plain.append(line)
        else:
            if plain or (rows and list(rows[0]) != list(value)):
                close()
            rows.append(value)
    close()
    return "\n\n".join(blocks) + "\n"


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _table(rows: list[dict[str, Any]]) -> str:
    if tuple(rows[0]) == FIGURE:
        rows = [dict(zip(_HEAD, _figure(one), strict=True)) for one in rows]
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    lines += ["| " + " | ".join(_cell(row[key]) for key in keys) + " |" for row in rows]
    return "\n".join(lines)


def _figure(one: dict[str, Any]) -> tuple[str, ...]:
    unit = one["unit"] if one["unit"] == "/s" or not one["unit"] else f" {one['unit']}"
    sign, _, number = one["promise"].partition(" ")
    promise = f"{'≤' if sign == '<=' else '≥'} {_number(float(number))}{unit}" if number else ""
    return (
        f"`{one['name']}`",
        one["what"],
        f"{_number(one['value'])}{unit}",
        promise,
        reached(one["value"], one["promise"]),
        one["comment"],
    )


def reached(value: float, promise: str) -> str:
    """Whether a value keeps its promise, and by how much; "" without a promise.

    >>> reached(33, "<= 20"), reached(10, "<= 20"), reached(38_000, ">= 20000")
    ('**no**: 1.65 × the limit', 'yes: 0.5 × the limit', 'yes: 1.9 × as much')
    """
    if not promise:
        return ""
    sign, _, number = promise.partition(" ")
    ratio = value / float(number)
    kept = ratio <= 1 if sign == "<=" else ratio >= 1
    words = f"{ratio:.3g} × {'the limit' if sign == '<=' else 'as much'}"
    return f"{'yes' if kept else '**no**'}: {words}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text.replace("|", "\\|")


def promises(sections: list[str]) -> str:
    """Every figure with a promise, of all sections, as one table; unkept ones are told in a sentence."""
    head = "| " + " | ".join(_HEAD[:5]) + " |\n|" + "---|" * 5
    rows = []
    for text in sections:
        for line in text.splitlines():
            cells = re.split(r"(?<!\\) \| ", line.removeprefix("| ").removesuffix(" |"))
            if line.startswith("| `") and len(cells) == len(_HEAD) and cells[3]:
                rows.append(cells[:5])
    if not rows:
        return ""
    unkept = sum(cells[4].startswith("**no**") for cells in rows)
    words = f"{len(rows) - unkept} of {len(rows)} figures with a promise keep it."
    return "\n".join(["## Promises", "", words, "", head, *("| " + " | ".join(cells) + " |" for cells in rows), ""])


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _earlier() -> dict[str, str]:
    """Sections of the page as it is, by name."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    parts = re.split(r"^(?=## )", text, flags=re.M)[1:]
    return {part.split(None, 2)[1]: part.rstrip() + "\n" for part in parts}


def main(arguments: list[str]) -> int:
    """Run what is named, or everything, and write the page."""
    known = benchmarks()
    options = [word for word in arguments if word == QUICK]
    named = [word for word in arguments if word != QUICK]
    unknown = set(named) - set(known)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        return 2
    sections, failed = _earlier(), False
    for name in named or known:
        print(f"{name} ...", flush=True)
        said, well = run(name, options)
        failed = failed or not well
        sections[name] = section(name, known[name], said)
        print(sections[name], flush=True)
    if not options:
        PAGE.write_text(page([sections[name] for name in known if name in sections]), encoding="utf-8")
    return int(failed)


def page(sections: list[str]) -> str:
    """The whole page."""
    return "\n".join(part for part in (_INTRO, promises(sections), *sections) if part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
