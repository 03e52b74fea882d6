"""How a round grows with hospitals (real processes), and the secure sum with hospitals and values (one process).

Processes: a hub, the regulator's witness and so many nodes over TLS on this machine, warm logistic models of four
covariates on 1,000 rows each; a round is from total to total at the hub, the processor time is of all processes
in a whole run. All share the cores of this machine, as they would not in life: with more nodes than cores a round
grows by what each node computes.

State machines: setup is what a hospital computes before the first round, the rest is of one round in which nobody
vanishes; processor time of one thread. Above 21 hospitals each masks with 20 others instead of with all.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench._report import quantile, quick, row
from bench._space import BenchSpace
from bench.secure_sum import Bench
from bench.space import ask

from xinglin.secure import Part

_NODES = (3, 4, 6, 8, 10)
_HOSPITALS, _VALUES = (3, 10, 21, 25, 50, 100), (50, 10_000, 1_000_000)
_RUNS = 4
_BYTES_A_VALUE = 24
"""More than one party's state and the vectors in flight take a value, in one process."""


def processes(nodes: int, runs: int) -> None:
    """A space of ``nodes`` real hospitals: seconds to start it, rounds, processor time and memory."""
    with tempfile.TemporaryDirectory() as name, BenchSpace(Path(name), nodes) as space:
        began = time.perf_counter()
        data = space.open()
        opened = time.perf_counter() - began
        ask(data, space, 1)
        skip = len(space.round_times())
        before = space.processor_ms()
        seconds = ask(data, space, runs)
        spent = sum(ms - before[who] for who, ms in space.processor_ms().items())
        found = [1e3 * one for one in space.round_times()[skip:]]
        row(
            name=f"growth.round.n{nodes}",
            nodes=nodes,
            rounds=len(found),
            round_median_ms=quantile(found, 0.5),
            round_p95_ms=quantile(found, 0.95),
            warm_run_s=quantile(seconds, 0.5),
            processor_all_ms_a_run=spent / runs,
            open_space_s=opened,
            pss_of_all_mb=space.memory_bytes() / 1e6,
        )


def machines(hospitals: int, values: int, rounds: int) -> None:
    """The secure sum among ``hospitals`` state machines; processor time of one party and of the hub."""
    name = f"growth.sum.n{hospitals}.d{values}"
    if hospitals * values * _BYTES_A_VALUE > _available_bytes():
        print(f"{name}: left out, {hospitals} parties with {values:,} values each do not fit this machine's memory")
        return
    bench = Bench(hospitals)
    bench.start()
    setup = _party_ms(bench, hospitals)
    bench.timed.cpu_ms.clear()
    parts = (Part("weights", values, 1.0),)
    for number in range(rounds):
        size = bench.round(list(bench.parties), parts, number, 1)
    party, hub = _party_ms(bench, hospitals) / rounds, _hub_ms(bench) / rounds
    row(
        name=name,
        hospitals=hospitals,
        values=values,
        setup_cpu_ms_a_party=setup,
        round_cpu_ms_a_party=party,
        round_cpu_ms_of_hub=hub,
        upload_bytes=size,
    )


def _party_ms(bench: Bench, hospitals: int) -> float:
    return sum(sum(ms) for name, ms in bench.timed.cpu_ms.items() if name.startswith("party")) / hospitals


def _hub_ms(bench: Bench) -> float:
    return sum(sum(ms) for name, ms in bench.timed.cpu_ms.items() if name.startswith("hub"))


def _available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def main(arguments: list[str]) -> None:
    """Both tables; ``--quick``: the smallest rows of each."""
    small = quick(arguments)
    for hospitals in _HOSPITALS[:2] if small else _HOSPITALS:
        for values in _VALUES[:2] if small else _VALUES:
            machines(hospitals, values, 1 if values == _VALUES[-1] else 3)
    for nodes in _NODES[:1] if small else _NODES:
        processes(nodes, 1 if small else _RUNS)


if __name__ == "__main__":
    main(sys.argv[1:])
