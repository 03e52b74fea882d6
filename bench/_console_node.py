"""A large hospital in the country's space: a real node in this process, whose stores hold what one has after a year."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
from bench._console_held import Held
from bench._console_space import DAY_MS, Country
from bench._console_wards import Sizes, write_wards
from bench._report import say

from xinglin.access.form import Form, agreed_terms
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.console.seats import Seat
from xinglin.contract.agreement import Agreement, sign_agreement
from xinglin.evidence.entry import Entry
from xinglin.evidence.looks import PAGE_KIND, Look, page_commitment
from xinglin.kernel.instants import system_clock
from xinglin.node.channel import Channel
from xinglin.node.desk import answer_at_desk
from xinglin.node.joining import KEY_FILE, SALT_FILE, SPACE_FILE
from xinglin.node.listings import Listings
from xinglin.node.looks import complain, enrol
from xinglin.node.looks_counted import code_of
from xinglin.node.looks_store import open_look_book
from xinglin.node.main import Dispatch
from xinglin.node.settings import SETTINGS_FILE, NodeSettings
from xinglin.node.wiring import build_node, connect_channel
from xinglin.stores.desk import serve_desk
from xinglin.stores.look_book import LookBook
from xinglin.terms.agreed import AgreedTerms, CohortView
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.testing.hub_line import HubLine
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import admit, leaf_body, leaf_kind, register, vouch
from xinglin.wire.channel import AgreementOrder, CheckpointOrder
from xinglin.wire.policy import cosigning_key

WHOLE = Sizes(
    agreements=1_000, offered=60, data_sets=250, codes=10_000, held=64, receipts=3_000, quarantined=5_000,
    places=100_000, pages=365, complaints=300, pairs=1_000, decisions=1_000, spent=3,
)  # fmt: skip
SMALL = Sizes(
    agreements=12, offered=4, data_sets=4, codes=60, held=3, receipts=20, quarantined=40,
    places=200, pages=3, complaints=5, pairs=8, decisions=20, spent=2,
)  # fmt: skip
"""``held``: a node holds at most 64 runs while people look at them; ``data_sets``: a hub takes 256 of one provider."""
PATIENT = "Patient/1"
COLUMNS = ("a", "b", "c", "d")
AT_ONCE = 64
PACK = """version = 1
name = "looked-at"
title = "Persons look at every result"

