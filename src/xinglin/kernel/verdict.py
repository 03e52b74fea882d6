"""Verdicts: rules answer ``Allowed`` or ``Denied``; "no" is a value, not an exception."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One reason for a "no": a stable code, words for a person, and what would have to change."""

    code: str
    words: str
    remedy: str = ""


class Allowed(msgspec.Struct, frozen=True, tag="allowed"):
    """Yes, under these conditions (each a term the caller must then carry out)."""

    conditions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return True


class Denied(msgspec.Struct, frozen=True, tag="denied"):
    """No, for every one of these reasons (never only the first)."""

    reasons: tuple[Reason, ...]

    def __post_init__(self) -> None:
        if not self.reasons:
            raise ValueError("a Denied names at least one reason")

    def __bool__(self) -> bool:
        return False

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons, in order."""
        return tuple(reason.code for reason in self.reasons)


Verdict = Allowed | Denied


def deny(code: str, words: str, remedy: str = "") -> Denied:
    """A ``Denied`` of one reason."""
    return Denied((Reason(code, words, remedy),))


def every(verdicts: list[Verdict]) -> Verdict:
    """All of them: allowed with the union of conditions, or denied with every reason.

    An empty list is denied: a rule set that checks nothing fails closed.
    """
    if not verdicts:
        return deny("kernel.no_rules", "No rule was evaluated.", "Name at least one rule.")
    reasons = tuple(r for v in verdicts if isinstance(v, Denied) for r in v.reasons)
    if reasons:
        return Denied(reasons)
    seen: dict[str, None] = {}
    for verdict in verdicts:
        if isinstance(verdict, Allowed):
            seen.update(dict.fromkeys(verdict.conditions))
    return Allowed(tuple(seen))
