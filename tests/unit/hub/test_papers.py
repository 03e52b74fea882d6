"""Papers at the real hub over HTTP: who may hand one in, what is verified, who is carried it, who reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace

from xinglin.contract import KIND_OF, Agreement, Change, Study, load_template, offers, sign_agreement, sign_change
from xinglin.contract.breach import NOTICE, BreachNotice, Case, cases, open_paper, sign_paper
from xinglin.contract.study import Application, sign_application
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import sign_batch
from xinglin.terms.agreed import CohortView, Peer
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.dpop import DoorKey
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.calls import AgreementCall, AgreementView, PaperCall, PaperView
from xinglin.wire.channel import AgreementAnswer, AgreementOrder, PaperOrder, PaperReport

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEMPLATE = load_template("statistics")


class Scene:
    """A consumer, two hospitals and a stranger at a hub; each calls over HTTP under its own door token."""

    def __init__(self, hub: OpenHub) -> None:
        self.hub = hub
        self._tokens: dict[str, tuple[str, DoorKey]] = {}

    async def fill(self) -> None:
        self.consumer, self.stranger = await self.hub.member(), await self.hub.member()
        self.a, self.b = await self.hub.member("provider"), await self.hub.member("provider")

    async def call(self, by: PrivateKeys, method: str, path: str, value: Any = None) -> httpx.Response:
        if by.did not in self._tokens:
            door = DoorKey.generate()
            self._tokens[by.did] = (await self.hub.token(by, door), door)
        body = msgspec.json.encode(value) if value is not None else None
        return await self.hub.call(*self._tokens[by.did], method, path, content=body)

    def applied(self, study: str = "heart") -> Application:
        peers = (Peer(one.did, one.public.digest()) for one in (self.a, self.b))
        return Application(
            Study(study, "Heart 心脏", self.consumer.did, self.consumer.did, "health-research", "ethics-waiver"),
            TEMPLATE.name,
            TEMPLATE.digest(),
            "cardiology",
            (CohortView("cardiac", "SELECT age FROM cardiac"),),
            ("cardiac.age",),
            Peer(self.consumer.did, self.consumer.public.digest()),
            tuple(sorted(peers, key=lambda one: one.did)),
            self.hub.clock(),
        )

    async def offer(self, study: str = "heart") -> Agreement:
        """One offer to hospital a, with its application."""
        application = self.applied(study)
        paper = next(one for one in offers(application, TEMPLATE) if one.provider == self.a.did)
        call = AgreementCall(sign_agreement(self.consumer, paper), sign_application(self.consumer, application))
        (await self.call(self.consumer, "POST", "/v1/agreements", call)).raise_for_status()
        return paper

    async def agreed(self, study: str = "heart") -> Agreement:
        """In force: the hospital's leaf lies in the log, and the hub has its countersignature."""
        return await self.agreed_again(await self.offer(study))

    async def agreed_again(self, paper: Agreement) -> Agreement:
        """An offer, put in force."""
        leaf = Entry(
            kind="agreement",
            at=self.hub.clock(),
            submitter=self.a.did,
            parties=(self.a.did, self.consumer.did),
            subject=paper.digest(),
        )
        await self.log(self.a, leaf)
        answer = AgreementAnswer(paper.digest(), True, sign_agreement(self.a, paper).to_bytes())
        await self.hub.hub.agreements.answered(self.a.did, answer)
        return paper

    async def change(self, by: PrivateKeys, paper: Agreement, event: str, **named: str) -> None:
        made = self.hub.clock()
        body = sign_change(by, Change(event, paper.digest(), made, **named))
        entry = Entry(kind=KIND_OF[event], at=made, submitter=by.did, subject=paper.digest(), body=body)
        await self.log(by, entry)

    async def log(self, by: PrivateKeys, entry: Entry) -> None:
        batch = sign_batch([entry], self.hub.space.origin, by.did, by.sign)
        await self.hub.hub.append_batch(batch.to_bytes())

    def waiting(self, at: PrivateKeys) -> list[Any]:
        return list(self.hub.hub.mailboxes.of(at.did)._orders)

    def notice(self, paper: Agreement, **changes: Any) -> BreachNotice:
        found = BreachNotice(
            paper.digest(), self.consumer.did, self.a.did, "not-delivered", "Nothing came.", self.hub.clock()
        )
        return replace(found, **changes)

    async def give(self, by: PrivateKeys, paper: Agreement, notice: BreachNotice, kind: str = "notice") -> Any:
        call = PaperCall(kind, sign_paper(by, notice))
        return await self.call(by, "POST", f"/v1/agreements/{paper.digest()}/papers", call)

    def cases(self, paper: Agreement, answer: httpx.Response) -> tuple[Case, ...]:
        views = msgspec.json.decode(answer.content, type=list[PaperView])
        record = self.hub.hub.members.record
        opened = [open_paper(one.kind, one.signed, record.directory) for one in views]
        history = record.agreements.of(paper.digest(), paper.provider, paper.consumer)
        return cases(opened, history, self.hub.clock())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("papers")
    async with OpenHub(folder) as hub:
        made = Scene(hub)
        await made.fill()
        yield made


async def test_an_offer_travels_with_its_application(scene: Scene) -> None:
    paper = await scene.offer("travels")
    order = scene.waiting(scene.a)[-1]
    assert isinstance(order, AgreementOrder) and order.application
    path = f"/v1/agreements/{paper.digest()}"
    view = msgspec.json.decode((await scene.call(scene.a, "GET", path)).content, type=AgreementView)
    assert view.application is not None and view.application.signer == scene.consumer.did
    scene.hub.hub.mailboxes.of(scene.a.did).drop()
    scene.hub.hub.agreements.arrived(scene.a.did)  # a node that comes back is handed both again
    again = [one for one in scene.waiting(scene.a) if isinstance(one, AgreementOrder)]
    assert any(one.agreement_id == paper.digest() and one.application for one in again)


