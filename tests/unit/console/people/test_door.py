"""The sign-in and the account as a browser sends them: from outside, over HTTP, through the real application."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import pytest
from litestar.testing import TestClient
from tests.unit.console.people.conftest import NAME, PASSWORD, HandedClock, Opened

from xinglin.console.app import console_app
from xinglin.console.people.attempts import FROM_ADDRESS
from xinglin.console.people.entrance import Entrance
from xinglin.console.people.model import Grant
from xinglin.console.people.totp import code_at
from xinglin.console.screens import account, everywhere, sign_in
from xinglin.console.seats import Seat
from xinglin.console.serving import Console
from xinglin.console.settings import ConsoleSettings
from xinglin.console.wiring import build_console

URL = "http://xinglin.localhost:8480"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
COOKIE = "xinglin_session"
ROUTES = (*sign_in.ROUTES, *account.ROUTES, *everywhere.ROUTES)


class Door:
    """A console with one account, and a browser without a face before it."""

    def __init__(self, built: Console, people: Entrance, settings: ConsoleSettings, clock: HandedClock) -> None:
        self.people, self.clock = people, clock
        seats = (Seat("group", "researcher", "Group (fictional)", Path("a")), Seat("hub", "operator", "Hub", Path("b")))
        console = msgspec.structs.replace(
            built, settings=settings, seats={one.id: one for one in seats}, people=people, clock=clock, made={}
        )
        self.client = TestClient(console_app(console, ROUTES), base_url=settings.url)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={"accept": "text/html"} | headers, follow_redirects=False)

    def post(self, path: str, page: str, /, headers: dict[str, str] | None = None, **fields: str) -> Any:
        """A form of ``page``, posted."""
        found = CSRF.search(self.get(page).text)
        assert found, page
        sent = {"accept": "text/html"} | (headers or {})
        return self.client.post(path, data={"csrf": found.group(1)} | fields, headers=sent, follow_redirects=False)

    def sign_in(self, **fields: str) -> Any:
        return self.post("/sign-in", "/sign-in", **({"name": NAME, "password": PASSWORD} | fields))

    @property
    def token(self) -> str:
        return self.client.cookies.get(COOKIE) or ""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console's parts that no test changes."""
    console = build_console(tmp_path_factory.mktemp("built"), ConsoleSettings())
    yield console
    console.lines.close()
    console.people.close()


@pytest.fixture
def door_of(built: Console, opened: Opened, clock: HandedClock) -> Callable[..., Door]:
    """``door_of(demo=True)``: a console with these settings."""

    def door(**given: Any) -> Door:
        settings = ConsoleSettings(**({"public_url": URL, "institution": "County Hospital (fictional)"} | given))
        people = opened(settings)
        if people.accounts.named(NAME) is None:
            people.accounts.add(NAME, "Li Wei (fictional)", PASSWORD, [Grant("group"), Grant("hub")])
        return Door(built, people, settings, clock)

    return door


@pytest.fixture
def door(door_of: Callable[..., Door]) -> Door:
    return door_of()


def test_the_cookie_changes_at_the_sign_in_and_no_script_reads_it(door: Door) -> None:
    door.get("/sign-in")
    before = door.token
    answer = door.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert door.token not in ("", before)
    set_cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in set_cookie.split(";")}
    assert "Secure" not in set_cookie and "Domain" not in set_cookie
    assert door.people.session(before) is None and door.people.csrf(before) == ""
    assert door.get("/account").status_code == 200


def test_under_tls_the_cookie_is_this_host_s_alone(door_of: Callable[..., Door]) -> None:
    set_cookie = door_of(public_url="https://console.example").get("/sign-in").headers["set-cookie"]
    assert set_cookie.startswith("__Host-xinglin_session=") and "; Secure" in set_cookie


def test_a_planted_cookie_becomes_nobody_s_session(door: Door) -> None:
    planted = "p" * 43
    door.client.cookies.set(COOKIE, planted, domain="xinglin.localhost", path="/")
    answer = door.sign_in()
    assert answer.status_code == 303 and door.token != planted and door.people.session(planted) is None


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
def test_another_site_cannot_sign_anybody_in(door: Door, headers: dict[str, str]) -> None:
    answer = door.post("/sign-in", "/sign-in", headers=headers, name=NAME, password=PASSWORD)
    assert answer.status_code == 403 and door.people.session(door.token) is None


