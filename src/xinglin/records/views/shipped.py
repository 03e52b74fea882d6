"""The views that fill the canonical tables: those shipped in ``canonical/``, and a hospital's or a study's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from operator import itemgetter
from typing import Any

import msgspec

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.records.views.compiled import CompiledView, compile_view
from xinglin.records.views.definition import parse_view
from xinglin.records.views.errors import InvalidView

ADDED_COLUMNS = ("place", "flags", "version_at", "partial", "cleared")
"""What mapping puts after a view's columns."""
_SYSTEM = frozenset({"version_at", "partial", "cleared", "recorded_at", "batch", "source", "message", "place", "flags"})


class CanonicalView(msgspec.Struct, frozen=True):
    """A view that fills a canonical table. ``columns``: of its rows, with those that mapping adds.

    ``numbered``: the place of the column ``row``, or -1; ``rest`` takes the others of a row.
    """

    table: str
    compiled: CompiledView
    columns: tuple[str, ...]
    numbered: int = -1
    rest: Callable[[tuple[Any, ...]], tuple[Any, ...]] = tuple


class CanonicalViews(msgspec.Struct, frozen=True):
    """Views by the type of resource that they read."""

    by_resource: Mapping[str, tuple[CanonicalView, ...]]

    @property
    def tables(self) -> frozenset[str]:
        """Tables that are filled."""
        return frozenset(view.table for views in self.by_resource.values() for view in views)


@cache
def canonical_views() -> CanonicalViews:
    """The views shipped with the package (FHIR R4; R4B and R5 where elements differ), compiled once."""
    folder = files(__package__) / "canonical"
    texts = {each.name: each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".json")}
    return _gathered(texts)


def load_views(texts: Mapping[str, str], instead: Iterable[str] = ()) -> CanonicalViews:
    """The shipped views with own ones beside them: JSON texts by the name of their file.

    A view says its table in ``name``: a table, or a table and more after two underscores (``observation__icu``).
    ``instead``: types of resources whose shipped views are left out. Raises ``InvalidView``, with the file's name,
    for what is not a view or names what its canonical table does not have.
    """
    own, left_out = _gathered(texts), set(instead)
    merged = {name: views for name, views in canonical_views().by_resource.items() if name not in left_out}
    for name, views in own.by_resource.items():
        merged[name] = (*merged.get(name, ()), *views)
    return CanonicalViews(merged)


def _gathered(texts: Mapping[str, str]) -> CanonicalViews:
    found: dict[str, list[CanonicalView]] = {}
    for name in sorted(texts):
        try:
            view = _checked(texts[name])
        except InvalidView as error:
            raise InvalidView(error.what, place=name, why=error.why, remedy=error.remedy) from error
        found.setdefault(view.compiled.view.resource, []).append(view)
    return CanonicalViews({name: tuple(views) for name, views in found.items()})


def _checked(text: str) -> CanonicalView:
    """A view whose columns all are its table's."""
    view = parse_view(text)
    table = canonical_table(view.name.split("__", 1)[0])
    if table is None:
        raise InvalidView(
            f"'{view.name}' names no canonical table.", place="name", remedy="Name the view as its table is named."
        )
    known = {column.name for column in table.physical()} - _SYSTEM | {"row"}
    names = [column.name for column in view.columns]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InvalidView(f"the table '{table.name}' has no column '{unknown[0]}'.", place="select")
    needed = ("id", "patient") if table.of_person else ("id",)
    missing = [name for name in needed if name not in names]
    if missing:
        raise InvalidView(f"the column '{missing[0]}' is missing.", place="select")
    if any(column.collection for column in view.columns):
        raise InvalidView("a canonical column takes one value.", place="select", remedy="Leave collection out.")
    numbered = names.index("row") if "row" in names else -1
    kept = [name for name in names if name != "row"]
    rest = itemgetter(*(at for at in range(len(names)) if at != numbered))
    return CanonicalView(table.name, compile_view(view), (*kept, *ADDED_COLUMNS), numbered, rest)
