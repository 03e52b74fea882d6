"""A researcher's seat of a console over a hub in memory, with a study in force: for tests of what is asked."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

from tests.unit.console.hall import Hall, HallHub
from tests.unit.sdk.conftest import VARIABLES, VIEW

from xinglin.catalogue.entry import CatalogueEntry
from xinglin.contract.agreement import Agreement
from xinglin.kernel.codec import decode_json
from xinglin.wire.catalogue import EntryCall, EntryView
from xinglin.wire.studies import StudiesPage, StudyLine

TITLE = "Heart"
SQL = "SELECT age, sex, disease FROM cardiac"


class WorkHub(HallHub):
    """The hub in memory; hospitals publish ``persons`` each, where it is not 0."""

    def __init__(self) -> None:
        super().__init__()
        self.persons = 0

    def get(self, path: str, kind: type[Any], **params: Any) -> Any:
        if path == "/v1/access/studies":
            ids = dict.fromkeys(decode_json(one.offered.payload, Agreement).study for one in self.agreements.values())
            return StudiesPage(
                tuple(StudyLine(one, "in-force", data_set="cardiology", active=3) for one in ids), len(ids)
            )
        return super().get(path, kind, **params)

    def post(self, path: str, value: Any, kind: type[Any]) -> Any:
        if isinstance(value, EntryCall):
            did, _sign, name = value.entry_id.partition("#")
            return EntryView(CatalogueEntry(value.entry_id, name, did, name, persons=self.persons))
        if path.endswith("/cancel"):
            self.end = ("cancelled", "", ())
            return self._view(path.split("/")[3])
        return super().post(path, value, kind)


class Work:
    """``hall``: the console; ``study``: the id of a study in force at three hospitals."""

    def __init__(self, folder: Path) -> None:
        self.hub = WorkHub()
        self.hall = Hall(folder, "researcher", hub=self.hub)
        seat = folder / "researcher"
        spaces = [self.hub.analyst(seat) for _ in range(2)]
        study = spaces[0].propose(TITLE, data_set="cardiology", cohort={"cardiac": VIEW}, variables=VARIABLES)
        self.hub.approve()
        self.study = study.refresh().id
        pool: queue.LifoQueue[Any] = queue.LifoQueue()
        for one in spaces:
            pool.put(one)
        self.hall.console.lines._spaces[seat] = pool

    def reset(self) -> None:
        """The hub answers as it should again, and the seat remembers nothing."""
        self.hall.console.made.clear()
        self.hub.end, self.hub.turn, self.hub.persons = ("done", "result", ()), lambda answer: answer, 0

    def get(self, path: str) -> Any:
        return self.hall.get(path, "researcher")

    def post(self, path: str, **fields: Any) -> Any:
        return self.hall.post(path, "researcher", study=self.study, **fields)

    def ask(self, **fields: Any) -> str:
        """Ask a description, or what ``fields`` say; the run's id."""
        given = {"sql": SQL, "operation": "describe", "f.columns": "age"} | fields
        answer = self.post("/workbench/run", **given)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"]).rpartition("/")[2]
