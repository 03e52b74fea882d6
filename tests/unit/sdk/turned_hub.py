"""The SDK's line to the real hub in this process, whose every answer can be turned: a hub that shows what it likes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
from tests.unit.hub.review_scene import Scene
from tests.unit.sdk.fake_hub import described

from xinglin.contract.agreement import Agreement
from xinglin.evidence.cosignature import cosign
from xinglin.evidence.tiles import format_bundle, parse_path
from xinglin.hub.founding import log_signer
from xinglin.sdk.account import Account
from xinglin.sdk.logbook import Logbook
from xinglin.sdk.space import Space
from xinglin.testing.hostile_log import HostileLog
from xinglin.wire.access import ActCall, MotionCall, RecusalCall, ResolutionCall, VoteCall
from xinglin.wire.approvals import ApprovalRecord
from xinglin.wire.calls import AgreementCall, AgreementView, DataSetListing
from xinglin.wire.policy import cosigner

ROOT = "/v1/access"


class TurnedHub:
    """One person's line. ``turn``: what becomes of an answer, by path; ``posted``: calls that reached the hub."""

    def __init__(self, scene: Scene, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.scene, self.me, self._loop = scene, scene.people[name].did, loop
        self.turn: Callable[[str, Any], Any] = lambda _path, answer: answer
        self.got: list[str] = []
        self.posted: list[Any] = []

    def session(self, name: str, folder: Path) -> Space:
        """That person's space over this line."""
        space = self.scene.open.space
        session = Space(Account(space, self.scene.people[name], folder), quiet=True, clock=self.scene.open.clock)
        session.client.close()
        session.client = self  # type: ignore[assignment]
        session.log = Logbook(space, self)
        session.approvals = ApprovalRecord(session.log.record)
        return session

    def close(self) -> None:
        """Nothing to close."""

    def get_open(self, path: str) -> bytes:
        log = self._log()
        if path == "/checkpoint":
            note = log.note()
            line = cosign(note.text, cosigner(self.scene.regulator), 1_800_000_000)
            return note.with_signatures([line]).to_text().encode()
        tile = parse_path(path[1:])
        return format_bundle(log.entries()[tile.index * 256 : tile.index * 256 + tile.width])

    def get(self, path: str, kind: type[Any], **_params: Any) -> Any:
        self.got.append(path)
        what, _, name = path.rpartition("/")
        desk, reviews = self.scene.desk, self.scene.reviews
        if what == f"{ROOT}/applications":
            return self._answer(path, desk.view(name, self.me), kind)
        if what == f"{ROOT}/motions":
            return self._answer(path, reviews.view(name, self.me), kind)
        if what == f"{ROOT}/approvals":
            return self._answer(path, reviews.document(name, self.me), kind)
        hospitals = (self.scene.people[one].did for one in ("north", "south", "east"))
        return [DataSetListing(did, msgspec.json.encode((described(did),))) for did in hospitals]

    def post(self, path: str, value: Any, kind: type[Any]) -> Any:
        self.posted.append(value)
        desk, reviews = self.scene.desk, self.scene.reviews
        if isinstance(value, AgreementCall):
            agreement = msgspec.json.decode(value.signed.payload, type=Agreement)
            return AgreementView(agreement.digest(), "offered", agreement.provider, value.signed)
        steps: dict[type, Callable[[str, Any], Coroutine[Any, Any, Any]]] = {
            ActCall: desk.act,
            MotionCall: reviews.put,
            VoteCall: reviews.vote,
            RecusalCall: reviews.recuse,
            ResolutionCall: reviews.resolve,
        }
        return self._answer(path, self._loop.run_until_complete(steps[type(value)](self.me, value)), kind)

    def _answer(self, path: str, answer: Any, kind: type[Any]) -> Any:
        return msgspec.json.decode(msgspec.json.encode(self.turn(path, answer)), type=kind)

    def _log(self) -> HostileLog:
        log = self.scene.hub.log
        return HostileLog(log_signer("open space", self.scene.desk.keys), log.entries(0, log.size()))
