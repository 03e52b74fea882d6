"""Pushed notifications: 200 means durable, all else is an OperationOutcome, and the secret comes first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.feeds import fhir_push
from xinglin.feeds.fhir_errors import FhirFeedError
from xinglin.feeds.fhir_push import NAMED, Changed, Subscription, SubscriptionDoor
from xinglin.intake.errors import NotKept
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.limits import Limit
from xinglin.records.fhir import FhirReader
from xinglin.records.model import ReadContext

SECRET = "a-secret-of-more-than-24-characters"
OTHER = "another-secret-of-24-characters-or-more"
JSON = {"Content-Type": "application/fhir+json", "X-Subscription-Secret": SECRET}
PATIENT = b'{"resourceType":"Patient","id":"1"}'
STATUS = {"resource": {"resourceType": "SubscriptionStatus", "type": "event-notification"}}


class Node:
    """What is kept; ``full``: nothing can be."""

    def __init__(self) -> None:
        self.kept, self.changed, self.full = list[Received](), list[str](), False
        self.what = list[Changed]()
        self.held: asyncio.Event | None = None

    async def keep(self, received: Received) -> Kept:
        if self.held is not None:
            await self.held.wait()
        if self.full:
            raise NotKept("The disk is full.")
        self.kept.append(received)
        return Kept("", 1, len(received.body), False, received.source, received.media_type, 0, "")

    async def tell(self, source: str, what: Changed) -> None:
        self.changed.append(source)
        self.what.append(what)

    def door(self) -> SubscriptionDoor:
        ends = (Subscription("/fhir/his", "his", SECRET), Subscription("/fhir/lis", "lis", OTHER))
        return SubscriptionDoor(ends, self.keep, lambda: 7, changed=self.tell)


@asynccontextmanager
async def calling(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(node.door()), base_url="http://node") as client:
        yield client


def bundle(*entries: Any, kind: str = "history") -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)}).encode()


@pytest.mark.parametrize("headers", [{"X-Subscription-Secret": SECRET}, {"Authorization": f"Bearer {SECRET}"}])
async def test_a_notification_is_kept_as_it_came(headers: dict[str, str]) -> None:
    node = Node()
    async with calling(node) as client:
        json_headers = {"Content-Type": "application/fhir+json; charset=utf-8", **headers}
        assert (await client.post("/fhir/his", content=PATIENT, headers=json_headers)).status_code == 200
        assert (await client.put("/fhir/his/Patient/1", content=PATIENT, headers=json_headers)).status_code == 200
        full = bundle(STATUS, {"resource": json.loads(PATIENT), "request": {"method": "PUT", "url": "Patient/1"}})
        assert (await client.post("/fhir/his", content=full, headers=json_headers)).status_code == 200
    assert [each.body for each in node.kept] == [PATIENT, PATIENT, full]
    assert {(each.source, each.media_type, each.received_at) for each in node.kept} == {
        ("his", "application/fhir+json", 7)
    }
    (part,) = FhirReader().read(full, ReadContext("his", 0))
    assert [each.body["id"] for each in part.resources] == ["1"]
    assert part.ignored == {"a notification's own status": 1}
    assert not node.changed


def status(kind: str, **more: Any) -> dict[str, Any]:
    """A notification's own status, of R5."""
    return {"resource": {"resourceType": "SubscriptionStatus", "type": kind, **more}}


def backport(kind: str, *events: dict[str, Any]) -> dict[str, Any]:
    """The same of the R4 Backport."""
    parameters = [
        {"name": "subscription", "valueReference": {"reference": "https://ehr.example/fhir/Subscription/s1"}},
        {"name": "topic", "valueCanonical": "http://x.example/topic"},
        {"name": "type", "valueCode": kind},
        *({"name": "notification-event", "part": [one]} for one in events),
    ]
    return {"resource": {"resourceType": "Parameters", "parameter": parameters}}


