"""What a holder keeps: credentials about itself, requests that it made, offers that it got; in one file, if any."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.trust.dcp import in_scope

CREDENTIALS = Limit("credentials of a wallet", 4_096, "credentials")
OFFERS = Limit("offers of a wallet", 256, "offers")
S = TypeVar("S", bound=msgspec.Struct)


class Held(msgspec.Struct, frozen=True):
    """A credential about us."""

    jwt: str
    credential_id: str
    types: tuple[str, ...]
    issuer: str
    valid_until: Instant


class Offer(msgspec.Struct, frozen=True):
    """Credentials that an issuer offered; a person asks for them or does not."""

    issuer: str
    credentials: tuple[dict[str, Any], ...]
    at: Instant


class WalletState(msgspec.Struct, frozen=True):
    """The contents of a wallet. Version 1; a newer one is refused."""

    credentials: dict[str, Held] = {}
    requests: dict[str, str] = {}
    offers: tuple[Offer, ...] = ()
    version: int = 1


class Kept(Generic[S]):
    """A value in memory, and in a file that is replaced whole, if there is one."""

    def __init__(self, first: S, path: Path | None) -> None:
        self._path = path
        self.state = first
        if path is not None and path.exists():
            try:
                self.state = msgspec.json.decode(path.read_bytes(), type=type(first))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise MalformedMessage(f"{path.name} is not what was kept there.") from error
            if getattr(self.state, "version", 1) != 1:
                raise MalformedMessage(f"{path.name} is of a newer version.", remedy="Install the newer release.")

    def put(self, state: S) -> None:
        """Keep this from now on; on return it is on disk."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            passing = self._path.with_suffix(".new")
            descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            passing.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self.state = state


class Wallet:
    """A holder's wallet."""

    def __init__(self, path: Path | None = None) -> None:
        self._kept = Kept(WalletState(), path)

    @property
    def state(self) -> WalletState:
        """What is in it."""
        return self._kept.state

    def add(self, held: tuple[Held, ...]) -> None:
        """Keep credentials; one of the same issuer and id is replaced."""
        credentials = self.state.credentials | {f"{one.issuer} {one.credential_id}": one for one in held}
        CREDENTIALS.check(len(credentials))
        self._kept.put(msgspec.structs.replace(self.state, credentials=credentials))

    def drop(self, issuer: str, credential_id: str) -> None:
        """Keep a credential no longer."""
        left = {key: one for key, one in self.state.credentials.items() if key != f"{issuer} {credential_id}"}
        self._kept.put(msgspec.structs.replace(self.state, credentials=left))

    def matching(self, scopes: frozenset[str], now: Instant) -> tuple[Held, ...]:
        """The credentials that the scopes name and that are not past their end."""
        return tuple(
            one
            for one in self.state.credentials.values()
            if in_scope(scopes, one.credential_id, one.types) and (not one.valid_until or now < one.valid_until)
        )

    def asked(self, holder_pid: str, issuer: str) -> None:
        """Remember that we asked this issuer."""
        requests = self.state.requests | {holder_pid: issuer}
        CREDENTIALS.check(len(requests))
        self._kept.put(msgspec.structs.replace(self.state, requests=requests))

    def answered(self, holder_pid: str) -> None:
        """The request is done."""
        left = {key: issuer for key, issuer in self.state.requests.items() if key != holder_pid}
        self._kept.put(msgspec.structs.replace(self.state, requests=left))

    def offered(self, offer: Offer) -> None:
        """Keep an offer; the oldest go."""
        offers = (*self.state.offers, offer)[-OFFERS.value :]
        self._kept.put(msgspec.structs.replace(self.state, offers=offers))
