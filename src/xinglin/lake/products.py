"""Products: tables that a SELECT makes of current views, written as versions that say what they were made of.

A version's lineage (source tables with version and digest, the SELECT and its digest) lies in its commit and, for
when old commits have gone, in the table's description. A product is replaced as a whole; earlier versions stay
readable until ``vacuum``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.lake import batches, files
from xinglin.lake.current import PERSON_LINK
from xinglin.lake.delta import Lake
from xinglin.lake.errors import NotAProduct
from xinglin.lake.locks import writing
from xinglin.lake.model import PinnedTable, QueryLimits
from xinglin.lake.reading import read_current

_FORMAT = "xinglin.product.1"


class Lineage(msgspec.Struct, frozen=True):
    """What a product's version was made of. Version 1; append-only."""

    select: str
    select_digest: str
    sources: tuple[PinnedTable, ...]
    at: Instant
    format: str = _FORMAT


def materialise(
    lake: Lake,
    name: str,
    select: str,
    sources: Iterable[str],
    *,
    at: Instant | None = None,
    limits: QueryLimits | None = None,
) -> int:
    """Write what ``select`` gives over ``sources`` (current views) as a version of product ``name``.

    ``at``: the instant that sources are pinned to; by default, their newest versions. ``select`` is this node's
    own. Raises ``NotAProduct`` where the name is another table's, ``QueryFailed``, ``WriteFailed``, ``TableMissing``.
    """
    _must_be_free(lake, name)
    wanted = set(sources)
    snapshot = lake.pin_newest(wanted) if at is None else lake.pin_current(wanted, at)
    lineage = Lineage(select, canonical_digest(select), snapshot.tables, snapshot.at)
    with read_current(lake, snapshot, limits) as session:
        return _replace(lake, name, session.batches(select), lineage)


def lineage_of(lake: Lake, name: str) -> Lineage | None:
    """What the newest version of a table was made of; ``None`` where it is no product."""
    table = lake.open(name)
    told = next((h["xinglin.lineage"] for h in table.history() if "xinglin.lineage" in h), None)
    description = told or table.metadata().description or ""
    try:
        found = msgspec.json.decode(description, type=Lineage)
    except msgspec.DecodeError:
        return None
    return found if found.format == _FORMAT else None


def _must_be_free(lake: Lake, name: str) -> None:
    from xinglin.catalogue.canonical_tables import CANONICAL_TABLES

    taken = {PERSON_LINK, *(table.name for table in CANONICAL_TABLES)}
    if name in taken or (name in lake.names() and lineage_of(lake, name) is None):
        raise NotAProduct(f"{name[:80]!r} is the name of a table that is no product.", remedy="Choose another name.")


def _replace(lake: Lake, name: str, rows: Any, lineage: Lineage) -> int:
    from deltalake import CommitProperties, write_deltalake
    from deltalake.exceptions import DeltaError

    folder, described = lake.path(name), msgspec.json.encode(lineage).decode()
    with writing(lake.folder):
        table = batches.existing(folder)
        before = -1 if table is None else table.version()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_deltalake(
                str(folder),
                rows,
                mode="overwrite",
                schema_mode=None if table is None else "overwrite",
                configuration=batches.TABLE_PROPERTIES if table is None else None,
                description=described if table is None else None,
                writer_properties=batches.writer_properties(),
                commit_properties=CommitProperties(custom_metadata={"xinglin.lineage": described}),
            )
            version = files.commits(folder)[-1]
            if table is not None:
                lake.open(name).alter.set_table_description(described)
            batches.durable(folder, before)
        except (DeltaError, OSError, ValueError, XinglinError) as error:
            raise batches.write_failed(name, error) from error
    return version
