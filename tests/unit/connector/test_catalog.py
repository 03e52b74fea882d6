"""The version endpoint and the catalog: pages, filter, any id, and what is refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.unit.connector.conftest import BOB, DATA, OFFER_ID, Town, entry, message

from xinglin.connector.app import Connector


async def test_the_version_is_told_to_everybody(town: Town, bob: Connector) -> None:
    async with httpx.AsyncClient(transport=town.wire, base_url="http://bob") as client:
        found = (await client.get("/.well-known/dspace-version")).json()
    assert found["protocolVersions"][0] | {"serviceId": ""} == {
        "version": "2025-1",
        "path": "/dsp/2025-1",
        "binding": "HTTPS",
        "serviceId": "",
    }


async def test_the_catalog_has_offers_without_target(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        done = await client.post("/catalog/request", json=message("CatalogRequestMessage", filter=[]))
    assert done.status_code == 200
    found = done.json()
    assert (found["@type"], found["participantId"]) == ("Catalog", BOB)
    (only,) = found["dataset"]
    assert (only["@id"], only["title"], only["hasPolicy"][0]["@id"]) == (DATA, "Incidence", OFFER_ID)
    assert "target" not in only["hasPolicy"][0]
    assert "Link" not in done.headers


async def test_an_empty_catalog_leaves_the_data_sets_out(town: Town) -> None:
    town.add("bob", BOB)
    async with town.client() as client:
        found = (await client.post("/catalog/request", json=message("CatalogRequestMessage"))).json()
    assert "dataset" not in found


async def test_pages_lead_forth_and_back(town: Town) -> None:
    town.add("bob", BOB, entries=tuple(entry(f"d{number}", f"o{number}") for number in range(5)))
    seen, body = [], message("CatalogRequestMessage")
    async with town.client() as client:
        url = "/catalog/request?limit=2"
        for _ in range(3):
            done = await client.post(url, json=body)
            seen.append([one["@id"] for one in done.json()["dataset"]])
            url = done.links.get("next", {}).get("url", "")
        assert (seen, url) == ([["d0", "d1"], ["d2", "d3"], ["d4"]], "")
        done = await client.post(done.links["previous"]["url"], json=body)
        assert [one["@id"] for one in done.json()["dataset"]] == ["d2", "d3"]
        done = await client.post(done.links["previous"]["url"], json=body)
        assert [one["@id"] for one in done.json()["dataset"]] == ["d0", "d1"]
        assert "previous" not in done.links


@pytest.mark.parametrize("query", ["cursor=!!", "cursor=YWJj", "limit=0", "limit=-1", "limit=many", "limit=9999999"])
async def test_cursors_and_limits_that_are_none_are_refused(town: Town, bob: Connector, query: str) -> None:
    async with town.client() as client:
        done = await client.post(f"/catalog/request?{query}", json=message("CatalogRequestMessage"))
    assert (done.status_code, done.json()["@type"]) == (400, "CatalogError")


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([{"leftOperand": "keyword", "operator": "eq", "rightOperand": "heart"}], True),
        ([{"leftOperand": "keyword", "operator": "isAnyOf", "rightOperand": ["lung", "heart"]}], True),
        ([{"leftOperand": "keyword", "operator": "eq", "rightOperand": "lung"}], False),
        ([{"leftOperand": "@id", "operator": "eq", "rightOperand": DATA}], True),
        ([{"leftOperand": "format", "operator": "eq", "rightOperand": "AmazonS3-PUSH"}], False),
        ([{"leftOperand": "text", "operator": "eq", "rightOperand": "INCID"}], True),
    ],
)
async def test_the_filter_is_kept(town: Town, bob: Connector, items: list[Any], found: bool) -> None:
    async with town.client() as client:
        done = await client.post("/catalog/request", json=message("CatalogRequestMessage", filter=items))
    assert ("dataset" in done.json()) == found


@pytest.mark.parametrize(
    "items",
    [
        ["SELECT *"],
        [{}],
        [{"leftOperand": "price", "operator": "eq", "rightOperand": "1"}],
        [{"leftOperand": "keyword", "operator": "gt", "rightOperand": "1"}],
        [{"leftOperand": "keyword", "operator": "eq", "rightOperand": 1}],
        [{"leftOperand": "keyword", "operator": "isAnyOf", "rightOperand": []}],
        [{"leftOperand": "text", "operator": "isAnyOf", "rightOperand": ["a"]}],
        [{"leftOperand": ["keyword"], "operator": "eq", "rightOperand": "1"}],
        [{"leftOperand": "keyword", "operator": ["eq"], "rightOperand": "1"}],
        [{"leftOperand": "text", "operator": "eq", "rightOperand": "a"}] * 2,
        [{"leftOperand": "keyword", "operator": "eq", "rightOperand": "a", "more": 1}],
        [{"leftOperand": "text", "operator": "eq", "rightOperand": "a"}] * 33,
    ],
)
async def test_a_filter_that_is_not_supported_is_refused(town: Town, bob: Connector, items: list[Any]) -> None:
    async with town.client() as client:
        done = await client.post("/catalog/request", json=message("CatalogRequestMessage", filter=items))
    assert (done.status_code, done.json()["@type"]) == (400, "CatalogError")


@pytest.mark.parametrize("id_", ["urn:d:1", "https://bob.example/data/1?x=2#y", "数据 集"])
async def test_a_data_set_is_found_by_any_id(town: Town, id_: str) -> None:
    town.add("bob", BOB, entries=(entry(id_),))
    async with town.client() as client:
        done = await client.get(f"/catalog/datasets/{quote(id_, safe='')}")
    assert (done.status_code, done.json()["@id"]) == (200, id_)


async def test_an_unknown_data_set_is_a_catalog_error(town: Town, bob: Connector) -> None:
    async with town.client() as client:
        done = await client.get("/catalog/datasets/nothing")
    assert (done.status_code, done.json()["@type"]) == (404, "CatalogError")
