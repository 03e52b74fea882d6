"""What every signed-in person has: the inbox, seats, language and theme, the command palette, the live dot."""

from __future__ import annotations

from xinglin.console.calls.seat_calls import Pulse
from xinglin.console.errors import NotThere
from xinglin.console.frame import Done, Nav, Page, Same, act, live, screen
from xinglin.console.people.model import THEMES
from xinglin.console.people.return_to import local_path
from xinglin.console.seats import ROLES
from xinglin.console.serving import LANGUAGE_COOKIE
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.words import LANGUAGES, N_

NAV = (Nav(roles=ROLES, path="/inbox", label=N_("Inbox"), order=0),)
_CLI = {
    "hospital": "xinglin node agreements",
    "researcher": "xinglin access status",
    "ethics": "xinglin access status",
    "operator": "xinglin hub status",
    "regulator": "xinglin witness status",
}


@screen("/", roles=())
def first(visit: Visit) -> Done:
    """The first page: the inbox, or what everybody may see."""
    return Done("/inbox" if visit.session is not None else "/public")


@screen("/inbox")
def inbox(visit: Visit) -> Page:
    """What waits for this seat, the most urgent first."""
    items = visit.calls.inbox()
    return Page(
        "frame/inbox.html",
        title=visit.words.text("Inbox"),
        values={"items": items},
        same=Same(cli=_CLI.get(visit.role, "")),
        js=("review.js",),
        data=[{"id": one.id, "kind": one.kind, "title": one.title, "due": one.due} for one in items],
    )


@screen("/seats")
def seats(visit: Visit) -> Page:
    """The seats that this person may take."""
    person = visit.person
    granted = person.grants if person is not None else ()
    found = [(grant, visit.seats[grant.seat]) for grant in granted if grant.seat in visit.seats]
    return Page("frame/seats.html", title=visit.words.text("Your seats"), values={"found": found})


@act("/seats")
def take(visit: Visit, form: Form) -> Done:
    """Take another seat; the session gets a new token."""
    token = visit.people.take_seat(visit.token, form.needed("seat"), form.text("subject"))
    return Done("/inbox", token=token)


@act("/preferences")
def prefer(visit: Visit, form: Form) -> Done:
    """Choose language or theme, for this person from now on."""
    language, theme = form.text("language"), form.text("theme")
    if (language and language not in LANGUAGES) or (theme and theme not in THEMES):
        raise NotThere("There is no such language or theme.")
    visit.people.prefer(visit.token, language=language, theme=theme)
    return Done(local_path(form.text("return_to") or "/"))


@screen("/language/{language:str}", roles=())
def speak(visit: Visit, language: str) -> Done:
    """Choose the language before signing in; a cookie of this browser remembers it."""
    if language not in LANGUAGES:
        raise NotThere("There is no such language.")
    return Done(local_path(visit.query.get("return_to", "/")), keep={LANGUAGE_COOKIE: language})


@screen("/palette")
def palette(visit: Visit) -> Page:
    """What the command palette offers for a text: pages of this role, and objects of this seat."""
    text = visit.query.get("q", "").strip()[:100]
    hits = ()
    if len(text) >= 2:
        try:
            hits = visit.calls.find(text)
        except XinglinError:
            hits = ()  # what stands behind the seat is away: pages are still found
    return Page("frame/palette.html", values={"text": text.casefold(), "hits": hits}, fragment=True)


@live("/pulse", every_s=5.0)
def pulse(visit: Visit) -> Page:
    """The live dot: whether what stands behind this seat answers."""
    try:
        found = visit.calls.pulse()
    except XinglinError as error:
        found = Pulse("lost", error.what)
    return Page("frame/pulse.html", values={"found": found}, fragment=True)


ROUTES = (first, inbox, seats, take, prefer, speak, palette, pulse)
