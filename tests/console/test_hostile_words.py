"""Words that want to be markup: in titles, descriptions, names, filters, addresses and errors; none ever is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import lxml.html
import msgspec
import pytest
from msgspec.structs import replace
from tests.console.conftest import PageAs
from tests.console.console_space import HOSTILE, MARK, ConsoleSpace
from tests.console.crawl import routes, screens_of
from tests.console.test_security import filled

from xinglin.catalogue.entry import Listing
from xinglin.cli.demo_people import COMMITTEE, MEMBERS
from xinglin.cli.demo_waiting import form_of
from xinglin.sdk.access import Access
from xinglin.stores.desk import ask_desk
from xinglin.wire.desk import DeskCall

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]

IN_URL = f"""'"><img src=x onerror={MARK}()><script>{MARK}()</script>"""
ROLES = ("", "researcher", "university", "ethics", "operator", "regulator", "patient")
GREETS = """() => { window.pwned = () => { document.title = "PWNED" } }"""


@pytest.fixture(scope="module")
def spoken(space: ConsoleSpace) -> ConsoleSpace:
    """A researcher whose study is called so, a chair who sets such a condition, a hospital that describes so."""
    demo, access = space.demo, Access(space.sdk)
    form = form_of(demo, HOSTILE)
    project = replace(form.project, summary=HOSTILE, plain_summary=HOSTILE, benefit=HOSTILE, funding=HOSTILE)
    data = replace(form.data, justification=HOSTILE)
    form = replace(form, project=project, data=data, outputs=replace(form.outputs, publication=HOSTILE))
    waiting = access.apply(form).application.id
    ask_desk(space.local.hub_folder, DeskCall("access-ask", {"id": waiting, "text": HOSTILE}))
    second = replace(form, project=replace(project, title=HOSTILE + "2"))
    accepted = access.apply(second).application.id
    ask_desk(space.local.hub_folder, DeskCall("access-accept", {"id": accepted}))
    chair = space.people.access(MEMBERS[0])
    motion = chair.put(accepted, COMMITTEE, conditions=(HOSTILE,)).motion
    for person in MEMBERS:
        space.people.access(person).vote(motion, "approve", HOSTILE)
    chair.resolve(motion, HOSTILE)
    access.offer(accepted)
    listing = Listing(demo.data_set, words=HOSTILE, keywords=(HOSTILE[:60],))
    told = {"listing": msgspec.json.encode(listing).decode()}
    ask_desk(space.local.node_folder("county"), DeskCall("list", told))
    return space


def live(text: str) -> list[str]:
    """What of a page would run, or came from a hostile text as markup."""
    tree: Any = lxml.html.document_fromstring(text)
    found = []
    for one in tree.iter():
        if isinstance(one.tag, str):
            found += [f"{one.tag} {key}" for key in one.attrib if key.startswith("on")]
            found += [f"script {one.text}" for _ in [0] if one.tag == "script" and MARK in (one.text or "")]
            found += [f"{one.tag} to {one.get('src')}" for _ in [0] if one.get("src") == "x"]
            found += [
                f"{one.tag} {key}" for key, to in one.attrib.items() if to.strip().lower().startswith("javascript:")
            ]
    return found


def test_the_rule_sees_markup() -> None:
    assert len(live(f"<html><body>{HOSTILE}</body></html>")) >= 3
    assert live("<html><body><a href='javascript:x()'>x</a></body></html>")
    assert not live(f"<html><body><p title='{MARK}()'>&lt;img src=x onerror={MARK}()&gt;</p></body></html>")


@pytest.mark.parametrize("who", ROLES)
def test_stored_words_stay_words(spoken: ConsoleSpace, page_as: PageAs, who: str) -> None:
    until = time.monotonic() + 60
    while True:  # titles of studies are kept for twenty seconds
        seen = 0
        found = screens_of(spoken, who)
        with spoken.client(who) as client:
            for one in found:
                text = client.get(one.path).text
                assert live(text) == [], one.path
                assert "49$" not in text and "$49" not in text, one.path
                seen += MARK in text
        if seen or who in ("patient", "regulator") or time.monotonic() > until:
            break
        time.sleep(2)
    assert seen or who in ("patient", "regulator"), "the hostile words are on no page: nothing was looked at"
    page = page_as(who)
    page.add_init_script(f"({GREETS})()")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for one in [one for one in found if "{" in one.template or one.path == "/inbox"][:8]:
        page.goto(one.path)
        assert page.title() != "PWNED" and not dialogs, one.path


@pytest.fixture(scope="module")
def addresses() -> Iterator[list[tuple[str, str]]]:
    """Every screen with hostile words in its places and behind its question mark: path, roles."""
    query = urlencode(dict.fromkeys(("q", "order", "page", "state", "text", "return_to", "study", "as"), IN_URL))
    found = []
    for route in routes():
        if "institution" in route.path:
            continue
        found.append((f"{filled(route, quote(IN_URL, safe=''))}?{query}", ",".join(route.roles)))
    yield found


@pytest.mark.parametrize("who", ROLES)
def test_words_of_an_address_stay_words(space: ConsoleSpace, addresses: list[tuple[str, str]], who: str) -> None:
    role = space.sample(who).role if who else ""
    with space.client(who) as client:
        for path, roles in addresses:
            if roles and "*" not in roles and role not in roles.split(","):
                continue
            answer = client.get(path)
            assert answer.status_code != 500, (path, answer.text[-500:], space.records())
            if answer.headers.get("content-type", "").startswith("text/html") and answer.text.strip():
                assert live(answer.text) == [], path
            assert MARK not in answer.headers.get("location", "").partition("?")[0] or answer.status_code == 303


def test_words_of_a_form_stay_words(space: ConsoleSpace) -> None:
    from tests.console.console_space import token_of

    with space.client() as client:
        token = token_of(client.get("/sign-in").text)
        answer = client.post("/sign-in", data={"csrf": token, "name": IN_URL, "password": IN_URL})
        assert live(answer.text) == []
