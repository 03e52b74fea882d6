"""The review of a hospital's local codes: what has no standard code, what may be meant, what somebody decided.

Works on the node's folder: its terminology, the current views of its lake, and the outbox of its intake. A decision
leaves an entry of digests and counts for the log, where the node takes data in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.records.terminology.local import Decision, LocalCode, told_change
from xinglin.records.terminology.translating import concept_columns
from xinglin.records.terminology.unmapped import Ask, Unmapped, propose, undecided, unmapped

if TYPE_CHECKING:
    from xinglin.records.terminology.suggestions import NameIndex
    from xinglin.stores.terms_store import TermsStore

MEASURED = ("observation.code", "report.code")
"""The shipped names are of measurements: proposals for other columns would be chance."""


class Share(msgspec.Struct, frozen=True):
    """Of the rows whose ``column`` says anything (``coded``), how many have a standard code (``mapped``)."""

    column: str
    mapped: int
    coded: int


@contextmanager
def open_terms(folder: Path) -> Iterator[TermsStore]:
    """The terminology of a node's folder."""
    from xinglin.stores.terms_store import TermsStore

    store = TermsStore.in_folder(folder)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def asking(folder: Path) -> Iterator[tuple[Ask, tuple[str, ...]]]:
    """What asks the current views of the node's lake, and the names of its tables."""
    from xinglin.lake.reading import read_current
    from xinglin.node.intake.wiring import open_lake
    from xinglin.node.settings import node_settings

    lake = open_lake(folder, node_settings(folder).settings)
    names = lake.names()
    if not names:
        yield lambda sql: (), ()
        return
    with read_current(lake, lake.pin_newest(names)) as session:
        # By column: a row as a mapping would lose one of two columns of the same name.
        yield (
            lambda sql: list(zip(*(one.to_pylist() for one in session.batches(sql).read_all().columns), strict=True)),
            names,
        )


def unmapped_codes(folder: Path, limit: int, *, texts: bool = False) -> tuple[Unmapped, ...]:
    """Local codes without a standard one in the lake, the most frequent first; ``texts``: texts alone as well."""
    with asking(folder) as (ask, tables):
        return unmapped(ask, [name for name in tables if concept_columns(name)], limit=limit, texts=texts)


def mapped_shares(folder: Path) -> tuple[Share, ...]:
    """How much of each concept column in the lake has a standard code; columns that say nothing are left out."""
    found = []
    with asking(folder) as (ask, tables):
        for table in tables:
            counted = ", ".join(
                f"count({name}), count(*) FILTER (WHERE {name} IS NOT NULL OR {name}_source IS NOT NULL)"
                for name in concept_columns(table)
            )
            for row in ask(f"SELECT {counted} FROM {table}") if counted else ():  # noqa: S608 - canonical names
                pairs = zip(concept_columns(table), row[::2], row[1::2], strict=True)
                found += [Share(f"{table}.{name}", int(mapped), int(coded)) for name, mapped, coded in pairs if coded]
    return tuple(found)


def name_index(store: TermsStore, system: str = "") -> NameIndex:
    """Names to look candidates up in: of a loaded code system, else of the shipped measurements.

    Raises ``UnknownSystem`` for one that is not loaded.
    """
    from xinglin.records.terminology.errors import UnknownSystem
    from xinglin.records.terminology.suggestions import NameIndex, shipped_index
    from xinglin.records.terminology.systems import canonical_system

    if not system:
        return shipped_index()
    url = canonical_system(system)
    if store.system(url) is None:
        raise UnknownSystem(f"The code system {url} is not loaded.", remedy="Load it with xinglin terms load.")
    return NameIndex(url, store.concepts(url))


def propose_codes(folder: Path, by: str, at: Instant, *, limit: int = 500, system: str = "") -> bool:
    """Put the best candidate for each unmapped measurement into the review; whether an entry for the log waits."""
    with open_terms(folder) as store:
        waiting = [one for one in undecided(unmapped_codes(folder, limit), store.local()) if one.key.column in MEASURED]
        changed = store.decide(propose(waiting, name_index(store, system), by, at))
    return tell_codes(folder, changed, at)


def decide_codes(folder: Path, decisions: Sequence[Decision], at: Instant) -> tuple[tuple[LocalCode, ...], bool]:
    """Take decisions, all or none: the codes as they stand, and whether an entry for the log waits.

    Raises ``BadRequest`` or ``IllegalMove``.
    """
    with open_terms(folder) as store:
        changed = store.decide(decisions)
    return changed, tell_codes(folder, changed, at)


def tell_codes(folder: Path, changed: tuple[LocalCode, ...], at: Instant) -> bool:
    """Tell the log of changed codes; whether there is an intake that can."""
    return not changed or tell_change(folder, at, told_change(changed))


def tell_change(folder: Path, at: Instant, values: Mapping[str, Any]) -> bool:
    """Put digests and counts into the outbox of the node's intake; False where it takes no data in."""
    from xinglin.node.intake.wiring import open_ledger

    ledger = open_ledger(folder)
    if ledger is None:
        return False
    try:
        ledger.tell("change", str(values["what"]), at, values)
    finally:
        ledger.close()
    return True