[setting.reviewers]
value = 2
source = "made up"
"""


class _AsgiLine:
    """The node's line to the hub of this process."""

    def __init__(self, app: Any, url: str) -> None:
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url)

    async def post(self, path: str, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        """See ``node.line.Line``."""
        answer = await self._http.post(path, content=body, headers={"content-type": "application/msgpack"})
        return answer.status_code, answer.content

    def close(self) -> None:
        """Nothing is open."""


class BigHospital:
    """The country's first hospital as a node of its own; ``write`` fills it, ``close`` ends it."""

    def __init__(self, line: HubLine, country: Country, folder: Path, sizes: Sizes) -> None:
        self.line, self.country, self.sizes = line, country, sizes
        self.keys, self.folder = country.hospitals[0], folder / "node"
        self.folder.mkdir(mode=0o700)
        (self.folder / KEY_FILE).write_bytes(key_file_bytes(self.keys))
        (self.folder / KEY_FILE).chmod(0o600)
        (self.folder / SPACE_FILE).write_bytes(msgspec.json.encode(line.space))
        (self.folder / SALT_FILE).write_bytes(self.keys.seeds.x25519)
        (self.folder / SETTINGS_FILE).write_text("", encoding="utf-8")
        (self.folder / "disclosure_packs").mkdir()
        (self.folder / "disclosure_packs" / "looked-at.toml").write_text(PACK, encoding="utf-8")
        self.reviewers = [PrivateKeys.generate() for _ in range(2)]
        self._tasks: list[asyncio.Task[None]] = []

    def seats(self) -> tuple[Seat, ...]:
        """A seat of each role that needs this node."""
        account = self.country.account("reviewer", self.reviewers[0])
        return (
            Seat("hospital", "hospital", "Hospital", self.folder),
            Seat("reviewer", "reviewer", "Reviewer", account, self.folder),
            Seat("patient", "patient", "Hospital", self.folder),
        )

    def people(self) -> Iterator[bytes]:
        """Leaves of its reviewers."""
        for keys in self.reviewers:
            registration = vouch(register(keys, "Reviewer (made up)", (), self.keys.did), self.keys)
            leaf = admit(registration, self.country.operator)
            yield Entry(
                kind=leaf_kind(leaf), at=self.country.now, submitter=self.country.operator.did, parties=(leaf.did,),
                subject=leaf.did, body=leaf_body(leaf),
            ).to_bytes()  # fmt: skip

    def write(self) -> None:
        """Start the node, and give it everything; each through what writes it at a hospital."""
        self.line.do(self._started())
        self.line.do(self._following())
        for number in range(self.sizes.data_sets):
            self._in_loop(partial(self.node.tables.publish, self._described(number)))
        self._in_loop(self._told)
        for keys in self.reviewers:
            self._in_loop(partial(self.node.extracts.store.appoint, keys.did, system_clock()))
        self._in_groups([self._agreed(number) for number in range(self.sizes.agreements)])
        self._in_groups([self._receipted(number) for number in range(self.sizes.receipts)])
        write_wards(self.node, self.sizes)
        held = Held(self.node, self.country.researcher, PACK_DIGEST)
        for number in range(self.sizes.held):
            self.line.do(held.put(number, *self._offer(number)))
        self._looks()

    def close(self) -> None:
        """End the node."""
        self.line.do(self._stopped())

    # --- the process -----------------------------------------------------------------------------

    async def _started(self) -> None:
        self.node = build_node(self.folder, NodeSettings(log_wait_s=60.0))
        app = self.line.open_hub.parts.app
        self.node.client._transport, self.node.client._mounts = httpx.ASGITransport(app), {}  # type: ignore[arg-type]
        lines = (_AsgiLine(app, self.line.space.hub_url), _AsgiLine(app, self.line.space.hub_url))
        dispatch, node = Dispatch(self.node), self.node
        self.channel = Channel(
            lines, node.keys, node.clock, dispatch.take, lambda: node.view.size, dispatch.new_hub,  # type: ignore[arg-type]
            lambda: node.runs.unfinished,
        )  # fmt: skip
        connect_channel(node, self.channel)
        node.view.on_trusted.append(dispatch.trusted)
        stop = asyncio.Event()
        self._desk = await serve_desk(self.folder, partial(answer_at_desk, node, self.channel, stop=stop))
        self._heard()
        self._tasks.append(asyncio.create_task(self.channel.run()))

    def _heard(self) -> None:
        """The hub has this node cosign, and tells it of checkpoints: what it does for each of its nodes."""
        hub, did = self.line.open_hub.hub, self.keys.did

        async def by_mailbox(body: bytes, entries: bytes) -> tuple[int, bytes]:
            return await hub.witnesses.add_checkpoint(did, body, entries)

        def arrived(node: str, _runs: tuple[str, ...]) -> None:
            hub.log.add_witness(node, [cosigning_key(node, self.keys.public)], by_mailbox)
            hub.mailboxes.put(node, CheckpointOrder((hub.log.latest_with_quorum() or "").encode()))

        hub.mailboxes.on_arrival.append(arrived)
        hub.log.on_checkpoint(lambda note: hub.mailboxes.put(did, CheckpointOrder(note.encode())))

    async def _following(self) -> None:
        """Wait until the node trusts the log up to its reviewers."""
        there = asyncio.Event()

        def trusted() -> None:
            if self.reviewers[-1].did in self.node.view.record.directory.participants:
                there.set()

        self.node.view.on_trusted.append(trusted)
        trusted()
        await there.wait()

    async def _stopped(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._desk.close()
        await self.node.desk.engine.close()
        await self.node.client.aclose()
        for store in (self.node.database, self.node.desk.budgets, self.node.terms, self.node.papers, self.node.memory):
            store.close()

    def _in_loop(self, work: Any) -> Any:
        async def done() -> Any:
            return work()

        return self.line.do(done())

    def _in_groups(self, work: list[Coroutine[Any, Any, Any]]) -> None:
        """Some at once: entries of one checkpoint wait for one quorum."""

        async def group(some: list[Coroutine[Any, Any, Any]]) -> None:
            await asyncio.gather(*some)

        for first in range(0, len(work), AT_ONCE):
            self.line.do(group(work[first : first + AT_ONCE]))

    # --- data sets and agreements ------------------------------------------------------------------

    def _described(self, number: int) -> DataSetDescription:
        columns = tuple(ColumnDescription(name, low=0.0, high=100.0) for name in COLUMNS)
        table = TableDescription(f"t{number}", (ColumnDescription("person", "text", "person"), *columns), "person")
        return DataSetDescription(f"own-{number}", self.keys.did, f"Measurements {number} 测量{number}", (table,))

    def _told(self) -> None:
        self.channel.report(Listings(self.folder, self.node.tables, self.node.house).publication())

    def _form(self, number: int) -> Form:
        """A study of its own on one of the hospital's data sets."""
        form = self.country._form(self.sizes.agreements * 10 + number, self.keys)
        at = number % self.sizes.data_sets
        data = msgspec.structs.replace(
            form.data,
            data_set=f"own-{at}",
            cohort=(CohortView(f"t{at}", f"SELECT {', '.join(COLUMNS)} FROM t{at}"),),
            variables=tuple(f"t{at}.{column}" for column in COLUMNS),
        )
        return msgspec.structs.replace(form, data=data)

    def _offer(self, number: int) -> tuple[Agreement, AgreedTerms]:
        researcher, form = self.country.researcher, self._form(number)
        terms = agreed_terms(form, (researcher.did,), self.country.now)
        if number < self.sizes.held:
            looked_at = Constraint("disclosurePack", "isAllOf", (PACK_DIGEST,))
            terms = msgspec.structs.replace(terms, policy=Policy((Permission("use", (looked_at,)),)))
        agreement = Agreement(
            self.keys.did, self.keys.public.digest(), researcher.did, researcher.public.digest(), form.study,
            form.data.data_set, terms, self.country.now, version=terms.version,
        )  # fmt: skip
        return agreement, terms

    async def _agreed(self, number: int) -> None:
        """Offered by the researcher; countersigned by the officer, but for the last ones."""
        agreement, _terms = self._offer(number)
        signed = sign_agreement(self.country.researcher, agreement)
        self.node.agreements.offered(AgreementOrder(agreement.digest(), signed.to_bytes()))
        if number < self.sizes.agreements - self.sizes.offered:
            described = self.node.tables.published[agreement.data_set]
            await self.node.agreements.approve(agreement.digest(), described)

    async def _receipted(self, number: int) -> None:
        """An entry of its intake, as the node posts it."""
        subject = "sha256:" + hashlib.sha256(f"batch {number}".encode()).hexdigest()
        await self.node.evidence.record(
            Entry(kind="intake", at=system_clock(), submitter=self.keys.did, parties=(self.keys.did,), subject=subject)
        )

    # --- the book of looks ---------------------------------------------------------------------------

    def _looks(self) -> None:
        """A year of daily pages over all patients, two uses a day; the patient who signs in was in every tenth."""
        settings = NodeSettings()
        book, salt = open_look_book(self.folder, settings), (self.folder / SALT_FILE).read_bytes()
        mine = code_of(PATIENT, salt)
        book.note(self._look(0, "first"), [mine, *(secrets.token_bytes(8) for _ in range(self.sizes.places))])
        enrol(self.folder, settings, PATIENT)
        for number in range(self.sizes.complaints):
            about = PATIENT if number < 3 else f"Patient/{number}"
            complain(self.folder, settings, about, "", f"I was not there that day. 那天我没有就诊。{number}")
        posted = [self._page(book, number, mine) for number in range(self.sizes.pages)]
        self._in_groups([self._posted(book, number) for number in posted])
        book.close()

    def _look(self, number: int, name: str) -> Look:
        at = self.country.now - (self.sizes.pages - number) * DAY_MS
        return Look(
            use=f"run-{hashlib.sha256(f'{number}{name}'.encode()).hexdigest()[:26]}", kind="run", at=at,
            outcome="released", purpose="health-research", study=f"study-{number % 50}", data_set="own-1",
            asker=self.country.researcher.did, asker_name="Institute of the benchmark", institution="Institute",
        )  # fmt: skip

    def _page(self, book: LookBook, number: int, mine: bytes) -> int:
        codes = [mine, *(secrets.token_bytes(8) for _ in range(8))] if number % 10 == 0 else []
        book.note(self._look(number, "one"), codes)
        book.note(self._look(number, "two"), codes[1:4])
        page = book.write_page(self.keys.did, 0, self.country.now - (self.sizes.pages - number) * DAY_MS)
        return page.number

    async def _posted(self, book: LookBook, number: int) -> None:
        (row,) = book.pages(after=number - 1, until=number)
        page = row.page
        entry = Entry(
            kind=PAGE_KIND, at=page.at, submitter=self.keys.did, parties=(self.keys.did,), subject=page.digest(),
            commitments=page_commitment(page, book.page_salt(number)),
        )  # fmt: skip
        book.posted(number, await self.node.evidence.record(entry))


def first_look(get: Callable[[], Any], pages: int) -> None:
    """What the first sight of the list costs a patient's console, before any page was opened for the person."""
    from xinglin.console.calls.patient import OPENED

    OPENED._held.clear()
    began = time.process_time()
    get()
    spent = 1e3 * (time.process_time() - began)
    say(
        "console.first_look",
        "a patient's first look at the list, every page opened",
        spent,
        "ms",
        "",
        f"pages: {pages}",
    )


def _digest_of_pack() -> str:
    from xinglin.privacy.packs import pack_digest, read_pack

    return pack_digest(read_pack(PACK))


PACK_DIGEST = _digest_of_pack()
