"""What changed between two readings of persons' choices: whether a use still holds somebody who has left it."""

from __future__ import annotations

from xinglin.terms.consent import PersonFilter


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
