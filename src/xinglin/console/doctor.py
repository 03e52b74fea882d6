"""``xinglin doctor``: what is wrong with a process's or an account's folder, and what to do."""

from __future__ import annotations

import shutil
import ssl
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import msgspec

from xinglin.evidence.policy import VerifiedCheckpoint, verify_checkpoint
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, system_clock
from xinglin.node.settings import node_settings
from xinglin.sdk.client import OpenClient
from xinglin.sdk.logbook import Logbook
from xinglin.stores.desk import ask_desk
from xinglin.stores.settings_file import SettingsError
from xinglin.stores.tls import client_context
from xinglin.trust.key_file import read_key_file
from xinglin.wire.desk import DeskCall
from xinglin.wire.space import Space, parse_space
from xinglin.witness.settings import witness_settings

KEY_FILES = {"hub": "hub.key", "node": "node.key", "witness": "witness.key", "account": "account.key"}
CLOCK_OFF_MS = 5_000
LEAST_FREE_BYTES = 1024**3
STALE_S = 30.0
DAY_MS = 86_400_000
CERTIFICATE_DAYS = 30
"""With fewer days left, the hub's certificate is to be renewed."""
PACKAGES = ("cryptography", "duckdb", "deltalake", "granian", "litestar", "msgspec", "sqlglot")


class Finding(msgspec.Struct, frozen=True):
    """One check: what was found, whether it is well, and what to do if it is not."""

    check: str
    ok: bool
    found: str
    remedy: str = ""


def certificate_ends(space: Space) -> int:
    """When the hub's certificate in the descriptor ends (ms); 0 where it has none. Raises ``ValueError``."""
    if not space.certificate_pem:
        return 0
    from cryptography import x509

    found = x509.load_pem_x509_certificate(space.certificate_pem.encode())
    return round(found.not_valid_after_utc.timestamp() * 1000)


class _Way(msgspec.Struct, frozen=True):
    proxy: str = ""
    ca_file: str = ""

    @property
    def ca(self) -> Path | None:
        return Path(self.ca_file) if self.ca_file else None


def examine(folder: Path, passphrase: str = "", clock: Clock = system_clock) -> list[Finding]:
    """Every check that fits the folder; a check that cannot be made is a finding too."""
    return list(examining(folder, passphrase, clock))


def examining(folder: Path, passphrase: str = "", clock: Clock = system_clock) -> Iterator[Finding]:
    """The same, one finding at a time as it is made: the checks that ask the hub take a while."""
    role = next((role for role, file in KEY_FILES.items() if (folder / file).is_file()), "")
    yield from (_versions(), _python(), _disk(folder))
    if not role:
        yield Finding("folder", False, "no keys here", "Name a folder that init or join made.")
        return
    yield Finding("folder", True, f"keys of the {role}")
    yield from _keys(folder, role, passphrase)
    space, way = _space(folder), _way(folder, role)
    if isinstance(space, Finding):
        yield space
        return
    yield _certificate(space, clock)
    if isinstance(way, Finding):
        yield way
        return
    yield from _hub(space, way, clock)
    if role in ("hub", "node"):
        yield from _process(folder, role)


def _versions() -> Finding:
    missing = [name for name in PACKAGES if not _installed(name)]
    shown = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES if name not in missing)
    if missing:
        return Finding("versions", False, f"missing: {', '.join(missing)}", "Install the package again, with its lock.")
    return Finding("versions", True, shown)


def _python() -> Finding:
    shown = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= (3, 11)
    return Finding("python", enough, f"{shown}, {ssl.OPENSSL_VERSION}", "" if enough else "Use Python 3.11 or newer.")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder if folder.exists() else Path()).free
    enough = free >= LEAST_FREE_BYTES
    return Finding("disk", enough, f"{free / 1024**3:.1f} GiB free", "" if enough else "Make room: nothing is lost.")


def key_findings(folder: Path, role: str, passphrase: str = "") -> tuple[Finding, ...]:
    """What is to be said of a role's key file alone; a folder without one has a finding that says so."""
    if not (folder / KEY_FILES[role]).is_file():
        return (Finding("keys", False, "no keys here", "Name a folder that init or join made."),)
    return tuple(_keys(folder, role, passphrase))


def _keys(folder: Path, role: str, passphrase: str) -> Iterator[Finding]:
    file = folder / KEY_FILES[role]
    mode = file.stat().st_mode & 0o777
    private = not mode & 0o077
    remedy = "" if private else f"chmod 600 {file.name}: others can read it; consider a key change."
    yield Finding("key file mode", private, f"{mode:03o}", remedy)
    try:
        did = read_key_file(file.read_bytes(), passphrase).did
    except XinglinError as error:
        yield Finding("keys", False, error.what, error.remedy or "Give the passphrase.")
    except OSError as error:
        yield Finding("keys", False, error.strerror or "unreadable", "Run as the account that owns the folder.")
    else:
        yield Finding("keys", True, did)


