"""Subscriptions that a FHIR server pushes (rest-hook): R4 payloads and notification bundles of R4B, R5 and Backport.

An answer of 200 means that the notification is durable here. Everything else is an OperationOutcome, and the server
sends again. A notification without resources says that something changed: ``changed`` is called, and a puller looks.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from xinglin.feeds.fhir_errors import FhirFeedError
from xinglin.intake.errors import IntakeError
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit

log = logging.getLogger("xinglin.feeds.fhir_push")
NOTIFICATION_BYTES = Limit("notification size", 32 * 1024 * 1024, "bytes")
OPEN = Limit("notifications taken at once", 64, "notifications")
SECRET_CHARACTERS = 24
HEADER = b"x-subscription-secret"
FHIR_JSON = "application/fhir+json"
_MEDIA = ("application/fhir+json", "application/json")
_BEHIND = re.compile(r"(?:/([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64}))?/?").fullmatch
Keep = Callable[[Received], Awaitable[Kept]]


class Subscription(msgspec.Struct, frozen=True):
    """One endpoint: ``POST path`` and ``PUT path/Type/id``, with the secret in a header or as a bearer token.

    ``secret``: what ``X-Subscription-Secret`` or ``Authorization: Bearer`` has to say. ``path`` begins with a slash
    and ends without one. ``source``: the feed's name.
    """

    path: str
    source: str
    secret: str
    retention: str = "inpatient"

    def __repr__(self) -> str:
        return f"Subscription(path={self.path!r}, source={self.source!r}, secret=***)"


class _No(Exception):
    """An answer that is not 200: status, FHIR issue code, words."""

    def __init__(self, status: int, issue: str, words: str) -> None:
        super().__init__(words)
        self.status, self.issue, self.words = status, issue, words


class SubscriptionDoor:
    """The ASGI application of the endpoints; anything else is not found.

    ``keep`` makes a notification durable. ``changed`` is told a source when something changed that was not sent.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        keep: Keep,
        clock: Clock,
        *,
        changed: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        for each in subscriptions:
            if len(each.secret) < SECRET_CHARACTERS or not each.path.startswith("/") or each.path.endswith("/"):
                remedy = f"Give a secret of at least {SECRET_CHARACTERS} characters and a path like /fhir/his."
                raise FhirFeedError("A subscription's endpoint is not safe to open.", remedy=remedy)
        self._subscriptions, self._keep = tuple(subscriptions), keep
        self._clock, self._changed, self._open = clock, changed, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        self._open += 1
        try:
            await self._take(scope, receive)
            status, body = 200, _outcome("information", "informational", "Taken.")
        except _No as no:
            status, body = no.status, _outcome("error", no.issue, no.words)
        except IntakeError as error:
            log.warning("a notification was not kept: %s", error.code)
            status, body = 503, _outcome("error", "no-store", "The notification was not kept. Send it again.")
        finally:
            self._open -= 1
        headers = [(b"content-type", FHIR_JSON.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(b"retry-after", b"5")] if status == 503 else []
        headers += [(b"www-authenticate", b"Bearer")] if status == 401 else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _take(self, scope: Any, receive: Any) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        subscription, behind = self._found(scope["path"], headers)
        if self._open > OPEN.value:
            raise _No(503, "throttled", "Too many notifications at once.")
        method = scope["method"]
        if method not in ("POST", "PUT", "DELETE"):
            raise _No(405, "not-supported", "Notifications come by POST or PUT.")
        body = await _read(receive, headers)
        if method == "DELETE":
            body, behind = _deletion(behind), None
        elif body.strip():
            _check_media(headers)
        told = _resources_in(body, behind) if body.strip() else 0
        if body.strip():
            now, label = self._clock(), "notification"
            await self._keep(Received(body, subscription.source, FHIR_JSON, now, subscription.retention, label))
        if not told and self._changed is not None:
            await self._changed(subscription.source)

    def _found(self, path: str, headers: dict[bytes, bytes]) -> tuple[Subscription, tuple[str, str] | None]:
        given = headers.get(HEADER, b"")
        if not given and headers.get(b"authorization", b"")[:7].lower() == b"bearer ":
            given = headers[b"authorization"][7:].strip()
        digest, allowed, found = hashlib.sha256(given).digest(), False, None
        for each in self._subscriptions:
            # Every secret is compared, so that the time tells neither which path exists nor whose secret it was.
            same = hmac.compare_digest(digest, hashlib.sha256(each.secret.encode()).digest())
            form = _BEHIND(path[len(each.path) :]) if path.startswith(each.path) else None
            if form is not None:
                found, allowed = (each, (form[1], form[2]) if form[1] else None), same
        if found is None or not allowed:
            raise _No(401, "login", "The secret of this endpoint is missing or wrong.")
        return found


async def _read(receive: Any, headers: dict[bytes, bytes]) -> bytes:
    told = headers.get(b"content-length", b"0")
    if told.isdigit() and int(told) > NOTIFICATION_BYTES.value:
        raise _No(413, "too-long", f"A notification is limited to {NOTIFICATION_BYTES.value:,} bytes.")
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _No(400, "incomplete", "The connection ended within a notification.")
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > NOTIFICATION_BYTES.value:
            raise _No(413, "too-long", f"A notification is limited to {NOTIFICATION_BYTES.value:,} bytes.")
        more = event.get("more_body", False)
    return b"".join(parts)


def _check_media(headers: dict[bytes, bytes]) -> None:
    kind, _, rest = headers.get(b"content-type", b"").decode("latin-1").partition(";")
    if kind.strip().lower() not in _MEDIA:
        raise _No(415, "not-supported", "A notification is FHIR JSON.")
    if "charset" in rest.lower() and "utf-8" not in rest.lower():
        raise _No(415, "not-supported", "FHIR JSON is UTF-8.")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise _No(415, "not-supported", "A notification comes uncompressed.")


class _Any(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str = ""
    entry: list[_Entry] = []


class _Entry(msgspec.Struct):
    resource: _Inner | None = None


class _Inner(msgspec.Struct, rename="camel"):
    resource_type: str


def _resources_in(body: bytes, behind: tuple[str, str] | None) -> int:
    """How many resources a notification carries, its own status apart; ``_No`` for what is no FHIR JSON."""
    try:
        found = msgspec.json.decode(body, type=_Any)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _No(400, "structure", "The notification is not a FHIR resource in JSON.") from None
    if behind is not None and behind != (found.resource_type, found.id):
        raise _No(400, "invalid", "The resource is another one than its address says.")
    if found.resource_type != "Bundle":
        return 1
    kinds = [each.resource.resource_type for each in found.entry if each.resource is not None]
    status = bool(kinds) and kinds[0] in ("SubscriptionStatus", "Parameters")
    beat = status and len(found.entry) == 1
    return 1 if beat else len(kinds) - status


def _deletion(behind: tuple[str, str] | None) -> bytes:
    if behind is None:
        raise _No(400, "invalid", "A deletion names the resource in its address.")
    entry = {"request": {"method": "DELETE", "url": "/".join(behind)}}
    return msgspec.json.encode({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})


def _outcome(severity: str, code: str, words: str) -> bytes:
    issue = {"severity": severity, "code": code, "diagnostics": words}
    return msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [issue]})