_KEYS = st.sampled_from(
    ["resourceType", "id", "type", "subscription", "reference", "notificationEvent", "focus", "parameter", "name",
     "part", "valueReference", "valueCode", "fullUrl", "request", "method", "url", "x"]
)  # fmt: skip
ONE, OTHER_ONE = ("Patient", "1"), ("Observation", "o-2")
FOCUS = {"notificationEvent": [{"eventNumber": "2", "focus": {"reference": "Observation/o-2"}}]}
EVENT = {"name": "focus", "valueReference": {"reference": "https://f.example/fhir/Observation/o-2/_history/3"}}
BARE = {"fullUrl": "http://f.example/Patient/1", "request": {"method": "PUT", "url": "Patient/1"}}
URN = {"fullUrl": "urn:uuid:7", "request": {"method": "POST", "url": "Patient"}}
GONE = {"fullUrl": "http://f.example/Observation/o-2", "request": {"method": "DELETE", "url": "Observation/o-2"}}
WHOLE = {"resource": json.loads(PATIENT), "request": {"method": "PUT", "url": "Patient/1"}}
MATCHED = Changed((), ("s1",))
TOLD: dict[str, tuple[bytes, Changed | None]] = {
    "R4 empty": (b"", Changed()),
    "R4 empty bundle": (bundle(), Changed()),
    "R5 id-only by entries": (bundle(status("event-notification"), BARE), Changed((ONE,))),
    "R5 id-only by focus": (bundle(status("event-notification", **FOCUS)), Changed((OTHER_ONE,))),
    "R5 one sent, one named": (bundle(status("event-notification", **FOCUS), WHOLE), Changed((OTHER_ONE,))),
    "R5 empty": (
        bundle(status("event-notification", subscription={"reference": "Subscription/s1"}, notificationEvent=[{}])),
        MATCHED,
    ),
    "R5 heartbeat": (bundle(status("heartbeat")), None),
    "R5 handshake": (bundle(status("handshake")), None),
    "R5 whole": (bundle(status("event-notification"), WHOLE), None),
    "R5 deletion": (bundle(status("event-notification", **FOCUS), GONE), None),
    "Backport id-only": (bundle(backport("event-notification", EVENT)), Changed((OTHER_ONE,))),
    "Backport empty": (bundle(backport("event-notification")), MATCHED),
    "Backport heartbeat": (bundle(backport("heartbeat")), None),
    "Backport without a usable address": (bundle(backport("event-notification"), URN), MATCHED),
}


@pytest.mark.parametrize(("body", "changed"), TOLD.values(), ids=TOLD.keys())
async def test_what_a_notification_does_not_carry_is_asked_for(body: bytes, changed: Changed | None) -> None:
    node = Node()
    async with calling(node) as client:
        assert (await client.post("/fhir/his", content=body, headers=JSON)).status_code == 200
    assert node.what == ([changed] if changed is not None else [])
    assert [each.body for each in node.kept] == ([body] if body else [])


async def test_an_empty_put_names_its_resource_and_too_many_names_are_refused() -> None:
    node = Node()
    many = [{"fullUrl": f"Patient/{n}"} for n in range(NAMED.value + 1)]
    async with calling(node) as client:
        assert (await client.put("/fhir/his/Patient/1", headers=JSON)).status_code == 200
        assert (await client.post("/fhir/his", content=bundle(*many[1:]), headers=JSON)).status_code == 200
        refused = await client.post("/fhir/his", content=bundle(*many), headers=JSON)
    assert node.what[0] == Changed((ONE,)) and len(node.what[1].resources) == NAMED.value
    assert refused.status_code == 413 and len(node.kept) == 1, "what was refused is not kept"


async def test_a_deletion_is_kept_as_one() -> None:
    node = Node()
    async with calling(node) as client:
        assert (await client.delete("/fhir/his/Observation/9", headers=JSON)).status_code == 200
        assert (await client.delete("/fhir/his", headers=JSON)).status_code == 400
    (part,) = FhirReader().read(node.kept[0].body, ReadContext("his", 0))
    assert part.resources[0].body == {"resourceType": "Observation", "id": "9", "status": "deleted"}


