"""A node's writes, run after run; each line on standard output is ``number step`` once that call has returned.

``python node_writer.py FOLDER FIRST_NUMBER``, with the checkout on the path.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from msgspec.structs import replace
from tests.unit.gate.memory import COMPUTED, USE
from tests.unit.gate.ports_suite import FRESH

from xinglin.gate.model import Record, Use
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import CellRow, RunRow

ROUNDS = 3
CELLS = tuple(f"cell-{number}" for number in range(7))


def run_name(number: int) -> str:
    """The run of that number."""
    return "run-" + f"{number:026d}"


def use_of(number: int) -> Use:
    """Its use; each run has a data set of its own, so that cells never miss each other."""
    return replace(USE, run=run_name(number), plan=replace(USE.plan, data_set=f"set-{number}"))


def record_of(number: int) -> Record:
    """Its record as first opened."""
    return replace(FRESH, run=run_name(number), nonce=f"nonce-{number}")


def snapshot(number: int, step: int) -> bytes:
    """What a party's snapshot of a round could be: larger than a page of the file."""
    return f"{number}/{step};".encode() * 1_500


async def steps(database: NodeDatabase, number: int) -> None:
    """The writes of one run in the order of a real one, each acknowledged when it has returned."""
    run, before = run_name(number), record_of(number)
    after = replace(before, state="computed", computed=COMPUTED)

    def done(step: str) -> None:
        os.write(1, f"{number} {step}\n".encode())

    database.put_run(RunRow(run, "open", b"request", b"plan"))
    done("put")
    await database.open(before)
    done("opened")
    assert database.reserve_for(use_of(number), "agreement", 10**9)
    done("reserved")
    for step in range(ROUNDS):
        database.change_run(run, party=snapshot(number, step), states=snapshot(number, step), uploaded=True)
        done(f"round-{step}")
    await database.save(before, after)
    done("saved")
    rows = tuple(CellRow(f"set-{number}", run, cell, "file") for cell in CELLS)
    assert database.keep_cell_rows(run, rows, ())
    done("kept")
    database.included(database.intend("admitted", run, run.encode()), number, "receipt")
    done("included")
    database.move_charge(run, "spend")
    done("spent")
    database.change_run(run, state="ended", party=b"", states=b"")
    done("ended")


async def main(folder: str, first: int) -> None:
    """Until killed."""
    database = NodeDatabase.in_folder(Path(folder), lambda: 1, answers_cap=10**9)
    for number in itertools.count(first):
        await steps(database, number)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
