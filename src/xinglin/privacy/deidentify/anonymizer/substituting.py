"""An object put in another's place; what earlier rules made of parts of it stays."""

from __future__ import annotations

from typing import Any, Protocol

from xinglin.privacy.deidentify.anonymizer.methods import SUBSTITUTED, Work


class Place(Protocol):
    """What is known of a place: the rank of the rule in force, and the places and values below."""

    rule: int

    def place(self, name: str, value: Any) -> Place:
        """The place of an element."""

    def child(self, name: str, value: Any, work: Work) -> Any:
        """What becomes of one value of an element."""


class Substitution:
    """The replacement of a rule at the plan that it reached."""

    __slots__ = ("_plan", "_replacement")

    def __init__(self, plan: Place, replacement: Any) -> None:
        self._plan = plan
        self._replacement = replacement if type(replacement) is dict else {}

    def apply(self, value: dict[str, Any], work: Work) -> dict[str, Any] | None:
        """What stands there instead."""
        work.flags |= SUBSTITUTED
        return self._replaced(self._plan, value, self._replacement, work) or None

    def _replaced(self, plan: Place, value: dict[str, Any], target: dict[str, Any], work: Work) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, inner in value.items():
            if name == "resourceType":
                continue
            wanted = target.get(name)
            targets = wanted if type(wanted) is list else [] if wanted is None else [wanted]
            many = type(inner) is list or type(wanted) is list
            made = self._elements(plan, name, inner if type(inner) is list else [inner], targets, work)
            if made:
                out[name] = made if many else made[0]
        return {**out, **{name: wanted for name, wanted in target.items() if name not in value}}

    def _elements(self, plan: Place, name: str, values: list[Any], targets: list[Any], work: Work) -> list[Any]:
        made: list[Any] = []
        at = 0
        for value in values:
            below = plan.place(name, value)
            if below.rule < self._plan.rule:
                # An earlier rule decided about it.
                kept = plan.child(name, value, work)
                made += [] if kept is None else [kept]
                at += 1
            elif at < len(targets):
                made.append(self._one(below, value, targets[at], work))
                at += 1
            elif type(value) is dict and self._holds_earlier(below, value):
                made.append(self._one(below, value, {}, work))
        return made + targets[at:]

    def _one(self, below: Place, value: Any, target: Any, work: Work) -> Any:
        if type(value) is dict and type(target) is dict:
            return self._replaced(below, value, target, work)
        return target

    def _holds_earlier(self, plan: Place, value: dict[str, Any]) -> bool:
        """Whether an earlier rule decided about any part of it."""
        for name, inner in value.items():
            for each in inner if type(inner) is list else [inner]:
                below = plan.place(name, each)
                if below.rule < self._plan.rule or (type(each) is dict and self._holds_earlier(below, each)):
                    return True
        return False
