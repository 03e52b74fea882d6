"""Resources whose reading told more than their views map: mapped at once, and the rows filled with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from xinglin.records.documents.extract import Extracted
from xinglin.records.model import Mapped, Resource

MapResources = Callable[[Iterable[Resource]], list[Mapped]]
_Row = tuple[Any, ...]


class Filling:
    """Gathers rows of canonical tables. ``map_resources``: the views; the shipped ones where none are given."""

    def __init__(self, map_resources: MapResources | None = None) -> None:
        if map_resources is None:
            from xinglin.records.views import map_resources as shipped

            map_resources = shipped
        self._map = map_resources
        self._rows: dict[tuple[str, tuple[str, ...]], list[_Row]] = {}
        self.accepted = 0

    def add(self, resource: Resource, told: Mapping[str, Mapping[str, Any]], flags: Sequence[str] = ()) -> None:
        """The resource's rows, each with the columns ``told`` of its table put in where the views left them empty.

        A ``note`` without a text makes no row.
        """
        self.accepted += 1
        for mapped in self._map([resource]):
            extra = told.get(mapped.table, {})
            names = (*mapped.columns, *(name for name in extra if name not in mapped.columns))
            for row in mapped.rows:
                known = dict(zip(mapped.columns, row, strict=True))
                known |= {name: value for name, value in extra.items() if known.get(name) in (None, "")}
                if mapped.table == "note" and not known.get("body"):
                    continue
                if flags:
                    held = (known.get("flags") or "").split()
                    known["flags"] = " ".join(dict.fromkeys((*held, *flags)))
                self._rows.setdefault((mapped.table, names), []).append(tuple(known.get(name) for name in names))

    def add_rows(self, mapped: Mapped) -> None:
        """Rows that are ready."""
        self._rows.setdefault((mapped.table, mapped.columns), []).extend(mapped.rows)

    def mapped(self) -> tuple[Mapped, ...]:
        """Everything that was added, one ``Mapped`` for each table and list of columns."""
        return tuple(Mapped(table, names, rows) for (table, names), rows in self._rows.items() if rows)


def told_of(body: bytes, media_type: str, found: Extracted) -> dict[str, dict[str, Any]]:
    """What bytes and their text tell of a document and its note."""
    document: dict[str, Any] = {
        "media_type": media_type or None,
        "size_bytes": len(body),
        "digest": hashlib.sha256(body).hexdigest(),
        "pages": found.pages,
        "text_found": found.text_found,
        "title": found.title or None,
        "created": found.created or None,
    }
    note = {"body": found.text if found.text_found else None, "title": found.title or None}
    return {"document": document, "note": note}
