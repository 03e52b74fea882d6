"""What a scheduled job does: ask a FHIR server or a database for what is new, keep it, remember how far it was read.

Every state is kept only after what it says was read is kept: whoever dies in between reads a part again, and the
same bytes, or the same rows, are there once.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from xinglin.feeds.jobs import Done, Turn
from xinglin.intake.errors import NotKept, RawErased
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.kernel.limits import Limit
from xinglin.node.intake.noticed import Noticed, source_of
from xinglin.node.intake.smart import smart_access
from xinglin.node.intake.sources import FhirServer, SourceFile, Sql, read_sources
from xinglin.node.intake.wiring import OpenIntake
from xinglin.records.moments import moment_of
from xinglin.stores.tls import client_context

if TYPE_CHECKING:
    import httpx

    from xinglin.feeds.fhir_session import FhirSession
    from xinglin.feeds.sql_model import SqlSource

log = logging.getLogger("xinglin.node.intake")
T = TypeVar("T")

EXPORT, ROWS, NAMED = "export", "rows", "named"
SEARCHED = (
    "Organization", "Location", "Practitioner", "Patient", "Encounter", "Appointment", "Condition", "Observation",
    "DiagnosticReport", "Specimen", "MedicationRequest", "MedicationStatement", "MedicationAdministration",
    "Immunization", "Procedure", "AllergyIntolerance", "Device", "DocumentReference", "ImagingStudy", "Claim",
)  # fmt: skip
"""Types that are searched where a source names none."""
SECRET_BYTES = 64 * 1024
STATE_BYTES = Limit("state of a pull", 256 * 1024 * 1024, "bytes")
CHECK_S = 0.25
CONNECT_S, READ_S = 20.0, 120.0


class CannotPull(XinglinError):
    """A source that cannot be asked: it is gone from the file, or its secret cannot be read."""

    code = "node.cannot_pull"


@dataclass
class Progress:
    """How far the pull of a source is; ``words`` are the server's own, for the hospital's eyes."""

    part: str = ""
    objects: int = 0
    size_bytes: int = 0
    words: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As the desk tells it."""
        return {"part": self.part, "objects": self.objects, "bytes": self.size_bytes, "server": self.words}


