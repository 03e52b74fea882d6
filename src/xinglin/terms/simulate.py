"""The policy simulator: a changed rule over decisions that were made, and what is wrong with rules as they stand.

A recorded decision keeps what was asked, as the policy saw it, and the verdict. Running another policy over the
records lists every decision that would differ; nothing is decided anew for anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Verdict
from xinglin.terms.constraints import all_of, compile_part
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.implied import excludes, follows
from xinglin.terms.policy import Permission, Policy, Prohibition
from xinglin.terms.purposes import NO_DISEASES, Diseases
from xinglin.terms.vocabulary import ACTIONS, includes
from xinglin.terms.wording import constraint_text
from xinglin.terms.writing import check_policy

RECORDS = Limit("decisions a simulation", 1_000_000, "decisions")
Change = Literal["now-allowed", "now-denied", "other-reasons", "other-conditions"]
Finding = Literal["dead", "superfluous", "contradiction", "conflict", "unused"]


class Recorded(msgspec.Struct, frozen=True):
    """A decision that was made: its name, when, what was asked of the policy, and the verdict."""

    id: str
    at: Instant
    asked: Asked
    verdict: Verdict


class Difference(msgspec.Struct, frozen=True):
    """A decision that would differ, and how."""

    id: str
    at: Instant
    change: Change
    before: Verdict
    after: Verdict


class Simulation(msgspec.Struct, frozen=True):
    """What a changed policy would have done: how many decisions were run, and those that differ."""

    policy: str
    decisions: int
    differing: tuple[Difference, ...]

    def count(self, change: Change) -> int:
        """How many decisions differ in this way."""
        return sum(one.change == change for one in self.differing)


class RuleFinding(msgspec.Struct, frozen=True):
    """Something about a rule: which (``permission 0``), what, in words, and the other rule that it is about."""

    rule: str
    finding: Finding
    words: str
    other: str = ""


def simulate(policy: Policy, recorded: Iterable[Recorded], diseases: Diseases | None = None) -> Simulation:
    """Run ``policy`` over recorded decisions; raises ``LimitExceeded`` beyond a million of them."""
    compiled = compile_policy(policy, diseases)
    differing, count = [], 0
    for one in recorded:
        count += 1
        RECORDS.check(count)
        after = compiled.judge(one.asked)
        change = changed(one.verdict, after)
        if change is not None:
            differing.append(Difference(one.id, one.at, change, one.verdict, after))
    return Simulation(policy.digest(), count, tuple(differing))


def changed(before: Verdict, after: Verdict) -> Change | None:
    """How two verdicts differ; the order of reasons and conditions is no difference."""
    if isinstance(before, Allowed) and isinstance(after, Allowed):
        return None if set(before.conditions) == set(after.conditions) else "other-conditions"
    if isinstance(before, Denied) and isinstance(after, Denied):
        return None if set(before.codes) == set(after.codes) else "other-reasons"
    return "now-allowed" if isinstance(after, Allowed) else "now-denied"


def findings(
    policy: Policy, recorded: Iterable[Recorded] = (), diseases: Diseases = NO_DISEASES
) -> tuple[RuleFinding, ...]:
    """Rules that can never matter, that another makes superfluous, that contradict, or that no record ever needed.

    Sound from the words alone: a rule is called dead or superfluous only where that is certain. A policy with an
    unknown word has one finding: that it decides nothing.
    """
    checked = check_policy(policy)
    if isinstance(checked, Denied):
        return tuple(RuleFinding("policy", "dead", reason.words) for reason in checked.reasons)
    found = [*_permissions(policy, diseases), *_prohibitions(policy, diseases)]
    records = list(recorded)
    return (*found, *_unused(policy, records, diseases)) if records else tuple(found)


def _permissions(policy: Policy, diseases: Diseases) -> list[RuleFinding]:
    found = []
    for position, one in enumerate(policy.permissions):
        name = f"permission {position}"
        if excludes(one.constraints, (), diseases):
            found.append(RuleFinding(name, "dead", f"Nothing can satisfy {_words(one)}."))
            continue
        cut = _cut(one, policy, diseases)
        if cut is not None:
            found.append(RuleFinding(name, "dead", f"{cut} forbids all that it permits.", cut))
            continue
        found += _superfluous(name, position, policy.permissions, diseases)
        found += _conflicts(name, one, policy, diseases)
    return found


def _cut(one: Permission, policy: Policy, diseases: Diseases) -> str | None:
    """The prohibition that always applies where the permission holds."""
    for position, cut in enumerate(policy.prohibitions):
        if includes(cut.action, one.action) and follows(one.constraints, cut.constraints, diseases):
            return f"prohibition {position}"
    return None


def _superfluous(
    name: str, position: int, rules: Sequence[Permission | Prohibition], diseases: Diseases
) -> list[RuleFinding]:
    """Where another rule of the kind holds whenever this does; of two that are equal, the later one."""
    one = rules[position]
    for other_position, other in enumerate(rules):
        if other_position == position or not _covers(other, one, diseases):
            continue
        if _covers(one, other, diseases) and other_position > position:
            continue
        kind = name.partition(" ")[0]
        return [RuleFinding(name, "superfluous", f"{kind} {other_position} covers it.", f"{kind} {other_position}")]
    return []


def _covers(other: Permission | Prohibition, one: Permission | Prohibition, diseases: Diseases) -> bool:
    if isinstance(one, Permission) and isinstance(other, Permission) and set(one.duties) != set(other.duties):
        return False
    return includes(other.action, one.action) and follows(one.constraints, other.constraints, diseases)


def _conflicts(name: str, one: Permission, policy: Policy, diseases: Diseases) -> list[RuleFinding]:
    """Prohibitions that forbid a part of what the permission allows: there the prohibition wins."""
    found = []
    for position, other in enumerate(policy.prohibitions):
        related = includes(other.action, one.action) or includes(one.action, other.action)
        if related and not excludes(one.constraints, other.constraints, diseases):
            words = f"Where both hold the prohibition wins: {_words(other)}."
            found.append(RuleFinding(name, "conflict", words, f"prohibition {position}"))
    return found


def _prohibitions(policy: Policy, diseases: Diseases) -> list[RuleFinding]:
    found = []
    for position, one in enumerate(policy.prohibitions):
        name = f"prohibition {position}"
        related = [p for p in policy.permissions if includes(p.action, one.action) or includes(one.action, p.action)]
        if excludes(one.constraints, (), diseases):
            words = f"Nothing can satisfy {_words(one)}: it refuses only what is not known."
            found.append(RuleFinding(name, "contradiction", words))
        elif not related:
            found.append(RuleFinding(name, "superfluous", f"Nothing permits '{one.action}' anyway."))
        else:
            found += _superfluous(name, position, policy.prohibitions, diseases)
    return found


def _unused(policy: Policy, records: list[Recorded], diseases: Diseases) -> list[RuleFinding]:
    """Rules that no recorded decision met."""
    found = []
    kinds: dict[str, Sequence[Permission | Prohibition]] = {
        "permission": policy.permissions,
        "prohibition": policy.prohibitions,
    }
    for kind, rules in kinds.items():
        for position, rule in enumerate(rules):
            test = all_of(compile_part(part, diseases).test for part in rule.constraints)
            met = any(includes(rule.action, one.asked.action) and test(one.asked.values) for one in records)
            if not met:
                words = f"None of {len(records)} recorded decisions met it."
                found.append(RuleFinding(f"{kind} {position}", "unused", words))
    return found


def _words(rule: Permission | Prohibition) -> str:
    where = " and ".join(map(constraint_text, rule.constraints))
    return f"'{ACTIONS[rule.action].words}'" + (f" where {where}" if where else "")
