"""The child from outside: killed, stopped, flooded; the parent lives and the next request is answered."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import numpy as np
import pytest
from tests.slowness import slowness
from tests.unit.engine.conftest import AGE, Study

from xinglin.analysis.algorithm import build
from xinglin.kernel.verdict import Denied
from xinglin.node import engine_messages as em
from xinglin.node.engine import Engine, EngineDied, EngineFault, EngineLimits, EngineTimeout

SQL = "SELECT age FROM cardiac"


def local_of(start: em.Start) -> em.Local:
    algorithm = build(start.spec, start.domain, start.rules, start.max_rows, start.differences)
    return em.Local(start.session, algorithm.encode_state(algorithm.initial_state()))


@pytest.fixture
async def engine():
    engine = Engine(EngineLimits(memory_bytes=512 * 2**20, request_s=60.0, idle_s=60.0))
    yield engine
    await engine.close()


async def ready(engine: Engine, study: Study, sql: str = SQL) -> em.Local:
    start = study.start(AGE)
    assert isinstance(await engine.load(study.load(sql)), em.Loaded)
    assert isinstance(await engine.start(start), em.Started)
    return local_of(start)


async def test_a_run_through_the_child(engine: Engine, study: Study) -> None:
    local = await ready(engine, study)
    first, second = await engine.local(local), await engine.local(local)
    assert first == second
    assert np.frombuffer(first)[0] == 0
    await engine.unload("run-1")
    await engine.unload("run-1")
    with pytest.raises(EngineFault):
        await engine.local(local)


async def test_a_warm_child_needs_no_pandas(engine: Engine, study: Study) -> None:
    await engine.warm()
    pid = engine.pid
    await ready(engine, study)
    assert engine.pid == pid
    with open(f"/proc/{pid}/maps") as file:
        assert "/pandas/" not in file.read()


async def gone(engine: Engine) -> None:
    """Wait until the child has ended."""
    async with asyncio.timeout(20):
        while engine.pid is not None:
            await asyncio.sleep(0.01)


async def test_a_refusal_is_a_value(engine: Engine, study: Study) -> None:
    denied = await engine.load(study.load("SELECT * FROM read_csv('/etc/passwd')"))
    assert isinstance(denied, Denied)


async def test_a_killed_child_is_started_again_with_its_sessions(engine: Engine, study: Study) -> None:
    local = await ready(engine, study)
    before, pid = await engine.local(local), engine.pid
    os.kill(pid, signal.SIGKILL)
    await gone(engine)
    assert await engine.local(local) == before
    assert engine.pid != pid


async def test_a_child_killed_in_mid_request_is_a_typed_error(engine: Engine, study: Study) -> None:
    local = await ready(engine, study)
    os.kill(engine.pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(engine.local(local))
    await asyncio.sleep(0.1)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineDied):
        await waiting
    assert np.frombuffer(await engine.local(local))[0] == 0


async def test_a_child_that_does_not_answer_is_killed(study: Study) -> None:
    engine = Engine()
    local = await ready(engine, study)
    pid = engine.pid
    engine._limits = EngineLimits(request_s=0.5)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineTimeout):
        await engine.local(local)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    await engine.close()


async def test_cancelling_kills_the_child(engine: Engine, study: Study) -> None:
    local = await ready(engine, study)
    pid = engine.pid
    os.kill(pid, signal.SIGSTOP)
    waiting = asyncio.ensure_future(engine.local(local))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert await engine.local(local)


async def test_an_idle_child_ends_and_comes_back(study: Study) -> None:
    engine = Engine()
    local = await ready(engine, study)
    engine._limits = EngineLimits(idle_s=0.1)
    before = await engine.local(local)
    await gone(engine)
    assert await engine.local(local) == before
    await engine.close()


async def test_a_flood_of_rows_is_a_failed_query_in_bounded_time(engine: Engine, study: Study) -> None:
    twice = ", ".join(f"b{i + 1} AS (SELECT age FROM b{i} UNION ALL SELECT age FROM b{i})" for i in range(2))
    self_join = "SELECT a.age FROM b2 a, b2 b, b2 c, b2 d, b2 e, b2 f, b2 g, b2 h, b2 i, b2 j, b2 k"
    start = study.start(AGE)
    load = study.load(f"WITH b0 AS (SELECT age FROM cardiac), {twice} {self_join}", time_ms=3_000)
    began = time.monotonic()
    assert isinstance(await engine.load(load), em.Loaded)
    assert isinstance(await engine.start(start), em.Started)
    vector = np.frombuffer(await engine.local(local_of(start)))
    assert vector[0] == 1
    assert not vector[1:].any()
    assert time.monotonic() - began < 60 * slowness(time.perf_counter)


async def test_the_child_gets_no_environment_and_no_open_file(
    engine: Engine, study: Study, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("XINGLIN_SECRET", "mountain")
    with (tmp_path / "secret").open("w") as held:
        await ready(engine, study)
        with open(f"/proc/{engine.pid}/environ", "rb") as file:
            assert b"mountain" not in file.read()
        names = [os.readlink(f"/proc/{engine.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{engine.pid}/fd")]
        assert held.name not in names
    assert os.getpgid(engine.pid) != os.getpgid(0)


async def test_the_child_is_limited(engine: Engine, study: Study) -> None:
    await ready(engine, study)
    with open(f"/proc/{engine.pid}/limits") as file:
        limits = {line[:25].strip(): line[26:].split() for line in file}
    assert limits["Max core file size"][:2] == ["0", "0"]
    assert limits["Max data size"][0] != "unlimited"
    assert limits["Max cpu time"][0] != "unlimited"


async def test_a_malformed_frame_is_answered_and_survived(engine: Engine, study: Study) -> None:
    await ready(engine, study)
    body = b"\xc1not a request"
    engine._process.stdin.write(em.HEADER.pack(len(body)) + body)
    (length,) = em.HEADER.unpack(await engine._process.stdout.readexactly(4))
    assert isinstance(em.replies.decode(await engine._process.stdout.readexactly(length)), em.Fault)
    assert await engine.load(study.load(SQL))


async def test_the_parent_does_not_import_the_engines() -> None:
    import subprocess
    import sys

    heavy = "{'duckdb', 'sqlglot', 'pyarrow', 'pandas', 'scipy', 'deltalake'}"
    code = f"import sys, xinglin.node.engine; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": "src"}, check=True
    )
    assert done.stdout.strip() == "[]"
