"""Hub calls of the access process (JSON), beside ``wire.calls``: what applicants, committees and the public ask.

Open: ``GET /v1/access/register`` · ``GET /v1/access/committees``. Behind the door: ``POST /v1/access/check`` ·
``POST|GET /v1/access/drafts`` · ``POST /v1/access/acts`` · ``GET /v1/access/applications[/{id}]`` ·
``POST /v1/access/motions`` · ``GET /v1/access/motions/{digest}`` · ``POST /v1/access/votes`` ·
``POST /v1/access/recusals`` · ``POST /v1/access/resolutions`` · ``POST /v1/access/endings`` ·
``GET /v1/access/approvals/{digest}``.
"""

from __future__ import annotations

import msgspec

from xinglin.access.application import Application
from xinglin.access.committee import Charter
from xinglin.access.form import Form, Gap
from xinglin.access.review import Motion, Outcome
from xinglin.access.screening import Screening
from xinglin.access.waiting import Task
from xinglin.kernel.instants import Instant
from xinglin.trust.envelope import Signed


class Checked(msgspec.Struct, frozen=True):
    """Everything that a form lacks, and the machine's look at it for each hospital."""

    complete: bool
    gaps: tuple[Gap, ...]
    screenings: tuple[Screening, ...]


class DraftCall(msgspec.Struct, frozen=True):
    """A draft to keep as it is, complete or not; ``draft`` empty for a new one."""

    form: Form
    draft: str = ""


class DraftView(msgspec.Struct, frozen=True):
    """A kept draft, with what it still lacks."""

    draft: str
    changed: Instant
    form: Form
    gaps: tuple[Gap, ...]


class ActCall(msgspec.Struct, frozen=True):
    """A signed act; ``draft``: a draft to forget once the form in it is submitted."""

    signed: Signed
    draft: str = ""


class ApplicationView(msgspec.Struct, frozen=True):
    """An application as one of its parties sees it: every desk's task, and why it waits, in both languages.

    ``acts``: those that make it, in order, for the reader to fold anew; a list of several applications has none.
    """

    application: Application
    tasks: tuple[Task, ...]
    waiting: str
    waiting_zh: str
    screenings: tuple[Screening, ...]
    motions: tuple[str, ...]
    approvals: tuple[str, ...]
    acts: tuple[Signed, ...] = ()


class CommitteeView(msgspec.Struct, frozen=True):
    """A committee in force: its charter and the log index that made it so."""

    charter: Charter
    digest: str
    index: int


class MotionCall(msgspec.Struct, frozen=True):
    """A motion that a chair puts to the committee."""

    signed: Signed


class VoteCall(msgspec.Struct, frozen=True):
    """A member's commitment, and its opening sealed to the committee's members (DID to ciphertext)."""

    motion: str
    vote: Signed
    sealed: dict[str, bytes]


class RecusalCall(msgspec.Struct, frozen=True):
    """A member's word that they do not vote on this motion."""

    motion: str
    signed: Signed


class SealedVote(msgspec.Struct, frozen=True):
    """One vote for one reader: the commitment, and the opening sealed to them (empty where none was)."""

    vote: Signed
    sealed: bytes


class MotionView(msgspec.Struct, frozen=True):
    """A motion as a member sees it. ``votes`` are there once it is over, for members without an interest alone."""

    motion: str
    state: str
    signed: Signed
    content: Motion
    form: Form
    may_vote: tuple[str, ...]
    voted: int
    over: bool
    votes: tuple[SealedVote, ...] = ()
    recusals: tuple[Signed, ...] = ()
    outcome: Outcome | None = None
    cast: bool = False
    """Whether the reader voted, or recused themselves; never how."""


class ResolutionCall(msgspec.Struct, frozen=True):
    """The chair's resolution, the ``decision`` on the application, and where it carries the ``notice`` for the log.

    They come of one human step; the hub takes them together or not at all.
    """

    resolution: Signed
    decision: Signed
    notice: Signed | None = None


class Resolved(msgspec.Struct, frozen=True):
    """What came of it: the resolution's digest, its outcome, and the log index of the approval (−1: none)."""

    digest: str
    outcome: Outcome
    index: int = -1


class EndingCall(msgspec.Struct, frozen=True):
    """A signed ending of an approval, for the log."""

    signed: Signed


class EndingDone(msgspec.Struct, frozen=True):
    """Where the ending lies in the log."""

    approval: str
    index: int
