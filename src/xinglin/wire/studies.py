"""Studies in lines: what a list of them needs, found and cut to a page at the hub (JSON).

``GET /v1/access/studies?text=&standing=&offset=&most=`` (``StudiesPage``), behind the door with the scope ``access``.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.wire.spelled import Name, NameOrNone

STUDIES_PAGE = Limit("studies of a page", 1_000, "studies")
STATES = ("applied", "asked", "approved", "refused", "offered", "in-force", "withdrawn", "ended")
"""Where a study stands: handed in; a question is open; decided, nothing offered; not approved, or by no hospital;
offered to hospitals; in force at one hospital at least; withdrawn; over at every hospital."""


class StudyLine(msgspec.Struct, frozen=True):
    """One study of its applicant. ``state``: of ``STATES``; ``application``: its id, empty where there is none.

    ``owner``: label of who has it now, ``since`` when, ``due`` until when (0: nobody owes an answer). ``waiting``: in a
    sentence, both languages. ``asked``, ``offered``, ``active``: how many hospitals. ``questions``: open ones.
    """

    study: Name
    state: str
    title: str = ""
    application: NameOrNone = ""
    data_set: str = ""
    owner: str = ""
    since: Instant = 0
    due: Instant = 0
    waiting: str = ""
    waiting_zh: str = ""
    asked: int = 0
    offered: int = 0
    active: int = 0
    questions: int = 0
    changed: Instant = 0


class StudiesPage(msgspec.Struct, frozen=True):
    """Lines of one page, the newest change first, and how many there are in all."""

    lines: tuple[StudyLine, ...]
    total: int
