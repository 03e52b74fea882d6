"""What was held or mapped wrongly is read again, under the source as it is now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec

from xinglin.intake.digests import RowDigests, unqualified
from xinglin.intake.errors import UnknownSource
from xinglin.intake.model import BatchState, TakenBack, Tally
from xinglin.intake.ports import Facts, HeldFact, Ledger
from xinglin.intake.procedure import PAGE, Intake

TAKEN_BACK_ROWS = 20_000
"""Facts that one batch takes back at most."""


class Replayed(msgspec.Struct, frozen=True):
    """What reading again did: objects, batches, new rows by table, facts taken back, and the records of the objects."""

    objects: int
    batches: tuple[int, ...]
    rows: dict[str, int]
    taken_back: int
    tally: Tally


def replay(intake: Intake, ledger: Ledger, *, source: str = "", codes: Iterable[str] = ()) -> Replayed:
    """Read every object again that holds open quarantined or rejected records: of a source, of these codes, or all.

    What was accepted before is not doubled; what can be read now becomes rows; the quarantine's rows are resolved,
    and what still cannot be read is held anew.
    """
    intake.recover()
    done: list[BatchState] = []
    for code in tuple(codes) or ("",):
        for page in _pages(partial(_held, ledger, source, code)):
            done += intake.read_again(page)
    return _replayed(done, 0)


def remap(intake: Intake, ledger: Ledger, facts: Facts, source: str) -> Replayed:
    """Read every object of a source again: rows that changed become new versions, facts that no longer arise deleted.

    Stopped half-way it is started again: what was written is known then. Raises ``UnknownSource``. A mapping that
    gives a fact an earlier version than before does not outrank that version.
    """
    if ledger.source(source) is None:
        raise UnknownSource("No source of this name is registered.")
    intake.recover()
    ledger.start_remap()
    done: list[BatchState] = []
    for page in _pages(lambda after: tuple(one.sequence for one in ledger.objects_of(source, after, PAGE))):
        done += intake.read_again(page, ledger.arise)
    gone = 0
    for table, held in facts.of_source(source):
        taken = _not_arisen(ledger, source, table, held)
        for start in range(0, len(taken), TAKEN_BACK_ROWS):
            some = taken[start : start + TAKEN_BACK_ROWS]
            ledger.unknow(_digests(ledger, source, table, some))
            rows = tuple(TakenBack(one.id, one.patient, max(one.versions)) for one in some)
            done.append(intake.take_back(source, {table: rows}))
            gone += len(some)
    ledger.start_remap()
    return _replayed(done, gone)


def _held(ledger: Ledger, source: str, code: str, after: int) -> tuple[int, ...]:
    return ledger.held_objects(after, PAGE, source=source, code=code)


def _not_arisen(ledger: Ledger, source: str, table: str, held: list[HeldFact]) -> list[HeldFact]:
    """Facts of the lake that the remapping did not see."""
    digests = _of(ledger, source, table)
    namespace = _namespace(ledger, source)
    names = {digests.name(unqualified(namespace, one.id)): one for one in held}
    seen = ledger.arisen(list(names))
    return [one for name, one in names.items() if name not in seen]


def _digests(ledger: Ledger, source: str, table: str, held: list[HeldFact]) -> Iterator[bytes]:
    """All that the ledger may know these facts by: with the version that they were given here, and without."""
    digests = _of(ledger, source, table)
    namespace = _namespace(ledger, source)
    for one in held:
        for version in (None, *one.versions):
            yield digests.fact((unqualified(namespace, one.id), "", version))


def _of(ledger: Ledger, source: str, table: str) -> RowDigests:
    return RowDigests(ledger.key(), source, table, ("id", "place", "version_at"))


def _namespace(ledger: Ledger, source: str) -> str:
    found = ledger.source(source)
    return found.source.namespace if found else ""


def _pages(next_page: Callable[[int], tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    after = 0
    while page := next_page(after):
        yield page
        after = page[-1]


def _replayed(done: list[BatchState], gone: int) -> Replayed:
    rows: dict[str, int] = {}
    tally, objects = Tally(), 0
    for batch in done:
        for table, count in batch.plan.rows.items():
            rows[table] = rows.get(table, 0) + count
        tally = tally.plus(batch.plan.tally)
        objects += sum(part.last for part in batch.plan.parts)
    return Replayed(objects, tuple(batch.plan.number for batch in done), rows, gone, tally)
