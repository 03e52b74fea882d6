"""Fixtures that every test may ask for: the shared data folder and a throw-away PostgreSQL.

A test that needs a service or a folder is skipped where there is none, and fails instead when
``XINGLIN_REQUIRE`` names it (``XINGLIN_REQUIRE=data,postgres``), so that continuous integration
cannot go green by skipping.
"""

from __future__ import annotations

import glob
import logging
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.conformance.official import Schemas

# Tests are never timed: what Hypothesis calls slow is a library that is loaded, or a busy machine. In continuous
# integration its own profile draws the same examples each time.
settings.register_profile("untimed", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent


def required(name: str) -> bool:
    """Whether a missing ``name`` is a failure here and not a skip."""
    return name in {part.strip() for part in os.environ.get("XINGLIN_REQUIRE", "").split(",")}


def missing(name: str, words: str) -> None:
    """Skip, or fail where ``name`` is required."""
    if required(name):
        pytest.fail(f"{words} (XINGLIN_REQUIRE names '{name}')", pytrace=False)
    pytest.skip(words)


@pytest.fixture(autouse=True)
def words_for_people() -> Iterator[None]:
    """Verbs that a test calls in its own process print for people, whatever an earlier test asked for."""
    if (output := sys.modules.get("xinglin.cli.output")) is not None:
        output.printer.as_json = False
    yield


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A verb that a test calls in its own process sets the log up for its call, not for the tests after it."""
    log = logging.getLogger("xinglin")
    handlers, level, propagate = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.propagate = handlers, propagate
    log.setLevel(level)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the public data sets: ``XINGLIN_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("XINGLIN_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        missing("data", "no data folder: set XINGLIN_DATA")
    return folder


@pytest.fixture(scope="session")
def heart_disease(shared_data: Path) -> Path:
    """The four hospitals of the UCI heart disease data, as ``processed.*.data``."""
    folder = shared_data / "heart-disease"
    if not folder.is_dir():
        missing("data", "the data folder holds no heart-disease")
    return folder


@pytest.fixture(scope="session")
def schemas(shared_data: Path) -> Schemas:
    """The official schemas, examples and contexts of the Dataspace Protocol, in place."""
    from tests.conformance.official import Schemas

    archive = shared_data / "dsp-2025-1" / "schemas-and-examples.tar.gz"
    if not archive.is_file():
        missing("data", "the data folder holds no dsp-2025-1")
    return Schemas(archive)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """An SQLAlchemy URL of a fresh PostgreSQL that ends with the session; tests make their own schemas."""
    given = os.environ.get("XINGLIN_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    binaries = _postgres_binaries()
    if binaries is None:
        missing("postgres", "no PostgreSQL server on this machine (Debian: apt-get install postgresql)")
    else:
        yield from _throw_away_postgres(binaries)


def _postgres_binaries() -> Path | None:
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda text: int(text.split("/")[4]), reverse=True)
    folders += [str(Path(found).parent)] if (found := shutil.which("initdb")) else []
    complete = [Path(f) for f in folders if all((Path(f) / name).exists() for name in ("initdb", "postgres", "pg_ctl"))]
    return complete[0] if complete else None


def _throw_away_postgres(binaries: Path) -> Iterator[str]:
    # initdb refuses to run as root: the server then runs as an account that owns nothing else.
    account = _unprivileged_account() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="xinglin-pg-"))
    try:
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        _postgres(account, binaries / "initdb", "-D", data, "-U", "xinglin", "-A", "trust", "-E", "UTF8", "-N")
        # In the file, not on the command line, which no test could overrule.
        with (data / "postgresql.conf").open("a") as settings:
            settings.write("fsync = off\n")
        port = _free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c max_connections=50"
        control = (binaries / "pg_ctl", "-D", data, "-w", "-s", "-l", folder / "log")
        _postgres(account, *control, "-o", options, "start")
        try:
            yield f"postgresql+psycopg://xinglin@127.0.0.1:{port}/postgres"
        finally:
            _postgres(account, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("neither 'postgres' nor 'nobody' is an account here")


def _postgres(account: pwd.struct_passwd | None, *command: str | Path) -> None:
    identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
    # The server keeps the standard streams it is started with: pipes would never close.
    with tempfile.TemporaryFile() as said:
        words = [str(part) for part in command]
        done = subprocess.run(
            words, cwd="/", env=environment, check=False, stdout=said, stderr=said, timeout=120, **identity
        )
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{words[0]} ended with {done.returncode}: {said.read().decode()[-800:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def wait_until() -> object:
    """``wait_until(condition, timeout_s=60)``: poll a condition of a real process, or fail in words."""

    def wait(condition: object, timeout_s: float = 60.0, words: str = "the condition never held") -> None:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if condition():  # type: ignore[operator]
                return
            time.sleep(0.02)
        pytest.fail(words)

    return wait
