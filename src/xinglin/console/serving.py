"""From a request to an answer: who comes, whether they may, what the screen says, and how it is sent.

1. the session by its cookie; 2. the role of its seat against the route's; 3. a form's token, and that the form is this
site's own; 4. the screen's function, in a thread; 5. typed errors as a page that says what to do; 6. headers.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import msgspec
from litestar import Request, Response
from litestar.response import Stream

from xinglin.console.assets import Assets
from xinglin.console.calls import calls_of
from xinglin.console.calls.public import NOBODY, PublicCalls
from xinglin.console.calls.seat_calls import SeatCalls
from xinglin.console.errors import ConsoleError, Forged, NotJoinedYet, NotSignedIn, NotYours, ProveAgain, TooMany
from xinglin.console.frame import ANYBODY, STREAM_S, Done, File, Page, Route
from xinglin.console.headers import page_headers
from xinglin.console.lines import Lines
from xinglin.console.listing import as_csv, as_json
from xinglin.console.people.cookies import cookie_name, cookie_of
from xinglin.console.people.model import THEMES
from xinglin.console.people.return_to import local_path
from xinglin.console.render import Renderer
from xinglin.console.seats import Seat
from xinglin.console.settings import ConsoleSettings
from xinglin.console.streams import Streams
from xinglin.console.turns import PAGES_OF_ONE, Turns
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import LimitExceeded, XinglinError
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.words import LANGUAGES, Words

if TYPE_CHECKING:
    from xinglin.console.people.model import Session
    from xinglin.console.people.service import People

log = logging.getLogger("xinglin.console")

FORM_BYTES = Limit("size of a form", 2 * 1024 * 1024, "bytes")
LANGUAGE_COOKIE = "xinglin_language"
HTML = "text/html"
JOINING = "/hospital/joining"
"""Where a hospital's seat leads while its folder holds no node."""
_YEAR_S = 31_536_000
_PATH = "/:@-._~!$&'()*+,;="
"""What stands in a path as it is (RFC 3986, section 3.3)."""
Answer = Response[Any]
Asked = Request[Any, Any, Any]


class Console(msgspec.Struct, frozen=True):
    """The parts of a console, connected."""

    settings: ConsoleSettings
    seats: dict[str, Seat]
    people: People
    lines: Lines
    assets: Assets
    renderer: Renderer
    clock: Clock
    made: dict[tuple[str, str], SeatCalls]
    streams: Streams
    proving: Callable[[Visit, str, str, str], Page] | None = None
    """The proof that a grave deed asks for: where to go back, the form as it was filled in, and the deed's path."""
    pages: Turns = msgspec.field(default_factory=lambda: Turns(PAGES_OF_ONE))
    """Whoever is signed in has so many threads at once: nobody holds up all pages by asking for slow ones."""

    def public(self) -> PublicCalls:
        """The calls that need no seat, made once."""
        found = self.made.get(("", ""))
        if not isinstance(found, PublicCalls):
            found = self.made[("", "")] = PublicCalls(next(iter(self.seats.values()), NOBODY), self.lines)
        return found

    def calls(self, seat: Seat, subject: str) -> SeatCalls:
        """The calls of a seat, made once; a patient's are bound to the person."""
        key = (seat.id, subject)
        if key not in self.made:
            made = calls_of(seat, self.lines)
            if subject:
                made.subject = subject
            self.made[key] = made
        return self.made[key]


async def answer(console: Console, route: Route, request: Asked) -> Answer:
    """The answer of a route to a request; never a trace."""
    visit = await asyncio.to_thread(visit_of, console, request, used=route.kind != "live")
    try:
        _let_in(route, visit, request)
        if route.kind == "act":
            return await _acted(console, route, visit, request)
        if route.kind == "live":
            return _streamed(console, route, visit, request)
        given = await _worked(console, visit, lambda: route.function(visit, **request.path_params))
        return await asyncio.to_thread(_sent, console, given, visit)
    except XinglinError as error:
        return await asyncio.to_thread(refusal, console, visit, error)


async def _worked(console: Console, visit: Visit, work: Callable[[], Page | Done | File]) -> Page | Done | File:
    """What a screen gives, in a thread; a person's own turns count, and strangers share what is left."""
    if visit.person is None:
        return await asyncio.to_thread(work)
    return await console.pages.do(_whose(visit), work)


