"""Filters of a subscription: checked when they are written, and said as each release of FHIR says them."""

from __future__ import annotations

import json
from typing import Any, get_args

import httpx
import pytest
from tests.unit.feeds.test_fhir_push import JSON, SECRET, STATUS, Node, bundle

from xinglin.feeds.fhir_push import Subscription, SubscriptionDoor
from xinglin.feeds.fhir_subscribing import (
    FILTERS,
    VALUE,
    Comparator,
    Filter,
    filter_problems,
    outside,
    subscription_resource,
)

TOPIC, ENDPOINT = "http://his.example/SubscriptionTopic/results", "https://node.example:8443/fhir"
LAB = Filter("Observation", "category", "laboratory")
LATE = Filter("Observation", "date", "2024-03-01", "ge")
VALUES = Filter("Encounter", "type:in", "http://his.example/ValueSet/a b&c")


def written(release: str, *filters: Filter, topic: str = TOPIC, content: Any = "full-resource") -> dict[str, Any]:
    assert not list(filter_problems(topic, ENDPOINT, filters, release, content))
    return subscription_resource(topic, ENDPOINT, filters, release=release, content=content, secret=SECRET)


def test_r5_has_them_as_filter_by() -> None:
    found = written("R5", LAB, LATE, VALUES, content="id-only")
    assert found["filterBy"] == [
        {"resourceType": "Observation", "filterParameter": "category", "value": "laboratory"},
        {"resourceType": "Observation", "filterParameter": "date", "comparator": "ge", "value": "2024-03-01"},
        {
            "resourceType": "Encounter",
            "filterParameter": "type",
            "modifier": "in",
            "value": "http://his.example/ValueSet/a b&c",
        },
    ]
    assert (found["topic"], found["endpoint"], found["content"]) == (TOPIC, ENDPOINT, "id-only")
    assert found["status"] == "requested" and found["channelType"]["code"] == "rest-hook"
    assert found["parameter"] == [{"name": "Authorization", "value": f"Bearer {SECRET}"}]
    assert "filterBy" not in written("R5")


@pytest.mark.parametrize("release", ["R4", "R4B"])
def test_r4_has_them_as_the_backports_criteria(release: str) -> None:
    found = written(release, LAB, LATE, VALUES)
    assert found["criteria"] == TOPIC
    url = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria"
    assert found["_criteria"]["extension"] == [
        {"url": url, "valueString": "Observation?category=laboratory&date=ge2024-03-01"},
        {"url": url, "valueString": "Encounter?type:in=http://his.example/ValueSet/a%20b%26c"},
    ]
    assert found["meta"]["profile"][0].endswith("/backport-subscription")
    assert found["channel"]["_payload"]["extension"][0]["valueCode"] == "full-resource"
    assert found["channel"]["header"] == [f"Authorization: Bearer {SECRET}"]
    assert "_criteria" not in written(release)


def test_r4_without_a_topic_has_a_search() -> None:
    found = written("R4", LAB, LATE, topic="")
    assert found["criteria"] == "Observation?category=laboratory&date=ge2024-03-01"
    assert "_criteria" not in found and "meta" not in found and "_payload" not in found["channel"]
    assert "payload" not in written("R4", LAB, topic="", content="empty")["channel"]


@pytest.mark.parametrize(
    ("filters", "given", "words"),
    [
        ((Filter("observation", "code", "1"),), {}, "filter 1 names no resource type"),
        ((LAB, Filter("Observation?x", "code", "1")), {}, "filter 2 names no resource type"),
        ((Filter("Observation", "a&b", "1"),), {}, "no search parameter"),
        ((Filter("Observation", "", "1"),), {}, "no search parameter"),
        ((Filter("Observation", "code", ""),), {}, "needs a value"),
        ((Filter("Observation", "code", "a\nb"),), {}, "needs a value"),
        ((Filter("Observation", "code", "x" * (VALUE.value + 1)),), {}, "needs a value"),
        ((Filter("Observation", "code:in", "1", "gt"),), {}, "a modifier and a comparator"),
        ((LAB,) * (FILTERS.value + 1), {}, "at most 100 filters"),
        ((LAB,), {"topic": "results"}, "canonical URL"),
        ((LAB,), {"topic": "", "release": "R5"}, "'topic' is missing"),
        ((LAB, VALUES), {"topic": ""}, "one resource type alone"),
        ((), {"topic": ""}, "'topic' is missing"),
        ((LAB,), {"topic": "", "content": "id-only"}, "'content' is"),
        ((LAB,), {"endpoint": "node.example/fhir"}, "'endpoint' is"),
        ((LAB,), {"endpoint": "https://[node/fhir"}, "'endpoint' is"),
    ],
)
def test_what_no_server_could_take_is_refused(filters: Any, given: dict[str, Any], words: str) -> None:
    told = {"topic": TOPIC, "endpoint": ENDPOINT, "release": "R4", "content": "full-resource", **given}
    found = list(filter_problems(told["topic"], told["endpoint"], filters, told["release"], told["content"]))
    assert any(words in one for one in found), found
    assert not any("x" * 20 in one or "\n" in one for one in found), "no value is quoted"


def test_limits_are_what_may_be_given() -> None:
    whole = (Filter("Observation", "code", "x" * VALUE.value),) * FILTERS.value
    assert not list(filter_problems(TOPIC, ENDPOINT, whole, "R5"))
    assert "ge" in get_args(Comparator)


def test_outside_is_told_by_type() -> None:
    assert outside({"Observation": 2, "Patient": 3}, (LAB,)) == 3
    assert outside({"Patient": 3}, ()) == 0


async def test_what_no_filter_asks_for_is_taken_and_counted() -> None:
    node = Node()
    door = SubscriptionDoor(
        [Subscription("/fhir/his", "his", SECRET, filters=(LAB,))], node.keep, lambda: 7, changed=node.tell
    )
    seen = {"resource": {"resourceType": "Observation", "id": "1"}}
    other = {"resource": {"resourceType": "Patient", "id": "1"}}
    gone = {"request": {"method": "DELETE", "url": "Patient/2"}}
    named = {"fullUrl": "https://his.example/Encounter/3", "request": {"method": "PUT", "url": "Encounter/3"}}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://node") as client:
        for body in (bundle(STATUS, seen, other, gone), bundle(STATUS, named), json.dumps(seen["resource"]).encode()):
            assert (await client.post("/fhir/his", content=body, headers=JSON)).status_code == 200
        assert (await client.delete("/fhir/his/Patient/9", headers=JSON)).status_code == 200
        assert (await client.post("/fhir/his", content=b"", headers=JSON)).status_code == 200
        assert (await client.post("/fhir/his", content=b"{", headers=JSON)).status_code == 400
    assert len(node.kept) == 4, "the server decides"
    assert (door.notifications, door.resources, door.outside) == (5, 6, 4)
