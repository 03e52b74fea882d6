"""The console attacked from outside, at its real port: forged forms, sessions, roles, others' objects, addresses."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from tests.console.conftest import PageAs
from tests.console.console_space import NEIGHBOUR, OUTSIDER, STRANGER, ConsoleSpace, Found, sign_in, token_of
from tests.console.crawl import routes

from xinglin.console.frame import ANYBODY, Route
from xinglin.console.streams import OF_ONE

pytestmark = pytest.mark.slow

USERS = ("researcher", "university", "reviewer", "ethics", "operator", "regulator", "patient")
SEAT_ROLES = {"university": "hospital", OUTSIDER: "ethics", STRANGER: "researcher", NEIGHBOUR: "patient"}
NO = (403, 404)
COOKIE = "xinglin_session"
EVERYBODYS = (
    "/evidence", "/public", "/catalogue", "/data-sets", "/participants", "/synthetic", "/register", "/account",
)  # fmt: skip
"""Where what one may see, everybody of the role may see: the log, published facts, one's own account."""


def filled(route: Route, value: str = "nothing-of-yours") -> str:
    """A route's path with something in its places."""
    return re.sub(r"\{[^}]+\}", value, route.path)


@pytest.fixture(scope="module")
def clients(space: ConsoleSpace) -> Iterator[dict[str, httpx.Client]]:
    """One signed-in client a sample user, for what leaves sessions as they are."""
    opened = {}
    for who in (*USERS, STRANGER, OUTSIDER, NEIGHBOUR):
        opened[who] = httpx.Client(base_url=space.url, timeout=60, trust_env=False, headers={"accept": "text/html"})
        sign_in(opened[who], space.sample(who))
    yield opened
    for client in opened.values():
        client.close()


def csrf(client: httpx.Client) -> str:
    return token_of(client.get("/inbox").text)


# --- forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "wrong", "another's"])
def test_a_form_without_the_sessions_own_token_is_refused(clients: dict[str, httpx.Client], token: str) -> None:
    given = csrf(clients["university"]) if token == "another's" else token
    before = clients["researcher"].get("/inbox").text
    for route in routes("act"):
        if "researcher" in route.roles or route.roles == ANYBODY:
            answer = clients["researcher"].post(filled(route), data={"csrf": given, "theme": "dark"})
            assert answer.status_code == 403, (route.path, answer.status_code)
    assert clients["researcher"].get("/inbox").text.count("data-theme") == before.count("data-theme")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:1"},
    ],
)
def test_a_form_from_another_site_is_refused_even_with_the_token(
    clients: dict[str, httpx.Client], headers: dict[str, str]
) -> None:
    client = clients["researcher"]
    answer = client.post("/preferences", data={"csrf": csrf(client), "theme": "dark"}, headers=headers)
    assert answer.status_code == 403
    kept = client.post("/preferences", data={"csrf": csrf(client), "theme": "auto"})
    assert kept.status_code == 303


def test_a_page_of_another_site_cannot_send_a_browsers_form(
    space: ConsoleSpace, page_as: PageAs, tmp_path: object
) -> None:
    page = page_as("researcher", fresh=True)
    page.context.route(
        "http://evil.example/**",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f'<form method=post action="{space.url}/sign-out"><button>win a prize</button></form>',
        ),
    )
    page.goto("http://evil.example/")
    page.click("button")
    page.wait_for_load_state()
    assert page.request.get(f"{space.url}/inbox", max_redirects=0).status == 200