@pytest.mark.parametrize("csrf", ["", "guess", "p" * 43])
def test_a_form_without_this_browser_s_word_is_refused(door: Door, csrf: str) -> None:
    door.get("/sign-in")
    fields = {"csrf": csrf, "name": NAME, "password": PASSWORD}
    assert door.client.post("/sign-in", data=fields, follow_redirects=False).status_code == 403


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/second", "/sign-in/passkey", "/sign-out", "/account/password"])
def test_nothing_is_done_by_a_link(door: Door, path: str) -> None:
    door.sign_in()
    token = door.token
    door.get(path)
    assert door.people.session(token) is not None


@pytest.mark.parametrize(
    "planted", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)"]
)
def test_a_sign_in_leads_nowhere_else(door: Door, planted: str) -> None:
    page = f"/sign-in?return_to={quote(planted, safe='')}"
    assert 'name="return_to" value="/"' in door.get(page).text
    assert door.sign_in(return_to=planted).headers["location"] == "/"
    assert door.get(page).headers["location"] == "/"
    answer = door.post("/account/prove", "/account/prove", secret=PASSWORD, return_to=planted)
    assert answer.headers["location"] == "/"


def test_a_path_of_this_console_is_where_it_goes_on(door: Door) -> None:
    assert door.sign_in(return_to="/runs?state=done").headers["location"] == "/runs?state=done"


def test_whoever_asks_for_a_page_signs_in_and_comes_back_to_it(door: Door) -> None:
    asked = door.get("/account")
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?return_to=/account")
    assert 'name="return_to" value="/account"' in door.get(asked.headers["location"]).text


def test_what_is_wrong_is_told_alike_and_the_wait_with_its_length(door: Door) -> None:
    told = [door.sign_in(name=name, password="not the password") for name in (NAME, "nobody")]
    assert [one.status_code for one in told] == [401, 401]
    words = [re.sub(r'value="[^"]*"|data-options="[^"]*"', "", one.text) for one in told]
    assert words[0] == words[1] and "do not belong together" in words[0]
    for _ in range(4):
        door.sign_in(password="not the password")
    refused = door.sign_in()
    assert refused.status_code == 429 and "Wait 15 minutes" in refused.text


def test_a_hostile_name_is_shown_as_text(door: Door) -> None:
    page = door.sign_in(name='"><script>alert(1)</script>', password="x", return_to='/"><script>').text
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    assert '"/"><script>' not in page


def test_the_second_step_waits_for_the_second_factor(door: Door, clock: HandedClock) -> None:
    secret, _ = door.people.factors.enrol_unproved(door.people.accounts.needed(NAME).id)
    answer = door.sign_in(return_to="/seats")
    assert answer.headers["location"] == "/sign-in/second"
    assert door.get("/account").headers["location"].startswith("/sign-in")
    assert door.get("/seats").headers["location"].startswith("/sign-in")
    assert "Li Wei (fictional)" in door.get("/sign-in/second").text
    wrong = door.post("/sign-in/second", "/sign-in/second", code="000000")
    assert wrong.status_code == 401 and "not right" in wrong.text
    done = door.post("/sign-in/second", "/sign-in/second", code=code_at(secret, clock()))
    assert (done.status_code, done.headers["location"]) == (303, "/seats")
    assert door.get("/account").status_code == 200


def test_the_second_step_is_nobody_s_without_the_first(door: Door) -> None:
    assert door.get("/sign-in/second").headers["location"] == "/sign-in"
    answer = door.post("/sign-in/second", "/sign-in", code="000000")
    assert answer.headers["location"] == "/sign-in"


def test_sign_out_ends_it_here(door: Door) -> None:
    door.sign_in()
    token = door.token
    answer = door.post("/sign-out", "/account")
    assert answer.headers["location"] == "/sign-in" and door.people.session(token) is None
    assert door.get("/account").status_code == 303


def test_sample_users_are_shown_in_a_demo_alone(door_of: Callable[..., Door], tmp_path: Path) -> None:
    (tmp_path / "console").mkdir(exist_ok=True)
    samples = [{"name": NAME, "role": "researcher", "label": "Li Wei (fictional)", "password": PASSWORD}]
    (tmp_path / "console" / "samples.json").write_text(json.dumps(samples))
    assert PASSWORD not in door_of().get("/sign-in").text
    page = door_of(demo=True).get("/sign-in").text
    assert PASSWORD in page and "Li Wei (fictional)" in page and "fictional" in page


