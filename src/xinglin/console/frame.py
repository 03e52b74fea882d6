"""What all pages share: routes of three kinds, and the parts of a page that are the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.instants import Instant

if TYPE_CHECKING:
    from xinglin.console.listing import Listing

STREAM_S = 600.0
"""A stream ends after so long; the browser opens it again."""


BESIDE = 100
"""The order from which on an entry stands in the command palette alone."""


class Nav(msgspec.Struct, frozen=True):
    """An entry of the navigation: whose, where, what it is called (English, translated when shown), in which order.

    From ``BESIDE`` on it stands in the command palette alone: a page leads there.
    """

    roles: tuple[str, ...]
    path: str
    label: str
    order: int = 50


def place_of(nav: Iterable[Nav], path: str, crumb: str = "") -> str:
    """The one entry of the navigation that a page stands under: its own, its first crumb's, else the nearest above.

    >>> nav = [Nav(("regulator",), path, "") for path in ("/oversight", "/oversight/policy")]
    >>> place_of(nav, "/oversight/policy"), place_of(nav, "/oversight/freeze"), place_of(nav, "/evidence")
    ('/oversight/policy', '/oversight', '')
    """
    shown = [one.path for one in nav if one.order < BESIDE]
    for own in (path, crumb):
        if own in shown:
            return own
    return max((one for one in shown if path.startswith(f"{one}/")), key=len, default="")


class Head(msgspec.Struct, frozen=True):
    """The header of an object's page.

    ``kind`` and ``state``: keys of the glossary. ``owner``: who has to act now; ``since``: from when on they are
    waited for, ``due``: until when (instants; 0 for none). ``tabs``: label and path.
    """

    kind: str
    id: str
    state: str = ""
    owner: str = ""
    since: Instant = 0
    due: Instant = 0
    waiting: str = ""
    tabs: tuple[tuple[str, str], ...] = ()


class Rail(msgspec.Struct, frozen=True):
    """The evidence rail: what the log holds about ``subject``, and indexes of the receipts worth keeping.

    Without a ``subject`` and receipts it says that the log holds nothing: only whoever looked may leave out both.
    """

    subject: str = ""
    receipts: tuple[int, ...] = ()
    digest: str = ""


class Same(msgspec.Struct, frozen=True):
    """The same thing in Python and on the command line."""

    python: str = ""
    cli: str = ""


class Step(msgspec.Struct, frozen=True):
    """A way on: its label (already translated) and path."""

    label: str
    path: str


class Page(msgspec.Struct, frozen=True):
    """A page to render: ``template`` defines the block ``body`` and is handed ``values`` beside ``visit``.

    ``fragment``: the block alone, without the frame. ``final``: the last one of a stream. ``token``: None leaves the
    session's cookie as it is; empty deletes it. ``data``: what ``?as=json`` gives where there is no listing.
    ``here``: where the language link of a bare page comes back to, where that is not the address that was asked for.
    """

    template: str
    title: str = ""
    values: Mapping[str, Any] = {}
    crumbs: tuple[Step, ...] = ()
    head: Head | None = None
    rail: Rail | None = None
    same: Same | None = None
    listing: Listing | None = None
    css: tuple[str, ...] = ()
    js: tuple[str, ...] = ()
    fragment: bool = False
    final: bool = False
    bare: bool = False
    status: int = 200
    token: str | None = None
    data: Any = None
    wide: bool = False
    here: str = ""


class Done(msgspec.Struct, frozen=True):
    """A deed is done: where to go on, and what to say there (already translated).

    ``token``: as in ``Page``. ``keep``: cookies of preferences, name to value. ``elsewhere``: an address of another
    site in the path's place; of the institution's sign-in alone, never one that was handed in.
    """

    path: str
    said: str = ""
    token: str | None = None
    keep: Mapping[str, str] = {}
    elsewhere: str = ""


class File(msgspec.Struct, frozen=True):
    """Bytes to keep: their name and media type. ``shown``: in the browser, not as a download."""

    data: bytes
    name: str
    media_type: str = "application/octet-stream"
    shown: bool = False


class Route(msgspec.Struct, frozen=True):
    """One route: ``kind`` is ``screen`` (GET), ``act`` (POST) or ``live`` (GET, a stream)."""

    kind: str
    path: str
    roles: tuple[str, ...]
    function: Callable[..., Any]
    every_s: float = 0.0
    fresh_s: float = 0.0


ANYBODY = ("*",)
"""Roles of a route for everybody who is signed in."""


def screen(path: str, *, roles: tuple[str, ...] = ANYBODY) -> Callable[[Callable[..., Any]], Route]:
    """A page. ``roles`` empty: without sign-in. The function takes the visit and the path's parameters (texts)."""
    return lambda function: Route("screen", path, roles, function)


def act(path: str, *, roles: tuple[str, ...] = ANYBODY, fresh_s: float = 0.0) -> Callable[[Callable[..., Any]], Route]:
    """A deed; the form's token is checked first. The function takes visit, form and the path's parameters.

    ``fresh_s``: the person has to have proved who they are within so many seconds.
    """
    return lambda function: Route("act", path, roles, function, fresh_s=fresh_s)


def live(path: str, *, roles: tuple[str, ...] = ANYBODY, every_s: float = 1.0) -> Callable[[Callable[..., Any]], Route]:
    """A stream: the page's block is rendered every ``every_s`` seconds, and sent when it changed."""
    return lambda function: Route("live", path, roles, function, every_s=every_s)
