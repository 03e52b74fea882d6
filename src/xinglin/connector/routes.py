"""The 26 endpoints of the Dataspace Protocol's HTTPS binding, of both sides, as one table.

Provider endpoints lie below ``<base>``, consumer endpoints below ``<base>/callback`` (the callback address that we
send), first offers at ``<base>/negotiations/offers``. Who began with such an offer knows no callback address of ours:
consumer endpoints lie below ``<base>`` too, and our side is then the process's own. Each handler finds out who calls,
reads the message, hands it to the desk, and answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from litestar import Response, Router, get, post

from xinglin.connector.catalog import catalog_document, data_set_document, read_filter, service_of
from xinglin.connector.desk import Desk, Sides
from xinglin.connector.doorway import HttpRequest, answer, answered, body_of, caller_of, ids_in
from xinglin.connector.drafting import acknowledgement
from xinglin.connector.opening import offered, requested, transfer_requested
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.errors import BadMessage, NotThere
from xinglin.wire.dsp.ports import Caller, ProcessRow
from xinglin.wire.dsp.states import CONSUMER, PROVIDER

Kind = type[m.Message]
BOTH: Sides = (PROVIDER, CONSUMER)
_MOVES: tuple[tuple[str, Sides, str, Kind, str], ...] = (
    ("negotiation", (PROVIDER,), "request", m.ContractRequestMessage, "request"),
    ("negotiation", (PROVIDER,), "agreement/verification", m.ContractAgreementVerificationMessage, "verify"),
    ("negotiation", (CONSUMER,), "offers", m.ContractOfferMessage, "offer"),
    ("negotiation", (CONSUMER,), "agreement", m.ContractAgreementMessage, "agree"),
    ("negotiation", BOTH, "events", m.ContractNegotiationEventMessage, ""),
    ("negotiation", BOTH, "termination", m.ContractNegotiationTerminationMessage, "terminate"),
    ("transfer", BOTH, "start", m.TransferStartMessage, "start"),
    ("transfer", BOTH, "completion", m.TransferCompletionMessage, "complete"),
    ("transfer", BOTH, "termination", m.TransferTerminationMessage, "terminate"),
    ("transfer", BOTH, "suspension", m.TransferSuspensionMessage, "suspend"),
)
"""(process, our sides, path below the process, message, event): every move that a counterparty can make."""
_EVENTS = {"ACCEPTED": "accept", "FINALIZED": "finalize"}
_PLACES = {"negotiation": "negotiations", "transfer": "transfers"}


def version_route(desk: Desk) -> Any:
    """``/.well-known/dspace-version``: for everybody, unversioned."""
    settings = desk.world.settings
    about: dict[str, Any] = {"version": m.VERSION, "path": settings.base, "binding": "HTTPS"}
    about["serviceId"] = service_of(settings)["@id"]
    items = [
        about | {"auth": {"protocol": protocol, "version": version, "profile": list(profiles)}}
        for protocol, version, profiles in settings.auth
    ]

    @get("/.well-known/dspace-version")
    async def version() -> Response[bytes]:
        return answer({"protocolVersions": items or [about]})

    return version


def catalog_routes(desk: Desk) -> list[Any]:
    """The catalog's endpoints."""
    world = desk.world

    @post("/catalog/request", status_code=200)
    async def catalog(request: HttpRequest) -> Response[bytes]:
        async def work() -> Response[bytes]:
            caller = await caller_of(world, request)
            message = m.parse(await body_of(request), m.CatalogRequestMessage)
            wanted = read_filter(message.filter)
            cursor, most = request.query_params.get("cursor", ""), _page_size(desk, request)
            page = await world.offers.page(caller, wanted, cursor, most)
            return answer(catalog_document(world.settings, page), headers=_links(desk, page.before, page.after, most))

        return await answered("catalog", dict, work)

    @get("/catalog/datasets/{rest:path}")
    async def data_set(request: HttpRequest) -> Response[bytes]:
        async def work() -> Response[bytes]:
            caller = await caller_of(world, request)
            entry = await world.offers.entry(caller, _after(request, "/catalog/datasets/"))
            if entry is None:
                raise NotThere
            found = {"@context": list(world.settings.contexts), **data_set_document(entry, service_of(world.settings))}
            return answer(found)

        return await answered("catalog", dict, work)

    return [catalog, data_set]


