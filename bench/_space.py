"""A space of real processes on loopback whose hospitals hold generated rows; what benchmarks read off it."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.cli.local_space import LocalSpace
from xinglin.lake.delta import Lake
from xinglin.sdk import Data, Offer, Space, enrol
from xinglin.stores.desk import ask_desk
from xinglin.wire.desk import DeskCall

Columns = dict[str, np.ndarray]
RANGE = 8.0
"""Published range of every covariate, either side of zero."""
_ROUND = re.compile(r"^(\S+ \S+) .*\brun (\S+) is in round (\d+)$", re.M)
_TITLE = "benchmark"


def covariates(count: int) -> tuple[str, ...]:
    """Names of ``count`` covariates."""
    return tuple(f"x{number}" for number in range(1, count + 1))


def formula(count: int) -> str:
    """A logistic model of the outcome on all covariates."""
    return f"y ~ {' + '.join(covariates(count))}"


def rows_of(hospital: int, rows: int, count: int) -> Columns:
    """Standard normal covariates and a boolean outcome that depends on them; the same on every machine."""
    random = np.random.default_rng([2025, hospital])
    matrix = np.clip(random.standard_normal((rows, count)), -RANGE, RANGE)
    line = -0.4 + matrix @ np.linspace(-0.5, 0.5, count)
    outcome = random.random(rows) < 1 / (1 + np.exp(-line))
    return {"y": outcome, **{name: matrix[:, k] for k, name in enumerate(covariates(count))}}


class BenchSpace(LocalSpace):
    """A space of ``hospitals`` nodes with ``rows`` rows of ``count`` covariates each; ``data`` is all of them."""

    def __init__(self, folder: Path, hospitals: int, rows: int = 1000, count: int = 4) -> None:
        super().__init__(folder, tuple(f"h{number}" for number in range(hospitals)), name="benchmark")
        self.rows, self.count = rows, count
        self.formula = formula(count)
        self.seconds: dict[str, float] = {}
        self._sdk: Space | None = None

    def __enter__(self) -> BenchSpace:
        return self

    def __exit__(self, *_: object) -> None:
        if self._sdk is not None:
            self._sdk.close()
        self.close()

    def open(self) -> Data:
        """Start everything, publish, agree; the data of a study under agreements. ``seconds`` holds each step's."""
        self._timed("found", self.found)
        self._timed("centre", self.start_centre)
        self._timed("join", self.join_all)
        self._timed("tables", self._write)
        self._timed("nodes", self.start_nodes)
        self._timed("policy", self.adopt_policy)
        self._timed("publish", self._publish)
        self._timed("enrol", self._enrol)
        return self._timed("agree", self._agree)

    def _timed(self, name: str, step: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        found = step()
        self.seconds[name] = time.perf_counter() - began
        return found

    def _write(self) -> None:
        import pyarrow as pa

        for number, hospital in enumerate(self.hospitals):
            persons = [f"{hospital}-{k}" for k in range(self.rows)]
            table = pa.table({"person": persons, **rows_of(number, self.rows, self.count)})
            Lake(self.node_folder(hospital) / "lake").replace("measured", table)

    def _publish(self) -> None:
        numbers = [ColumnDescription(name, low=-RANGE, high=RANGE) for name in covariates(self.count)]
        columns = (ColumnDescription("person", "text", "person"), ColumnDescription("y", "boolean"), *numbers)
        table = TableDescription("measured", columns, "person")
        for hospital in self.hospitals:
            described = DataSetDescription("benchmark", self.dids[hospital], "Benchmark", (table,))
            call = DeskCall("publish", {"description": msgspec.json.encode(described).decode()})
            ask_desk(self.node_folder(hospital), call)

    def _enrol(self) -> None:
        self._sdk = Space(enrol(self.invite("consumer"), self.folder / "researcher", "Researcher"), quiet=True)
        _until(lambda: len(self.sdk.data_sets().get("benchmark", {})) == len(self.hospitals), "all publish")
        with self.http() as client:
            size = int(client.get("/checkpoint").text.splitlines()[1])
        _until(lambda: all(self._trusts(hospital, size) for hospital in self.hospitals), "all trust the registration")

    def _trusts(self, hospital: str, size: int) -> bool:
        return ask_desk(self.node_folder(hospital), DeskCall("status")).value["trusted_size"] >= size

    @property
    def sdk(self) -> Space:
        """The researcher's session."""
        if self._sdk is None:
            raise SystemExit("the space is not open")
        return self._sdk

    def _agree(self) -> Data:
        columns = ("y", *covariates(self.count))
        select = f"SELECT {', '.join(columns)} FROM measured"
        variables = [f"measured.{column}" for column in columns]
        study = self.sdk.propose(
            _TITLE, data_set="benchmark", cohort={"measured": select}, variables=variables, offer=Offer(allowance=200)
        )
        wanted = {held.agreement.provider: held.view.agreement_id for held in study.agreements.values()}
        with ThreadPoolExecutor(len(self.hospitals)) as pool:
            list(pool.map(lambda hospital: self._approve(hospital, wanted[self.dids[hospital]]), self.hospitals))
        return study.wait(60).sql(select)

    def _approve(self, hospital: str, agreement_id: str) -> None:
        folder = self.node_folder(hospital)

        def offered() -> bool:
            return any(one["id"] == agreement_id for one in ask_desk(folder, DeskCall("agreements")).value)

        _until(offered, f"the offer reaches {hospital}")
        ask_desk(folder, DeskCall("approve", {"id": agreement_id}))

    # --- what is read off it -------------------------------------------------------------------

    def round_times(self) -> list[float]:
        """Seconds of every round but the first of each run, by the hub's log (to a millisecond).

        From the moment the hub has one total to the moment it has the next. The first round is left out:
        it holds the query and the comparison with earlier releases.
        """
        seen: dict[str, list[tuple[int, float]]] = {}
        for stamp, run, number in _ROUND.findall(self.log_of("hub")):
            at = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC).timestamp()
            seen.setdefault(run, []).append((int(number), at))
        steps = [(a, b) for times in seen.values() for a, b in itertools.pairwise(times) if a[0] > 1]
        if not steps:
            raise SystemExit("the hub's log names no rounds")
        return [b[1] - a[1] for a, b in steps]

    def processor_ms(self) -> dict[str, float]:
        """Processor time so far, in ms: of the hub, the witness, the nodes, and the nodes' computing children."""
        spent = dict.fromkeys(("hub", "witness", "nodes", "children"), 0.0)
        for who, process in self.processes.items():
            for pid in family(process.pid):
                kind = who if who in spent else "nodes" if pid == process.pid else "children"
                spent[kind] += _processor_ms(pid)
        return spent


def _until(holds: Callable[[], object], words: str, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"the space did not get ready: {words}")
        time.sleep(0.02)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue  # the thread ended while it was looked at
    return found


def memory_mb(pids: list[int]) -> tuple[float, float]:
    """(PSS, RSS) of processes in MB (10^6 bytes), from the kernel's smaps_rollup; ended ones count nothing."""
    sums = {"Pss": 0, "Rss": 0}
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name = line.partition(":")[0]
            if name in sums:
                sums[name] += int(line.split()[1]) * 1024
    return sums["Pss"] / 1e6, sums["Rss"] / 1e6


def _processor_ms(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")
