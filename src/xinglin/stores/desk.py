"""The desk's socket, both ends (words: ``xinglin.wire.desk``). Whoever serves it is the folder's one process."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.wire.desk import DESK_FILE, DESK_LINE_BYTES, DeskAnswer, DeskCall
from xinglin.wire.errors import Refused

LOCK_FILE = "desk.lock"

Answerer = Callable[[DeskCall], Awaitable[DeskAnswer]]


class NotRunning(XinglinError):
    """Nobody answers in this folder."""

    code = "stores.not_running"


class AlreadyRunning(XinglinError):
    """Another process runs in this folder: two would use one key and one database against each other."""

    code = "stores.already_running"


class NoAnswer(NotRunning):
    """The process heard the call and did not answer: whether it was done is not known."""

    code = "stores.no_answer"


class DeskServer:
    """A served desk; ``close`` ends it and gives the folder free."""

    def __init__(self, server: asyncio.AbstractServer, path: Path, lock: BinaryIO) -> None:
        self._server, self._path, self._lock = server, path, lock

    def close(self) -> None:
        """End listening; calls in progress are still answered. Again changes nothing."""
        if not self._lock.closed:
            self._server.close()
            self._path.unlink(missing_ok=True)
            self._lock.close()


async def serve_desk(folder: Path, answer: Answerer) -> DeskServer:
    """Listen on ``folder/desk.sock`` (mode 600) until closed; ``AlreadyRunning`` when another process does."""
    path = folder / DESK_FILE
    lock = _locked(folder)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    _at(folder, listener.bind)
    os.chmod(path, 0o600)  # before anybody is listened to

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            told = await _answered(reader, answer)
            writer.write(msgspec.json.encode(told) + b"\n")
            await writer.drain()
        except ConnectionError:
            pass  # the asker went away: nobody is left to tell
        finally:
            writer.close()

    server = await asyncio.start_unix_server(on_connect, sock=listener, limit=DESK_LINE_BYTES.value)
    return DeskServer(server, path, lock)


def _locked(folder: Path) -> BinaryIO:
    # A record lock ends with its process, however that ends, and no child inherits it.
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    lock = os.fdopen(descriptor, "r+b")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise AlreadyRunning(
            f"A process runs in {folder} already.", remedy="Stop it first, or name another folder."
        ) from error
    return lock


async def _answered(reader: asyncio.StreamReader, answer: Answerer) -> DeskAnswer:
    try:
        line = await _line(reader)
        return await answer(decode_json(line, DeskCall, DESK_LINE_BYTES))
    except Refused as refused:
        return DeskAnswer(None, refused.reasons)
    except XinglinError as error:
        return DeskAnswer(None, (Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),))


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readline()).removesuffix(b"\n")
    except ValueError as error:
        limit = DESK_LINE_BYTES
        raise LimitExceeded(limit.name, limit.value, limit.value + 1, limit.unit) from error


def ask_desk(folder: Path, call: DeskCall, timeout_s: float = 60.0) -> DeskAnswer:
    """Ask the process that runs in ``folder``.

    ``NotRunning`` when none does, ``Refused`` when it says no, ``LimitExceeded`` for a call that is too large, and
    ``NoAnswer`` when it ended or took longer than ``timeout_s``.
    """
    line = msgspec.json.encode(call)
    DESK_LINE_BYTES.check(len(line))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    with connection:
        try:
            _at(folder, connection.connect)
        except OSError as error:
            raise NotRunning(
                f"No process runs in {folder}.", why=error.strerror or "", remedy="Start it with 'run'."
            ) from error
        answer = _heard(connection, line)
    if answer.reasons:
        raise Refused(answer.reasons)
    return answer


def _heard(connection: socket.socket, line: bytes) -> DeskAnswer:
    remedy = "Look at its state, then ask again."
    try:
        connection.sendall(line + b"\n")
        with connection.makefile("rb") as lines:
            heard = lines.readline()
    except TimeoutError as error:
        raise NoAnswer("The process took too long to answer.", remedy=remedy) from error
    except OSError as error:
        raise NoAnswer("The process ended before it answered.", why=error.strerror or "", remedy=remedy) from error
    if not heard.endswith(b"\n"):
        raise NoAnswer("The process ended before it answered.", remedy=remedy)
    return decode_json(heard, DeskAnswer)


def _at(folder: Path, act: Callable[[str], None]) -> None:
    # A socket's path is limited to 107 bytes; a descriptor of the folder makes any folder short.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        act(f"/proc/self/fd/{descriptor}/{DESK_FILE}")
    finally:
        os.close(descriptor)
