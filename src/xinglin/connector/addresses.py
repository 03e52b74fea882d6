"""Addresses of counterparties: what may be called, and what may not."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

import httpx

from xinglin.kernel.limits import Limit
from xinglin.wire.dsp.errors import BadMessage, Unreachable

_CARRY_IPV4 = tuple(ipaddress.IPv6Network(one) for one in ("::/96", "64:ff9b::/96", "2002::/16"))
"""IPv4 addresses written as IPv6: compatible ones, NAT64, 6to4."""
_SPECIAL = tuple(
    ipaddress.ip_network(one) for one in ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16")
)
"""Special ranges that the standard library's tables leave out in one version or another; NAT64 of a network's own."""

ADDRESS_LENGTH = Limit("length of a callback address", 2_048, "characters")


def check_address(address: str) -> None:
    """An absolute http or https URL without user, query or fragment; ``BadMessage`` otherwise."""
    try:
        parts = urlsplit(address)
        port = parts.port
        (parts.hostname or "").encode("idna")  # a label that is empty or too long has no address anywhere
        _ = httpx.URL(address).host
    except (ValueError, httpx.InvalidURL) as error:
        raise BadMessage("The address is no URL.") from error
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    printable = address.isprintable() and " " not in address and "\\" not in address
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not plain or not printable:
        raise BadMessage("The address is no absolute http or https URL.", remedy="Send scheme, host, port and path.")
    if len(address) > ADDRESS_LENGTH.value:
        raise BadMessage(f"The address is longer than {ADDRESS_LENGTH.value} characters.")


def is_private(host: str) -> bool:
    """Whether a numeric address is one of this machine, a local network or another special range."""
    found = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and any(found in network for network in _CARRY_IPV4):
        inner = found.sixtofour or ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        return not inner.is_global or inner.is_multicast
    return not found.is_global or found.is_multicast or any(found in network for network in _SPECIAL)


async def looked_up(host: str, port: int | None) -> tuple[str, ...]:
    """The numeric addresses of a name now; ``Unreachable`` where it has none, or can have none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable("The address's name is not known.") from error
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


async def check_reachable(url: str, *, plain_http: bool, private: bool) -> None:
    """``Unreachable`` for what may not be called, by scheme and by what the name stands for now."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not plain_http:
        raise Unreachable("The address is not https.")
    if private:
        return
    found = await looked_up(parts.hostname or "", parts.port)
    if not found or any(is_private(one) for one in found):
        raise Unreachable("The address lies in a local network.")
