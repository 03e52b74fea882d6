"""The six calls of TC609-6-2025-14 at the hub: who may, what stands, what is filed, and what no call can do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.unit.hub.test_papers import Scene

from xinglin.contract import Agreement, Standing, offers
from xinglin.contract.faces.national import DigitalContract, Filing, Registration, to_contract
from xinglin.contract.faces.national_calls import (
    MESSAGES,
    ContractCreate,
    ContractExecution,
    ContractNegotiate,
    ContractRegistrate,
    ContractTemplate,
    ContractTerminate,
)
from xinglin.contract.templates.drafting import NAMES
from xinglin.hub.national import Templates
from xinglin.kernel.canonical import sha256_digest
from xinglin.stores.national_database import CALLS, CallRow
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.keys import PrivateKeys
from xinglin.witness.founding import open_witness_keys

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACE = Registration("91350100M000100Y43", "3101")
REQUEST = "sha256:" + "7" * 64


class Desk:
    """The calls of a scene's people."""

    def __init__(self, scene: Scene, regulator: PrivateKeys) -> None:
        self.scene, self.regulator = scene, regulator

    async def call(self, by: PrivateKeys, path: str, message: Any) -> tuple[int, Any]:
        """Status, and the contract as it stands or the code of the first reason."""
        answer = await self.scene.call(by, "POST", "/v1/national" + path, message)
        if answer.status_code == 200:
            return 200, msgspec.json.decode(answer.content, type=DigitalContract)
        return answer.status_code, answer.json()["reasons"][0]["code"]

    async def opened(self, agreement: Agreement, by: PrivateKeys | None = None) -> DigitalContract:
        status, found = await self.call(by or self.scene.a, "/contractCreate", ContractCreate(face(agreement)))
        assert status == 200, found
        return found  # type: ignore[no-any-return]

    def filing(self, contract: DigitalContract, **changes: Any) -> ContractRegistrate:
        known = Filing(contract.contract_id, contract.digest, self.regulator.did)
        return ContractRegistrate(replace(known, **changes))


def face(agreement: Agreement, place: Registration = PLACE) -> DigitalContract:
    return to_contract(agreement, Standing(agreement.digest(), "offered", 0), place)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("national")
    async with OpenHub(folder) as hub:
        scene = Scene(hub)
        await scene.fill()
        yield Desk(scene, open_witness_keys(folder / "witness"))


async def test_every_call_stands_behind_the_door(desk: Desk) -> None:
    for path in MESSAGES:
        answer = await desk.scene.hub.http.post("/v1/national" + path, content=b"{}")
        assert answer.status_code == 401
    assert (await desk.scene.hub.http.get("/v1/national/contracts")).status_code == 401


async def test_templates_are_the_spaces_in_the_codes(desk: Desk) -> None:
    scene = desk.scene
    answer = await scene.call(scene.consumer, "POST", "/v1/national/contractTemplate", ContractTemplate("", ""))
    found = msgspec.json.decode(answer.content, type=Templates)
    assert [one.template_id for one in found.templates] == list(NAMES)
    assert all(one.rules and one.title for one in found.templates)
    one = await scene.call(scene.consumer, "POST", "/v1/national/contractTemplate", ContractTemplate("genomes", ""))
    assert len(one.json()["templates"]) == 1
    assert (await desk.call(scene.consumer, "/contractTemplate", ContractTemplate("mine", "")))[0] == 403
    own = ContractTemplate("statistics", "mine", found.templates[0].rules)
    assert await desk.call(scene.consumer, "/contractTemplate", own) == (403, "national.own_template")


