"""How many rows a query can make of one person's, bounded from its text alone.

Rows of one person multiply where relations are joined, and add up where they are united. What a person's rows can
become decides how long a query takes and whether it fails, so where a failure must say nothing of anybody, this is
held against limits before a row is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason

REPEATED = Limit("branches of UNION, multiplied over the relations that are joined", 16, "branches")
SAME = Limit("times that a relation is joined with itself", 2, "times")
JOINED = Limit("relations that are joined, one with a row a person not counted", 4, "relations")
_MOST = 10**9


class FanOut(msgspec.Struct, frozen=True):
    """Of a query: each row of ``reads`` joined comes at most ``repeated`` times; what its heaviest part comes to.

    ``reads``: relations whose rows multiply each other, one that is joined twice listed twice. ``most_*``: the
    heaviest, whatever a group made of it afterwards.
    """

    repeated: int = 1
    reads: tuple[str, ...] = ()
    most_repeated: int = 1
    most_same: int = 1
    most_joined: int = 1

    def reasons(self) -> tuple[Reason, ...]:
        """Every limit that it is above."""
        asked = ((REPEATED, self.most_repeated), (SAME, self.most_same), (JOINED, self.most_joined))
        return tuple(
            Reason("sql.fan_out", f"The query has more {limit.name} than {limit.value}.", "Join or unite less.")
            for limit, given in asked
            if given > limit.value
        )


def of_view(name: str) -> FanOut:
    """A view's own."""
    return FanOut(reads=(name,))


def joined(parts: Iterable[FanOut]) -> FanOut:
    """Of relations that are joined."""
    parts = tuple(parts)
    repeated = 1
    for part in parts:
        repeated = min(repeated * part.repeated, _MOST)
    return _heaviest(repeated, tuple(sorted(name for part in parts for name in part.reads)), parts)


def united(left: FanOut, right: FanOut) -> FanOut:
    """Of two branches of UNION."""
    reads = Counter(left.reads) | Counter(right.reads)
    return _heaviest(min(left.repeated + right.repeated, _MOST), tuple(sorted(reads.elements())), (left, right))


def one_row(of: FanOut) -> FanOut:
    """Of a group that is one row a person."""
    return msgspec.structs.replace(of, repeated=1, reads=())


def _heaviest(repeated: int, reads: tuple[str, ...], parts: tuple[FanOut, ...]) -> FanOut:
    return FanOut(
        repeated,
        reads,
        max(repeated, *(one.most_repeated for one in parts)),
        max(1, *Counter(reads).values(), *(one.most_same for one in parts)),
        max(len(reads), *(one.most_joined for one in parts)),
    )
