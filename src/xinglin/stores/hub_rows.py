"""Rows of the hub's database, as values."""

from __future__ import annotations

import msgspec


class AgreementRow(msgspec.Struct, frozen=True):
    """An agreement in its negotiation state; the signed forms are canonical JSON of ``Signed``."""

    agreement_id: str
    state: str
    provider: str
    consumer: str
    offered: bytes
    countersigned: bytes = b""
    reasons: bytes = b"[]"


class RunRow(msgspec.Struct, frozen=True):
    """A run as its followers see it, with the signed request and plan it came from."""

    run_id: str
    state: str
    requester: str
    request: bytes
    plan: bytes
    view: bytes
    result: bytes = b""


class AgreementLine(msgspec.Struct, frozen=True):
    """An agreement without what was signed: enough to count and to find it."""

    agreement_id: str
    state: str
    provider: str
    consumer: str


class MessageRow(msgspec.Struct, frozen=True):
    """One message of the secure sum, kept until the run ends so that a restarted hub can go on."""

    node: str
    kind: str
    round: int
    payload: bytes
