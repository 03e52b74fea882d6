"""The witness's folder and its HTTP face, joined to a real hub log through ASGI; no ports are opened."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from xinglin.evidence.entry import Entry
from xinglin.evidence.notes import ED25519, Signer, VerifierKey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy, parse_policy, verify_checkpoint
from xinglin.evidence.receipt import verify_receipt
from xinglin.evidence.submission import sign_batch
from xinglin.hub.log import LogService, LogSettings
from xinglin.hub.log_routes import log_router
from xinglin.hub.log_witnesses import http_transport
from xinglin.kernel.codec import decode_json
from xinglin.stores.log_fetch import UnsafeUrl
from xinglin.stores.log_sqlite import SqliteLogStore
from xinglin.stores.settings_file import SettingsError
from xinglin.trust.keys import PrivateKeys, verify
from xinglin.trust.leaves import KeyRegistration, register
from xinglin.wire.policy import cosigning_key
from xinglin.wire.space import Space, WitnessCard
from xinglin.witness import (
    AlreadyAWitness,
    NotFollowing,
    OtherSpace,
    WitnessSettings,
    build_witness,
    follow_space,
    found_witness,
    witness_settings,
)
from xinglin.witness.main import forward_once

PLAIN = WitnessSettings(plain_http=True, merge_delay_s=0.4)


class World:
    """Operator, regulator with a witness, and the hub's log, over ASGI."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.operator = PrivateKeys.generate()
        self.card = found_witness(folder / "witness", "Commission", settings=PLAIN)
        regulator = decode_json(self.card.registration, KeyRegistration)
        self.regulator = regulator
        public = self.operator.public
        self.signer = Signer(VerifierKey("log.test/space", ED25519, public.ed25519), self.operator.sign_note_ed25519)
        seat = Cosigner(regulator.did, (cosigning_key(regulator.did, regulator.keys),))
        self.policy = default_policy(LogKey(self.signer.key), [seat], [])
        vkey = self.signer.key.to_text()
        text = self.policy.to_text()
        self.space = Space("test", "http://127.0.0.1:1", "", vkey, self.operator.did, regulator.did, text)
        follow_space(folder / "witness", self.space)
        self.keys = {self.operator.did: public, regulator.did: regulator.keys}

    async def start(self) -> None:
        self.store = SqliteLogStore(self.folder / "log.db")
        settings = LogSettings(gather_ms=1, heartbeat_s=0.1, quorum_wait_s=0.5)
        self.log = LogService(self.store, self.signer, parse_policy(self.space.policy), settings)
        await self.log.start()
        self.hub_app = Litestar([log_router(self.log, self.verify)], openapi_config=None)
        self.parts = build_witness(self.folder / "witness", PLAIN)
        self.parts.client._transport = httpx.ASGITransport(self.hub_app)
        self.hub = httpx.AsyncClient(transport=httpx.ASGITransport(self.hub_app), base_url="http://hub")
        self.wit = httpx.AsyncClient(transport=httpx.ASGITransport(self.parts.app), base_url="http://witness")
        key = cosigning_key(self.regulator.did, self.regulator.keys)
        self.log.add_witness("regulator", [key], http_transport("http://witness", self.wit))

    async def stop(self) -> None:
        await self.log.stop()
        for client in (self.hub, self.wit, self.parts.client):
            await client.aclose()
        self.parts.store.close()
        self.store.close()

    def verify(self, did: str, context: str, payload: bytes, signature: bytes) -> None:
        verify(self.keys[did], context, payload, signature)

    def entry(self, number: int, **fields: Any) -> Entry:
        return Entry(kind="request", at=number, submitter=self.operator.did, **fields)

    def batch(self, *numbers: int) -> bytes:
        entries = [self.entry(n) for n in numbers]
        return sign_batch(entries, self.log.origin, self.operator.did, self.operator.sign).to_bytes()

    async def register_operator(self) -> None:
        """The first leaves, so that the witness knows whose signatures count."""
        own = register(self.operator, "Operator", ("operator",))
        for registration in (own, self.regulator):
            body = msgspec.to_builtins(registration)
            leaf = Entry(kind="key-registration", at=0, submitter=self.operator.did, body=body)
            (index,) = await self.log.append([leaf.to_bytes()])
        await self.log.receipt(index)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


async def test_entries_come_by_tiles_and_receipts_verify(world: World) -> None:
    await world.log.append([world.entry(n).to_bytes() for n in range(1_000)])
    answer = await world.hub.get("/receipt/700")
    assert answer.status_code == 200
    verified = verify_receipt(answer.text, world.policy)
    assert (verified.index, verified.entry.at, verified.fork_protection) == (700, 700, False)
    assert world.parts.witness.state().size == 1_000


async def test_the_log_serves_tlog_tiles(world: World) -> None:
    data = [world.entry(n).to_bytes() for n in range(600)]
    await world.log.append(data)
    await world.log.receipt(599)
    note = await world.hub.get("/checkpoint")
    assert verify_checkpoint(world.policy, note.text).checkpoint.size == 600
    full = await world.hub.get("/tile/0/001")
    assert full.content == b"".join(hashlib.sha256(b"\x00" + each).digest() for each in data[256:512])
    assert "immutable" in full.headers["cache-control"]
    assert (await world.hub.get("/tile/1/000.p/2")).content == b"".join(world.store.hashes(1, 0, 2))
    bundle = await world.hub.get("/tile/entries/002.p/88")
    assert bundle.content == b"".join(len(each).to_bytes(2, "big") + each for each in data[512:])
    for path in (
        "/tile/entries/002",
        "/tile/entries/002.p/89",
        "/tile/entries/003.p/1",
        "/tile/entries/2.p/1",
        "/tile/0/0",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/9/000",
        "/tile/entries/x000/001",
        "/tile/entries/../../log.db",
        "/tile/-1/000",
        "/receipt/600",
    ):
        assert (await world.hub.get(path)).status_code == 404, path


