"""The index of DICOM instances: which object holds which, what queries answer, which series were not counted yet.

One SQLite file, WAL, ``synchronous=NORMAL``, made from the raw store and made again when it is lost. It names
patients, as the lake's tables do; ``remove`` leaves no byte behind. Schema 1 (append-only): ``instance`` (one row an
object), ``changed`` (series of a source without a summary of what they are now), ``meta`` (schema, position).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.records.dicom import Brief
from xinglin.records.dicom.indexing import FoundGroup, IndexedInstance, InstanceQuery, SeriesCount
from xinglin.stores.raw_database import RawDatabase

SCHEMA_VERSION = 1
BUSY_S = 10.0
_BRIEF = Brief.__struct_fields__
_TYPES = {"size_bytes": "INTEGER", "frames": "INTEGER"} | dict.fromkeys(
    ("tube_current_ma", "exposure_mas", "dose_ctdi_mgy"), "REAL"
)
_COLUMNS = ", ".join(f"{name} {_TYPES.get(name, 'TEXT')}" for name in _BRIEF)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS instance (digest TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, source TEXT NOT NULL,
    retention TEXT NOT NULL, attributes BLOB NOT NULL, {columns});
CREATE INDEX IF NOT EXISTS instance_uid ON instance (instance, sequence);
CREATE INDEX IF NOT EXISTS instance_series ON instance (series, source);
CREATE INDEX IF NOT EXISTS instance_study ON instance (study);
CREATE INDEX IF NOT EXISTS instance_patient ON instance (patient_id);
CREATE INDEX IF NOT EXISTS instance_date ON instance (study_date);
CREATE TABLE IF NOT EXISTS changed (source TEXT, series TEXT, at INTEGER NOT NULL, PRIMARY KEY (source, series))
    WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('position', 0);
""".replace("{columns}", _COLUMNS)
_GROUPED = {"studies": "study", "series": "series", "instances": "instance"}
_NEWEST = "NOT EXISTS (SELECT 1 FROM instance AS n WHERE n.instance = i.instance AND n.sequence > i.sequence{same})"


class DicomIndex:
    """An ``InstanceIndex`` on SQLite; made by ``open_dicom_index``."""

    def __init__(self, path: Path) -> None:
        self._database = RawDatabase(path, _SCHEMA, SCHEMA_VERSION, "NORMAL", BUSY_S)

    def position(self) -> int:
        """See the port."""
        return int(self._database.read("SELECT value FROM meta WHERE name = 'position'")[0][0])

    def add(self, instances: Sequence[IndexedInstance], position: int, now: Instant) -> None:
        """See the port."""
        columns = ("digest", "sequence", "source", "retention", "attributes", *_BRIEF)
        rows = [
            (one.digest, one.sequence, one.source, one.retention, one.attributes, *msgspec.structs.astuple(one.brief))
            for one in instances
        ]
        marks = ", ".join("?" * len(columns))

        def work(connection: sqlite3.Connection) -> None:
            for row, one in zip(rows, instances, strict=True):
                statement = f"INSERT OR IGNORE INTO instance ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
                if connection.execute(statement, row).rowcount:
                    values = (one.source, one.brief.series, now)
                    connection.execute("INSERT OR REPLACE INTO changed VALUES (?, ?, ?)", values)
            connection.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'position'", (position,))

        self._database.write(work)

    def remove(self, digests: Sequence[str]) -> None:
        """See the port."""
        if not digests:
            return

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM instance WHERE digest = ?", [(one,) for one in digests])

        self._database.write(work)
        self._database.forget()

    def digests(self, after: str, limit: int) -> list[str]:
        """See the port."""
        query = "SELECT digest FROM instance WHERE digest > ? ORDER BY digest LIMIT ?"
        return [row[0] for row in self._database.read(query, (after, limit))]

    def search(self, query: InstanceQuery) -> list[FoundGroup]:
        """See the port."""
        conditions, values = [_NEWEST.format(same="")], list[Any]()
        for column, value in query.match:
            condition, given = _condition(column, value)
            conditions.append(condition)
            values += given
        group = _GROUPED[query.level]
        statement = (
            "SELECT study, series, instance, attributes, group_concat(DISTINCT modality), "  # noqa: S608 (own names)
            "count(DISTINCT series), count(DISTINCT instance), max(kept), digest, min(sequence) FROM instance AS i "
            f"WHERE {' AND '.join(conditions)} GROUP BY {group} ORDER BY min(sequence) LIMIT ? OFFSET ?"
        )
        rows = self._database.read(statement, (*values, query.limit, query.offset))
        return [
            FoundGroup(row[0], row[1], row[2], row[3], tuple(filter(None, (row[4] or "").split(","))), *row[5:9])
            for row in rows
        ]

    def changed(self, before: Instant, limit: int) -> list[SeriesCount]:
        """See the port."""
        query = "SELECT source, series, at FROM changed WHERE at <= ? ORDER BY at LIMIT ?"
        return [SeriesCount(*row) for row in self._database.read(query, (before, limit))]

    def of_series(self, source: str, series: str) -> list[tuple[Brief, str]]:
        """See the port."""
        newest = _NEWEST.format(same=" AND n.source = i.source")
        statement = (
            f"SELECT retention, {', '.join(_BRIEF)} FROM instance AS i "  # noqa: S608 (own names)
            f"WHERE series = ? AND source = ? AND {newest} ORDER BY instance"
        )
        return [(Brief(*row[1:]), row[0]) for row in self._database.read(statement, (series, source))]

    def summarised(self, count: SeriesCount) -> None:
        """See the port."""
        values = (count.source, count.series, count.changed_at)
        statement = "DELETE FROM changed WHERE source = ? AND series = ? AND at <= ?"
        self._database.write(lambda connection: connection.execute(statement, values))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def open_dicom_index(path: Path) -> DicomIndex:
    """Open or make the index; several may have it open. Raises ``RawUnavailable`` or ``RawDamaged``."""
    return DicomIndex(path)


def _condition(column: str, value: str) -> tuple[str, list[str]]:
    if column not in _BRIEF:
        raise ValueError("not a column of the index")
    if column == "study_date" and "-" in value:
        first, _, last = value.partition("-")
        return f"i.{column} BETWEEN ? AND ?", [first or "0", last or "99999999"]
    if "\\" in value or (column in ("study", "series", "instance") and "," in value):
        several = value.replace(",", "\\").split("\\")
        return f"i.{column} IN ({', '.join('?' * len(several))})", several
    if column == "name":
        pattern = value.upper() if "*" in value or "?" in value else f"*{value.upper()}*"
        return f"i.{column} GLOB ?", [pattern.replace("[", "[[]")]
    if "*" in value or "?" in value:
        return f"i.{column} GLOB ?", [value.replace("[", "[[]")]
    return f"i.{column} = ?", [value]