def visit_of(console: Console, request: Asked, *, used: bool = True) -> Visit:
    """Who comes, in which seat and language; ``used`` False keeps nobody signed in."""
    token = request.cookies.get(cookie_name(console.settings), "")
    session = console.people.session(token, used=used) if token else None
    seat = console.seats.get(session.seat) if session is not None else None
    if seat is not None and session is not None and seat.role == "patient" and not session.subject:
        seat, session = None, None  # a patient's seat without a person would be everybody's
    return _visit(console, request, token, session, seat)


def nobody_of(console: Console, request: Asked) -> Visit:
    """The visit of nobody, with nothing read of people: for a page about what went wrong there."""
    return _visit(console, request, "", None, None)


def _visit(console: Console, request: Asked, token: str, session: Session | None, seat: Seat | None) -> Visit:
    settings = console.settings
    person = session.person if session is not None else None
    wish = (person.language if person else "") or request.cookies.get(LANGUAGE_COOKIE, "")
    language = wish if wish in LANGUAGES else _accepted(request.headers.get("accept-language", ""), settings.language)
    theme = person.theme if person else ""
    return Visit(
        path=_path_of(request),
        query=_query_of(request),
        words=Words.of(language, settings.zone),
        theme=theme if theme in THEMES else "auto",
        now=console.clock(),
        settings=settings,
        people=console.people,
        seats=console.seats,
        session=session,
        token=token,
        calls=console.calls(seat, session.subject) if seat is not None and session is not None else None,
        address=_address_of(settings, request),
        headers=request.headers,
        public=console.public(),
    )


def _address_of(settings: ConsoleSettings, request: Asked) -> str:
    """Where the browser is: as the proxy in front says, where that is named in the settings, else the other end."""
    address = request.client.host if request.client else ""
    for told in reversed(",".join(request.headers.getall("x-forwarded-for", [])).split(",")):
        if address not in settings.fronts:
            break
        try:
            address = str(ipaddress.ip_address(told.strip()))
        except ValueError:
            break
    return address


def _query_of(request: Asked) -> dict[str, str]:
    """The address's words; the last of several values counts, and more than a hundred are none."""
    try:
        return dict(parse_qsl(request.scope["query_string"].decode("ascii", "replace"), max_num_fields=100))
    except ValueError:
        return {}


def _path_of(request: Asked) -> str:
    """The path as the browser wrote it, so that a link back to it is the same; quoted in any case."""
    raw = request.scope.get("raw_path") or b""
    written = raw.partition(b"?")[0].decode("ascii", "replace")
    path = written if written.startswith("/") else quote(request.scope["path"], safe=_PATH)
    return "/" + path.lstrip("/")  # two slashes at the start would name another host in a link


def refusal(console: Console, visit: Visit, error: XinglinError) -> Answer:
    """A typed error as a page: every reason, and what would have to change."""
    status = _status_of(error)
    if isinstance(error, NotSignedIn) and visit.headers.get("accept", "").startswith("text/html"):
        return _redirect(console.settings, f"/sign-in?return_to={quote(visit.here, safe='/')}")
    if isinstance(error, ProveAgain) and visit.headers.get("accept", "").startswith("text/html"):
        back = local_path(urlsplit(visit.headers.get("referer", "")).path or "/")
        if error.kept and console.proving is not None:
            return _sent(console, console.proving(visit, back, error.kept, visit.path), visit)
        return _redirect(console.settings, f"/account/prove?return_to={quote(back, safe='/')}")
    if isinstance(error, NotJoinedYet) and visit.role == "hospital" and _gives_way(visit):
        return _redirect(console.settings, JOINING)
    if status >= 500:
        log.warning("a screen could not be shown: %s", error.code)
    told = visit.words.error(error)
    if visit.headers.get("accept", "").startswith("application/json"):
        body = msgspec.json.encode({"code": error.code, "what": error.what, "remedy": error.remedy})
        return Response(body, media_type="application/json", status_code=status, headers=page_headers(console.settings))
    page = Page("frame/refusal.html", title=visit.words.text("Not possible"), values={"told": told}, status=status)
    return _sent(console, page, visit)


