"""The public register of permits: what anybody may know of an approved study (EHDS Articles 57 and 58).

A permit's status follows from the chain of approvals and their ends: an amended or renewed permit gets a new id, and
every version stays in the register with its dates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from xinglin.access.approval import Notice
from xinglin.access.form import Form
from xinglin.kernel.instants import Instant
from xinglin.kernel.states import StateTable

REGISTER_STATES = StateTable(
    "register",
    "GRANTED",
    (
        ("GRANTED", "amend", "AMENDED"),
        ("GRANTED", "renew", "RENEWED"),
        ("GRANTED", "revoke", "REVOKED"),
        ("GRANTED", "expire", "EXPIRED"),
    ),
)
"""One line of the register, by the approval's digest. AMENDED and RENEWED say that another line has replaced it, and
are final: unlike a permit as the face of an agreement (``contract.faces.permit``), which is AMENDED once it is itself
what came of an amendment.
"""
_EVENTS = {"amendment": "amend", "renewal": "renew", "revoked": "revoke", "lapsed": "expire"}


class PermitEntry(msgspec.Struct, frozen=True):
    """One permit as the public sees it. ``status``: of ``REGISTER_STATES``; ``until`` is when it ended or will end."""

    permit: str
    status: str
    study: str
    title: str
    plain_summary: str
    institution: str
    purpose: str
    basis: str
    data_sets: tuple[str, ...]
    hospitals: tuple[str, ...]
    committee: str
    granted: Instant
    until: Instant
    replaces: str = ""
    replaced_by: str = ""
    log_index: int = -1


class Logged(msgspec.Struct, frozen=True):
    """A notice as the log holds it: index and instant; ``end``: (why, instant) and ``follower``: (digest, relation)."""

    notice: Notice
    index: int
    at: Instant
    end: tuple[str, Instant] | None = None
    follower: tuple[str, str, Instant] | None = None


def status_of(logged: Logged, now: Instant) -> tuple[str, Instant]:
    """The permit's status and until when it holds or held."""
    happened: list[tuple[Instant, str]] = []
    if logged.end is not None and logged.end[0] != "lapsed":  # it lapses by the clock, whatever instant a leaf names
        happened.append((logged.end[1], _EVENTS[logged.end[0]]))
    if logged.follower is not None:
        happened.append((logged.follower[2], _EVENTS[logged.follower[1]]))
    if now >= logged.notice.expires:
        happened.append((logged.notice.expires, "expire"))
    if not happened:
        return REGISTER_STATES.start, logged.notice.expires
    at, event = min(happened)
    return REGISTER_STATES.move(REGISTER_STATES.start, event), at


def permit_entry(logged: Logged, form: Form, names: Mapping[str, str], committee: str, now: Instant) -> PermitEntry:
    """The register's line for an approval and the form it was given for."""
    status, until = status_of(logged, now)
    notice, follower = logged.notice, logged.follower
    return PermitEntry(
        permit=notice.approval,
        status=status,
        study=notice.scope.study,
        title=form.project.title,
        plain_summary=form.project.plain_summary,
        institution=names.get(form.people.institution, form.people.institution),
        purpose=form.project.purpose,
        basis=form.project.basis,
        data_sets=notice.scope.data_sets,
        hospitals=_labels(form.data.hospitals, names),
        committee=committee,
        granted=logged.at,
        until=until,
        replaces=notice.replaces,
        replaced_by=follower[0] if follower is not None else "",
        log_index=logged.index,
    )


def _labels(dids: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names.get(did, did) for did in dids)
