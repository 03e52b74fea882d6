"""Signing in and out: name and password, the second factor, a passkey, one's own institution."""

from __future__ import annotations

from urllib.parse import quote

from xinglin.console.errors import NotThere
from xinglin.console.frame import Done, Page, act, screen
from xinglin.console.people.entrance import Entrance
from xinglin.console.people.errors import PeopleError
from xinglin.console.people.model import Step
from xinglin.console.people.outside import CALLBACK
from xinglin.console.people.return_to import local_path
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.words.language import Words

NAV = ()
_CSS = ("screens/sign_in.css",)
_JS = ("screens/passkey.js",)


@screen("/sign-in", roles=())
def sign_in(visit: Visit) -> Page | Done:
    """The form: name and password, and what else this console offers."""
    back = local_path(visit.query.get("return_to", "/"))
    return Done(back) if visit.session is not None else _form(visit, back)


@act("/sign-in", roles=())
def enter(visit: Visit, form: Form) -> Page | Done:
    """Name and password were typed."""
    back = local_path(form.text("return_to") or "/")
    name = form.text("name")
    step = visit.people.sign_in(visit.token, name, form.secret("password"), from_=visit.address, return_to=back)
    if step.kind == "refused":
        return _form(visit, back, step, name)
    return _on(step)


@screen("/sign-in/second", roles=())
def second_form(visit: Visit) -> Page | Done:
    """The second factor is asked for."""
    if visit.session is not None or visit.people.waiting(visit.token) is None:
        return Done("/sign-in")
    return _second(visit)


@act("/sign-in/second", roles=())
def second(visit: Visit, form: Form) -> Page | Done:
    """A code was typed."""
    step = visit.people.second(visit.token, form.secret("code"))
    if step.code == "over":
        return Done("/sign-in", visit.words.text("That took too long. Sign in again."))
    return _second(visit, step) if step.kind == "refused" else _on(step)


@act("/sign-in/passkey", roles=())
def passkey(visit: Visit, form: Form) -> Page | Done:
    """A passkey answered: at the form, or as the second factor."""
    back = local_path(form.text("return_to") or "/")
    step = entrance_of(visit).passkeys.answered(visit.token, form.secret("answer"), from_=visit.address, return_to=back)
    if step.kind != "refused":
        return _on(step)
    return _second(visit, step) if visit.people.waiting(visit.token) is not None else _form(visit, back, step)


@screen("/sign-in/institution", roles=())
def institution(visit: Visit) -> Done:
    """On to the institution's own sign-in."""
    outside = entrance_of(visit).outside
    if outside is None:
        raise NotThere("This console knows no institution's sign-in.", remedy="Sign in by name and password.")
    token = _begun(visit)
    return Done("/", token=token, elsewhere=outside.begin(token, visit.query.get("return_to", "/")))


@screen(CALLBACK, roles=())
def came_back(visit: Visit) -> Page | Done:
    """Back from the institution's own sign-in."""
    outside = entrance_of(visit).outside
    if outside is None:
        raise NotThere("This console knows no institution's sign-in.")
    step = outside.came_back(visit.token, visit.query, from_=visit.address)
    if step.kind != "refused":
        return _on(step)
    return _form(visit, "/", step) if visit.session is None else Done("/account", refused_words(visit.words, step))


@act("/sign-out")
def sign_out(visit: Visit, form: Form) -> Done:
    """End this session."""
    visit.people.sign_out(visit.token)
    return Done("/sign-in", token="")


def entrance_of(visit: Visit) -> Entrance:
    """The console's door with every way of signing in."""
    if not isinstance(visit.people, Entrance):
        raise XinglinError("This console has no door.")
    return visit.people


def passkey_question(visit: Visit) -> str:
    """What a passkey is asked on this page (JSON); empty where there are none."""
    passkeys = entrance_of(visit).passkeys
    if passkeys.missing() is not None:
        return ""
    try:
        asked: str = passkeys.question(visit.token)
    except PeopleError:
        return ""
    return asked


def refused_words(words: Words, step: Step) -> str:
    """Why a step was refused, for a person; it never tells whether an account is there."""
    if step.code == "wait":
        return words.text("Too many wrong tries. Wait %(n)s minutes, then try again.", n=-(-step.wait_s // 60))
    said = {
        "wrong": words.text("That name and password do not belong together."),
        "over": words.text("This form is too old. Try again now."),
        "no_seat": words.text("You are known here, but no seat was granted to you. Ask who runs this console."),
        "unknown_here": words.text(
            "You are signed in there, but no account here is bound to you. Ask who runs this console."
        ),
        "passkey": words.text("That passkey was not accepted. Try again, or sign in another way."),
    }
    return said.get(step.code, words.text("That was not accepted."))


def _on(step: Step) -> Done:
    return Done(step.return_to if step.kind == "done" else "/sign-in/second", token=step.token)


def _begun(visit: Visit) -> str:
    """The token of this browser; one is begun where there is none, and the page's forms carry its word."""
    if not visit.people.csrf(visit.token):
        visit.token = visit.people.begin()
    token: str = visit.token
    return token


def _form(visit: Visit, back: str, step: Step | None = None, name: str = "") -> Page:
    token = _begun(visit)
    door = entrance_of(visit)
    words = visit.words
    # Who followed an old address learns so here; a name that was tried says nothing.
    status = 200 if step is None else 429 if step.code == "wait" else 401
    return Page(
        "sign_in/form.html",
        title=words.text("Sign in"),
        values={
            "back": back,
            "name": name[:64],
            "wrong": refused_words(words, step) if step is not None else "",
            "question": passkey_question(visit),
            "institution": visit.settings.institution,
            "outside": (visit.settings.oidc_label or words.text("your institution")) if door.outside else "",
            "outside_path": f"/sign-in/institution?return_to={quote(back, safe='')}",
            "samples": door.samples,
            "said": visit.people.said(token),
        },
        bare=True,
        css=_CSS,
        js=_JS,
        status=status,
        token=token,
        here=f"/sign-in?return_to={quote(back, safe='')}",
    )


def _second(visit: Visit, step: Step | None = None) -> Page:
    person = visit.people.waiting(visit.token)
    wrong = ""
    if step is not None:
        code_wrong = visit.words.text("That code is not right, or was used. Type the next one.")
        wrong = code_wrong if step.code == "wrong" else refused_words(visit.words, step)
    return Page(
        "sign_in/second.html",
        title=visit.words.text("One more proof"),
        values={
            "label": person.label if person is not None else "",
            "passkey": person is not None and person.second_factor == "passkey",
            "question": passkey_question(visit) if person is not None and person.second_factor == "passkey" else "",
            "wrong": wrong,
        },
        bare=True,
        css=_CSS,
        js=_JS,
        status=200 if step is None else 429 if step.code == "wait" else 401,
        here="/sign-in/second",
    )


ROUTES = (sign_in, enter, second_form, second, passkey, institution, came_back, sign_out)
