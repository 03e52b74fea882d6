"""The node channel: a node sends *reports*, and its long poll collects *orders*.

Two HTTP calls carry it, both MessagePack: ``POST /node/send`` takes a signed :class:`Reports`,
``POST /node/poll`` takes a signed :class:`Poll` and is held until there are orders or
``HOLD_S`` passed. A report is signed by the node; an order is not signed, because a node believes
nothing of the hub's that is not signed inside by somebody else or provable from the log.
Append-only: a field is added with a default, a kind is added, none is changed. An unknown kind is refused.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.wire.budgets import BudgetReport
from xinglin.wire.extracts import ExtractGiven, ExtractOrder, ExtractPart, ExtractSaid, ExtractStop
from xinglin.wire.held_offers import HeldAnswer, HeldOrder

REPORTS_CONTEXT = "node-reports/1"
POLL_CONTEXT = "node-poll/1"
HOLD_S = 5
"""A poll is held this long at most: it is the heartbeat too, and far under the 60 s after which proxies cut."""
AWAY_AFTER_S = 3
"""A node that has no poll open for this long is shown as away.

A node that froze leaves its last poll open until it has been held, so it is away after ``HOLD_S + AWAY_AFTER_S``
at most (promise: within 10 s).
"""
CLOCK_SKEW_MS = 120_000
"""Signed messages are refused when their instant is further off than this."""
REPORTS_PER_SEND = Limit("reports a send", 256, "reports")


# --- reports: node to hub -------------------------------------------------------------------


class RunAdmitted(msgspec.Struct, frozen=True, tag="run-admitted"):
    """The node's own decision was yes; ``advert`` opens the secure sum, ``releases`` is signed (see secure setup)."""

    run_id: str
    advert: bytes
    releases: bytes


class RunRefused(msgspec.Struct, frozen=True, tag="run-refused"):
    """The node's own decision was no, for rules only: never a reason that depends on rows."""

    run_id: str
    reasons: tuple[Reason, ...]


class RunMessage(msgspec.Struct, frozen=True, tag="run-message"):
    """One message of the secure sum; ``kind`` is its class name in ``xinglin.secure``, round 0 is the set-up."""

    run_id: str
    kind: str
    round: int
    payload: bytes


class RunReleased(msgspec.Struct, frozen=True, tag="run-released"):
    """The outcome as this node signs it (:class:`Attestation`), and the sealed result for each recipient."""

    run_id: str
    attestation: bytes
    sealed: dict[str, bytes]


class RunStopped(msgspec.Struct, frozen=True, tag="run-stopped"):
    """This node ends its part: ``code`` is one of the run's named ends.

    ``attestation``: where its own rules said no, that as it signs it (:class:`Attestation` of kind ``refused``); empty
    where something broke.
    """

    run_id: str
    code: str
    words: str
    attestation: bytes = b""


class RunWaiting(msgspec.Struct, frozen=True, tag="run-waiting"):
    """The node cannot go on at present, and goes on by itself. ``others_missing``: for the other hospitals."""

    run_id: str
    reason: str
    words: str


class LogSubmission(msgspec.Struct, frozen=True, tag="log-submission"):
    """A batch of evidence entries under one signature (``xinglin.evidence.submission``)."""

    ticket: str
    batch: bytes


class CosignAnswer(msgspec.Struct, frozen=True, tag="cosign-answer"):
    """A node witness's answer to :class:`CosignOrder`: status and body as ``tlog-witness`` has them."""

    ticket: str
    status: int
    body: bytes


class Published(msgspec.Struct, frozen=True, tag="published"):
    """The node's published tables (canonical JSON of catalogue descriptions), and what is said beside (``Listing``)."""

    descriptions: bytes
    listings: bytes = b"[]"


class AgreementAnswer(msgspec.Struct, frozen=True, tag="agreement-answer"):
    """The provider's countersignature (a ``Signed`` as bytes) or refusal of an offered agreement."""

    agreement_id: str
    accepted: bool
    signed: bytes = b""
    reasons: tuple[Reason, ...] = ()


class PaperReport(msgspec.Struct, frozen=True, tag="paper-report"):
    """A paper of this node's about an agreement (``Signed`` as bytes), for the other party."""

    agreement_id: str
    kind: str
    signed: bytes


Report = (
    HeldAnswer
    | BudgetReport
    | RunAdmitted
    | RunRefused
    | RunMessage
    | RunReleased
    | RunStopped
    | RunWaiting
    | LogSubmission
    | CosignAnswer
    | Published
    | AgreementAnswer
    | PaperReport
    | ExtractSaid
    | ExtractPart
    | ExtractGiven
)


class Reports(msgspec.Struct, frozen=True):
    """What the node's signature covers: ``boot`` and ``number`` make a re-sent batch recognisable."""

    node: str
    boot: str
    number: int
    at: Instant
    reports: tuple[Report, ...]
    version: int = 1


