"""Which rules are under way at a place, and which one is in force there.

An *item* is a rule's pattern and how far it has come. Ranks order rules: those of an outer resource come before those
of one inside it, in either the earlier before the later; the lowest rank that reached a node or an ancestor decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.privacy.deidentify.anonymizer.configuration import RULES, Rule
from xinglin.privacy.deidentify.anonymizer.evaluate import Node, predicate
from xinglin.privacy.deidentify.anonymizer.paths import GENERAL, Move

Item = tuple[int, int, int]
"""Rank of the rule, number of its pattern, how many moves are made."""
Items = tuple[Item, ...]
Found = tuple[Items, int, bool]
"""Items at a node, the rank in force (``NO_RULE``: none), whether it reached this very node."""
_STEP = RULES.value
NO_RULE = 1 << 40


class Matcher:
    """The patterns of all rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules

    def rule(self, rank: int) -> Rule | None:
        """The rule of a rank."""
        return None if rank == NO_RULE else self._rules[rank % _STEP]

    def _moves(self, item: Item) -> tuple[Move, ...]:
        return self._rules[item[0] % _STEP].patterns[item[1]].moves

    def at_resource(self, kind: str, outer: Items, depth: int) -> Found:
        """At a resource: what leads to it from outside, and every rule for its type."""
        items, matched = self._closed(list(outer), kind, "")
        for number, rule in enumerate(self._rules):
            rank = depth * _STEP + number
            for index, pattern in enumerate(rule.patterns):
                if pattern.resource not in (kind, *GENERAL):
                    continue
                if pattern.inside:
                    items.append((rank, index, 0))
                    continue
                more, reached = self._closed([(rank, index, 0)], kind, "")
                items += more
                matched = min(matched, reached)
        return tuple(sorted(set(items))), matched, matched != NO_RULE

    def below(self, items: Items, rule: int, name: str, kind: str) -> Found:
        """At an element of a node: the items that go on, and the rule in force."""
        moved = self._moved(items, name)
        here, matched = self._closed(moved, kind, name)
        kept = tuple(sorted(set(here)))
        return (kept, matched, True) if matched < rule else (kept, rule, False)

    def across(self, items: Items, name: str, kind: str) -> Items:
        """From a node into a resource that it holds: only what names the way, and look-ups that end there."""
        moved: list[Item] = []
        for rank, index, at in self._moved(items, name):
            move = self._moves((rank, index, at))[at : at + 1]
            if not move or move[0].kind not in ("typed", "called"):
                moved.append((rank, index, at))
            elif self._rules[rank % _STEP].patterns[index].inside and _is_it(move[0], kind, name):
                moved.append((rank, index, at + 1))
        return tuple(moved)

    def _moved(self, items: Items, name: str) -> list[Item]:
        moved: list[Item] = []
        for rank, index, at in items:
            move = self._moves((rank, index, at))[at]
            if move.kind in ("typed", "called"):
                moved.append((rank, index, at))
            elif move.kind == "below":
                moved += [(rank, index, at), (rank, index, at + 1)]
            elif move.kind == "children" or (move.kind == "child" and move.name == name):
                moved.append((rank, index, at + 1))
        return moved

    def _closed(self, items: list[Item], kind: str, name: str) -> tuple[list[Item], int]:
        """What is under way at a node, and the lowest rank that has arrived."""
        here: list[Item] = []
        matched = NO_RULE
        while items:
            rank, index, at = items.pop()
            moves = self._moves((rank, index, at))
            if at == len(moves):
                matched = min(matched, rank)
                continue
            move = moves[at]
            if move.kind == "is":
                if move.name == kind:
                    items.append((rank, index, at + 1))
                continue
            if move.kind in ("typed", "called") and _is_it(move, kind, name):
                items.append((rank, index, at + 1))
            here.append((rank, index, at))
        return here, matched

    def guards(self, items: Items) -> Items:
        """The items that wait for a predicate."""
        return tuple(item for item in items if self._moves(item)[item[2]].kind == "where")

    def decide(self, items: Items, rule: int, guards: Items, node: Node) -> Found:
        """What is under way once the predicates are answered for a node."""
        left = [item for item in items if item not in guards]
        passed: list[Item] = []
        for rank, index, at in guards:
            criterion = self._moves((rank, index, at))[at].criterion
            if criterion is not None and criterion([node]) and predicate(criterion, node):
                passed.append((rank, index, at + 1))
        here, matched = self._closed(passed, node[1], "")
        while True:
            more = self.guards(tuple(here))
            if not more:
                break
            items_here, rank, _ = self.decide(tuple(here), matched, more, node)
            here, matched = list(items_here), min(rank, matched)
        return tuple(sorted({*left, *here})), min(rule, matched), matched < rule


def _is_it(move: Move, kind: str, name: str) -> bool:
    return move.name == (kind if move.kind == "typed" else name)
