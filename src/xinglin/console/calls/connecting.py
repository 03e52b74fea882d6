"""Connecting a source in a browser: an entry of the node's drop folder is looked at, shown, and started.

One source at a time. What was read of it is kept for a person's decision alone, in memory, and forgotten soon.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.errors import BadField, TooMany
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant

if TYPE_CHECKING:
    from xinglin.node.intake.connecting import Tried
    from xinglin.node.intake.dropping import Dropped
    from xinglin.node.intake.loading import Progress
    from xinglin.node.intake.marks import Marks
    from xinglin.node.intake.recognise import Found

SAMPLE_MS = 15 * 60 * 1000
"""So long a sample waits for a person's decision."""
_BUSY = ("looking", "loading")


class Connecting(msgspec.Struct, frozen=True):
    """A source as far as it has come.

    ``stage``: empty, ``looking``, ``tried`` (a person decides), ``loading``, ``done`` or ``failed``. ``name``: the
    entry of the drop folder; ``why``: what it was taken for. ``marks``: its files, as they were then. ``files``,
    ``kept``, ``records``: how far loading is. ``loaded``: what became of each source, as ``xinglin connect --json``
    says it.
    """

    stage: str = ""
    name: str = ""
    why: str = ""
    at: Instant = 0
    tried: Tried | None = None
    marks: Marks = {}
    files: int = 0
    kept: int = 0
    records: int = 0
    loaded: tuple[dict[str, Any], ...] = ()
    error: XinglinError | None = None

    @property
    def busy(self) -> bool:
        """Whether something goes on."""
        return self.stage in _BUSY


class ConnectCalls:
    """Calls of connecting; one object a seat, for several threads."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._folder, self._lines = seat.folder, lines
        self._lock = threading.Lock()
        self._state = Connecting()

    def drop(self) -> Path:
        """The drop folder of the node; raises ``OutsideDrop`` where its settings are wrong."""
        from xinglin.node.intake.dropping import drop_folder
        from xinglin.node.settings import node_settings

        self._lines.check_joined(self._folder)
        return drop_folder(self._folder, node_settings(self._folder).settings)

    def dropped(self) -> tuple[Dropped, ...]:
        """What lies in the drop folder."""
        from xinglin.node.intake.dropping import dropped

        return dropped(self.drop())

    def state(self) -> Connecting:
        """How far the source has come; a sample that nobody decided about is forgotten after a while."""
        with self._lock:
            waits = self._state.tried is not None and not self._state.busy
            if waits and self._lines.clock() - self._state.at > SAMPLE_MS:
                self._state = Connecting()
            return self._state

    def look(self, name: str) -> None:
        """Start looking at an entry of the drop folder; raises ``OutsideDrop``, ``LimitExceeded`` or ``TooMany``."""
        from xinglin.node.intake.dropping import in_drop

        path, marks = in_drop(self.drop(), name)
        self._begin(Connecting("looking", name, at=self._lines.clock(), marks=marks))
        threading.Thread(target=self._look, args=(path, marks), name="connect-look", daemon=True).start()

    def start(self, name: str) -> None:
        """Start the source whose sample was shown; nothing but its files is loaded, each as it was then.

        Raises ``BadField`` where no sample was shown, ``DropChanged``, and as ``look``.
        """
        from xinglin.node.intake.dropping import check_as_seen

        seen = self.state()
        if seen.stage != "tried" or seen.tried is None or seen.name != name:
            raise BadField("name", "No sample of this source was shown.", remedy="Look at it first.")
        files = [path for one in seen.tried.proposals for path in one.files]
        check_as_seen(self.drop(), name, files, seen.marks)
        self._begin(msgspec.structs.replace(seen, stage="loading", files=len(files), at=self._lines.clock()))
        threading.Thread(target=self._load, name="connect-load", daemon=True).start()

    def forget(self) -> None:
        """Forget what was read, unless something goes on."""
        with self._lock:
            if not self._state.busy:
                self._state = Connecting()

    # --- threads ---------------------------------------------------------------------------------

    def _begin(self, state: Connecting) -> None:
        with self._lock:
            if self._state.busy:
                raise TooMany("Another source is being connected.", remedy="Wait until it is done.")
            self._state = state

    def _now(self, **changed: Any) -> None:
        with self._lock:
            self._state = msgspec.structs.replace(self._state, **changed)

    def _failed(self, error: Exception) -> None:
        what = f"The source could not be connected ({type(error).__name__})."
        told = error if isinstance(error, XinglinError) else XinglinError(what)
        self._now(stage="failed", error=told, tried=None)

    def _over(self) -> None:
        """Whatever happened, nothing goes on any more."""
        if self._state.busy:
            self._failed(XinglinError("It ended without an answer.", remedy="Look into the console's log."))

    def _look(self, path: Path, marks: Marks) -> None:
        from xinglin.node.intake.looking import Looking
        from xinglin.node.intake.recognise import recognise
        from xinglin.node.intake.starting import tried_with

        try:
            with Looking(marks=marks) as looking:
                found = recognise(str(path), "", looking)
                _check_within(found, path, marks)
                self._now(why=found.why)
                tried = tried_with(found, looking, beside=self._folder)
            self._now(stage="tried", tried=tried, at=self._lines.clock())
        except (XinglinError, OSError, ValueError) as error:
            self._failed(error)
        finally:
            self._over()

    def _load(self) -> None:
        from xinglin.node.intake.starting import start_sources

        def tell(progress: Progress) -> None:
            self._now(kept=progress.kept, records=progress.records)

        try:
            tried = self._state.tried
            proposals = tried.proposals if tried is not None else ()
            loaded = start_sources(self._folder, proposals, tell=tell, marks=self._state.marks)
            self._now(stage="done", loaded=tuple(loaded), tried=None)
        except (XinglinError, OSError, ValueError) as error:
            self._failed(error)
        finally:
            self._over()


def _check_within(found: Found, path: Path, marks: Marks) -> None:
    """Raise ``OutsideDrop`` where what was recognised is not the entry, or has a file that was not looked at."""
    from xinglin.node.intake.dropping import OutsideDrop

    if (found.url and found.url != str(path)) or not set(found.files) <= set(marks):
        raise OutsideDrop("It was changed while it was looked at.", remedy="Wait until all is copied, and try again.")
