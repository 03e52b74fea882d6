"""What is said when something went wrong outside a screen: no such page, a defect, and a page that cannot be drawn.

Three tries, each with less: the page for whoever asks; the page for nobody, with nothing read of people; a few lines
that need neither templates nor words.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from xinglin.console.errors import NotThere
from xinglin.console.headers import page_headers
from xinglin.console.serving import Answer, Asked, Console, nobody_of, refusal, visit_of
from xinglin.kernel.errors import XinglinError

log = logging.getLogger("xinglin.console")
_KEPT = (400, 405, 413)
_BARE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Xinglin</title></head>
<body><main><h1>This page cannot be shown.</h1><p>Try again; if it stays, tell who runs the console.</p>
<div lang="zh-CN"><h1>此页面无法显示。</h1><p>请重试；如仍如此，请告知本控制台的管理人员。</p></div>
<p><a href="/">Xinglin</a></p></main></body></html>
"""


class Drawn(Response[Any]):
    """An answer that is drawn once it is sent: by threads, so that the event loop serves others meanwhile."""

    def __init__(self, console: Console, request: Asked, error: XinglinError, status: int, headers: Mapping[str, str]):
        super().__init__(b"", status_code=status, headers=dict(headers))
        self._asked = (console, request, error, status, headers)

    def to_asgi_response(self, *args: Any, **given: Any) -> Any:
        """The ASGI application that draws the page and sends it."""

        async def send_page(scope: Any, receive: Any, send: Any) -> None:
            made = await _made(*self._asked)
            await made.to_asgi_response(*args, **given)(scope, receive, send)

        return send_page


def on_http_error(console: Console) -> Callable[[Request[Any, Any, Any], HTTPException], Answer]:
    """The handler of what the framework refuses: no such page, no such method, too much."""

    def told(request: Asked, error: HTTPException) -> Answer:
        if error.status_code >= 500:
            return on_defect(console)(request, error)
        said = NotThere("There is no such page.", remedy="Go back, or start from the first page.")
        status = error.status_code if error.status_code in _KEPT else said.status
        return Drawn(console, request, said, status, error.headers or {})

    return told


def on_defect(console: Console) -> Callable[[Request[Any, Any, Any], Exception], Answer]:
    """The handler of everything else: it is logged, and the page says no more than that it happened."""

    def told(request: Asked, error: Exception) -> Answer:
        log.error("a defect at %s", request.scope.get("path_template", "a page"), exc_info=error)
        said = XinglinError("The console made a mistake.", remedy="Try again; if it stays, tell who runs the console.")
        return Drawn(console, request, error if isinstance(error, XinglinError) else said, 500, {})

    return told


async def _made(
    console: Console, request: Asked, error: XinglinError, status: int, headers: Mapping[str, str]
) -> Answer:
    for comes in (visit_of, nobody_of):
        try:
            visit = await asyncio.to_thread(comes, console, request)
            answered = await asyncio.to_thread(refusal, console, visit, error)
        except Exception as fault:  # noqa: BLE001 - whatever it is, less is tried next
            log.error("no page could be drawn: %s", type(fault).__name__)
        else:
            answered.status_code = status
            answered.headers.update(headers)
            return answered
    told = {**page_headers(console.settings), **headers}
    return Response(_BARE.encode(), media_type="text/html", status_code=status, headers=told)
