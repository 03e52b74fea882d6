"""The policy studio: the hospital's own policy as sentences, form and text; what a change would have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.calls.hospital_policy import House, Run, read_policy, unknown_words, written
from xinglin.console.charts import Bar, bars
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField, NotThere
from xinglin.console.frame import Done, Head, Nav, Page, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, listing
from xinglin.console.people.service import FRESH_S
from xinglin.console.policy_form import draft_of, form_choices, policy_of_form, rows_of
from xinglin.console.policy_words import sentences
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.terms.policy import Policy
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.console.calls.hospital_policy import Act, Changed

ROLE = ("hospital",)
NAV = (Nav(roles=ROLE, path="/policy", label=N_("Policy"), order=60),)
CSS = ("screens/charts.css", "screens/policy.css")
CHANGES = {
    "now-allowed": N_("now allowed"),
    "now-denied": N_("now refused"),
    "other-reasons": N_("refused for other reasons"),
    "other-conditions": N_("allowed on other conditions"),
}
FINDINGS = {
    "dead": N_("can never matter"),
    "superfluous": N_("superfluous"),
    "contradiction": N_("contradicts itself"),
    "conflict": N_("in conflict"),
    "unused": N_("no decision ever needed it"),
}
KINDS = {
    "propose": N_("proposed"),
    "see": N_("saw what it would change"),
    "confirm": N_("confirmed"),
    "refuse": N_("refused"),
}


@screen("/policy", roles=ROLE)
def studio(visit: Visit) -> Page:
    """What is in force, and proposals that wait for a second person."""
    house = visit.calls.policy.house()
    return Page(
        "policy/studio.html",
        title=visit.words.text("The hospital's own policy"),
        values={
            "house": house,
            "said": sentences(house.policy, visit.words) if house.policy is not None else (),
            "text": written(house.policy) if house.policy is not None else "",
        },
        same=Same(cli="xinglin node policy show\nxinglin node policy propose policy.json --by NAME"),
        css=CSS,
    )


@screen("/policy/draft", roles=ROLE)
def draft(visit: Visit) -> Page:
    """A draft to change: from what is in force, or from nothing."""
    house = visit.calls.policy.house()
    return _drafted(visit, draft_of(house.policy), None)


@act("/policy/draft", roles=ROLE)
def redraft(visit: Visit, form: Form) -> Page | Done:
    """The draft as it was changed: tried over past decisions, or proposed."""
    deed = form.text("do", "show")
    policy = _read(form) if deed == "read-text" else policy_of_form(form, deed)
    if deed == "propose":
        reasons = unknown_words(policy)
        if reasons:
            return _drafted(visit, policy, None)
        proposal = visit.calls.policy.propose(policy, visit.by, form.text("words"))
        said = visit.words.text("Proposed. It is in force once another person has seen what it changes, and confirmed.")
        return Done(f"/policy/proposals/{segment(proposal)}", said)
    tried = visit.calls.policy.try_out(policy) if deed == "try" and not unknown_words(policy) else None
    return _drafted(visit, policy, tried)


@act("/policy/lift", roles=ROLE)
def lift(visit: Visit, form: Form) -> Done:
    """Propose that the hospital have no policy of its own any more."""
    proposal = visit.calls.policy.propose(None, visit.by, form.text("words"))
    return Done(
        f"/policy/proposals/{segment(proposal)}", visit.words.text("Proposed. Another person has to confirm it.")
    )


@screen("/policy/proposals/{proposal:str}", roles=ROLE)
def proposal(visit: Visit, proposal: str) -> Page:
    """One open proposal: its rules, and whether one has looked at what it would change."""
    return _proposed(visit, visit.calls.policy.house(), proposal, None)


@act("/policy/proposals/{proposal:str}/simulate", roles=ROLE)
def simulate(visit: Visit, form: Form, proposal: str) -> Page:
    """What the proposal would have changed; the node keeps that this person saw it."""
    return _proposed(visit, visit.calls.policy.house(), proposal, visit.calls.policy.simulate(proposal, visit.by))


@act("/policy/proposals/{proposal:str}/confirm", roles=ROLE, fresh_s=FRESH_S)
def confirm(visit: Visit, form: Form, proposal: str) -> Done:
    """Put the proposal in force: another person than who proposed it."""
    visit.calls.policy.confirm(proposal, form.needed("simulation"), visit.by)
    return Done("/policy", visit.words.text("In force. Every offer is measured by it from now on."))


@act("/policy/proposals/{proposal:str}/refuse", roles=ROLE)
def refuse(visit: Visit, form: Form, proposal: str) -> Done:
    """Refuse the proposal, or take back one's own."""
    visit.calls.policy.refuse(proposal, visit.by, form.text("words"))
    return Done("/policy", visit.words.text("The proposal is refused; it stays in the history."))


