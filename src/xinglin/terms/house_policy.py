"""A hospital's own policy for every offer, changed by four eyes: proposed by one person, confirmed by another one.

Acts are added and never changed; each names the digest of the one before it, so that the history cannot be rewritten
unseen. What is in force follows from the acts alone (``fold``). Names are what people say of themselves at the
hospital's desk: the same name, however it is spelled, is one person; that two names are two people is the hospital's
to see to.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, every
from xinglin.terms.errors import TermsError
from xinglin.terms.evaluate import compile_policy
from xinglin.terms.policy import Policy
from xinglin.terms.request import is_did
from xinglin.terms.simulate import RECORDS, Difference, Recorded, Simulation, changed
from xinglin.terms.writing import check_policy

ActKind = Literal["propose", "see", "confirm", "refuse"]
OPEN_PROPOSALS = Limit("open proposals of a policy", 20, "proposals")
ACTS = Limit("acts on a hospital's policy", 10_000, "acts")
SEEN_FOR_MS = Limit("age of a simulation that is confirmed upon", 24 * 3600 * 1000, "milliseconds")
NAME_CHARACTERS = Limit("name of who acts on a policy", 120, "characters")
NO_POLICY = ""
"""The digest of having no policy of one's own."""


class BrokenHistory(TermsError):
    """Acts that do not follow one another: somebody changed what was kept."""

    code = "terms.policy_history"


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody did. Version 1. ``proposal``: digest of the act that proposed it, empty in that act itself.

    ``policy``: what is proposed; ``None`` lifts the one in force. ``instead_of``: digest of the policy in force when it
    was proposed. ``simulation``: digest of what was seen. ``before``: digest of the act before this one.
    """

    kind: ActKind
    by: str
    at: Instant
    before: str
    proposal: str = ""
    policy: Policy | None = None
    instead_of: str = NO_POLICY
    simulation: str = ""
    words: str = ""
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


class House(msgspec.Struct, frozen=True):
    """What follows from the acts: the policy in force and since when, open proposals, the digest of the last act."""

    policy: Policy | None = None
    since: Instant = 0
    confirmed_by: str = ""
    open: dict[str, Act] = {}
    seen: tuple[Act, ...] = ()
    head: str = ""
    count: int = 0

    @property
    def digest(self) -> str:
        """The digest of the policy in force."""
        return policy_digest(self.policy)


def policy_digest(policy: Policy | None) -> str:
    """The digest of a policy, or of having none."""
    return NO_POLICY if policy is None else policy.digest()


def person_key(name: str) -> str:
    """By what two spellings of one name are the same person."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def fold(acts: Iterable[Act]) -> House:
    """The standing after all acts, each of which was allowed when it was added; else ``BrokenHistory``."""
    house = House()
    for act in acts:
        if act.before != house.head or not may(house, act):
            raise BrokenHistory(f"Act {house.count} of the hospital's policy does not follow the one before it.")
        house = _after(house, act)
    return house


def _after(house: House, act: Act) -> House:
    following = msgspec.structs.replace(house, head=act.digest(), count=house.count + 1)
    if act.kind == "propose":
        return msgspec.structs.replace(following, open={**house.open, act.digest(): act})
    if act.kind == "see":
        return msgspec.structs.replace(following, seen=(*house.seen, act))
    proposed = house.open[act.proposal]
    left = {digest: one for digest, one in house.open.items() if digest != act.proposal}
    seen = tuple(one for one in house.seen if one.proposal in left)
    following = msgspec.structs.replace(following, open=left, seen=seen)
    if act.kind == "refuse":
        return following
    return msgspec.structs.replace(
        following, policy=proposed.policy, since=act.at, confirmed_by=act.by, open={}, seen=()
    )


def may(house: House, act: Act) -> Verdict:
    """Whether an act may be added, with every reason why not."""
    reasons = [*_form(house, act)]
    if act.kind == "propose":
        reasons += _proposing(house, act)
    elif act.proposal not in house.open:
        reasons.append(_no("proposal", "There is no such open proposal.", "See: xinglin node policy show."))
    elif act.kind == "see" and not act.simulation:
        reasons.append(_no("simulation", "No simulation is named.", "Run it: xinglin node policy simulate."))
    elif act.kind == "confirm":
        reasons += _confirming(house, house.open[act.proposal], act)
    return Denied(tuple(reasons)) if reasons else Allowed()


def _form(house: House, act: Act) -> list[Reason]:
    reasons = []
    if act.version != 1:
        reasons.append(_no("version", f"Version {act.version} of an act is not known here.", "Upgrade."))
    name = act.by.strip()
    if not name or not act.by.isprintable() or len(act.by) > NAME_CHARACTERS.value:
        reasons.append(_no("name", "Nobody is named who acts.", f"A name of 1 to {NAME_CHARACTERS.value} characters."))
    elif name.startswith("did:") and not is_did(name):
        reasons.append(_no("name", "That is no DID of this space.", "Give the DID as the log has it, or a name."))
    if house.count >= ACTS.value:
        reasons.append(_no("full", f"The history holds {ACTS.value} acts.", "Ask the maintainers."))
    return reasons


def _proposing(house: House, act: Act) -> list[Reason]:
    reasons: list[Reason] = []
    if act.policy is not None:
        checked = check_policy(act.policy)
        reasons += checked.reasons if isinstance(checked, Denied) else ()
    if policy_digest(act.policy) == house.digest:
        reasons.append(_no("same", "That is what is in force already.", "Propose what is to change."))
    if act.instead_of != house.digest:
        reasons.append(_no("stale", "It was written against another policy in force.", "Propose it again."))
    if len(house.open) >= OPEN_PROPOSALS.value:
        reasons.append(_no("many", f"{OPEN_PROPOSALS.value} proposals are open.", "Confirm or refuse one first."))
    return reasons


def _confirming(house: House, proposed: Act, act: Act) -> list[Reason]:
    reasons = []
    me = person_key(act.by)
    if me == person_key(proposed.by):
        reasons.append(_no("four_eyes", "Who proposed it cannot confirm it.", "Have another person confirm it."))
    mine = [one for one in house.seen if one.proposal == act.proposal and person_key(one.by) == me]
    fresh = [one for one in mine if 0 <= act.at - one.at <= SEEN_FOR_MS.value]
    if not any(act.simulation and one.simulation == act.simulation for one in fresh):
        words = "Who confirms has not seen this simulation of it within a day."
        reasons.append(_no("not_seen", words, "Run it in your own name: xinglin node policy simulate."))
    if proposed.instead_of != house.digest:
        reasons.append(_no("stale", "Another policy came into force meanwhile.", "Propose it again."))
    return reasons


def _no(what: str, words: str, remedy: str) -> Reason:
    return Reason(f"terms.house_{what}", words, remedy)


def effect(proposed: Policy | None, current: Policy | None, recorded: Sequence[Recorded]) -> Simulation:
    """What would differ over recorded decisions if offers had been tightened by ``proposed`` instead of ``current``."""
    RECORDS.check(len(recorded))
    differing = []
    for one in recorded:
        before, after = _both(one, current), _both(one, proposed)
        change = changed(before, after)
        if change is not None:
            differing.append(Difference(one.id, one.at, change, before, after))
    return Simulation(policy_digest(proposed), len(recorded), tuple(differing))


def _both(one: Recorded, house: Policy | None) -> Verdict:
    if house is None:
        return one.verdict
    return every([one.verdict, compile_policy(house).judge(one.asked)])
