"""What an engineer does to an open intake: check, repair, maintain, replay, erase. Nobody carries objects meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from xinglin.intake.digests import person_digest
from xinglin.intake.replaying import remap, replay
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import system_clock
from xinglin.lake.fsck import LOST, REPAIRABLE, Finding, check_lake, repair_lake
from xinglin.node.intake.wiring import OpenIntake, open_erasure, open_facts

PAGE = 1_000
BATCHES = 100
ERASED = "lake.erased"
"""Under this name the marks hold the rows that each erasure removed, by batch and table: a check allows for them."""

_Rows = dict[int, dict[str, int]]


def accounts(opened: OpenIntake, by: str, first: str, last: str, source: str) -> list[dict[str, Any]]:
    """Objects and records by ``source``, ``day`` (``first`` to ``last``) or ``batch``."""
    if by == "source":
        found = opened.accounts.by_source()
    elif by == "day":
        found = opened.accounts.by_day(first, last, source)
    elif by == "batch":
        found = opened.accounts.by_batch(int(first) if first.isdigit() else 0)
    else:
        raise MalformedMessage("Accounts are by source, day or batch.")
    return [
        {by: one.key, "objects": one.objects, **msgspec.to_builtins(one.tally)}
        for one in found
        if not source or by != "source" or one.key == source
    ]


def replay_held(opened: OpenIntake, source: str, codes: Iterable[str]) -> dict[str, Any]:
    """Read what is in quarantine again."""
    done = replay(opened.intake, opened.ledger, source=source, codes=codes)
    return {**msgspec.to_builtins(done), "held": opened.accounts.held_codes()}


def remap_source(opened: OpenIntake, source: str) -> dict[str, Any]:
    """Read everything of a source again, under its mapping as it is now."""
    done: dict[str, Any] = msgspec.to_builtins(remap(opened.intake, opened.ledger, open_facts(opened), source))
    return done


# --- checks --------------------------------------------------------------------------------------


def check(opened: OpenIntake, repair: bool, deep: bool) -> dict[str, Any]:
    """Raw store, tables and ledger, each in itself and against the others; with ``repair`` what can be is mended.

    1. a batch that was cut off is finished. 2. the raw store. 3. the tables, against the batches of the ledger.
    4. the ledger against the raw store. 5. rows that were lost are written again from their messages.
    """
    finished = opened.intake.recover() if repair else None
    raw = opened.raw.fsck(repair, deep)
    ledger, erased = _batches(opened), _erased(opened)
    findings = check_lake(opened.lake, ledger, erased=erased)
    mended: set[Finding] = set()
    if repair:
        mended |= set(repair_lake(opened.lake, findings, drop_lost=True))
        again = check_lake(opened.lake, ledger, erased=erased)
        mended |= set(_rewritten(opened, again))
        findings = sorted({*findings, *again})
    told = [*_raw_told(raw.findings), *_lake_told(findings, mended), *_between(opened)]
    return {
        "raw": {"segments": raw.segments, "records": raw.records, "objects": raw.objects, "keys": raw.keys},
        "tables": len(opened.lake.names()),
        "batches": len(ledger),
        "finished": finished.plan.number if finished is not None else 0,
        "findings": told,
        "clean": all(one["repaired"] for one in told),
    }


def _batches(opened: OpenIntake) -> _Rows:
    """Rows by table of every batch that was written."""
    found: _Rows = {}
    number = 1
    while (state := opened.ledger.batch(number)) is not None:
        if state.state != "planned":
            found[number] = dict(state.plan.rows)
        number += 1
    return found


def _rewritten(opened: OpenIntake, findings: Sequence[Finding]) -> Iterator[Finding]:
    lost = [one for one in findings if one.kind in ("lost_rows", "missing_batch")]
    for number in sorted({int(one.what) for one in lost}):
        tables = opened.intake.rows_of(number)
        wanted = {one.table for one in lost if int(one.what) == number}
        if tables is not None and wanted <= set(tables):
            opened.lake.rewrite_batch(number, {name: tables[name] for name in sorted(wanted)})
            yield from (one for one in lost if int(one.what) == number)


def _between(opened: OpenIntake) -> Iterator[dict[str, Any]]:
    """Raw objects that the ledger has passed and never read; objects of the ledger that the raw store lost."""
    position = opened.ledger.position()
    after, missing = 0, 0
    while page := opened.raw.after(after, PAGE):
        after = page[-1].sequence
        missing += sum(
            one.sequence <= position.sequence and opened.ledger.object_at(one.sequence) is None for one in page
        )
    if missing:
        yield _told(
            "ledger", "ledger.no_account", str(missing), "raw objects that the ledger has passed and never read"
        )
    lost = 0
    for version in opened.ledger.sources():
        start = 0
        while rows := opened.ledger.objects_of(version.source.name, start, PAGE):
            start = rows[-1].sequence
            lost += sum(row.state != "erased" and opened.raw.find(row.digest) is None for row in rows)
    if lost:
        yield _told("ledger", "ledger.no_object", str(lost), "objects of the ledger that the raw store no longer has")


_RAW_REMEDY = "xinglin lake fsck --repair; what it cannot mend comes back from a copy of the folder 'raw'"
_REMEDIES = {
    "strange_entry": "look what it is, and remove it by hand",
    "unreadable_table": "restore the table's folder from a copy, then check again",
    "missing_commit": "restore the table's _delta_log from a copy",
    "unknown_batch": "the ledger is older than the tables: restore intake.db from a newer copy",
    "doubled_rows": "two ledgers wrote into one lake: ask before anything is removed",
    "ledger.no_account": "xinglin intake replay reads what is held; ask about the rest",
    "ledger.no_object": "restore the folder 'raw' from a copy",
}


def _raw_told(findings: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for one in findings:
        yield {**_told("raw", one.code, one.place, one.words, _RAW_REMEDY), "repaired": one.repaired}


def _lake_told(findings: Iterable[Finding], mended: set[Finding]) -> Iterator[dict[str, Any]]:
    for one in findings:
        words = f"expected {one.expected} rows, found {one.found}" if one.expected or one.found else ""
        mendable = one.kind in REPAIRABLE | LOST or one.kind in ("lost_rows", "missing_batch")
        remedy = "xinglin lake fsck --repair" if mendable else _REMEDIES.get(one.kind, "")
        told = _told(one.table, f"lake.{one.kind}", one.what, words, remedy)
        yield {**told, "repaired": one in mended}


def _told(where: str, code: str, what: str, words: str, remedy: str = "") -> dict[str, Any]:
    return {
        "where": where, "code": code, "what": what, "words": words, "remedy": remedy or _REMEDIES.get(code, ""),
        "repaired": False,
    }  # fmt: skip


# --- erasure -------------------------------------------------------------------------------------


def erase_persons(opened: OpenIntake, persons: Sequence[str]) -> dict[str, Any]:
    """Erase persons from raw store, tables and ledger; what was done, in counts. Stopped anywhere: do it again."""
    from xinglin.lake.erasure import find_person

    if not persons or not all(persons):
        raise MalformedMessage("Nobody is named.")
    opened.intake.recover()
    key = opened.ledger.key()
    mark = sha256_digest(b"".join(sorted(person_digest(key, one) for one in persons)))
    going = find_person(opened.lake, persons)
    _remember(opened, mark, going.batches)
    done = open_erasure(opened).erase(persons)
    left = find_person(opened.lake, persons)
    return {
        **msgspec.to_builtins(done),
        "cells": going.cells,
        "products_made_again": list(going.remade),
        "left": sum(left.rows.values()),
        "log_entry": "posted by the node",
    }


def _remember(opened: OpenIntake, mark: str, batches: Mapping[int, Mapping[str, int]]) -> None:
    """Rows that go, once a set of persons: done again after a crash, what went before still counts."""
    kept = opened.marks.get(ERASED, "all")
    held = decode_msgpack(kept, dict[str, _Rows]) if kept else {}
    before = held.get(mark, {})
    held[mark] = {
        number: dict(Counter(before.get(number, {})) | Counter(dict(batches.get(number, {}))))
        for number in sorted({*before, *batches})
    }
    opened.marks.put(ERASED, "all", encode_msgpack(held), system_clock())


def _erased(opened: OpenIntake) -> _Rows:
    kept = opened.marks.get(ERASED, "all")
    total: _Rows = {}
    for batches in (decode_msgpack(kept, dict[str, _Rows]) if kept else {}).values():
        for number, rows in batches.items():
            total[number] = dict(Counter(total.get(number, {})) + Counter(rows))
    return total
