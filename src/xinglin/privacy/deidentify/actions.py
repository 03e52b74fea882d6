"""Actions: read from a profile's words, and the strictest of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from xinglin.privacy.deidentify.dates import coarser
from xinglin.privacy.deidentify.errors import BadProfile, UnknownField
from xinglin.privacy.deidentify.model import DROP, KEEP, Action
from xinglin.privacy.deidentify.nearest import nearest

RESTRICTED = (
    *("036", "059", "063", "102", "203", "205", "369", "556", "692", "790", "821", "823", "830"),
    *("831", "878", "879", "884", "890", "893"),
)
"""Areas of a three-digit ZIP with 20,000 persons or fewer, after the censuses of 2000 and 2010 (both lists)."""

_OPTIONS: dict[str, tuple[str, ...]] = {
    "keep": (),
    "drop": (),
    "pseudonymise": (),
    "note": (),
    "substitute": ("value",),
    "shift": ("days", "date"),
    "generalise": ("date", "oldest", "zip", "restricted", "digits", "prefix", "low", "high", "bin"),
    "perturb": ("span", "proportional", "places", "low", "high"),
}
MOST_SHIFT_DAYS = 3660


def read_action(value: Any, place: str) -> Action:
    """An action as a profile writes it: a word, or a table with ``do`` and options. Raises ``BadProfile``.

    >>> read_action({"do": "generalise", "date": "year", "oldest": 89}, "birth").date
    'year'
    """
    if isinstance(value, str):
        value = {"do": value}
    if not isinstance(value, dict) or not isinstance(value.get("do"), str):
        raise BadProfile("An action is a word, or a table with 'do'.", place=place)
    do = value["do"]
    if do not in _OPTIONS:
        raise UnknownField(do, place, nearest(do, _OPTIONS))
    options = {name: given for name, given in value.items() if name != "do"}
    for name in options:
        if name not in _OPTIONS[do]:
            raise UnknownField(name, place, nearest(name, _OPTIONS[do]))
    return _checked(do, options, place)


def _checked(do: str, options: dict[str, Any], place: str) -> Action:
    if do in ("keep", "drop", "pseudonymise", "note"):
        return msgspec.convert({"do": do}, Action)
    if do == "substitute":
        if "value" not in options:
            raise BadProfile("'substitute' needs a value.", place=place)
        return Action("substitute", value=options["value"])
    if "days" in options:
        options["shift_days"] = options.pop("days")
    if do == "shift":
        options.setdefault("shift_days", 182)
    if options.get("zip") is True:
        options.setdefault("restricted", RESTRICTED)
    try:
        action = msgspec.convert({"do": "change", **options}, Action)
    except msgspec.ValidationError as error:
        raise BadProfile("An option has a value that it cannot have.", place=place, why=str(error)) from error
    problem = _problem(action)
    if problem:
        raise BadProfile(problem, place=place)
    return action


def _problem(action: Action) -> str:
    """What is wrong with a change, in words."""
    if not 0 <= action.shift_days <= MOST_SHIFT_DAYS:
        return f"Dates move by 1 to {MOST_SHIFT_DAYS} days."
    if min(action.digits, action.prefix, action.oldest, action.places) < 0 or action.bin < 0 or action.span < 0:
        return "Widths and lengths are not negative."
    if not (action.on_dates or action.on_numbers or action.on_texts or action.oldest):
        return "It changes nothing: say how."
    if action.low is not None and action.high is not None and action.low > action.high:
        return "'low' is not above 'high'."
    return ""


def meet(one: Action, other: Action) -> Action:
    """The strictest of two: nothing that either hides stays. What cannot be compared is dropped.

    Guarantee: commutative, idempotent; ``drop`` absorbs, ``keep`` is neutral.
    """
    if one == other or other == KEEP:
        return one
    if one == KEEP:
        return other
    if one.do == other.do == "change":
        return _both(one, other)
    if "substitute" in (one.do, other.do) and DROP not in (one, other) and one.do != other.do:
        return one if one.do == "substitute" else other
    return DROP


def _both(one: Action, other: Action) -> Action:
    wide, narrow = max(one.bin, other.bin), min(one.bin, other.bin)
    if (narrow and wide % narrow) or (one.span and other.span and one.proportional != other.proportional):
        return DROP
    noisy = one if one.span >= other.span else other
    return Action(
        "change",
        shift_days=max(one.shift_days, other.shift_days),
        date=coarser(one.date, other.date),
        oldest=_if_set(min, one.oldest, other.oldest),
        zip=one.zip or other.zip,
        restricted=tuple(sorted({*one.restricted, *other.restricted})),
        digits=_if_set(min, one.digits, other.digits),
        prefix=_if_set(min, one.prefix, other.prefix),
        low=_edge(max, one.low, other.low),
        high=_edge(min, one.high, other.high),
        bin=wide,
        span=noisy.span,
        proportional=noisy.proportional,
        places=min(one.places, other.places),
    )


def _if_set(choose: Callable[[int, int], int], one: int, other: int) -> int:
    return choose(one, other) if one and other else one or other


def _edge(choose: Callable[[float, float], float], one: float | None, other: float | None) -> float | None:
    return choose(one, other) if one is not None and other is not None else other if one is None else one


def meet_fields(one: Mapping[str, Action], other: Mapping[str, Action]) -> dict[str, Action]:
    """Field by field; one that only one of them names is dropped, and stays named."""
    return {name: meet(one.get(name, DROP), other.get(name, DROP)) for name in dict.fromkeys((*one, *other))}
