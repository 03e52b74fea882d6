"""The evaluation of a policy: compiled once to closures, then asked many times.

A constraint holds, does not hold, or is open: its fact is unknown, unreadable, or only partly within (one of three
recipients, a wider purpose, half of a network). A permission needs every constraint to hold; a prohibition applies
unless one surely does not. So what is unknown is denied either way. One permission is enough, any prohibition wins,
and neither the order of rules nor that of constraints changes a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.constraints import Branch, Leaf, Node, Test, Value, Values, all_of, compile_part
from xinglin.terms.policy import Permission, Policy, Prohibition
from xinglin.terms.purposes import NO_DISEASES, Diseases
from xinglin.terms.vocabulary import ACTIONS, includes, nearest
from xinglin.terms.wording import duty_text, not_known, not_met, not_ruled_out, prohibited
from xinglin.terms.writing import check_policy


class Asked(msgspec.Struct, frozen=True):
    """What is asked: an action, and what is known by operand. Absent or ``None`` is unknown; a tuple is a set."""

    action: str
    values: dict[str, Value] = {}


class _Rule:
    """A permission or prohibition, compiled."""

    __slots__ = ("conditions", "nodes", "rule", "test")

    def __init__(self, rule: Permission | Prohibition, diseases: Diseases) -> None:
        self.rule = rule
        self.nodes = tuple(compile_part(part, diseases) for part in rule.constraints)
        self.test: Test = all_of(node.test for node in self.nodes)
        duties = rule.duties if isinstance(rule, Permission) else ()
        self.conditions = tuple(sorted({f"duty:{duty_text(duty)}" for duty in duties}))


class _Action(msgspec.Struct, frozen=True):
    """The rules that concern one action; ``maybe``: prohibitions of a part of it only."""

    permissions: tuple[_Rule, ...]
    prohibitions: tuple[_Rule, ...]
    maybe: tuple[_Rule, ...]


class CompiledPolicy:
    """A policy that answers. One with an unknown word answers every question with why it cannot be judged."""

    def __init__(self, policy: Policy, diseases: Diseases = NO_DISEASES) -> None:
        self.policy = policy
        checked = check_policy(policy)
        self._refused = checked if isinstance(checked, Denied) else None
        self._duties: tuple[str, ...] = ()
        self._actions: dict[str, _Action] = {}
        if self._refused is None:
            self._duties = tuple(sorted({f"duty:{duty_text(duty)}" for duty in policy.duties}))
            permissions = [_Rule(one, diseases) for one in policy.permissions]
            prohibitions = [_Rule(one, diseases) for one in policy.prohibitions]
            self._actions = {name: _concerning(name, permissions, prohibitions) for name in ACTIONS}

    def judge(self, asked: Asked) -> Verdict:
        """``Allowed`` with the duties as conditions (``duty:log``), or ``Denied`` with every reason, in one order."""
        rules = self._actions.get(asked.action)
        if rules is None:
            return self._unjudged(asked.action)
        values = asked.values
        granted = [one for one in rules.permissions if one.test(values)]
        blocked = False
        for one in rules.prohibitions:
            if one.test(values) is not False:
                blocked = True
                break
        if granted and not blocked and not rules.maybe:
            return self._allowed(granted)
        return self._denied_or_allowed(rules, granted, values, asked.action)

    def prospect(self, asked: Asked) -> Verdict:
        """Before a use: as ``judge``, but facts that are unknown yet are conditions (``open:place``), not reasons.

        For the catalogue and for offers: ``Denied`` means that no later fact can help.
        """
        rules = self._actions.get(asked.action)
        if rules is None:
            return self._unjudged(asked.action)
        values = asked.values
        reasons = [reason for one in rules.prohibitions if _surely(one, values) for reason in prohibited(one.rule)]
        possible = [one for one in rules.permissions if not _never(one.nodes, values)]
        if not possible:
            reasons += _no_permission(rules.permissions, values, self.policy, asked.action)
        if reasons:
            return Denied(_ordered(reasons))
        unsure = [one for one in (*rules.prohibitions, *rules.maybe) if one.test(values) is not False]
        open_ = {
            leaf.operand.name for one in (*possible, *unsure) for leaf in _leaves(one.nodes) if leaf.absent(values)
        }
        if any(one.test(values) for one in possible):
            open_ = {leaf.operand.name for one in unsure for leaf in _leaves(one.nodes) if leaf.absent(values)}
        owed = {text for one in possible for text in one.conditions} if len(possible) == 1 else set()
        return Allowed((*sorted({*self._duties, *owed}), *(f"open:{name}" for name in sorted(open_))))

    def _unjudged(self, action: str) -> Denied:
        reasons = list(self._refused.reasons) if self._refused is not None else []
        if action not in ACTIONS:
            like = nearest(action, ACTIONS)
            meant = f"Did you mean '{like}'? " if like else ""
            words = f"'{action[:80]}' is not a known action."
            reasons.append(Reason("terms.action_unknown", words, f"{meant}Known: {', '.join(ACTIONS)}."))
        return Denied(_ordered(reasons))

    def _allowed(self, granted: list[_Rule]) -> Allowed:
        if len(granted) == 1 and not self._duties:
            return Allowed(granted[0].conditions)
        return Allowed(tuple(sorted({*self._duties, *(text for one in granted for text in one.conditions)})))

    def _denied_or_allowed(self, rules: _Action, granted: list[_Rule], values: Values, action: str) -> Verdict:
        reasons: list[Reason] = []
        for one in rules.prohibitions:
            state = one.test(values)
            if state:
                reasons += prohibited(one.rule)
            elif state is None:
                reasons += not_ruled_out(one.rule, _open(one, values))
        for one in rules.maybe:
            if one.test(values) is not False:
                reasons += not_ruled_out(one.rule, [f"{action} includes it"])
        if not granted:
            reasons += _no_permission(rules.permissions, values, self.policy, action)
        return Denied(_ordered(reasons)) if reasons else self._allowed(granted)


@lru_cache(maxsize=512)
def _compiled(policy: Policy) -> CompiledPolicy:
    return CompiledPolicy(policy)


def compile_policy(policy: Policy, diseases: Diseases | None = None) -> CompiledPolicy:
    """The policy as something that answers; the same policy without a disease table is compiled once."""
    return _compiled(policy) if diseases is None else CompiledPolicy(policy, diseases)


def _concerning(name: str, permissions: list[_Rule], prohibitions: list[_Rule]) -> _Action:
    return _Action(
        permissions=tuple(one for one in permissions if includes(one.rule.action, name)),
        prohibitions=tuple(one for one in prohibitions if includes(one.rule.action, name)),
        maybe=tuple(one for one in prohibitions if one.rule.action != name and includes(name, one.rule.action)),
    )


def _ordered(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(set(reasons), key=lambda reason: (reason.code, reason.words, reason.remedy)))


def _leaves(nodes: Iterable[Node]) -> Iterator[Leaf]:
    for node in nodes:
        if isinstance(node, Branch):
            yield from _leaves(node.parts)
        else:
            yield node


def _open(rule: _Rule, values: Values) -> list[str]:
    """What would have to be known to rule a prohibition out, in words."""
    return sorted({leaf.operand.words for leaf in _leaves(rule.nodes) if leaf.test(values) is None})


def _no_permission(rules: tuple[_Rule, ...], values: Values, policy: Policy, action: str) -> list[Reason]:
    """Why no permission holds: every constraint that is in the way, of every permission of the action."""
    if not rules:
        known = ", ".join(sorted({one.action for one in policy.permissions})) or "nothing"
        words = f"No permission covers '{action}'."
        return [Reason("terms.action_not_permitted", words, f"Permitted: {known}. Have the action agreed.")]
    failing = [node for one in rules for node in one.nodes if not node.test(values)]
    return [reason for node in failing for reason in _in_the_way(node, values)]


def _in_the_way(node: Node, values: Values) -> Iterator[Reason]:
    """Reasons of a constraint that does not hold."""
    if isinstance(node, Leaf):
        yield not_known(node, values) if node.absent(values) else not_met(node, values)
        return
    failing = [part for part in node.parts if not part.test(values)]
    inner = [reason for part in failing for reason in _in_the_way(part, values)]
    if inner:
        yield from inner
    else:
        words = "More than one of the alternatives holds; exactly one may."
        yield Reason("terms.not_exactly_one", words, "Change the use so that one of them holds.")


def _never(nodes: tuple[Node, ...], values: Values) -> bool:
    """Whether no fact that is still unknown can make a permission hold."""
    return any(_state(node, values, partly=False) is False for node in nodes)


def _surely(rule: _Rule, values: Values) -> bool:
    """Whether a prohibition applies whatever is still unknown; what it concerns in part, it concerns."""
    return all(_state(node, values, partly=True) is True for node in rule.nodes)


def _state(node: Node, values: Values, *, partly: bool) -> bool | None:
    """As ``test``, with ``partly`` for a known fact that is only partly within."""
    if isinstance(node, Leaf):
        state = node.test(values)
        return partly if state is None and not node.absent(values) else state
    if node.logical.operator == "one":
        return node.test(values)
    states = [_state(part, values, partly=partly) for part in node.parts]
    if node.logical.operator == "any":
        return True if True in states else None if None in states else False
    return False if False in states else None if None in states else True
