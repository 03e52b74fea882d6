"""Rules compiled: what becomes of an element is found out once for each place, and remembered.

Places with the same type, the same rules under way and the same rule in force are one *plan*; a plan learns what it
does with an element when it first meets it. So the cost of a resource does not grow with the number of rules.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from xinglin.privacy.deidentify.anonymizer.configuration import Configuration, read_configuration
from xinglin.privacy.deidentify.anonymizer.evaluate import CannotEvaluate
from xinglin.privacy.deidentify.anonymizer.labels import labelled, nothing_left
from xinglin.privacy.deidentify.anonymizer.matching import NO_RULE, Items, Matcher
from xinglin.privacy.deidentify.anonymizer.methods import GONE, REDACTED, SAME, Failed, Gone, Leaf, Methods, Same, Work
from xinglin.privacy.deidentify.anonymizer.substituting import Substitution
from xinglin.privacy.deidentify.errors import BadRecord
from xinglin.privacy.deidentify.names import RELEASE, json_names
from xinglin.records.fhir.definitions import Element, is_defined, resource_types
from xinglin.records.fhir.primitives import is_primitive

Step = Callable[[Any, Work], Any] | Leaf


def from_fhir_anonymizer(
    text: str | bytes, *, today: date, entropy: Callable[[int], bytes], shift_prefix: str = ""
) -> Anonymizer:
    """What a FHIR anonymizer configuration does.

    ``today``: ages above 89 are counted to it. ``entropy``: random bytes, for keys that the configuration leaves
    empty, noise and encryption. ``shift_prefix``: the file or folder, where dates are shifted by that. Raises
    ``BadConfiguration`` and ``UnknownField``.
    """
    return Anonymizer(read_configuration(text), today, entropy, shift_prefix)


class Anonymizer:
    """A configuration, compiled. ``resource`` as of ``Compiled``."""

    def __init__(
        self, configuration: Configuration, today: date, entropy: Callable[[int], bytes], shift_prefix: str = ""
    ) -> None:
        self.configuration = configuration
        self.methods = Methods(configuration.parameters, today, entropy)
        self.matcher = Matcher(configuration.rules)
        self._prefix = shift_prefix
        self._plans: dict[tuple[str, str, Items, int, bool], Plan] = {}
        self._starts: dict[tuple[str, Items, int], Plan] = {}

    def resource(self, body: dict[str, Any]) -> dict[str, Any]:
        """One resource. Raises ``BadRecord`` for what is no R4 resource, and where a rule fails and errors are raised.

        With ``processingErrors`` "skip" a resource on which a rule fails is given empty, labelled REDACTED.
        """
        kind = body.get("resourceType") if type(body) is dict else None
        if type(kind) is not str or kind not in resource_types(RELEASE):
            raise BadRecord("It is no resource of FHIR R4.", place="fhir.resourceType")
        try:
            return self.whole(body, (), 0, Work(("", ""), NO_RULE), labels=True)
        except (CannotEvaluate, Failed) as error:
            if self.configuration.errors == "raise":
                raise BadRecord("A rule cannot be carried out.", place=error.place, why=error.what) from error
            return nothing_left(kind)
        except RecursionError as error:
            raise BadRecord("It is nested too deeply.", place="fhir") from error

    def whole(self, body: Any, outer: Items, depth: int, work: Work, *, labels: bool) -> dict[str, Any]:
        """A resource, also one inside another; ``outer``: rules of that one which lead here."""
        kind = body.get("resourceType") if type(body) is dict else None
        plan = self._start(str(kind), outer, depth)
        if depth == 0:
            work = plan.begin(body)
            if self._prefix:
                work.prefixes = (self._prefix, self._prefix)
        before, work.flags = work.flags, 0
        out = {"resourceType": kind, **(plan.apply(body, work) or {})}
        if labels and work.flags:
            labelled(out, work.flags)
        work.flags |= before
        return out

    def _start(self, kind: str, outer: Items, depth: int) -> Plan:
        found = self._starts.get((kind, outer, depth))
        if found is None:
            items, rule, own = self.matcher.at_resource(kind, outer, depth)
            found = self._starts[kind, outer, depth] = self.plan(kind, f"at {depth}", items, rule, own, depth)
        return found

    def plan(self, kind: str, name: str, items: Items, rule: int, own: bool, depth: int) -> Plan:
        """The plan of a place; ``name``: of the element that it is, for what depends on it."""
        key = (kind, name, items, rule, own)
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = Plan(self, kind, items, rule, own, depth)
        return found


class Plan:
    """What becomes of objects of one type under the rules under way."""

    __slots__ = (
        *("_anonymizer", "_depth", "_guards", "_id_rank", "_kind", "_named", "_special", "_steps", "_substitution"),
        *("items", "rule"),
    )

    def __init__(self, anonymizer: Anonymizer, kind: str, items: Items, rule: int, own: bool, depth: int) -> None:
        self._anonymizer, self._kind, self.items, self.rule, self._depth = anonymizer, kind, items, rule, depth
        self._steps: dict[str, Step] = {}
        self._named: dict[str, tuple[Element, str]] = {}
        self._id_rank: int | None = None
        self._guards = anonymizer.matcher.guards(items)
        chosen = anonymizer.matcher.rule(rule)
        replaces = own and chosen is not None and chosen.method == "substitute" and kind != "Element"
        self._substitution = Substitution(self, chosen.replacement) if replaces and chosen is not None else None
        self._special = bool(self._guards) or self._substitution is not None
        if own and chosen is not None and chosen.method == "generalize" and kind != "Element":
            raise Failed("Only primitive values are generalised.", place=chosen.place)

    def begin(self, body: dict[str, Any]) -> Work:
        """The work on a whole: its id before and after, since dates are shifted by what stands there by then."""
        own = body.get("id")
        before = own if type(own) is str else ""
        rank = self._id_rank
        if rank is None:
            rank = self._id_rank = self.place("id", before).rule
        after = self.step("id")
        made = before if after is SAME else "" if after is GONE else after(before, Work(("", ""), NO_RULE))  # type: ignore[operator]
        return Work((before, made or ""), rank)

    def apply(self, value: Any, work: Work) -> dict[str, Any] | None:
        """One object; ``None`` where nothing of it stays."""
        if self._special or type(value) is not dict:
            return self._specially(value, work)
        out: dict[str, Any] = {}
        find, aligned = self._steps.get, False
        for name, inner in value.items():
            step = find(name)
            if step is None:
                if name == "resourceType":
                    continue
                step = self.step(name)
            if step is GONE:
                if inner is not None and inner != "":
                    work.flags |= REDACTED
            elif step is SAME:
                if inner is not None:
                    out[name] = inner
            else:
                aligned = aligned or (name[0] == "_" and type(inner) is list)
                new = step(inner, work)  # type: ignore[operator]
                if new is not None:
                    out[name] = new
        if aligned:
            self._align(value, out, work)
        return out or None

    def _specially(self, value: Any, work: Work) -> dict[str, Any] | None:
        if type(value) is not dict:
            raise BadRecord("An object is missing.", place=f"fhir.{self._kind}")
        if self._guards:
            return self._guarded(value).apply(value, work)
        return self._substitution.apply(value, work) if self._substitution is not None else None

    def _align(self, value: dict[str, Any], out: dict[str, Any], work: Work) -> None:
        """Lists of primitives and of their siblings keep their places beside each other."""
        for sibling in [name for name, inner in value.items() if name[0] == "_" and type(inner) is list]:
            name, siblings = sibling[1:], value[sibling]
            values = value.get(name)
            values = values if type(values) is list else []
            longest = max(len(values), len(siblings))
            pairs = []
            for n in range(longest):
                one = self.child(name, values[n], work) if n < len(values) and values[n] is not None else None
                other = self.child(sibling, siblings[n], work) if n < len(siblings) and siblings[n] else None
                if one is not None or other is not None:
                    pairs.append((one, other))
            for key, column in ((name, [pair[0] for pair in pairs]), (sibling, [pair[1] for pair in pairs])):
                out.pop(key, None)
                if any(each is not None for each in column):
                    out[key] = column

    def child(self, name: str, value: Any, work: Work) -> Any:
        """One value of an element, whether it is a list or not."""
        found = self.step(name)
        if found is SAME:
            return value
        if found is GONE:
            work.flags |= REDACTED
            return None
        made = found([value] if self.element(name)[0].many else value, work)  # type: ignore[operator]
        return made[0] if type(made) is list and made else made

    def element(self, name: str) -> tuple[Element, str]:
        """An element and its type by its JSON name. Raises ``BadRecord`` for one that the type does not have."""
        found = self._named.get(name)
        if found is None:
            known = json_names(self._kind) if is_defined(self._kind) else {}
            told = known.get(name.removeprefix("_"))
            if told is None or (name[0] == "_" and not is_primitive(told[1].name)):
                raise BadRecord("It has an element that its type does not have.", place=f"fhir.{self._kind}")
            kind = "Element" if name[0] == "_" else told[1].name.removeprefix("@")
            found = self._named[name] = (told[0], kind)
        return found

    def place(self, name: str, value: Any) -> Plan:
        """The plan of what stands under an element, primitive or not."""
        element, kind = self.element(name)
        if kind == "Resource":
            kind = str(value.get("resourceType", "")) if type(value) is dict else ""
        told = json_names(self._kind)[name.removeprefix("_")][1].name.removeprefix("@")
        matched = told if name[0] == "_" else kind
        items, rule, own = self._anonymizer.matcher.below(self.items, self.rule, element.name, matched)
        return self._anonymizer.plan(kind, f"{self._kind}.{name}", items, rule, own, self._depth)

    def step(self, name: str) -> Step:
        """What is done with an element; learnt when it is first met."""
        made = self._steps.get(name)
        if made is None:
            made = self._steps[name] = self._learn(name)
        return made

    def _learn(self, name: str) -> Step:
        element, kind = self.element(name)
        if kind == "Resource":
            return self._resources(element)
        if is_primitive(kind):
            leaf = self._leaf(name, kind)
            return leaf if isinstance(leaf, Same | Gone) or not element.many else _many(leaf)
        plan = self.place(name, None)
        return _many(plan.apply) if element.many else plan.apply

    def _leaf(self, name: str, kind: str) -> Leaf:
        element, _ = self.element(name)
        _, rank, own = self._anonymizer.matcher.below(self.items, self.rule, element.name, kind)
        rule = self._anonymizer.matcher.rule(rank)
        if rule is None:
            return SAME
        return self._anonymizer.methods.leaf(rule, rank, kind, element.name, self._kind, own)

    def _resources(self, element: Element) -> Step:
        matcher, anonymizer = self._anonymizer.matcher, self._anonymizer
        known: dict[str, Items] = {}

        def one(value: Any, work: Work) -> dict[str, Any]:
            kind = value.get("resourceType") if type(value) is dict else None
            if type(kind) is not str or not is_defined(kind):
                raise BadRecord("A resource inside another has no known type.", place="fhir.resourceType")
            outer = known.get(kind)
            if outer is None:
                outer = known[kind] = matcher.across(self.items, element.name, kind)
            return anonymizer.whole(value, outer, self._depth + 1, work, labels=element.name != "contained")

        return _many(one) if element.many else one

    def _guarded(self, value: dict[str, Any]) -> Plan:
        items, rule, own = self._anonymizer.matcher.decide(self.items, self.rule, self._guards, (value, self._kind))
        return self._anonymizer.plan(self._kind, "guarded", items, rule, own, self._depth)


def _many(step: Callable[[Any, Work], Any]) -> Callable[[Any, Work], Any]:
    def each(values: Any, work: Work) -> list[Any] | None:
        if type(values) is not list:
            values = [values]
        made = [new for value in values if value is not None and (new := step(value, work)) is not None]
        return made or None

    return each
