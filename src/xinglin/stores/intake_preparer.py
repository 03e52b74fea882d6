"""The parent's side of the reading child (port ``intake.Preparer``): start it, time it, kill it, start it anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from xinglin.intake.errors import IntakeError, ReaderFailed
from xinglin.intake.model import READER_FAILED, READER_TIME
from xinglin.intake.ports import Prepared, Surveyed, Work
from xinglin.kernel.instants import Instant
from xinglin.records.errors import Unreadable
from xinglin.stores import intake_child as ic
from xinglin.stores.reading_process import ChildGone, ReadingProcess

STANDARD = "xinglin.intake.standard:standard_steps"


class ReadingLimits(msgspec.Struct, frozen=True):
    """What a child may use, and how long a part of an object (thousands of records at most) may take."""

    memory_bytes: int = 4 * 1024 * 1024 * 1024
    part_s: float = 60.0
    start_s: float = 60.0
    tables_s: float = 120.0
    survey_s: float = 600.0


class _Given(msgspec.Struct):
    """An object whose rows lie in the child: with it, a fresh child is brought to the same state."""

    work: Work
    body: bytes
    parts: int


class ChildPreparer:
    """A ``Preparer`` whose readers run in a killable child with limited memory.

    A reader that runs away, crashes the interpreter or needs too much memory costs its own object
    (``ReaderFailed``) and nothing else: a fresh child reads again what the batch had gathered.
    """

    def __init__(
        self, key: bytes, steps: str = STANDARD, limits: ReadingLimits | None = None, argument: str = ""
    ) -> None:
        self._key, self._steps, self._limits, self._argument = key, steps, limits or ReadingLimits(), argument
        self._process: ReadingProcess | None = None
        self._types: frozenset[str] = frozenset()
        self._erased: tuple[bytes, ...] = ()
        self._given: list[_Given] = []

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        return self._process.pid if self._process is not None else None

    def reads(self, media_type: str) -> bool:
        """See the port."""
        self._alive()
        return media_type in self._types

    def refuse(self, erased: Collection[bytes]) -> None:
        """See the port."""
        wanted = tuple(sorted(erased))
        if wanted != self._erased:
            self._erased = wanted
            self._alive()
            self._ask(ic.Refuse(wanted), self._limits.part_s)

    def prepare(self, work: Work, body: bytes) -> Iterator[Prepared]:
        """See the port."""
        given = _Given(work, body, 0)
        self._given.append(given)
        self._alive()
        request: ic.Request = ic.Open(work, len(body))
        while True:
            reply = self._part(request, body)
            if reply.part is None:
                return
            given.parts += 1
            yield reply.part
            if reply.part.last:
                return
            request = ic.Next()
            if given not in self._given:
                # The batch was handed over in between: what comes now belongs to the next one.
                given = _Given(msgspec.structs.replace(work, skip=given.work.skip + given.parts), body, 0)
                self._given.append(given)

    def survey(self, work: Work, body: bytes, persons: Collection[bytes]) -> Surveyed:
        """See the port ``Surveyor``; a large object is looked through in one go."""
        self._alive()
        reply = self._read(ic.Survey(work, tuple(sorted(persons)), len(body)), body, self._limits.survey_s)
        if not isinstance(reply, ic.Saw):
            raise IntakeError("The reading child answered out of turn.")
        return reply.found

    def _part(self, request: ic.Request, body: bytes) -> ic.Gave:
        reply = self._read(request, body if isinstance(request, ic.Open) else b"", self._limits.part_s)
        if not isinstance(reply, ic.Gave):
            raise IntakeError("The reading child answered out of turn.")
        return reply

    def _read(self, request: ic.Request, body: bytes, wait_s: float) -> ic.Reply:
        """A request that a reader takes part in."""
        try:
            reply = self._exchange(request, body, wait_s)[0]
        except ChildGone as error:
            self._restore()
            if error.late:
                raise ReaderFailed(READER_TIME, "The reader took too long.") from error
            raise ReaderFailed(READER_FAILED, "The reader's process ended.") from error
        if isinstance(reply, ic.Failed):
            if reply.broke:
                raise ReaderFailed(reply.code, reply.what)
            unreadable = Unreadable(reply.what, place=reply.place)
            unreadable.code = reply.code
            raise unreadable
        return reply

    def tables(self, repeated: Mapping[str, Collection[int]], batch: int, recorded_at: Instant) -> dict[str, Any]:
        """See the port."""
        import pyarrow as pa

        asked = ic.Shape({name: tuple(sorted(at)) for name, at in repeated.items()}, batch, recorded_at)
        self._alive()
        reply, buffers = self._ask(asked, self._limits.tables_s)
        self._given.clear()
        if not isinstance(reply, ic.Shaped):
            raise IntakeError("The reading child answered out of turn.")
        names = [name for name, _ in reply.tables]
        streams = [pa.ipc.open_stream(pa.py_buffer(held)) for held in buffers]
        return {name: stream.read_all() for name, stream in zip(names, streams, strict=True)}

    def forget(self) -> None:
        """See the port."""
        self._given.clear()
        if self.pid is not None:
            self._ask(ic.Forget(), self._limits.part_s)

    def close(self) -> None:
        """See the port."""
        self._given.clear()
        self._kill()

    # --- the child ---------------------------------------------------------------------------

    def _ask(self, request: ic.Request, wait_s: float) -> tuple[ic.Reply, list[bytearray]]:
        """A request that no reader takes part in; once more in a fresh child when this one was gone."""
        try:
            found = self._exchange(request, b"", wait_s)
        except ChildGone:
            self._restore()
            try:
                found = self._exchange(request, b"", wait_s)
            except ChildGone as error:
                self._kill()
                raise IntakeError("The reading child does not stay alive.", remedy="Look at its memory.") from error
        if isinstance(found[0], ic.Failed):
            self._given.clear()
            if found[0].broke:
                raise ReaderFailed(found[0].code, found[0].what)
            raise IntakeError(f"The reading child failed ({found[0].code}).", why=found[0].what)
        return found

    def _alive(self) -> None:
        if self.pid is None:
            self._restore()

    def _restore(self) -> None:
        """A fresh child with the rows that the one before had gathered."""
        self._kill()
        self._process = ReadingProcess()
        try:
            setting = ic.Configure(self._limits.memory_bytes, self._steps, self._key, self._argument)
            reply = self._exchange(setting, b"", self._limits.start_s)[0]
            if not isinstance(reply, ic.Done):
                raise ChildGone(False)
            self._types = frozenset(reply.types)
            self._exchange(ic.Refuse(self._erased), b"", self._limits.part_s)
            for given in self._given:
                for number in range(given.parts):
                    request: ic.Request = ic.Next() if number else ic.Open(given.work, len(given.body))
                    self._exchange(request, b"" if number else given.body, self._limits.part_s)
        except ChildGone as error:
            self._kill()
            raise IntakeError("The reading child does not start.", remedy="Run xinglin doctor.") from error

    def _exchange(self, request: ic.Request, body: bytes, wait_s: float) -> tuple[ic.Reply, list[bytearray]]:
        if self._process is None:
            raise ChildGone(False)
        try:
            return self._process.exchange(request, body, wait_s)
        except ChildGone:
            self._process = None
            raise

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
