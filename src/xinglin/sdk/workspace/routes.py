"""The workspace's door for its enrolled clients: SMART Backend Services, FHIR Bulk Data ``$export``, Parquet.

``POST /token`` · ``GET /fhir/.well-known/smart-configuration`` · ``GET /fhir/metadata`` · ``GET /fhir/$export`` (also
``Patient/`` and ``Group/{extract}/``) · ``GET|DELETE /fhir/export/{job}`` · ``GET /fhir/export/{job}/{file}`` ·
``GET /extracts`` · ``GET /extracts/{run}/{name}``. Everything but the first three needs a bearer token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar, Request, Response, delete, get, post
from litestar.exceptions import HTTPException

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import deny
from xinglin.sdk.workspace.exports import FORMATS, NDJSON, Exports, Job
from xinglin.sdk.workspace.keeper import Keeper
from xinglin.sdk.workspace.tokens import Given, Token, Tokens
from xinglin.wire.errors import Problem, Refused

FORM_BYTES = Limit("token request size", 64 * 1024, "bytes")
_JSON, _FHIR, _BINARY = "application/json", "application/fhir+json", "application/octet-stream"
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
_AGAIN_S = "1"


class Door:
    """What every handler needs; ``url``: how clients reach it."""

    def __init__(self, url: str, keeper: Keeper, tokens: Tokens, exports: Exports) -> None:
        self.url, self.keeper, self.tokens, self.exports = url, keeper, tokens, exports
        self._preparing: set[asyncio.Task[None]] = set()

    def token(self, request: Request[Any, Any, Any]) -> Token:
        """The token of a request; ``Refused`` (401) without one in force."""
        found = self.tokens.check(request.headers.get("authorization", ""))
        if found is None:
            words = "A bearer token of an enrolled client is needed."
            raise Refused(deny("workspace.no_token", words, "Ask for one: POST /token.").reasons, status=401)
        return found

    def begin(self, request: Request[Any, Any, Any], run: str = "") -> Response[bytes]:
        """Take an export in: 202 and where its status is."""
        token, asked = self.token(request), request.query_params
        if "respond-async" not in request.headers.get("prefer", ""):
            raise _bad("An export is answered asynchronously.", "Send 'Prefer: respond-async'.")
        wanted = asked.get("_outputFormat", NDJSON).replace(" ", "+")
        if wanted not in FORMATS:
            raise _bad("Only newline-delimited JSON is exported.", f"Use _outputFormat={NDJSON}.")
        types = [one for one in asked.get("_type", "").split(",") if one]
        job = self.exports.begin(token, f"{self.url}{request.url.path}", types, asked.get("_since", ""), run)
        task = asyncio.create_task(asyncio.to_thread(self.exports.prepare, job.id))
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)
        return Response(b"", status_code=202, headers={"content-location": f"{self.url}/fhir/export/{job.id}"})


def build_app(door: Door) -> Litestar:
    """The ASGI application."""
    return Litestar(
        [*_open_routes(door), *_export_routes(door), *_file_routes(door)],
        exception_handlers={XinglinError: _on_error, HTTPException: _on_http_error},
        openapi_config=None,
        logging_config=None,
    )


def _open_routes(door: Door) -> list[Any]:
    @post("/token", status_code=200)
    async def token(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = await request.body()
        FORM_BYTES.check(len(body))
        form = dict(parse_qsl(body.decode("ascii", "replace")))
        answer = await asyncio.to_thread(door.tokens.grant, form)
        status = 200 if isinstance(answer, Given) else answer.status
        return Response(msgspec.json.encode(answer), media_type=_JSON, status_code=status, headers=_NO_STORE)

    @get("/fhir/.well-known/smart-configuration", sync_to_thread=False)
    def smart() -> Response[bytes]:
        return _json(
            {
                "token_endpoint": f"{door.url}/token",
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["ES384", "RS384"],
                "grant_types_supported": ["client_credentials"],
                "scopes_supported": ["system/*.read", "system/*.rs"],
                "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
            }
        )

    @get("/fhir/metadata", sync_to_thread=False)
    def metadata() -> Response[bytes]:
        return _json(_capabilities(door.url), _FHIR)

    return [token, smart, metadata]


def _export_routes(door: Door) -> list[Any]:
    @get(["/fhir/$export", "/fhir/Patient/$export"])
    async def export(request: Request[Any, Any, Any]) -> Response[bytes]:
        return door.begin(request)

    @get("/fhir/Group/{run:str}/$export")
    async def group(request: Request[Any, Any, Any], run: str) -> Response[bytes]:
        return door.begin(request, run)

    @get("/fhir/export/{job:str}")
    async def status(request: Request[Any, Any, Any], job: str) -> Response[bytes]:
        found: Job = door.exports.job(door.token(request), job)
        if not found.ready:
            return Response(b"", status_code=202, headers={"retry-after": _AGAIN_S, "x-progress": "reading files"})
        return _json(door.exports.manifest(found))

    @delete("/fhir/export/{job:str}", status_code=202)
    async def forget(request: Request[Any, Any, Any], job: str) -> Response[bytes]:
        door.exports.delete(door.token(request), job)
        return Response(b"", status_code=202)

    @get("/fhir/export/{job:str}/{number:int}")
    async def file(request: Request[Any, Any, Any], job: str, number: int) -> Response[bytes]:
        token = door.token(request)
        data = await asyncio.to_thread(door.exports.file, token, job, number)
        return Response(data, media_type=NDJSON, headers=_NO_STORE)

    return [export, group, status, forget, file]


def _file_routes(door: Door) -> list[Any]:
    @get("/extracts")
    async def every(request: Request[Any, Any, Any]) -> Response[bytes]:
        token = door.token(request)
        kept = await asyncio.to_thread(door.keeper.kept)
        mine = [one for one in kept if not token.client.runs or one.run_id in token.client.runs]
        return _json([msgspec.to_builtins(one.manifest) for one in mine])

    @get("/extracts/{run:str}/{name:str}")
    async def one(request: Request[Any, Any, Any], run: str, name: str) -> Response[bytes]:
        token = door.token(request)
        if not token.opens("*") or (token.client.runs and run not in token.client.runs):
            words = "The token does not open this file."
            raise Refused(deny("workspace.scope", words, "Ask for system/*.read.").reasons)
        return Response(await asyncio.to_thread(door.keeper.file, run, name), media_type=_BINARY, headers=_NO_STORE)

    return [every, one]


def _capabilities(url: str) -> Mapping[str, Any]:
    operation = {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"}
    resources: list[dict[str, Any]] = [{"type": kind, "interaction": []} for kind in ("Patient", "Observation")]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "implementation": {"description": "extracts in a controlled workspace", "url": f"{url}/fhir"},
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "rest": [{"mode": "server", "resource": resources, "operation": [operation]}],
    }


def _json(value: Any, media_type: str = _JSON) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type=media_type, headers=_NO_STORE)


def _bad(words: str, remedy: str) -> Refused:
    return Refused(deny("workspace.not_so", words, remedy).reasons, status=400)


def _on_error(_request: Request[Any, Any, Any], error: XinglinError) -> Response[bytes]:
    status = error.status if isinstance(error, Refused) else 404 if error.code == "stores.cannot_read" else 400
    problem = Problem.of_error(error, status)
    headers = {**_NO_STORE, **({"www-authenticate": "Bearer"} if status == 401 else {})}
    return Response(msgspec.json.encode(problem), media_type=_JSON, status_code=status, headers=headers)


def _on_http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    reasons = deny(
        f"workspace.http_{error.status_code}", "The call is not one of the workspace's.", "Check it."
    ).reasons
    body = msgspec.json.encode(Problem(error.status_code, reasons))
    return Response(body, media_type=_JSON, status_code=error.status_code)
