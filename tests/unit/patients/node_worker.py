"""A worker for kill tests: takes patients into index and lake, and dies at a step that it is told.

``python node_worker.py FOLDER STEP``: ``taken`` (links in the index, none in the lake), ``appended`` (in the lake,
and the index does not know), ``none``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.unit.patients.clinic import arrow
from tests.unit.patients.people import WANG, version

from xinglin.lake import Lake
from xinglin.node.intake.persons import NodePersons
from xinglin.stores.patient_index import PatientStore


class DyingLake(Lake):
    """A lake whose process dies around an append."""

    def __init__(self, folder: Path, step: str) -> None:
        super().__init__(folder)
        self._step = step

    def append_batch(self, batch: int, tables: Mapping[str, Any], *, app_id: str = "") -> dict[str, int]:
        """Perhaps die before or after."""
        if self._step == "taken":
            os.kill(os.getpid(), signal.SIGKILL)
        done = super().append_batch(batch, tables, app_id=app_id)
        if self._step == "appended":
            os.kill(os.getpid(), signal.SIGKILL)
        return done


def main(folder: Path, step: str) -> None:
    """Two records of one person."""
    persons = NodePersons(PatientStore.in_folder(folder, bytes(32)), DyingLake(folder / "lake", step))
    persons.publish()
    persons.took(1, arrow([version("Patient/1", 1, **WANG), version("Patient/2", 2, **WANG)]))
    persons.store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
