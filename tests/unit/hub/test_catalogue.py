"""The catalogue over HTTP as two tenants see it; its entries as a connector's catalog; catalogs of others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xinglin.catalogue import ColumnDescription, DataSetDescription, TableDescription
from xinglin.catalogue.entry import Listing
from xinglin.catalogue.ports import SourceState
from xinglin.hub.catalogue_desk import CatalogueDesk
from xinglin.hub.catalogue_federated import AGAIN_MS, FIRST_BACK_OFF_MS, Federation, federated_entry
from xinglin.hub.catalogue_offers import CatalogueOffers
from xinglin.hub.publications import Publications
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.testing import MemoryCatalogueStore
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.dpop import DoorKey
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.catalogue import FRESH_MS, EntryCall
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Caller, Wanted
from xinglin.wire.errors import Refused

POLICY = Policy(permissions=(Permission("statistics", (Constraint("purpose", "isA", "health-research"),)),))


def described(name: str, provider: str) -> DataSetDescription:
    columns = (
        ColumnDescription("patient", "text", "person"),
        ColumnDescription("sbp", "number", unit="mm[Hg]", low=0, high=300),
    )
    return DataSetDescription(name, provider, f"Data set {name}", (TableDescription("vitals", columns, "patient"),))


class Member:
    """One member at the hub's door."""

    def __init__(self, hub: OpenHub, keys: PrivateKeys) -> None:
        self.hub, self.keys, self.door = hub, keys, DoorKey.generate()
        self.token = ""

    async def ask(self, method: str, path: str, value: Any = None) -> Any:
        self.token = self.token or await self.hub.token(self.keys, self.door)
        how = {"content": msgspec.json.encode(value)} if value is not None else {}
        answer = await self.hub.call(self.token, self.door, method, path, **how)
        return answer.status_code, answer.json()


async def test_two_tenants_see_what_is_theirs_on_every_path(tmp_path: Path) -> None:
    async with OpenHub(tmp_path) as hub:
        alice, bob = Member(hub, await hub.member()), Member(hub, await hub.member())
        node = (await hub.member("provider")).did
        listings = (Listing("open", policy=POLICY), Listing("secret", policy=POLICY, restricted=True,
                                                            audience=(bob.keys.did,)))  # fmt: skip
        data_sets = (described("open", node), described("secret", "did:web:somebody.else"))
        await hub.hub.publish(node, msgspec.json.encode(data_sets), msgspec.json.encode(listings))
        secret, study = f"{node}#secret", {"values": {"purpose": "health-research"}}
        for member, sees in ((alice, 1), (bob, 2)):
            _, found = await member.ask("POST", "/v1/catalogue/search", {"text": "收缩压", "study": study})
            assert found["total"] == sees and all(hit["standing"]["answer"] == "yes" for hit in found["hits"])
            assert all(not hit["entry"]["audience"] for hit in found["hits"])
            _, listed = await member.ask("GET", "/v1/datasets")
            assert sum(len(msgspec.json.decode(msgspec.convert(one["descriptions"], bytes))) for one in listed) == sees
            _, page = await member.ask("POST", "/v1/catalogue/dcat", {})
            assert ("secret" in msgspec.json.encode(page).decode()) == (sees == 2)
            status, _ = await member.ask("POST", "/v1/catalogue/entry", {"entry_id": secret})
            assert status == (404 if sees == 1 else 200)
        for path, body in (
            ("entry", lambda one: {"entry_id": one}),
            ("dcat", lambda one: {"entry_id": one}),
            ("compare", lambda one: {"entry_ids": [f"{node}#open", one]}),
        ):
            hidden = await alice.ask("POST", f"/v1/catalogue/{path}", body(secret))
            missing = await alice.ask("POST", f"/v1/catalogue/{path}", body(f"{node}#nothing"))
            assert hidden == missing and hidden[0] == 404
        status, both = await bob.ask("POST", "/v1/catalogue/compare", {"entry_ids": [f"{node}#open", secret]})
        assert status == 200 and both["shared"] == 1
        status, _ = await alice.ask("POST", "/v1/catalogue/search", {"chosen": {"owner": ["x"]}})
        assert status in (400, 403, 422)


async def test_a_listing_that_cannot_be_understood_hides_its_entry(tmp_path: Path) -> None:
    async with OpenHub(tmp_path) as hub:
        node = (await hub.member("provider")).did
        bad = Policy(permissions=(Permission("statistics", (Constraint("moonPhase", "eq", "full"),)),))
        said = (Listing("a", policy=bad),)
        await hub.hub.publish(node, msgspec.json.encode((described("a", node),)), msgspec.json.encode(said))
        assert hub.hub.catalogue.visible("did:web:any") == ()
        await hub.hub.publish(node, msgspec.json.encode((described("a", node),)))
        assert [one.name for one in hub.hub.catalogue.visible("did:web:any")] == ["a"]


def desk(store: MemoryCatalogueStore | None = None) -> CatalogueDesk:
    return CatalogueDesk(store or MemoryCatalogueStore(), lambda: Turned.now, lambda did: did, "https://hub.example")


class Turned:
    """The clock of these tests."""

    now = 1_000