def test_a_body_of_another_type_is_no_form(clients: dict[str, httpx.Client]) -> None:
    client = clients["researcher"]
    token = csrf(client)
    for kind, body in (("application/json", b"{}"), ("text/plain", b"theme=dark"), ("multipart/form-data", b"--x")):
        headers = {"content-type": kind, "x-csrf-token": token}
        assert client.post("/preferences", content=body, headers=headers).status_code in (400, 403), kind


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_that_was_planted_is_not_the_one_that_signs_in(space: ConsoleSpace) -> None:
    with space.client() as attacker, space.client() as victim:
        attacker.get("/sign-in")
        planted = attacker.cookies[COOKIE]
        victim.cookies.set(COOKIE, planted)
        token = token_of(victim.get("/sign-in").text)
        sample = space.sample("clinic")
        fields = {"csrf": token, "name": sample.name, "password": sample.password}
        answer = victim.post("/sign-in", data=fields, headers={"cookie": f"{COOKIE}={planted}"})
        assert answer.status_code == 303
        assert re.search(rf"{COOKIE}=([^;]+)", answer.headers["set-cookie"]).group(1) != planted  # type: ignore[union-attr]
        assert attacker.get("/inbox").status_code == 303
        assert attacker.get("/seats", headers={"cookie": f"{COOKIE}={planted}"}).status_code == 303


def test_taking_a_seat_gives_a_new_session_and_signing_out_ends_it(space: ConsoleSpace) -> None:
    with space.client("tour") as client, space.client() as thief:
        stolen = client.cookies[COOKIE]
        moved = client.post("/seats", data={"csrf": csrf(client), "seat": "operator", "subject": ""})
        assert moved.status_code == 303 and client.cookies[COOKIE] != stolen
        thief.cookies.set(COOKIE, stolen)
        assert thief.get("/inbox").status_code == 303
        stolen = client.cookies[COOKIE]
        assert client.post("/sign-out", data={"csrf": csrf(client)}).status_code == 303
        thief.cookies.clear()
        thief.cookies.set(COOKIE, stolen)
        assert thief.get("/inbox").status_code == 303


def test_a_seat_that_was_not_granted_cannot_be_taken(clients: dict[str, httpx.Client]) -> None:
    client = clients["researcher"]
    for seat, subject in (("operator", ""), ("university", ""), ("patient", "Patient/1"), ("nothing", "")):
        answer = client.post("/seats", data={"csrf": csrf(client), "seat": seat, "subject": subject})
        assert answer.status_code in NO, seat
    patient = clients["patient"]
    answer = patient.post("/seats", data={"csrf": csrf(patient), "seat": "patient", "subject": "Patient/of-another"})
    assert answer.status_code in NO


def test_the_cookie_is_out_of_reach_and_signed_in_pages_are_not_stored(clients: dict[str, httpx.Client]) -> None:
    with httpx.Client(base_url=str(clients["researcher"].base_url), trust_env=False) as fresh:
        told = fresh.get("/sign-in").headers["set-cookie"].lower()
    assert "httponly" in told and "samesite=lax" in told and "path=/" in told and "domain" not in told
    for path in ("/inbox", "/seats", "/nothing"):
        headers = clients["researcher"].get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY" and "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "server" not in headers or not re.search(r"\d", headers["server"])


def test_no_page_is_shown_in_another_sites_frame(space: ConsoleSpace, page_as: PageAs) -> None:
    page = page_as("researcher")
    body = f'<iframe src="{space.url}/inbox" width=600 height=400></iframe>'
    page.context.route("http://evil.example/**", lambda route: route.fulfill(content_type="text/html", body=body))
    page.goto("http://evil.example/")
    page.wait_for_timeout(300)
    assert all("/inbox" not in frame.url or not frame.query_selector("h1") for frame in page.frames)


# --- roles and objects ----------------------------------------------------------------------------


@pytest.mark.parametrize("who", USERS)
def test_pages_and_deeds_of_other_roles_are_refused(clients: dict[str, httpx.Client], who: str) -> None:
    client, role = clients[who], SEAT_ROLES.get(who, who)
    token, tried = csrf(client), 0
    for route in (*routes(), *routes("act"), *routes("live")):
        if route.roles and route.roles != ANYBODY and role not in route.roles:
            tried += 1
            post = route.kind == "act"
            path = filled(route)
            answer = client.post(path, data={"csrf": token}) if post else client.get(path)
            assert answer.status_code in NO, (route.kind, path, answer.status_code)
    assert tried > 10


