"""The console's door: people, with every way of signing in that this console offers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from xinglin.console.people.errors import OutsideRefused
from xinglin.console.people.issuer import Issuer
from xinglin.console.people.outside import Outside
from xinglin.console.people.passkeys import Passkeys
from xinglin.console.people.passwords import Passwords
from xinglin.console.people.seal import Seal
from xinglin.console.people.service import People
from xinglin.console.settings import ConsoleSettings
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock
from xinglin.stores.console_people import ConsolePeople

SAMPLES_FILE = "samples.json"
_TIMEOUT_S = 10


class Sample(msgspec.Struct, frozen=True):
    """A sample user of a demo, fictional: what is typed at the sign-in, the role, and who it is."""

    name: str
    role: str
    label: str
    password: str


class Entrance(People):
    """People, with passkeys and the institution's sign-in; ``outside`` is None where none is configured."""

    def __init__(
        self,
        store: ConsolePeople,
        seal: Seal,
        clock: Clock,
        entropy: Callable[[int], bytes] = os.urandom,
        passwords: Passwords | None = None,
        *,
        settings: ConsoleSettings,
        folder: Path,
    ) -> None:
        super().__init__(store, seal, clock, entropy, passwords)
        self.settings = settings
        self.passkeys = Passkeys(self, settings.url, settings.institution, clock)
        self.outside: Outside | None = None
        if settings.oidc_issuer:
            issuer = issuer_of(settings, folder, clock)
            self.outside = Outside(self, issuer, settings.url, clock, settings.oidc_claim)
        self.samples = read_samples(folder) if settings.demo else ()


def issuer_of(settings: ConsoleSettings, folder: Path, clock: Clock) -> Issuer:
    """The configured issuer; the secret's file is beside the settings. Raises ``OutsideRefused``."""
    import httpx

    from xinglin.stores.tls import client_context

    secret = ""
    if settings.oidc_client_secret_file:
        try:
            secret = (folder / settings.oidc_client_secret_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise OutsideRefused(
                "secret", "The secret for the institution's sign-in cannot be read.", remedy="Check its file."
            ) from error
    context = client_context("", Path(settings.ca_file) if settings.ca_file else None)
    http = httpx.Client(
        verify=context, timeout=_TIMEOUT_S, proxy=settings.proxy or None, trust_env=False, follow_redirects=False
    )
    return Issuer(settings.oidc_issuer, settings.oidc_client_id, secret, http, clock)


def read_samples(folder: Path) -> tuple[Sample, ...]:
    """The sample users of a demo's folder; none where the file is missing. Raises ``XinglinError`` for another file."""
    file = folder / SAMPLES_FILE
    if not file.exists():
        return ()
    try:
        return msgspec.json.decode(file.read_bytes(), type=tuple[Sample, ...])
    except (OSError, msgspec.DecodeError) as error:
        raise XinglinError(f"{file} cannot be read.", why=str(error)) from error
