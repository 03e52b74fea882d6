"""Who is who among records that touch: a function of what they say and what was said of them, in no other order.

1. what was said: the newest statement on a pair holds, of a clerk or of the source.
2. edges: statements, merges, then every rule that finds a pair.
3. edges are taken by rank, the strongest first. None joins what was said to be apart; a rule joins no two groups
   in which something speaks against it: that goes to review.
4. each group of several records is a person, named after its oldest record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.patients.model import (
    COMPONENT,
    RULES,
    SHARED,
    Doubtful,
    Link,
    Pair,
    PersonOf,
    Statement,
    Traits,
    pair_of,
    person_key,
)
from xinglin.patients.rules import against, agreeing, certain, worth_a_look

_FIRST_RULE = RULES["national_id"][0]
APART = "apart"
"""Said of a pair instead of a field: somebody said that records of the two groups are not of one person."""


class Resolution(msgspec.Struct, frozen=True):
    """What follows: links that hold, pairs for review, and whom each record is of (those alone are left out)."""

    links: tuple[Link, ...]
    doubtful: tuple[Doubtful, ...]
    persons: tuple[PersonOf, ...]


def resolve(
    traits: Mapping[str, Traits],
    buckets: Iterable[Collection[str]],
    statements: Iterable[Statement],
    probable: Iterable[Link] = (),
) -> Resolution:
    """Resolve records that touch (a group of them, or several groups). ``buckets``: records under one number."""
    newest = newest_of(statements)
    parted = {pair for pair, one in newest.items() if one.said == "apart" and not _merged_since(traits, one)}
    edges = [Link(pair, "clerk", _agree(traits, pair)) for pair, one in newest.items() if _links(traits, one)]
    edges += [
        Link(pair, "merge", agreeing(one, traits[one.merged]))
        for one in traits.values()
        if one.held and one.merged in traits and (pair := pair_of(one.key, one.merged)) not in parted
    ]
    doubtful: list[Doubtful] = []
    candidates = {pair for pair in _pairs(buckets) if pair[0] in traits and pair[1] in traits}
    likely = [one for one in probable if one.pair not in parted and set(one.pair) <= traits.keys()]
    explicit = {edge.pair for edge in edges}
    small = _in_small_components(traits, [*candidates, *explicit, *(one.pair for one in likely)])
    for pair in sorted(candidates - explicit):
        if pair[0] in small:
            _judge(traits, pair, edges, doubtful, apart=pair in parted)
    edges += [one for one in likely if one.pair[0] in small]
    groups = Groups(traits, parted)
    links = []
    for edge in sorted(edges, key=lambda one: (RULES[one.rule][0], one.pair)):
        differ = groups.join(edge)
        if differ:
            doubtful.append(Doubtful(edge.pair, "conflict", edge.rule, edge.fields, differ))
        else:
            links.append(edge)
    return Resolution(
        tuple(links),
        tuple(one for one in doubtful if not groups.together(one.pair)),
        groups.persons(links),
    )


def _in_small_components(traits: Mapping[str, Traits], pairs: Iterable[Pair]) -> set[str]:
    """Records with at most ``COMPONENT`` records in reach."""
    reach = {key: [key] for key in traits}
    for one, other in pairs:
        mine, theirs = reach[one], reach[other]
        if mine is not theirs:
            if len(mine) < len(theirs):
                mine, theirs = theirs, mine
            mine += theirs
            for key in theirs:
                reach[key] = mine
    return {key for key, group in reach.items() if len(group) <= COMPONENT.value}


def newest_of(statements: Iterable[Statement]) -> dict[Pair, Statement]:
    """The newest statement on each pair; of two at one instant the clerk's."""
    newest: dict[Pair, Statement] = {}
    for one in statements:
        known = newest.get(one.pair)
        if known is None or _order(one) > _order(known):
            newest[one.pair] = one
    return newest


def _order(one: Statement) -> tuple[Instant, bool, Instant, str]:
    return one.at, one.by == "clerk", one.heard, one.said


