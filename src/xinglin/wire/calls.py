"""Hub calls: what people, their tools and newcomers ask of the hub over HTTP (JSON).

``POST /v1/enrol`` · ``POST /v1/door`` · ``GET /v1/participants`` · ``GET /v1/datasets`` ·
``POST /v1/agreements`` · ``GET /v1/agreements/{id}`` · ``GET|POST /v1/agreements/{id}/papers`` ·
``POST /v1/runs`` · ``GET /v1/runs/{id}`` · ``GET /v1/runs/{id}/result`` · ``POST /v1/runs/{id}/cancel``. What needs
no token, the log's tiles and receipts among it, is in ``hub.log_routes``.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.trust.envelope import Signed

ENROL_BYTES = Limit("answer of a hub to a joining", 1024 * 1024, "bytes")


class EnrolCall(msgspec.Struct, frozen=True):
    """An invite's secret and a self-signed key registration (a leaf body of ``xinglin.trust.registry``)."""

    secret: str
    registration: bytes


class Enrolled(msgspec.Struct, frozen=True):
    """Where the registration stands in the log, and the membership credential (VC JWT, detached ML-DSA-65)."""

    did: str
    index: int
    credential: str
    credential_pq: bytes


class Participant(msgspec.Struct, frozen=True):
    """One line of the list of participants; ``away_ms`` is 0 for who is connected now."""

    did: str
    name: str
    roles: tuple[str, ...]
    key_digest: str
    connected: bool
    away_ms: int
    public: bytes
    clock_off_ms: int = 0


class PacksSaid(msgspec.Struct, frozen=True):
    """Disclosure packs that a hospital asks every plan to keep (names, digests), and the texts of its own."""

    asked: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


class DataSetListing(msgspec.Struct, frozen=True):
    """A provider's published tables, as the provider described them. ``packs``: by data set, of disclosure."""

    provider: str
    descriptions: bytes
    packs: dict[str, PacksSaid] = {}


class AgreementCall(msgspec.Struct, frozen=True):
    """An agreement offered to its provider, signed by the consumer.

    ``application``: the study's application that the offer names, signed by its requester.
    """

    signed: Signed
    application: Signed | None = None


class AgreementView(msgspec.Struct, frozen=True):
    """Where an agreement stands; ``signed`` carries both signatures once it is active."""

    agreement_id: str
    state: str
    provider: str
    offered: Signed
    countersigned: Signed | None = None
    reasons: tuple[Reason, ...] = ()
    application: Signed | None = None


class PaperCall(msgspec.Struct, frozen=True):
    """A paper about an agreement in force: ``kind`` is one of ``PAPER_KINDS``, ``signed`` its party's envelope."""

    kind: str
    signed: Signed


class PaperView(msgspec.Struct, frozen=True):
    """A paper as its parties read it, and when the hub took it in."""

    kind: str
    signed: Signed
    at: Instant


class RunCall(msgspec.Struct, frozen=True):
    """A use request, signed by the requester, with the plan that its digest names (canonical bytes)."""

    request: Signed
    plan: bytes


class NodeProgress(msgspec.Struct, frozen=True):
    """One hospital's line: a state and nothing that depends on its rows."""

    did: str
    name: str
    state: str
    connected: bool


class RunView(msgspec.Struct, frozen=True):
    """What anyone who follows a run sees. ``version`` grows with each change; ask for ``?after=version`` to wait."""

    run_id: str
    state: str
    version: int
    round: int
    nodes: tuple[NodeProgress, ...]
    reasons: tuple[Reason, ...] = ()
    words: str = ""
    started: Instant = 0
    ended: Instant = 0
    entries: tuple[int, ...] = ()


class RunResult(msgspec.Struct, frozen=True):
    """Every surviving node's attestation, and the sealed outcome for the asker."""

    run_id: str
    attestations: tuple[Signed, ...]
    sealed: bytes
