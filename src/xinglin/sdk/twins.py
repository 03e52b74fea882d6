"""Twins: stand-ins for published tables, from the catalogue alone, for trying code before any permission.

Nobody is asked, nothing is spent and no row is read: names, kinds, ranges and levels are the published ones, and no
relation between columns is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xinglin.catalogue.checks import plain_name
from xinglin.catalogue.model import ColumnDescription, DataSetDescription
from xinglin.kernel.verdict import deny
from xinglin.sdk.errors import Refused

if TYPE_CHECKING:
    import pyarrow as pa

    from xinglin.analysis.admit_model import OutputColumn

_FROM_KIND = {"key": "text"}


def twin_of_query(columns: Iterable[OutputColumn], rows: int) -> pa.Table:
    """``rows`` rows in the columns of a study's query, by their published domains."""
    from xinglin.privacy.synthesis import twin

    described = [
        ColumnDescription(
            one.name,
            "integer" if one.kind == "number" and one.integer else _FROM_KIND.get(one.kind, one.kind),
            low=one.low if one.kind == "number" else None,
            high=one.high if one.kind == "number" else None,
            levels=one.levels,
        )
        for one in columns
    ]
    return arrow_of(described, twin(described, rows, os.urandom))


def twins_of(data_set: DataSetDescription, persons: int) -> dict[str, pa.Table]:
    """A twin of every table of a published data set; the same made-up persons are in each."""
    from xinglin.privacy.synthesis import twins

    found = twins(data_set, persons, os.urandom)
    return {table.name: arrow_of(table.columns, found[table.name]) for table in data_set.tables}


def published(
    data_sets: Mapping[str, Mapping[str, DataSetDescription]], name: str, hospital: str, names: Mapping[str, str]
) -> DataSetDescription:
    """The description of a data set: of ``hospital`` (DID or label), or of the first that publishes it.

    Raises ``Refused`` where nobody does, and where a table is named as none may be: twins are saved under these names.
    """
    found = data_sets.get(name, {})
    chosen = next((one for did, one in found.items() if hospital in (did, names.get(did, ""))), None)
    if not hospital and found:
        chosen = found[min(found)]
    if chosen is None:
        words = f"No such hospital publishes {name!r}." if found else f"Nobody publishes {name!r}."
        raise Refused(deny("sdk.not_published", words, "See what is: space.data_sets().").reasons)
    if not all(plain_name(table.name) for table in chosen.tables):
        words = "A table of it has a name that no table may have."
        raise Refused(deny("catalogue.bad_description", words, "Tell the hospital, or the regulator.").reasons)
    return chosen


def arrow_of(described: Any, columns: Mapping[str, Any]) -> pa.Table:
    """Drawn columns in the kinds that are published."""
    import pyarrow as pa

    kinds = {one.name: one.kind for one in described}
    return pa.table({name: _array(values, kinds[name]) for name, values in columns.items()})


def _array(values: Any, kind: str) -> pa.Array:
    import pyarrow as pa

    if values.dtype.kind == "O":
        return pa.array(values.tolist(), pa.string())
    numbers = np.asarray(values, dtype=np.float64)
    gone = np.isnan(numbers)
    whole = np.where(gone, 0, numbers)
    if kind == "boolean":
        return pa.array(whole != 0, pa.bool_(), mask=gone)
    if kind == "integer":
        return pa.array(whole.astype(np.int64), pa.int64(), mask=gone)
    if kind == "date":
        return pa.array(whole.astype(np.int64).astype("datetime64[D]"), pa.date32(), mask=gone)
    if kind == "instant":
        return pa.array(whole.astype(np.int64).astype("datetime64[ms]"), pa.timestamp("ms", "UTC"), mask=gone)
    return pa.array(whole, pa.float64(), mask=gone)
