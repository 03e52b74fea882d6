"""Resources in the making: lists whose places are known before their order is, and resources inside resources."""

from __future__ import annotations

from typing import Any


class Slots(dict[Any, Any]):
    """A list in the making: value by place. A row with the same place adds to the same value."""


class Link:
    """A reference in the making: the resource that it leads to."""

    __slots__ = ("kind", "node")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.node: dict[str, Any] = {}


def merge(into: dict[str, Any], new: dict[str, Any]) -> None:
    """Add what ``new`` says; where both say something, ``new`` holds."""
    for name, value in new.items():
        old = into.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            merge(old, value)
        else:
            into[name] = value


def finished(value: Any, links: Any) -> Any:
    """Plain JSON without empty parts; None where nothing is left. ``links(link)`` gives a Link's reference."""
    kind = type(value)
    if kind is str:
        return value or None
    if kind is dict:
        out = {}
        for name, one in value.items():
            done = (one or None) if type(one) is str else finished(one, links)
            if done is not None:
                out[name] = done
        return out if out and (len(out) > 1 or not _says_nothing(out)) else None
    if kind is Slots or kind is list:
        parts = value.values() if kind is Slots else value
        return [done for one in parts if (done := finished(one, links)) is not None] or None
    return links(value) if kind is Link else value


def _says_nothing(out: dict[str, Any]) -> bool:
    """An extension without a value, a coding that is only a system."""
    return "url" in out or "system" in out
