"""What a FHIR server counts of a day: ``_summary=count``, and the ids where the difference is to be named.

A server that passes over the day's parameter would count everything: what it says that it understood (the bundle's
own link) is looked at, and such a count is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from xinglin.feeds.fhir_errors import BadAnswer
from xinglin.feeds.fhir_session import FhirSession
from xinglin.kernel.limits import Limit

COUNTED: Mapping[str, tuple[str, str, bool]] = MappingProxyType(
    {
        "visit": ("Encounter", "date", True),
        "diagnosis": ("Condition", "recorded-date", False),
        "result": ("Observation", "date", True),
        "report": ("DiagnosticReport", "issued", False),
        "order": ("MedicationRequest", "authoredon", False),
        "operation": ("Procedure", "date", True),
        "study": ("ImagingStudy", "started", False),
    }
)
"""What is counted: its type, the search parameter of its moment, and whether that may be a period (R4, R5).

A period counts on the day that it starts: ``sa`` (starts after) and not ``ge``, which periods that go on would meet.
"""
PAGE, PAGES = 500, Limit("pages of one day", 20_000, "pages")
IDLE_PAGES = Limit("pages in a row without anything new", 20, "pages")
_HEADERS = {"Accept": "application/fhir+json", "Prefer": "handling=strict"}


class _Link(msgspec.Struct):
    relation: str
    url: str


class _Resource(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    id: str = ""


class _Entry(msgspec.Struct):
    resource: _Resource | None = None


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str
    total: int | None = None
    link: list[_Link] = []
    entry: list[_Entry] = []


class FhirCounter:
    """Counts at one server. Days are given by their first instant and the next day's, both with a zone."""

    def __init__(self, session: FhirSession) -> None:
        self._session = session

    async def count(self, kind: str, first: datetime, following: datetime) -> int:
        """Resources of ``kind`` (of ``COUNTED``) of a day. Raises ``FhirFeedError``."""
        asked = [*_day(kind, first, following), ("_summary", "count")]
        page = await self._page(kind, f"{COUNTED[kind][0]}?{urlencode(asked)}", first_page=True)
        if page.total is None:
            raise BadAnswer("The server does not say how many there are.", remedy="Reconcile with --count or --keys.")
        return page.total

    async def keys(self, kind: str, first: datetime, following: datetime, limit: int = 1_000_000) -> tuple[str, ...]:
        """Their ids, page after page; at most one more than ``limit``: whoever takes no more refuses it."""
        asked = [*_day(kind, first, following), ("_elements", "id"), ("_count", str(PAGE))]
        path = f"{COUNTED[kind][0]}?{urlencode(asked)}"
        found: dict[str, None] = {}
        fresh = 0
        for number in range(PAGES.value):
            page = await self._page(kind, path, first_page=not number)
            own = (one.resource for one in page.entry if one.resource is not None)
            before = len(found)
            found |= dict.fromkeys(one.id for one in own if one.resource_type == COUNTED[kind][0] and one.id)
            fresh = number if len(found) > before else fresh
            if number - fresh > IDLE_PAGES.value:
                break
            path = next((one.url for one in page.link if one.relation == "next"), "")
            if not path or len(found) > limit:
                return tuple(found)[: limit + 1]
        raise BadAnswer("A day has pages without end.")

    async def _page(self, kind: str, path: str, *, first_page: bool) -> _Bundle:
        answer = await self._session.call("GET", path, headers=_HEADERS)
        try:
            page = msgspec.json.decode(answer.content, type=_Bundle)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswer("A count is not a FHIR bundle.") from error
        if page.resource_type != "Bundle":
            raise BadAnswer("A count is not a FHIR bundle.")
        understood = next((one.url for one in page.link if one.relation == "self"), "")
        if first_page and understood and COUNTED[kind][1] not in parse_qs(urlsplit(understood).query):
            raise BadAnswer("The server does not search by day.", remedy="Reconcile with --count or --keys.")
        return page


def _day(kind: str, first: datetime, following: datetime) -> list[tuple[str, str]]:
    _, parameter, period = COUNTED[kind]
    if period:
        before = datetime.fromtimestamp(first.timestamp() - 0.001, first.tzinfo)
        begin = "sa" + before.isoformat(timespec="milliseconds")
    else:
        begin = "ge" + first.isoformat(timespec="milliseconds")
    return [(parameter, begin), (parameter, "lt" + following.isoformat(timespec="milliseconds"))]
