"""What an open session that was stolen cannot do: grave deeds ask for a fresh proof, and keep the form until then."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.console.hall import Hall

from xinglin.console.app import discovered
from xinglin.console.errors import BadField
from xinglin.console.visit import FIELD_CHARACTERS, Form

GRAVE = {
    "/agreements/{agreement:str}/approve", "/agreements/{agreement:str}/change", "/approvals/{approval:str}/revoke",
    "/budgets/{data_set:str}/cap", "/hub/applications/{application:str}/decide", "/hub/federation",
    "/hub/products/withdraw", "/links/{number:str}/unlink", "/motions/{motion:str}/resolve",
    "/motions/{motion:str}/vote", "/oversight/freeze", "/oversight/participants/{did:str}/revoke", "/oversight/policy",
    "/oversight/withdraw", "/participants/invite", "/policy/proposals/{proposal:str}/confirm", "/quality/drift",
    "/reviews/{held:str}/{run:str}/vote", "/account/code/remove", "/account/recovery",
    "/account/passkeys/{key:str}/remove",
}  # fmt: skip
PASSWORD = "correct horse battery staple apricot"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
ELEVEN_MINUTES_MS = 11 * 60_000


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    hall = Hall(tmp_path, "regulator", "operator")
    yield hall
    hall.close()


def test_grave_deeds_ask_for_a_fresh_proof() -> None:
    acts = {one.path: one.fresh_s for one in discovered()[1] if one.kind == "act"}
    assert {path for path, fresh_s in acts.items() if 0 < fresh_s <= 600} >= GRAVE
    assert set(acts) >= GRAVE


def grow_old(hall: Hall, who: str) -> str:
    """The person's proof is eleven minutes old; the session's token."""
    token, sessions = hall._tokens[who], hall.console.people.sessions
    sessions.change(token, lambda one: msgspec.structs.replace(one, proved=one.proved - ELEVEN_MINUTES_MS))
    return token


def sent(hall: Hall, token: str, path: str, fields: dict[str, Any]) -> Any:
    hall.client.cookies.clear()
    headers = {
        "accept": "text/html",
        "cookie": f"xinglin_session={token}",
        "referer": "http://127.0.0.1:8480/oversight",
    }
    return hall.client.post(path, data=fields, headers=headers, follow_redirects=False)


def hidden(page: str, action: str) -> dict[str, str]:
    (form,) = re.findall(rf'<form method="post" action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    return {html.unescape(name): html.unescape(value) for name, value in HIDDEN.findall(form)}


def test_an_old_proof_does_nothing_and_the_form_comes_back_filled_in(hall: Hall) -> None:
    did, nasty = hall.hub.nodes["north"].did, '"><script>x</script>'
    token = grow_old(hall, "regulator")
    session = hall.console.people.session(token)
    assert session is not None
    fields = {"csrf": session.csrf, "subject": did, "words": nasty}
    asked = sent(hall, token, "/oversight/freeze", fields)
    assert asked.status_code == 403 and nasty not in asked.text
    book = hall.console.lines.book(hall.console.seats["regulator"].folder)
    assert book.search(kind="freeze").found == ()
    form = hidden(asked.text, "/account/prove")
    assert form["then"] == "/oversight/freeze" and session.csrf not in form["kept"]

    wrong = sent(hall, token, "/account/prove", form | {"secret": "wrong"})
    assert wrong.status_code == 401 and hidden(wrong.text, "/account/prove")["kept"] == form["kept"]

    proved = sent(hall, token, "/account/prove", form | {"secret": PASSWORD})
    assert proved.status_code == 200 and nasty not in proved.text
    fresh = proved.headers["set-cookie"].partition("xinglin_session=")[2].partition(";")[0]
    kept = hidden(proved.text, "/oversight/freeze")
    assert (kept["subject"], kept["words"]) == (did, nasty) and fresh != token
    renewed = hall.console.people.session(fresh)
    assert renewed is not None and kept["csrf"] == renewed.csrf
    assert hall.console.people.session(token) is None
    assert book.search(kind="freeze").found == ()  # proving alone does nothing


@pytest.mark.parametrize("then", ["https://evil.example/x", "//evil.example", "javascript:alert(1)", "\\\\evil"])
def test_what_was_kept_goes_to_this_console_alone(then: str, hall: Hall) -> None:
    token = hall._tokens["regulator"]
    session = hall.console.people.session(token)
    assert session is not None
    kept = Form({"subject": ["x"]}).kept()
    fields = {"csrf": session.csrf, "secret": PASSWORD, "then": then, "kept": kept, "return_to": "/"}
    page = sent(hall, token, "/account/prove", fields).text
    assert "evil" not in page and "javascript:" not in page


def test_a_form_is_kept_without_its_token_and_within_bounds() -> None:
    form = Form({"csrf": ["secret"], "a": ["1", "2"], "b": ["中文\n"]})
    assert Form.fields_kept(form.kept()) == (("a", "1"), ("a", "2"), ("b", "中文\n"))
    assert Form({"a": ["x" * FIELD_CHARACTERS.value]}).kept() == ""
    for bad in ("", "[]", '{"a": 1}', "{" * 2_000):
        with pytest.raises(BadField):
            Form.fields_kept(bad)
    assert Form.fields_kept('{"csrf": ["mine"]}') == ()
