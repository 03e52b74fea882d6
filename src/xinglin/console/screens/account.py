"""One's own account: the password, second factors, passkeys, and the browsers in which one is signed in."""

from __future__ import annotations

import io
from collections.abc import Callable
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Page, Same, Step, act, screen
from xinglin.console.people.errors import NotProved, PasskeyRefused, WeakPassword
from xinglin.console.people.model import PersonRecord
from xinglin.console.people.return_to import local_path
from xinglin.console.people.service import FRESH_S
from xinglin.console.people.totp import app_address, secret_text
from xinglin.console.screens.sign_in import entrance_of, passkey_question, refused_words
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.words.language import N_, Words

NAV = ()
_HOME = "/account"
_CSS = ("screens/sign_in.css",)
_JS = ("screens/passkey.js",)
_WEAK = {
    "short": N_("The password is shorter than 12 characters. A sentence is easy to keep in mind."),
    "long": N_("The password is longer than 256 characters."),
    "name": N_("The password holds your name. Choose another."),
    "common": N_("This password is one that is tried first. Choose words that nobody would put together."),
}


@screen("/account")
def account(visit: Visit) -> Page:
    """How one signs in, and where one is signed in."""
    record = visit.people.record_of(visit.token)
    missing = entrance_of(visit).passkeys.missing()
    return Page(
        "account/home.html",
        title=visit.words.text("Account and sign-in"),
        values={
            "record": record,
            "fresh": _fresh(visit),
            "lines": visit.people.lines(visit.token),
            "missing": visit.words.error(missing) if missing is not None else None,
            "seat_labels": {seat.id: seat.label for seat in visit.seats.values()},
        },
        same=Same(cli=in_shell("xinglin console account list --name {}", record.name)),
        css=_CSS,
    )


@screen("/account/password")
def password_form(visit: Visit) -> Page | Done:
    """The form for another password; where there is a second factor, the proof by it first."""
    return _by_factor_first(visit, lambda: _password(visit))


@act("/account/password")
def password(visit: Visit, form: Form) -> Page | Done:
    """Another password; every other session ends."""
    return _by_factor_first(visit, lambda: _changed(visit, form))


@screen("/account/prove")
def prove_form(visit: Visit) -> Page:
    """Prove again who acts, before something weighty."""
    return _prove(visit, local_path(visit.query.get("return_to", _HOME)))


@act("/account/prove")
def prove(visit: Visit, form: Form) -> Page | Done:
    """A password or a code was typed, or a passkey answered."""
    back = local_path(form.text("return_to") or _HOME)
    kept, then = form.secret("kept"), local_path(form.text("then") or "/")
    if kept:
        Form.fields_kept(kept)  # what cannot be read is refused before the session gets another token
    answer = form.secret("answer")
    if answer:
        step = entrance_of(visit).passkeys.answered(visit.token, answer, from_=visit.address)
    else:
        step = visit.people.prove(visit.token, form.secret("secret"), from_=visit.address)
    if step.kind == "done":
        return _go_on(visit, back, kept, then, step.token) if kept else Done(back, token=step.token)
    wrong = visit.words.text("That is not right. Type it again.")
    return _prove(visit, back, wrong if step.code == "wrong" else refused_words(visit.words, step), kept, then)


def proving(visit: Visit, back: str, kept: str, then: str) -> Page:
    """The proof before a deed at the path ``then``, whose form is ``kept`` for afterwards."""
    return msgspec.structs.replace(_prove(visit, back, "", kept, then), status=403)


@screen("/account/code")
def code_form(visit: Visit) -> Page | Done:
    """A secret for an authenticator app, as a QR code."""
    return _proved_first(visit, "/account/code", lambda: _code(visit))


@act("/account/code")
def code(visit: Visit, form: Form) -> Page | Done:
    """The first code of the app; recovery codes are shown this once."""

    def confirmed() -> Page:
        try:
            token, codes = visit.people.confirm_totp(visit.token, form.secret("code"))
        except NotProved as error:
            return _code(visit, _told(visit.words, error))
        return _codes(visit, codes, token)

    return _proved_first(visit, "/account/code", confirmed)


