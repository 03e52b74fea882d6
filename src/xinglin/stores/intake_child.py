"""The reading child: ``python -m xinglin.stores.intake_child``, frames on standard input and output.

It reads bytes that nobody trusts; its parent does not. It is handed no environment, limits its memory before it
reads anything, and ends when its parent goes. A frame is four bytes of length, a message, and the bytes that the
message announces.
"""

from __future__ import annotations

import gc
import resource
import struct
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, BinaryIO

import msgspec

from xinglin.intake.errors import ReaderFailed
from xinglin.intake.model import READER_FAILED
from xinglin.intake.ports import Prepared, Surveyed, Work
from xinglin.intake.preparing import BROKEN_INPUT, Preparation, Steps
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.stores.child_process import pipes

HEADER = struct.Struct("<I")
FRAME_BYTES = Limit("frame of the reading child", 256 * 1024 * 1024, "bytes")
SHARED_BYTES = 4 * 1024 * 1024 * 1024
"""Addresses beside the memory that a child may fill: libraries, files, what is reserved and not used."""


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """The first request: what it may use, the ledger's key, and ``module:function`` that gives its ``Steps``.

    ``argument``: handed to that function, where there is one (where the terminology lies). Without ``steps`` the
    child answers ``Look`` alone, and writes no file. ``cpu_s``: counts anew with each request; 0: no limit.
    """

    memory_bytes: int
    steps: str
    key: bytes
    argument: str = ""
    cpu_s: int = 0


class Refuse(msgspec.Struct, frozen=True, tag="refuse"):
    """Persons who were erased."""

    erased: tuple[bytes, ...]


class Open(msgspec.Struct, frozen=True, tag="open"):
    """An object of ``size`` bytes, which follow; answered by its first part."""

    work: Work
    size: int


class Next(msgspec.Struct, frozen=True, tag="next"):
    """The next part of the open object."""


class Shape(msgspec.Struct, frozen=True, tag="shape"):
    """The gathered rows as tables, but for those at ``repeated``."""

    repeated: dict[str, tuple[int, ...]]
    batch: int
    recorded_at: int


class Survey(msgspec.Struct, frozen=True, tag="survey"):
    """Where an object of ``size`` bytes, which follow, speaks of these persons."""

    work: Work
    persons: tuple[bytes, ...]
    size: int


class Look(msgspec.Struct, frozen=True, tag="look"):
    """What ``module:function`` makes of ``given`` and of ``size`` bytes, which follow; nothing is gathered."""

    task: str
    given: bytes
    size: int = 0


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """Forget the gathered rows."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Nothing more to say; ``types`` after ``Configure``: the media types that are read."""

    types: tuple[str, ...] = ()


class Gave(msgspec.Struct, frozen=True, tag="gave"):
    """A part; None where the object has no further one."""

    part: Prepared | None


class Saw(msgspec.Struct, frozen=True, tag="saw"):
    """The answer to ``Survey``."""

    found: Surveyed


class Shaped(msgspec.Struct, frozen=True, tag="shaped"):
    """Tables by name and size; their Arrow streams follow in order."""

    tables: tuple[tuple[str, int], ...]


