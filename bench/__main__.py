"""``make bench``: runs every benchmark of this folder in a process of its own and writes BENCHMARKS.md.

A benchmark is a module here that prints one JSON object a line (figures), or plain text. The words
``promise`` and ``reached`` in an object are what DESIGN §12 calls a promise and what was measured.
``ARGS="secure_sum evidence_log"`` runs those alone and leaves the other sections as they were.
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
TIME_LIMIT_S = 1200


def benchmarks() -> dict[str, str]:
    """Name and title of each benchmark: the first line of its docstring."""
    found = {}
    for path in sorted((ROOT / "bench").glob("[a-z]*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
        found[path.stem] = docstring.splitlines()[0]
    return found


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


def section(name: str, title: str) -> str:
    """Runs one benchmark and renders what it printed."""
    words = [sys.executable, "-m", f"bench.{name}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    said = (
        done.stdout.strip() if done.returncode == 0 else f"failed with {done.returncode}\n{done.stderr.strip()[-2000:]}"
    )
    stamp = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    head = f"## {name}\n\n{title}\n\n`make bench ARGS={name}` · {stamp} · {machine()}\n\n"
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
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    lines += ["| " + " | ".join(_cell(row[key]) for key in keys) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text.replace("|", "\\|")


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
    unknown = set(arguments) - set(known)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        return 2
    sections = _earlier()
    for name in arguments or known:
        print(f"{name} ...", flush=True)
        sections[name] = section(name, known[name])
        print(sections[name])
    intro = "# Benchmarks\n\nWritten by `make bench`; the machine and the time stand beside each figure.\n\n"
    PAGE.write_text(intro + "\n".join(sections[name] for name in known if name in sections), encoding="utf-8")
    return 1 if any("\nfailed with " in sections[name] for name in arguments or known) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
