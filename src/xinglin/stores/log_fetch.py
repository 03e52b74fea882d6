"""Entries of a log over HTTP: entry bundles as C2SP tlog-tiles serves them. Nothing read here is trusted yet."""

from __future__ import annotations

import asyncio
import ipaddress
from urllib.parse import urlsplit

import httpx

from xinglin.evidence.errors import MalformedBundle
from xinglin.evidence.tiles import TILE_WIDTH, bundle_path, parse_bundle
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.stores.http_answers import UnfitAnswer, await_answer

BUNDLES_AT_ONCE = Limit("entry bundles fetched at once", 8, "requests")
BUNDLE_BYTES = Limit("entry bundle size", TILE_WIDTH * (2 + 65_535), "bytes")


class LogAway(XinglinError):
    """The log cannot be reached, or does not serve what was asked for."""

    code = "stores.log_away"


class UnsafeUrl(XinglinError):
    """A plain-HTTP address where only HTTPS is taken."""

    code = "stores.unsafe_url"


def check_url(url: str, *, plain_loopback: bool) -> str:
    """``url`` without a trailing slash: HTTPS, or (only if told so) HTTP to this machine; ``UnsafeUrl`` otherwise."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and plain_loopback and _is_loopback(parts.hostname or ""):
        return url.rstrip("/")
    raise UnsafeUrl(
        f"{url!r} is not an HTTPS address.",
        remedy="Use HTTPS. Plain HTTP is for tests on one machine, and only with plain_http set.",
    )


class BundleReader:
    """Fetches entries below the prefix ``url`` with ``client`` (which carries TLS trust and time limits)."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url, self._client = url.rstrip("/"), client
        self._turns = asyncio.Semaphore(BUNDLES_AT_ONCE.value)

    async def fetch(self, start: int, end: int) -> list[bytes]:
        """Entries ``start`` to ``end - 1``, all of them; ``LogAway`` or ``MalformedBundle`` if that cannot be."""
        numbers = range(start // TILE_WIDTH, (end + TILE_WIDTH - 1) // TILE_WIDTH)
        bundles = await asyncio.gather(*(self._bundle(n, min(TILE_WIDTH, end - n * TILE_WIDTH)) for n in numbers))
        entries = [entry for bundle in bundles for entry in bundle]
        return entries[start % TILE_WIDTH :]

    async def _bundle(self, number: int, width: int) -> tuple[bytes, ...]:
        path = f"{self._url}/{bundle_path(number, width)}"
        async with self._turns:
            try:
                answer = await await_answer(self._client, self._client.build_request("GET", path), BUNDLE_BYTES)
            except httpx.HTTPError as error:
                raise LogAway(f"The log at {self._url} cannot be reached.", why=type(error).__name__) from error
            except UnfitAnswer as error:
                raise MalformedBundle("What is served is no entry bundle.", why=error.what) from error
        if answer.status != 200:
            raise LogAway(f"The log does not serve {bundle_path(number, width)} ({answer.status}).")
        return parse_bundle(answer.content, width)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