def _space(folder: Path) -> Space | Finding:
    try:
        return parse_space((folder / "space.json").read_bytes())
    except (OSError, XinglinError) as error:
        words = error.what if isinstance(error, XinglinError) else "there is none"
        return Finding("descriptor", False, words, "Join the space, or put the hub's space.json here.")


def _certificate(space: Space, clock: Clock) -> Finding:
    try:
        ends = certificate_ends(space)
    except ValueError:
        return Finding("certificate", False, "it cannot be read", "Have the operator send the descriptor again.")
    if not ends:
        return Finding("certificate", True, "of a public authority")
    days = (ends - clock()) // DAY_MS
    well = days >= CERTIFICATE_DAYS
    remedy = "" if well else "Have the operator renew the hub's certificate and send the new descriptor."
    return Finding("certificate", well, f"{days} days left", remedy)


def _way(folder: Path, role: str) -> _Way | Finding:
    """How the process itself reaches the hub; an account goes straight."""
    try:
        if role == "node":
            node = node_settings(folder).settings
            return _Way(node.proxy, node.ca_file)
        if role == "witness":
            witness = witness_settings(folder).settings
            return _Way(witness.proxy, witness.hub_ca)
    except SettingsError as error:
        return Finding("settings", False, f"{error.what} {error.why}".strip(), error.remedy)
    return _Way()


def _hub(space: Space, way: _Way, clock: Clock) -> Iterator[Finding]:
    try:
        context = client_context(space.certificate_pem, way.ca)
        with httpx.Client(
            base_url=space.hub_url, verify=context, timeout=10, proxy=way.proxy or None, trust_env=False
        ) as http:
            asked, before = clock(), time.monotonic()
            answer = http.get("/v1/healthz")
            took_ms = (time.monotonic() - before) * 1000
    except httpx.HTTPError as error:
        words = f"{space.hub_url}: {type(error).__name__}"
        yield Finding("hub", False, words, "Check the network, the proxy and 'ca_file'; is the hub running?")
        return
    if not answer.is_success:
        yield Finding("hub", False, f"{space.hub_url} answers {answer.status_code}", "Ask the operator.")
        return
    yield Finding("hub", True, f"{space.hub_url} answers in {took_ms:.0f} ms")
    try:
        health = decode_json(answer.content, dict[str, Any])
        yield _clock(int(health["now"]) - round(took_ms / 2) - asked)
        yield from _log(space, way)
    except (XinglinError, KeyError, TypeError, ValueError) as error:
        words = error.what if isinstance(error, XinglinError) else "its answer cannot be read"
        yield Finding("log", False, words, "Compare versions with the operator; if they agree, tell the regulator.")


def _clock(off_ms: int) -> Finding:
    well = abs(off_ms) <= CLOCK_OFF_MS
    remedy = "" if well else "Repair NTP here or at the hub: requests are refused as expired or from the future."
    return Finding("clock", well, f"{off_ms} ms from the hub's", remedy)


def _log(space: Space, way: _Way) -> Iterator[Finding]:
    with OpenClient(space, way.proxy or None, way.ca) as client:
        book = Logbook(space, client)
        size = book.refresh()
        newest = verify_checkpoint(book.record.policy, client.get_open("/checkpoint"))
    yield Finding("log", True, f"{size} entries, verified")
    yield _freshness(newest)
    protected = newest.fork_protection
    remedy = "" if protected else "Have at least four institutions witness, and the regulator sign the policy."
    found = f"{len(newest.cosigned_at_s)} cosignatures" if protected else "no fork protection"
    yield Finding("quorum", protected, found, remedy)


def _freshness(newest: VerifiedCheckpoint) -> Finding:
    age_s = max(time.time() - newest.attested_at_s, 0.0)
    fresh = age_s <= STALE_S
    remedy = "" if fresh else "A witness is away, or the hub withholds: nothing is released until it returns."
    return Finding("checkpoint", fresh, f"{age_s:.0f} s old", remedy)


def _process(folder: Path, role: str) -> Iterator[Finding]:
    try:
        status = ask_desk(folder, DeskCall("status"), timeout_s=10).value
    except (XinglinError, OSError) as error:
        words = error.what if isinstance(error, XinglinError) else "does not answer"
        yield Finding("process", False, words, f"Start it: xinglin {role} run --folder {folder}.")
        return
    yield Finding("process", True, "runs")
    if role == "node":
        connected = bool(status["connected"])
        yield Finding("line", connected, "to the hub" if connected else "down", "" if connected else "See 'hub' above.")
    elif status["log_trouble"]:
        yield Finding("log disk", False, str(status["log_trouble"]), "Make room, restart, and run fsck.")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
