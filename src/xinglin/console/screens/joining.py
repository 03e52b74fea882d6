"""Joining as a wizard: the operator's invite first, then checks, each with its next step and what it finds now."""

from __future__ import annotations

from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Page, Same, Step, act, live, screen
from xinglin.console.people.service import FRESH_S
from xinglin.console.visit import Form, Visit

ROLE = ("hospital",)
CSS = ("screens/hospital.css",)
_HERE = "/hospital/joining"


@screen(_HERE, roles=ROLE)
def joining(visit: Visit) -> Page:
    """The seven checks, made now; before joining, the form for the invite."""
    _, calls = visit.words.text, visit.calls.joining
    did, digest = calls.facts()
    return Page(
        "hospital/joining.html",
        title=_("Joining the space"),
        values=_values(visit) | {"joined": calls.joined, "did": did, "digest": digest},
        crumbs=(Step(_("Hospital"), "/hospital"),) if calls.joined else (),
        same=Same(cli='xinglin node join invite.txt --name "PUBLIC LABEL"\nxinglin doctor\nxinglin node status'),
        css=CSS,
    )


@live(f"{_HERE}/live", roles=ROLE, every_s=3.0)
def follow(visit: Visit) -> Page:
    """The checks, made again every few seconds until all are well."""
    values = _values(visit)
    return Page("hospital/checks.html", values=values, fragment=True, final=values["done"] == values["all"])


@screen(f"{_HERE}/invite", roles=ROLE)
def begin_again(visit: Visit) -> Done:
    """Where a browser comes back to after a fresh proof: the invite is pasted again."""
    return Done(_HERE)


@act(f"{_HERE}/invite", roles=ROLE)
def read_invite(visit: Visit, form: Form) -> Page:
    """What the invite says, to be compared by telephone; nothing is sent yet."""
    _ = visit.words.text
    invite, label = form.needed("invite"), form.needed("label")
    return Page(
        "hospital/join_offer.html",
        title=_("Is this the space?"),
        values={"offer": visit.calls.joining.offer(invite), "invite": invite, "label": label},
        crumbs=(Step(_("Joining the space"), _HERE),),
        same=Same(cli='xinglin node join invite.txt --name "PUBLIC LABEL"'),
        css=CSS,
    )


@act(f"{_HERE}/join", roles=ROLE, fresh_s=FRESH_S)
def join(visit: Visit, form: Form) -> Done:
    """Join: keys are made on this machine, and registered by the invite."""
    _ = visit.words.text
    if not form.ticked("compared"):
        raise BadField("compared", "Nobody compared the digest.", remedy="Telephone the operator, then tick the box.")
    visit.calls.joining.join(form.needed("invite"), form.needed("label"))
    return Done(_HERE, _("Joined. Read the DID out to the operator; whoever keeps the machine starts the node."))


def _values(visit: Visit) -> dict[str, object]:
    checks = visit.calls.joining.checks()
    return {"checks": checks, "done": sum(one.look == "good" for one in checks), "all": len(checks)}


ROUTES = (joining, follow, begin_again, read_invite, join)
