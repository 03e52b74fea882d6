"""Backend authorisation at a workspace's door: who gets a token, for how long, and what it opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from msgspec.structs import replace

from xinglin.feeds.fhir_session import BackendService, client_assertion, public_key_set
from xinglin.sdk.workspace import tokens as rooms
from xinglin.sdk.workspace.clients import CLIENTS, KEYS, Client, Clients, keys_of
from xinglin.sdk.workspace.tokens import ASSERTION_LIFE_S, ASSERTION_TYPE, TOKEN_S, Given, NotGiven, Tokens
from xinglin.wire.errors import Refused

URL = "https://workspace.example/token"
NOW = 1_800_000_000_000
KEY = ECKey.generate_key("P-384", private=True)
PEM = KEY.as_pem(private=True).decode()
SHARED = OctKey.import_key("x" * 32)
RSA = RSAKey.generate_key(2048, private=True).as_pem(private=True).decode()


class Turned:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
def door(tmp_path: Path, clock: Turned) -> Tokens:
    clients = Clients(tmp_path)
    clients.enrol(Client("platform", "Platform", (*key_set(PEM, "ES384", "k1"), *key_set(RSA, "RS384", "k2"))))
    clients.enrol(Client("other", "Other", key_set(new_key(), "ES384", "k1")))
    return Tokens(clients, URL, clock)


def new_key() -> str:
    return ECKey.generate_key("P-384", private=True).as_pem(private=True).decode()


def key_set(pem: str, algorithm: str, kid: str) -> tuple[dict[str, Any], ...]:
    return tuple(public_key_set(pem, algorithm, kid)["keys"])


def form(assertion: str, scope: str = "system/*.read", **changes: str) -> dict[str, str]:
    found = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "scope": scope}
    return found | {"client_assertion": assertion} | changes


def asserted(
    pem: str = PEM, algorithm: Any = "ES384", kid: str = "k1", client: str = "platform", now: int = NOW
) -> str:
    return client_assertion(BackendService(client, URL, pem, kid, algorithm), now)


def claimed(**changes: Any) -> str:
    claims = {"iss": "platform", "sub": "platform", "aud": URL, "exp": NOW // 1000 + 60, "jti": "a" * 20} | changes
    return jwt.encode({"alg": "ES384", "kid": "k1"}, claims, KEY, algorithms=["ES384"])


@pytest.mark.parametrize(("pem", "algorithm", "kid"), [(PEM, "ES384", "k1"), (RSA, "RS384", "k2")])
def test_the_projects_own_client_gets_a_token(door: Tokens, pem: str, algorithm: str, kid: str) -> None:
    given = door.grant(form(asserted(pem, algorithm, kid)))
    assert isinstance(given, Given) and given.token_type == "bearer" and given.expires_in == TOKEN_S <= 300
    token = door.check(f"Bearer {given.access_token}")
    assert token is not None and token.client.id == "platform" and token.opens("Patient")


@pytest.mark.parametrize(
    "assertion",
    [
        "", "x.y.z", asserted(new_key()), asserted(kid="k3"), asserted(client="other"), asserted(client="nobody"),
        asserted(RSA, "RS384", "k1"), claimed(aud="https://elsewhere.example/token"), claimed(exp=NOW // 1000),
        claimed(exp=NOW // 1000 + ASSERTION_LIFE_S + 1), claimed(exp="soon"), claimed(jti=""), claimed(jti="x" * 257),
        claimed(iss="other"), claimed(sub="other"),
        jwt.encode({"alg": "HS256", "kid": "k1"}, {"iss": "platform"}, SHARED, algorithms=["HS256"]),
    ],
)  # fmt: skip
def test_who_does_not_prove_to_be_a_client_gets_none(door: Tokens, assertion: str) -> None:
    found = door.grant(form(assertion))
    assert isinstance(found, NotGiven) and (found.error, found.status) == ("invalid_client", 401)


def test_an_assertion_is_good_once(door: Tokens, clock: Turned) -> None:
    assertion = asserted()
    assert isinstance(door.grant(form(assertion)), Given)
    assert isinstance(door.grant(form(assertion)), NotGiven)
    clock.now += 1000
    assert isinstance(door.grant(form(asserted(now=clock.now))), Given)


@pytest.mark.parametrize("scope", ["", "system/*.write", "user/*.read", "system/*.*", "system/patient.read", "openid"])
def test_only_scopes_for_reading(door: Tokens, scope: str) -> None:
    found = door.grant(form(asserted(), scope))
    assert isinstance(found, NotGiven) and found.error == "invalid_scope"


def test_a_narrow_scope_opens_its_type_alone(door: Tokens) -> None:
    given = door.grant(form(asserted(), "system/Patient.rs"))
    assert isinstance(given, Given)
    token = door.check(f"bearer {given.access_token}")
    assert token is not None and token.opens("Patient") and not token.opens("Observation") and not token.opens("*")


def test_a_token_ends_by_time_and_with_its_client(door: Tokens, clock: Turned, tmp_path: Path) -> None:
    given = door.grant(form(asserted()))
    assert isinstance(given, Given)
    words = f"Bearer {given.access_token}"
    assert door.check(words) is not None and door.check("") is None and door.check("Basic x") is None
    clock.now += TOKEN_S * 1000
    assert door.check(words) is None
    again = door.grant(form(asserted(now=clock.now)))
    assert isinstance(again, Given) and door.check(f"Bearer {again.access_token}") is not None
    Clients(tmp_path).remove("platform")
    assert door.check(f"Bearer {again.access_token}") is None


def test_other_grants_and_one_token_more_than_the_limit(door: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    found = door.grant(form(asserted(), grant_type="password"))
    assert isinstance(found, NotGiven) and found.error == "unsupported_grant_type"
    monkeypatch.setattr(rooms, "TOKENS", replace(rooms.TOKENS, value=1))
    assert isinstance(door.grant(form(asserted())), Given)
    full = door.grant(form(asserted()))
    assert isinstance(full, NotGiven) and full.status == 503


def test_clients_register_public_keys_of_the_right_kinds(tmp_path: Path) -> None:
    clients = Clients(tmp_path)
    good = key_set(PEM, "ES384", "k1")
    private = {**KEY.as_dict(private=True), "kid": "k1"}
    weak = {**ECKey.generate_key("P-256", private=False).as_dict(), "kid": "k1"}
    for keys in ((), (private,), (weak,), ({"kty": "oct", "k": "x", "kid": "k"},), ({**good[0], "kid": 3},)):
        with pytest.raises(Refused):
            clients.enrol(Client("platform", "Platform", keys))
    for name in ("", "../x", "a b"):
        with pytest.raises(Refused):
            clients.enrol(Client(name, "Platform", good))
    assert not clients.every() and keys_of(b'{"keys": []}') == ()
    assert CLIENTS.value == 64 and KEYS.value == 8
