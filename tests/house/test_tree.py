"""What may stand in the tree: no registry host, no machine's path, locked requirements, floors that hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# Each is split, so that this file does not hold what it refuses.
HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org", "registry.npmjs" + ".org")
HOSTS += ("archive.ubuntu" + ".com", "conda" + ".anaconda", "huggingface" + ".co", "download.pytorch" + ".org")
PATHS = re.compile(r"(?<![\w.])/(?:root|work|home/[a-z]\w*|Users/\w+|mnt/\w+|opt/(?:wheels|pypi\w*))(?:/|\b)")
TEXT = {".py", ".md", ".toml", ".sh", ".txt", ".cfg", ".ini", ".yml", ".yaml", ".json", ".html", ".sql", ""}


def lines_of(path: Path) -> list[str]:
    if path.suffix not in TEXT:
        return []
    return path.read_text(encoding="utf-8").splitlines()


def test_no_registry_host_stands_anywhere(files: tuple[Path, ...]) -> None:
    found = [
        f"{path}:{number}"
        for path in files
        for number, line in enumerate(lines_of(path), 1)
        if any(host in line for host in HOSTS)
    ]
    assert not found


def test_no_path_of_a_machine_stands_anywhere(files: tuple[Path, ...]) -> None:
    found = [
        f"{path}:{number}: {hit.group()}"
        for path in files
        if path != Path(__file__)
        for number, line in enumerate(lines_of(path), 1)
        if (hit := PATHS.search(line))
    ]
    assert not found


def test_the_path_rule_knows_a_path_from_a_route() -> None:
    refused = ("see /" + "root/x", '"/' + 'work/data"', "/" + "home/ann/x")
    assert all(PATHS.search(text) for text in refused)
    assert not any(PATHS.search(text) for text in ("src/root/x", "/tile/0/x001", "/var/lib/xinglin", "network/work"))


def test_nothing_large_or_private_is_tracked(files: tuple[Path, ...]) -> None:
    assert not [path for path in files if path.stat().st_size > 1_000_000]
    private = {".pem", ".key", ".p12", ".db", ".sqlite", ".parquet", ".data"}
    assert not [path for path in files if path.suffix in private]


def _locked(path: Path) -> dict[str, set[str]]:
    """Versions by package; raises on a line that is neither a pin nor a hash."""
    versions: dict[str, set[str]] = {}
    hashes = 0
    for line in [*path.read_text().splitlines(), "end==0"]:
        if pin := re.fullmatch(r"([a-z0-9][a-z0-9._-]*)==([^ ;]+)(?: ; [^\\]+)?(?: \\)?", line):
            assert hashes or not versions, f"{path}: {line}: the pin before has no hash"
            versions.setdefault(pin[1], set()).add(pin[2])
            hashes = 0
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line), f"{path}: {line}"
            hashes += 1
    del versions["end"]
    return versions


def test_every_requirement_is_locked_with_hashes(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    names = {path.stem for path in (root / "requirements").glob("*.txt")}
    assert names == {"core", *extras}
    merged: dict[str, set[str]] = {}
    for name in names:
        locked = _locked(root / "requirements" / f"{name}.txt")
        asked = project["dependencies"] + [d for d in extras.get(name, []) if not d.startswith("xinglin")]
        wanted = {re.split(r"[\[>=<~ ]", text)[0].lower().replace("_", "-") for text in asked}
        assert wanted <= set(locked), f"requirements/{name}.txt lacks {wanted - set(locked)}: run make lock"
        heavy = {"torch", "tensorflow"} | ({"jax"} if name != "test" else set())  # an oracle of the tests needs it
        assert not heavy & set(locked)
        for package, versions in locked.items():
            merged.setdefault(package, set()).update(versions)
    forks = {"deprecated"}
    assert {package: versions for package, versions in merged.items() if len(versions) > 1}.keys() <= forks


def test_the_floors_hold(root: Path) -> None:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


PURE = (
    "kernel",
    "trust",
    "evidence",
    "terms",
    "catalogue",
    "secure",
    "privacy",
    "contract",
    "analysis",
    "gate",
    "wire",
)


def _opens_something(node: ast.AST) -> bool:
    """What import-linter cannot see: the built-in ``open``, ``os`` beyond entropy, ``urllib.request``, the clock."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "open"
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return (node.value.id == "os" and node.attr != "urandom") or (node.value.id == "time" and node.attr == "sleep")
    named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return any(name in {"urllib.request", "urllib.error", "asyncio.subprocess"} for name in named)


def test_pure_rooms_open_nothing(modules: dict[Path, ast.Module], root: Path) -> None:
    found = [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path, tree in modules.items()
        if path.relative_to(root / "src/xinglin").parts[0] in PURE
        for node in ast.walk(tree)
        if _opens_something(node)
    ]
    assert not found


def test_every_room_has_a_docstring_and_no_logic(root: Path) -> None:
    rooms = sorted(path for path in (root / "src/xinglin").iterdir() if path.is_dir() and any(path.glob("*.py")))
    assert rooms
    for room in rooms:
        init = room / "__init__.py"
        assert init.is_file(), f"{room.name} has no __init__.py"
        text = init.read_text()
        assert text.lstrip().startswith('"""'), f"{room.name}: the room's words come first"
        assert len(text.splitlines()) <= 120, f"{room.name}/__init__.py holds more than words and re-exports"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CHANGELOG.md", "LICENSE", "CONTRIBUTING.md"])
def test_the_front_pages_are_there(root: Path, name: str) -> None:
    assert (root / name).stat().st_size > 400