def test_nobody_gets_nothing(space: ConsoleSpace) -> None:
    with space.client() as client:
        client.get("/sign-in")
        for route in (*routes(), *routes("live")):
            if route.roles:
                answer = client.get(filled(route))
                assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in"), route.path
        for route in routes("act"):
            if route.roles:
                answer = client.post(filled(route), data={"csrf": "x"})
                assert answer.status_code in (303, 401, 403), route.path
                assert answer.status_code != 303 or answer.headers["location"].startswith("/sign-in"), route.path


@pytest.mark.parametrize(
    ("owner", "other"),
    [("researcher", STRANGER), ("ethics", OUTSIDER), ("patient", NEIGHBOUR), ("university", "county")],
)
def test_an_object_of_somebody_else_is_not_there(
    space: ConsoleSpace, screens: Callable[[str], tuple[Found, ...]], owner: str, other: str
) -> None:
    shared = {one.path for one in screens(other)}
    private = [
        one.path
        for one in screens(owner)
        if "{" in one.template and one.path not in shared and not one.path.startswith(EVERYBODYS)
    ]
    with space.client(other) as client:
        token = csrf(client)
        for path in private:
            answer = client.get(path)
            assert answer.status_code in NO, (path, answer.status_code)
            for route in routes("act"):
                below = _below(route.path, path)
                if below:
                    done = client.post(below, data={"csrf": token, "words": "x", "choice": "approve"})
                    assert done.status_code in (*NO, 422), (below, done.status_code)
    assert private or owner == "patient"


def _below(template: str, path: str) -> str:
    """A deed's path on the object of a page's path; "" where it is about something else."""
    want, have = template.split("/"), urlsplit(path).path.split("/")
    places = [at for at, part in enumerate(want) if part.startswith("{")]
    if len(places) != 1 or len(have) <= places[0] or want[: places[0]] != have[: places[0]]:
        return ""
    return "/".join([*want[: places[0]], have[places[0]], *want[places[0] + 1 :]])


# --- addresses and methods --------------------------------------------------------------------------


AWAY = ("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
        "/%09/evil.example", "https:evil.example", "/sign-in\r\nset-cookie: a=b", "http:///evil.example")  # fmt: skip


@pytest.mark.parametrize("away", AWAY)
def test_no_address_leads_away(space: ConsoleSpace, clients: dict[str, httpx.Client], away: str) -> None:
    with space.client() as client:
        page = client.get("/sign-in", params={"return_to": away})
        fields = {"csrf": token_of(page.text), "return_to": away}
        hidden = re.search(r'name="return_to" value="([^"]*)"', page.text)
        assert hidden is None or not hidden.group(1).startswith(("http", "//", "\\", "java"))
        sample = space.sample("clinic")
        answer = client.post("/sign-in", data=fields | {"name": sample.name, "password": sample.password})
        assert answer.status_code == 303
        _stays(answer)
        _stays(client.get("/language/zh", params={"return_to": away}))
        _stays(client.post("/preferences", data={"csrf": csrf(client), "language": "en", "return_to": away}))


def _stays(answer: httpx.Response) -> None:
    place = answer.headers["location"]
    assert place.startswith("/") and not place.startswith(("//", "/\\")), place
    assert "evil" not in urlsplit(place.replace("\\", "/")).netloc and "a" not in answer.cookies


def test_no_header_or_field_makes_another_method(clients: dict[str, httpx.Client]) -> None:
    client = clients["researcher"]
    for headers in ({"x-http-method-override": "POST"}, {"x-method-override": "POST"}, {"x-http-method": "POST"}):
        answer = client.get("/preferences", params={"_method": "POST", "theme": "dark"}, headers=headers)
        assert answer.status_code in (404, 405)
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT"):
        assert client.request(method, "/inbox").status_code >= 400


