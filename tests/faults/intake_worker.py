"""A worker for kill tests: keeps objects, says so, carries them in, and dies at a step that it is told.

``python intake_worker.py FOLDER STEP TIMES FIRST COUNT``: die when STEP was reached TIMES times.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.unit.intake.hospital import HEAD, LAB, Hospital, results

from xinglin.intake.model import BatchLimits
from xinglin.lake import Lake


def die() -> None:
    """As if the power went."""
    os.kill(os.getpid(), signal.SIGKILL)


class Reaper:
    """Counts a step, and kills."""

    def __init__(self, step: str, times: int) -> None:
        self._step, self._left = step, times

    def __call__(self, name: str) -> None:
        if name == self._step:
            self._left -= 1
            if self._left == 0:
                die()


class TornTables:
    """A lake whose process dies between two tables of a batch."""

    def __init__(self, lake: Lake, reaper: Reaper) -> None:
        self._lake, self._reaper = lake, reaper

    def append_batch(self, batch: int, tables: Mapping[str, Any]) -> dict[str, int]:
        """The first table, then perhaps the end, then all."""
        first = sorted(tables)[0]
        self._lake.append_batch(batch, {first: tables[first]})
        self._reaper("one-table")
        return self._lake.append_batch(batch, tables)


def texts(first: int, count: int) -> list[str]:
    """Objects with results, one with a record that cannot be read, one that is no table at all."""
    found = [results(100 * number, 5) for number in range(first, first + count)]
    found[1] += ",x,male,hb,1\n"
    found[2] = HEAD.replace("mrn", "nothing") + f"{first},x,male,hb,1\n"
    return found


def main(folder: str, step: str, times: int, first: int, count: int) -> None:
    """Keep, say what was acknowledged, carry in."""
    reaper = Reaper(step, times)
    hospital = Hospital(
        Path(folder),
        limits=BatchLimits(objects=3),
        step=reaper,
        tables=lambda lake: TornTables(lake, reaper),
    )
    hospital.ledger.register(LAB, 1)
    for text in texts(first, count):
        (kept,) = hospital.send(text)
        os.write(1, f"{kept.digest}\n".encode())
        reaper("kept")
    hospital.intake.drain()
    hospital.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
