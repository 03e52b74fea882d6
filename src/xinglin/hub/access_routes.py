"""The access process over HTTP (JSON): a handler reads, calls one service, answers. Words: ``xinglin.wire.access``."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, Router, get, post

from xinglin.access.form import Form
from xinglin.hub.committee_lines import committee_page
from xinglin.hub.doorway import body_of, json_answer
from xinglin.hub.routes import HOLD_MOST_S, at_door
from xinglin.hub.services import Hub
from xinglin.hub.study_lines import study_page
from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import JSON_BYTES
from xinglin.wire.access import (
    ActCall,
    DraftCall,
    EndingCall,
    MotionCall,
    RecusalCall,
    ResolutionCall,
    VoteCall,
)

NEED = "access"
Asked = Request[Any, Any, Any]


def access_routes(hub: Hub) -> tuple[Router, Router]:
    """What everybody may read, and what stands behind the door."""
    return _open(hub), Router("/v1/access", route_handlers=[*_applications(hub), *_reviews(hub)])


def _open(hub: Hub) -> Router:
    @get("/register")
    async def register() -> Response[bytes]:
        return json_answer(hub.access.register())

    @get("/committees")
    async def committees() -> Response[bytes]:
        return json_answer(hub.access.committees())

    return Router("/v1/access", route_handlers=[register, committees])


def _applications(hub: Hub) -> list[Any]:
    @post("/check", status_code=200)
    async def check(request: Asked) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        return json_answer(hub.access.check(decode_json(await body_of(request, JSON_BYTES), Form), asker))

    @post("/drafts", status_code=200)
    async def save(request: Asked) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        return json_answer(hub.access.save(asker, decode_json(await body_of(request, JSON_BYTES), DraftCall)))

    @get("/drafts")
    async def drafts(request: Asked) -> Response[bytes]:
        return json_answer(hub.access.drafts(await at_door(hub, request, NEED)))

    @post("/acts", status_code=200)
    async def act(request: Asked) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        return json_answer(await hub.access.act(asker, decode_json(await body_of(request, JSON_BYTES), ActCall)))

    @get("/applications")
    async def applications(request: Asked) -> Response[bytes]:
        return json_answer(hub.access.views(await at_door(hub, request, NEED)))

    @get("/applications/{application:str}")
    async def application(request: Asked, application: str, after: int = -1, wait: float = 0.0) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        hold = min(wait, HOLD_MOST_S) if wait > 0.0 else 0.0
        return json_answer(await hub.access.follow(application, asker, after, hold))

    @get("/studies")
    async def studies(
        request: Asked, text: str = "", standing: str = "", offset: int = 0, most: int = 50
    ) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        states = tuple(filter(None, standing.split(",")))
        return json_answer(study_page(hub.access, asker, text=text, states=states, offset=offset, most=most))

    @get("/committee")
    async def committee(
        request: Asked, text: str = "", standing: str = "", task: str = "", offset: int = 0, most: int = 50
    ) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        states = tuple(filter(None, standing.split(",")))
        waiting = task == "mine"
        page = committee_page(hub.access, asker, text=text, states=states, waiting=waiting, offset=offset, most=most)
        return json_answer(page)

    return [check, save, drafts, act, applications, application, studies, committee]


def _reviews(hub: Hub) -> list[Any]:
    @post("/motions", status_code=200)
    async def put(request: Asked) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        return json_answer(await hub.reviews.put(asker, decode_json(await body_of(request, JSON_BYTES), MotionCall)))

    @get("/motions/{motion:str}")
    async def motion(request: Asked, motion: str) -> Response[bytes]:
        return json_answer(hub.reviews.view(motion, await at_door(hub, request, NEED)))

    @post("/votes", status_code=200)
    async def vote(request: Asked) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        return json_answer(await hub.reviews.vote(asker, decode_json(await body_of(request, JSON_BYTES), VoteCall)))

    @post("/recusals", status_code=200)
    async def recuse(request: Asked) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        call = decode_json(await body_of(request, JSON_BYTES), RecusalCall)
        return json_answer(await hub.reviews.recuse(asker, call))

    @post("/resolutions", status_code=200)
    async def resolve(request: Asked) -> Response[bytes]:
        asker = await at_door(hub, request, NEED)
        call = decode_json(await body_of(request, JSON_BYTES), ResolutionCall)
        return json_answer(await hub.reviews.resolve(asker, call))

    @post("/endings", status_code=200)
    async def end(request: Asked) -> Response[bytes]:
        await at_door(hub, request, NEED)
        return json_answer(await hub.reviews.end(decode_json(await body_of(request, JSON_BYTES), EndingCall)))

    @get("/approvals/{approval:str}")
    async def approval(request: Asked, approval: str) -> Response[bytes]:
        return json_answer(hub.reviews.document(approval, await at_door(hub, request, NEED)))

    return [put, motion, vote, recuse, resolve, end, approval]
