"""Choices in the course of time: what changed between two readings of them, and what cannot be from the future."""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.terms.consent import Choice, PersonFilter

AHEAD_MS = 24 * 3600 * 1000
"""How much later than its receipt a choice may say that it is: clocks go ahead, zones are taken for one another."""


def as_received(choice: Choice, received: Instant) -> Choice:
    """A choice that says it is later than it came is as new as its receipt.

    A permission from the future would outlive every withdrawal until then, and every later version of its document.
    What was not understood denies as it is, until somebody looks at it.

    >>> as_received(Choice("p", None, 9 * AHEAD_MS, "paper", version_at=8 * AHEAD_MS), 5).at
    5
    """
    if choice.flags:
        return choice
    said = {"at": received, "at_latest": received} if choice.at > received + AHEAD_MS else {}
    version = {"version_at": not_ahead(choice.version_at, received)}
    return msgspec.structs.replace(choice, **said, **version)


def not_ahead(at: Instant, received: Instant) -> Instant:
    """The instant, or that of the receipt where it is later than a wrong clock or zone explains."""
    return received if at > received + AHEAD_MS else at


def leaves(before: PersonFilter, after: PersonFilter) -> bool:
    """Whether ``after`` keeps out somebody whom ``before`` lets in; who came in since is no matter.

    >>> leaves(PersonFilter(), PersonFilter(without=("p1",))), leaves(PersonFilter(only=("p2",)), PersonFilter(("p1",)))
    (True, False)
    """
    gone = set(after.without) - set(before.without)
    if before.only is None:
        return bool(gone) or after.only is not None
    kept = set(before.only) - set(before.without)
    return bool(kept & gone) or (after.only is not None and not kept <= set(after.only))
