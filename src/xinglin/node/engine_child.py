"""The computing child: ``python -m xinglin.node.engine_child``, frames on standard input and output.

It holds rows; its parent does not. It is handed no environment, limits itself before it reads anything,
and ends when its parent goes.
"""

from __future__ import annotations

import resource
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from typing import BinaryIO

import msgspec

from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.verdict import Denied
from xinglin.lake.delta import Lake
from xinglin.node import engine_messages as em
from xinglin.node.engine_session import Session
from xinglin.stores.child_process import pipes

_HEADROOM_BYTES = 1536 * 1024 * 1024
"""Beside the query's own memory: the interpreter, libraries, thread stacks."""

_LIBRARIES = ("duckdb", "deltalake", "pyarrow.dataset", "pyarrow.compute", "xinglin.analysis.admit_statement")
_FAULTS = (
    XinglinError,
    OSError,
    ArithmeticError,
    ValueError,
    TypeError,
    LookupError,
    MemoryError,
    msgspec.MsgspecError,
)


class Child:
    """Answers one request at a time; sessions by name."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._cpu_s = 0

    def configure(self, limits: em.Configure) -> em.Done:
        """Limit memory, files and processor time; no core dump, which would hold rows."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        data = limits.memory_bytes + _HEADROOM_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (data, data))
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
        self._cpu_s = limits.cpu_s
        return em.Done()

    def answer(self, request: em.Request) -> em.Reply:
        """The reply to a request; an error of this house becomes a ``Fault`` without its cause."""
        self._grant_processor()
        try:
            return self._answer(request)
        except XinglinError as error:
            return em.Fault(error.code, error.what)
        except _FAULTS as error:
            return em.Fault("engine.fault", f"The request could not be carried out ({type(error).__name__}).")

    def _answer(self, request: em.Request) -> em.Reply:
        if isinstance(request, em.Configure):
            return self.configure(request)
        if isinstance(request, em.Warm):
            return _warmed()
        if isinstance(request, em.Pin):
            return em.Pinned(Lake(request.lake).pin_current(request.names, request.at))
        if isinstance(request, em.Load):
            return self._load(request)
        if isinstance(request, em.Unload):
            self._drop(request.session)
            return em.Done()
        session = self._sessions.get(request.session)
        if session is None:
            raise MalformedMessage("There is no such session.")
        if isinstance(request, em.Start):
            return session.start(request)
        if isinstance(request, em.Local):
            return session.local(request)
        if isinstance(request, em.Extract):
            return session.extract(request)
        if isinstance(request, em.Fit | em.Draw | em.Judge):
            return session.synthetic(request)
        return session.cells(request)

    def _load(self, request: em.Load) -> em.Reply:
        self._drop(request.session)
        session = Session.load(request)
        if isinstance(session, Denied):
            return em.Refusal(session.reasons)
        self._sessions[request.session] = session
        return session.loaded()

    def _drop(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is not None:
            session.close()

    def _grant_processor(self) -> None:
        if self._cpu_s:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            spent = int(usage.ru_utime + usage.ru_stime)
            resource.setrlimit(resource.RLIMIT_CPU, (spent + self._cpu_s + 1, resource.RLIM_INFINITY))


class _WithoutPandas(MetaPathFinder):
    """pyarrow.dataset loads pandas where it is installed: seconds and 100 MB that no query here needs."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Nothing, except that there is no pandas."""
        if fullname == "pandas":
            raise ModuleNotFoundError("The computing child goes without pandas.", name="pandas")


def _warmed() -> em.Done:
    for name in _LIBRARIES:
        import_module(name)
    return em.Done()


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer frames until the source ends."""
    child = Child()
    while (body := em.read_frame(source)) is not None:
        try:
            request = em.requests.decode(body)
        except msgspec.MsgspecError:
            reply: em.Reply = em.Fault("engine.malformed", "The frame is no request.")
        else:
            reply = child.answer(request)
        sink.write(em.frame(reply))
        sink.flush()


def main() -> None:
    """Serve on the standard streams; whatever prints elsewhere goes nowhere."""
    sys.meta_path.insert(0, _WithoutPandas())
    serve(*pipes())


if __name__ == "__main__":
    main()
