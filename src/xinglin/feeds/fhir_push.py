"""Subscriptions that a FHIR server pushes (rest-hook): R4 payloads and notification bundles of R4B, R5 and Backport.

An answer of 200 means that the notification is durable here. Everything else is an OperationOutcome, and the server
sends again. A notification that names resources and does not carry them (``id-only``), or names none (``empty``),
says that something changed: ``changed`` is told what, and a puller asks for it.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from xinglin.feeds.fhir_errors import FhirFeedError
from xinglin.feeds.fhir_subscribing import Filter, outside
from xinglin.feeds.shown_secret import SECRET_CHARACTERS, ShownSecret, bearer_token
from xinglin.intake.errors import IntakeError
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit

log = logging.getLogger("xinglin.feeds.fhir_push")
NOTIFICATION_BYTES = Limit("notification size", 32 * 1024 * 1024, "bytes")
OPEN = Limit("notifications taken at once", 64, "notifications")
HEADER = b"x-subscription-secret"
FHIR_JSON = "application/fhir+json"
_MEDIA = ("application/fhir+json", "application/json")
_BEHIND = re.compile(r"(?:/([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64}))?/?").fullmatch
_REFERENCE = re.compile(
    r"(?:.*/)?([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?"
).fullmatch
NAMED = Limit("resources named by one notification", 10_000, "resources")
Keep = Callable[[Received], Awaitable[Kept]]


class Changed(msgspec.Struct, frozen=True):
    """What changed and was not sent. ``resources``: type and id of what was named; ``subscriptions``: ids of those
    that it matched, where nothing was named; neither: anything may have changed.
    """

    resources: tuple[tuple[str, str], ...] = ()
    subscriptions: tuple[str, ...] = ()


class Subscription(msgspec.Struct, frozen=True):
    """One endpoint: ``POST path`` and ``PUT path/Type/id``, with the secret in a header or as a bearer token.

    ``secret``: what ``X-Subscription-Secret`` or ``Authorization: Bearer`` has to say. ``path`` begins with a slash
    and ends without one. ``source``: the feed's name. ``filters``: what the server was asked for: more is taken all
    the same, and counted.
    """

    path: str
    source: str
    secret: str
    retention: str = "inpatient"
    filters: tuple[Filter, ...] = ()

    def __repr__(self) -> str:
        return f"Subscription(path={self.path!r}, source={self.source!r}, secret=***)"


class _No(Exception):
    """An answer that is not 200: status, FHIR issue code, words."""

    def __init__(self, status: int, issue: str, words: str) -> None:
        super().__init__(words)
        self.status, self.issue, self.words = status, issue, words


class SubscriptionDoor:
    """The ASGI application of the endpoints; anything else is not found.

    ``keep`` makes a notification durable. ``changed`` is told a source, and what changed there that was not sent; it
    is answered once that returns.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        keep: Keep,
        clock: Clock,
        *,
        changed: Callable[[str, Changed], Awaitable[None]] | None = None,
    ) -> None:
        for each in subscriptions:
            if len(each.secret) < SECRET_CHARACTERS or not each.path.startswith("/") or each.path.endswith("/"):
                remedy = f"Give a secret of at least {SECRET_CHARACTERS} characters and a path like /fhir/his."
                raise FhirFeedError("A subscription's endpoint is not safe to open.", remedy=remedy)
        self._subscriptions, self._keep = tuple(subscriptions), keep
        self._secrets = tuple(ShownSecret(each.secret) for each in subscriptions)
        self._clock, self._changed, self._open = clock, changed, 0
        self.notifications = self.resources = self.outside = 0
        """What was taken since the start; ``outside``: resources of types that no filter asks for."""

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
            if behind is None:
                raise _No(400, "invalid", "A deletion names the resource in its address.")
            body, behind = deletion(*behind), None
        elif body.strip():
            _check_media(headers)
        changed = _not_sent(body, behind) if body.strip() else Changed((behind,) if behind else ())
        if body.strip():
            now, label = self._clock(), "notification"
            await self._keep(Received(body, subscription.source, FHIR_JSON, now, subscription.retention, label))
        if changed is not None and self._changed is not None:
            await self._changed(subscription.source, changed)
        if subscription.filters:
            self._count(_kinds(body) if body.strip() else {}, changed, subscription.filters)

    def _count(self, kinds: Mapping[str, int], changed: Changed | None, filters: Sequence[Filter]) -> None:
        found = Counter(kinds) + Counter(kind for kind, _ in (changed.resources if changed is not None else ()))
        self.notifications += 1
        self.resources += found.total()
        self.outside += outside(found, filters)

    def _found(self, path: str, headers: dict[bytes, bytes]) -> tuple[Subscription, tuple[str, str] | None]:
        given = headers.get(HEADER, b"") or bearer_token(headers)
        allowed, found = False, None
        for each, secret in zip(self._subscriptions, self._secrets, strict=True):
            # Every secret is compared, so that the time tells neither which path exists nor whose secret it was.
            same = secret.is_shown(given)
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


