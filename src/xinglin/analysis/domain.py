"""From the columns of an admitted query to the published domain that algorithms are built on."""

from __future__ import annotations

from collections.abc import Iterable

from xinglin.analysis.admit import OutputColumn
from xinglin.analysis.table import Column, Domain

_KINDS = frozenset({"number", "category", "boolean"})


def domain_of(columns: Iterable[OutputColumn]) -> Domain:
    """The domain of a query's columns: the same at every node that admitted the same text over the same views.

    A column without a published range stays without one: an algorithm that needs it refuses by name.
    """
    return tuple(
        Column(one.name, one.kind, one.low, one.high, one.levels, one.integer)  # type: ignore[arg-type]
        for one in columns
        if one.kind in _KINDS
    )
