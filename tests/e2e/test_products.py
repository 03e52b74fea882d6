"""From a run of real hospitals to a file at a stranger: released at L1, deposited, offered, fetched, withdrawn."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.e2e.foreign_connector import Foreign

from xinglin.catalogue.entry import Listing, entry_id
from xinglin.connector import asking
from xinglin.connector.asking import BadAnswer, catalog, data_set
from xinglin.connector.opening import negotiate, transfer
from xinglin.connector.released_files import ReleasedFiles
from xinglin.evidence.entry import Entry
from xinglin.kernel.canonical import sha256_digest
from xinglin.sample import read_heart_disease
from xinglin.sdk import Offer, Refused, Study, StudyResult
from xinglin.sdk.contracts import change_agreement
from xinglin.sdk.products import deposit, products, withdraw
from xinglin.stores.desk import ask_desk
from xinglin.stores.tls import client_context
from xinglin.terms.policy import Constraint, Duty, Permission, Policy
from xinglin.testing import SampleSpace
from xinglin.testing.sample_space import DATA_SET, wait_until
from xinglin.trust.dcp_documents import did_web
from xinglin.trust.envelope import sign
from xinglin.wire.desk import DeskCall
from xinglin.wire.product_orders import ORDER_REASONS, order_in
from xinglin.wire.products import DEPOSIT_CONTEXT, PRODUCTS_PAGE, Deposit, Product
from xinglin.wire.space import Space

COLUMNS = ("age", "sex", "trestbps")
RESEARCH = Constraint("purpose", "isA", "health-research")
HANDED_ON = Policy((Permission("statistics", (RESEARCH,)), Permission("transfer", (RESEARCH,))))
KEPT = Policy((Permission("use", (RESEARCH,)),), duties=(Duty("log"),))
LISTED = Policy((Permission("read", (RESEARCH,)),))


class Reached(SampleSpace):
    """A space whose hub speaks the protocol, and a stranger of whose issuer it has heard."""

    def found(self) -> Space:
        space = super().found()
        self.certificate = space.certificate_pem
        self.foreign = Foreign(
            space.certificate_pem, ReleasedFiles(self.folder / "foreign"), (), purpose="health-research"
        )
        self.second = Foreign(
            space.certificate_pem, ReleasedFiles(self.folder / "second"), (), purpose="health-research"
        )
        issuers = [self.foreign.issuer.did, self.second.issuer.did]
        told = {"dsp_address": space.hub_url, "dsp_issuers": issuers, "dsp_trial": True}
        self._hub = {**self._hub, **told}
        self.hub_did = did_web(space.hub_url.removeprefix("https://"))
        self.address = f"{space.hub_url}/dsp/2025-1"
        return space

    def entry(self, hospital: str = "a") -> str:
        return entry_id(self.dids[hospital], DATA_SET)

    def offer(self, policy: Policy, hospital: str = "a") -> None:
        listing = msgspec.json.encode(Listing(DATA_SET, policy=policy)).decode()
        ask_desk(self.node_folder(hospital), DeskCall("list", {"listing": listing}))

    def about(self, subject: str) -> list[Entry]:
        """The log's entries of one subject."""
        self.sdk.log.refresh()
        return [one.entry for one in self.sdk.log.about(subject)]


class Breaking(httpx.AsyncBaseTransport):
    """The line breaks after so many bytes of the first answer; afterwards it holds."""

    def __init__(self, inner: httpx.AsyncBaseTransport, after: int) -> None:
        self._inner, self._after, self.asked = inner, after, list[str]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers.get("range", ""))
        response = await self._inner.handle_async_request(request)
        if len(self.asked) > 1:
            return response
        return httpx.Response(response.status_code, headers=response.headers, stream=_Cut(response, self._after))


class Meanwhile(Breaking):
    """Something happens while the line is broken."""

    def __init__(self, inner: httpx.AsyncBaseTransport, after: int, what: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(inner, after)
        self._what = what

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if len(self.asked) == 1:
            await self._what()
        return await super().handle_async_request(request)


class _Cut(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, after: int) -> None:
        self._response, self._after = response, after

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._response.stream, httpx.AsyncByteStream)
        async for part in self._response.stream:
            yield part[: self._after]
            raise httpx.ReadError("the line broke")

    async def aclose(self) -> None:
        await self._response.aclose()


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, heart_disease: Path) -> Any:
    made = Reached(tmp_path_factory.mktemp("products"), read_heart_disease(heart_disease))
    try:
        made.open()
        made.offer(LISTED)
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def study(space: Reached) -> Study:
    return space.study("handed on", COLUMNS, Offer(policy=HANDED_ON))


@pytest.fixture(scope="module")
def opened(space: Reached, study: Study) -> StudyResult:
    """A table that all four gates released under the L1 pack."""
    return space.data(study, COLUMNS).for_everyone().histogram("age", bins=4)