def _gives_way(visit: Visit) -> bool:
    """Whether a page of a hospital that joined no space yet gives way to that of joining."""
    return visit.headers.get("accept", "").startswith("text/html") and not visit.path.startswith(JOINING)


def _let_in(route: Route, visit: Visit, request: Asked) -> None:
    if not route.roles:
        return
    if visit.session is None:
        raise NotSignedIn("Nobody is signed in.", remedy="Sign in.")
    if route.roles != ANYBODY and visit.role not in route.roles:
        raise NotYours(
            "This page belongs to another role.", remedy="Take another seat at the top right, if you have one."
        )
    if visit.role == "hospital" and route.roles != ANYBODY and not route.path.startswith(JOINING):
        visit.calls.lines.check_joined(visit.calls.seat.folder)


async def _acted(console: Console, route: Route, visit: Visit, request: Asked) -> Answer:
    form = await _form(request)
    _own_form(console.settings, visit, form, request)
    if route.fresh_s and (visit.session is None or not visit.people.fresh(visit.session, route.fresh_s)):
        raise ProveAgain(
            "This needs a fresh proof of who you are.",
            remedy="Prove it on your account's page, and do it again.",
            kept=form.kept(),
        )
    given = await _worked(console, visit, lambda: route.function(visit, form, **request.path_params))
    return await asyncio.to_thread(_sent, console, given, visit)


async def _form(request: Asked) -> Form:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit():
        FORM_BYTES.check(int(declared))
    body = await request.body()
    FORM_BYTES.check(len(body))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Forged("A form comes as application/x-www-form-urlencoded.")
    try:
        return Form(parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=2_000))
    except (UnicodeDecodeError, ValueError) as error:
        raise Forged("The form cannot be read.") from error


def _own_form(settings: ConsoleSettings, visit: Visit, form: Form, request: Asked) -> None:
    """Raise ``Forged`` unless the form was made for this session, by this site."""
    given = form.secret("csrf") or request.headers.get("x-csrf-token", "")
    mine = visit.csrf
    if not mine or not hmac.compare_digest(given.encode(), mine.encode()):
        raise Forged("This form was not made for your session.", remedy="Load the page again, and repeat it.")
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "")
    if site not in ("same-origin", "none") or (origin and origin != "null" and not _own_origin(settings, origin)):
        raise Forged("The form came from another site.")


def _own_origin(settings: ConsoleSettings, origin: str) -> bool:
    mine, theirs = urlsplit(settings.url), urlsplit(origin)
    return (mine.scheme, mine.netloc) == (theirs.scheme, theirs.netloc)


def _sent(console: Console, given: Page | Done | File, visit: Visit) -> Answer:
    if isinstance(given, Done):
        return _went_on(console, given, visit)
    headers = page_headers(console.settings)
    if isinstance(given, File):
        kind = "inline" if given.shown else "attachment"
        headers["content-disposition"] = f"{kind}; filename*=UTF-8''{quote(given.name, safe='')}"
        return Response(given.data, media_type=given.media_type, headers=headers)
    exported = _exported(given, visit)
    if exported is not None:
        return _sent(console, exported, visit)
    html = console.renderer.page(given, visit)
    answer = Response(html.encode(), media_type=HTML, status_code=given.status, headers=headers)
    _keep_token(console, answer, given.token)
    return answer


def _exported(page: Page, visit: Visit) -> File | None:
    wanted = visit.query.get("as", "")
    if wanted == "csv" and page.listing is not None:
        return File(as_csv(page.listing), f"{page.listing.name}.csv", "text/csv; charset=utf-8")
    if wanted == "json" and page.listing is not None:
        return File(as_json(page.listing), f"{page.listing.name}.json", "application/json")
    if wanted == "json" and page.data is not None:
        return File(msgspec.json.encode(page.data), "page.json", "application/json", shown=True)
    return None


def _went_on(console: Console, done: Done, visit: Visit) -> Answer:
    token = visit.token if done.token is None else done.token
    if done.said and token:
        console.people.say(token, done.said)
    answer = _redirect(console.settings, done.elsewhere or local_path(done.path))
    _keep_token(console, answer, done.token)
    for name, value in done.keep.items():
        answer.set_cookie(
            name, value, max_age=_YEAR_S, httponly=True, samesite="lax", secure=console.settings.https
        )  # fmt: skip
    return answer


