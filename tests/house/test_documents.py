"""Documents are checked like code: commands exist, links lead somewhere, pages equal what they describe."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="session")
def documents(files: tuple[Path, ...]) -> list[Path]:
    return [path for path in files if path.suffix == ".md"]


def _blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


def test_links_lead_somewhere(documents: list[Path]) -> None:
    dead = [
        f"{path}: {target}"
        for path in documents
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not dead


def test_make_targets_named_in_the_documents_exist(documents: list[Path], root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.M))
    assert {"demo", "test", "test-slow", "check", "fix", "bench", "docs"} <= targets
    named = {
        (path.name, target)
        for path in documents
        for block in [*_blocks(path, "sh"), *re.findall(r"`(make [^`]+)`", path.read_text(encoding="utf-8"))]
        for target in re.findall(r"(?:^|&& )make ([a-z-]+)", block, re.M)
    }
    assert not {(name, target) for name, target in named if target not in targets}


def test_commands_named_in_the_documents_exist(documents: list[Path], root: Path) -> None:
    """Each ``xinglin VERB [VERB]`` in a shell block is a heading of the command page."""
    page = root / "docs/reference/cli.md"
    known = set(re.findall(r"^#+ (xinglin(?: [a-z][a-z-]*)*)$", page.read_text(encoding="utf-8"), re.M))
    unknown = []
    for path in documents:
        for block in _blocks(path, "sh"):
            for line in re.findall(r"^(?:\S*/)?(xinglin(?: [a-z][a-z-]*)+)", block, re.M):
                words = line.split()
                if not any(" ".join(words[:n]) in known for n in range(2, len(words) + 1)):
                    unknown.append(f"{path}: {line}")
    assert not unknown


def test_python_examples_in_the_documents_are_python(documents: list[Path]) -> None:
    for path in documents:
        for block in _blocks(path, "python"):
            ast.parse(block, filename=str(path))


def test_reference_pages_equal_the_code(root: Path) -> None:
    words = [sys.executable, str(root / "tools/docs.py"), "--check"]
    done = subprocess.run(
        words, env={"PYTHONPATH": str(root / "src")}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_front_pages_tell_the_same_commands(root: Path) -> None:
    english, chinese = root / "README.md", root / "README.zh-CN.md"
    assert _blocks(english, "sh") == _blocks(chinese, "sh")
    assert [ast.dump(ast.parse(block)) for block in _blocks(english, "python")] == [
        ast.dump(ast.parse(block)) for block in _blocks(chinese, "python")
    ]


def test_every_decision_admits_its_bad_side(root: Path) -> None:
    decisions = sorted((root / "docs/decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        headings = set(re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.M))
        assert {"Why", "Bad sides"} <= headings, f"{path.name} has {headings}"
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 80, f"{path.name} is longer than a page"
