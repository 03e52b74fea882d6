"""The regulator: how the space stands, who is in it, what went wrong, and orders that stop something."""

from __future__ import annotations

from typing import Any

from xinglin.console.addresses import segment
from xinglin.console.calls.regulator import RegulatorCalls
from xinglin.console.calls.watching import WATCHED_DAYS, Trouble
from xinglin.console.charts import Bar, bars
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Head, Nav, Page, Rail, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, listing
from xinglin.console.members_shown import member_row, member_state
from xinglin.console.people.service import FRESH_S
from xinglin.console.visit import Form, Visit
from xinglin.trust.leaves import REASONS
from xinglin.wire.product_orders import ORDER_REASONS
from xinglin.words import N_

ROLES = ("regulator",)
NAV = (
    Nav(roles=ROLES, path="/oversight", label=N_("Oversight"), order=10),
    Nav(roles=ROLES, path="/oversight/participants", label=N_("Participants"), order=20),
    Nav(roles=ROLES, path="/oversight/agreements", label=N_("Agreements in the log"), order=30),
    Nav(roles=ROLES, path="/oversight/orders", label=N_("Orders"), order=40),
    Nav(roles=ROLES, path="/oversight/policy", label=N_("Quorum policy"), order=50),
)
CSS = ("screens/evidence.css", "screens/charts.css")
WATCHED = ("admitted", "release-authorised", "delivered", "refused", "break-glass")
_KINDS = {"agreement": "object.agreement", "study": "object.study", "party": "object.participant"}
TROUBLES = {
    "breach": N_("Notice of breach"),
    "freeze": N_("Frozen"),
    "key-revocation": N_("Keys ended"),
    "break-glass": N_("Emergency look-up"),
    "checkpoint": N_("Checkpoint is old"),
}


@screen("/oversight", roles=ROLES)
def oversight(visit: Visit) -> Page:
    """The space at a glance."""
    _, calls = visit.words.text, _calls(visit)
    members, counts, checkpoint = calls.members(), calls.counts(), calls.book.checkpoint()
    agreements = calls.agreements()
    troubles = calls.troubles()
    kinds = [Bar(visit.words.term(f"kind.{kind}"), counts.get(kind, 0)) for kind in WATCHED]
    return Page(
        "regulator/oversight.html",
        title=_("Oversight"),
        values={
            "members": [one for one in members if not one.institution],
            "persons": sum(1 for one in members if one.institution),
            "checkpoint": checkpoint,
            "in_force": sum(1 for _digest, one in agreements if one.standing.state == "active"),
            "agreements": len(agreements),
            "troubles": [_trouble(visit, one) for one in troubles[:12]],
            "late": sum(one.late for one in troubles),
            "flows": calls.flows(),
            "activity": bars(_("Entries within %(days)s days", days=WATCHED_DAYS), kinds, say=_),
            "days": WATCHED_DAYS,
        },
        same=Same(cli="xinglin witness status\nxinglin participants"),
        css=CSS,
        wide=True,
    )


@screen("/oversight/participants", roles=ROLES)
def participants(visit: Visit) -> Page:
    """Everybody who ever joined."""
    _ = visit.words.text
    rows = [member_row(visit, one) for one in _calls(visit).members()]
    columns = (
        Column("name", _("Name"), "text", "/oversight/participants/{did}"),
        Column("roles", _("Roles")),
        Column("state", _("State"), "state"),
        Column("connected", _("Line"), "state"),
        Column("in_force", _("Agreements in force"), "number"),
        Column("since", _("Since entry"), "text", "/evidence/{since}"),
        Column("did", _("DID"), "id"),
    )
    states = {key: visit.words.term(key) for key in ("state.active", "state.revoked", "revocation.frozen")}
    found = listing(
        visit, "participants", columns, rows, empty=Empty(_("Nobody joined yet.")),
        filters=(Filter("state", _("State"), states),),
    )  # fmt: skip
    before = _("Names, roles and keys are read from the verified log; whether a line is up is the hub's word.")
    return Page(
        "regulator/list.html",
        title=_("Participants"),
        values={"found": found, "caption": _("Participants"), "words_before": before},
        listing=found,
        same=Same(python="space.participants()", cli="xinglin participants"),
    )  # fmt: skip


@screen("/oversight/participants/{did:str}", roles=ROLES)
def participant(visit: Visit, did: str) -> Page:
    """One participant, and what rests on it."""
    _, calls = visit.words.text, _calls(visit)
    one = calls.member(did)
    entries = calls.book.about(did)
    return Page(
        "regulator/participant.html",
        title=one.name,
        crumbs=(Step(_("Participants"), "/oversight/participants"),),
        head=Head(kind="object.participant", id=did, state=member_state(one)),
        rail=Rail(subject=did, receipts=tuple(each.index for each in entries[-5:])),
        values={
            "one": one,
            "rests": calls.rests_on(did),
            "reasons": {reason: visit.words.term(f"revocation.{reason}") for reason in sorted(REASONS)},
        },
        same=Same(cli=in_shell("xinglin witness revoke {0} --reason left\nxinglin witness freeze {0}", did)),
    )


