"""Writes to a lake until it is killed, or kills itself at a step; each line is a batch that has returned.

``python lake_writer.py FOLDER batches FIRST`` appends batches without end; ``… batch NUMBER STEPS`` ends itself by
``kill -9`` after so many tables; ``… erase KEY STEPS`` after so many steps of an erasure.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from tests.unit.lake.rows import condition

from xinglin.lake import Lake, batches, compact, delta, erase_person, erasure, maintenance

TABLES = ("condition", "encounter", "observation", "procedure")
ROWS = 50


def batch_of(number: int) -> dict[str, pa.Table]:
    """A batch's rows: the same whenever it is asked for."""
    rows = [(f"{number}-{row}", f"person-{row:03d}", "code") for row in range(ROWS)]
    tables = {name: condition(number % 28 + 1, *rows) for name in TABLES}
    numbers = pa.array([number] * ROWS, pa.int64())
    return {name: t.set_column(t.schema.get_field_index("batch"), "batch", numbers) for name, t in tables.items()}


def _dying(function: Callable[..., Any], steps: list[int]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        if steps[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        steps[0] -= 1
        return function(*arguments, **named)

    return counted


def main(folder: str, what: str, which: str, steps: str = "0") -> None:
    lake, left = Lake(Path(folder)), [int(steps)]
    if what == "batches":
        for number in itertools.count(int(which)):
            lake.append_batch(number, batch_of(number))
            print(number, flush=True)
            if number % 5 == 0:
                for name in TABLES:
                    compact(lake, name)
    elif what == "batch":
        delta._TABLES_AT_ONCE = 1
        batches.append_once = _dying(batches.append_once, left)
        lake.append_batch(int(which), batch_of(int(which)))
    else:
        for room, names in ((erasure, ("_rewrite", "checkpoint", "remove_commits")), (maintenance, ())):
            for name in names:
                setattr(room, name, _dying(getattr(room, name), left))
        erase_person(lake, [which])
    print("ended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
