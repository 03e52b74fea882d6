"""What an MLLP feed is told and what it tells: limits, status, errors."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import msgspec

from xinglin.kernel.errors import XinglinError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class MllpError(XinglinError):
    """Anything that goes wrong with an MLLP feed."""

    code = "feeds.mllp"


class BadPeers(MllpError):
    """An allow-list that allows nobody or cannot be read."""

    code = "feeds.mllp_peers"


class NotDelivered(MllpError):
    """A message without an answer after every attempt: the other side may have it or not; send it again."""

    code = "feeds.mllp_not_delivered"


class MllpLimits(msgspec.Struct, frozen=True):
    """Limits of a listener.

    ``message_bytes``: one message; a longer one is answered AR or CR. ``connections``: at once; one more is closed.
    ``pipelined``: messages of one connection that are taken and not yet answered; ``in_flight`` and
    ``in_flight_bytes``: of all; beyond them nothing more is read. ``buffered_bytes``: begun messages of all
    connections; beyond it the one that grows is answered AE or CE. ``message_s``: for a message to arrive whole, and
    for answers to be taken; ``idle_s``: a connection without a message; ``quiet_s``: until a lone FS counts as an end.
    """

    message_bytes: int = 16 * 1024 * 1024
    connections: int = 1_000
    pipelined: int = 512
    in_flight: int = 4_096
    in_flight_bytes: int = 256 * 1024 * 1024
    buffered_bytes: int = 256 * 1024 * 1024
    message_s: float = 60.0
    idle_s: float = 3_600.0
    quiet_s: float = 1.0
    handshake_s: float = 10.0


class MllpStatus(msgspec.Struct, frozen=True):
    """Counters of a listener since its start, and what is under way now.

    ``received``: messages that came whole. ``accepted``: kept. ``refused``: answered AR or CR. ``not_kept``: answered
    AE or CE, still with their sender. ``unanswered``: decided, but the connection had gone. ``headless``: frames
    without MSH. ``damaged``: frames with something wrong about them. ``timed_out``: connections closed for slowness.
    """

    connections: int = 0
    in_flight: int = 0
    in_flight_bytes: int = 0
    buffered_bytes: int = 0
    connected: int = 0
    turned_away: int = 0
    timed_out: int = 0
    received: int = 0
    accepted: int = 0
    refused: int = 0
    not_kept: int = 0
    unanswered: int = 0
    headless: int = 0
    damaged: int = 0
    garbage_bytes: int = 0


def peer_networks(peers: Sequence[str]) -> tuple[Network, ...]:
    """The networks of an allow-list (``10.1.0.0/16``, ``::1``). Raises ``BadPeers``, for an empty list too."""
    remedy = 'Name who may send: ("10.1.2.0/24",), or ("0.0.0.0/0", "::/0") for everybody.'
    if not peers:
        raise BadPeers("An MLLP listener without an allow-list listens to nobody.", remedy=remedy)
    try:
        return tuple(ipaddress.ip_network(each) for each in peers)
    except ValueError as error:
        raise BadPeers("The allow-list holds something that is no network.", why=str(error), remedy=remedy) from error


def allowed(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks; an IPv4 address inside IPv6 counts as itself."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)