async def test_a_contract_from_opening_to_its_end(desk: Desk) -> None:
    scene, paper = desk.scene, await desk.scene.offer("whole")
    contract = await desk.opened(paper)
    assert (contract.status, len(contract.contract_id)) == ("Initiated", 47)
    name, mine = contract.contract_id, contract.signatories[1]
    assert await desk.call(scene.a, "/contractRegistrate", desk.filing(contract)) == (409, "kernel.illegal_move")
    run = ContractExecution(name, REQUEST, (scene.a.did,))
    assert await desk.call(scene.consumer, "/contractExecution", run) == (409, "kernel.illegal_move")
    talk = ContractNegotiate(name, mine, accept=True)
    status, found = await desk.call(scene.consumer, "/contractNegotiate", talk)
    assert (status, found.status) == (200, "Negotiating")  # a word signs nothing

    agreed = await scene.agreed_again(paper)
    assert agreed == paper
    view = await scene.call(scene.consumer, "GET", f"/v1/national/contracts/{name}")
    assert view.json()["status"] == "Signed"
    assert await desk.call(scene.consumer, "/contractNegotiate", talk) == (409, "kernel.illegal_move")
    status, found = await desk.call(scene.a, "/contractRegistrate", desk.filing(contract))
    assert (status, found.filing.state, found.status) == (200, "submitted", "Signed")
    returned = desk.filing(contract, state="returned", reason="Name the area.")
    status, found = await desk.call(desk.regulator, "/contractRegistrate", returned)
    assert (found.filing.state, found.filing.reason) == ("returned", "Name the area.")
    await desk.call(scene.a, "/contractRegistrate", desk.filing(contract))
    accepted = desk.filing(contract, state="accepted", number="沪备-2026-1")
    status, found = await desk.call(desk.regulator, "/contractRegistrate", accepted)
    assert (found.filing.state, found.filing.number, found.status) == ("accepted", "沪备-2026-1", "Filed")
    status, found = await desk.call(scene.consumer, "/contractExecution", run)
    assert (status, found.status) == (200, "Executing")

    over = ContractTerminate(name, scene.a.did, "No longer needed.")
    assert await desk.call(scene.a, "/contractTerminate", over) == (409, "national.still_in_force")
    await scene.change(scene.a, paper, "terminate")
    other = replace(over, change=REQUEST)
    assert await desk.call(scene.a, "/contractTerminate", other) == (403, "national.other_leaf")
    log = scene.hub.hub.log
    leaf = sha256_digest(log.entries(log.size() - 1, log.size())[0])
    status, found = await desk.call(scene.a, "/contractTerminate", replace(over, change=leaf))
    assert (status, found.status) == (200, "Terminated")
    status, found = await desk.call(scene.a, "/contractRegistrate", desk.filing(contract, state="cancelled"))
    assert found.filing.state == "cancelled"


async def test_strangers_and_wrong_hands_get_nowhere(desk: Desk) -> None:
    scene = desk.scene
    contract = await desk.opened(await scene.agreed("hands"))
    name = contract.contract_id
    attempts = (
        ("/contractCreate", ContractCreate(contract)),
        ("/contractNegotiate", ContractNegotiate(name, replace(contract.signatories[1], did=scene.stranger.did), True)),
        ("/contractRegistrate", desk.filing(contract)),
        ("/contractExecution", ContractExecution(name, REQUEST, (scene.a.did,))),
        ("/contractTerminate", ContractTerminate(name, scene.stranger.did)),
    )
    for path, message in attempts:
        assert await desk.call(scene.stranger, path, message) == (404, "national.unknown_contract")
        assert (await desk.call(scene.b, path, message))[0] == 404
    assert (await scene.call(scene.stranger, "GET", f"/v1/national/contracts/{name}")).status_code == 404
    assert (await scene.call(scene.stranger, "GET", "/v1/national/contracts")).json() == []
    assert (
        await desk.call(desk.regulator, "/contractRegistrate", desk.filing(contract, state="accepted", number="1"))
    )[0] == 404  # a regulator to whom nobody filed
    forged = desk.filing(contract, state="accepted", number="1")
    assert await desk.call(scene.a, "/contractRegistrate", forged) == (403, "national.not_yours")
    away = desk.filing(contract, authority=scene.b.did)
    assert await desk.call(scene.a, "/contractRegistrate", away) == (403, "national.no_authority")
    run = ContractExecution(name, REQUEST, (scene.a.did,))
    assert await desk.call(scene.a, "/contractExecution", run) == (403, "national.not_yours")
    elsewhere = replace(run, nodes=(scene.stranger.did,))
    assert await desk.call(scene.consumer, "/contractExecution", elsewhere) == (403, "national.other_nodes")
    as_other = ContractTerminate(name, scene.consumer.did)
    assert await desk.call(scene.a, "/contractTerminate", as_other) == (403, "national.not_you")
    speaks_for = ContractNegotiate(name, contract.signatories[1], True)
    assert await desk.call(scene.a, "/contractNegotiate", speaks_for) == (403, "national.not_you")


