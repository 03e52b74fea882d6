"""The hub calls (JSON): each handler reads, calls one service, answers. Words: ``xinglin.wire.calls``."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post

from xinglin.hub.doorway import body_of, json_answer
from xinglin.hub.services import Hub
from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import JSON_BYTES
from xinglin.kernel.verdict import Denied
from xinglin.trust.doors import Door, check_door_token, grant_door_token
from xinglin.trust.envelope import Signed
from xinglin.wire.calls import (
    AgreementCall,
    EnrolCall,
    Enrolled,
    PaperCall,
    Participant,
    RunCall,
)
from xinglin.wire.errors import Refused

SCOPES = frozenset({"runs", "agreements", "catalogue", "access"})
HOLD_MOST_S = 25.0


async def at_door(hub: Hub, request: Request[Any, Any, Any], need: str) -> str:
    """The DID that stands at the door with a token for ``need`` and a fresh proof; ``Refused`` (401) otherwise."""
    token = request.headers.get("authorization", "").removeprefix("DPoP ").strip()
    passed = check_door_token(
        token,
        request.headers.get("dpop", ""),
        door=Door(hub.space.operator, frozenset({hub.space.operator})),
        method=request.method,
        url=hub.space.hub_url + request.url.path,
        needs=frozenset({need}),
        directory=hub.members.directory,
        replay=hub.store,
        now=hub.clock(),
    )
    if isinstance(passed, Denied):
        raise Refused(passed.reasons, status=401)
    return passed.subject


def open_routes(hub: Hub) -> Router:
    """Calls that need no token: enrolment, the door itself, and what everybody may know."""

    @post("/enrol", status_code=200)
    async def enrol(request: Request[Any, Any, Any]) -> Response[bytes]:
        call = decode_json(await body_of(request, JSON_BYTES), EnrolCall)
        registration, index = await hub.members.enrol(call)
        credential = hub.members.membership(registration, index)
        return json_answer(Enrolled(registration.did, index, credential.jwt, credential.pq_signature))

    @post("/door", status_code=200)
    async def door(request: Request[Any, Any, Any]) -> Response[bytes]:
        signed = decode_json(await body_of(request, JSON_BYTES), Signed)
        granted = grant_door_token(
            hub.keys,
            signed,
            directory=hub.members.directory,
            audiences=frozenset({hub.space.operator}),
            allowed=SCOPES,
            replay=hub.store,
            now=hub.clock(),
        )
        if isinstance(granted, Denied):
            raise Refused(granted.reasons, status=401)
        return json_answer({"access_token": granted, "token_type": "DPoP", "expires_in": 300})

    @get("/space")
    async def space() -> Response[bytes]:
        return json_answer(hub.space)

    @get("/participants")
    async def participants() -> Response[bytes]:
        return json_answer([_participant(hub, did) for did in sorted(hub.members.directory.participants)])

    @get("/policy")
    async def policy() -> Response[bytes]:
        return json_answer({"text": hub.members.record.policy_text, "proposed": hub.members.proposed_policy()})

    @get("/status/1")
    async def status() -> Response[bytes]:
        return json_answer(hub.members.status_list())

    @get("/healthz")
    async def healthz() -> Response[bytes]:
        return json_answer({"state": "ready", "now": hub.clock(), "log_size": hub.log.size()})

    return Router("/v1", route_handlers=[enrol, door, space, participants, policy, status, healthz])


def door_routes(hub: Hub) -> Router:
    """Calls behind the door: catalogue, agreements, runs."""

    @get("/datasets")
    async def datasets(request: Request[Any, Any, Any], name: str = "") -> Response[bytes]:
        asker = await at_door(hub, request, "catalogue")
        return json_answer(await asyncio.to_thread(hub.catalogue.listings, hub.store.publications(), asker, name))

    @post("/agreements", status_code=200)
    async def offer(request: Request[Any, Any, Any]) -> Response[bytes]:
        await at_door(hub, request, "agreements")
        call = decode_json(await body_of(request, JSON_BYTES), AgreementCall)
        return json_answer(hub.agreements.offer(call))

    @get("/agreements")
    async def agreements(request: Request[Any, Any, Any], study: str = "") -> Response[bytes]:
        return json_answer(hub.agreements.views(await at_door(hub, request, "agreements"), study))

    @get("/agreements/{agreement_id:str}")
    async def agreement(request: Request[Any, Any, Any], agreement_id: str, wait: float = 0.0) -> Response[bytes]:
        asker = await at_door(hub, request, "agreements")
        return json_answer(await hub.agreements.view(agreement_id, asker, _hold(wait)))

    @get("/agreements/{agreement_id:str}/papers")
    async def papers(request: Request[Any, Any, Any], agreement_id: str) -> Response[bytes]:
        return json_answer(hub.agreements.papers(await at_door(hub, request, "agreements"), agreement_id))

    @post("/agreements/{agreement_id:str}/papers", status_code=200)
    async def give_paper(request: Request[Any, Any, Any], agreement_id: str) -> Response[bytes]:
        asker = await at_door(hub, request, "agreements")
        call = decode_json(await body_of(request, JSON_BYTES), PaperCall)
        return json_answer(hub.agreements.paper(asker, agreement_id, call.kind, call.signed))

    @post("/runs", status_code=200)
    async def ask(request: Request[Any, Any, Any]) -> Response[bytes]:
        asker = await at_door(hub, request, "runs")
        call = decode_json(await body_of(request, JSON_BYTES), RunCall)
        run_id = hub.runs.ask(call.request, call.plan)
        return json_answer(await hub.runs.view(run_id, asker))

    @get("/runs/{run_id:str}")
    async def run(request: Request[Any, Any, Any], run_id: str, after: int = -1, wait: float = 0.0) -> Response[bytes]:
        asker = await at_door(hub, request, "runs")
        return json_answer(await hub.runs.view(run_id, asker, after, _hold(wait)))

    @get("/runs/{run_id:str}/result")
    async def result(request: Request[Any, Any, Any], run_id: str) -> Response[bytes]:
        return json_answer(hub.runs.result(run_id, await at_door(hub, request, "runs")))

    @post("/runs/{run_id:str}/cancel", status_code=200)
    async def cancel(request: Request[Any, Any, Any], run_id: str) -> Response[bytes]:
        return json_answer(await hub.runs.cancel(run_id, await at_door(hub, request, "runs")))

    @get("/budgets")
    async def budgets(request: Request[Any, Any, Any], data_set: str, study: str) -> Response[bytes]:
        await at_door(hub, request, "runs")
        return json_answer(hub.budgets.about(data_set, study))

    calls = [budgets, datasets, offer, agreements, agreement, papers, give_paper, ask, run, result, cancel]
    return Router("/v1", route_handlers=calls)


def _participant(hub: Hub, did: str) -> Participant:
    one = hub.members.directory.participants[did]
    box = hub.mailboxes.of(did)
    keys = one.history[-1][1]
    return Participant(
        did,
        one.name,
        tuple(sorted(one.roles)),
        keys.digest(),
        box.connected,
        box.away_ms,
        msgspec.json.encode(keys),
        box.clock_off_ms,
    )


def _hold(wait: float) -> float:
    return min(wait, HOLD_MOST_S) if wait > 0.0 else 0.0  # also for what is no number
