"""FHIR Bulk Data Access 2.0: ask a server to export, wait, fetch the files, line by line, and go on after a crash.

The state of an export is a value that the caller keeps; ``save`` is called with each new one, and an export goes on
from any of them. What a state says was kept, the intake has kept before. Files are handed on in parts that end with
a line; a file that is fetched anew is skipped as far as it was kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
import msgspec
from msgspec.structs import replace

from xinglin.feeds.fhir_errors import BadAnswer, ExportExpired, ServerAway, ServerRefused
from xinglin.feeds.fhir_session import ATTEMPTS, FhirSession, retry_after
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.limits import Limit

PART_BYTES = Limit("part of an exported file", 8 * 1024 * 1024, "bytes")
LINE_BYTES = Limit("line of an exported file", 24 * 1024 * 1024, "bytes")
MANIFEST_BYTES = Limit("manifest size", 16 * 1024 * 1024, "bytes")
MANIFEST_FILES = Limit("files of an export", 100_000, "files")
POLLS = Limit("questions for one export's status", 100_000, "questions")
NDJSON = "application/fhir+ndjson"
_GONE = frozenset((401, 403, 404, 410))
Keep = Callable[[Received], Awaitable[Kept]]


class ExportFile(msgspec.Struct, frozen=True):
    """One file of a manifest. ``kept_bytes`` of it were handed on; ``mark`` is the ETag under which that was."""

    url: str
    kind: Literal["output", "deleted", "error"] = "output"
    type: str = ""
    kept_bytes: int = 0
    parts: int = 0
    mark: str = ""
    done: bool = False


class ExportState(msgspec.Struct, frozen=True):
    """Where an export stands. ``version`` 1; members are only ever added.

    ``scope``: ``""`` (the whole server), ``Patient`` or ``Group/ID``. ``since``: only what changed after this instant
    (FHIR text). ``as_of``: the instant that the server's answer holds for, which is the next export's ``since``.
    """

    scope: str = ""
    types: tuple[str, ...] = ()
    since: str = ""
    status_url: str = ""
    as_of: str = ""
    with_token: bool = True
    files: tuple[ExportFile, ...] = ()
    phase: Literal["new", "waiting", "fetching", "done", "cancelled"] = "new"
    version: int = 1

    def next(self) -> ExportState:
        """The export after this one: what changed since."""
        return ExportState(self.scope, self.types, self.as_of or self.since)


class _Listed(msgspec.Struct):
    url: str
    type: str = ""


class _Manifest(msgspec.Struct, rename="camel"):
    transaction_time: str
    requires_access_token: bool
    output: list[_Listed]
    deleted: list[_Listed] = []
    error: list[_Listed] = []


class BulkExport:
    """Runs exports of one server for the feed ``source``.

    ``progress`` gets the server's own words about how far it is (``X-Progress``), which are not logged.
    """

    def __init__(
        self,
        session: FhirSession,
        source: str,
        keep: Keep,
        save: Callable[[ExportState], None],
        *,
        progress: Callable[[str], None] = lambda words: None,
        retention: str = "inpatient",
    ) -> None:
        self._session, self._source, self._keep, self._save = session, source, keep, save
        self._progress, self._retention = progress, retention

    async def run(self, state: ExportState) -> ExportState:
        """Bring an export to its end from wherever it stands; the state of phase ``done``.

        Raises ``ServerAway`` (try later, with the last saved state), ``ExportExpired`` (begin anew, with a new state),
        ``ServerRefused``, ``UnsafeAddress`` or ``BadAnswer``; whatever ``keep`` raises goes through.
        """
        if state.phase == "new":
            state = await self._ask(state)
        if state.phase == "waiting":
            state = await self._wait(state)
        renewed = False
        while state.phase == "fetching":
            try:
                state = await self._fetch_all(state)
            except ExportExpired:
                # Signed addresses end before the export does: its manifest is asked for once more.
                if renewed:
                    raise
                state, renewed = _carry_on(state, await self._wait(replace(state, phase="waiting"))), True
                self._save(state)
        return state

    async def cancel(self, state: ExportState) -> ExportState:
        """Tell the server that the export is no longer wanted, and to delete what it made."""
        if state.status_url and state.phase in ("waiting", "fetching", "done"):
            accepted = frozenset((200, 202, 204, 404, 410))
            await self._session.call("DELETE", state.status_url, expect=accepted)
        return self._saved(replace(state, phase="cancelled"))

    def _saved(self, state: ExportState) -> ExportState:
        self._save(state)
        return state

    async def _ask(self, state: ExportState) -> ExportState:
        given = {"_outputFormat": NDJSON, "_type": ",".join(state.types), "_since": state.since}
        path = f"{state.scope}/$export" if state.scope else "$export"
        path += "?" + urlencode({name: value for name, value in given.items() if value})
        headers = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
        answer = await self._session.call("GET", path, headers=headers, expect=frozenset((202,)))
        place = answer.headers.get("content-location", "")
        if not place:
            raise BadAnswer("The server accepted an export and did not say where it will be.")
        return self._saved(replace(state, status_url=self._session.address(place), phase="waiting"))

    async def _wait(self, state: ExportState) -> ExportState:
        headers = {"Accept": "application/json"}
        for _ in range(POLLS.value):
            try:
                answer = await self._session.call(
                    "GET", state.status_url, headers=headers, expect=frozenset((200, 202))
                )
            except ServerRefused as refused:
                if refused.status in (404, 410):
                    raise ExportExpired("The server no longer has the export.", remedy="Ask for it anew.") from refused
                raise
            if answer.status == 200:
                return self._saved(self._listed(state, answer.content))
            self._progress(answer.headers.get("x-progress", "")[:100])
            await self._session.sleep(retry_after(answer.headers.get("retry-after"), self._session.clock(), 5.0))
        raise ServerAway("The export did not end.", remedy="Ask the server's administrator; cancel it.")

    def _listed(self, state: ExportState, body: bytes) -> ExportState:
        MANIFEST_BYTES.check(len(body))
        try:
            manifest = msgspec.json.decode(body, type=_Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadAnswer("The export's manifest is not one of FHIR Bulk Data.") from error
        token = manifest.requires_access_token
        files = [
            ExportFile(self._session.file_address(each.url, token), kind, each.type)
            for kind, listed in _kinds(manifest)
            for each in listed
        ]
        MANIFEST_FILES.check(len(files))
        return replace(state, as_of=manifest.transaction_time, with_token=token, files=tuple(files), phase="fetching")

    async def _fetch_all(self, state: ExportState) -> ExportState:
        for number in range(len(state.files)):
            for attempt in range(ATTEMPTS.value):
                if state.files[number].done:
                    break
                try:
                    async for file in self._fetch(state, state.files[number]):
                        files = (*state.files[:number], file, *state.files[number + 1 :])
                        state = self._saved(replace(state, files=files))
                except httpx.TransportError:
                    await self._session.sleep(float(2**attempt))
                except ServerRefused as refused:
                    if refused.status in _GONE:
                        raise ExportExpired("A file of the export is gone.") from refused
                    raise
            if not state.files[number].done:
                raise ServerAway("A file of the export could not be fetched.", remedy="Go on later from this state.")
        return self._saved(replace(state, phase="done"))

    async def _fetch(self, state: ExportState, file: ExportFile) -> AsyncIterator[ExportFile]:
        headers = {"Accept": NDJSON, "Accept-Encoding": "identity"}
        if file.kept_bytes:
            headers["Range"] = f"bytes={file.kept_bytes}-"
            headers |= {"If-Range": file.mark} if file.mark else {}
        url = self._session.file_address(file.url, state.with_token)
        wanted = frozenset((200, 206, 416)) if file.kept_bytes else frozenset((200,))
        async with self._session.stream("GET", url, state.with_token, headers=headers, expect=wanted) as answer:
            if answer.status_code == 416:
                yield replace(file, done=True)
                return
            file, skip = _from_where(file, answer)
            async with contextlib.aclosing(_cut(answer.aiter_bytes(), skip)) as parts:
                async for part in parts:
                    await self._hand_on(file, part)
                    file = replace(file, kept_bytes=file.kept_bytes + len(part), parts=file.parts + 1)
                    yield file
        yield replace(file, done=True)

    async def _hand_on(self, file: ExportFile, part: bytes) -> None:
        if part.strip():
            label = f"{file.kind} {file.type} {file.parts + 1}"
            now = self._session.clock()
            await self._keep(Received(part, self._source, NDJSON, now, self._retention, label))


def _kinds(manifest: _Manifest) -> tuple[tuple[Any, list[_Listed]], ...]:
    return (("output", manifest.output), ("deleted", manifest.deleted), ("error", manifest.error))


def _carry_on(old: ExportState, new: ExportState) -> ExportState:
    """What was kept of the files before, where the new manifest lists the same ones."""
    if [(f.kind, f.type) for f in old.files] != [(f.kind, f.type) for f in new.files] or old.as_of != new.as_of:
        return new
    return replace(new, files=tuple(replace(f, url=n.url) for f, n in zip(old.files, new.files, strict=True)))


def _from_where(file: ExportFile, answer: httpx.Response) -> tuple[ExportFile, int]:
    """The file as it stands, and how many bytes of the answer were kept before."""
    mark = answer.headers.get("etag", "")
    mark = "" if mark.startswith("W/") else mark
    if answer.status_code == 206:
        start = answer.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
        if start != str(file.kept_bytes):
            raise BadAnswer("The server sent another part of a file than was asked for.")
        return file, 0
    if file.kept_bytes and file.mark and mark != file.mark:
        # Another content under the same address: from its start. What it repeats is kept once, by its digest.
        return replace(file, kept_bytes=0, mark=mark), 0
    return replace(file, mark=mark), file.kept_bytes


async def _cut(chunks: AsyncIterator[bytes], skip: int) -> AsyncGenerator[bytes, None]:
    """Parts that end with the first line at or after ``PART_BYTES``, the last one with the file.

    Where a part ends depends on where it begins and on nothing else: what is fetched twice has the same digests.
    """
    held = bytearray()
    async for chunk in chunks:
        held += chunk[skip:]
        skip = max(0, skip - len(chunk))
        while len(held) >= PART_BYTES.value:
            end = held.find(b"\n", PART_BYTES.value - 1) + 1
            if not end and len(held) < LINE_BYTES.value:
                break
            end = end if 0 < end <= LINE_BYTES.value else LINE_BYTES.value
            yield bytes(held[:end])
            del held[:end]
    if held:
        yield bytes(held)