async def test_an_offer_that_names_another_application_is_refused_at_the_hub(scene: Scene) -> None:
    application, other = scene.applied("one"), scene.applied("another")
    paper = next(one for one in offers(application, TEMPLATE) if one.provider == scene.a.did)
    signed = sign_agreement(scene.consumer, paper)
    for wrong in (None, sign_application(scene.consumer, other)):
        answer = await scene.call(scene.consumer, "POST", "/v1/agreements", AgreementCall(signed, wrong))
        assert answer.status_code == 403, answer.text
        assert answer.json()["reasons"][0]["code"] in ("hub.no_application", "contract.other_application")
    plain = replace(paper, application=msgspec.UNSET, version=2)
    call = msgspec.json.encode({"signed": msgspec.to_builtins(sign_agreement(scene.consumer, plain))})
    old = await scene.call(scene.consumer, "POST", "/v1/agreements", msgspec.Raw(call))
    assert old.status_code == 200  # a caller who knows no applications


async def test_a_notice_goes_to_the_other_party_and_back(scene: Scene) -> None:
    paper = await scene.agreed("notice")
    notice = scene.notice(paper)
    answer = await scene.give(scene.consumer, paper, notice)
    assert answer.status_code == 200, answer.text
    (case,) = scene.cases(paper, answer)
    assert case.state == "unlogged"
    await scene.change(scene.consumer, paper, "breach", step="notice", document=notice.digest())
    await scene.give(scene.consumer, paper, notice)
    orders = [one for one in scene.waiting(scene.a) if isinstance(one, PaperOrder)]
    assert {one.agreement_id for one in orders} == {paper.digest()}
    read = await scene.call(scene.a, "GET", f"/v1/agreements/{paper.digest()}/papers")
    (case,) = scene.cases(paper, read)
    assert (case.state, case.logged) == ("noticed", True)
    scene.hub.hub.mailboxes.of(scene.a.did).drop()
    scene.hub.hub.agreements.arrived(scene.a.did)
    assert [one for one in scene.waiting(scene.a) if isinstance(one, PaperOrder)]


async def test_a_hospitals_report_is_what_the_consumer_reads(scene: Scene) -> None:
    paper = await scene.agreed("report")
    notice = BreachNotice(paper.digest(), scene.a.did, scene.consumer.did, "not-paid", "Unpaid.", scene.hub.clock())
    report = PaperReport(paper.digest(), "notice", sign_paper(scene.a, notice).to_bytes())
    from xinglin.hub.node_routes import _act

    await _act(scene.hub.hub, scene.a.did, report)
    await _act(scene.hub.hub, scene.a.did, report)
    await _act(scene.hub.hub, scene.b.did, report)  # another hospital's line: dropped
    read = await scene.call(scene.consumer, "GET", f"/v1/agreements/{paper.digest()}/papers")
    assert len(msgspec.json.decode(read.content, type=list[PaperView])) == 1


async def test_forged_papers_and_strangers_get_nowhere(scene: Scene) -> None:
    paper = await scene.agreed("forged")
    notice, path = scene.notice(paper), f"/v1/agreements/{paper.digest()}/papers"
    true = sign_paper(scene.consumer, notice)
    forged = replace(sign(scene.stranger, NOTICE, notice, pq=True), signer=scene.consumer.did)
    for signed in (forged, replace(true, pq_signature=b""), replace(true, payload=true.payload[:-1])):
        answer = await scene.call(scene.consumer, "POST", path, PaperCall("notice", signed))
        assert answer.status_code in (400, 401, 403), answer.text
    hidden = await scene.call(scene.stranger, "POST", path, PaperCall("notice", true))
    unknown = await scene.call(scene.stranger, "GET", "/v1/agreements/sha256:0/papers")
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.json() == unknown.json()  # nobody learns that there is such an agreement
    for_another = await scene.call(scene.a, "POST", path, PaperCall("notice", true))
    assert for_another.json()["reasons"][0]["code"] == "hub.not_yours"
    elsewhere = await scene.agreed("elsewhere")
    moved = await scene.call(
        scene.consumer, "POST", f"/v1/agreements/{elsewhere.digest()}/papers", PaperCall("notice", true)
    )
    assert moved.json()["reasons"][0]["code"] == "contract.other_agreement"
    read = await scene.call(scene.consumer, "GET", path)
    assert msgspec.json.decode(read.content, type=list[PaperView]) == []


async def test_nothing_is_noticed_of_an_offer(scene: Scene) -> None:
    paper = await scene.offer("only-offered")
    answer = await scene.give(scene.consumer, paper, scene.notice(paper))
    assert answer.json()["reasons"][0]["code"] == "hub.never_in_force"


async def test_a_notice_about_an_ended_agreement_is_carried(scene: Scene) -> None:
    paper = await scene.agreed("ended")
    await scene.change(scene.a, paper, "terminate")
    notice = scene.notice(paper)
    answer = await scene.give(scene.consumer, paper, notice)
    assert answer.status_code == 200
    await scene.change(scene.consumer, paper, "breach", step="notice", document=notice.digest())
    path = f"/v1/agreements/{paper.digest()}"
    (case,) = scene.cases(paper, await scene.call(scene.consumer, "GET", path + "/papers"))
    assert case.state == "noticed"
    view = msgspec.json.decode((await scene.call(scene.consumer, "GET", path)).content, type=AgreementView)
    assert view.state == "terminated"
