"""Searching for changes: page after page, on the same origin only, with nothing lost between two searches."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.unit.feeds.bulk_server import Asked, HttpServer, Reply, serving

from xinglin.feeds.fhir_errors import BadAnswer, ServerAway, UnsafeAddress
from xinglin.feeds.fhir_search import OVERLAP_MS, FhirSearch, SearchState
from xinglin.feeds.fhir_session import ATTEMPTS, Bearer, FhirServer, FhirSession
from xinglin.intake.ports import Kept, Received
from xinglin.kernel.instants import from_text, to_text

T0 = from_text("2024-03-01T00:00:00Z")


class Hospital:
    """A server of observations that pages by two."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, int]] = []
        self.base, self.next_base, self.faults = "", "", list[Reply]()

    def __call__(self, asked: Asked) -> Reply:
        """The page that was asked for."""
        if self.faults:
            return self.faults.pop(0)
        since = from_text(asked.query["_lastUpdated"][0].removeprefix("gt")) if "_lastUpdated" in asked.query else 0
        start = int(asked.query.get("start", ["0"])[0])
        found = sorted(((at, name) for name, at in self.changes if at > since))
        page: dict[str, Any] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": [{"relation": "self", "url": "x"}],
        }
        page["entry"] = [
            {"resource": {"resourceType": "Observation", "id": name, "meta": {"lastUpdated": to_text(at)}}}
            for at, name in found[start : start + 2]
        ]
        if start + 2 < len(found):
            url = f"{self.next_base or self.base}/fhir/Observation?start={start + 2}"
            url += f"&_lastUpdated=gt{to_text(since)}" if since else ""
            page["link"].append({"relation": "next", "url": url})
        return Reply(200, json.dumps(page).encode())


class Node:
    """What this side keeps."""

    def __init__(self) -> None:
        self.kept, self.states = list[Received](), list[SearchState]()

    async def keep(self, received: Received) -> Kept:
        self.kept.append(received)
        return Kept("", len(self.kept), len(received.body), False, received.source, received.media_type, 0, "")

    def names(self) -> list[str]:
        return [entry["resource"]["id"] for page in self.kept for entry in json.loads(page.body)["entry"]]

    def search(self, server: HttpServer) -> FhirSearch:
        async def sleep(seconds: float) -> None:
            del seconds

        client = httpx.AsyncClient(trust_env=False, timeout=5)
        told = FhirServer(f"{server.url}/fhir", Bearer("secret"), plain_loopback=True)
        return FhirSearch(FhirSession(told, client, lambda: T0, sleep=sleep), "his", self.keep, self.states.append)


async def test_every_page_is_kept_and_the_next_search_begins_where_this_one_ended() -> None:
    hospital, node = Hospital(), Node()
    hospital.changes = [(f"o{n}", T0 + n * 1000) for n in range(5)]
    async with serving(hospital) as server:
        hospital.base = server.url
        state = await node.search(server).pull(SearchState("Observation"))
        assert node.names() == [f"o{n}" for n in range(5)]
        assert (state.newest, state.next_url) == (T0 + 4000, "")
        assert await node.search(server).pull(state) == state
        assert len(node.kept) == 3
        hospital.changes.append(("late", T0 + 500))
        state = await node.search(server).pull(state)
        assert "late" in node.names()
        assert server.asked[-1].query["_lastUpdated"] == ["gt" + to_text(T0 + 4000 - OVERLAP_MS)]
        assert await node.search(server).pull(state) == state
        assert all(asked.headers["authorization"] == "Bearer secret" for asked in server.asked)


async def test_a_search_goes_on_at_the_page_where_it_broke_off() -> None:
    hospital, node = Hospital(), Node()
    hospital.changes = [(f"o{n}", T0 + n * 1000) for n in range(6)]
    async with serving(hospital) as server:
        hospital.base = server.url
        await node.search(server).pull(SearchState("Observation"))
        middle = node.states[0]
        assert middle.next_url
        again = Node()
        await again.search(server).pull(middle)
        assert again.names() == ["o2", "o3", "o4", "o5"]


async def test_a_next_page_elsewhere_is_not_asked_for() -> None:
    hospital, node, seen = Hospital(), Node(), list[Asked]()

    def other(asked: Asked) -> Reply:
        seen.append(asked)
        return Reply(200, b"{}")

    hospital.changes = [(f"o{n}", T0 + n) for n in range(5)]
    async with serving(other) as elsewhere, serving(hospital) as server:
        hospital.next_base = elsewhere.url
        with pytest.raises(UnsafeAddress):
            await node.search(server).pull(SearchState("Observation"))
    assert not seen


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"resourceType":"Patient"}', b'{"entry":[]}'])
async def test_a_page_that_is_no_bundle_is_refused(body: bytes) -> None:
    hospital = Hospital()
    hospital.faults = [Reply(200, body)]
    async with serving(hospital) as server:
        with pytest.raises(BadAnswer):
            await Node().search(server).pull(SearchState("Observation"))
        with pytest.raises(BadAnswer):
            await Node().search(server).pull(SearchState("../Patient"))


async def test_a_broken_page_is_asked_for_again_and_given_up_in_the_end() -> None:
    hospital, node = Hospital(), Node()
    hospital.changes = [("o1", T0)]
    async with serving(hospital) as server:
        hospital.faults = [Reply(200, b"x" * 100, breaks_after=50), Reply(503)]
        await node.search(server).pull(SearchState("Observation"))
        assert node.names() == ["o1"]
        hospital.faults = [Reply(200, b"x" * 100, breaks_after=50)] * ATTEMPTS.value
        with pytest.raises(ServerAway):
            await node.search(server).pull(SearchState("Observation"))
