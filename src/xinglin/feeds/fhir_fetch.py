"""Single resources of a FHIR server, asked for by reference: what a notification named and did not carry."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec

from xinglin.feeds.fhir_errors import ServerRefused
from xinglin.feeds.fhir_push import FHIR_JSON, deletion
from xinglin.feeds.fhir_session import FhirSession
from xinglin.intake.ports import Kept, Received

_CRITERIA = re.compile(r"/?([A-Z][A-Za-z]{1,63})(?:\?|$)").match
Keep = Callable[[Received], Awaitable[Kept]]


class _Filter(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    resource: str = ""


class _Subscription(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    criteria: str = ""
    filter_by: list[_Filter] = []


class FhirFetch:
    """Reads single resources of one server for the feed ``source``."""

    def __init__(self, session: FhirSession, source: str, keep: Keep, *, retention: str = "inpatient") -> None:
        self._session, self._source, self._keep, self._retention = session, source, keep, retention

    async def fetch(self, kind: str, id_: str) -> bool:
        """Read and keep ``kind/id_`` as it is now; whether it was there.

        A server that says 410 has deleted it, which is kept as a deletion; 404 is nothing that could be read. Raises
        ``ServerAway``, ``ServerRefused`` for any other no.
        """
        try:
            answer = await self._session.call("GET", f"{kind}/{id_}", headers={"Accept": FHIR_JSON})
        except ServerRefused as refused:
            if refused.status == 410:
                await self._hand_on(deletion(kind, id_), kind)
            if refused.status in (404, 410):
                return False
            raise
        await self._hand_on(answer.content, kind)
        return True

    async def kinds_of(self, subscription: str) -> tuple[str, ...]:
        """The types that a subscription of the server is about; none where it does not say.

        R4: its ``criteria``. R5: its filters; a topic is not looked into.
        """
        try:
            answer = await self._session.call("GET", f"Subscription/{subscription}", headers={"Accept": FHIR_JSON})
            found = msgspec.json.decode(answer.content, type=_Subscription)
        except (ServerRefused, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ()
        named = [one.resource_type or one.resource for one in found.filter_by]
        matches = [_CRITERIA(one) for one in (found.criteria, *(name.rpartition("/")[2] for name in named))]
        return tuple(dict.fromkeys(match[1] for match in matches if match is not None))

    async def _hand_on(self, body: bytes, kind: str) -> None:
        now = self._session.clock()
        await self._keep(Received(body, self._source, FHIR_JSON, now, self._retention, f"read {kind}"))
