"""Bulk export against a server on a socket: waiting, resuming, faults, tokens, and addresses that are not asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from tests.unit.feeds.bulk_server import Asked, BulkServer, HttpServer, Reply, serving

from xinglin.feeds import fhir_export
from xinglin.feeds.fhir_errors import BadAnswer, ExportExpired, FhirFeedError, ServerAway, ServerRefused, UnsafeAddress
from xinglin.feeds.fhir_export import BulkExport, ExportState
from xinglin.feeds.fhir_session import (
    ATTEMPTS,
    BackendService,
    Basic,
    Bearer,
    FhirServer,
    FhirSession,
    origin_of,
    retry_after,
)
from xinglin.intake.errors import NotKept
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.limits import Limit

PATIENTS = b"".join(json.dumps({"resourceType": "Patient", "id": str(n)}).encode() + b"\n" for n in range(400))
VISITS = b"".join(json.dumps({"resourceType": "Encounter", "id": str(n)}).encode() + b"\n" for n in range(300))
GONE = b'{"resourceType":"Bundle","type":"transaction","entry":[]}\n'


class Node:
    """What this side keeps: objects, states and waits."""

    def __init__(self) -> None:
        self.kept: dict[str, Received] = {}
        self.states = list[ExportState]()
        self.waits = list[float]()
        self.fails_after = 10**9

    async def keep(self, received: Received) -> Kept:
        if len(self.kept) >= self.fails_after:
            raise NotKept("The disk is full.")
        digest = hashlib.sha256(received.body).hexdigest()
        known = digest in self.kept
        self.kept.setdefault(digest, received)
        return Kept(digest, len(self.kept), len(received.body), known, received.source, received.media_type, 0, "")

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def body(self, kind: str) -> bytes:
        return b"".join(each.body for each in self.kept.values() if each.label.startswith(kind))

    def export(self, server: HttpServer, access: Any = None, **options: Any) -> BulkExport:
        told = FhirServer(f"{server.url}/fhir", access, plain_loopback=True, **options)
        client = httpx.AsyncClient(trust_env=False, timeout=5)
        session = FhirSession(told, client, lambda: 1_700_000_000_000, sleep=self.sleep)
        return BulkExport(session, "his", self.keep, self.states.append)


@asynccontextmanager
async def bulk(**options: Any) -> AsyncIterator[tuple[BulkServer, HttpServer]]:
    listed = {"output": [("Patient", "p"), ("Encounter", "e")], "deleted": [("Bundle", "d")], "error": []}
    files = BulkServer({"p": PATIENTS, "e": VISITS, "d": GONE}, listed=listed, **options)
    async with serving(files) as server:
        files.base = server.url
        yield files, server


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_export, "PART_BYTES", Limit("part of an exported file", 4096, "bytes"))


async def test_an_export_is_asked_for_waited_for_and_kept_whole() -> None:
    node = Node()
    async with bulk() as (_, server):
        end = await node.export(server).run(ExportState("Group/7", ("Patient", "Encounter"), "2024-01-01T00:00:00Z"))
    assert (end.phase, end.as_of) == ("done", "2024-03-01T00:00:00.000+08:00")
    assert end.next() == ExportState("Group/7", ("Patient", "Encounter"), end.as_of)
    assert node.body("output Patient") == PATIENTS
    assert node.body("output Encounter") == VISITS
    assert node.body("deleted") == GONE
    assert all(part.body.endswith(b"\n") for part in node.kept.values())
    assert len(node.kept) > 6
    assert node.waits == [7.0, 7.0]
    first = server.asked[0]
    assert first.path == "/fhir/Group/7/$export"
    assert first.query["_type"] == ["Patient,Encounter"]
    assert first.query["_since"] == ["2024-01-01T00:00:00Z"]
    assert first.headers["prefer"] == "respond-async"


async def test_an_export_goes_on_from_every_state_that_was_saved() -> None:
    whole = Node()
    async with bulk() as (_, server):
        await whole.export(server).run(ExportState())
    for state in whole.states[:: max(1, len(whole.states) // 8)]:
        again = Node()
        again.kept = dict(whole.kept)
        async with bulk() as (files, server):
            files.busy = 0
            moved = msgspec.json.decode(
                msgspec.json.encode(state).replace(_port(whole.states[-1]), server.url.encode()), type=ExportState
            )
            assert (await again.export(server).run(moved)).phase == "done"
        assert again.kept.keys() == whole.kept.keys()


def _port(state: ExportState) -> bytes:
    return state.status_url.removesuffix("/fhir/status/1").encode()


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_connection_that_breaks_within_a_file_loses_and_doubles_nothing(ranges: bool) -> None:
    node = Node()
    async with bulk(ranges=ranges) as (files, server):
        etag = {"ETag": f'"{len(PATIENTS)}"'}
        files.faults["/fhir/files/p"] = [Reply(200, PATIENTS, etag, breaks_after=9000), Reply(503), Reply(429)]
        end = await node.export(server).run(ExportState())
    assert end.phase == "done"
    assert node.body("output Patient") == PATIENTS
    again = [asked.headers.get("range") for asked in server.asked if asked.path == "/fhir/files/p"]
    assert again[0] is None
    assert again[-1] is not None


async def test_a_file_that_changed_meanwhile_is_fetched_from_its_start() -> None:
    node = Node()
    async with bulk(ranges=False) as (files, server):
        files.faults["/fhir/files/p"] = [Reply(200, VISITS, {"ETag": '"old"'}, breaks_after=9000)]
        await node.export(server).run(ExportState())
    assert PATIENTS in node.body("output Patient")


async def test_what_the_intake_did_not_keep_is_not_in_the_state() -> None:
    node = Node()
    node.fails_after = 3
    async with bulk() as (_, server):
        with pytest.raises(NotKept):
            await node.export(server).run(ExportState())
        assert sum(file.parts for file in node.states[-1].files) == 3
        node.fails_after = 10**9
        await node.export(server).run(node.states[-1])
    assert node.body("output Patient") == PATIENTS


async def test_signed_addresses_that_ended_are_asked_for_once_more() -> None:
    node = Node()
    async with bulk() as (files, server):
        files.faults["/fhir/files/e"] = [Reply(403)]
        assert (await node.export(server).run(ExportState())).phase == "done"
        assert node.body("output Encounter") == VISITS
        files.faults["/fhir/files/e"] = [Reply(410), Reply(410)]
        with pytest.raises(ExportExpired):
            await Node().export(server).run(ExportState())
        files.faults["/fhir/status/1"] = [Reply(404)]
        with pytest.raises(ExportExpired):
            await Node().export(server).run(ExportState())


async def test_a_busy_server_is_asked_again_and_a_dead_one_is_given_up() -> None:
    node = Node()
    async with bulk() as (files, server):
        files.faults["/fhir/$export"] = [Reply(429, headers={"Retry-After": "3"}), Reply(500), Reply(502)]
        await node.export(server).run(ExportState())
        assert node.waits[:3] == [3.0, 1.0, 2.0]
        files.faults["/fhir/$export"] = [Reply(503)] * ATTEMPTS.value
        with pytest.raises(ServerAway):
            await Node().export(server).run(ExportState())
        files.faults["/fhir/$export"] = [Reply(503)] * (ATTEMPTS.value - 1)
        assert await Node().export(server).run(ExportState())
        files.faults["/fhir/$export"] = [Reply(400)]
        with pytest.raises(ServerRefused) as refused:
            await Node().export(server).run(ExportState())
        assert refused.value.status == 400
    with pytest.raises(ServerAway):
        await Node().export(server).run(ExportState())


async def test_an_export_is_cancelled_at_the_server() -> None:
    node = Node()
    async with bulk() as (files, server):
        state = ExportState(status_url=f"{server.url}/fhir/status/1", phase="waiting")
        assert (await node.export(server).cancel(state)).phase == "cancelled"
        assert files.cancelled
        assert (await node.export(server).run(node.states[-1])).phase == "cancelled"


@pytest.mark.parametrize("manifest", [b"", b"{}", b"[]", b"\xff", b'{"transactionTime":1}'])
async def test_a_manifest_that_is_none_is_refused(manifest: bytes) -> None:
    async with bulk() as (files, server):
        files.faults["/fhir/status/1"] = [Reply(200, manifest)]
        with pytest.raises(BadAnswer):
            await Node().export(server).run(ExportState())


async def test_no_other_server_is_asked_and_none_gets_the_token() -> None:
    seen = list[Asked]()

    def other(asked: Asked) -> Reply:
        seen.append(asked)
        return Reply(200, PATIENTS)

    async with serving(other) as elsewhere, bulk() as (files, server):
        redirect = Reply(307, headers={"Location": elsewhere.url})
        for path, reply in (
            ("/fhir/$export", Reply(202, headers={"Content-Location": f"{elsewhere.url}/status"})),
            ("/fhir/$export", redirect),
            ("/fhir/status/1", redirect),
            ("/fhir/files/p", redirect),
        ):
            files.faults = {path: [reply] * ATTEMPTS.value}
            with pytest.raises(FhirFeedError):
                await Node().export(server, Bearer("secret")).run(ExportState())
        files.faults, files.base = {}, elsewhere.url
        listed = {"$export": Reply(202, headers={"Content-Location": "/fhir/status/1"})}
        for allowed in ((), (elsewhere.url,)):
            files.faults = {"/fhir/$export": [listed["$export"]]}
            with pytest.raises(UnsafeAddress):
                await Node().export(server, Bearer("secret"), file_origins=allowed).run(ExportState())
        assert not seen
        files.faults, files.token = {"/fhir/$export": [listed["$export"]]}, False
        await Node().export(server, Bearer("secret"), file_origins=(elsewhere.url,)).run(ExportState())
        assert seen
        assert not [asked for asked in seen if "authorization" in asked.headers]
        assert all(a.headers["authorization"] == "Bearer secret" for a in server.asked)


@pytest.mark.parametrize(
    "url",
    [
        "http://fhir.example/r4",
        "ftp://fhir.example",
        "https://",
        "https://user:pw@fhir.example/",
        "//x",
        "http://127.0.0.1.evil.example/",
        "https://fhir.example:port/",
    ],
)
def test_addresses_that_are_never_asked(url: str) -> None:
    with pytest.raises(UnsafeAddress):
        origin_of(url, True)
    with pytest.raises(UnsafeAddress):
        origin_of("http://127.0.0.1/", False)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(ECKey.generate_key("P-384"), "ES384"), (RSAKey.generate_key(2048), "RS384")]
)
async def test_a_backend_service_signs_for_its_tokens_and_renews_them(key: Any, algorithm: Any) -> None:
    given = list[str]()
    async with bulk() as (files, server):

        def answer(asked: Asked) -> Reply:
            if asked.path == "/token":
                form = dict(pair.split("=", 1) for pair in asked.body.decode().split("&"))
                token = jwt.decode(form["client_assertion"], key, algorithms=[algorithm])
                assert token.header["kid"] == "k1"
                assert token.claims["iss"] == token.claims["sub"] == "xinglin"
                assert token.claims["aud"] == f"{server.url}/token"
                assert token.claims["exp"] - token.claims["iat"] <= 300
                given.append(token.claims["jti"])
                return Reply(200, json.dumps({"access_token": f"t{len(given)}", "expires_in": 300}).encode())
            if asked.headers.get("authorization") != f"Bearer t{len(given)}" or (
                asked.path.endswith("/e") and len(given) < 2
            ):
                return Reply(401)
            return files(asked)

        server.answer = answer
        access = BackendService("xinglin", f"{server.url}/token", key.as_pem(private=True).decode(), "k1", algorithm)
        assert (await Node().export(server, access).run(ExportState())).phase == "done"
    assert len(set(given)) == 2
    assert "PRIVATE" not in repr(access)


async def test_a_refused_token_is_told_without_the_answer() -> None:
    key = ECKey.generate_key("P-384").as_pem(private=True).decode()
    async with serving(lambda asked: Reply(400, b"wrong patient Wang")) as server:
        access = BackendService("xinglin", f"{server.url}/token", key, "k1")
        with pytest.raises(ServerRefused) as refused:
            await Node().export(server, access).run(ExportState())
    assert "Wang" not in str(refused.value)


async def test_a_name_and_a_password_are_sent_as_such() -> None:
    async with bulk() as (_, server):
        await Node().export(server, Basic("a", "b")).run(ExportState())
        assert {asked.headers["authorization"] for asked in server.asked} == {"Basic YTpi"}
    assert "b'" not in repr(Basic("a", "b"))
    assert "secret" not in repr(Bearer("secret"))


def test_waits_are_what_the_server_asks_for_up_to_a_limit() -> None:
    now = 1_700_000_000_000
    assert retry_after("12", now, 1) == 12
    assert retry_after("999999999999", now, 1) == 300
    assert retry_after("Tue, 14 Nov 2023 22:13:50 GMT", now, 1) == 30
    assert retry_after("Tue, 14 Nov 2017 22:13:50 GMT", now, 1) == 0
    assert retry_after("soon", now, 1.5) == 1.5
    assert retry_after(None, now, 1.5) == 1.5


async def test_a_line_without_end_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_export, "LINE_BYTES", Limit("line of an exported file", 8192, "bytes"))
    node = Node()
    async with bulk() as (files, server):
        files.files["p"] = b"x" * 8193 + b"\n" + PATIENTS
        await node.export(server).run(ExportState())
    parts = [each.body for each in node.kept.values() if each.label.startswith("output Patient")]
    assert parts[0] == b"x" * 8192
    assert b"".join(parts) == files.files["p"]
