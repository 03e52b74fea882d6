"""The desk: who may knock, what is too much, what is heard when nobody answers, and one process a folder."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from xinglin.kernel import LimitExceeded
from xinglin.kernel.verdict import deny
from xinglin.stores.desk import AlreadyRunning, NoAnswer, NotRunning, ask_desk, serve_desk
from xinglin.wire.desk import DESK_FILE, DESK_LINE_BYTES, DeskAnswer, DeskCall
from xinglin.wire.errors import Refused

ROOT = Path(__file__).resolve().parent.parent.parent.parent
STATUS = DeskCall("status", {"name": "杏林"})


async def echo(call: DeskCall) -> DeskAnswer:
    """Says back what it hears; some verbs behave badly."""
    if call.verb == "refuse":
        raise Refused(deny("node.not_offered", "It is not offered.").reasons)
    if call.verb == "limit":
        raise LimitExceeded("things", 1, 2, "things")
    if call.verb == "break":
        raise ValueError("a mistake of the program")
    if call.verb == "wait":
        await asyncio.sleep(30)
    return DeskAnswer({"verb": call.verb, **call.arguments})


@pytest_asyncio.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    server = await serve_desk(tmp_path, echo)
    yield tmp_path
    server.close()


async def ask(folder: Path, call: DeskCall, timeout_s: float = 10) -> DeskAnswer:
    return await asyncio.to_thread(ask_desk, folder, call, timeout_s)


async def said(folder: Path, data: bytes) -> bytes:
    """What a stranger's bytes are answered with."""
    reader, writer = await asyncio.open_unix_connection(str(folder / DESK_FILE))
    writer.write(data)
    writer.write_eof()
    heard = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return heard


def codes(heard: bytes) -> list[str]:
    return [reason.code for reason in msgspec.json.decode(heard, type=DeskAnswer).reasons]


async def test_a_call_is_answered(folder: Path) -> None:
    assert (await ask(folder, STATUS)).value == {"verb": "status", "name": "杏林"}


async def test_many_are_answered_at_once(folder: Path) -> None:
    calls = [DeskCall("n", {"n": str(n)}) for n in range(20)]
    answers = await asyncio.gather(*(ask(folder, call) for call in calls))
    assert [answer.value["n"] for answer in answers] == [str(n) for n in range(20)]


async def test_only_the_owner_may_knock(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        server = await serve_desk(tmp_path, echo)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"desk.sock": 0o600, "desk.lock": 0o600}
    server.close()


async def test_a_no_is_a_refusal_with_its_reasons(folder: Path) -> None:
    with pytest.raises(Refused) as refused:
        await ask(folder, DeskCall("refuse"))
    assert [reason.code for reason in refused.value.reasons] == ["node.not_offered"]
    with pytest.raises(Refused) as refused:
        await ask(folder, DeskCall("limit"))
    assert [reason.code for reason in refused.value.reasons] == ["kernel.limit"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"hello\n",
        b"{}\n",
        b'{"verb": 1}\n',
        b'{"verb": "x", "arguments": {"a": 1}}\n',
        b"\xff\xfe\n",
        b"[" * 90,
    ],
)
async def test_what_is_no_call_is_answered_with_what_is_wrong(folder: Path, data: bytes) -> None:
    assert codes(await said(folder, data)) in (["kernel.malformed"], ["kernel.limit"])
    assert (await ask(folder, STATUS)).value["verb"] == "status"


def call_of(size: int) -> DeskCall:
    """A call whose line has ``size`` bytes."""
    empty = len(msgspec.json.encode(DeskCall("v", {"a": ""})))
    return DeskCall("v", {"a": "x" * (size - empty)})


async def test_the_largest_call_passes_and_one_byte_more_does_not(folder: Path) -> None:
    most = DESK_LINE_BYTES.value
    assert len((await ask(folder, call_of(most))).value["a"]) > most - 100
    with pytest.raises(LimitExceeded):
        await ask(folder, call_of(most + 1))
    assert codes(await said(folder, msgspec.json.encode(call_of(most + 1)) + b"\n")) == ["kernel.limit"]


async def test_an_endless_line_is_refused_and_ends(folder: Path) -> None:
    _reader, writer = await asyncio.open_unix_connection(str(folder / DESK_FILE))
    chunk = b"x" * 65_536
    with pytest.raises(ConnectionError):
        for _ in range(40 * DESK_LINE_BYTES.value // len(chunk)):
            writer.write(chunk)
            await writer.drain()
    writer.close()
    assert (await ask(folder, STATUS)).value["verb"] == "status"


async def test_a_mistake_of_the_program_is_no_answer(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NoAnswer):
        await ask(folder, DeskCall("break"))
    assert (await ask(folder, STATUS)).value["verb"] == "status"


async def test_who_waits_too_long_is_told(folder: Path) -> None:
    with pytest.raises(NoAnswer, match="too long"):
        await ask(folder, DeskCall("wait"), timeout_s=0.2)


async def test_an_asker_that_goes_away_harms_nobody(folder: Path) -> None:
    for _ in range(3):
        stranger = socket.socket(socket.AF_UNIX)
        stranger.connect(str(folder / DESK_FILE))
        stranger.send(msgspec.json.encode(STATUS) + b"\n")
        stranger.close()
    assert (await ask(folder, STATUS)).value["verb"] == "status"


def test_nobody_runs_in_an_empty_or_absent_folder(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotRunning, match="No process runs"):
            ask_desk(folder, STATUS)


async def test_a_closed_desk_answers_nobody_and_leaves_no_socket(tmp_path: Path) -> None:
    server = await serve_desk(tmp_path, echo)
    server.close()
    server.close()
    assert not (tmp_path / DESK_FILE).exists()
    with pytest.raises(NotRunning):
        await ask(tmp_path, STATUS)
    again = await serve_desk(tmp_path, echo)
    assert (await ask(tmp_path, STATUS)).value["verb"] == "status"
    again.close()


async def test_a_long_folder_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20) / ("杏" * 60)
    folder.mkdir(parents=True)
    assert len(os.fsencode(folder)) > 300
    server = await serve_desk(folder, echo)
    assert stat.S_IMODE((folder / DESK_FILE).stat().st_mode) == 0o600
    assert (await ask(folder, STATUS)).value["verb"] == "status"
    server.close()


SERVER = """
import asyncio, sys
from pathlib import Path
from xinglin.stores.desk import serve_desk
from xinglin.wire.desk import DeskAnswer

async def main():
    async def answer(call):
        return DeskAnswer("other")
    server = await serve_desk(Path(sys.argv[1]), answer)
    print("serves", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(folder)], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None and process.stdout.readline() == b"serves\n"
    return process


async def test_a_second_process_in_a_folder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    first = start(tmp_path)
    try:
        with pytest.raises(AlreadyRunning):
            await serve_desk(tmp_path, echo)
        assert (await ask(tmp_path, STATUS)).value == "other"  # and the first one is still there
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert first.stdout is not None
        first.stdout.close()
    with pytest.raises(NotRunning):
        await ask(tmp_path, STATUS)  # its socket is left behind, and nobody listens
    server = await serve_desk(tmp_path, echo)
    assert (await ask(tmp_path, STATUS)).value["verb"] == "status"
    server.close()
