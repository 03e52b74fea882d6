"""Whose extract a leaked file is: the hospital's own registry of marks asked with the part that came to light."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.node.extract_columns import Columns
from xinglin.node.extract_mark import Given, find_mark
from xinglin.node.extract_numbers import numbers_of
from xinglin.stores.extract_node import NodeExtractStore
from xinglin.stores.extract_vault import ExtractVault

if TYPE_CHECKING:
    import pyarrow as pa

LEAK_BYTES = Limit("leaked file size", 1024 * 1024 * 1024, "bytes")
MARKS_SECRET = "marks"  # noqa: S105 - the name of a purpose


class NotReadable(XinglinError):
    """A leaked file that is no table."""

    code = "extract.not_a_table"


def leaked_by(file: Path, store: NodeExtractStore, vault: ExtractVault) -> list[dict[str, object]]:
    """Recipient, agreement and time of each extract that the file is a part of, surest first; none where it is none.

    ``file``: Parquet, CSV with a line of names, or a FHIR resource a line (``.ndjson``); any rows and columns of an
    extract, in any order. ``bound``: the
    probability, at most, that anyone innocent is named so.
    """
    LEAK_BYTES.check(file.stat().st_size)
    rows = store.marks()
    given = [Given(one.run, one.recipient, one.agreement, one.at, one.plan) for one in rows]
    found = find_mark(_columns(file), vault.secret(MARKS_SECRET), given)
    return [
        {
            "run": one.run,
            "recipient": one.recipient,
            "agreement": one.agreement,
            "at": one.at,
            "score": round(mark.score, 2),
            "bound": mark.bound,
        }
        for one, mark in found
    ]


def _columns(file: Path) -> Columns:
    if file.suffix == ".ndjson":
        return numbers_of(_resources(file))
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file) if file.suffix == ".parquet" else pyarrow.csv.read_csv(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise NotReadable("The file is no table.", remedy="Hand in Parquet, or CSV with a line of names.") from error
    return {name: read_array(table.column(name)) for name in table.column_names}


def _resources(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for line in lines:
            try:
                one = msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                words = "A line of the file is no FHIR resource."
                raise NotReadable(words, remedy="Hand in newline-delimited JSON.") from error
            if isinstance(one, dict):
                yield one


def read_array(values: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    """A column of a file as marks are looked for in it: whole numbers, numbers with NaN, else texts or None."""
    import pyarrow as pa

    if pa.types.is_integer(values.type) and values.null_count == 0:
        return np.asarray(values.cast(pa.int64()).to_numpy())
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return np.array([*values.cast(pa.string()).to_pylist(), None], dtype=object)[:-1]
