"""Parameters of an algorithm, read into a typed value; anything unknown or misspelt is refused."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from xinglin.analysis.algorithm import AlgorithmSpec
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.table import Column, Domain, column_of

Params = TypeVar("Params", bound=msgspec.Struct)


def read_params(spec: AlgorithmSpec, kind: type[Params]) -> Params:
    """The parameters as ``kind``; raises ``BadParameters`` naming the fields there are."""
    try:
        return msgspec.convert(spec.params, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(field.name for field in msgspec.structs.fields(kind))
        raise BadParameters(
            f"The parameters of {spec.name!r} are not understood: {error}.", remedy=f"Parameters: {known}."
        ) from error


def numbers(domain: Domain, names: tuple[str, ...]) -> list[Column]:
    """The columns of these names, each a number or boolean with a published range, none twice.

    Raises ``BadParameters``, ``UnknownColumn`` or ``NoPublishedRange``.
    """
    if not names or len(set(names)) != len(names):
        raise BadParameters("Name at least one column, and none twice.")
    columns = [column_of(domain, name) for name in names]
    for column in columns:
        if column.kind == "category":
            raise BadParameters(f"{column.name!r} is a category, not a number.", remedy="Use crosstab for categories.")
        column.range()
    return columns
