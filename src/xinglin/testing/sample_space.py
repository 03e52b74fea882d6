"""A sample space: hub, the regulator's witness and hospitals with tables, as real processes under a study's agreements.

What tests look at is read from outside: the researcher's own view, the verified log, and the files of
processes that run or were killed.
"""

from __future__ import annotations

import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from xinglin.cli.local_space import LocalSpace
from xinglin.kernel.errors import XinglinError
from xinglin.lake.delta import Lake
from xinglin.sample import data_set, descriptions, heart_descriptions, write_hospital
from xinglin.sample.hospital import SampleHospital
from xinglin.sdk import Data, Offer, Run, Study, enrol
from xinglin.sdk import Space as Sdk
from xinglin.stores.desk import NotRunning, ask_desk
from xinglin.testing.tap import Tap
from xinglin.wire.calls import RunView
from xinglin.wire.desk import DeskCall

HOSPITALS = ("a", "b", "c", "d")
DATA_SET, TABLE = "cardiology", "cardiac"


class NeverHeld(XinglinError):
    """A condition that a test waits for did not come to hold."""

    code = "testing.never_held"


def wait_until(holds: Callable[[], object], words: str, timeout_s: float = 30.0) -> None:
    """Return once ``holds()`` is true; ``NeverHeld`` with ``words`` after ``timeout_s`` seconds."""
    end = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end:
            raise NeverHeld(f"Within {timeout_s:g} s: {words}.")
        time.sleep(0.02)


