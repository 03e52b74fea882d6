"""What a private intersection may show, to whom, and how often: the rules that an agreement names for it.

A set is a question: who chooses its items can probe for persons. So each side answers for its own patients alone,
within a number of items and of matchings, and the *shown* part is a rule of its own beside the agreement's purpose.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict

ITEMS = Limit("items of one side of a matching", 20_000_000, "items")

Shown = Literal["intersection", "count", "linkage"]
"""What a matching shows. Append-only. A ``linkage`` on errors shows each side which of its records were linked."""


class MatchingRule(msgspec.Struct, frozen=True):
    """What a provider allows in matchings with one other institution.

    ``shows``: what the learning side may see. ``items_least``: a smaller set singles persons out. ``items_most``: the
    most items of the other side, its own patients and a margin. ``matchings_most``: within the agreement's term.
    ``epsilon_needed``: a count leaves its counter only with noise, charged to the data set's budget.
    ``basis``: why the persons may be matched (consent, a waiver, a duty); empty refuses every matching.
    """

    shows: tuple[Shown, ...] = ()
    items_least: int = 1_000
    items_most: int = 0
    matchings_most: int = 1
    epsilon_needed: bool = True
    basis: str = ""


class Matching(msgspec.Struct, frozen=True):
    """One matching as both sides agreed on it; its digest separates it from every other.

    ``learner`` is shown the outcome; ``helper`` learns the number of the learner's items and no more. For a count the
    learner is the side whose gate protects the count before anything leaves it. ``nonce``: 32 bytes, both sides' share.
    """

    agreement: str
    learner: str
    helper: str
    shows: Shown
    learner_items: int
    helper_items: int
    nonce: bytes
    version: int = 1

    def domain(self) -> bytes:
        """32 bytes that both sides compute; points of another matching are useless in this one."""
        return hashlib.sha256(b"xinglin matching/1" + encode_msgpack(self)).digest()

    def items_of(self, side: str) -> int:
        """How many items ``side`` said that it has."""
        return self.learner_items if side == self.learner else self.helper_items


def judge_matching(rule: MatchingRule, matching: Matching, me: str, earlier: int) -> Verdict:
    """Whether ``me`` takes part: every rule of its own, after ``earlier`` matchings under the same agreement."""
    other = matching.helper if me == matching.learner else matching.learner
    reasons: list[Reason] = []
    if me not in (matching.learner, matching.helper) or matching.learner == matching.helper:
        reasons.append(Reason("secure.match_parties", "The matching is not one between this institution and another."))
    if matching.version != 1 or len(matching.nonce) != 32:
        reasons.append(Reason("secure.match_form", "The matching is written in a form that is not known here."))
    if matching.shows not in rule.shows:
        reasons.append(
            Reason(
                "secure.match_shows",
                f"The agreement does not let a matching show the {matching.shows}.",
                "Ask for terms that name it.",
            )
        )
    if not rule.basis:
        reasons.append(Reason("secure.match_basis", "No basis is named for matching these persons."))
    if earlier >= rule.matchings_most:
        reasons.append(
            Reason("secure.match_often", f"All {rule.matchings_most} matchings of the agreement have been made.")
        )
    reasons += _sizes(rule, matching, other)
    return Denied(tuple(reasons)) if reasons else Allowed()


def _sizes(rule: MatchingRule, matching: Matching, other: str) -> list[Reason]:
    reasons = []
    if min(matching.learner_items, matching.helper_items) < rule.items_least:
        words = f"A matching needs at least {rule.items_least} items on each side."
        reasons.append(Reason("secure.match_small", words))
    most = min(rule.items_most, ITEMS.value)
    if matching.items_of(other) > most:
        words = f"The other side may bring at most {most} items, its own patients and a margin."
        reasons.append(Reason("secure.match_large", words, "Bring fewer, or agree on a larger quota."))
    if max(matching.learner_items, matching.helper_items) > ITEMS.value:
        reasons.append(Reason("secure.match_large", f"A side has at most {ITEMS.value} items."))
    return reasons


class ProtectedCount(msgspec.Struct, frozen=True):
    """What leaves the counter: a count with its noise, or that it is withheld (``value`` is then −1)."""

    value: int
    withheld: bool = False


def protect_count(rule: MatchingRule, count: int, minimum: int, noise: int | None) -> ProtectedCount:
    """The count as it may leave the counter's gate.

    ``noise``: an integer drawn by ``privacy.noise`` for sensitivity 1 (one person changes the count by at most one),
    already charged; ``None`` where the rule needs none. A count below ``minimum`` persons is withheld when it is
    exact; with noise it is not, for withholding would tell the exact value.

    Guarantee: with noise, that of the mechanism for the *counter's* patients against the other side, whatever that
    side sends; clamping at zero is post-processing.
    """
    if noise is None:
        if rule.epsilon_needed:
            raise ValueError("the rule needs noise; hand it in after the budget was charged")
        return ProtectedCount(-1, True) if count < minimum else ProtectedCount(count)
    return ProtectedCount(max(count + noise, 0))