async def test_a_submission_over_http_is_durable_and_taken_once(world: World) -> None:
    batch = world.batch(1, 2, 3)
    for _ in range(3):
        answer = await world.hub.post("/submit", content=batch)
        assert (answer.status_code, answer.json()) == (200, {"first": 0, "count": 3})
    assert world.store.size() == 3


async def test_bad_submissions_are_refused_with_a_code(world: World) -> None:
    batch = sign_batch([world.entry(1)], world.log.origin, world.operator.did, world.operator.sign)
    forged = msgspec.structs.replace(batch, signature=bytes(64)).to_bytes()
    elsewhere = sign_batch([world.entry(1)], "other.log", world.operator.did, world.operator.sign).to_bytes()
    for data, status, code in (
        (b"", 400, "kernel.malformed"),
        (b"\x00" * 100, 400, "kernel.malformed"),
        (forged, 403, "trust.bad_signature"),
        (elsewhere, 400, "evidence.bundle"),
    ):
        answer = await world.hub.post("/submit", content=data)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert world.store.size() == 0


async def test_the_witness_forwards_what_the_log_withholds(world: World) -> None:
    await world.register_operator()
    accepted = await world.wit.post("/submit", content=world.batch(41, 42))
    assert accepted.status_code == 202
    assert accepted.json()["waiting"] == 2
    assert await forward_once(world.parts) == 1
    await world.log.receipt(3)
    assert world.parts.witness.pending() == []
    again = await world.wit.post("/submit", content=world.batch(41, 42))
    assert (again.json()["in_log"], again.json()["waiting"]) == (2, 0)


async def test_a_log_that_goes_on_withholding_gets_no_more_cosignatures(world: World) -> None:
    await world.register_operator()
    batch = world.batch(41)
    assert (await world.wit.post("/submit", content=batch)).status_code == 202
    await _until(lambda: not world.parts.witness.state().cosigning)
    health = await world.wit.get("/healthz")
    assert (health.status_code, health.json()["waiting"]) == (503, 1)
    await _until(lambda: "accepted submissions" in world.log.witnesses()[0].trouble)
    await world.hub.post("/submit", content=batch)
    await world.log.receipt(2)
    assert (await world.wit.get("/healthz")).status_code == 200


async def test_who_is_not_registered_cannot_make_a_witness_stop(world: World) -> None:
    await world.register_operator()
    stranger = PrivateKeys.generate()
    entry = Entry(kind="request", at=1, submitter=stranger.did)
    batch = sign_batch([entry], world.log.origin, stranger.did, stranger.sign).to_bytes()
    answer = await world.wit.post("/submit", content=batch)
    assert answer.status_code == 403
    assert world.parts.witness.pending() == []


async def test_monitoring(world: World) -> None:
    assert (await world.wit.get("/forks")).json() == []
    path = f"/{hashlib.sha256(b'log.test/space').hexdigest()}/checkpoint"
    assert (await world.wit.get(path)).status_code == 404
    await world.log.append([world.entry(1).to_bytes()])
    await world.log.receipt(0)
    assert (await world.wit.get(path)).text.startswith("log.test/space\n1\n")


async def test_oversized_requests_end_before_they_are_read(world: World) -> None:
    assert (await world.wit.post("/add-checkpoint", content=b"x" * 700_000)).status_code == 413
    assert (await world.hub.post("/submit", content=b"x" * 9_000_000)).status_code == 413


def test_keys_are_made_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    card = found_witness(tmp_path / "w", "Commission")
    assert isinstance(card, WitnessCard)
    assert card.url == "https://127.0.0.1:8460"
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(AlreadyAWitness):
        found_witness(tmp_path / "w", "Commission")


def test_a_witness_needs_a_space_and_keeps_to_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    found_witness(tmp_path / "other", "Commission")
    with pytest.raises(NotFollowing):
        build_witness(tmp_path / "other", WitnessSettings())
    with pytest.raises(OtherSpace):
        follow_space(tmp_path / "other", world.space)  # it names another regulator
    vkey = VerifierKey("log.test/elsewhere", ED25519, world.operator.public.ed25519).to_text()
    with pytest.raises(OtherSpace):
        follow_space(tmp_path / "witness", msgspec.structs.replace(world.space, log_vkey=vkey))


@pytest.mark.parametrize("url", ["http://hub.example", "http://10.0.0.1:80", "ftp://127.0.0.1", "127.0.0.1", ""])
def test_a_hub_without_tls_is_refused(tmp_path: Path, url: str) -> None:
    world = World(tmp_path)
    follow_space(tmp_path / "witness", msgspec.structs.replace(world.space, hub_url=url))
    with pytest.raises(UnsafeUrl):
        build_witness(tmp_path / "witness", PLAIN)


def test_loopback_without_tls_only_when_told(tmp_path: Path) -> None:
    World(tmp_path)
    with pytest.raises(UnsafeUrl):
        build_witness(tmp_path / "witness", WitnessSettings())


def test_settings_come_from_file_environment_and_flags(tmp_path: Path) -> None:
    found_witness(tmp_path / "w", "Commission", settings=WitnessSettings(port=9001))
    loaded = witness_settings(tmp_path / "w", {"forward_s": 9.0}, {"XINGLIN_WITNESS_MERGE_DELAY_S": "5"})
    assert (loaded.settings.port, loaded.settings.merge_delay_s, loaded.settings.forward_s) == (9001, 5.0, 9.0)
    with pytest.raises(SettingsError):
        witness_settings(tmp_path / "w", {}, {"XINGLIN_WITNESS_PORT": "many"})


async def _until(condition: Any, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)
