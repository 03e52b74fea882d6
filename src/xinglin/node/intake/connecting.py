"""Connecting a source, step by step: find out what it is, try a sample, propose a mapping, write it down, publish.

1. ``recognise`` says what was named. 2. ``plan`` proposes the source, with a mapping where tables need one.
3. ``try_out`` reads a sample and shows the rows that it would make. 4. ``write_source`` and ``load`` start the
feed. 5. ``describe`` makes the public description, which the desk publishes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.catalogue.model import DataSetDescription, TableDescription
from xinglin.intake.model import Source
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.lake.delta import Lake
from xinglin.node.intake.recognise import Found, of_files
from xinglin.node.intake.sources import MAPPINGS, SourceFile
from xinglin.records.sniffing import CSV, EXCEL, GZIP, JSON_LINES, OLD_EXCEL, PARQUET, UNKNOWN, ZIP, sniff

if TYPE_CHECKING:
    from xinglin.records.tabular.suggestion import Suggestion

TABULAR = frozenset({CSV, EXCEL, OLD_EXCEL, PARQUET, JSON_LINES, ZIP, GZIP})
SAMPLE_ROWS = 3
SAMPLE_RECORDS = 1_000
"""A sample ends with the part that brings it to so many."""
_SHOWN_VALUES = 8


class NothingToPublish(XinglinError):
    """No table has enough persons to be described."""

    code = "node.nothing_to_publish"


class Proposal(msgspec.Struct, frozen=True):
    """A source to be written down: its files, its mapping's text, and what the mapping was proposed from."""

    source: SourceFile
    files: tuple[Path, ...]
    mapping: str = ""
    suggestion: Suggestion | None = None


class Sample(msgspec.Struct, frozen=True):
    """What a sample gave. ``tables``: rows by table; ``rows``: the first of each, filled columns only, for the
    hospital's own eyes; ``unread``, ``ignored`` and ``flags``: counts by code or words.
    """

    received: int
    tables: dict[str, int]
    rows: dict[str, list[dict[str, Any]]]
    unread: dict[str, int]
    ignored: dict[str, int]
    flags: dict[str, int]


def plan(found: Found, *, watch: bool = False) -> tuple[Proposal, ...]:
    """The sources of files or a folder: one for everything that says what it is, one for each layout of table.

    Raises ``Unreadable`` where a table has no row to learn from.
    """
    tables = [path for path in found.files if media_type_of(path, found) in TABULAR]
    others = tuple(path for path in found.files if path not in set(tables))
    proposals = []
    if others or not tables:
        rest = msgspec.structs.replace(found, files=others)
        proposals.append(Proposal(of_files(rest, watch=watch and not tables), others))
    groups: dict[tuple[str, ...], tuple[Suggestion, list[Path]]] = {}
    for number, path in enumerate(tables, 1):
        suggestion = _suggested(path, f"{found.name}-{number}")
        layout = tuple(column.name for column in suggestion.columns)
        groups.setdefault(layout, (suggestion, []))[1].append(path)
    for number, (suggestion, paths) in enumerate(groups.values(), 1):
        name = found.name if len(groups) == 1 and not others else f"{found.name}-{number}"
        source = of_files(msgspec.structs.replace(found, name=name, files=tuple(paths)), watch=False)
        media_type = media_type_of(paths[0], found)
        source = msgspec.structs.replace(source, mapping=f"{name}.toml", media_type=media_type)
        proposals.append(Proposal(source, tuple(paths), suggestion.toml, suggestion))
    return tuple(proposals)


def media_type_of(path: Path, found: Found) -> str:
    """The media type of one file of what was found."""
    if found.media_type:
        return found.media_type
    with path.open("rb") as file:
        return sniff(file.read(65_536), path.name).media_type


def _suggested(path: Path, otherwise: str) -> Suggestion:
    """The proposal is named after the file, or ``otherwise`` where its name has no letter for a table's name."""
    from xinglin.records.tabular.suggest import suggest

    named = path.name if path.stem.isascii() else otherwise + path.suffix
    return suggest(path.read_bytes(), named)


def try_out(proposal: Proposal, at: Instant) -> Sample:
    """Read the first part of the first readable file, in this process, and commit nothing."""
    for path in proposal.files:
        media_type = proposal.source.media_type or media_type_of(path, Found("", "", "", ""))
        found = try_body(proposal, path.read_bytes(), media_type, at) if media_type != UNKNOWN else None
        if found is not None:
            return found
    return Sample(0, {}, {}, {}, {}, {})