@pytest.mark.parametrize(
    "path",
    ["/assets/../main.py", "/assets/%2e%2e/%2e%2e/settings.py", "/assets/x/xinglin.css", "/assets//etc/passwd",
     "/assets/%00", "/assets/..%2f..%2fpeople.key", "/console.toml", "/.git/config", "/samples.json"],
)  # fmt: skip
def test_no_path_leaves_the_assets(clients: dict[str, httpx.Client], path: str) -> None:
    url = urlsplit(str(clients["researcher"].base_url))
    with socket.create_connection((url.hostname, url.port), timeout=10) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n".encode())
        head = line.makefile("rb").read(2000)
    status = int(head.split()[1])
    assert status in (303, 400, 404), (path, status)
    assert b"root:" not in head and b"docstring" not in head and b"password" not in head.lower().split(b"\r\n\r\n")[0]


# --- too much -------------------------------------------------------------------------------------


def test_a_form_that_is_too_large_is_refused(clients: dict[str, httpx.Client]) -> None:
    client = clients["researcher"]
    token = csrf(client)
    huge = b"csrf=" + token.encode() + b"&theme=" + b"x" * (3 * 1024 * 1024)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    place = str(client.base_url).rstrip("/") + "/preferences"
    with contextlib.suppress(httpx.TransportError):  # the line may be cut before all of it was sent
        cut = httpx.post(place, content=huge, headers=headers, cookies=client.cookies, trust_env=False, timeout=60)
        assert cut.status_code in (400, 409, 413)
    many = "&".join(f"f{n}=1" for n in range(5_000)).encode()
    assert client.post("/preferences", content=many, headers=headers).status_code in (400, 403)
    with contextlib.suppress(httpx.TransportError):
        parts = (b"x" * 65536 for _ in range(64))
        cut = httpx.post(place, content=parts, headers=headers, cookies=client.cookies, trust_env=False, timeout=60)
        assert cut.status_code in (400, 403, 409, 413)
    assert client.get("/inbox").status_code == 200


def test_slow_forms_keep_nobody_else_waiting(space: ConsoleSpace, clients: dict[str, httpx.Client]) -> None:
    url = urlsplit(space.url)
    slow = [socket.create_connection((url.hostname, url.port), timeout=10) for _ in range(50)]
    try:
        for one in slow:
            one.sendall(f"POST /sign-in HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 100\r\n".encode())
        began = time.monotonic()
        assert clients["researcher"].get("/inbox").status_code == 200
        assert time.monotonic() - began < 20
    finally:
        for one in slow:
            one.close()


def test_one_account_with_live_parts_without_end_holds_up_neither_others_nor_pages(
    space: ConsoleSpace, clients: dict[str, httpx.Client]
) -> None:
    with space.client("tour") as greedy, contextlib.ExitStack() as opened:
        answers = [opened.enter_context(greedy.stream("GET", "/pulse")) for _ in range(OF_ONE.value)]
        parts = [one.iter_raw() for one in answers]  # kept: a stream is closed with what reads it
        assert all(b"data:" in next(one) for one in parts)
        assert greedy.get("/pulse").status_code == 429
        assert greedy.get("/inbox").status_code == 200 and clients["researcher"].get("/inbox").status_code == 200
        with clients["operator"].stream("GET", "/pulse") as other:
            assert other.status_code == 200 and b"data:" in next(other.iter_raw())
        greedy.post("/sign-out", data={"csrf": csrf(greedy)})
        for one in parts:  # each was signed in by the session that is over
            with contextlib.suppress(httpx.TransportError):
                assert len(list(one)) < 10


def test_a_flood_of_sign_in_forms_ends_nobody_s(space: ConsoleSpace) -> None:
    sample = space.sample("clinic")
    with space.client() as mine, space.client() as flood:
        token = token_of(mine.get("/sign-in").text)
        for _ in range(300):
            flood.cookies.clear()
            assert flood.get("/sign-in").status_code == 200
        fields = {"csrf": token, "name": sample.name, "password": sample.password}
        assert mine.post("/sign-in", data=fields).status_code == 303
        assert mine.get("/inbox").status_code == 200
