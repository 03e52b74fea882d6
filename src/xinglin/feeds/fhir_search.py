"""What changed on a FHIR server that has no ``$export``: searched type by type, page after page, by ``_lastUpdated``.

A page is kept as it came. A server may show a change late (a long transaction), so the next search begins
``OVERLAP_MS`` before the newest change seen, and a page of nothing but what was seen is not kept again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from xinglin.feeds.fhir_errors import BadAnswer
from xinglin.feeds.fhir_session import FhirSession
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant, from_text, to_text
from xinglin.kernel.limits import Limit

PAGE_RESOURCES = Limit("resources of one page", 500, "resources")
PAGE_BYTES = Limit("page size", 128 * 1024 * 1024, "bytes")
PAGES = Limit("pages of one search", 200_000, "pages")
SEEN = Limit("changes remembered between two searches", 20_000, "changes")
OVERLAP_MS = 60_000
Keep = Callable[[Received], Awaitable[Kept]]


class SearchState(msgspec.Struct, frozen=True):
    """Where the search of one type stands. ``version`` 1; members are only ever added.

    ``newest``: the newest change seen (milliseconds). ``next_url``: the page to go on with, empty between searches.
    ``seen``: digests of the changes within the overlap.
    """

    type: str
    newest: Instant = 0
    next_url: str = ""
    seen: tuple[str, ...] = ()
    version: int = 1


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    last_updated: str = ""
    version_id: str = ""


class _Resource(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str = ""
    id: str = ""
    meta: _Meta = _Meta()


class _Link(msgspec.Struct):
    relation: str
    url: str


class _Entry(msgspec.Struct, frozen=True):
    resource: _Resource = _Resource()


class _Page(msgspec.Struct, rename="camel"):
    resource_type: str
    link: list[_Link] = []
    entry: list[_Entry] = []


class FhirSearch:
    """Pulls changes of one server for the feed ``source``."""

    def __init__(
        self,
        session: FhirSession,
        source: str,
        keep: Keep,
        save: Callable[[SearchState], None],
        *,
        retention: str = "inpatient",
    ) -> None:
        self._session, self._source, self._keep, self._save = session, source, keep, save
        self._retention = retention

    async def pull(self, state: SearchState) -> SearchState:
        """Everything that changed since, to the last page; the state to begin with next time.

        Raises ``ServerAway``, ``ServerRefused``, ``UnsafeAddress`` (a next page elsewhere) or ``BadAnswer``.
        """
        if not state.type.isalpha():
            raise BadAnswer("A search is for one resource type.")
        seen: dict[str, Instant] = dict.fromkeys(state.seen, state.newest)
        path = state.next_url or self._first(state)
        for _ in range(PAGES.value):
            answer = await self._session.call("GET", path, headers={"Accept": "application/fhir+json"})
            page = _parsed(answer.content)
            found = _changes(page)
            if found.keys() - seen.keys():
                await self._hand_on(state.type, answer.content)
            seen |= found
            path = next((link.url for link in page.link if link.relation == "next"), "")
            following = self._session.address(path) if path else ""
            state = _moved(state, max(found.values(), default=0), following, seen)
            self._save(state)
            if not path:
                return state
        raise BadAnswer("A search has pages without end.")

    def _first(self, state: SearchState) -> str:
        given = {"_count": str(PAGE_RESOURCES.value), "_sort": "_lastUpdated"}
        if state.newest:
            given["_lastUpdated"] = "gt" + to_text(max(0, state.newest - OVERLAP_MS))
        return f"{state.type}?{urlencode(given)}"

    async def _hand_on(self, kind: str, body: bytes) -> None:
        now = self._session.clock()
        await self._keep(Received(body, self._source, "application/fhir+json", now, self._retention, f"search {kind}"))


def _moved(state: SearchState, newest: Instant, following: str, seen: dict[str, Instant]) -> SearchState:
    newest = max(newest, state.newest)
    late = [digest for digest, at in seen.items() if at >= newest - OVERLAP_MS]
    return replace(state, newest=newest, next_url=following, seen=tuple(late[-SEEN.value :]))


def _parsed(body: bytes) -> _Page:
    PAGE_BYTES.check(len(body))
    try:
        page = msgspec.json.decode(body, type=_Page)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer("A page of a search is not a FHIR bundle.") from error
    if page.resource_type != "Bundle":
        raise BadAnswer("A page of a search is not a FHIR bundle.")
    return page


def _changes(page: _Page) -> dict[str, Instant]:
    found: dict[str, Instant] = {}
    for entry in page.entry:
        one = entry.resource
        if one.resource_type and one.resource_type != "OperationOutcome":
            text = f"{one.resource_type}/{one.id}/{one.meta.version_id}/{one.meta.last_updated}"
            found[hashlib.sha256(text.encode()).hexdigest()[:24]] = _instant(one.meta)
    return found


def _instant(meta: Any) -> Instant:
    try:
        return from_text(meta.last_updated) if meta.last_updated else 0
    except MalformedMessage:
        return 0