def test_both_languages_are_offered_before_the_sign_in(door: Door) -> None:
    assert "用户名" in door.get("/sign-in", **{"accept-language": "zh-CN"}).text
    assert "User name" in door.get("/sign-in", **{"accept-language": "en"}).text


def test_an_app_is_set_up_from_the_qr_code_to_the_recovery_codes(door: Door, clock: HandedClock) -> None:
    door.sign_in()
    page = door.get("/account/code").text
    assert "<svg" in page and "otpauth" not in page
    secret = next(iter(door.people.sessions.find(door.token).pending for _ in (1,)))  # type: ignore[union-attr]
    wrong = door.post("/account/code", "/account/code", code="000000")
    assert wrong.status_code == 422
    shown = door.post("/account/code", "/account/code", code=code_at(secret, clock()))
    codes = re.findall(r"<code>([0-9a-z]{5}-[0-9a-z]{5})</code>", shown.text)
    assert len(codes) == 10
    assert not re.findall(r"[0-9a-z]{5}-[0-9a-z]{5}</code>", door.get("/account").text)
    assert "A code is asked for" in door.get("/account").text


def test_weighty_changes_ask_for_a_fresh_proof(door: Door, clock: HandedClock) -> None:
    door.sign_in()
    clock.forward(601)
    assert door.get("/account/code").headers["location"] == "/account/prove?return_to=/account/code"
    assert door.get("/account/passkey").headers["location"] == "/account/prove?return_to=/account/passkey"
    for path in ("/account/code/remove", "/account/recovery", "/account/passkeys/00/remove"):
        answer = door.post(path, "/account", headers={"referer": f"{URL}/account"})
        assert answer.status_code == 403 and 'action="/account/prove"' in answer.text
        assert f'name="then" value="{path}"' in answer.text and 'name="return_to" value="/account"' in answer.text
    page = "/account/prove?return_to=/account/code"
    assert door.post("/account/prove", page, secret="not the password", return_to="/account/code").status_code == 401
    done = door.post("/account/prove", page, secret=PASSWORD, return_to="/account/code")
    assert done.headers["location"] == "/account/code" and door.get("/account/code").status_code == 200


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"old": "not the password"}, "present password is not right"),
        ({"again": "something else here"}, "not the same"),
        ({"new": "short", "again": "short"}, "shorter than 12"),
        ({"new": "password1234", "again": "password1234"}, "tried first"),
    ],
)
def test_a_password_is_changed_for_a_good_one_alone(door: Door, fields: dict[str, str], told: str) -> None:
    door.sign_in()
    new = "two swans cross the lake"
    given = {"old": PASSWORD, "new": new, "again": new} | fields
    refused = door.post("/account/password", "/account/password", **given)
    assert refused.status_code == 422 and told in refused.text
    assert not re.search(r'type="password" value="[^"]', refused.text), "a password is never sent back"


def test_a_changed_password_is_the_one(door: Door) -> None:
    door.sign_in()
    before, new = door.token, "two swans cross the lake"
    answer = door.post("/account/password", "/account/password", old=PASSWORD, new=new, again=new)
    assert answer.headers["location"] == "/account" and door.token != before
    assert "is changed" in door.get("/account").text
    door.client.cookies.clear()
    assert door.sign_in().status_code == 401 and door.sign_in(password=new).status_code == 303


def test_whoever_has_to_change_the_password_reaches_nothing_else(door: Door) -> None:
    door.people.accounts.reset(NAME, "chosen by the keeper")
    answer = door.sign_in(password="chosen by the keeper")
    assert answer.headers["location"] == "/account/password"
    assert door.get("/inbox").status_code == 404
    assert door.post("/seats", "/account/password", seat="group").status_code == 403
    assert "Somebody else set your password" in door.get("/account/password").text


def test_the_institution_is_offered_where_one_is_configured(door_of: Callable[..., Door]) -> None:
    plain = door_of()
    assert "/sign-in/institution" not in plain.get("/sign-in").text
    assert plain.get("/sign-in/institution").status_code == 404
    assert plain.get("/sign-in/institution/back?code=x&state=y").status_code == 404
    other = door_of(oidc_issuer="http://127.0.0.1:9", oidc_client_id="console", oidc_label="County 县医院")
    assert "County 县医院" in other.get("/sign-in").text
    away = other.get("/sign-in/institution")
    assert away.status_code == 403 and "does not answer" in away.text
    assert other.get("/sign-in/institution/back?code=x&state=y").status_code == 403


