"""What one participant submitted, read and held against the tree once for as long as a book is open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xinglin.sdk.logbook import Found

PARTIES = 8
"""Of so many participants entries are kept: a console has few hospitals whose patients look."""
ENTRIES = 50_000
"""Of one participant so many entries are kept, of a kilobyte each; beyond them each question reads all."""
_STEP = 2_048


class PartyEntries:
    """``indices``: where entries of some kinds that name a participant are, above an index. ``read``: verified ones."""

    def __init__(
        self, indices: Callable[[Sequence[str], str, int], list[int]], read: Callable[[Sequence[int]], list[Found]]
    ) -> None:
        self._indices, self._read = indices, read
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, tuple[str, ...]], tuple[int, list[Found]]] = OrderedDict()

    def of(self, party: str, kinds: tuple[str, ...]) -> tuple[Found, ...]:
        """Entries of ``kinds`` that ``party`` submitted, oldest first. Raises as reading one does."""
        with self._lock:
            last, known = self._held.get((party, kinds), (-1, []))
            found = list(known)
            fresh = self._indices(kinds, party, last)
            for start in range(0, len(fresh), _STEP):
                found += [one for one in self._read(fresh[start : start + _STEP]) if one.entry.submitter == party]
            if len(found) <= ENTRIES:
                self._held[party, kinds] = (max(fresh, default=last), found)
                self._held.move_to_end((party, kinds))
            while len(self._held) > PARTIES:
                self._held.popitem(last=False)
            return tuple(found)

    def forget(self) -> None:
        """Read everything anew."""
        with self._lock:
            self._held.clear()
