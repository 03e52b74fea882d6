"""Who masks with whom: everybody with everybody, or a circulant Harary graph for large rosters.

Up to 21 hospitals the graph is complete. Above, each has 20 neighbours (the ten before and the ten after
it on a ring): Harary's H(20, n), which stays connected when any 19 members are taken away (Harary, PNAS
48(7), 1962). As long as dropped and colluding members together are fewer than the degree, the honest
survivors are connected, so their masks hide everything but their sum (Bell et al., CCS 2020, Lemma 2).
"""

from __future__ import annotations

COMPLETE_UP_TO = 21
DEGREE = 20


def degree(count: int) -> int:
    """Neighbours of each of ``count`` members."""
    return count - 1 if count <= COMPLETE_UP_TO else DEGREE


def neighbours(count: int, member: int) -> tuple[int, ...]:
    """The members that ``member`` (0 … count − 1) shares masks with, in order.

    >>> neighbours(4, 1)
    (0, 2, 3)
    >>> len(neighbours(50, 0)), neighbours(50, 0)[:3], neighbours(50, 0)[-1]
    (20, (1, 2, 3), 49)
    """
    if not 0 <= member < count:
        raise ValueError(f"member {member} is not among {count}")
    if count <= COMPLETE_UP_TO:
        return tuple(other for other in range(count) if other != member)
    half = DEGREE // 2
    ring = {(member + step) % count for step in range(-half, half + 1)}
    return tuple(sorted(ring - {member}))
