"""The institution's sign-in against an issuer that lies: each check has a test in which it alone is what holds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from tests.unit.console.people.conftest import HERE, NAME, START, HandedClock, signed_in

from xinglin.console.people.entrance import Entrance, issuer_of
from xinglin.console.people.errors import OutsideRefused
from xinglin.console.people.issuer import ANSWER_BYTES, Issuer
from xinglin.console.people.model import Step
from xinglin.console.people.outside import CALLBACK, Outside
from xinglin.console.people.totp import code_at
from xinglin.console.settings import ConsoleSettings
from xinglin.kernel.errors import LimitExceeded

ISSUER, CLIENT, SECRET = "https://id.example", "console", "a client's secret"
CONSOLE = "https://console.example"
SUBJECT = "employee-1027"
RSA = RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"}, private=True)
ELLIPTIC = ECKey.generate_key("P-256", {"kid": "e1", "use": "sig"}, private=True)


class LyingIssuer:
    """An issuer over HTTP in memory; a test changes what it says. It checks the verifier, as issuers do."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(
            {"alg": "RS256", "kid": "r1"}, claims, RSA
        )
        self.asked: dict[str, str] = {}
        self.auth = ""
        self.answer: httpx.Response | None = None
        self.keys: list[Any] = [RSA, ELLIPTIC]
        self.key_calls = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/.well-known/openid-configuration":
            found = {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/authorize",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
            }
            return httpx.Response(200, json=found | self.metadata)
        if path == "/keys":
            self.key_calls += 1
            return httpx.Response(200, json={"keys": [one.as_dict(private=False) for one in self.keys]})
        return self.answer or self.token(request)

    def token(self, request: httpx.Request) -> httpx.Response:
        form = {name: found[0] for name, found in parse_qs(request.content.decode()).items()}
        self.auth = request.headers.get("authorization", "")
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == self.asked["code_challenge"]
        assert (form["code"], form["redirect_uri"]) == ("the-code", CONSOLE + CALLBACK)
        claims = {
            "iss": ISSUER,
            "sub": SUBJECT,
            "aud": CLIENT,
            "exp": START // 1000 + 300,
            "iat": START // 1000,
            "nonce": self.asked["nonce"],
        }
        told = {name: value for name, value in (claims | self.says).items() if value is not None}
        return httpx.Response(200, json={"id_token": self.sign(told), "token_type": "Bearer", "access_token": "x"})


@pytest.fixture
def issuer() -> LyingIssuer:
    return LyingIssuer()


@pytest.fixture
def outside(people: Entrance, issuer: LyingIssuer, clock: HandedClock) -> Outside:
    people.accounts.bind(NAME, ISSUER, SUBJECT)
    http = httpx.Client(transport=httpx.MockTransport(issuer), trust_env=False)
    return Outside(people, Issuer(ISSUER, CLIENT, SECRET, http, clock), CONSOLE, clock)


def sent(outside: Outside, issuer: LyingIssuer, token: str, return_to: str = "/") -> dict[str, str]:
    """Begin; what the browser is sent away with."""
    address = urlsplit(outside.begin(token, return_to))
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{ISSUER}/authorize"
    issuer.asked = {name: found[0] for name, found in parse_qs(address.query).items()}
    return issuer.asked


def back(
    people: Entrance, outside: Outside, issuer: LyingIssuer, **given: str
) -> Step:  # fmt: skip
    """A whole way there and back, with ``given`` in the answer's place."""
    token = people.begin()
    asked = sent(outside, issuer, token)
    return outside.came_back(token, {"code": "the-code", "state": asked["state"]} | given, from_=HERE)


def refused(people: Entrance, outside: Outside, issuer: LyingIssuer, **given: str) -> str:
    with pytest.raises(OutsideRefused) as found:
        back(people, outside, issuer, **given)
    return found.value.reason


def test_whoever_signed_in_there_is_in_here(people: Entrance, outside: Outside, issuer: LyingIssuer) -> None:
    planted = people.begin()
    asked = sent(outside, issuer, planted, "/runs?state=done")
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == CONSOLE + CALLBACK
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    step = outside.came_back(planted, {"code": "the-code", "state": asked["state"]}, from_=HERE)
    assert (step.kind, step.return_to) == ("done", "/runs?state=done")
    session = people.session(step.token)
    assert session is not None and session.person.name == NAME and people.session(planted) is None
    assert issuer.auth == "Basic " + base64.b64encode(b"console:a%20client%27s%20secret").decode()
    assert not people.fresh(session, 3600), "the issuer did not tell when the person proved who they are"


def test_elliptic_keys_are_taken_too(people: Entrance, outside: Outside, issuer: LyingIssuer) -> None:
    issuer.sign = lambda claims: jwt.encode({"alg": "ES256", "kid": "e1"}, claims, ELLIPTIC)
    assert back(people, outside, issuer).kind == "done"


