"""A hub whose database has no room: what it does not keep it does not take, and the sender sends it again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from xinglin.kernel.codec import encode_msgpack
from xinglin.sample import data_set, descriptions
from xinglin.sample.profiles import PROFILES
from xinglin.stores.database_errors import StoreFull
from xinglin.stores.hub_database import HubDatabase
from xinglin.testing.open_hub import OpenHub
from xinglin.trust.dpop import DoorKey
from xinglin.trust.envelope import sign
from xinglin.wire.channel import REPORTS_CONTEXT, Published, Reports

DESCRIBED = msgspec.json.encode((data_set(PROFILES[0], "", descriptions()),))


def no_room(*_arguments: object, **_named: object) -> None:
    """What the database says."""
    raise StoreFull("The database's disk is full; nothing was promised.", remedy="Make room, then do it again.")


async def test_a_report_that_cannot_be_kept_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenHub(tmp_path) as hub:
        node = await hub.member("provider")
        reports = (Published(b"no description"), Published(DESCRIBED))
        batch = Reports(node.did, "boot", 1, hub.clock(), reports)
        body = encode_msgpack(sign(node, REPORTS_CONTEXT, encode_msgpack(batch)))
        with monkeypatch.context() as patch:
            patch.setattr(HubDatabase, "put_publication", no_room)
            for _ in range(2):
                answer = await hub.http.post("/node/send", content=body)
                assert answer.status_code == 503 and answer.json()["reasons"][0]["code"] == "stores.full"
        assert hub.hub.store.publications() == ()
        assert (await hub.http.post("/node/send", content=body)).status_code == 200
        assert [did for did, _ in hub.hub.store.publications()] == [node.did]


async def test_nobody_passes_the_door_while_proofs_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with OpenHub(tmp_path) as hub:
        keys, door_key = await hub.member(), DoorKey.generate()
        token = await hub.token(keys, door_key)
        with monkeypatch.context() as patch:
            patch.setattr(HubDatabase, "remember", no_room)
            answer = await hub.call(token, door_key, "GET", "/v1/agreements")
            assert answer.status_code == 401 and "disk is full" in answer.text
        assert (await hub.call(token, door_key, "GET", "/v1/agreements")).status_code == 200
