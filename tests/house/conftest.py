"""What the house rules look at: the tracked files, and the syntax trees of the sources."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "xinglin"


@cache
def tree_files() -> tuple[Path, ...]:
    """Every file of the tree: tracked, or new and not ignored; without git, every file outside hidden folders."""
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(words, capture_output=True, check=True, timeout=60).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        kept = (ROOT / name for name in ("src", "tests", "docs", "tools", "requirements"))
        return tuple(path for folder in kept for path in folder.rglob("*") if path.is_file())
    return tuple(path for name in sorted(set(listed)) if name and (path := ROOT / name).is_file())


@cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.fixture(scope="session")
def files() -> tuple[Path, ...]:
    return tree_files()


@pytest.fixture(scope="session")
def modules() -> dict[Path, ast.Module]:
    """Sources of the product, by path."""
    return {path: syntax(path) for path in sorted(SOURCES.rglob("*.py"))}


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