def test_a_second_factor_of_this_console_is_asked_for_all_the_same(
    people: Entrance, outside: Outside, issuer: LyingIssuer
) -> None:
    people.factors.enrol_unproved(people.accounts.needed(NAME).id)
    assert back(people, outside, issuer).kind == "needs_totp"


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": ISSUER + "/"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "another-client"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["another-client"]}, "aud"),
        ({"aud": [CLIENT, "another-client"]}, "aud"),
        ({"aud": [CLIENT, "another-client"], "azp": "another-client"}, "aud"),
        ({"azp": "another-client"}, "aud"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": 7}, "nonce"),
        ({"exp": START // 1000 - 61}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": "never"}, "exp"),
        ({"exp": True}, "exp"),
        ({"iat": START // 1000 + 61}, "exp"),
        ({"iat": None}, "exp"),
    ],
)
def test_a_token_for_another_time_place_or_sign_in_is_refused(
    people: Entrance, outside: Outside, issuer: LyingIssuer, says: dict[str, Any], reason: str
) -> None:
    issuer.says = says
    assert refused(people, outside, issuer) == reason


def text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unsigned(claims: dict[str, Any]) -> str:
    return ".".join(text_of(json.dumps(one).encode()) for one in ({"alg": "none"}, claims)) + "."


def by_public_key(claims: dict[str, Any]) -> str:
    """The oldest trick: the public key, which everybody has, as the secret of an HMAC."""
    parts = ".".join(text_of(json.dumps(one).encode()) for one in ({"alg": "HS256", "kid": "r1"}, claims))
    return f"{parts}.{text_of(hmac.digest(RSA.as_pem(private=False), parts.encode(), 'sha256'))}"


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        by_public_key,
        lambda claims: jwt.encode({"alg": "RS256", "kid": "r1"}, claims, OTHER),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "r9"}, claims, RSA),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "e1"}, claims, RSA),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "r1"}, claims, RSA)[:-4] + "AAAA",
        lambda claims: jwt.encode({"alg": "RS256", "kid": "r1", "jwk": OTHER.as_dict(private=False)}, claims, OTHER),
        lambda _: "not.a.token",
        lambda _: "",
    ],
    ids=["none", "hmac", "other key", "unknown key", "wrong kind", "bent", "own key inside", "nonsense", "empty"],
)
def test_only_the_issuer_s_signature_is_believed(
    people: Entrance, outside: Outside, issuer: LyingIssuer, sign: Callable[[dict[str, Any]], str]
) -> None:
    issuer.sign = sign
    assert refused(people, outside, issuer) == "signature"


def test_a_key_that_is_new_is_asked_for_once_and_not_at_every_token(
    people: Entrance, outside: Outside, issuer: LyingIssuer, clock: HandedClock
) -> None:
    assert back(people, outside, issuer).kind == "done"
    issuer.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "r9"}, claims, OTHER)
    for _ in range(3):
        refused(people, outside, issuer)
    assert issuer.key_calls == 1
    clock.forward(61)
    renewed = RSAKey.import_key(OTHER.as_dict(private=True) | {"kid": "r9"})
    issuer.keys = [renewed]
    assert back(people, outside, issuer).kind == "done" and issuer.key_calls == 2


def test_an_answer_belongs_to_the_browser_that_asked_and_is_taken_once(
    people: Entrance, outside: Outside, issuer: LyingIssuer
) -> None:
    assert refused(people, outside, issuer, state="another") == "state"
    assert refused(people, outside, issuer, state="") == "state"
    mine, theirs = people.begin(), people.begin()
    asked = sent(outside, issuer, theirs)
    given = {"code": "the-code", "state": asked["state"]}
    with pytest.raises(OutsideRefused, match="another sign-in"):
        outside.came_back(mine, given, from_=HERE)
    right = {"code": "the-code", "state": sent(outside, issuer, mine)["state"]}
    for wrong in (given, right):
        with pytest.raises(OutsideRefused, match="another sign-in"):
            outside.came_back(mine, wrong, from_=HERE)
            pytest.fail("the first answer, even wrong, is the only one")


def test_an_answer_of_another_issuer_is_refused(people: Entrance, outside: Outside, issuer: LyingIssuer) -> None:
    assert refused(people, outside, issuer, iss="https://evil.example") == "iss"
    assert back(people, outside, issuer, iss=ISSUER).kind == "done"


def test_an_issuer_that_names_itself_always_does(people: Entrance, outside: Outside, issuer: LyingIssuer) -> None:
    issuer.metadata = {"authorization_response_iss_parameter_supported": True}
    assert refused(people, outside, issuer) == "iss"


def test_metadata_of_another_issuer_is_refused(people: Entrance, outside: Outside, issuer: LyingIssuer) -> None:
    issuer.metadata = {"issuer": "https://evil.example"}
    assert refused(people, outside, issuer) == "iss"


@pytest.mark.parametrize("where", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_nothing_of_it_goes_in_the_clear(people: Entrance, outside: Outside, issuer: LyingIssuer, where: str) -> None:
    issuer.metadata = {where: "http://id.example/x"}
    assert refused(people, outside, issuer) == "address"


def test_an_error_there_lets_nobody_in(people: Entrance, outside: Outside, issuer: LyingIssuer) -> None:
    assert refused(people, outside, issuer, error="access_denied") == "refused_there"
    assert refused(people, outside, issuer, code="") == "refused_there"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": "invalid_grant"}),
        httpx.Response(302, headers={"location": "http://127.0.0.1/"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={"access_token": "x"}),
    ],
)
def test_another_answer_than_a_token_is_refused(
    people: Entrance, outside: Outside, issuer: LyingIssuer, answer: httpx.Response
) -> None:
    issuer.answer = answer
    assert refused(people, outside, issuer) == "answer"