@act("/account/code/remove", fresh_s=FRESH_S)
def drop_code(visit: Visit, form: Form) -> Done:
    """Codes are asked for no more."""
    found, person = visit.people.proved_here(visit.token)
    visit.people.factors.drop_totp(person.id)
    token = visit.people.changed_factor(visit.token, found, person)
    return Done(_HOME, visit.words.text("Codes are asked for no more."), token=token)


@act("/account/recovery", fresh_s=FRESH_S)
def recovery(visit: Visit, form: Form) -> Page | Done:
    """New recovery codes; the old ones are worth nothing."""
    found, person = visit.people.proved_here(visit.token)
    if not person.second_factor:
        raise NotProved("There is no second factor to recover.", remedy="Set one up first.")
    codes = visit.people.factors.renew_recovery(person.id)
    return _codes(visit, codes, visit.people.changed_factor(visit.token, found, person))


@screen("/account/passkey")
def passkey_form(visit: Visit) -> Page | Done:
    """Make a passkey."""
    return _proved_first(visit, "/account/passkey", lambda: _passkey(visit))


@act("/account/passkey")
def passkey(visit: Visit, form: Form) -> Page | Done:
    """A passkey was made."""

    def made() -> Page | Done:
        try:
            token, codes = entrance_of(visit).passkeys.make(visit.token, form.secret("answer"), form.text("label"))
        except PasskeyRefused as error:
            return _passkey(visit, _told(visit.words, error))
        if codes:
            return _codes(visit, codes, token)
        return Done(_HOME, visit.words.text("The passkey is kept."), token=token)

    return _proved_first(visit, "/account/passkey", made)


@act("/account/passkeys/{key:str}/remove", fresh_s=FRESH_S)
def drop_passkey(visit: Visit, form: Form, key: str) -> Done:
    """A passkey is taken no more."""
    found, person = visit.people.proved_here(visit.token)
    kept = next((one for one in person.passkeys if one.id.hex() == key), None)
    if kept is None:
        raise BadField("key", "You have no such passkey.", remedy="Load the page again.")
    visit.people.factors.drop_passkey(person.id, kept.id)
    token = visit.people.changed_factor(visit.token, found, person)
    return Done(_HOME, visit.words.text("The passkey is taken no more."), token=token)


@act("/account/sessions/{key:str}/end")
def end_one(visit: Visit, form: Form, key: str) -> Done:
    """Sign out one browser."""
    visit.people.sign_out_one(visit.token, key)
    return Done(_HOME, visit.words.text("That session is over."))


@act("/account/sign-out-everywhere")
def end_all(visit: Visit, form: Form) -> Done:
    """Sign out every browser, this one too."""
    if visit.person is not None:
        visit.people.sign_out_everywhere(visit.person)
    return Done("/sign-in", token="")


def _fresh(visit: Visit) -> bool:
    return visit.session is not None and visit.people.fresh(visit.session, FRESH_S)


def _proved_first(visit: Visit, path: str, work: Callable[[], Page | Done]) -> Page | Done:
    """What asks for a fresh proof: the proof first, then back to ``path``."""
    return work() if _fresh(visit) else Done(f"/account/prove?return_to={quote(path, safe='/')}")


def _by_factor_first(visit: Visit, work: Callable[[], Page | Done]) -> Page | Done:
    """Of whoever has a second factor a fresh proof by it; of whoever has none the password is proof enough."""
    has_one = visit.person is not None and visit.person.second_factor
    return _proved_first(visit, "/account/password", work) if has_one else work()


def _changed(visit: Visit, form: Form) -> Page | Done:
    new = form.secret("new")
    if new != form.secret("again"):
        return _password(visit, "again", visit.words.text("The two new passwords are not the same."))
    try:
        token = visit.people.change_password(visit.token, form.secret("old"), new, from_=visit.address)
    except WeakPassword as error:
        return _password(visit, "new", visit.words.text(_WEAK.get(error.reason, error.what)))
    except NotProved as error:
        return _password(visit, "old", _told(visit.words, error))
    return Done(_HOME, visit.words.text("The password is changed. Every other session is over."), token=token)


def _told(words: Words, error: XinglinError) -> str:
    told = words.error(error)
    return f"{told.what} {told.remedy}".strip()


