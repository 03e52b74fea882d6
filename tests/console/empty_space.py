"""Hub, witness and a console, and nobody else yet: what walks from an empty space begin with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from xinglin.cli.console_verbs import add_seat, found_console
from xinglin.cli.demo_console import Sample, new_password
from xinglin.cli.demo_people import People, Person
from xinglin.cli.local_space import LOOPBACK, LocalSpace, free_ports
from xinglin.console.people.model import Grant
from xinglin.console.people.wiring import open_people
from xinglin.console.settings import ConsoleSettings
from xinglin.lake.delta import Lake
from xinglin.node.joining import join_space
from xinglin.node.settings import SETTINGS_FILE, NodeSettings
from xinglin.sdk.enrolment import enrol

NEW, LATE = "new", "late"
"""The hospital that walks, and one that never gets further than its first page."""
BESIDE = ("east", "west")
"""Two that join with the command: no answer is pooled over fewer than three."""
MEMBERS = tuple(
    Person(key, f"Member {key} (fictional)", hospital)
    for key, hospital in (("chair", NEW), ("first", BESIDE[0]), ("second", BESIDE[1]))
)
"""A committee names members of several institutions; the first one chairs."""


class EmptySpace:
    """The processes of a space as they are started one by one, and the console's people as they get their seats."""

    def __init__(self, folder: Path) -> None:
        self.local = LocalSpace(folder, (NEW, *BESIDE), name="an empty space")
        self.people = People(self.local)
        self.settings = ConsoleSettings(address=LOOPBACK, port=free_ports(1)[0])
        self.samples: dict[str, Sample] = {}

    @property
    def url(self) -> str:
        """Where the console answers."""
        return self.settings.url

    def sample(self, who: str) -> Sample:
        """Somebody who has a seat."""
        return self.samples[who]

    def open(self) -> None:
        """Found hub and witness, and a console with their seats and those of two hospitals that have nothing yet."""
        local = self.local
        local.found()
        local.start_centre()
        found_console(local.console_folder, self.settings)
        self._seat("operator", "operator", local.hub_folder)
        self._seat("regulator", "regulator", local.witness_folder)
        for hospital in (NEW, LATE):
            behind = local.node_folder(hospital)
            self._seat(hospital, "hospital", behind)
            assert not list(behind.iterdir())
        local.start_console(self.url)

    def start_node(self, hospital: str) -> None:
        """Whoever keeps the machine: ``xinglin node run``; nobody here waits hours for a page of the book of looks."""
        with (self.local.node_folder(hospital) / SETTINGS_FILE).open("a", encoding="utf-8") as file:
            file.write("looks_page_s = 0.0\n")
        self.local.start(hospital)
        self.local.wait_for_node(hospital)

    def join_beside(self, hospital: str, invite: str, file: Path, data_set: str) -> None:
        """A hospital that does all of it with the command."""
        folder = self.local.node_folder(hospital)
        self.local.dids[hospital] = join_space(invite, folder, hospital, NodeSettings())
        command = [sys.executable, "-m", "xinglin", "connect", str(file), "--folder", str(folder), "--yes", "--json"]
        done = subprocess.run([*command, "--publish", data_set], capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["published"]
        self.start_node(hospital)

    def found_institute(self, invite: str) -> None:
        """An institute joins with the command; so do persons of the hospitals, and the regulator charters them."""
        enrol(invite, self.local.folder / "institute", "An institute")
        self.people.found_committee(MEMBERS)

    def seat_everybody(self) -> None:
        """Whoever keeps the console gives seats to those who joined, and one to a patient; it starts anew."""
        local = self.local
        local.stop("console")
        self._seat("researcher", "researcher", local.folder / "institute")
        for person in MEMBERS:
            self._seat(person.key, "ethics", local.folder / f"person-{person.key}")
        self._seat("patient", "patient", local.node_folder(NEW), self.person())
        local.start_console(self.url)

    def person(self) -> str:
        """Somebody whose encounters the hospital that walked has loaded."""
        lake = Lake(self.local.node_folder(NEW) / "lake")
        rows = lake.datasets(lake.current(["encounter"]))["encounter"].to_table(columns=["patient"])
        return min(map(str, rows.column("patient").to_pylist()))

    def close(self) -> None:
        """End every process."""
        self.people.close()
        self.local.close()

    def _seat(self, name: str, role: str, behind: Path, subject: str = "") -> None:
        folder = self.local.console_folder
        add_seat(name, role, behind, label=name, beside=None, folder=folder)
        sample = self.samples[name] = Sample(name, role, name, new_password())
        people = open_people(folder, settings=self.settings)
        people.accounts.add(sample.name, sample.label, sample.password, (Grant(name, subject),))
        people.close()
