"""What a DICOM feed is told and what it tells: limits, status, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.kernel.errors import XinglinError


class DicomFeedError(XinglinError):
    """Anything that goes wrong with a DICOM feed."""

    code = "feeds.dicom"


class BadDicomPeers(DicomFeedError):
    """An allow-list or a title that cannot be used."""

    code = "feeds.dicom_peers"


class DicomNotSent(DicomFeedError):
    """Instances that the other side did not take; ``statuses``: how often it answered what."""

    code = "feeds.dicom_not_sent"

    def __init__(self, what: str, statuses: Mapping[int, int], *, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.statuses = dict(statuses)


class DicomLimits(msgspec.Struct, frozen=True):
    """Limits of a storage provider.

    ``instance_bytes``: one instance; a larger one is received, thrown away and answered 0xA700. ``held_bytes``: of
    all instances that are being received; beyond it, growing ones are treated so too. ``associations``: at once; one
    more is rejected. ``pdu_bytes``: one PDU, as told to senders; a longer one ends its connection. ``waiting``:
    requests that an association may send ahead; beyond it nothing is read from it. ``pdu_s``: for a PDU to arrive;
    ``idle_s``: an association without a message; ``keep_s``: until what is not durable is answered 0xA700.
    """

    instance_bytes: int = 512 * 1024 * 1024
    held_bytes: int = 1024 * 1024 * 1024
    associations: int = 32
    pdu_bytes: int = 1024 * 1024
    waiting: int = 8
    pdu_s: float = 30.0
    idle_s: float = 300.0
    keep_s: float = 60.0
    handshake_s: float = 10.0


class DicomStatus(msgspec.Struct, frozen=True):
    """Counters of a provider since its start.

    ``received``: instances that came whole. ``kept``: durable; ``known``: among them, those that were kept before.
    ``damaged``: kept, and answered as not understood. ``odd``: kept, and answered with a warning. ``not_kept``: still
    with their sender. ``too_large``: thrown away. ``turned_away``: connections of others than peers.
    """

    associations: int = 0
    in_flight: int = 0
    connected: int = 0
    turned_away: int = 0
    rejected: int = 0
    aborted: int = 0
    echoes: int = 0
    received: int = 0
    kept: int = 0
    known: int = 0
    damaged: int = 0
    odd: int = 0
    not_kept: int = 0
    too_large: int = 0


def told(values: Mapping[str, Any]) -> DicomStatus:
    """The counters as they are."""
    return DicomStatus(**values)