def test_secrets_are_in_no_line_of_the_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        door.sign_in(password="a wrong secret phrase")
        door.sign_in()
        door.get("/account")
    said = caplog.text
    assert PASSWORD not in said and "a wrong secret phrase" not in said and door.token not in said


def test_a_key_that_is_somebody_else_s_ends_no_session(door: Door) -> None:
    door.people.accounts.add("zhao", "Zhao (fictional)", "nine herons stand in line", [Grant("hub")])
    theirs = door.people.sign_in(door.people.begin(), "zhao", "nine herons stand in line", from_="192.0.2.1").token
    (line,) = door.people.lines(theirs)
    door.sign_in()
    assert door.post(f"/account/sessions/{line.key}/end", "/account").status_code == 303
    assert door.people.session(theirs) is not None


def test_the_password_alone_opens_no_form_for_another_where_there_is_a_second_factor(
    door: Door, clock: HandedClock
) -> None:
    door.sign_in()
    door.get("/account/code")
    secret = door.people.sessions.find(door.token).pending  # type: ignore[union-attr]
    door.post("/account/code", "/account/code", code=code_at(secret, clock()))
    clock.forward(601)
    fields = {"old": PASSWORD, "new": "two swans cross the lake", "again": "two swans cross the lake"}
    for answer in (door.get("/account/password"), door.post("/account/password", "/account", **fields)):
        assert answer.status_code == 303
        assert unquote(answer.headers["location"]) == "/account/prove?return_to=/account/password"
    door.post("/account/prove", "/account/prove", secret=code_at(secret, clock()), return_to="/account/password")
    assert door.post("/account/password", "/account/password", **fields).status_code == 303
    assert door.people.sign_in(door.people.begin(), NAME, PASSWORD, from_="192.0.2.9").code == "wrong"


def language_of(page: str) -> str:
    found = re.search(r'href="(/language/zh\?return_to=[^"]+)"', page)
    assert found
    return found.group(1)


def test_the_other_language_loses_no_way_back(door: Door) -> None:
    asked = door.get("/account?tab=a%20b&x=1").headers["location"]
    assert asked == "/sign-in?return_to=/account%3Ftab%3Da%2Bb%26x%3D1"
    spoken = door.get(language_of(door.get(asked).text))
    page = door.get(spoken.headers["location"]).text
    assert 'lang="zh-CN"' in page and 'name="return_to" value="/account?tab=a+b&amp;x=1"' in page
    door.client.cookies.delete("xinglin_language")
    wrong = door.sign_in(password="not the password", return_to="/account?x=1").text
    back = door.get(language_of(wrong)).headers["location"]
    assert unquote(back) == "/sign-in?return_to=/account?x=1" and "%3Fx%3D1" in back


def test_thirty_sign_in_pages_of_others_leave_an_open_form_as_it_was(door: Door) -> None:
    mine = CSRF.search(door.get("/sign-in").text)
    token = door.token
    assert mine and token
    for _ in range(30):
        door.client.cookies.clear()
        assert door.get("/sign-in").status_code == 200
    door.client.cookies.clear()
    fields = {"csrf": mine.group(1), "name": NAME, "password": PASSWORD}
    answer = door.client.post("/sign-in", data=fields, headers={"cookie": f"{COOKIE}={token}"}, follow_redirects=False)
    assert answer.status_code == 303 and door.token != token


def tries_from(door: Door, told: str) -> list[int]:
    """Statuses of wrong tries of many names, with what a proxy would tell of the browser."""
    sent = {"x-forwarded-for": told} if told else {}
    return [
        door.post("/sign-in", "/sign-in", sent, name=f"nobody-{n}", password="wrong wrong wrong").status_code
        for n in range(FROM_ADDRESS.value + 1)
    ]


def test_wrong_tries_are_counted_by_the_browser_behind_a_proxy_that_is_named(door_of: Callable[..., Door]) -> None:
    door = door_of(front="testclient, 192.0.2.1")
    assert tries_from(door, "198.51.100.66, 203.0.113.5")[-1] == 429
    assert tries_from(door, "203.0.113.6")[0] == 401, "somebody else behind the same proxy"
    assert tries_from(door, "198.51.100.99, 203.0.113.5, 192.0.2.1")[0] == 429, "what a browser tells is not believed"


def test_what_is_told_of_a_browser_counts_from_nobody_else(door_of: Callable[..., Door]) -> None:
    door = door_of()
    tries_from(door, "203.0.113.5")
    assert tries_from(door, "203.0.113.6")[0] == 429
