"""A source's mapping, looked at and decided about by a person: beside a table that came in, in the limited child.

What may be looked at is what the node knows: sources of ``sources.toml``, and objects of theirs that the raw store
holds. A mapping is kept where ``connect`` keeps it, ``mappings/`` beside ``sources.toml``; the one that was there
goes to ``mappings/earlier/`` first.
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from pathlib import Path

import msgspec

from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant, to_text
from xinglin.kernel.limits import Limit
from xinglin.node.intake.connecting import TABULAR
from xinglin.node.intake.keeping import EARLIER, changing, replace_mapping
from xinglin.node.intake.looking import NOBODY_SAID, Looking
from xinglin.node.intake.looks import Omop
from xinglin.node.intake.sources import MAPPINGS, SourceFile, read_sources, write_locked
from xinglin.node.intake.wiring import node_reading
from xinglin.node.joining import open_node_keys
from xinglin.records.tabular.filled import Filled, filled, read_columns
from xinglin.records.tabular.mapping import parse_mapping
from xinglin.records.tabular.suggestion import Suggestion
from xinglin.records.tabular.trial import Trial

UNREADABLE = "unreadable"
"""Stands for the digest of a file that cannot be read: it is not the same as none."""
LOOKED_BYTES = Limit("table that is looked at for a review", 64 * 1024 * 1024, "bytes")
NEWEST = 500
"""Among so many of a source's newest objects tables are looked for."""
_WAYS = ("folder", "files", "sql")


class NoSuchSource(XinglinError):
    """The node's configuration names no such source of tables."""

    code = "node.no_such_source"
    status = 404


class NoSuchTable(XinglinError):
    """The source has no such object, or it is no table."""

    code = "node.no_such_table"
    status = 404


class MappingMoved(XinglinError):
    """The mapping is not what the person saw who decided about it."""

    code = "node.mapping_moved"
    status = 409


class Table(msgspec.Struct, frozen=True):
    """A table that came in. ``number``: of the object in the ledger; ``unread``: its records that made no row."""

    number: int
    digest: str
    media_type: str
    received_at: Instant
    size_bytes: int
    received: int
    unread: int


class Reviewed(msgspec.Struct, frozen=True):
    """A source with the mapping that is in use (``text``; empty: none) and those before it, newest first.

    ``digest``: of the file's bytes. ``trouble``: why the one in use cannot be read.
    """

    source: SourceFile
    text: str
    digest: str
    trouble: str
    earlier: tuple[str, ...]
    fills: tuple[Filled, ...]


def tabular_sources(folder: Path) -> tuple[SourceFile, ...]:
    """The sources that bring tables, or may: by their way in, their media type or their mapping."""
    return tuple(one for one in read_sources(folder) if one.mapping or _may_bring(one))


def reviewed(folder: Path, name: str) -> Reviewed:
    """One source of tables. Raises ``NoSuchSource``."""
    source = next((one for one in tabular_sources(folder) if one.name == name), None)
    if source is None:
        raise NoSuchSource("The node has no such source of tables.", remedy="Choose one of the list.")
    earlier = (one.name for one in (folder / MAPPINGS / EARLIER).glob(f"{Path(_file_of(source)).stem}.*.toml"))
    before = tuple(sorted(earlier, reverse=True))
    digest = _digest_in_use(folder, source)
    try:
        text = source.source(folder).mapping
        fills = filled(parse_mapping(text)) if text else ()
    except XinglinError as error:
        return Reviewed(source, "", digest, error.what, before, ())
    return Reviewed(source, text, digest, "", before, fills)


def _digest_in_use(folder: Path, source: SourceFile) -> str:
    """Of the bytes that lie there, whether or not they are a mapping; empty where no file is."""
    path = folder / MAPPINGS / _file_of(source)
    try:
        return sha256_digest(path.read_bytes())
    except FileNotFoundError:
        return ""
    except OSError:
        return UNREADABLE