async def test_the_answer_waits_until_it_is_durable() -> None:
    node = Node()
    node.held = asyncio.Event()
    async with calling(node) as client:
        call = asyncio.create_task(client.post("/fhir/his", content=PATIENT, headers=JSON))
        await asyncio.sleep(0.05)
        assert not call.done()
        node.held.set()
        assert (await call).status_code == 200
        node.full = True
        refused = await client.post("/fhir/his", content=PATIENT, headers=JSON)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert refused.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/fhir/his", {}),
        ("/fhir/his", {"X-Subscription-Secret": ""}),
        ("/fhir/his", {"X-Subscription-Secret": SECRET[:-1]}),
        ("/fhir/his", {"X-Subscription-Secret": OTHER}),
        ("/fhir/his", {"Authorization": f"Basic {SECRET}"}),
        ("/fhir/lis", {"X-Subscription-Secret": SECRET}),
        ("/fhir/nowhere", {"X-Subscription-Secret": SECRET}),
        ("/fhir/hisses", {"X-Subscription-Secret": SECRET}),
    ],
)
async def test_without_the_endpoints_secret_nobody_is_heard(path: str, headers: dict[str, str]) -> None:
    node = Node()
    async with calling(node) as client:
        answer = await client.post(path, content=PATIENT, headers={"Content-Type": "application/fhir+json", **headers})
    assert answer.status_code == 401
    assert answer.json()["issue"][0]["code"] == "login"
    assert not node.kept


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"{}", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b'{"resourceType":"Bundle","entry":7}', {}, 400),
        (b'{"resourceType":"Bundle","entry":[{"resource":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}", {}, 400),
        (PATIENT, {"Content-Type": "application/fhir+xml"}, 415),
        (PATIENT, {"Content-Type": "application/fhir+json; charset=gb18030"}, 415),
        (PATIENT, {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_what_is_no_notification_is_refused_in_words(body: bytes, headers: dict[str, str], status: int) -> None:
    node = Node()
    async with calling(node) as client:
        answer = await client.post("/fhir/his", content=body, headers={**JSON, **headers})
        assert answer.status_code == status
        assert answer.json()["issue"][0]["severity"] == "error"
        assert (await client.get("/fhir/his", headers=JSON)).status_code == 405
        assert (await client.put("/fhir/his/Patient/2", content=PATIENT, headers=JSON)).status_code == 400
    assert not node.kept


async def test_a_notification_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_push, "NOTIFICATION_BYTES", Limit("notification size", len(PATIENT), "bytes"))
    node = Node()

    async def in_pieces() -> AsyncIterator[bytes]:
        yield PATIENT
        yield b" "

    async with calling(node) as client:
        assert (await client.post("/fhir/his", content=PATIENT, headers=JSON)).status_code == 200
        assert (await client.post("/fhir/his", content=PATIENT + b" ", headers=JSON)).status_code == 413
        assert (await client.post("/fhir/his", content=in_pieces(), headers=JSON)).status_code == 413
    assert len(node.kept) == 1


async def test_notifications_at_once_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_push, "OPEN", Limit("notifications taken at once", 2, "notifications"))
    node = Node()
    node.held = asyncio.Event()
    door = node.door()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://node") as client:
        calls = [asyncio.create_task(client.post("/fhir/his", content=PATIENT, headers=JSON)) for _ in range(3)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=20)  # the one that is refused
        node.held.set()
        answers = [(await call).status_code for call in calls]
    assert sorted(answers) == [200, 200, 503]


@pytest.mark.parametrize("end", [("/x", "short"), ("x", SECRET), ("/x/", SECRET)])
def test_an_endpoint_that_is_not_safe_is_not_opened(end: tuple[str, str]) -> None:
    node = Node()
    with pytest.raises(FhirFeedError):
        SubscriptionDoor([Subscription(end[0], "his", end[1])], node.keep, lambda: 0)
    assert SECRET not in repr(Subscription("/x", "his", SECRET))


async def test_it_serves_on_a_socket() -> None:
    import socket

    from granian.constants import Interfaces
    from granian.server.embed import Server

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    node = Node()
    server = Server(node.door(), port=port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(100):
                try:
                    answer = await client.post(f"http://127.0.0.1:{port}/fhir/his", content=PATIENT, headers=JSON)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        assert answer.status_code == 200
        assert node.kept[0].body == PATIENT
    finally:
        server.stop()
        await asyncio.wait_for(serving, 10)


_SIMPLE = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
_ANY = st.recursive(_SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4))


@given(st.lists(_ANY | st.fixed_dictionaries({"resource": _ANY}), max_size=4), _ANY)
def test_whatever_comes_is_taken_or_refused_in_words(entries: list[Any], more: Any) -> None:
    body = json.dumps({"resourceType": "Bundle", "entry": entries, "id": more}).encode("utf-8", "surrogatepass")
    try:
        found = fhir_push._not_sent(body, None)
    except fhir_push._No as no:
        assert no.status in (400, 413)
    else:
        assert found is None or isinstance(found, Changed)