class SampleSpace(LocalSpace):
    """A space under ``folder`` whose hospitals hold ``samples``; ``open`` it, ``close`` it.

    ``hub`` and ``node`` are settings of these processes. With ``tapped``, every node dials through ``tap``.
    """

    def __init__(
        self,
        folder: Path,
        samples: Sequence[SampleHospital],
        *,
        hub: Mapping[str, Any] | None = None,
        node: Mapping[str, Any] | None = None,
        tapped: bool = False,
    ) -> None:
        super().__init__(folder, HOSPITALS[: len(samples)], name="sample space")
        self.samples = dict(zip(self.hospitals, samples, strict=True))
        self._hub, self._node, self._tapped = dict(hub or {}), dict(node or {}), tapped
        self._tap: Tap | None = None
        self._sdk: Sdk | None = None

    # --- building ----------------------------------------------------------------------------

    def open(self) -> None:
        """Start and join everything, publish the tables, enrol a researcher."""
        space = self.found()
        self.configure("hub", **self._hub)
        self.start_centre()
        self.join_all()
        if self._tapped:
            self._tap = Tap(self.folder / "tap", space)
            self._node |= {"proxy": self._tap.url, "ca_file": str(self._tap.ca_file)}
        for hospital in self.hospitals:
            write_hospital(self.samples[hospital], Lake(self.node_folder(hospital) / "lake"))
            self.configure(hospital, **self._node)
        self.start_nodes()
        self.adopt_policy()
        with ThreadPoolExecutor(len(self.hospitals)) as pool:
            list(pool.map(self._publish, self.hospitals))
        self._sdk = Sdk(enrol(self.invite("consumer"), self.folder / "researcher", "Institute"), quiet=True)
        wait_until(lambda: len(self.sdk.data_sets().get(DATA_SET, {})) == len(self.hospitals), "all have published")

    def close(self) -> None:
        """End every process, frozen ones too, the tap and the researcher's session."""
        if self._tap is not None:
            self._tap.close()
        if self._sdk is not None:
            self._sdk.close()
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
        super().close()

    @property
    def sdk(self) -> Sdk:
        """The researcher's session."""
        if self._sdk is None:
            raise NeverHeld("The space is not open.")
        return self._sdk

    @property
    def tap(self) -> Tap:
        """The tap on the hospitals' line."""
        if self._tap is None:
            raise NeverHeld("The space is not tapped.")
        return self._tap

    def study(self, title: str, columns: Sequence[str], offer: Offer | None = None) -> Study:
        """A new study of these columns of the sample's table, countersigned by every hospital."""
        study = self.sdk.propose(
            title,
            data_set=DATA_SET,
            cohort={TABLE: f"SELECT {', '.join(columns)} FROM {TABLE}"},  # noqa: S608 - our own words
            variables=[f"{TABLE}.{column}" for column in columns],
            offer=offer or Offer(),
        )
        wanted = {held.agreement.provider: held.view.agreement_id for held in study.agreements.values()}
        with ThreadPoolExecutor(len(self.hospitals)) as pool:
            list(pool.map(lambda h: self._approve(h, wanted[self.dids[h]]), self.hospitals))
        return study.wait(60)

    def data(self, study: Study, columns: Sequence[str], hospitals: Sequence[str] | None = None) -> Data:
        """All rows of the study, of all hospitals unless named by their short names."""
        chosen = None if hospitals is None else [self.dids[hospital] for hospital in hospitals]
        return study.sql(f"SELECT {', '.join(columns)} FROM {TABLE}", hospitals=chosen)  # noqa: S608 - our own words

    def _publish(self, hospital: str) -> None:
        profile = self.samples[hospital].profile
        heart = "num" in self.samples[hospital].tables[TABLE].columns
        described = data_set(profile, self.dids[hospital], heart_descriptions() if heart else descriptions())
        text = msgspec.json.encode(described).decode()
        ask_desk(self.node_folder(hospital), DeskCall("publish", {"description": text}))

    def _approve(self, hospital: str, agreement_id: str) -> None:
        folder = self.node_folder(hospital)

        def offered() -> bool:
            return any(one["id"] == agreement_id for one in ask_desk(folder, DeskCall("agreements")).value)

        wait_until(offered, f"the offer reaches {hospital}")
        ask_desk(folder, DeskCall("approve", {"id": agreement_id}))

    # --- processes ---------------------------------------------------------------------------

    def configure(self, who: str, **values: Any) -> None:
        """Settings of a process from its next start on; those of earlier calls stay unless named again."""
        folder = {"hub": self.hub_folder, "witness": self.witness_folder}.get(who) or self.node_folder(who)
        file = next(folder.glob("*.toml"))
        kept = [line for line in file.read_text().splitlines() if line.partition(" =")[0] not in values]
        new = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items()]
        file.write_text("\n".join([*kept, *new, ""]))

    def kill(self, who: str) -> None:
        """``kill -9``: no farewell, no flush."""
        self.stop(who, signal.SIGKILL)

    def freeze(self, who: str) -> None:
        """Hold a process where it is; its connections stay open."""
        self.processes[who].send_signal(signal.SIGSTOP)

    def thaw(self, who: str) -> None:
        """Let a frozen process go on."""
        self.processes[who].send_signal(signal.SIGCONT)

    def start_again(self, who: str) -> None:
        """Start a process that was ended, and wait until it works again."""
        self.start(who)
        if who == "hub":
            wait_until(self._hub_answers, "the hub answers again")
        elif who in self.hospitals:
            self.wait_for_node(who)

    def all_present(self) -> bool:
        """Whether the hub answers, sees every node, and every node trusts the log."""
        try:
            seen = {one.did for one in self.sdk.participants() if one.connected}
            states = [ask_desk(self.node_folder(h), DeskCall("status")).value for h in self.hospitals]
        except (XinglinError, NotRunning, OSError):
            return False
        fresh = all(state["connected"] and state["trusted_size"] > 0 for state in states)
        return fresh and set(self.dids.values()) <= seen

    def _hub_answers(self) -> bool:
        try:
            return self.sdk.hub_health().state == "ready"
        except XinglinError:
            return False

    # --- what is seen from outside -------------------------------------------------------------

    def view(self, run: Run) -> RunView:
        """The run as the researcher sees it now."""
        return run.view()

    def states(self, run: Run) -> dict[str, str]:
        """Short name to the state of each hospital in the run, ``(away)`` behind those that are not connected."""
        short = {did: name for name, did in self.dids.items()}
        return {short[node.did]: node.state if node.connected else f"{node.state} (away)" for node in run.view().nodes}

    def leaves(self, run: Run) -> dict[str, Counter[str]]:
        """Kind of leaf to how many of each hospital's are in the verified log, for this run."""
        self.sdk.log.refresh()
        short = {did: name for name, did in self.dids.items()}
        found: dict[str, Counter[str]] = {}
        for one in self.sdk.log.about(run.id):
            found.setdefault(one.entry.kind, Counter())[short[one.entry.submitter]] += 1
        return found

    def charge(self, hospital: str, run: Run) -> str:
        """The state of a run's charge in the hospital's own database; "" where nothing was charged."""
        rows = self._rows(hospital, "SELECT state FROM charge WHERE run = ?", run.id)
        return str(rows[0][0]) if rows else ""

    def charges(self, run: Run) -> dict[str, str]:
        """Each hospital's charge for the run."""
        return {hospital: self.charge(hospital, run) for hospital in self.hospitals}

    def open_runs(self, hospital: str) -> set[str]:
        """Ids of the runs that the hospital's database holds as unfinished."""
        return {str(row[0]) for row in self._rows(hospital, "SELECT run FROM run WHERE state = 'open'")}

    def _rows(self, hospital: str, query: str, *values: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{self.node_folder(hospital) / 'node.db'}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()