def earlier_text(folder: Path, name: str, file: str) -> str:
    """The text of a mapping that was in use before; ``file`` is one of ``Reviewed.earlier``. Raises ``NoSuchTable``."""
    if file not in reviewed(folder, name).earlier:
        raise NoSuchTable("There is no such earlier mapping.", remedy="Choose one of the list.")
    return (folder / MAPPINGS / EARLIER / file).read_text(encoding="utf-8")


def tables_of(folder: Path, name: str) -> tuple[Table, ...]:
    """Tables that a source brought and the raw store holds, newest first."""
    with node_reading(folder) as reading:
        rows = reading.ledger.newest_of(name, NEWEST) if reading.ledger is not None else ()
    return tuple(
        Table(
            one.sequence, one.digest, one.media_type, one.received_at, one.size_bytes, one.tally.received,
            one.tally.quarantined + one.tally.rejected,
        )
        for one in rows
        if one.media_type in TABULAR and one.state != "erased"
    )  # fmt: skip


def body_of(folder: Path, table: Table) -> bytes:
    """The bytes of a table, opened with the node's keys. Raises ``LimitExceeded`` or ``NoSuchTable``."""
    LOOKED_BYTES.check(table.size_bytes)
    with node_reading(folder, open_node_keys(folder)) as reading:
        if reading.raw is None:
            raise NoSuchTable("The node keeps no objects.", remedy="Bring a table in first: xinglin connect FILE.")
        return reading.raw.read(table.digest)


def suggested(folder: Path, name: str, table: Table, said: Dict[str, str] = NOBODY_SAID) -> tuple[Omop, Suggestion]:
    """What ``xinglin map suggest`` says of the table; ``said``: what a person says that columns are about."""
    body = body_of(folder, table)
    with Looking() as looking:
        return looking.suggested_bytes(body, name, said=said)


def followed(folder: Path, source: SourceFile, table: Table, text: str, rows: int = 3) -> Trial:
    """What ``xinglin map check`` says of a mapping and the table; nothing is kept."""
    body = body_of(folder, table)
    with Looking() as looking:
        return looking.followed_bytes(body, source.name, text, source.zone, rows)


def unmapped(text: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Of a sheet's columns, those that a mapping does not read."""
    wanted = read_columns(parse_mapping(text))
    return tuple(one for one in columns if one not in wanted)


def keep_mapping(folder: Path, name: str, text: str, by: str, at: Instant, *, seen: str) -> Path:
    """Put a mapping in use; where it lies. ``seen``: digest of the one in use that the person saw (empty: none).

    The file's first line says who kept it and when. The one before is kept in ``mappings/earlier/``, under its
    instant, before anything is overwritten; nobody else changes it between the check and the writing. Raises
    ``BadMapping`` or ``MappingMoved``.
    """
    parse_mapping(text)
    said = "".join(one if one.isprintable() else "?" for one in by)
    whole = f"# Kept by {said}, {to_text(at)}.\n{_without_head(text)}"
    with changing(folder):
        held = reviewed(folder, name)
        if held.digest != seen:
            remedy = "Look at the mapping that is in use now, and decide anew."
            raise MappingMoved("Somebody changed the mapping meanwhile.", remedy=remedy)
        if held.digest == UNREADABLE:
            what = "The mapping in use cannot be read, and would be lost."
            raise MappingMoved(what, remedy="Whoever keeps the node's folder gives it its rights back.")
        file = _file_of(held.source)
        path = folder / MAPPINGS / file
        if held.source.mapping:
            replace_mapping(path, whole.encode(), at)
        else:
            write_locked(folder, msgspec.structs.replace(held.source, mapping=file), whole, at)
    return path


def _without_head(text: str) -> str:
    first, _, rest = text.partition("\n")
    return rest if first.startswith("# Kept by ") else text


def _file_of(source: SourceFile) -> str:
    return source.mapping or f"{source.name}.toml"


def _may_bring(source: SourceFile) -> bool:
    return source.way in _WAYS and source.media_type in ("", *TABULAR)
