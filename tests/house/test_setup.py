"""The set-up script: one clear line where nothing can be done, no cost where everything is done."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = ("sh", "cat", "cmp", "cp", "dirname", "id", "mkdir", "rm")


@pytest.fixture
def bare(root: Path, tmp_path: Path) -> Path:
    """A checkout on a machine with nothing but the shell's own tools and a log of what was called."""
    for name in ("tools", "requirements"):
        shutil.copytree(root / name, tmp_path / "checkout" / name)
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "/bin/false")
    # Who is not root cannot be asked to install packages.
    program(tmp_path, "id", "echo 1000")
    return tmp_path


def program(bare: Path, name: str, body: str) -> None:
    path = bare / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{bare}/called"\n{body}\n')
    path.chmod(0o755)


def run(bare: Path, *names: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(bare / "bin"), "HOME": str(bare)}
    words = [str(bare / "checkout/tools/bootstrap.sh"), *names]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


def called(bare: Path) -> list[str]:
    path = bare / "called"
    return [line for line in path.read_text().splitlines() if not line.startswith("id")] if path.exists() else []


PYTHON = """case "$*" in *version_info*) exit {old} ;; *"-m pip --version"*) exit {pip} ;;
*"-m venv"*) exit 1 ;; esac"""


def test_without_python_one_line_says_what_to_install(bare: Path) -> None:
    done = run(bare, "core")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Python 3.11 or newer is missing" in done.stderr


def test_an_old_python_is_not_used(bare: Path) -> None:
    program(bare, "python3", PYTHON.format(old=1, pip=0))
    assert "Python 3.11 or newer is missing" in run(bare, "core").stderr


def test_without_any_installer_one_line_says_what_to_install(bare: Path) -> None:
    program(bare, "python3", PYTHON.format(old=0, pip=1))
    done = run(bare, "core")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "python3-venv" in done.stderr
    assert not (bare / "checkout/.venv").exists()


def test_pip_alone_installs_into_the_folder_with_hashes_and_only_once(bare: Path) -> None:
    program(bare, "python3", PYTHON.format(old=0, pip=0))
    assert run(bare, "core").returncode == 0
    installs = [line for line in called(bare) if "pip install" in line]
    assert len(installs) == 1
    for words in ("--target .site", "--require-hashes", "--only-binary :all:", "-r requirements/core.txt"):
        assert words in installs[0]
    before = called(bare)
    again = run(bare, "core")
    assert (again.returncode, again.stderr, called(bare)) == (0, "", before)


def test_changed_requirements_are_installed_again(bare: Path) -> None:
    program(bare, "python3", PYTHON.format(old=0, pip=0))
    run(bare, "core")
    with (bare / "checkout/requirements/core.txt").open("a") as file:
        file.write("\n")
    run(bare, "core")
    assert len([line for line in called(bare) if "pip install" in line]) == 2


def test_a_failed_installation_is_a_failure_and_is_tried_again(bare: Path) -> None:
    program(bare, "python3", PYTHON.format(old=0, pip=0) + '\ncase "$*" in *"pip install"*) exit 3 ;; esac')
    assert run(bare, "core").returncode == 3
    assert run(bare, "core").returncode == 3


def test_uv_never_downloads_an_interpreter(bare: Path, root: Path) -> None:
    program(bare, "python3", PYTHON.format(old=0, pip=1))
    program(
        bare,
        "uv",
        'echo "downloads $UV_PYTHON_DOWNLOADS" >> "$HOME/called"\n'
        'case "$*" in venv*) mkdir -p .venv/bin; cp "$HOME/bin/python3" .venv/bin/python ;; esac',
    )
    done = run(bare, "core")
    assert "downloads never" in called(bare)
    assert any(line.startswith("uv venv") and "only-system" in line for line in called(bare))
    assert any(line.startswith("uv pip install") and "--require-hashes" in line for line in called(bare)), done.stderr


def test_the_scripts_are_programs(root: Path) -> None:
    for name in ("tools/bootstrap.sh", "tools/lock.sh", "tools/python", "tools/xinglin", ".ci/run"):
        assert os.access(root / name, os.X_OK), name
