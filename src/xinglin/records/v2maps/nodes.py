"""Resources in the making: lists whose places are known before their order is, and resources inside resources."""

from __future__ import annotations

from typing import Any, Protocol


class Slots(dict[Any, Any]):
    """A list in the making: value by place. A row with the same place adds to the same value."""


class Link:
    """A reference in the making: the resource that it leads to."""

    __slots__ = ("kind", "node")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.node: dict[str, Any] = {}


class Shared(dict[str, Any]):
    """A node that several messages have in common (the same doctor, ward, code): nobody writes in it.

    ``done`` is its finished form, ``mentions`` the resources that it mentions, ``linked`` itself as a resource.
    """

    __slots__ = ("done", "linked", "mentions")

    def __init__(self, node: dict[str, Any]) -> None:
        super().__init__(node)
        self.done: Any = None
        self.mentions: list[Any] | None = None
        self.linked: Any = None


def thawed(value: Any) -> Any:
    """A copy that may be written in."""
    if isinstance(value, Link):
        copy = Link(value.kind)
        copy.node = thawed(value.node)
        return copy
    if isinstance(value, Slots):
        return Slots((place, thawed(one)) for place, one in value.items())
    if isinstance(value, dict):
        return {name: thawed(one) for name, one in value.items()}
    return [thawed(one) for one in value] if isinstance(value, list) else value


class Finisher(Protocol):
    """What finishes what a node does not hold itself."""

    def link(self, link: Link) -> Any:
        """A Link's reference."""
        ...

    def shared(self, node: Shared) -> Any:
        """The finished form of a shared node."""
        ...


def merge(into: dict[str, Any], new: dict[str, Any]) -> None:
    """Add what ``new`` says; where both say something, ``new`` holds."""
    for name, value in (thawed(new) if isinstance(new, Shared) else new).items():
        old = into.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            merge(old, value)
        else:
            into[name] = value


def finished(value: Any, links: Finisher) -> Any:
    """Plain JSON without empty parts; None where nothing is left."""
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
    if kind is Link:
        return links.link(value)
    return links.shared(value) if kind is Shared else value


def _says_nothing(out: dict[str, Any]) -> bool:
    """An extension without a value, a coding that is only a system."""
    return "url" in out or "system" in out