class Pullers:
    """The work of the jobs that are named after sources. ``wake``: called after something was kept."""

    def __init__(
        self,
        opened: OpenIntake,
        wake: Callable[[], None],
        *,
        ca_file: Path | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._opened, self._marks, self._wake = opened, opened.marks, wake
        self._ca_file, self._clock = ca_file, clock
        self._progress: dict[str, Progress] = {}
        self.noticed = Noticed(opened.marks, clock)

    def parts(self, job: str, asked_at: Instant) -> tuple[str, ...]:
        """See ``feeds.jobs.Works``. None where a later pull has done what this one was asked for."""
        if source_of(job):
            return (NAMED,) if self.noticed.waits(source_of(job)) else ()
        last = self._marks.last(job)
        if last is not None and last.began_at >= asked_at:
            return ()
        return _parts(self._source(job))

    def do(self, job: str, part: str, turn: Turn) -> Done:
        """See ``feeds.jobs.Works``."""
        progress = self._progress[job] = Progress(part)
        try:
            source = self._source(source_of(job) or job)
            self._opened.ledger.register(source.source(self._opened.folder), self._clock())
            if source.sql is not None:
                self._rows(source, source.sql, turn, progress)
            elif source.fhir is not None:
                self._fhir(source, source.fhir, part, turn, progress)
            if not source_of(job) and part == _parts(source)[-1]:
                self._marks.ended(job, turn.began_at, self._clock())
        except XinglinError as error:
            log.warning("source %s: %s", job, error.code)
            return Done(error.code, may_go_well(error), self._counts(progress))
        except OSError as error:
            return Done(f"node.{type(error).__name__.lower()}", True, self._counts(progress))
        finally:
            self._progress.pop(job, None)
        return Done(counts=self._counts(progress))

    def status(self) -> dict[str, dict[str, Any]]:
        """What is pulled now, by source."""
        return {name: one.told() for name, one in list(self._progress.items())}

    # --- databases ---------------------------------------------------------------------------

    def _rows(self, source: SourceFile, way: Sql, turn: Turn, progress: Progress) -> None:
        from xinglin.feeds.sql_model import Watermark
        from xinglin.feeds.sql_puller import SqlPuller

        puller = SqlPuller(sql_source(source, way, self._opened.folder), self._clock)
        try:
            puller.report()
            state = self._marks.get(source.name, ROWS)
            for pulled in puller.pull(decode_msgpack(state, Watermark, STATE_BYTES) if state else None):
                turn.check()
                self._keep(pulled.received, progress)
                self._put(source.name, ROWS, pulled.after)
                progress.counts["rows"] = progress.counts.get("rows", 0) + pulled.rows
        finally:
            puller.close()

    # --- FHIR servers ------------------------------------------------------------------------

    def _fhir(self, source: SourceFile, way: FhirServer, part: str, turn: Turn, progress: Progress) -> None:
        async def work() -> None:
            async with fhir_client(self._ca_file) as client:
                session = fhir_session(way, self._opened.folder, client, self._clock)
                if part == NAMED:
                    await self._named(source, way, session, progress)
                elif part == EXPORT:
                    await self._export(source, way, session, progress)
                else:
                    await self._search(source, part, session, progress)

        asyncio.run(_stoppable(work(), turn))

    async def _export(self, source: SourceFile, way: FhirServer, session: FhirSession, progress: Progress) -> None:
        from xinglin.feeds.fhir_errors import ExportExpired
        from xinglin.feeds.fhir_export import BulkExport, ExportState

        def say(words: str) -> None:
            progress.words = words

        export = BulkExport(
            session, source.name, self._keeper(progress), lambda state: self._put(source.name, EXPORT, state),
            progress=say, retention=source.retention,
        )  # fmt: skip
        kept = self._marks.get(source.name, EXPORT)
        state = decode_msgpack(kept, ExportState, STATE_BYTES) if kept else ExportState(types=way.types)
        if state.phase in ("done", "cancelled"):
            state = state.next() if state.phase == "done" else ExportState(since=state.since)
            state = msgspec.structs.replace(state, types=way.types)
        try:
            await export.run(state)
        except ExportExpired:
            # What was kept of it stays; the server is asked anew for everything since the last whole export.
            await export.run(ExportState(state.scope, way.types, state.since))

    async def _named(self, source: SourceFile, way: FhirServer, session: FhirSession, progress: Progress) -> None:
        """What notifications named and did not carry: resources one by one, types by what changed in them.

        Done is forgotten only after it was kept; what was noticed meanwhile is done as well.
        """
        from xinglin.feeds.fhir_fetch import FhirFetch

        types = way.types or SEARCHED
        fetch = FhirFetch(session, source.name, self._keeper(progress), retention=source.retention)
        while notices := await asyncio.to_thread(self.noticed.next, source.name):
            kinds: dict[str, None] = {}
            for one in notices:
                if one.resource is not None:
                    kind, id_ = one.resource
                    there = kind in types and await fetch.fetch(kind, id_)
                    word = "fetched" if there else "gone" if kind in types else "passed_over"
                    progress.counts[word] = progress.counts.get(word, 0) + 1
                else:
                    # Where a subscription does not say what it is about, anything may have changed.
                    about = await fetch.kinds_of(one.subscription) if one.subscription else ()
                    kinds |= dict.fromkeys(about or types)
            for kind in kinds:
                if kind in types:
                    await self._search(source, kind, session, progress)
            await asyncio.to_thread(self.noticed.did, source.name, notices)

    async def _search(self, source: SourceFile, kind: str, session: FhirSession, progress: Progress) -> None:
        from xinglin.feeds.fhir_search import FhirSearch, SearchState

        search = FhirSearch(
            session, source.name, self._keeper(progress), lambda state: self._put(source.name, kind, state),
            retention=source.retention,
        )  # fmt: skip
        kept = self._marks.get(source.name, kind)
        begun = SearchState(kind, self._exported(source.name))
        await search.pull(decode_msgpack(kept, SearchState, STATE_BYTES) if kept else begun)

    def _exported(self, source: str) -> Instant:
        """The instant for which the last whole export holds: a type that was never searched is asked for since then."""
        from xinglin.feeds.fhir_export import ExportState

        kept = self._marks.get(source, EXPORT)
        state = decode_msgpack(kept, ExportState, STATE_BYTES) if kept else ExportState()
        text = state.as_of if state.phase == "done" and state.as_of else state.since
        moment = moment_of(text, "Z") if text else None
        return moment[0] if moment is not None else 0

    # --- keeping -----------------------------------------------------------------------------

    def _keeper(self, progress: Progress) -> Callable[[Received], Coroutine[Any, Any, Kept]]:
        async def keep(received: Received) -> Kept:
            return await asyncio.to_thread(self._keep, received, progress)

        return keep

    def _keep(self, received: Received, progress: Progress) -> Kept:
        try:
            kept = self._opened.raw.keep_all([received])[0]
        except RawErased:
            # The very bytes that an erasure took out: they stay out, and the pull goes on behind them.
            progress.counts["erased"] = progress.counts.get("erased", 0) + 1
            return Kept("", 0, 0, True, received.source, received.media_type, received.received_at, received.retention)
        progress.objects += 1
        progress.size_bytes += len(received.body)
        self._wake()
        return kept

    def _put(self, source: str, part: str, state: Any) -> None:
        self._marks.put(source, part, encode_msgpack(state), self._clock())

    def _counts(self, progress: Progress) -> dict[str, int]:
        return {"objects": progress.objects, "bytes": progress.size_bytes, **progress.counts}

    def _source(self, name: str) -> SourceFile:
        found = next((one for one in read_sources(self._opened.folder) if one.name == name and one.enabled), None)
        if found is None or (found.fhir is None and found.sql is None):
            raise CannotPull(f"'{name}' is no server or database that could be asked.", remedy="See sources.toml.")
        return found


def _parts(source: SourceFile) -> tuple[str, ...]:
    if source.fhir is None:
        return (ROWS,)
    return (EXPORT,) if source.fhir.how == "export" else (source.fhir.types or SEARCHED)


def fhir_client(ca_file: Path | None) -> httpx.AsyncClient:
    """A client that trusts the system's authorities and the site's own, and goes no way that nobody set."""
    import httpx

    context: ssl.SSLContext = client_context("", ca_file)
    return httpx.AsyncClient(verify=context, trust_env=False, timeout=httpx.Timeout(READ_S, connect=CONNECT_S))


def fhir_session(way: FhirServer, folder: Path, client: httpx.AsyncClient, clock: Clock) -> FhirSession:
    """A session of the server of a source; plain HTTP is for this machine alone.

    Raises ``CannotPull`` or ``BadClientKey``.
    """
    from xinglin.feeds.fhir_session import Access, Bearer, FhirSession
    from xinglin.feeds.fhir_session import FhirServer as Server

    access: Access = Bearer(first_line(folder / way.token_file)) if way.token_file else None
    if way.smart is not None:
        access = smart_access(way.smart, folder)
    return FhirSession(Server(way.url, access, way.file_origins, plain_loopback=True), client, clock)


def sql_source(source: SourceFile, way: Sql, folder: Path) -> SqlSource:
    """What the database is asked for; its address, which holds a password, comes from a file. ``CannotPull``."""
    from xinglin.feeds.sql_model import SqlSource

    return SqlSource(
        source.name, first_line(folder / way.url_file), way.table, way.query, way.watermark, int(way.overlap_s),
        order=way.order, rows=way.rows, strict=way.strict, retention=source.retention,
    )  # fmt: skip


def first_line(path: Path) -> str:
    """The secret in a file; raises ``CannotPull`` with the file's name and nothing of what it holds."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.readline(SECRET_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotPull(f"The file {path.name} cannot be read.", remedy="Put it into the node's folder.") from error
    if not text:
        raise CannotPull(f"The file {path.name} is empty.", remedy="Its first line is the secret.")
    return text


async def _stoppable(work: Coroutine[Any, Any, T], turn: Turn) -> T:
    """Do the work, and look meanwhile whether it is still wanted: it is broken off where it waits."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait((task,), timeout=CHECK_S))[0]:
            turn.check()
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))


def may_go_well(error: XinglinError) -> bool:
    """Whether it may go well a little later by itself."""
    return isinstance(error, NotKept) or error.code in (
        "feeds.fhir_away", "feeds.sql_unavailable", "stores.unavailable", "stores.full", "stores.raw_unavailable",
    )  # fmt: skip