class _Reference(msgspec.Struct, frozen=True):
    reference: str = ""


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A parameter of the Backport's status."""

    name: str = ""
    value_code: str = ""
    value_reference: _Reference = _Reference()
    part: list[_Part] = []


class _Event(msgspec.Struct, frozen=True):
    focus: _Reference = _Reference()


class _Head(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str
    id: str = ""


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    """A notification's own status: of R4B and R5, or the Parameters of the R4 Backport."""

    type: str = ""
    subscription: _Reference = _Reference()
    notification_event: list[_Event] = []
    parameter: list[_Part] = []


class _Request(msgspec.Struct, frozen=True):
    method: str = ""
    url: str = ""


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    resource: msgspec.Raw = msgspec.Raw()
    full_url: str = ""
    request: _Request = _Request()


class _Any(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str
    id: str = ""
    entry: list[_Entry] = []


def _not_sent(body: bytes, behind: tuple[str, str] | None) -> Changed | None:
    """What a notification tells of and does not carry; None where it carries all; ``_No`` for what is no FHIR JSON."""
    try:
        found = msgspec.json.decode(body, type=_Any)
        if behind is not None and behind != (found.resource_type, found.id):
            raise _No(400, "invalid", "The resource is another one than its address says.")
        return _untold(found.entry) if found.resource_type == "Bundle" else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _No(400, "structure", "The notification is not a FHIR resource in JSON.") from None


def _untold(entries: Sequence[_Entry]) -> Changed | None:
    heads = [msgspec.json.decode(one.resource, type=_Head) if bytes(one.resource) else None for one in entries]
    leads = bool(heads) and heads[0] is not None and heads[0].resource_type in ("SubscriptionStatus", "Parameters")
    status = msgspec.json.decode(entries[0].resource, type=_Status) if leads else _Status()
    rest, sent = entries[leads:], {(one.resource_type, one.id) for one in heads[leads:] if one is not None}
    gone = {_where(one) for one in rest if one.request.method == "DELETE"}
    bare = [_where(one) for one in rest if not bytes(one.resource) and one.request.method != "DELETE"]
    anything = Changed((), tuple(dict.fromkeys(_subscriptions(status))))
    if None in bare:
        return anything
    named = dict.fromkeys(one for one in (*bare, *_focused(status)) if one is not None and one not in sent | gone)
    if len(named) > NAMED.value:
        raise _No(413, "too-costly", f"A notification names at most {NAMED.value:,} {NAMED.unit}.")
    if named:
        return Changed(tuple(named))
    return None if rest or _kind(status) in ("heartbeat", "handshake") else anything


def _kinds(body: bytes) -> dict[str, int]:
    """The resources that a notification carries, by type: its own status apart, and deletions too."""
    found = msgspec.json.decode(body, type=_Any)
    if found.resource_type != "Bundle":
        return {found.resource_type: 1}
    kinds: Counter[str] = Counter()
    for one in found.entry:
        if bytes(one.resource):
            kinds[msgspec.json.decode(one.resource, type=_Head).resource_type] += 1
        elif one.request.method == "DELETE" and (named := _where(one)) is not None:
            kinds[named[0]] += 1
    return {kind: count for kind, count in kinds.items() if kind not in ("SubscriptionStatus", "Parameters")}


def _where(entry: _Entry) -> tuple[str, str] | None:
    return _reference(entry.full_url) or _reference(entry.request.url)


def _focused(status: _Status) -> Iterator[tuple[str, str] | None]:
    yield from (_reference(one.focus.reference) for one in status.notification_event)
    events = (one for one in status.parameter if one.name == "notification-event")
    yield from (
        _reference(one.value_reference.reference) for event in events for one in event.part if one.name == "focus"
    )


def _kind(status: _Status) -> str:
    return status.type or next((one.value_code for one in status.parameter if one.name == "type"), "")


def _subscriptions(status: _Status) -> Iterator[str]:
    told = [one.value_reference.reference for one in status.parameter if one.name == "subscription"]
    for text in (status.subscription.reference, *told):
        found = _reference(text)
        if found is not None and found[0] == "Subscription":
            yield found[1]


def _reference(text: str) -> tuple[str, str] | None:
    """Type and id of a reference, whatever server it names: only the source's own is ever asked."""
    match = _REFERENCE(text)
    return (match[1], match[2]) if match is not None else None


def deletion(kind: str, id_: str) -> bytes:
    """A resource's end as the readers take it."""
    entry = {"request": {"method": "DELETE", "url": f"{kind}/{id_}"}}
    return msgspec.json.encode({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})


def _outcome(severity: str, code: str, words: str) -> bytes:
    issue = {"severity": severity, "code": code, "diagnostics": words}
    return msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [issue]})
