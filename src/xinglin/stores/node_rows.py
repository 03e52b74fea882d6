"""Rows of a node's database, as values."""

from __future__ import annotations

import msgspec


class AgreementRow(msgspec.Struct, frozen=True):
    """An agreement as this hospital knows it: its standing, both envelopes, and what it is about."""

    agreement_id: str
    state: str
    study: str
    consumer: str
    data_set: str
    offered: bytes
    countersigned: bytes = b""
    index: int = -1
    since: int = 0


class RunRow(msgspec.Struct, frozen=True):
    """A run that this node works on: its order as received, and the sealed snapshot of its part in the sum.

    ``concluded``: once an outcome follows from the totals, what its attestation needs (salt and survivors).
    """

    run: str
    state: str
    request: bytes
    plan: bytes
    pinned: bytes = b""
    cells: bytes = b""
    party: bytes = b""
    states: bytes = b""
    uploaded: bool = False
    concluded: bytes = b""


class CellRow(msgspec.Struct, frozen=True):
    """A released cell of a data set: its persons lie in ``file`` (relative to the node's folder)."""

    data_set: str
    release: str
    cell: str
    file: str


class ReceiptRow(msgspec.Struct, frozen=True):
    """An entry that this node submits (``key``: its digest): where it is (-1: not known yet), and the receipt."""

    key: str
    index: int
    kind: str
    subject: str
    entry: bytes
    receipt: str
