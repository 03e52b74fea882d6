"""What is made of a file before it is taken in. The functions here run in a killable child: see ``looking``.

Each takes a packed question and an object's bytes (or reads the file that the question names), and gives a packed
answer. What they import at the top of the file is light: the parent shares the values.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from xinglin.intake.model import Source
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.records.errors import Unreadable
from xinglin.records.sniffing import DICOM, HEAD_BYTES, TABLES, sniff

if TYPE_CHECKING:
    from xinglin.records.tabular.suggestion import ColumnGuess, Suggestion

SAMPLE_ROWS = 3
SAMPLE_RECORDS = 1_000
"""A sample ends with the part that brings it to so many."""
_SHOWN_VALUES = 8
_MODALITY = 16
_PARQUET = b"PAR1"

TABLE, DATABASE, VOCABULARY, APART = "table", "database", "vocabulary", "apart"
Omop = Literal["", "table", "database", "vocabulary", "apart"]
"""What a file is of OMOP CDM: nothing; one table that makes rows; several tables; its vocabulary; another table."""


class Sniff(msgspec.Struct, frozen=True):
    """What is the file at ``path``? ``mark``: of the file that alone is opened there (``marks``); empty: any."""

    path: bytes
    mark: str = ""


class Propose(msgspec.Struct, frozen=True):
    """Which mapping fits the file at ``path``? ``omop``: whether OMOP's columns are looked for first.

    ``path`` is empty where the bytes come along. ``said``: what a person says that columns are about.
    """

    path: bytes
    name: str
    sheet: str = ""
    omop: bool = True
    said: dict[str, str] = {}
    mark: str = ""


class Try(msgspec.Struct, frozen=True):
    """What rows does the file make? ``path`` is empty where the bytes come along."""

    path: bytes
    source: Source
    media_type: str
    at: Instant
    mark: str = ""


class Count(msgspec.Struct, frozen=True):
    """Which images does the file at ``path`` hold, whether it is one or an archive of them?"""

    path: bytes
    mark: str = ""


class Follow(msgspec.Struct, frozen=True):
    """What does a mapping (TOML text) make of the file? ``path`` is empty where the bytes come along."""

    path: bytes
    mapping: str
    zone: str
    rows: int


class Images(msgspec.Struct, frozen=True):
    """DICOM instances that were found, by their headers: how many, and how many of each modality.

    ``packed``: how many of them lie in archives; ``unread``: those whose header cannot be read; ``tables``: files
    beside them in those archives that are tables.
    """

    instances: int = 0
    packed: int = 0
    modalities: dict[str, int] = {}
    unread: int = 0
    tables: int = 0


class Sample(msgspec.Struct, frozen=True):
    """What a sample gave. ``tables``: rows by table; ``rows``: the first of each, filled columns only, for the
    hospital's own eyes; ``unread``, ``ignored`` and ``flags``: counts by code or words. ``images``: those of
    ``counted`` files, which are all that may hold images unless there are more than are looked at.
    """

    received: int
    tables: dict[str, int]
    rows: dict[str, list[dict[str, Any]]]
    unread: dict[str, int]
    ignored: dict[str, int]
    flags: dict[str, int]
    images: Images = Images()
    counted: int = 0


def joined(first: Sample, second: Sample) -> Sample:
    """Two samples as one, images apart."""
    rows = {
        table: (first.rows.get(table, []) + second.rows.get(table, []))[:SAMPLE_ROWS]
        for table in first.rows | second.rows
    }
    return Sample(
        first.received + second.received,
        dict(sorted(_sum(first.tables, second.tables).items())),
        rows,
        _sum(first.unread, second.unread),
        _sum(first.ignored, second.ignored),
        _sum(first.flags, second.flags),
    )


def images_of(first: Images, second: Images) -> Images:
    """Images of two files."""
    return Images(
        first.instances + second.instances,
        first.packed + second.packed,
        _sum(first.modalities, second.modalities),
        first.unread + second.unread,
        first.tables + second.tables,
    )


def _sum(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return dict((Counter(first) + Counter(second)).most_common())


def packed_path(path: Path) -> bytes:
    """A path for a question: whole, and whatever bytes its names are of."""
    return os.fsencode(path.resolve())


def _body(path: bytes, mark: str = "", most: int = -1) -> bytes:
    from xinglin.node.intake.unread import check_unchanged, open_file

    place = Path(os.fsdecode(path))
    with open_file(place, mark) as file:
        body = file.read(most)
        check_unchanged(file, place, mark)
    return body


# --- what it is ----------------------------------------------------------------------------------


def sniffed(given: bytes, _nothing: bytes) -> bytes:
    """Answers ``Sniff`` with a ``Sniffed``."""
    asked = decode_msgpack(given, Sniff)
    name = Path(os.fsdecode(asked.path)).name
    return encode_msgpack(sniff(_body(asked.path, asked.mark, HEAD_BYTES), name))


# --- what its columns mean -----------------------------------------------------------------------


def proposed(given: bytes, body: bytes) -> bytes:
    """Answers ``Propose`` with what the file is of OMOP, and a ``Suggestion`` where there is one."""
    from xinglin.records.tabular.suggest import suggest

    asked = decode_msgpack(given, Propose)
    body = _body(asked.path, asked.mark) if asked.path else body
    if body.startswith(_PARQUET) and not body.endswith(_PARQUET):
        raise Unreadable("The Parquet file is cut off.", remedy="Send it again.")
    kind, suggestion = _of_omop(body, asked) if asked.omop else ("", None)
    if not kind:
        suggestion = suggest(body, asked.name, asked.sheet, asked.said)
    return encode_msgpack((kind, suggestion))


def _of_omop(body: bytes, asked: Propose) -> tuple[Omop, Suggestion | None]:
    """1. Each sheet is recognised by its columns. 2. One table has its shipped mapping, several need none."""
    from xinglin.records.omop import mapping_for, table_of
    from xinglin.records.omop.recognise import CONCEPT, IGNORED
    from xinglin.records.tabular.archive import matches
    from xinglin.records.tabular.model import SourceOptions
    from xinglin.records.tabular.rows import Chunk
    from xinglin.records.tabular.sheets import open_sheets

    found: list[tuple[str, str, Chunk]] = []
    for sheet, parts in open_sheets(body, SourceOptions(null=("",))):
        first = next((part for part in parts if isinstance(part, Chunk)), None)
        if first is None or (asked.sheet and not matches(sheet, (asked.sheet,))):
            continue
        found.append((sheet, table_of(first.names), first))
        if len(found) > 1 and any(table not in ("", CONCEPT, IGNORED) for _, table, _ in found):
            return "database", None
    tables = {table for _, table, _ in found}
    if len(found) == 1 and (text := mapping_for(found[0][2].names)) is not None:
        return "table", _as_suggestion(text, *found[0])
    if CONCEPT in tables:
        return "vocabulary", None
    return ("apart", None) if tables == {IGNORED} else ("", None)


def _as_suggestion(text: str, sheet: str, table: str, first: Any) -> Suggestion:
    """The shipped mapping of an OMOP table in the words of a proposal."""
    from xinglin.records.tabular.mapping import names_in, parse_mapping
    from xinglin.records.tabular.suggestion import ColumnGuess, Suggestion

    mapping = parse_mapping(text)
    fills: dict[str, list[str]] = {}
    for block in mapping.table:
        for name, field in block.columns.items():
            used = (field.column, *field.first, field.words, field.unit_column, *names_in(field.text))
            for column in used:
                fills.setdefault(column, []).append(f"{block.into}.{name}")
        for name in names_in(block.id):
            fills.setdefault(name, []).append(f"{block.into}.id")
        for name in names_in(block.patient):
            fills.setdefault(name, []).append(f"{block.into}.patient")
    reason = (f"a column of {table.upper()} in OMOP CDM 5.4",)
    columns: list[ColumnGuess] = [
        ColumnGuess(name, f"{table}.{name.strip().lower()}", 1.0, reason, into=tuple(dict.fromkeys(fills[name])))
        if name in fills
        else ColumnGuess(name, "", 0.0, ("it is not in the shipped mapping of this table",))
        for name in first.names
    ]
    notes = (
        f"{table.upper()} of OMOP CDM 5.4, recognised by its columns: nothing was guessed.",
        "Concepts stay numbers here; they become codes where the tables come in one archive with CONCEPT.",
    )
    return Suggestion(mapping, tuple(columns), text, sheet, first.size, notes)


# --- which images it holds -----------------------------------------------------------------------


def counted(given: bytes, _nothing: bytes) -> bytes:
    """Answers ``Count`` with ``Images``, by the beginning of each instance: pixel data is not unpacked."""
    from xinglin.records.dicom import BadDicom, open_header
    from xinglin.records.dicom.reader import DIRECTORY
    from xinglin.records.tabular.archive import heads, is_archive

    asked = decode_msgpack(given, Count)
    body = _body(asked.path, asked.mark)
    packed = is_archive(body)
    instances = unread = tables = 0
    modalities: Counter[str] = Counter()
    for name, data in heads(body) if packed else (("", body),):
        kind = sniff(data[:HEAD_BYTES], name).media_type
        tables += kind in TABLES
        if kind != DICOM:
            continue
        try:
            header = open_header(data)
        except BadDicom:
            unread += 1
            continue
        if header.meta.sop_class == DIRECTORY:
            continue
        instances += 1
        modality = header.text("Modality")[:_MODALITY]
        modalities[modality if modality.isalnum() else ""] += 1
    found = Images(instances, instances if packed else 0, dict(modalities.most_common()), unread, tables)
    return encode_msgpack(found)


# --- what rows it makes --------------------------------------------------------------------------


def tried(given: bytes, body: bytes) -> bytes:
    """Answers ``Try`` with a ``Sample``; None where the object has no reader or no record."""
    asked = decode_msgpack(given, Try)
    found = _sample(asked, _body(asked.path, asked.mark) if asked.path else body)
    return encode_msgpack(msgspec.to_builtins(found))


def followed(given: bytes, body: bytes) -> bytes:
    """Answers ``Follow`` with a ``Trial``."""
    from xinglin.records.tabular.trial import try_mapping

    asked = decode_msgpack(given, Follow)
    body = _body(asked.path) if asked.path else body
    found = try_mapping(asked.mapping, body, asked.zone, asked.rows)
    return encode_msgpack(msgspec.to_builtins(found))


def _sample(asked: Try, body: bytes) -> Sample | None:
    from xinglin.intake.standard import standard_steps

    steps = standard_steps()
    reader = steps.readers.get(asked.media_type)
    mapped: list[Any] = []
    unread: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    received = parts = 0
    for read in reader.read(body, asked.source.context(asked.at)) if reader is not None else ():
        mapped += [*steps.map_resources(read.resources), *read.mapped]
        unread.update(one.code for one in read.unread)
        ignored.update(dict(read.ignored))
        received, parts = received + read.received, parts + 1
        if received >= SAMPLE_RECORDS:
            break
    if not parts:
        return None
    return Sample(received, _counted(mapped), _shown(mapped), dict(unread), dict(ignored), _flags(mapped))


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