def try_body(proposal: Proposal, body: bytes, media_type: str, at: Instant) -> Sample | None:
    """The same of one object's bytes; None where it has no reader or no record."""
    from xinglin.intake.standard import standard_steps

    steps = standard_steps()
    reader = steps.readers.get(media_type)
    mapped: list[Any] = []
    unread: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    received = parts = 0
    for read in reader.read(body, _as_source(proposal).context(at)) if reader is not None else ():
        mapped += [*steps.map_resources(read.resources), *read.mapped]
        unread.update(one.code for one in read.unread)
        ignored.update(dict(read.ignored))
        received, parts = received + read.received, parts + 1
        if received >= SAMPLE_RECORDS:
            break
    if not parts:
        return None
    return Sample(received, _counted(mapped), _shown(mapped), dict(unread), dict(ignored), _flags(mapped))


def _as_source(proposal: Proposal) -> Source:
    """Before its mapping is written anywhere."""
    file = msgspec.structs.replace(proposal.source, mapping="")
    return msgspec.structs.replace(file.source(Path(MAPPINGS)), mapping=proposal.mapping)


def _counted(mapped: Sequence[Any]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in mapped:
        counts[one.table] += len(one.rows)
    return dict(sorted((table, count) for table, count in counts.items() if count))


def _shown(mapped: Sequence[Any]) -> dict[str, list[dict[str, Any]]]:
    hidden = ("place", "flags", "version_at", "partial", "cleared")
    found: dict[str, list[dict[str, Any]]] = {}
    for one in mapped:
        rows = found.setdefault(one.table, [])
        for row in one.rows[: SAMPLE_ROWS - len(rows)]:
            filled = {
                name: value
                for name, value in zip(one.columns, row, strict=True)
                if value is not None and name not in hidden and not name.endswith(("_system", "_loss"))
            }
            rows.append(dict(list(filled.items())[:_SHOWN_VALUES]))
    return {table: rows for table, rows in found.items() if rows}


def _flags(mapped: Sequence[Any]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in mapped:
        if "flags" in one.columns:
            at = one.columns.index("flags")
            counts.update(flag.partition(":")[0] for row in one.rows for flag in (row[at] or "").split())
    return dict(counts.most_common())


def describe(
    lake: Lake, name: str, title: str, did: str, *, suggestions: Sequence[Suggestion] = (), min_persons: int = 10
) -> DataSetDescription:
    """The public description of what lies in the lake: products by their mapping, canonical tables by their rows.

    Counted inside the hospital; what fewer than ``min_persons`` persons share is not in it. Raises
    ``NothingToPublish``.
    """
    tables = [*_products(lake, suggestions), *_canonical(lake, min_persons)]
    if not tables:
        raise NothingToPublish(
            f"No table has {min_persons} persons or more.", remedy="Load more, or publish a description by hand."
        )
    return DataSetDescription(name, did, title, tuple(tables))


def _products(lake: Lake, suggestions: Sequence[Suggestion]) -> list[TableDescription]:
    from xinglin.records.tabular.describe import product_description

    held = set(lake.names())
    products = [one.mapping.product for one in suggestions if one.mapping.product is not None]
    return [product_description(product) for product in products if product.name in held]


def _canonical(lake: Lake, min_persons: int) -> list[TableDescription]:
    from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
    from xinglin.catalogue.describe import describe_canonical, publishable
    from xinglin.lake.profiling import counted, profile_relation
    from xinglin.lake.reading import read_current

    held = set(lake.names())
    wanted = [table for table in CANONICAL_TABLES if table.of_person and table.name in held]
    if not wanted:
        return []
    found = []
    names = [table.name for table in wanted]
    snapshot = lake.pin_current(names, max(lake.versions(name)[-1][1] for name in names))
    with read_current(lake, snapshot) as session:
        for table in wanted:
            columns = publishable(table)
            held_columns = ", ".join(f'"{column.name}"' for column in columns)
            select = f'SELECT "patient", {held_columns} FROM "{table.name}"'  # noqa: S608 (canonical names)
            with counted(session.batches(select), table.name) as ask:
                profile = profile_relation(ask, table.name, table.name, columns, "patient")
            described = describe_canonical(table, profile, min_persons=min_persons)
            if described is not None:
                found.append(described)
    return found