async def test_a_bent_contract_is_no_contract(desk: Desk) -> None:
    scene, paper = desk.scene, await desk.scene.offer("bent")
    true = face(paper)
    last = "0" if true.contract_id[-1] != "0" else "1"
    for wrong in (
        replace(true, contract_id=true.contract_id[:-1] + last),
        replace(true, digest=REQUEST),
        replace(true, rules=()),
        replace(true, product_id="other"),
        replace(true, expires="2099-01-01T00:00:00Z"),
        replace(true, signatories=true.signatories[:1]),
    ):
        assert await desk.call(scene.a, "/contractCreate", ContractCreate(wrong)) == (400, "contract.not_this_face")
    answer = await scene.call(scene.a, "POST", "/v1/national/contractCreate", {"contract": 1})
    assert answer.status_code == 400
    unknown = next(one for one in offers(scene.applied("never-offered"), _template()) if one.provider == scene.a.did)
    assert (await desk.call(scene.a, "/contractCreate", ContractCreate(face(unknown))))[0] == 404


async def test_the_providers_credit_code_goes_before_the_consumers_word(desk: Desk) -> None:
    scene, paper = desk.scene, await desk.scene.offer("codes")
    wrong = face(paper, Registration(PLACE.subject, "1101"))
    assert (await desk.call(scene.consumer, "/contractCreate", ContractCreate(wrong)))[0] == 200
    right = await desk.opened(paper)
    assert right.contract_id != wrong.contract_id
    assert await desk.call(scene.consumer, "/contractCreate", ContractCreate(wrong)) == (
        409, "national.contract_exists",
    )  # fmt: skip
    assert (await scene.call(scene.a, "GET", f"/v1/national/contracts/{wrong.contract_id}")).status_code == 404
    assert (await desk.opened(paper, scene.consumer)).contract_id == right.contract_id  # the same again


async def test_a_suspended_agreement_executes_nothing(desk: Desk) -> None:
    scene, paper = desk.scene, await desk.scene.agreed("suspended")
    contract = await desk.opened(paper)
    await scene.change(scene.a, paper, "suspend")
    run = ContractExecution(contract.contract_id, REQUEST, (scene.a.did,))
    assert await desk.call(scene.consumer, "/contractExecution", run) == (409, "national.not_active")


async def test_a_proposal_is_between_the_same_two(desk: Desk) -> None:
    scene, paper = desk.scene, await desk.scene.offer("proposal")
    contract = await desk.opened(paper)
    mine = contract.signatories[0]
    less = replace(paper, terms=replace(paper.terms, allowance=paper.terms.allowance - 1))
    talk = ContractNegotiate(contract.contract_id, mine, proposal=face(less))
    status, found = await desk.call(scene.a, "/contractNegotiate", talk)
    assert (status, found.status, found.digest) == (200, "Negotiating", contract.digest)
    moved = replace(less, data_set="oncology")
    talk = replace(talk, proposal=face(moved))
    assert await desk.call(scene.a, "/contractNegotiate", talk) == (403, "national.other_contract")


async def test_one_call_more_than_the_limit_is_refused(desk: Desk) -> None:
    scene, paper = desk.scene, await desk.scene.agreed("limit")
    contract = await desk.opened(paper)
    store = desk.scene.hub.parts.contracts
    for number in range(CALLS.value - 1):
        store.add(CallRow(contract.contract_id, number, "/contractTerminate", scene.a.did, 0, b"%d" % number))
    run = ContractExecution(contract.contract_id, REQUEST, (scene.a.did,))
    assert (await desk.call(scene.consumer, "/contractExecution", run))[0] == 200
    again = replace(run, request="sha256:" + "8" * 64)
    assert (await desk.call(scene.consumer, "/contractExecution", again))[0] == 413


def _template() -> Any:
    from tests.unit.hub.test_papers import TEMPLATE

    return TEMPLATE
