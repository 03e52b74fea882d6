"""Auto-pilot: rules by which a connector answers for its people, inside what they agreed to beforehand.

A rule file is TOML: ``[[rule]]`` with *on* (the state that was reached), *do*, and what it holds for. The first rule
that holds is done; where none does, a person decides. ``offer = "published"`` (the default) lets a rule agree,
accept, verify or finalize only what is, rule for rule, the offer that was published or asked for; ``"any"`` takes
whatever the other side wrote.

    [[rule]]
    on = "REQUESTED"
    do = "agree"
    data_sets = ["urn:xinglin:products:*"]

    [[rule]]
    on = "REQUESTED"
    do = "hold"
    data_sets = ["*"]
    reason = "The ethics committee is asked first."
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase

import msgspec

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.wire.dsp.states import CONSUMER, PROVIDER, TABLES, may_move

RULES = Limit("rules of an auto-pilot", 4_096, "rules")
ACTIONS = {
    "offer": "offer",
    "agree": "agree",
    "accept": "accept",
    "counter": "request",
    "verify": "verify",
    "finalize": "finalize",
    "terminate": "terminate",
    "start": "start",
    "suspend": "suspend",
    "complete": "complete",
    "hold": "",
}
"""What a rule may say under ``do``, and the event it stands for ("" is none: a person decides)."""
BINDING = frozenset(("agree", "accept", "verify", "finalize"))


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``time``: the how-manieth time the state is reached (0: every time); ``side``: ours, where it matters."""

    on: str
    do: str
    process: str = "negotiation"
    data_sets: tuple[str, ...] = ("*",)
    participants: tuple[str, ...] = ("*",)
    side: str = ""
    time: int = 0
    offer: str = "published"
    after_ms: int = 0
    reason: str = ""


class Situation(msgspec.Struct, frozen=True):
    """What a rule looks at; ``published``: the rules on the table are those that were published or asked for."""

    process: str
    side: str
    state: str
    time: int
    data_set: str
    participant: str
    published: bool


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules in their order."""

    rule: tuple[Rule, ...] = ()


def read_rules(text: str) -> tuple[Rule, ...]:
    """The rules of a TOML text; ``MalformedMessage`` names the first that cannot be meant."""
    try:
        rules = msgspec.convert(tomllib.loads(text), type=RuleFile).rule
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MalformedMessage(f"Not a file of auto-pilot rules: {error}.") from error
    RULES.check(len(rules))
    for number, rule in enumerate(rules, start=1):
        problem = _problem(rule)
        if problem:
            raise MalformedMessage(f"Rule {number}: {problem}")
    return rules


def choose(rules: tuple[Rule, ...], found: Situation) -> Rule | None:
    """The first rule that holds; None where a person decides."""
    return next((rule for rule in rules if _holds(rule, found)), None)


def _holds(rule: Rule, found: Situation) -> bool:
    return (
        rule.process == found.process
        and rule.on == found.state
        and rule.side in ("", found.side)
        and rule.time in (0, found.time)
        and any(fnmatchcase(found.data_set, pattern) for pattern in rule.data_sets)
        and any(fnmatchcase(found.participant, pattern) for pattern in rule.participants)
        and _possible(rule, found.side)
        and (found.published or rule.offer == "any" or rule.do not in BINDING)
    )


def _possible(rule: Rule, side: str) -> bool:
    event = ACTIONS[rule.do]
    return not event or may_move(rule.process, rule.on, event, side)


def _problem(rule: Rule) -> str:
    if rule.process not in TABLES:
        return f"'process' is {' or '.join(TABLES)}."
    if rule.on not in TABLES[rule.process].states:
        return f"{rule.on!r} is no state of a {rule.process}."
    if rule.do not in ACTIONS:
        return f"{rule.do!r} cannot be done; possible: {', '.join(ACTIONS)}."
    if rule.side not in ("", CONSUMER, PROVIDER):
        return "'side' is consumer or provider."
    if rule.offer not in ("published", "any"):
        return "'offer' is published or any."
    if rule.time < 0 or rule.after_ms < 0:
        return "'time' and 'after_ms' are not negative."
    sides = (rule.side,) if rule.side else (CONSUMER, PROVIDER)
    if not any(_possible(rule, side) for side in sides):
        return f"in state {rule.on} nobody it is for can do '{rule.do}'."
    return ""
