"""The hub as a key holder of pseudonyms, and as the way to the regulator's holder. Words: ``xinglin.wire.blind``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar import Request, Response, Router, get, post

from xinglin.contract.agreement import Agreement
from xinglin.hub.doorway import MSGPACK, body_of
from xinglin.hub.services import Hub
from xinglin.kernel.codec import decode_json, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.secure.blind.keeping import QUESTION_BYTES, Keeper
from xinglin.secure.blind.quota import QuotaRule
from xinglin.secure.errors import Refused as NotAllowed
from xinglin.stores.blind_ledger import BlindLedger, private_seed
from xinglin.stores.http_answers import UnfitAnswer, await_answer
from xinglin.trust.envelope import Signed
from xinglin.wire.blind import EVALUATE_PATH, SHARES_PATH, BothHolders, study_name
from xinglin.wire.errors import Problem, Refused

log = logging.getLogger("xinglin.hub.blind")
SEED_FILE = "blind.seed"


class RegulatorAway(XinglinError, OSError):
    """The regulator's key holder did not answer: alone the hub can make no pseudonym."""

    code = "hub.regulator_away"


class HubPermits:
    """A study is keyed for a hospital that has an agreement in force for it, and while no regulator froze it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def __call__(self, node: str, study: str) -> Verdict:
        """See the port ``Permits``."""
        if study in self._hub.members.record.revoked:
            return deny("secure.study_frozen", "The regulator has frozen the study.")
        if node in self._hub.members.record.revoked:
            return deny("secure.hospital_frozen", "The regulator has frozen the hospital.")
        for row in self._hub.store.agreements():
            if row.provider == node and row.state == "active" and self._study(row.offered) == study:
                return Allowed()
        words = "The hospital has no agreement in force for this study."
        return deny("secure.study_not_agreed", words, "Agree first: xinglin node agreements.")

    @staticmethod
    def _study(offered: bytes) -> str:
        return decode_json(Signed.from_bytes(offered).payload, Agreement).study


def hub_keeper(hub: Hub, folder: Path, ledger: BlindLedger, entropy: Callable[[int], bytes], rule: QuotaRule) -> Keeper:
    """The hub's holder: its seed is made in ``folder`` at the first start."""
    return Keeper(
        hub.keys,
        private_seed(folder / SEED_FILE, entropy),
        lambda: hub.members.directory,
        ledger,
        HubPermits(hub),
        rule,
        hub.clock,
        entropy,
    )


def blind_routes(hub: Hub, keeper: Keeper, regulator_url: str, client: httpx.AsyncClient) -> Router:
    """Shares and evaluations of both holders; the question's signature is what is looked at, no door token."""

    @get(SHARES_PATH + "/{study:str}")
    async def shares(study: str) -> Response[bytes]:
        name = study_name(study)
        mine = await asyncio.to_thread(keeper.share, name)
        theirs = await _ask(client.build_request("GET", f"{regulator_url}{SHARES_PATH}/{name}"))
        return _both(mine, theirs)

    @post(EVALUATE_PATH, status_code=200)
    async def evaluate(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = await body_of(request, QUESTION_BYTES)
        signed = Signed.from_bytes(body, QUESTION_BYTES)
        try:
            question, spending, entry = await asyncio.to_thread(keeper.admit, signed)
        except NotAllowed as error:
            raise Refused(error.denied.reasons) from error
        await hub.log.append([entry.to_bytes()], spending.batch)
        hub.members.catch_up()
        url = f"{regulator_url}{EVALUATE_PATH}"
        mine, theirs = await asyncio.gather(
            asyncio.to_thread(keeper.answer, question, spending),
            _ask(client.build_request("POST", url, content=body)),
        )
        return _both(mine, theirs)

    async def _ask(asked: httpx.Request) -> bytes:
        try:
            answer = await await_answer(client, asked, QUESTION_BYTES)
        except (httpx.HTTPError, UnfitAnswer) as error:
            log.warning("the regulator's key holder is away: %s", type(error).__name__)
            raise RegulatorAway("The regulator's key holder does not answer.", remedy="Try again later.") from error
        if answer.status != httpx.codes.OK:
            try:
                problem = msgspec.json.decode(answer.content, type=Problem)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise RegulatorAway("What answered in the regulator's place is no key holder.") from error
            raise Refused(problem.reasons, status=answer.status)
        return answer.content

    return Router("/v1", route_handlers=[shares, evaluate])


def _both(mine: Signed, theirs: bytes) -> Response[bytes]:
    return Response(encode_msgpack(BothHolders(mine.to_bytes(), theirs)), media_type=MSGPACK)