def test_an_answer_without_end_is_not_read(people: Entrance, outside: Outside, issuer: LyingIssuer) -> None:
    issuer.answer = httpx.Response(200, content=b" " * (ANSWER_BYTES.value + 1))
    with pytest.raises(LimitExceeded):
        back(people, outside, issuer)


def test_a_subject_that_no_account_is_bound_to_is_let_in_nowhere(
    people: Entrance, outside: Outside, issuer: LyingIssuer
) -> None:
    for subject in ("employee-1028", "Employee-1027", NAME, "", 7, None):
        issuer.says = {"sub": subject}
        step = back(people, outside, issuer)
        assert (step.kind, step.code, step.token) == ("refused", "unknown_here", "")
    assert [one.name for one in people.accounts.everybody()] == [NAME]


def test_an_address_counts_only_where_the_issuer_verified_it(
    people: Entrance, issuer: LyingIssuer, clock: HandedClock
) -> None:
    people.accounts.bind(NAME, ISSUER, "li.wei@county.example")
    http = httpx.Client(transport=httpx.MockTransport(issuer), trust_env=False)
    outside = Outside(people, Issuer(ISSUER, CLIENT, "", http, clock), CONSOLE, clock, claim="email")
    issuer.says = {"email": "li.wei@county.example"}
    assert refused(people, outside, issuer) == "email"
    issuer.says = {"email": "li.wei@county.example", "email_verified": True}
    assert back(people, outside, issuer).kind == "done"


@pytest.mark.parametrize("planted", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_the_way_back_leads_nowhere_else(people: Entrance, outside: Outside, issuer: LyingIssuer, planted: str) -> None:
    token = people.begin()
    asked = sent(outside, issuer, token, planted)
    step = outside.came_back(token, {"code": "the-code", "state": asked["state"]}, from_=HERE)
    assert (step.kind, step.return_to) == ("done", "/")


def test_whoever_is_signed_in_proves_it_there_anew(
    people: Entrance, outside: Outside, issuer: LyingIssuer, clock: HandedClock
) -> None:
    token = signed_in(people)
    clock.forward(1000)
    issuer.says = {"exp": clock() // 1000 + 300}
    asked = sent(outside, issuer, token)
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    given = {"code": "the-code", "state": asked["state"]}
    with pytest.raises(OutsideRefused, match="anew"):
        outside.came_back(token, given, from_=HERE)
    issuer.says |= {"auth_time": clock() // 1000}
    asked = sent(outside, issuer, token, "/account/code")
    step = outside.came_back(token, given | {"state": asked["state"]}, from_=HERE)
    assert step.return_to == "/account/code"
    session = people.session(step.token)
    assert session is not None and people.fresh(session, 1) and people.session(token) is None


def test_a_sign_in_elsewhere_does_not_stand_for_the_second_factor(
    people: Entrance, outside: Outside, issuer: LyingIssuer, clock: HandedClock
) -> None:
    token = signed_in(people)
    token, _codes = people.confirm_totp(token, code_at(people.begin_totp(token), clock()))
    clock.forward(1000)
    issuer.says = {"exp": clock() // 1000 + 300, "auth_time": clock() // 1000}
    asked = sent(outside, issuer, token, "/account/code")
    with pytest.raises(OutsideRefused, match="second factor"):
        outside.came_back(token, {"code": "the-code", "state": asked["state"]}, from_=HERE)
    session = people.session(token)
    assert session is not None and not people.fresh(session, 600)


def test_nobody_proves_there_who_somebody_else_is(people: Entrance, outside: Outside, issuer: LyingIssuer) -> None:
    people.accounts.add("zhao", "Zhao (fictional)", "nine herons stand in line", people.accounts.needed(NAME).grants)
    token = signed_in(people, "zhao", "nine herons stand in line")
    issuer.says = {"auth_time": START // 1000}
    asked = sent(outside, issuer, token)
    with pytest.raises(OutsideRefused, match="Somebody else"):
        outside.came_back(token, {"code": "the-code", "state": asked["state"]}, from_=HERE)


def test_the_secret_is_read_from_its_file_and_an_issuer_in_the_clear_is_none(
    tmp_path: Path, clock: HandedClock
) -> None:
    settings = ConsoleSettings(oidc_issuer=ISSUER, oidc_client_id=CLIENT, oidc_client_secret_file="secret")
    with pytest.raises(OutsideRefused, match="cannot be read"):
        issuer_of(settings, tmp_path, clock)
    (tmp_path / "secret").write_text("word\n")
    assert issuer_of(settings, tmp_path, clock)._secret == "word"
    with pytest.raises(OutsideRefused, match="TLS"):
        issuer_of(ConsoleSettings(oidc_issuer="http://id.example"), tmp_path, clock)