def _redirect(settings: ConsoleSettings, path: str) -> Answer:
    return Response(b"", status_code=303, headers={**page_headers(settings), "location": path})


def _keep_token(console: Console, answer: Answer, token: str | None) -> None:
    if token is not None:
        one = cookie_of(console.settings, token)
        answer.set_cookie(
            one.name, one.value, max_age=one.max_age_s, path=one.path, secure=one.secure, httponly=one.http_only,
            samesite="lax",
        )  # fmt: skip


def _streamed(console: Console, route: Route, visit: Visit, request: Asked) -> Answer:
    console.streams.check(_whose(visit))
    headers = page_headers(console.settings) | {"x-accel-buffering": "no"}
    body = _events(console, route, visit, dict(request.path_params))
    return Stream(body, media_type="text/event-stream", headers=headers)


def _whose(visit: Visit) -> str:
    """A person in all their sessions shares the streams of one; so do all who come from one place as nobody."""
    return f"person {visit.person.id}" if visit.person is not None else f"address {visit.address}"


async def _events(console: Console, route: Route, visit: Visit, given: Mapping[str, str]) -> AsyncIterator[bytes]:
    """One event for each change of the page's block, until it is final, the session over or the time up."""
    who, streams = _whose(visit), console.streams
    try:
        streams.enter(who)
    except TooMany:
        return  # others came between the answer's head and its body
    last, ticks = "", max(1, round(STREAM_S / route.every_s))
    try:
        for tick in range(ticks):
            drawn = await streams.draw(who, lambda: _drawn_while_in(console, route, visit, given))
            if drawn is None:
                break
            html, final = drawn
            if html != last:
                yield _event(html)
                last = html
            elif tick % 15 == 14:
                yield b": still here\n\n"
            if final:
                yield b"event: end\ndata: end\n\n"
                break
            await asyncio.sleep(route.every_s)
    except Exception as error:  # the head is sent: no page can tell it any more
        log.error("a defect in a live part of %s", route.path, exc_info=error)
        raise
    finally:
        streams.leave(who)


def _drawn_while_in(console: Console, route: Route, visit: Visit, given: Mapping[str, str]) -> tuple[str, bool] | None:
    """The page's block and whether it is the last; None once the session is over, before or while it was drawn."""
    if not _still_in(console, visit):
        return None
    drawn = _drawn(console, route, visit, given)
    return drawn if _still_in(console, visit) else None


def _drawn(console: Console, route: Route, visit: Visit, given: Mapping[str, str]) -> tuple[str, bool]:
    fresh = visit_again(console, visit)
    try:
        page: Page = route.function(fresh, **given)
    except XinglinError as error:
        told = fresh.words.error(error)
        page = Page("frame/refusal.html", values={"told": told}, final=True)
    part = msgspec.structs.replace(page, fragment=True)
    return console.renderer.page(part, fresh), page.final


def visit_again(console: Console, visit: Visit) -> Visit:
    """The same visit, now."""
    again = Visit.__new__(Visit)
    again.__dict__.update(visit.__dict__)
    again.now = console.clock()
    return again


def _still_in(console: Console, visit: Visit) -> bool:
    """Whether the session that asked is alive, in the same seat, for the same person; nobody's never ends."""
    if visit.session is None:
        return True
    found, was = console.people.session(visit.token, used=False), visit.session
    return found is not None and (found.person.id, found.seat, found.subject) == (was.person.id, was.seat, was.subject)


def _event(html: str) -> bytes:
    return b"".join(b"data: " + line.encode() + b"\n" for line in html.splitlines()) + b"\n"


def _status_of(error: XinglinError) -> int:
    if isinstance(error, ConsoleError):
        return error.status
    if isinstance(error, LimitExceeded):
        return 413
    if error.code in ("stores.not_running", "stores.no_answer", "sdk.unreachable"):
        return 503
    status = getattr(error, "status", 0)
    # The hub's 401 is about the account's door token, not about who sits here.
    return status if 400 <= status < 600 and status != 401 else 409


def _accepted(header: str, default: str) -> str:
    for part in header.split(","):
        word = part.partition(";")[0].strip().lower()
        if word.partition("-")[0] in LANGUAGES:
            return word.partition("-")[0]
    return default if default in LANGUAGES else "en"
