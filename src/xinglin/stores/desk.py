"""The desk's socket, both ends (words: ``xinglin.wire.desk``)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.wire.desk import DESK_FILE, DESK_LINE_BYTES, DeskAnswer, DeskCall
from xinglin.wire.errors import Refused

Answerer = Callable[[DeskCall], Awaitable[DeskAnswer]]


class NotRunning(XinglinError):
    """Nobody answers in this folder."""

    code = "stores.not_running"


async def serve_desk(folder: Path, answer: Answerer) -> asyncio.AbstractServer:
    """Listen on ``folder/desk.sock`` (mode 600); close the returned server to end."""
    path = folder / DESK_FILE
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    _at(folder, listener.bind)
    os.chmod(path, 0o600)

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            writer.write(msgspec.json.encode(await _answered(line, answer)) + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the asker went away or sent an endless line: nobody is left to tell
        finally:
            writer.close()

    return await asyncio.start_unix_server(on_connect, sock=listener, limit=DESK_LINE_BYTES.value)


async def _answered(line: bytes, answer: Answerer) -> DeskAnswer:
    try:
        return await answer(decode_json(line, DeskCall, DESK_LINE_BYTES))
    except Refused as refused:
        return DeskAnswer(None, refused.reasons)
    except XinglinError as error:
        return DeskAnswer(None, (Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),))


def ask_desk(folder: Path, call: DeskCall, timeout_s: float = 60.0) -> DeskAnswer:
    """Ask the process that runs in ``folder``; ``NotRunning`` when none does, ``Refused`` when it says no."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    with connection:
        try:
            _at(folder, connection.connect)
        except OSError as error:
            raise NotRunning(f"No process runs in {folder}.", remedy="Start it with 'run'.") from error
        connection.sendall(msgspec.json.encode(call) + b"\n")
        with connection.makefile("rb") as lines:
            line = lines.readline()
    answer = decode_json(line, DeskAnswer)
    if answer.reasons:
        raise Refused(answer.reasons)
    return answer


def _at(folder: Path, act: Callable[[str], None]) -> None:
    # A socket's path is limited to 107 bytes; a descriptor of the folder makes any folder short.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        act(f"/proc/self/fd/{descriptor}/{DESK_FILE}")
    finally:
        os.close(descriptor)