def _links(traits: Mapping[str, Traits], one: Statement) -> bool:
    return one.said == "link" and all(key in traits for key in one.pair)


def _merged_since(traits: Mapping[str, Traits], one: Statement) -> bool:
    """Whether the source merged the pair after the statement."""
    for key, other in (one.pair, one.pair[::-1]):
        found = traits.get(key)
        if found is not None and found.merged == other and (found.merged_at, found.merged_heard) > (one.at, one.heard):
            return True
    return False


def _agree(traits: Mapping[str, Traits], pair: Pair) -> tuple[str, ...]:
    return agreeing(traits[pair[0]], traits[pair[1]])


def _pairs(buckets: Iterable[Collection[str]]) -> set[Pair]:
    return {
        pair_of(one, other)
        for bucket in buckets
        if len(bucket) <= SHARED.value
        for one, other in combinations(sorted(bucket), 2)
    }


def _judge(
    traits: Mapping[str, Traits], pair: Pair, edges: list[Link], doubtful: list[Doubtful], *, apart: bool
) -> None:
    one, other = traits[pair[0]], traits[pair[1]]
    link = certain(one, other) if one.held and other.held else None
    if link is None or link.rule == "merge":
        return
    differ = () if link.rule == "crosswalk" else against(one, other)
    if apart:
        doubtful.append(Doubtful(pair, "conflict", link.rule, link.fields, differ or (APART,)))
    elif not differ:
        edges.append(link)
    elif worth_a_look(one, other):
        doubtful.append(Doubtful(pair, "conflict", link.rule, link.fields, differ))


class Groups:
    """Groups of records that grow by edges."""

    def __init__(self, traits: Mapping[str, Traits], parted: Collection[Pair]) -> None:
        self._traits = traits
        self._apart: dict[str, set[str]] = {}
        for one, other in parted:
            self._apart.setdefault(one, set()).add(other)
            self._apart.setdefault(other, set()).add(one)
        self._group = {key: [key] for key in traits}

    def together(self, pair: Pair) -> bool:
        """Whether both are in one group."""
        return self._group.get(pair[0]) is self._group.get(pair[1])

    def join(self, edge: Link) -> tuple[str, ...]:
        """Make one group of two; what speaks against it where it is not done."""
        mine, theirs = self._group[edge.pair[0]], self._group[edge.pair[1]]
        if mine is theirs:
            return ()
        inside = set(theirs)
        if any(self._apart.get(key, set()) & inside for key in mine):
            return (APART,)
        if RULES[edge.rule][0] >= _FIRST_RULE:
            differ = self._against(edge.pair)
            if differ:
                return differ
        if len(mine) < len(theirs):
            mine, theirs = theirs, mine
        mine += theirs
        for key in theirs:
            self._group[key] = mine
        return ()

    def _against(self, pair: Pair) -> tuple[str, ...]:
        """Fields that speak against two groups; names change, and were looked at in the pair itself.

        A record that contradicts its own group is there because somebody said so: it is not asked.
        """
        traits, (left, right) = self._traits, pair
        mine = [one for one in self._group[left] if one == left or not against(traits[left], traits[one])]
        theirs = [one for one in self._group[right] if one == right or not against(traits[right], traits[one])]
        found: dict[str, None] = {}
        for one in mine:
            for other in theirs:
                found |= dict.fromkeys(against(traits[one], traits[other]))
        found.pop("name", None)
        return tuple(found)

    def persons(self, links: Iterable[Link]) -> tuple[PersonOf, ...]:
        """Whom each record of a group of several is of, and by its strongest link."""
        reasons: dict[str, str] = {}
        for link in links:
            for key in link.pair:
                reasons.setdefault(key, link.reason())
        found = []
        for group in {id(one): one for one in self._group.values() if len(one) > 1}.values():
            person = person_key(min(group, key=self._age))
            found += [PersonOf(key, person, reasons[key]) for key in sorted(group)]
        return tuple(sorted(found, key=lambda one: one.patient))

    def _age(self, key: str) -> tuple[int, int, str]:
        return self._traits[key].since, len(key), key
