"""The space's terms at a connector (port ``Decide``): the same evaluator as on every other path.

A connector binds its hospital by itself in one case alone: the entry is of grade L1, the offer is the hospital's own
published one, nothing in it asks for somebody's approval, and every constraint holds by facts that are proven here.
Everything else that is not forbidden outright is held until a person of the hospital answers (``answers``): the terms
are asked then once more, with the facts that this person vouches for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from xinglin.catalogue.eligible import prospect
from xinglin.catalogue.entry import CatalogueEntry
from xinglin.connector.answers import OWN_FACTS, VOUCHED
from xinglin.connector.entry_offers import offer_of
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, from_text
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.terms.constraints import Value
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.grades import required
from xinglin.terms.odrl import from_odrl
from xinglin.terms.policy import Policy
from xinglin.terms.policy_facts import elapsed, instant_value
from xinglin.wire.dsp.offered import check_offer_policy, policy_digest
from xinglin.wire.dsp.ports import Caller, ContractRow, Document, Released
from xinglin.wire.dsp.states import PROVIDER

FETCHED_AS = ("read", "transfer")
"""Under either of these actions a product of grade L1 is fetched."""
CLAIMED = frozenset(("purpose", "recipientClass"))
"""Operands that a trusted issuer's credential can prove of its holder; of all else a caller's word counts nothing."""
APPROVALS = frozenset(("obtainEthicsApproval", "collaborate", "pay", "notify"))
"""Duties that somebody has to see to before the hub may bind a hospital."""
HELD = "dsp.held"


class CatalogueTerms:
    """``entry_of``: an entry as a participant sees it; ``proven``: what is proven of one."""

    def __init__(
        self,
        entry_of: Callable[[str, str], CatalogueEntry | None],
        proven: Callable[[str], Caller],
        released: Released,
        clock: Clock,
    ) -> None:
        self._entry_of, self._proven, self._released, self._clock = entry_of, proven, released, clock

    async def __call__(self, step: str, caller: Caller, data_set: str, policy: Document) -> Verdict:
        """See the port; a step that is not known here is refused."""
        entry = self._entry_of(data_set, caller.participant)
        if entry is None or offer_of(entry) is None:
            return deny("dsp.not_offered", "This data set is not offered to you.", "Look at the catalog.")
        checked = check_offer_policy(policy)
        if isinstance(checked, Denied):
            return checked
        terms = from_odrl(policy)
        values = self._values(step, caller, entry, policy)
        if step == "negotiate":
            return _negotiable(terms, values, entry.grade)
        if step == "agree":
            return _bindable(terms, values, entry, policy)
        if step == "accept":
            return _acceptable(terms, values, entry, policy)
        if step in ("transfer", "fetch"):
            return await self._fetchable(terms, values, entry, caller)
        return deny("dsp.unknown_step", f"'{step}' is nothing that the terms decide.")

    async def _fetchable(
        self, terms: Policy, values: dict[str, Value], entry: CatalogueEntry, caller: Caller
    ) -> Verdict:
        reasons = [*_ungraded(entry), *_unmet(terms, values)]
        if reasons:
            return Denied(tuple(dict.fromkeys(reasons)))
        wanted = ContractRow("", PROVIDER, caller.participant, entry.entry_id, "FINALIZED", b"")
        if await self._released.find(wanted) is None:
            return deny(
                "dsp.no_product",
                "No released product of this data set is held here: results leave a hospital sealed to the parties of "
                "their study, and no product of grade L1 was deposited here.",
                "Ask its hospital to release a product.",
            )
        return Allowed()

    def _values(self, step: str, caller: Caller, entry: CatalogueEntry, policy: Document) -> dict[str, Value]:
        """What is known by operand; whatever is not here is unknown, and what is unknown is denied."""
        now = self._clock()
        values: dict[str, Value | None] = {
            "recipient": (caller.participant,),
            "dateTime": instant_value(now),
            "grade": entry.grade or None,
            "elapsedTime": elapsed(_agreed_at(policy), now) if step in ("transfer", "fetch") else None,
        }
        own = tuple(one for one in caller.claims if not one[0].startswith(VOUCHED))
        proven = own or self._proven(caller.participant).claims
        for operand in CLAIMED:
            values[operand] = _said(text for name, text in proven if name.rpartition(".")[2] == operand)
        # A person's word adds to what is proven, and replaces nothing.
        for claim in {name for name, _ in caller.claims if name.startswith(VOUCHED)}:
            operand = claim.removeprefix(VOUCHED)
            if operand not in OWN_FACTS and values.get(operand) is None:
                values[operand] = _said(text for name, text in caller.claims if name == claim)
        return {name: value for name, value in values.items() if value is not None}


def _said(texts: Iterable[str]) -> Value | None:
    found = tuple(sorted(set(texts)))
    return found[0] if len(found) == 1 else found or None


def _negotiable(terms: Policy, values: dict[str, Value], grade: str) -> Verdict:
    """Denied where no later fact can help, for any of the actions that the offer is about."""
    found = [prospect(terms, grade, one.action, values) for one in terms.permissions]
    if not found:
        return deny("dsp.no_permission", "The offer permits nothing.", "Ask for an offer of the catalog.")
    possible = [one for one in found if isinstance(one, Allowed)]
    if possible:
        return Allowed(tuple(sorted({condition for one in possible for condition in one.conditions})))
    return Denied(tuple(dict.fromkeys(reason for one in found if isinstance(one, Denied) for reason in one.reasons)))


def _bindable(terms: Policy, values: dict[str, Value], entry: CatalogueEntry, policy: Document) -> Verdict:
    """Whether the hub may agree by itself; every reason why a person has to."""
    reasons = [*_ungraded(entry)]
    offer = offer_of(entry)
    if offer is None or policy_digest(policy) != policy_digest(offer):
        reasons.append(Reason(HELD, "The offer is not the published one.", "Ask for the published one, or wait."))
    duties = {duty.action for duty in (*terms.duties, *(one for rule in terms.permissions for one in rule.duties))}
    if duties & APPROVALS:
        words = f"Held for the hospital: the offer's duties {', '.join(sorted(duties & APPROVALS))} come first."
        reasons.append(Reason(HELD, words, "Wait for its decision."))
    reasons += _unmet(terms, values)
    return Denied(tuple(dict.fromkeys(reasons))) if reasons else Allowed()


def _acceptable(terms: Policy, values: dict[str, Value], entry: CatalogueEntry, policy: Document) -> Verdict:
    """Whether a person may agree, all facts counted: by the offer's own terms, and never past the published ones."""
    published = offer_of(entry)
    reasons = [*_ungraded(entry), *_unmet(terms, values)]
    if published is not None and policy_digest(policy) != policy_digest(published):
        reasons += _unmet(from_odrl({**published, "target": entry.entry_id}), values)
    return Denied(tuple(dict.fromkeys(reasons))) if reasons else Allowed()


def _ungraded(entry: CatalogueEntry) -> tuple[Reason, ...]:
    """Data of another grade than L1 does not pass a connector, whatever an offer says."""
    needed = required(entry.grade, "read")
    if not isinstance(needed, Denied):
        return ()
    words = f"Held for the hospital: data of grade {entry.grade or 'unknown'} are not handed out; they are used where "
    return (Reason(HELD, f"{words}they lie.", "Agree on a study in the space, and ask its hospital there."),)


def _unmet(terms: Policy, values: dict[str, Value]) -> tuple[Reason, ...]:
    compiled = compile_policy(terms)
    found = [compiled.judge(Asked(action, {**values, "operation": action})) for action in FETCHED_AS]
    if any(isinstance(one, Allowed) for one in found):
        return ()
    return tuple(dict.fromkeys(reason for one in found if isinstance(one, Denied) for reason in one.reasons))


def _agreed_at(policy: Document) -> int | None:
    stamp = policy.get("timestamp")
    try:
        return from_text(stamp) if isinstance(stamp, str) else None
    except (XinglinError, ValueError):
        return None
