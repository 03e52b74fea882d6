"""The console as an application: every screen of the folder ``screens``, assets, and pages for what is not there."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from xinglin.console import screens
from xinglin.console.assets import Assets
from xinglin.console.errors import NotThere
from xinglin.console.frame import Nav, Route
from xinglin.console.headers import asset_headers
from xinglin.console.last_words import on_defect, on_http_error
from xinglin.console.serving import FORM_BYTES, Console, answer


def discovered() -> tuple[tuple[Nav, ...], tuple[Route, ...]]:
    """Navigation and routes of every module in ``screens``, in order."""
    nav: list[Nav] = []
    routes: list[Route] = []
    for found in sorted(pkgutil.iter_modules(screens.__path__), key=lambda one: one.name):
        module = import_module(f"{screens.__name__}.{found.name}")
        nav.extend(getattr(module, "NAV", ()))
        routes.extend(getattr(module, "ROUTES", ()))
    return tuple(sorted(nav, key=lambda one: (one.order, one.path))), tuple(routes)


def console_app(console: Console, routes: tuple[Route, ...]) -> Litestar:
    """The ASGI application of a console."""
    from xinglin.console.screens.account import proving

    console = msgspec.structs.replace(console, proving=proving)
    return Litestar(
        [_asset_handler(console.assets), _health_handler(), *(_handler(console, route) for route in routes)],
        exception_handlers={HTTPException: on_http_error(console), Exception: on_defect(console)},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=FORM_BYTES.value,
    )


def _handler(console: Console, route: Route) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        return await answer(console, route, request)

    handle.__name__ = f"{route.kind}_{route.function.__name__}"
    method = HttpMethod.POST if route.kind == "act" else HttpMethod.GET
    return HTTPRouteHandler(route.path, http_method=[method], status_code=200)(handle)


def _asset_handler(assets: Assets) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        try:
            found = assets.find(str(request.path_params["path"]))
        except NotThere:
            return Response(b"", status_code=404, headers=asset_headers() | {"cache-control": "no-store"})
        headers = asset_headers()
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(found.packed, media_type=found.media_type, headers=headers)
        return Response(found.data, media_type=found.media_type, headers=headers)

    return HTTPRouteHandler("/assets/{path:path}", http_method=[HttpMethod.GET])(handle)


def _health_handler() -> HTTPRouteHandler:
    async def handle() -> Response[Any]:
        return Response(b'{"state":"ready"}', media_type="application/json")

    return HTTPRouteHandler("/healthz", http_method=[HttpMethod.GET])(handle)
