"""The agreement as an EHDS data permit: status, purpose of Article 53, who, what, until when, and what is due then.

Sources: Regulation (EU) 2025/327, Articles 53, 68, 71 and 73; statuses as TEHDAS2 D6.4 has them. An amended or a
renewed permit has a new id (the digest of the agreement that replaced the earlier), and the earlier ones stay in its
chain.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.contract.errors import NotThisFace
from xinglin.contract.faces.carried import Loss, carried, carry
from xinglin.contract.faces.clocks import Due, add_months
from xinglin.contract.negotiation import Standing, standing_at
from xinglin.kernel.instants import Instant, to_text
from xinglin.kernel.states import StateTable
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.purposes import PURPOSES

PERMIT_STATES = StateTable(
    "permit",
    "GRANTED",
    (
        ("GRANTED", "amend", "AMENDED"),
        ("GRANTED", "renew", "RENEWED"),
        ("GRANTED", "revoke", "REVOKED"),
        ("GRANTED", "expire", "EXPIRED"),
        ("AMENDED", "amend", "AMENDED"),
        ("AMENDED", "renew", "RENEWED"),
        ("AMENDED", "revoke", "REVOKED"),
        ("AMENDED", "expire", "EXPIRED"),
        ("RENEWED", "amend", "RENEWED"),
        ("RENEWED", "revoke", "REVOKED"),
        ("RENEWED", "expire", "EXPIRED"),
    ),
)
"""A renewed permit stays so when it is amended: it is not renewed again."""

EXTENSION_MONTHS = 1
"""An extension is asked for at least a month before the permit expires."""


class Permit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A permit: ``id`` is the digest of its agreement, ``earlier`` the ids that it followed, the first first.

    ``purposes``: points of Article 53(1) (empty text: none fits, which is a loss). ``suspended``: in force, and for
    now unused. ``delete_by`` and ``publish_by``: what is due after the end.
    """

    id: str
    status: str
    holder: str
    user: str
    study: str
    data_set: str
    purposes: tuple[str, ...]
    valid_from: str
    valid_until: str
    delete_by: str
    publish_by: str
    suspended: bool
    losses: tuple[Loss, ...]
    agreement: dict[str, Any]
    earlier: tuple[str, ...] = ()
    version: int = 1


def to_permit(agreement: Agreement, standing: Standing, now: Instant, earlier: tuple[str, ...] = ()) -> Permit:
    """The face of an agreement that was in force and stands so; ``earlier``: digests of what it replaced, in order.

    ``NotThisFace`` for one that never was in force, or whose chain does not end where it says.
    """
    if (earlier[-1] if earlier else "") != agreement.replaces:
        raise NotThisFace("The earlier permits do not lead to this one.", remedy="Name them, the first first.")
    terms = agreement.terms
    points = tuple(PURPOSES[one.partition("/")[0]].ehds for one in terms.purposes)
    losses = tuple(
        Loss("purpose", f"'{purpose}' has no point in Article 53(1).")
        for purpose, point in zip(terms.purposes, points, strict=True)
        if not point
    )
    ended = _end(standing, terms.expires)
    return Permit(
        id=agreement.digest(),
        status=status_of(standing_at(standing, terms.expires, now), bool(earlier)),
        holder=agreement.provider,
        user=agreement.consumer,
        study=agreement.study,
        data_set=agreement.data_set,
        purposes=points,
        valid_from=to_text(terms.not_before),
        valid_until=to_text(ended),
        delete_by=to_text(Due("deletion", ended).date or 0),
        publish_by=to_text(Due("publication", ended).date or 0),
        suspended=standing.state == "suspended",
        losses=losses,
        agreement=carry(agreement),
        earlier=earlier,
    )


def status_of(standing: Standing, follows: bool) -> str:
    """The permit's status, by its table; ``NotThisFace`` where there was no permit.

    >>> status_of(Standing("sha256:…", "active", 0), False), status_of(Standing("sha256:…", "terminated", 0), True)
    ('GRANTED', 'REVOKED')
    """
    state = PERMIT_STATES.start
    if follows:
        state = PERMIT_STATES.move(state, "renew" if standing.renewed else "amend")
    event = {"active": "", "suspended": "", "terminated": "revoke", "expired": "expire", "replaced": "expire"}
    if standing.state not in event:
        raise NotThisFace(f"An agreement that is {standing.state} is no permit.")
    return PERMIT_STATES.move(state, event[standing.state]) if event[standing.state] else state


def from_permit(permit: Permit, standing: Standing, now: Instant) -> Agreement:
    """The agreement that a permit is the face of; ``NotThisFace`` where the permit says anything else."""
    agreement = carried(permit.agreement, permit.id)
    if to_permit(agreement, standing, now, permit.earlier) != permit:
        raise NotThisFace("The permit says something else than the agreement that it names.")
    return agreement


def check_extension(permit: Permit, agreement: Agreement, asked_at: Instant) -> Verdict:
    """Whether an extension may be asked for now: once, while the permit holds, a month before it expires."""
    reasons = []
    if permit.status == "RENEWED" or not {"renew"} & set(PERMIT_STATES.events(permit.status)):
        words = f"The permit is {permit.status}, and is not extended."
        reasons.append(Reason("permit.not_extended", words, "Apply for a new permit."))
    latest = add_months(agreement.terms.expires, -EXTENSION_MONTHS)
    if asked_at > latest:
        words = f"An extension is asked for a month before the end, until {to_text(latest)}."
        reasons.append(Reason("permit.too_late", words, "Apply for a new permit."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def _end(standing: Standing, expires: Instant) -> Instant:
    """When the permit ends, or ended: an earlier end counts."""
    ended = standing.state in ("terminated", "replaced")
    return min(standing.since, expires) if ended else expires
