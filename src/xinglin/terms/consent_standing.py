"""What of a person's choices any use has to look at: their parts that depend on no use, worked out once. Pure.

Which choices a reversal took back, which versions of a document are superseded, whether identity was checked and a
representative in office when something was said: none of it depends on who asks, for what, or when. What is left of a
choice is a rule and a few instants. Rules differ from person to person by their periods alone, mostly: a pattern is a
rule with ranks for instants. ``consent.person_filter`` over the choices themselves is the slow reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.terms.consent import Choice, ConsentUse, Decision, Rule, in_office, outcomes, superseded, undone_by

EARLIEST, FOREVER = -(2**63), 2**63 - 1
"""Before and after every use: an office without an end lasts until then."""
INSTANTS = 4
"""Rules with so many instants at most share a pattern: a Consent has a period, and its provisions have."""


class Standing(NamedTuple):
    """One choice that may speak. A tuple: a city's choices are as many of them.

    ``denies``, ``permits``: whether it may, of a use that its rule is about; ``latest``: the last instant at which it
    was said. A permission counts for uses from ``since`` until before ``until``.
    """

    rule: Rule
    at: Instant
    latest: Instant
    denies: bool
    permits: bool
    since: Instant
    until: Instant


class Pattern(msgspec.Struct, frozen=True):
    """A rule whose ``instants`` are ranks, 1 for the earliest; with none of them, a rule as it was written."""

    rule: Rule
    instants: int

    def outcomes(self, use: ConsentUse) -> tuple[frozenset[Decision], ...]:
        """What the rule may mean for a use once none of its instants is over, one, two, … all."""
        if not self.instants:
            return (outcomes(self.rule, use),)
        return tuple(outcomes(self.rule, msgspec.structs.replace(use, at=past)) for past in range(self.instants + 1))


def pattern_of(rule: Rule) -> tuple[Pattern, tuple[Instant, ...]]:
    """A rule's pattern, and its instants in order; as it was written where they are more than ``INSTANTS``.

    >>> pattern_of(Rule("deny", Where(since=70, until=90)))[0] == pattern_of(Rule("deny", Where(since=1, until=5)))[0]
    True
    """
    instants = tuple(sorted(set(_instants(rule))))
    if not 0 < len(instants) <= INSTANTS:
        return Pattern(rule, 0), ()
    return Pattern(_ranked(rule, instants), len(instants)), instants


def _instants(rule: Rule) -> Iterator[Instant]:
    where = rule.where
    if where.since is not None:
        yield where.since
    if where.until is not None:
        yield where.until
    for one in rule.exceptions:
        yield from _instants(one)


def _ranked(rule: Rule, instants: tuple[Instant, ...]) -> Rule:
    since, until = (None if t is None else instants.index(t) + 1 for t in (rule.where.since, rule.where.until))
    where = msgspec.structs.replace(rule.where, since=since, until=until)
    return Rule(rule.decision, where, tuple(_ranked(one, instants) for one in rule.exceptions))


def standings(choices: Sequence[Choice]) -> list[Standing]:
    """What is left of all the choices of one person; those that can say nothing any more are left out.

    >>> [one.denies for one in standings([Choice("p", Rule("deny"), 1, "paper", id="a")])]
    [True]
    """
    undone = undone_by(choices)
    found = []
    for choice in choices:
        if choice.rule is None or choice.id in undone:
            continue
        denies = not superseded(choice, choices, True)
        permits = _may_permit(choice) and not superseded(choice, choices, False)
        if denies or permits:
            latest = choice.latest
            since, until = _office(choice)
            found.append(Standing(choice.rule, choice.at, latest, denies, permits, max(latest, since), until))
    return found


def _may_permit(choice: Choice) -> bool:
    if choice.identity is None or choice.flags:
        return False
    return choice.delegate is None or (in_office(choice, choice.at) and in_office(choice, choice.latest))


def _office(choice: Choice) -> tuple[Instant, Instant]:
    who = choice.delegate
    if who is None or who.since is None:
        return EARLIEST, FOREVER
    until = FOREVER if who.until is None else who.until
    return min(max(who.since, EARLIEST), FOREVER), min(max(until, EARLIEST), FOREVER)
