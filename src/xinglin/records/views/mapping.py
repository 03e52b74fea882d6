"""``map_resources``: FHIR resources to rows of the canonical tables, by their views.

After a view's columns come the place, flags, version, ``partial`` and cleared columns. A view that numbers its
rows in a column ``row`` gets ``#n`` after the id of rows but number 0 (``Observation/12#1``); the column itself is
dropped. What a view refuses (several values for one) is taken leniently, and its rows carry the error's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from xinglin.kernel.instants import Instant
from xinglin.records.model import Mapped, Resource
from xinglin.records.moments import instant_of
from xinglin.records.views.cleared import cleared_columns
from xinglin.records.views.compiled import Rows
from xinglin.records.views.errors import NotBoolean, NotOneValue, TooDeep
from xinglin.records.views.shipped import CanonicalView, CanonicalViews, canonical_views

Row = tuple[Any, ...]


class Mapping:
    """Views at work on resources. ``views``: the canonical ones where none are given."""

    def __init__(self, views: CanonicalViews | None = None) -> None:
        self._views = canonical_views() if views is None else views
        self.without_table: dict[str, int] = {}

    def rows(self, resources: Iterable[Resource], received_at: Instant | None = None) -> list[Mapped]:
        """Rows of the resources, one ``Mapped`` for each view that gave any, in the order of the resources.

        ``received_at``: the version of resources that tell none. Resources of a type without a table are counted in
        ``without_table``.
        """
        gathered: dict[str, list[tuple[CanonicalView, list[Row]]]] = {}
        by_resource = self._views.by_resource
        for resource in resources:
            body = resource.body
            type_ = body.get("resourceType") if type(body) is dict else None
            if type(type_) is not str:
                self._count("")
                continue
            sinks = gathered.get(type_)
            if sinks is None:
                sinks = gathered[type_] = [(view, []) for view in by_resource.get(type_, ())]
            if not sinks:
                self._count(type_)
                continue
            added = self._added(resource, body, received_at)
            shape = tuple(body) if resource.sound and not resource.cleared else ()
            for view, rows in sinks:
                function = view.compiled.sound.get(shape)
                if function is None or not _took(view, function, body, added, rows):
                    _map(view, resource, added, rows)
        return [Mapped(view.table, view.columns, rows) for sinks in gathered.values() for view, rows in sinks if rows]

    def _count(self, type_: str) -> None:
        self.without_table[type_] = self.without_table.get(type_, 0) + 1

    def _added(self, resource: Resource, body: dict[str, Any], received_at: Instant | None) -> Row:
        version_at: Instant | None = resource.version_at or None
        if version_at is None:
            meta = body.get("meta")
            told = meta.get("lastUpdated") if type(meta) is dict else None
            version_at = _instant(told) if type(told) is str else None
        flags = " ".join(dict.fromkeys(flag.code for flag in resource.flags)) if resource.flags else None
        return (resource.place, flags, received_at if version_at is None else version_at, resource.partial, None)


_instant = lru_cache(maxsize=4096)(instant_of)


def map_resources(
    resources: Iterable[Resource], views: CanonicalViews | None = None, received_at: Instant | None = None
) -> list[Mapped]:
    """Rows of the canonical tables for FHIR resources; as ``Mapping.rows``."""
    return Mapping(views).rows(resources, received_at)


def _map(view: CanonicalView, resource: Resource, added: Row, rows: list[Row]) -> None:
    """The rows of one resource by one view."""
    try:
        found: Sequence[Row] = view.compiled.rows(resource.body, resource.sound)
    except (NotOneValue, NotBoolean, TooDeep) as error:
        found = [] if isinstance(error, TooDeep) else view.compiled.lenient_rows(resource.body)
        added = (added[0], " ".join(filter(None, (added[1], error.code))), *added[2:])
    if resource.cleared:
        added = (*added[:-1], " ".join(cleared_columns(view.compiled.view, resource.cleared)) or None)
    _put(view, found, added, rows)


def _took(view: CanonicalView, function: Rows, body: dict[str, Any], added: Row, rows: list[Row]) -> bool:
    """The rows of a sound resource of a known shape; False where its view refuses it."""
    try:
        found = function(body)
    except (NotOneValue, NotBoolean, TooDeep):
        return False
    _put(view, found, added, rows)
    return True


def _put(view: CanonicalView, found: Sequence[Row], added: Row, rows: list[Row]) -> None:
    """Rows with what mapping adds, numbered where the view says so."""
    at = view.numbered
    if at < 0:
        rows += [row + added for row in found]
        return
    rest = view.rest
    for row in found:
        number = row[at]
        whole = rest(row) + added
        rows.append((f"{whole[0]}#{number}", *whole[1:]) if number and whole[0] is not None else whole)
