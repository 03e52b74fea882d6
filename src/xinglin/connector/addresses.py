"""Addresses of counterparties: what may be called, and what may not."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from xinglin.kernel.limits import Limit
from xinglin.wire.dsp.errors import BadMessage

_CARRY_IPV4 = tuple(ipaddress.IPv6Network(one) for one in ("::/96", "64:ff9b::/96", "2002::/16"))
"""IPv4 addresses written as IPv6: compatible ones, NAT64, 6to4."""

ADDRESS_LENGTH = Limit("length of a callback address", 2_048, "characters")


def check_address(address: str) -> None:
    """An absolute http or https URL without user, query or fragment; ``BadMessage`` otherwise."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
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
    return not found.is_global or found.is_multicast
