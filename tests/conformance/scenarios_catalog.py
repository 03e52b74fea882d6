"""MET and CAT: the version endpoint and the catalog."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.conformance.peer import Message, Peer
from tests.conformance.registry import scenario


@scenario("MET:01-01")
def versions(peer: Peer) -> None:
    """The version endpoint answers anybody, unversioned, and lists 2025-1 with the path of our base URL."""
    parts = urlsplit(peer.provider_url)
    response = peer.raw("GET", f"{parts.scheme}://{parts.netloc}/.well-known/dspace-version")
    assert response.status_code == 200 and response.headers["content-type"].startswith("application/json")
    assert not peer.schemas.faults("VersionResponse", response.json())
    found = [one for one in response.json()["protocolVersions"] if one["version"] == "2025-1"]
    assert [(one["path"], one["binding"]) for one in found] == [(parts.path, "HTTPS")]


@scenario("CAT:01-01")
def catalog(peer: Peer) -> None:
    """The catalog is a valid Catalog that lists the seeded data sets, each with an offer that has no target."""
    listed: dict[str, Message] = {}
    url: str | None = f"{peer.provider_url}/catalog/request"
    while url:
        response = peer.raw("POST", url, json=peer.message("CatalogRequestMessage"))
        assert response.status_code == 200, response.text
        page = peer.schemas.check(response.json(), "Catalog")
        listed |= {one["@id"]: one for one in page.get("dataset", [])}
        url = response.links.get("next", {}).get("url")
    assert {"CAT0101", "CAT0102", "ACN0101", "ACN0304"} <= listed.keys()
    assert "CAT0103" not in listed
    assert not [name for name, one in listed.items() for offer in one["hasPolicy"] if "target" in offer]


@scenario("CAT:01-02")
def data_set_of_the_catalog(peer: Peer) -> None:
    """A seeded data set is told by its id, as a valid Dataset."""
    response = peer.raw("GET", f"{peer.provider_url}/catalog/datasets/CAT0102")
    assert response.status_code == 200
    found = response.json()
    assert found["@id"] == "CAT0102" and not peer.schemas.faults("Dataset", found)


@scenario("CAT:01-03")
def unknown_data_set(peer: Peer) -> None:
    """A data set that is not there: 404, and the body is a CatalogError."""
    peer.get(f"{peer.provider_url}/catalog/datasets/CAT0103", "CatalogError", status=404)