# --- orders: hub to node --------------------------------------------------------------------


class RunOrder(msgspec.Struct, frozen=True, tag="run-order"):
    """A requester-signed use request (``Signed`` as bytes) and the plan it names: the node decides."""

    run_id: str
    request: bytes
    plan: bytes


class RunRelay(msgspec.Struct, frozen=True, tag="run-relay"):
    """One message of the secure sum for this node, as ``xinglin.secure`` spells it."""

    run_id: str
    payload: bytes


class RunReleases(msgspec.Struct, frozen=True, tag="run-releases"):
    """Every taking-part node's signed :class:`ReleaseRefs`: what the differencing guard compares with."""

    run_id: str
    signed: tuple[bytes, ...]


class RunEnd(msgspec.Struct, frozen=True, tag="run-end"):
    """The run is over for everybody; named ends only."""

    run_id: str
    code: str
    words: str


class CosignOrder(msgspec.Struct, frozen=True, tag="cosign-order"):
    """An ``add-checkpoint`` body with all entries from ``start`` on (a sequence of entry bundles' entries)."""

    ticket: str
    body: bytes
    entries: bytes


class CheckpointOrder(msgspec.Struct, frozen=True, tag="checkpoint-order"):
    """The newest published checkpoint with its cosignatures."""

    note: bytes


class LogTicket(msgspec.Struct, frozen=True, tag="log-ticket"):
    """Indices that a submission received, or why it was refused."""

    ticket: str
    indices: tuple[int, ...]
    reasons: tuple[Reason, ...] = ()


class AgreementOrder(msgspec.Struct, frozen=True, tag="agreement-order"):
    """An agreement that a study offers (``Signed`` as bytes), waiting for the hospital's word.

    ``application``: the study's application that the offer names (``Signed`` as bytes), or empty.
    """

    agreement_id: str
    signed: bytes
    application: bytes = b""


class PaperOrder(msgspec.Struct, frozen=True, tag="paper-order"):
    """A paper of the other party about an agreement (``Signed`` as bytes); ``kind`` is one of ``PAPER_KINDS``."""

    agreement_id: str
    kind: str
    signed: bytes


class ApprovalOrder(msgspec.Struct, frozen=True, tag="approval-order"):
    """An ethics resolution (``Signed`` as bytes) of a study that asks this hospital; the node verifies it."""

    approval_id: str
    signed: bytes


Order = (
    HeldOrder
    | RunOrder
    | RunRelay
    | RunReleases
    | RunEnd
    | CosignOrder
    | CheckpointOrder
    | LogTicket
    | AgreementOrder
    | PaperOrder
    | ApprovalOrder
    | ExtractOrder
    | ExtractStop
)


class Poll(msgspec.Struct, frozen=True):
    """``have`` numbers the last order handled since ``hub_boot``: the hub forgets up to it.

    ``log_size`` is the size of this node's replica; ``runs`` are the runs it still works on.
    """

    node: str
    boot: str
    at: Instant
    hub_boot: str
    have: int
    log_size: int
    runs: tuple[str, ...] = ()
    version: int = 1


class Orders(msgspec.Struct, frozen=True):
    """Orders in sequence; ``hub_boot`` changes when the hub was started anew; ``now`` shows clocks that differ."""

    hub_boot: str
    first: int
    orders: tuple[Order, ...]
    now: Instant


class Taken(msgspec.Struct, frozen=True):
    """The hub keeps reports up to ``number`` of this boot."""

    number: int


# --- what a node signs about an outcome -----------------------------------------------------


class Attestation(msgspec.Struct, frozen=True):
    """One node's word on a run's outcome; all of a run's attestations must agree on ``commitment``.

    ``commitment`` is salted with a secret of the roster, so that the hub cannot try out results.
    ``kind`` is ``result``, ``withheld`` or ``failure``; the words behind the last two are pooled facts. ``refused`` is
    one node's own word before there was an outcome: no survivors, no commitment, ``reasons`` by its rules alone.
    """

    run_id: str
    node: str
    survivors: tuple[str, ...]
    kind: str
    commitment: str
    words: str = ""
    reasons: tuple[Reason, ...] = ()
    version: int = 1


ATTESTATION_CONTEXT = "run-attestation/1"


class Sealed(msgspec.Struct, frozen=True):
    """What a recipient finds when the seal is opened: the outcome and the salt of its commitment."""

    run_id: str
    salt: bytes
    outcome: bytes
    version: int = 1


SEAL_INFO = b"xinglin run result/1"


class ReleaseRefs(msgspec.Struct, frozen=True):
    """Released cells whose persons this node keeps, as (release, cell), for the differencing guard.

    ``rosters``: whose sum each of these releases was (DIDs, sorted).
    """

    run_id: str
    node: str
    cells: tuple[tuple[str, str], ...]
    version: int = 1
    rosters: dict[str, tuple[str, ...]] = {}


RELEASES_CONTEXT = "run-releases/1"
