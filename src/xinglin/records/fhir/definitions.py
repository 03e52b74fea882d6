"""The official definitions as they are shipped: what resource types a release has."""

from __future__ import annotations

RELEASES = ("R4", "R4B", "R5")


def knows_type(kind: str, release: str) -> bool:
    """Whether a release has a resource type of that name."""
    return kind.isalpha()


def left_types(release: str) -> frozenset[str]:
    """Resource types of other releases that this one does not have."""
    return frozenset()