async def test_the_same_entries_are_a_connectors_catalog() -> None:
    home = desk()
    listings = [Listing("b", policy=POLICY), Listing("c", policy=POLICY, restricted=True, audience=("did:web:bob",))]
    home.publish("did:web:h", [described(one, "did:web:h") for one in "abc"], listings)
    offers = CatalogueOffers(home)
    for caller, ids in (("did:web:eve", ["did:web:h#b"]), ("did:web:bob", ["did:web:h#b", "did:web:h#c"])):
        page = await offers.page(Caller(caller), Wanted(), "", 10)
        assert [one.data_set for one in page.entries] == ids
        assert all("target" not in offer for one in page.entries for offer in one.offers)
    assert await offers.entry(Caller("did:web:eve"), "did:web:h#c") is None
    assert await offers.entry(Caller("did:web:bob"), "did:web:h#a") is None  # no terms, no offer
    home.publish("did:web:h", [], [])
    assert (await offers.page(Caller("did:web:bob"), Wanted(), "", 10)).entries == ()


class Catalogs:
    """Another participant's catalog that can be away."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.documents, self.away, self.reads = documents, False, 0

    async def data_sets(self, participant: str, address: str) -> AsyncIterator[dict[str, Any]]:
        self.reads += 1
        for one in self.documents:
            yield one
        if self.away:
            raise Unreachable("away")

    async def close(self) -> None:
        """Nothing is open."""


OFFER = {"@type": "Offer", "@id": "o1", "permission": [{"action": "use"}]}
FAR = {"@id": "urn:far:1", "@type": "Dataset", "title": "血压随访", "keyword": ["heart"], "hasPolicy": [OFFER]}


async def test_catalogs_of_others_are_marked_refreshed_with_back_off_and_said_to_be_stale() -> None:
    Turned.now = 10_000_000
    home, others = desk(), Catalogs(FAR, {"no": "id"})
    federation = Federation(home, others, lambda: Turned.now)
    federation.add("did:web:far", "https://far.example/dsp")
    assert await federation.read_due() == 1 and await federation.read_due() == 0
    (entry,) = [home.entry(EntryCall("dsp:did:web:far#urn:far:1"), "did:web:me")]
    assert entry.entry.origin == "did:web:far" and not entry.stale and entry.entry.provider == ""
    assert home.visible("did:web:me") == ()  # nobody passes another's catalog on as their own
    others.away = True
    Turned.now += AGAIN_MS
    assert await federation.read_due() == 0
    state = home.store.sources()[0]
    assert (state.failures, state.due) == (1, Turned.now + FIRST_BACK_OFF_MS) and state.trouble
    assert await federation.read_due() == 0 and others.reads == 2
    Turned.now += FIRST_BACK_OFF_MS
    await federation.read_due()
    assert home.store.sources()[0].due == Turned.now + 2 * FIRST_BACK_OFF_MS
    Turned.now += FRESH_MS
    assert home.entry(EntryCall("dsp:did:web:far#urn:far:1"), "did:web:me").stale and federation.views()[0].stale
    federation.remove("did:web:far")
    with pytest.raises(Refused):
        home.entry(EntryCall("dsp:did:web:far#urn:far:1"), "did:web:me")


def test_a_foreign_catalog_speaks_for_nobody_else() -> None:
    entry = federated_entry({"@id": "did:web:h#heart", "publisher": "did:web:h"}, "did:web:far", 5)
    assert entry is not None and entry.entry_id == "dsp:did:web:far#did:web:h#heart" and entry.provider == ""
    strange = {"@id": "x", "hasPolicy": [{"@type": "Offer", "@id": "o", "permission": [{"action": "moonwalk"}]}]}
    found = federated_entry(strange, "did:web:far", 5)
    assert found is not None and found.policy is None


@pytest.mark.parametrize("others", [(), ("did:web:i",)])
def test_a_start_shows_nothing_whose_listing_was_refused(others: tuple[str, ...]) -> None:
    bad = Policy(permissions=(Permission("statistics", (Constraint("moonPhase", "eq", "full"),)),))
    said = (Listing("h", policy=bad, restricted=True, audience=("did:web:bob",)),)
    published = [("did:web:h", msgspec.json.encode((described("h", "did:web:h"),)))]
    store = MemoryCatalogueStore()

    def started() -> CatalogueDesk:
        return CatalogueDesk(store, lambda: 1, str, "https://hub.example", Publications(lambda: published))

    before = started()
    assert before.publish("did:web:h", (described("h", "did:web:h"),), said) == ("h",)
    for did in others:
        before.publish(did, (described("i", did),), ())
    for start in range(2):
        again = started()
        again.warm()
        assert [one.name for one in again.visible("did:web:any")] == ["i" for _ in others], start
        assert again.told()("h", "did:web:any") == {} and again.listings(published, "did:web:any") == []
    lost = CatalogueDesk(MemoryCatalogueStore(), lambda: 1, str, "https://hub.example", Publications(lambda: published))
    assert lost.visible("did:web:any") == (), "the hospital says it again, with who may know of it"


def test_a_source_state_has_what_members_are_told() -> None:
    assert SourceState("did:web:b", "https://b.example").failures == 0