class Looked(msgspec.Struct, frozen=True, tag="looked"):
    """The answer to ``Look``."""

    value: bytes


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The object cannot be read: its error's code, words and place; ``broke``: the reader did, not the object.

    ``full``: it needed more memory than it has.
    """

    code: str
    what: str
    place: str = ""
    broke: bool = False
    full: bool = False
    why: str = ""
    remedy: str = ""


Request = Configure | Refuse | Open | Next | Shape | Survey | Look | Forget
Reply = Done | Gave | Saw | Shaped | Looked | Failed
requests = msgspec.msgpack.Decoder(Request)
replies = msgspec.msgpack.Decoder(Reply)


def frame(message: Request | Reply) -> bytes:
    """A message with its length before it."""
    body = msgspec.msgpack.encode(message)
    FRAME_BYTES.check(len(body))
    return HEADER.pack(len(body)) + body


class Child:
    """Answers one request at a time."""

    def __init__(self) -> None:
        self._preparation: Preparation | None = None
        self._open: Iterator[Prepared] = iter(())
        self._cpu_s = 0

    def answer(self, request: Request, body: bytes) -> tuple[Reply, list[Any]]:
        """The reply, and the buffers behind it; an error of this house becomes ``Failed`` without its cause."""
        try:
            return self._answer(request, body)
        except ReaderFailed as error:
            return Failed(error.reason, error.what, broke=True), []
        except XinglinError as error:
            place = getattr(error, "place", "")
            return Failed(error.code, error.what, place, why=error.why, remedy=error.remedy), []
        except MemoryError:
            return Failed(READER_FAILED, "The reader needed too much memory.", broke=True, full=True), []

    def _answer(self, request: Request, body: bytes) -> tuple[Reply, list[Any]]:
        self._grant_processor()
        if isinstance(request, Configure):
            return self._configure(request), []
        if isinstance(request, Look):
            return _looked(request, body), []
        preparation = self._preparation
        if preparation is None:
            return Failed(READER_FAILED, "The child was not configured.", broke=True), []
        if isinstance(request, Open):
            self._open = preparation.prepare(request.work, body)
            return Gave(next(self._open, None)), []
        if isinstance(request, Next):
            return Gave(next(self._open, None)), []
        if isinstance(request, Shape):
            return _shaped(preparation.tables(request.repeated, request.batch, request.recorded_at))
        if isinstance(request, Survey):
            return Saw(preparation.survey(request.work, body, request.persons)), []
        if isinstance(request, Refuse):
            preparation.refuse(request.erased)
        else:
            preparation.forget()
        return Done(), []

    def _configure(self, request: Configure) -> Done:
        """Limit memory, processor time and files; no core dump, which would hold rows."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        types: tuple[str, ...] = ()
        if request.steps:
            make: Callable[..., Steps] = _named(request.steps)
            steps = make(request.argument) if request.argument else make()
            self._preparation = Preparation(steps, request.key)
            types = tuple(steps.readers)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        space = request.memory_bytes + SHARED_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (request.memory_bytes, request.memory_bytes))
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
        self._cpu_s = request.cpu_s
        return Done(types)

    def _grant_processor(self) -> None:
        if self._cpu_s:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            end = int(usage.ru_utime + usage.ru_stime) + self._cpu_s + 1
            resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))


def _named(words: str) -> Any:
    """What ``module:function`` names; the parent says it, never an object."""
    module, _, name = words.partition(":")
    return getattr(import_module(module), name)


def _looked(request: Look, body: bytes) -> Reply:
    look: Callable[[bytes, bytes], bytes] = _named(request.task)
    try:
        return Looked(look(request.given, body))
    except XinglinError as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from error  # a reader took it for damage
        raise
    except (*BROKEN_INPUT, OSError) as error:
        return Failed(READER_FAILED, f"The reader broke ({type(error).__name__}).", broke=True)


def _shaped(tables: dict[str, Any]) -> tuple[Shaped, list[Any]]:
    import pyarrow as pa

    buffers = []
    for table in tables.values():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        buffers.append(sink.getvalue())
    return Shaped(tuple((name, held.size) for name, held in zip(tables, buffers, strict=True))), buffers


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer frames until the source ends."""
    child = Child()
    while len(head := source.read(HEADER.size)) == HEADER.size:
        (length,) = HEADER.unpack(head)
        request = requests.decode(source.read(length))
        body = source.read(request.size) if isinstance(request, Open | Survey | Look) else b""
        reply, buffers = child.answer(request, body)
        sink.write(frame(reply))
        for held in buffers:
            sink.write(held)
        sink.flush()


def main() -> None:
    """Serve on the standard streams; whatever prints elsewhere goes nowhere."""
    # What is parsed has no cycles: looking for them in it would cost as much as parsing.
    gc.set_threshold(1_000_000, 50, 100)
    serve(*pipes(1024 * 1024))


if __name__ == "__main__":
    main()
