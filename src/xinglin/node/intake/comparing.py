"""One count of a source against the lake, with the reasons from the ledger and the raw objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from xinglin.intake.model import HeldRow, ObjectRow
from xinglin.intake.reconcile import (
    SEARCHED_OBJECTS,
    HereCount,
    Objects,
    Reconciled,
    SourceCount,
    mentioned,
    named_in,
    plain_key,
    reconcile,
    table_of,
)
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.lake.delta import Lake
from xinglin.lake.quality_days import CHINA, KeyedDay, keyed_day
from xinglin.node.intake.searching import TASK
from xinglin.stores.intake_child import FRAME_BYTES
from xinglin.stores.looking import LookDied, Looker, open_looker

SEARCHED_S = Limit("time in which raw objects are searched for the keys of one count", 300, "seconds")
_PAGE = 1_000

Since = Callable[[str, str], Sequence[str]]
"""Digests of the objects that a source sent on a day or after it."""


class ObjectPages(Protocol):
    """Of the ledger, what a source sent."""

    def objects_of(self, source: str, after: int, limit: int) -> tuple[ObjectRow, ...]:
        """Objects of a source with a sequence after ``after``, in order."""
        ...


def compare(
    theirs: SourceCount,
    lake: Lake,
    held: Iterable[HeldRow],
    raw: Objects | None,
    since: Since,
    *,
    zone_minutes: int = CHINA,
    of: str = "",
) -> Reconciled:
    """Both counts, what is missing here and why; ``held``: open quarantined and rejected records of any source.

    ``of``: only facts whose key begins so (``MedicationRequest/``), components apart; empty: all of the table.
    """
    table, moment = table_of(theirs.kind)
    found = keyed_day(lake, theirs.source, table, moment, theirs.day, theirs.keys, zone_minutes)
    here = _here(theirs, found, of)
    own = {plain_key(key) for key in here.keys}
    lost = [key for key in theirs.keys if plain_key(key) not in own]
    if not lost or raw is None:
        return reconcile(theirs, here)
    with open_looker() as looker:
        looked = LookedObjects(raw, looker)
        where = mentioned(looked, [row for row in held if row.source == theirs.source], lost)
        rest = [key for key in lost if key not in where]
        digests = since(theirs.source, theirs.day)[: SEARCHED_OBJECTS.value] if rest else ()
        return reconcile(theirs, here, where, named_in(looked, digests, rest))


def objects_since(ledger: ObjectPages, source: str, day: str) -> list[str]:
    """Digests of a source's objects of ``day`` or later, oldest first; as many as are searched."""
    found: list[str] = []
    after = 0
    while len(found) < SEARCHED_OBJECTS.value and (page := ledger.objects_of(source, after, _PAGE)):
        found += [one.digest for one in page if one.day >= day and one.state != "erased"]
        after = page[-1].sequence
    return found


class LookedObjects:
    """Raw objects in which keys are looked for by the limited child (port ``intake.reconcile.Searched``).

    Nothing of an object is parsed here. After ``SEARCHED_S`` the objects that are left are passed over, as those
    beyond ``SEARCHED_OBJECTS`` are.
    """

    def __init__(self, raw: Objects, looker: Looker, search_s: float = SEARCHED_S.value) -> None:
        self._raw, self._looker = raw, looker
        self._end = time.monotonic() + search_s

    def standing(self, digest: str, words: list[bytes]) -> list[bytes]:
        """Which of ``words`` stand in an object; raises ``IntakeError``."""
        if time.monotonic() >= self._end:
            return []
        answer = self._looker.look(TASK, encode_msgpack(words), self._raw.read(digest), name=digest)
        try:
            return decode_msgpack(answer, list[bytes], FRAME_BYTES)
        except MalformedMessage as error:
            raise LookDied("What looked at a raw object gave no answer.") from error


def _here(theirs: SourceCount, found: KeyedDay, of: str) -> HereCount:
    keys, count = found.keys, found.count
    if of:
        keys = {key: fact for key, fact in keys.items() if "#" not in fact and f"/{of}" in f"/{fact}"}
        count = len(set(keys.values()))
    return HereCount(theirs.source, theirs.day, theirs.kind, count, keys, found.other_days, found.taken_back)
