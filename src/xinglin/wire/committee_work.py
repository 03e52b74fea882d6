"""What a committee's member has before them, in lines: found and cut to a page at the hub (JSON).

``GET /v1/access/committee?text=&standing=&task=&offset=&most=`` (``CommitteePage``), behind the door with the scope
``access``. ``task=mine``: what waits for the reader alone.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.wire.spelled import DigestOrNone, Name

COMMITTEE_PAGE = Limit("applications of a committee's page", 1_000, "applications")
VOTE, COUNT, PUT = "vote", "count", "put"
TASKS = (VOTE, COUNT, PUT)
"""What waits for a member: a vote of theirs; as a chair: votes to count, an application to put to the vote."""


class CommitteeLine(msgspec.Struct, frozen=True):
    """One application before a committee of the reader's. ``state``: of the application; ``waiting``: why it waits.

    ``task``: of ``TASKS``, empty where nothing waits for the reader; ``motion``: which motion it is about, ``since``
    and ``due`` (0: no date) are that one's then. ``verdict`` and ``reasons``: what the machine found in the form.
    """

    application: Name
    title: str
    applicant: str
    state: str
    since: Instant
    due: Instant = 0
    summary: str = ""
    task: str = ""
    motion: DigestOrNone = ""
    waiting: str = ""
    waiting_zh: str = ""
    verdict: str = ""
    reasons: tuple[Reason, ...] = ()


class CommitteePage(msgspec.Struct, frozen=True):
    """Lines of one page, how many there are in all, and every state that occurs."""

    lines: tuple[CommitteeLine, ...]
    total: int
    states: tuple[str, ...] = ()