@pytest.fixture(scope="module")
def product(space: Reached, opened: StudyResult) -> Product:
    return deposit(space.sdk, opened, space.entry(), "Ages of patients")


def codes(refused: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {reason.code for reason in refused.value.reasons}


def test_a_release_is_deposited_once_with_its_evidence(space: Reached, opened: StudyResult, product: Product) -> None:
    assert product.digest == hashlib.sha256(opened.outcome).hexdigest() and product.grade == "L1"
    assert set(product.hospitals) == set(space.dids.values()) and len(product.leaves) == 4
    assert deposit(space.sdk, opened, space.entry(), "again") == product
    wait_until(lambda: space.about(product.product), "the deposit is in the log")
    (leaf,) = space.about(product.product)
    assert leaf.body["sha256"] == product.digest and leaf.body["rests_on"] == list(product.leaves)
    assert leaf.body["event"] == "deposited" and space.sdk.account.did in leaf.parties
    assert [one.product for one in products(space.sdk)] == [product.product]


def test_what_no_gate_released_at_l1_is_refused(
    space: Reached, study: Study, opened: StudyResult, product: Product
) -> None:
    usual = space.data(study, COLUMNS).histogram("age", bins=4)
    with pytest.raises(Refused) as refused:
        deposit(space.sdk, usual, space.entry())
    assert codes(refused) == {"terms.not_l1"}  # the account itself sends nothing of it
    with pytest.raises(Refused) as refused:
        asked = {"run_id": usual.run_id, "data_set": space.entry(), "title": ""}
        ask_desk(space.node_folder("a"), DeskCall("product-deposit", asked))
    assert codes(refused) == {"terms.not_l1"}  # and neither does a hospital's node
    with pytest.raises(Refused) as refused:
        space.data(study, COLUMNS).for_everyone().quantiles("age")
    assert codes(refused) == {"terms.not_open"}

    def given(**changes: Any) -> set[str]:
        found = Deposit(
            opened.run_id, space.entry(), "x", opened.outcome, opened.salt, product.leaves, space.sdk.clock()
        )
        call = msgspec.structs.replace(found, **changes)
        signed = sign(space.sdk.account.keys, DEPOSIT_CONTEXT, call)
        with pytest.raises(Refused) as failed:
            space.sdk.client.post_bytes("/v1/products", signed.to_bytes(), Product)
        return codes(failed)

    assert given(content=opened.outcome.replace(b"1", b"2", 1)) == {"hub.not_proven"}
    assert given(salt=bytes(32)) == {"hub.not_proven"}
    assert given(leaves=product.leaves[1:]) == {"hub.no_authorisation"}
    assert given(leaves=(0,)) == {"hub.no_authorisation"}
    assert given(leaves=()) == {"hub.no_authorisation"}
    assert given(leaves=(10**9,)) == {"hub.no_authorisation"}
    assert given(run_id=usual.run_id) == {"hub.not_proven"}
    assert "hub.not_open" in given(run_id=usual.run_id, content=usual.outcome, salt=usual.salt)
    assert given(run_id="run-nothing") == {"hub.not_your_result"}
    assert given(data_set=space.entry("b")) == {"hub.not_offered"}  # published without terms
    assert given(data_set="did:xinglin:nobody#x") == {"hub.unknown_data_set"}
    assert given(at=space.sdk.clock() - 6 * 60_000) == {"hub.not_now"}
    assert given(content=b"x" * (1024 * 1024 + 1)) == {"kernel.limit"}
    assert [one.product for one in products(space.sdk)] == [product.product]


def test_hospitals_that_agreed_to_no_transfer_keep_their_results(space: Reached) -> None:
    study = space.study("kept", COLUMNS, Offer(policy=KEPT))
    found = space.data(study, COLUMNS).for_everyone().histogram("age", bins=5)
    with pytest.raises(Refused) as refused:
        deposit(space.sdk, found, space.entry())
    assert codes(refused) == {"hub.no_consent"} and len(refused.value.reasons) == 4


def test_after_an_agreement_has_ended_nothing_new_is_deposited(space: Reached) -> None:
    study = space.study("ended", COLUMNS, Offer(policy=HANDED_ON))
    found = space.data(study, COLUMNS).for_everyone().histogram("age", bins=6)
    change_agreement(space.sdk, study.agreements[space.dids["c"]], "terminate")
    with pytest.raises(Refused) as refused:
        deposit(space.sdk, found, space.entry())
    assert codes(refused) == {"hub.agreement_over"}


async def test_a_stranger_negotiates_fetches_in_two_parts_and_is_in_the_evidence(
    space: Reached, opened: StudyResult, product: Product, tmp_path: Path
) -> None:
    async with space.foreign as foreign:
        sender, present = foreign.sender, foreign.present
        listed = {one["@id"]: one async for one in catalog(sender, present, space.hub_did, space.address)}
        assert set(listed) == {space.entry(), product.catalog_id}
        shown = listed[product.catalog_id]
        assert shown["checksum"]["checksumValue"] == product.digest and shown["byteSize"] == product.size_bytes
        assert shown["distribution"][0]["format"] == "HttpData-PULL"
        alone = await data_set(sender, present, space.hub_did, space.address, product.catalog_id)
        assert (alone["checksum"], alone["hasPolicy"]) == (shown["checksum"], shown["hasPolicy"])

        async def agreed(id_: str) -> Any:
            offer = listed[id_]["hasPolicy"][0]
            rules = {name: value for name, value in offer.items() if name not in ("@id", "@type")}
            row = await negotiate(foreign.connector.desk, space.hub_did, space.address, id_, offer["@id"], rules)
            return row.pid

        # The data set itself is of grade L2, and held; its product is of grade L1.
        held = await agreed(space.entry())
        contract = await foreign.until(await agreed(product.catalog_id), lambda one: one.state == "FINALIZED")
        assert foreign.connector.world.store.process(held).state == "REQUESTED"
        asked = await transfer(
            foreign.connector.desk, space.hub_did, space.address, contract.agreement, "HttpData-PULL"
        )
        row = await foreign.until(asked.pid, lambda one: one.state == "STARTED")

        file = tmp_path / "product.json"
        line = Breaking(httpx.AsyncHTTPTransport(verify=client_context(space.certificate)), 100)
        async with httpx.AsyncClient(transport=line) as client:
            assert await asking.fetch(client, row, file, trial=True) == product.size_bytes
            assert line.asked == ["", "bytes=100-"]
            assert hashlib.sha256(file.read_bytes()).hexdigest() == product.digest
            assert file.read_bytes() == opened.outcome
            # Another transfer's token opens nothing; nor does this one, once the product is withdrawn.
            again = await transfer(
                foreign.connector.desk, space.hub_did, space.address, contract.agreement, "HttpData-PULL"
            )
            other = await foreign.until(again.pid, lambda one: one.state == "STARTED")
            first, second = (msgspec.json.decode(one.data_address) for one in (row, other))
            token = {one["name"]: one["value"] for one in second["endpointProperties"]}["authorization"]
            answer = await client.get(first["endpoint"], headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == 401
            await foreign.connector.desk.do(row.pid, "complete")
            await foreign.until(row.pid, lambda one: one.state == "COMPLETED")
            await asyncio.to_thread(_evidence, space, row.peer_pid)
            gone = await _revoked_by_a_hospital(space, product)
            assert gone["by"] == space.dids["b"]
            answer = await client.get(second["endpoint"], headers={"authorization": f"Bearer {token}"})
            assert answer.status_code in (401, 403)
        late = await transfer(foreign.connector.desk, space.hub_did, space.address, contract.agreement, "HttpData-PULL")
        ended = await foreign.until(late.pid, lambda one: one.state == "TERMINATED")
        assert "status 4" in ended.trouble
        assert [one["@id"] async for one in catalog(sender, present, space.hub_did, space.address)] == [space.entry()]
    with pytest.raises(Refused) as refused:
        await asyncio.to_thread(deposit, space.sdk, opened, space.entry())
    assert codes(refused) == {"hub.product_withdrawn"}
    assert not list((space.hub_folder / "products").glob("*"))


def _evidence(space: Reached, pid: str) -> None:
    """One leaf when it starts, one for the delivery however many parts it had, one when it ends."""

    def told() -> bool:
        kinds = [one.kind for one in space.about(sha256_digest(pid.encode()))]
        return kinds == ["release-authorised", "delivered", "ended"]

    wait_until(told, "the transfer is in the log")


async def _revoked_by_a_hospital(space: Reached, product: Product) -> Any:
    command = ["--json", "product", "revoke", product.product, "--folder", str(space.node_folder("b"))]
    return await _verb(*command)


async def _verb(*words: str, fails: bool = False) -> Any:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "xinglin", *words, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    assert (process.returncode != 0) == fails, (words, said)
    return None if fails else msgspec.json.decode(said)


async def test_a_hospital_publishes_what_its_own_gate_released(space: Reached, study: Study) -> None:
    data = space.data(study, COLUMNS).for_everyone()
    found = await asyncio.to_thread(data.histogram, "age", 4)
    words = ["--json", "product", "publish", found.run_id, space.entry(), "--folder", str(space.node_folder("a"))]
    made = await _verb(*words, "--title", "Ages once more")
    assert made["depositor"] == space.dids["a"] and made["digest"] == hashlib.sha256(found.outcome).hexdigest()
    account = ["--account", str(space.folder / "researcher")]
    listed = await _verb("--json", "product", "list", *account)
    assert made["product"] in [one["product"] for one in listed if not one["withdrawn"]]
    # The researcher did not deposit it, and its rows are none of hers.
    with pytest.raises(Refused):
        await asyncio.to_thread(withdraw, space.sdk, made["product"])
    gone = await _verb("--json", "product", "revoke", made["product"], "--folder", str(space.hub_folder))
    assert gone["withdrawn"] and gone["by"] == space.space.operator


async def test_the_regulator_orders_a_product_to_go(space: Reached, study: Study, tmp_path: Path) -> None:
    found = await asyncio.to_thread(space.data(study, COLUMNS).for_everyone().histogram, "age", 4)
    made = await asyncio.to_thread(deposit, space.sdk, found, space.entry(), "To go")
    whole = await asyncio.to_thread(products, space.sdk)
    assert len(whole) > 1 and await asyncio.to_thread(products, space.sdk, 1) == whole
    with pytest.raises(Refused):
        await asyncio.to_thread(products, space.sdk, PRODUCTS_PAGE.value + 1)

    async def ordered() -> None:
        words = ("witness", "withdraw", made.product, "--reason", "reidentification")
        gone = await _verb("--json", *words, "--folder", str(space.witness_folder))
        assert gone["by"] == space.space.regulator and gone["reason"] == "reidentification"

    because = ("witness", "withdraw", made.product, "--reason", "because", "--folder", str(space.witness_folder))
    await _verb(*because, fails=True)
    async with space.second as foreign:
        await _cut_off(space, foreign, made, tmp_path / "part.json", ordered)
    await asyncio.to_thread(wait_until, lambda: len(space.about(made.product)) == 2, "deposit and order are in the log")
    (leaf,) = [one for one in space.sdk.log.about(made.product) if one.entry.body["event"] == "withdrawn"]
    told = order_in(leaf.entry, leaf.index, space.sdk.log.record.directory, space.space.origin)
    assert told is not None and (told.by, told.order.reason) == (space.space.regulator, "reidentification")
    for hospital in ("a", "b"):
        shown = await _published(space, hospital, made.product)
        assert shown["why"] == ORDER_REASONS["reidentification"] and shown["by"] == space.space.regulator
    listed = await _verb("--json", "product", "list", "--account", str(space.folder / "researcher"))
    assert [one["reason"] for one in listed if one["product"] == made.product] == ["reidentification"]
    with pytest.raises(Refused) as refused:
        await asyncio.to_thread(deposit, space.sdk, found, space.entry())
    assert codes(refused) == {"hub.product_withdrawn"}
    await _verb(*because[:3], "--reason", "inquiry", *because[5:], fails=True)  # once
    space.stop("hub")
    space.start_again("hub")
    assert made.product in {one.product for one in await asyncio.to_thread(products, space.sdk) if one.reason}


async def _cut_off(
    space: Reached, foreign: Foreign, made: Product, file: Path, ordered: Callable[[], Awaitable[None]]
) -> None:
    """A stranger's download breaks; before it goes on, the order is given: there is no rest, and no other way to it."""
    desk, id_ = foreign.connector.desk, made.catalog_id
    listed = {one["@id"]: one async for one in catalog(foreign.sender, foreign.present, space.hub_did, space.address)}
    offer = listed[id_]["hasPolicy"][0]
    rules = {name: value for name, value in offer.items() if name not in ("@id", "@type")}
    asked = await negotiate(desk, space.hub_did, space.address, id_, offer["@id"], rules)
    contract = await foreign.until(asked.pid, lambda one: one.state == "FINALIZED")
    begun = await transfer(desk, space.hub_did, space.address, contract.agreement, "HttpData-PULL")
    row = await foreign.until(begun.pid, lambda one: one.state == "STARTED")
    line = Meanwhile(httpx.AsyncHTTPTransport(verify=client_context(space.certificate)), 100, ordered)
    async with httpx.AsyncClient(transport=line) as client:
        with pytest.raises(BadAnswer):
            await asking.fetch(client, row, file, trial=True)
        assert line.asked == ["", "bytes=100-"]
    late = await transfer(desk, space.hub_did, space.address, contract.agreement, "HttpData-PULL")
    await foreign.until(late.pid, lambda one: one.state == "TERMINATED")
    left = [one["@id"] async for one in catalog(foreign.sender, foreign.present, space.hub_did, space.address)]
    assert left == [space.entry()]


async def _published(space: Reached, hospital: str, product: str) -> Any:
    """What a hospital is told of a product, once its own log has the order."""
    for _ in range(100):
        rows = await _verb("--json", "product", "published", "--folder", str(space.node_folder(hospital)))
        (shown,) = (one for one in rows if one["product"] == product)
        if shown["reason"]:
            return shown
        await asyncio.sleep(0.1)
    raise AssertionError(shown)