@screen("/policy/history", roles=ROLE)
def history(visit: Visit) -> Page:
    """Every act on the policy, newest first; nothing of it is ever changed."""
    _ = visit.words.text
    rows = [
        {
            "at": one.at,
            "kind": _(KINDS.get(one.kind, one.kind)),
            "by": visit.named(one.by),
            "words": one.words,
            "digest": one.digest,
        }
        for one in visit.calls.policy.history()
    ]
    return Page(
        "policy/history.html",
        title=_("History of the policy"),
        crumbs=(Step(_("Policy"), "/policy"),),
        listing=listing(
            visit,
            "policy-history",
            (
                Column("at", _("When"), "instant"),
                Column("kind", _("What")),
                Column("by", _("By")),
                Column("words", _("Why")),
                Column("digest", _("Digest"), "id"),
            ),
            rows,
            empty=Empty(_("Nobody has proposed a policy yet."), _("Draft one"), "/policy/draft"),
            filters=(Filter("kind", _("What"), {_(one): _(one) for one in KINDS.values()}),),
        ),
        same=Same(cli="xinglin node policy history"),
        css=CSS,
    )


@screen("/policy/tightened/{agreement:str}", roles=ROLE)
def tightened(visit: Visit, agreement: str) -> Page:
    """The policy under which the hospital would accept an offer: hand it to the asker."""
    policy = visit.calls.policy.tightened(agreement)
    return Page(
        "policy/tightened.html",
        title=visit.words.text("Terms that the hospital would accept"),
        values={"said": sentences(policy, visit.words), "text": written(policy)},
        crumbs=(Step(visit.words.text("Policy"), "/policy"),),
        same=Same(cli=in_shell("xinglin node policy tightened {}", agreement)),
        css=CSS,
    )


def _drafted(visit: Visit, policy: Policy, tried: Run | None) -> Page:
    _ = visit.words.text
    reasons = unknown_words(policy)
    lint: tuple[Any, ...] = ()
    if not reasons:
        from xinglin.terms.simulate import findings

        lint = tried.findings if tried is not None else findings(policy)
    return Page(
        "policy/draft.html",
        title=_("Draft a policy"),
        values={
            "rows": rows_of(policy),
            "choices": form_choices(visit.words),
            "text": written(policy),
            "said": sentences(policy, visit.words),
            "reasons": reasons,
            "lint": lint,
            "findings": FINDINGS,
            "tried": tried,
            "effect": _effect(visit, tried) if tried is not None else None,
            "changes": CHANGES,
        },
        crumbs=(Step(_("Policy"), "/policy"),),
        same=Same(cli="xinglin terms check policy.json\nxinglin terms simulate policy.json"),
        css=CSS,
        wide=True,
    )


def _proposed(visit: Visit, house: House, digest: str, run: Run | None) -> Page:
    _ = visit.words.text
    found = next((one for one in house.open if one.digest == digest), None)
    if found is None:
        raise NotThere("There is no such open proposal.", remedy="See the history: it was confirmed or refused.")
    mine = found.by == visit.by
    return Page(
        "policy/proposal.html",
        title=_("Proposal for the hospital's own policy"),
        values={
            "found": found,
            "mine": mine,
            "said": sentences(found.policy, visit.words) if found.policy is not None else (),
            "text": written(found.policy) if found.policy is not None else "",
            "run": run,
            "effect": _effect(visit, run) if run is not None else None,
            "changes": CHANGES,
            "findings": FINDINGS,
        },
        crumbs=(Step(_("Policy"), "/policy"),),
        head=Head(
            kind="object.policy-proposal",
            id=digest,
            state="state.waiting",
            owner=_("another officer than %(name)s", name=visit.named(found.by)),
            since=found.at,
        ),
        same=Same(cli=_four_eyes(found)),
        css=CSS,
    )


def _effect(visit: Visit, run: Run) -> dict[str, Any]:
    """How many decisions differ and how, as bars, and why each of them does."""
    _ = visit.words.text
    counts = [(change, [one for one in run.differing if one.change == change]) for change in CHANGES]
    drawn = bars(
        _("Decisions that would differ"),
        [Bar(_(CHANGES[change]), float(len(found))) for change, found in counts],
        counted=_("Decisions"),
        named=_("How"),
        say=_,
    )
    return {"chart": drawn, "rows": [(one, _why(visit, one)) for one in run.differing]}


def _why(visit: Visit, one: Changed) -> str:
    """The reasons after where it refuses, those before where it no longer does, else the conditions."""
    told = one.after if one.after.get("type") == "denied" else one.before
    if told.get("type") == "denied":
        said = [visit.words.reason(reason["code"], reason["words"]) for reason in told["reasons"]]
        return " ".join(dict.fromkeys(said))
    return ", ".join(visit.words.term(f"requirement.{name}") for name in one.after.get("conditions", ()))


def _four_eyes(found: Act) -> str:
    short = found.digest[:19]
    said = "xinglin node policy simulate {0} --by NAME\nxinglin node policy confirm {0} SIMULATION --by NAME"
    return in_shell(said, short)


def _read(form: Form) -> Policy:
    try:
        return read_policy(form.text("text"))
    except (XinglinError, msgspec.MsgspecError) as error:
        what = error.what if isinstance(error, XinglinError) else str(error)
        raise BadField("text", "The text is no policy.", why=what, remedy="Go back and mend it.") from error


ROUTES = (studio, draft, redraft, lift, proposal, simulate, confirm, refuse, history, tightened)