def _crumbs(words: Words) -> tuple[Step, ...]:
    return (Step(words.text("Account and sign-in"), _HOME),)


def _password(visit: Visit, field: str = "", wrong: str = "") -> Page:
    record = visit.people.record_of(visit.token)
    return Page(
        "account/password.html",
        title=visit.words.text("Change the password"),
        values={"wrong": {field: wrong}, "renew": record.renew, "has_one": bool(record.password), "name": record.name},
        crumbs=_crumbs(visit.words),
        css=_CSS,
        status=422 if wrong else 200,
    )


def _go_on(visit: Visit, back: str, kept: str, then: str, token: str) -> Page:
    """Proved: the form as it was filled in, to be sent with one press."""
    visit.token = token
    visit.__dict__.pop("csrf", None)  # the new session has a token of its own for forms
    return Page(
        "account/go_on.html",
        title=visit.words.text("Proved"),
        values={"back": back, "then": then, "fields": Form.fields_kept(kept)},
        crumbs=_crumbs(visit.words),
        css=_CSS,
        token=token,
    )


def _prove(visit: Visit, back: str, wrong: str = "", kept: str = "", then: str = "") -> Page:
    record = visit.people.record_of(visit.token)
    door = entrance_of(visit)
    label = visit.settings.oidc_label or visit.words.text("your institution")
    return Page(
        "account/prove.html",
        title=visit.words.text("Prove that it is you"),
        values={
            "back": back,
            "kept": kept,
            "then": then,
            "wrong": wrong,
            "factor": record.second_factor,
            "by_code": bool(record.totp_secret or record.recovery),
            "by_password": bool(record.password) and not record.second_factor,
            "question": passkey_question(visit) if record.passkeys else "",
            "outside": label if door.outside is not None and all(record.outside) and not record.second_factor else "",
            "outside_path": f"/sign-in/institution?return_to={quote(back, safe='')}",
        },
        crumbs=_crumbs(visit.words),
        css=_CSS,
        js=_JS,
        status=401 if wrong else 200,
    )


def _code(visit: Visit, wrong: str = "") -> Page:
    secret = visit.people.begin_totp(visit.token)
    record = visit.people.record_of(visit.token)
    issuer = visit.settings.institution or "Xinglin"
    return Page(
        "account/code.html",
        title=visit.words.text("Set up an authenticator app"),
        values={
            "qr": qr_drawing(app_address(secret, record.name, issuer)),
            "secret": secret_text(secret),
            "wrong": wrong,
            "replaces": bool(record.totp_secret),
        },
        crumbs=_crumbs(visit.words),
        css=_CSS,
        status=422 if wrong else 200,
    )


def _codes(visit: Visit, codes: tuple[str, ...], token: str) -> Page:
    visit.token = token
    return Page(
        "account/codes.html",
        title=visit.words.text("Recovery codes"),
        values={"codes": codes},
        crumbs=_crumbs(visit.words),
        css=_CSS,
        token=token,
    )


def _passkey(visit: Visit, wrong: str = "") -> Page:
    record: PersonRecord = visit.people.record_of(visit.token)
    return Page(
        "account/passkey.html",
        title=visit.words.text("Make a passkey"),
        values={
            "options": entrance_of(visit).passkeys.invitation(visit.token),
            "label": visit.words.text("Passkey %(n)s", n=len(record.passkeys) + 1),
            "wrong": wrong,
        },
        crumbs=_crumbs(visit.words),
        css=_CSS,
        js=_JS,
        status=422 if wrong else 200,
    )


def qr_drawing(text: str) -> Markup:
    """A QR code as SVG, dark on light in either theme."""
    import segno

    sink = io.BytesIO()
    segno.make(text, error="m").save(
        sink, kind="svg", xmldecl=False, svgns=True, scale=4, border=2, dark="#000", light="#fff", omitsize=True
    )
    return Markup(sink.getvalue().decode())  # noqa: S704 - drawn here from numbers alone


ROUTES = (
    account,
    password_form,
    password,
    prove_form,
    prove,
    code_form,
    code,
    drop_code,
    recovery,
    passkey_form,
    passkey,
    drop_passkey,
    end_one,
    end_all,
)
