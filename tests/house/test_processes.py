"""Rules about processes: a small idle process, one reader of the environment, one place that builds stores."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PROCESSES = ("node", "hub", "witness")
HEAVY = {"alembic", "dbos", "deltalake", "duckdb", "lxml", "pandas", "polars", "pyarrow", "pydicom"}
HEAVY |= {"pynetdicom", "scipy", "splink", "sqlglot", "statsmodels"}

Modules = dict[Path, ast.Module]


def imported_by(module: str, root: Path) -> set[str]:
    """Top-level names in ``sys.modules`` of a fresh interpreter that imported ``module``."""
    program = f"import {module}, sys, json; print(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    words = [sys.executable, "-c", program]
    done = subprocess.run(
        words, cwd=root, env={"PYTHONPATH": str(root / "src")}, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("process", PROCESSES)
def test_an_idle_process_imports_no_heavy_library(process: str, root: Path) -> None:
    """Everything that the long-running process imports at its start; computing happens in child processes."""
    assert not imported_by(f"xinglin.{process}.main", root) & HEAVY


@pytest.mark.parametrize("module", ["xinglin", "xinglin.cli", "xinglin.wire", "xinglin.trust", "xinglin.evidence"])
def test_a_door_to_a_room_is_light(module: str, root: Path) -> None:
    assert not imported_by(module, root) & HEAVY


def test_the_idle_rule_would_see_a_heavy_library(root: Path) -> None:
    assert imported_by("pyarrow", root) & HEAVY == {"pyarrow"}


def _reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
        return node.attr in {"environ", "environb", "getenv"}
    if isinstance(node, ast.ImportFrom) and node.module == "os":
        return bool({alias.name for alias in node.names} & {"environ", "environb", "getenv"})
    return False


def test_only_settings_read_the_environment(modules: Modules) -> None:
    found = [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path, tree in modules.items()
        if path.stem != "settings"
        for node in ast.walk(tree)
        if _reads_environment(node)
    ]
    assert not found


def _stores_built(tree: ast.Module) -> list[str]:
    """Classes of the room ``stores`` that a module calls (rows and errors that stores define are values)."""
    classes = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("xinglin.stores")
        for alias in node.names
        if alias.name[0].isupper() and not alias.name.endswith(("Row", "Error"))
    }
    raised = {node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)}
    return [
        f"{node.lineno} {node.func.id}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node not in raised
        and isinstance(node.func, ast.Name)
        and node.func.id in classes
    ]


def test_only_wiring_builds_stores(modules: Modules, root: Path) -> None:
    rooms = {"node", "hub", "witness", "sdk", "cli"}
    found = [
        f"{path}:{built}"
        for path, tree in modules.items()
        if path.relative_to(root / "src/xinglin").parts[0] in rooms and path.stem != "wiring"
        for built in _stores_built(tree)
    ]
    assert not found


def test_the_wiring_rule_knows_a_store_from_an_error() -> None:
    source = "from xinglin.stores.x import Db, DbError\nraise DbError('x')\ndb = Db('x')\n"
    assert _stores_built(ast.parse(source)) == ["3 Db"]