@screen("/oversight/agreements", roles=ROLES)
def agreements(visit: Visit) -> Page:
    """Agreements as the log has them: parties and state, no content."""
    _, calls = visit.words.text, _calls(visit)
    name = calls.book.name
    rows = [
        {
            "digest": digest,
            "provider": name(one.provider),
            "consumer": name(one.consumer),
            "state": f"state.{one.standing.state}",
            "since": one.standing.since,
            "breaches": len(one.breaches),
        }
        for digest, one in calls.agreements()
    ]
    columns = (
        Column("digest", _("Digest"), "id", "/oversight/freeze?subject={digest}"),
        Column("provider", _("Provider")),
        Column("consumer", _("Consumer")),
        Column("state", _("State"), "state"),
        Column("since", _("Since"), "instant"),
        Column("breaches", _("Notices of breach"), "number"),
    )
    states = {
        f"state.{key}": visit.words.term(f"state.{key}") for key in ("active", "suspended", "replaced", "terminated")
    }
    found = listing(
        visit, "agreements", columns, rows, empty=Empty(_("No agreement is in the log yet.")),
        filters=(Filter("state", _("State"), states),),
    )  # fmt: skip
    before = _("The log names parties and state. What an agreement says is with its parties.")
    return Page(
        "regulator/list.html",
        title=_("Agreements in the log"),
        values={"found": found, "caption": _("Agreements in the log"), "words_before": before},
        listing=found,
    )  # fmt: skip


@screen("/oversight/orders", roles=ROLES)
def orders(visit: Visit) -> Page:
    """Orders that the regulator may give, and those that the log holds."""
    _, calls = visit.words.text, _calls(visit)
    return Page(
        "regulator/orders.html",
        title=_("Orders"),
        values={
            "products": calls.products(),
            "reasons": {reason: visit.words.term(f"order.{reason}") for reason in ORDER_REASONS},
            "given": [_trouble(visit, one) for one in calls.troubles() if one.kind in ("freeze", "key-revocation")],
        },
        same=Same(cli="xinglin witness freeze SUBJECT\nxinglin witness withdraw PRODUCT --reason inquiry"),
    )


@screen("/oversight/freeze", roles=ROLES)
def look_before(visit: Visit) -> Page:
    """What a freeze would stop, before it is given."""
    _ = visit.words.text
    subject = visit.query.get("subject", "").strip()[:200]
    rests = _calls(visit).rests_on(subject)
    return Page(
        "regulator/freeze.html",
        title=_("Freeze: what would stop"),
        crumbs=(Step(_("Orders"), "/oversight/orders"),),
        head=Head(kind=_KINDS[rests.kind], id=subject),
        rail=Rail(subject=subject, receipts=tuple(each.index for each in _calls(visit).book.about(subject)[-5:])),
        values={"rests": rests, "subject": subject},
        same=Same(cli=in_shell("xinglin witness freeze {}", subject)),
    )  # fmt: skip


@screen("/oversight/policy", roles=ROLES)
def policy(visit: Visit) -> Page:
    """Who has to cosign: in force, and as today's members would have it."""
    from xinglin.evidence.policy import parse_policy

    _, calls = visit.words.text, _calls(visit)
    found = calls.policies()
    rules = parse_policy(found.proposed)
    return Page(
        "regulator/policy.html",
        title=_("Quorum policy"),
        values={
            "found": found,
            "witnesses": [calls.book.name(one.name.removeprefix("regulator.")) for one in rules.witnesses],
            "protected": calls.book.record.policy.fork_protection,
            "would_protect": rules.fork_protection,
        },
        same=Same(cli="xinglin witness policy --sign"),
    )


@act("/oversight/freeze", roles=ROLES, fresh_s=FRESH_S)
def freeze(visit: Visit, form: Form) -> Done:
    """Stop everything that rests on a subject."""
    index = _calls(visit).freeze(form.needed("subject"))
    return Done(
        f"/evidence/{segment(index)}", visit.words.text("Frozen. No hospital releases anything for it any more.")
    )


@act("/oversight/participants/{did:str}/revoke", roles=ROLES, fresh_s=FRESH_S)
def revoke(visit: Visit, form: Form, did: str) -> Done:
    """End a participant's keys, for good."""
    if not form.ticked("sure"):
        raise BadField("sure", "The box is not ticked.", remedy="Tick it: this cannot be undone.")
    index = _calls(visit).revoke(did, form.needed("reason"))
    return Done(
        f"/evidence/{segment(index)}", visit.words.text("Keys ended: nothing that they sign counts from here on.")
    )


@act("/oversight/withdraw", roles=ROLES, fresh_s=FRESH_S)
def withdraw(visit: Visit, form: Form) -> Done:
    """Order that a product goes."""
    found = _calls(visit).withdraw(form.needed("product"), form.needed("reason"))
    path = f"/evidence/{segment(found.order)}" if found.order >= 0 else "/oversight/orders"
    return Done(path, visit.words.text("Withdrawn: the hub hands it to nobody any more."))


@act("/oversight/policy", roles=ROLES, fresh_s=FRESH_S)
def sign_policy(visit: Visit, form: Form) -> Done:
    """Sign the policy that today's members make."""
    index = _calls(visit).sign_policy()
    return Done(f"/evidence/{segment(index)}", visit.words.text("Signed. It takes effect with this entry."))


ROUTES = (
    oversight,
    participants,
    participant,
    agreements,
    orders,
    look_before,
    policy,
    freeze,
    revoke,
    withdraw,
    sign_policy,
)


def _calls(visit: Visit) -> RegulatorCalls:
    found: RegulatorCalls = visit.calls
    return found


def _trouble(visit: Visit, one: Trouble) -> dict[str, Any]:
    return {
        "label": visit.words.text(TROUBLES[one.kind]),
        "who": one.who,
        "subject": one.subject,
        "at": one.at,
        "index": one.index,
        "state": f"state.{one.state}" if one.state else "",
        "late": one.late,
    }
