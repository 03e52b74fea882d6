"""The data door: a token of a started transfer opens it, and nothing else does."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.connector.conftest import ALICE, BOB, CONTENT, DATA, Town, state_of
from tests.unit.connector.test_two_connectors import BOB_AT, finalized, pair

from xinglin.connector import asking
from xinglin.connector.errors import NotPossible
from xinglin.connector.opening import transfer
from xinglin.connector.released_files import ReleasedFiles
from xinglin.connector.sending import HttpSender
from xinglin.kernel.verdict import Verdict, deny
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Caller, Document, Item


class Opened:
    """A started transfer between the two."""

    def __init__(self, town: Town, alice, bob, pid: str) -> None:
        self.town, self.alice, self.bob, self.pid = town, alice, bob, pid
        self.row = alice.world.store.process(pid)
        self.address = msgspec.json.decode(self.row.data_address, type=m.DataAddress)
        self.token = self.address.value_of("authorization")
        self.client = httpx.AsyncClient(transport=town.wire)

    async def get(self, token: str | None = None, **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        bearer = f"Bearer {self.token if token is None else token}"
        return await self.client.get(self.address.endpoint, headers={"authorization": bearer} | names)


@pytest.fixture
async def opened(town: Town) -> AsyncIterator[Opened]:
    alice, bob = pair(town)
    agreement = await finalized(town, alice, bob)
    row = await transfer(alice.desk, BOB, BOB_AT, agreement, "HttpData-PULL")
    await town.until(lambda: state_of(alice, row.pid) == "STARTED")
    made = Opened(town, alice, bob, row.pid)
    await town.until(lambda: state_of(bob, made.row.peer_pid) == "STARTED")
    yield made
    await made.client.aclose()


async def test_the_token_opens_the_whole(opened: Opened) -> None:
    done = await opened.get()
    assert (done.status_code, done.content) == (200, CONTENT)
    assert done.headers["content-length"] == str(len(CONTENT))
    assert opened.address.value_of("authType") == "bearer"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-", 10, None),
        ("bytes=-7", -7, None),
        ("bytes=5-9", 5, 10),
        ("bytes=3-99999999", 3, None),
    ],
)
async def test_ranges(opened: Opened, asked: str, start: int, end: int | None) -> None:
    done = await opened.get(range=asked)
    assert (done.status_code, done.content) == (206, CONTENT[start:end])
    assert done.headers["content-range"].endswith(f"/{len(CONTENT)}")


@pytest.mark.parametrize("asked", [f"bytes={len(CONTENT)}-", "bytes=9-5", "bytes=-0", "bytes=-"])
async def test_ranges_of_nothing(opened: Opened, asked: str) -> None:
    done = await opened.get(range=asked)
    assert (done.status_code, done.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes=0-" + "9" * 30])
async def test_other_ranges_are_passed_over(opened: Opened, asked: str) -> None:
    assert (await opened.get(range=asked)).status_code == 200


async def test_a_range_of_other_bytes_is_the_whole(opened: Opened) -> None:
    etag = (await opened.get()).headers["etag"]
    assert (await opened.get(range="bytes=5-", if_range=etag)).status_code == 206
    assert (await opened.get(range="bytes=5-", if_range='"other"')).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "Bearer", "Bearer x", "a b c"])
async def test_a_wrong_token_opens_nothing(opened: Opened, token: str) -> None:
    assert (await opened.get(token)).status_code == 401


async def test_no_token_and_no_transfer_are_answered_alike(opened: Opened) -> None:
    wrong = await opened.get("wrong")
    nothing = await opened.client.get(f"{BOB_AT}/data/nothing", headers={"authorization": f"Bearer {opened.token}"})
    assert (wrong.status_code, wrong.text) == (nothing.status_code, nothing.text) == (401, wrong.text)


@pytest.mark.parametrize("action", ["suspend", "complete", "terminate"])
async def test_an_ended_or_paused_transfer_is_closed(opened: Opened, action: str) -> None:
    await opened.alice.desk.do(opened.pid, action)
    await opened.town.until(lambda: state_of(opened.bob, opened.row.peer_pid) != "STARTED")
    assert (await opened.get()).status_code == 401


async def test_a_paused_transfer_is_taken_up_again(opened: Opened) -> None:
    await opened.alice.desk.do(opened.pid, "suspend")
    await opened.town.until(lambda: state_of(opened.alice, opened.pid) == "SUSPENDED")
    await opened.alice.desk.do(opened.pid, "start")
    await opened.town.until(lambda: state_of(opened.bob, opened.row.peer_pid) == "STARTED")
    assert (await opened.get()).status_code == 200


async def test_an_old_token_opens_nothing(opened: Opened) -> None:
    store = opened.bob.world.store
    token = store.token(opened.row.peer_pid)
    from xinglin.wire.dsp.ports import Step

    row = store.process(opened.row.peer_pid)
    store.put(Step(replace(row, version=row.version + 1), token=replace(token, expires=1)))
    assert (await opened.get()).status_code == 401


async def test_what_the_terms_forbid_now_is_not_handed_out(opened: Opened) -> None:
    class Forbids:
        async def __call__(self, step: str, caller: Caller, data_set: str, policy: Document) -> Verdict:
            assert (step, caller.participant, data_set, policy["assignee"]) == ("fetch", ALICE, DATA, ALICE)
            return deny("terms.expired", "The agreement has expired.")

    opened.bob.desk.world = replace(opened.bob.world, decide=Forbids())
    assert (await opened.get()).status_code == 403


async def test_an_agreement_that_is_not_in_force_hands_nothing_out(opened: Opened) -> None:
    store = opened.bob.world.store
    contract = store.contract(opened.row.agreement, "provider")
    store.put_contract(replace(contract, state="TERMINATED"))
    assert (await opened.get()).status_code == 403


async def test_only_released_items_and_l1_products_leave(opened: Opened, tmp_path: Path) -> None:
    files = ReleasedFiles(tmp_path / "raw")
    with pytest.raises(NotPossible):
        files.put(DATA, b"rows", grade="L2")

    class Raw(ReleasedFiles):
        async def find(self, contract: object) -> Item:
            return Item("x", 4, "d", "L2", False)

    opened.bob.desk.world = replace(opened.bob.world, released=Raw(tmp_path / "raw"))
    assert (await opened.get()).status_code == 401


async def test_evidence_is_kept_before_a_byte_leaves(opened: Opened) -> None:
    await opened.bob.hand_over()
    await opened.get(range="bytes=0-9")
    (note,) = opened.bob.world.store.notes()
    values = msgspec.json.decode(note.values)
    assert (note.kind, values["size"], values["participant"]) == ("transfer-data", len(CONTENT), ALICE)


async def test_a_download_in_parts_is_one_delivery(opened: Opened) -> None:
    await opened.bob.hand_over()

    def delivered() -> int:
        return len([one for one in opened.bob.world.store.notes() if one.kind == "transfer-data"])

    await opened.get(range="bytes=0-99")
    await asyncio.gather(*(opened.get(range=f"bytes={at}-{at + 99}") for at in range(0, 2_000, 100)))
    assert delivered() == 1
    await opened.get(range="bytes=2000-")
    await opened.get(range="bytes=5-9")
    assert delivered() == 1
    assert (await opened.get()).status_code == 200  # from the start again, after the end was sent
    assert delivered() == 2


async def test_the_bytes_are_held_against_what_the_provider_says(opened: Opened, tmp_path: Path) -> None:
    import base64
    import hashlib

    said = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert (await opened.get()).headers["repr-digest"] == f"sha-256=:{said}:"
    target = tmp_path / "part"
    target.write_bytes(b"x" * 1_000)
    (tmp_path / "part.etag").write_text((await opened.get()).headers["etag"])
    with pytest.raises(asking.BadAnswer):
        await asking.fetch(opened.client, opened.row, target, trial=True)
    assert not target.exists()


async def test_more_than_the_limit_is_refused(opened: Opened, tmp_path: Path) -> None:
    target = tmp_path / "part"
    assert await asking.fetch(opened.client, opened.row, target, trial=True, most_bytes=len(CONTENT)) == len(CONTENT)
    target.unlink()
    with pytest.raises(asking.BadAnswer):
        await asking.fetch(opened.client, opened.row, target, trial=True, most_bytes=len(CONTENT) - 1)
    assert not target.exists()


@pytest.mark.parametrize("address", ["http://bob/data", "https://127.0.0.1/x", "https://10.1.2.3/x", "https://[::1]/x"])
async def test_the_providers_address_is_checked(opened: Opened, tmp_path: Path, address: str) -> None:
    moved = replace(opened.address, endpoint=address)
    row = replace(opened.row, data_address=msgspec.json.encode(moved))
    with pytest.raises(Unreachable):
        await asking.fetch(opened.client, row, tmp_path / "part")
    assert not (tmp_path / "part").exists()


async def test_a_broken_fetch_goes_on_where_it_stopped(opened: Opened, tmp_path: Path) -> None:
    target = tmp_path / "part"
    etag = (await opened.get()).headers["etag"]
    target.write_bytes(CONTENT[:1_000])
    (tmp_path / "part.etag").write_text(etag)
    assert await asking.fetch(opened.client, opened.row, target, trial=True) == len(CONTENT)
    assert target.read_bytes() == CONTENT
    assert not (tmp_path / "part.etag").exists()


async def test_a_fetch_of_other_bytes_begins_anew(opened: Opened, tmp_path: Path) -> None:
    target = tmp_path / "part"
    target.write_bytes(b"x" * 1_000)
    (tmp_path / "part.etag").write_text('"other"')
    assert await asking.fetch(opened.client, opened.row, target, trial=True) == len(CONTENT)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("packed", ["gzip", "zstd"])
async def test_nothing_that_is_packed_is_unpacked(opened: Opened, tmp_path: Path, packed: str) -> None:
    pulled = 0

    async def bomb() -> AsyncIterator[bytes]:
        nonlocal pulled
        pulled += 1
        yield gzip.compress(bytes(1_000_000))

    def hostile(asked: httpx.Request) -> httpx.Response:
        assert asked.headers["accept-encoding"] == "identity"
        return httpx.Response(200, content=bomb(), headers={"content-encoding": packed})

    async with httpx.AsyncClient(transport=httpx.MockTransport(hostile)) as client:
        with pytest.raises(asking.BadAnswer, match="compressed"):
            await asking.fetch(client, opened.row, tmp_path / "part", trial=True)
        sender, url = HttpSender(client), "https://far.example/x"
        for ask in (sender.get(url, ""), sender.post(url, b"{}", "")):
            with pytest.raises(Unreachable, match="compressed"):
                await ask
    assert pulled == 0 and not (tmp_path / "part").exists()
