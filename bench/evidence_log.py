"""Bench of the evidence log: prints one JSON object. ``python bench/evidence_log.py [--seconds 5]``."""
from __future__ import annotations
import argparse, asyncio, json, os, statistics, tempfile, time
from pathlib import Path
from xinglin.stores.group_commit import GroupCommit
from xinglin.stores.log_sqlite import SqliteLogStore


async def appends(callers: int, seconds: float, folder: Path) -> dict:
    store = SqliteLogStore(folder / f"log-{callers}.sqlite")
    commit = GroupCommit(store)
    payload = os.urandom(244)
    end = time.perf_counter() + seconds
    waits = []
    done = 0

    async def caller(number: int) -> None:
        nonlocal done
        step = 0
        while (began := time.perf_counter()) < end:
            await commit.append(payload + number.to_bytes(4, "big") + step.to_bytes(8, "big"))
            waits.append(time.perf_counter() - began)
            step += 1
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller(n) for n in range(callers)))
    took = time.perf_counter() - began
    await commit.close()
    assert store.size() == done
    store.close()
    waits.sort()
    return {"callers": callers, "per_s": round(done / took), "p50_ms": round(waits[len(waits)//2] * 1e3, 1), "p99_ms": round(waits[int(len(waits)*.99)] * 1e3, 1)}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as f:
        for k in (1, 16, 128, 1024):
            print(json.dumps(asyncio.run(appends(k, 3, Path(f)))))
