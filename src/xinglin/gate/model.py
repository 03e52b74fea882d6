"""A use on its way: its states, its record, and the answers it can end with."""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.states import StateTable
from xinglin.kernel.verdict import Reason
from xinglin.privacy.differencing import DifferenceSlot
from xinglin.terms.request import Plan, UseRequest
from xinglin.trust.envelope import Signed

RESULT_BYTES = Limit("result size", 4 * 1024 * 1024, "bytes")
EXTRACT_BYTES = Limit("extract size", 256 * 1024 * 1024, "bytes")

USE_STATES = StateTable(
    "use",
    "asked",
    (
        ("asked", "allow", "allowed"),
        ("asked", "refuse", "refused"),
        ("allowed", "charge", "charged"),
        ("allowed", "refuse", "refused"),
        ("charged", "admit", "admitted"),
        ("charged", "refuse", "refused"),
        ("admitted", "compute", "computed"),
        ("admitted", "end", "ended"),
        ("admitted", "withhold", "withheld"),
        ("computed", "protect", "protected"),
        ("computed", "withhold", "withheld"),
        ("computed", "end", "ended"),
        ("protected", "authorise", "authorised"),
        ("protected", "withhold", "withheld"),
        ("protected", "end", "ended"),
        ("authorised", "deliver", "delivered"),
        ("authorised", "withhold", "withheld"),
        ("delivered", "settle", "settled"),
    ),
)
"""Each state is durable; a step's effects come before its move, and doing them twice is doing them once."""


class Use(msgspec.Struct, frozen=True):
    """One run of one plan, asked for by one request. ``signed`` is the envelope around the request."""

    run: str
    signed: Signed
    request: UseRequest
    plan: Plan


class PooledGuard(msgspec.Struct, frozen=True):
    """What the pooled total says about itself: all that the disclosure rules need.

    ``persons``: distinct persons by released cell. ``contributors``: DIDs whose parts are in the total.
    ``dof`` and ``parameters``: of a fitted model. ``layout`` and ``differences``: the guard's counts
    against earlier releases; ``rosters``: whose sums those were. ``rows`` and ``rows_squared``: for
    dominance; both ``None`` where each person has one row. ``noised``: the counts of persons carry proven noise, and
    nothing exact was counted; then there is nothing to compare with earlier releases either.
    """

    persons: dict[str, int]
    contributors: tuple[str, ...]
    layout: tuple[DifferenceSlot, ...] = ()
    differences: tuple[int, ...] = ()
    rosters: dict[str, tuple[str, ...]] = {}
    dof: int | None = None
    parameters: int = 0
    rows: int | None = None
    rows_squared: int | None = None
    noised: bool = False


class ExtractGuard(msgspec.Struct, frozen=True):
    """What an extract says about itself, measured after the last change to it. Version 1; append-only.

    ``rows`` and ``persons`` in it, ``left_out`` rows suppressed. ``profile`` and its digest. ``k``: the fewest distinct
    persons who share a combination of the quasi-identifying columns; ``l``: the fewest distinct values of a sensitive
    column among them; ``t``: the largest distance of its distribution from the whole, an exact decimal rounded up.
    ``mark``: digest of what the mark stands for (empty: not marked). ``recipient``: the workspace. ``size_bytes``: of
    all files. ``grade``: of GB/T 42460-2023, with the risk that was measured (0: not told). ``compared``: earlier
    extracts of the hospital that it may stand beside (-1: not compared).
    """

    rows: int
    persons: int
    left_out: int
    profile: str
    profile_digest: str
    k: int
    l: int  # noqa: E741 - the name of the measure
    t: str
    mark: str
    recipient: str
    size_bytes: int
    grade: int = 0
    version: int = 1
    compared: int = -1


class SyntheticGuard(msgspec.Struct, frozen=True):
    """What a synthetic set says about itself. Version 1; append-only.

    ``rows`` of its first table. ``rho_units``: what its model cost; ``entry``: the hash of the ledger's entry that paid
    (empty: none). ``model``: SHA-256 of the model. ``mark``: digest of what the mark stands for (empty: not marked).
    ``recipient``: whose mark it is. ``size_bytes``: of all files.
    """

    rows: int
    rho_units: int
    entry: str
    model: str
    mark: str
    recipient: str
    size_bytes: int
    version: int = 1


class Computed(msgspec.Struct, frozen=True):
    """The opened outcome of a run, the same at every contributor: unprotected, or an extract as it would leave.

    ``result``: canonical bytes of what would be released; of an extract, its manifest, which names every file by
    digest. ``salt``: 32 bytes that all contributors derive alike and the hub does not know. ``extract``: of an extract;
    ``synthetic``: of a synthetic set, whose result is its manifest too. ``notes``: canonical bytes of what a disclosure
    pack's reviewers are shown beside the result; they never leave.
    """

    result: bytes
    guard: PooledGuard
    salt: bytes
    extract: ExtractGuard | None = None
    synthetic: SyntheticGuard | None = None
    notes: bytes = b""


class Stopped(msgspec.Struct, frozen=True):
    """A run that ended without a total to release: a named failure of the pooled data or of the run."""

    code: str
    words: str


class Record(msgspec.Struct, frozen=True):
    """What a store keeps of a use. ``salt``: this node's own 32 secret bytes for its commitments.

    ``reasons`` or ``stopped``: the use will end without a release; written before anything follows from it.
    ``authenticated``: the request was found signed by its requester. ``index``: of the node's own
    release-authorised leaf (−1: none). ``commitment``: the salted digest of the
    result. ``charge``: none, reserved, spent or returned. ``admitted``: when its `admitted` leaf was in (−1: not yet).
    """

    run: str
    request: str
    nonce: str
    state: str
    salt: bytes
    opened: Instant
    conditions: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    computed: Computed | None = None
    stopped: Stopped | None = None
    commitment: str = ""
    index: int = -1
    charge: str = "none"
    authenticated: bool = False
    version: int = 1
    admitted: Instant = -1


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Not admitted: nothing was computed for it, nothing left, nothing is charged."""

    reasons: tuple[Reason, ...]


class Withheld(msgspec.Struct, frozen=True, tag="withheld"):
    """Admitted, and not released; the charge is given back only if nothing left."""

    reasons: tuple[Reason, ...]
    given_back: bool = False


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Ended without a total; ``given_back`` tells whether the charge was, which is only if nothing left."""

    code: str
    words: str
    given_back: bool


class Released(msgspec.Struct, frozen=True, tag="released"):
    """Delivered and settled; ``index`` is the node's own release-authorised leaf."""

    commitment: str
    index: int


class Paused(msgspec.Struct, frozen=True, tag="paused"):
    """Neither done nor lost: carry the same use through again later; ``reason`` is a stable word."""

    state: str
    reason: str
    words: str


Answer = Released | Refused | Withheld | Ended | Paused