def opening_routes(desk: Desk) -> list[Any]:
    """First messages: 201 with the new process, or with the one that the same message opened before."""
    return [
        _opening(desk, "/negotiations/request", "negotiation", m.ContractRequestMessage, requested),
        _opening(desk, "/negotiations/offers", "negotiation", m.ContractOfferMessage, offered),
        _opening(desk, "/transfers/request", "transfer", m.TransferRequestMessage, transfer_requested),
    ]


def process_routes(desk: Desk, sides: Sides) -> list[Any]:
    """What counterparties ask and say about a process in which we are of ``sides``."""
    asked = [_state(desk, kind, sides) for kind in _PLACES]
    return asked + [
        _move(desk, kind, taken, path, message, event)
        for kind, takes, path, message, event in _MOVES
        if (taken := tuple(one for one in takes if one in sides))
    ]


def dsp_routers(desk: Desk) -> list[Router]:
    """Everything below ``<base>``, and the version endpoint beside it."""
    base = desk.world.settings.base
    return [
        Router("/", route_handlers=[version_route(desk)]),
        Router(base, route_handlers=[*catalog_routes(desk), *opening_routes(desk), *process_routes(desk, BOTH)]),
        Router(f"{base}/callback", route_handlers=process_routes(desk, (CONSUMER,))),
    ]


def _state(desk: Desk, kind: str, sides: Sides) -> Any:
    @get(f"/{_PLACES[kind]}/{{pid:str}}")
    async def state(request: HttpRequest, pid: str) -> Response[bytes]:
        async def work() -> Response[bytes]:
            caller = await caller_of(desk.world, request)
            return answer(acknowledgement(*await desk.told(caller, kind, sides, pid)))

        return await answered(kind, lambda: {_pid_name(sides): pid}, work)

    return state


def _move(desk: Desk, kind: str, sides: Sides, path: str, message_kind: Kind, event: str) -> Any:
    @post(f"/{_PLACES[kind]}/{{pid:str}}/{path}", status_code=200)
    async def take(request: HttpRequest, pid: str) -> Response[bytes]:
        raw = b""

        async def work() -> Response[bytes]:
            nonlocal raw
            caller = await caller_of(desk.world, request)
            raw = await body_of(request)
            message = m.parse(raw, message_kind)
            if isinstance(message, m.ContractRequestMessage | m.ContractOfferMessage) and message.callback_address:
                raise BadMessage("A counter-offer names the process, and no callback address.")
            told = message.event_type if isinstance(message, m.ContractNegotiationEventMessage) else ""
            row = await desk.receive(caller, kind, sides, pid, event or _EVENTS[told], message, raw)
            return answer(acknowledgement(row, row.state))

        return await answered(kind, lambda: {_pid_name(sides): pid} | ids_in(raw), work)

    return take


def _pid_name(sides: Sides) -> str:
    """Under which name the id in a path stands in an error."""
    return "provider_pid" if PROVIDER in sides else "consumer_pid"


def _opening(
    desk: Desk,
    path: str,
    kind: str,
    message_kind: type[m.M],
    begin: Callable[[Desk, Caller, m.M], Awaitable[ProcessRow]],
) -> Any:
    @post(path, status_code=201)
    async def begun(request: HttpRequest) -> Response[bytes]:
        raw = b""

        async def work() -> Response[bytes]:
            nonlocal raw
            caller = await caller_of(desk.world, request)
            raw = await body_of(request)
            row = await begin(desk, caller, m.parse(raw, message_kind))
            return answer(acknowledgement(row, row.state), 201)

        return await answered(kind, lambda: ids_in(raw), work)

    return begun


def _after(request: HttpRequest, place: str) -> str:
    """The last part of the path as it was sent: an id may hold slashes, plain or escaped."""
    path = bytes(request.scope.get("raw_path") or request.url.path.encode()).decode("latin-1").partition("?")[0]
    return unquote(path.partition(place)[2])


def _page_size(desk: Desk, request: HttpRequest) -> int:
    text = request.query_params.get("limit", "")
    most = desk.world.settings.page_size
    if not text:
        return most
    if not text.isdigit() or len(text) > 6 or int(text) == 0:
        raise BadMessage("'limit' is not a number of data sets.")
    return min(int(text), most)


def _links(desk: Desk, before: str, after: str, most: int) -> dict[str, str]:
    here = f"{desk.world.settings.provider_url}/catalog/request?limit={most}&cursor="
    links = [f'<{here}{cursor}>; rel="{rel}"' for rel, cursor in (("previous", before), ("next", after)) if cursor]
    return {"Link": ", ".join(links)} if links else {}
