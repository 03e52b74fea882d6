"""Doors: a stolen token, a stolen proof, a wrong clock, a widened exchange; and vectors of the RFCs."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import OKPKey
from tests.unit.trust.conftest import Space, fixed_entropy

from xinglin.kernel import Denied, Limit, LimitExceeded, MalformedMessage
from xinglin.trust import (
    Door,
    DoorKey,
    DoorPass,
    InMemoryReplayStore,
    KeyDirectory,
    Signed,
    check_door_token,
    exchange_door_token,
    grant_door_token,
    issue_credential,
    issue_door_token,
    prove,
    request_door_token,
    revoke,
)
from xinglin.trust.dpop import request_target, token_hash
from xinglin.trust.jose import thumbprint

NOW = 1_800_000_000_500
URL = "https://hub.example/runs"
KEY, THIEF = DoorKey(b"\x01" * 32), DoorKey(b"\x02" * 32)
SCOPE = frozenset({"catalogue:read", "run:submit"})


def minted(space: Space, **changes: Any) -> str:
    arguments: dict[str, Any] = {
        "subject": space.researcher.did, "audience": (space.operator.did, space.other.did), "scope": SCOPE,
        "jkt": KEY.thumbprint, "now": NOW,
    }  # fmt: skip
    by = changes.pop("by", space.operator)
    return issue_door_token(by, **{**arguments, **changes})


def at_door(space: Space, token: str, proof: str | None = None, **changes: Any) -> DoorPass | Denied:
    now = changes.get("now", NOW)
    arguments: dict[str, Any] = {
        "door": Door(space.operator.did, frozenset({space.operator.did})), "method": "POST", "url": URL,
        "needs": frozenset({"run:submit"}), "directory": space.directory, "replay": InMemoryReplayStore(), "now": now,
    }  # fmt: skip
    shown = prove(KEY, "POST", URL, token, now=now) if proof is None else proof
    return check_door_token(token, shown, **{**arguments, **changes})


def code(answer: object) -> str:
    assert isinstance(answer, Denied), "accepted what must be refused"
    assert len(answer.codes) == 1
    return answer.codes[0].removeprefix("trust.door.")


def test_the_right_key_opens_the_door(space: Space) -> None:
    held = at_door(space, minted(space))
    assert isinstance(held, DoorPass), held
    assert held.subject == space.researcher.did
    assert held.scope == SCOPE
    assert held.expires == NOW // 1000 * 1000 + 300_000


def test_rfc_vectors() -> None:
    # RFC 9449 §4.1 and §7.1: access token and its ath; RFC 8037 A.3: thumbprint.
    assert token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU") == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_stolen_token_is_worth_nothing(space: Space) -> None:
    token = minted(space)
    assert code(at_door(space, token, prove(THIEF, "POST", URL, token, now=NOW))) == "other_key"
    assert code(at_door(space, token, "")) == "malformed"
    assert code(at_door(space, token, token)) == "malformed"


def test_a_stolen_proof_is_worth_nothing(space: Space) -> None:
    token = minted(space)
    for method, url in (("GET", URL), ("POST", URL + "/1"), ("POST", "https://peer.example/runs"),
                        ("POST", "http://hub.example/runs"), ("POST", "https://hub.example:444/runs")):  # fmt: skip
        assert code(at_door(space, token, prove(KEY, method, url, token, now=NOW))) == "other_request"
    assert code(at_door(space, token, prove(KEY, "POST", URL, minted(space), now=NOW))) == "other_token"


def test_a_replayed_proof_is_refused_even_once(space: Space) -> None:
    token, replay = minted(space), InMemoryReplayStore()
    proof = prove(KEY, "POST", URL, token, now=NOW)
    assert isinstance(at_door(space, token, proof, replay=replay), DoorPass)
    assert code(at_door(space, token, proof, replay=replay)) == "replayed"
    # For as long as its clock is accepted; later the clock refuses it.
    for late in (1000, 30_000, 60_000):
        assert code(at_door(space, token, proof, replay=replay, now=NOW + late)) == "replayed"
    for late in (61_000, 200_000):
        assert code(at_door(space, token, proof, replay=replay, now=NOW + late)) == "clock"
    assert isinstance(at_door(space, token, replay=replay), DoorPass)


def test_a_proof_ahead_of_the_clock_is_remembered_until_it_is_stale(space: Space) -> None:
    token, replay = minted(space), InMemoryReplayStore()
    proof = prove(KEY, "POST", URL, token, now=NOW + 60_000)
    assert isinstance(at_door(space, token, proof, replay=replay), DoorPass)
    for late in range(0, 122_000, 1000):
        assert code(at_door(space, token, proof, replay=replay, now=NOW + late)) in ("replayed", "clock")


def test_a_refused_request_burns_no_id(space: Space) -> None:
    token, replay = minted(space), InMemoryReplayStore()
    proof = prove(KEY, "POST", URL, token, now=NOW)
    assert code(at_door(space, token, proof, replay=replay, needs=frozenset({"admin"}))) == "scope"
    assert code(at_door(space, token, proof, replay=replay, url=URL + "/x")) == "other_request"
    assert isinstance(at_door(space, token, proof, replay=replay), DoorPass)


def test_the_id_of_one_key_does_not_burn_that_of_another(space: Space) -> None:
    replay = InMemoryReplayStore()
    mine, theirs = minted(space), minted(space, jkt=THIEF.thumbprint)

    def same(size: int) -> bytes:
        return b"\x07" * size

    stolen_id = prove(THIEF, "POST", URL, theirs, now=NOW, entropy=same)
    assert isinstance(at_door(space, theirs, stolen_id, replay=replay), DoorPass)
    proof = prove(KEY, "POST", URL, mine, now=NOW, entropy=same)
    assert isinstance(at_door(space, mine, proof, replay=replay), DoorPass)


@pytest.mark.parametrize(("off_ms", "opens"), [(0, True), (60_000, True), (-60_000, True), (61_000, False),
                                               (-61_000, False), (300_000, False), (-300_000, False)])  # fmt: skip
def test_a_clock_five_minutes_off_is_named(space: Space, off_ms: int, opens: bool) -> None:
    token = minted(space)
    answer = at_door(space, token, prove(KEY, "POST", URL, token, now=NOW + off_ms))
    if opens:
        assert isinstance(answer, DoorPass), answer
    else:
        assert code(answer) == "clock"
        assert "clock" in answer.reasons[0].remedy


def test_a_token_ends_after_five_minutes(space: Space) -> None:
    token = minted(space)
    assert isinstance(at_door(space, token, now=NOW + 299_000), DoorPass)
    assert code(at_door(space, token, now=NOW + 300_000)) == "expired"
    assert code(at_door(space, token, now=NOW - 120_000)) == "not_yet_valid"
    with pytest.raises(LimitExceeded):
        minted(space, lifetime_s=301)


def test_a_token_that_gives_itself_longer_is_refused(space: Space) -> None:
    claims = json.loads(base64.urlsafe_b64decode(minted(space).split(".")[1] + "=="))
    claims["exp"] += 1
    token = resigned(space, claims)
    assert code(at_door(space, token)) == "expired"


def resigned(space: Space, claims: dict[str, Any], **members: str) -> str:
    seeds = space.operator.seeds.ed25519
    x = base64.urlsafe_b64encode(space.operator.public.ed25519).rstrip(b"=").decode()
    d = base64.urlsafe_b64encode(seeds).rstrip(b"=").decode()
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x, "d": d})
    header = {"alg": "Ed25519", "typ": "at+jwt", "kid": f"{space.operator.did}#ed25519", **members}
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=["Ed25519"])


def test_the_newer_name_of_the_algorithm_is_read(space: Space) -> None:
    claims = json.loads(base64.urlsafe_b64decode(minted(space).split(".")[1] + "=="))
    assert isinstance(at_door(space, resigned(space, claims)), DoorPass)
    assert code(at_door(space, resigned(space, claims, typ="JWT"))) == "malformed"
    assert code(at_door(space, resigned(space, claims, kid=f"{space.other.did}#ed25519"))) == "malformed"
    assert code(at_door(space, resigned(space, {**claims, "admin": True}))) == "malformed"


def test_other_doors_issuers_and_scopes(space: Space) -> None:
    token = minted(space)
    elsewhere = Door(space.hospital.did, frozenset({space.operator.did}))
    assert code(at_door(space, token, door=elsewhere)) == "audience"
    assert code(at_door(space, token, needs=frozenset({"run:submit", "admin"}))) == "scope"
    assert code(at_door(space, minted(space, by=space.hospital))) == "untrusted_issuer"
    impostor = space.hospital.for_did(space.operator.did)
    assert code(at_door(space, minted(space, by=impostor))) == "trust.bad_signature"
    head, body, signature = token.split(".")
    wider = json.loads(base64.urlsafe_b64decode(body + "=="))
    wider["scope"] += " admin"
    forged = base64.urlsafe_b64encode(json.dumps(wider).encode()).rstrip(b"=").decode()
    assert code(at_door(space, f"{head}.{forged}.{signature}")) == "trust.bad_signature"


def test_a_revoked_participant_stays_outside_although_the_token_lives(space: Space) -> None:
    after = space.directory.apply(9, revoke(space.researcher.did, "left", space.hospital))
    assert isinstance(after, KeyDirectory)
    assert code(at_door(space, minted(space), directory=after)) == "trust.revoked"


def test_a_low_order_proof_key_is_refused(space: Space) -> None:
    # y = 1: R = identity, S = 0 verifies for every proof, so anybody could show this key.
    x = base64.urlsafe_b64encode(b"\x01" + bytes(31)).rstrip(b"=").decode()
    header = {"alg": "EdDSA", "typ": "dpop+jwt", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}
    token = minted(space, jkt=thumbprint(b"\x01" + bytes(31)))
    claims = {"jti": "a" * 22, "htm": "POST", "htu": URL, "iat": NOW // 1000, "ath": token_hash(token)}
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), b"\x01" + bytes(63)]
    proof = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    assert code(at_door(space, token, proof)) == "trust.weak_key"


def test_a_proof_that_shows_a_private_key_is_refused(space: Space) -> None:
    token = minted(space)
    head, body, signature = prove(KEY, "POST", URL, token, now=NOW).split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    header["jwk"]["d"] = "AAAA"
    shown = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    assert code(at_door(space, token, f"{shown}.{body}.{signature}")) == "malformed"


def test_a_credential_opens_no_door(space: Space) -> None:
    credential = issue_credential(
        space.operator, credential_id="urn:1", kind="Membership", subject=space.researcher.did, claims={},
        valid_from=NOW - 1, valid_until=NOW + 1,
    )  # fmt: skip
    assert code(at_door(space, credential.jwt)) == "malformed"


def test_a_full_replay_store_shuts_the_door(space: Space) -> None:
    token, replay = minted(space), InMemoryReplayStore(Limit("ids", 1, "ids"))
    assert isinstance(at_door(space, token, replay=replay), DoorPass)
    assert code(at_door(space, token, replay=replay)) == "limit"


def test_an_exchange_narrows(space: Space) -> None:
    held = at_door(space, minted(space))
    assert isinstance(held, DoorPass)
    later = NOW + 100_000
    narrow = exchange_door_token(
        space.operator, held, audience=(space.other.did,), scope=frozenset({"catalogue:read"}), now=later
    )
    assert isinstance(narrow, str)
    peer = Door(space.other.did, frozenset({space.operator.did}))
    there = at_door(space, narrow, door=peer, needs=frozenset({"catalogue:read"}), now=later)
    assert isinstance(there, DoorPass), there
    assert there.expires == held.expires
    assert code(at_door(space, narrow, door=peer, needs=frozenset({"run:submit"}), now=later)) == "scope"
    assert code(at_door(space, narrow, needs=frozenset(), now=later)) == "audience"
    assert code(at_door(space, narrow, prove(THIEF, "POST", URL, narrow, now=later), door=peer, needs=frozenset(),
                        now=later)) == "other_key"  # fmt: skip


def test_an_exchange_never_widens(space: Space) -> None:
    narrow = at_door(space, minted(space, scope=frozenset({"run:submit"}), audience=(space.operator.did,)))
    assert isinstance(narrow, DoorPass)

    def exchanged(**changes: Any) -> str | Denied:
        arguments: dict[str, Any] = {"audience": (space.operator.did,), "scope": frozenset({"run:submit"}), "now": NOW}
        return exchange_door_token(changes.pop("by", space.operator), narrow, **{**arguments, **changes})

    assert isinstance(exchanged(), str)
    assert code(exchanged(scope=SCOPE)) == "widened"
    assert code(exchanged(scope=frozenset({"run:submit2"}))) == "widened"
    assert code(exchanged(scope=frozenset({"run:submit catalogue:read"}))) == "widened"
    assert code(exchanged(audience=(space.operator.did, space.other.did))) == "widened"
    assert code(exchanged(scope=frozenset())) == "malformed"
    assert code(exchanged(audience=())) == "malformed"
    assert code(exchanged(by=space.hospital)) == "other_issuer"
    assert code(exchanged(now=NOW + 300_000)) == "expired"


@pytest.mark.parametrize(
    "changes",
    [{"scope": frozenset({"a b"})}, {"scope": frozenset({'a"'})}, {"scope": frozenset()}, {"audience": ()},
     {"audience": ("hub",)}, {"jkt": ""}, {"jkt": "a" * 42}, {"subject": "researcher"}],
)  # fmt: skip
def test_a_misshapen_token_is_not_issued(space: Space, changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        minted(space, **changes)


def test_one_scope_more_than_the_limit_is_refused(space: Space) -> None:
    minted(space, scope=frozenset(f"s{n}" for n in range(64)))
    with pytest.raises(LimitExceeded):
        minted(space, scope=frozenset(f"s{n}" for n in range(65)))


def granted(space: Space, signed: Signed, **changes: Any) -> str | Denied:
    arguments: dict[str, Any] = {
        "directory": space.directory, "audiences": frozenset({space.operator.did, space.other.did}),
        "allowed": SCOPE, "replay": InMemoryReplayStore(), "now": NOW,
    }  # fmt: skip
    return grant_door_token(changes.pop("by", space.operator), signed, **{**arguments, **changes})


def wish(space: Space, **changes: Any) -> Signed:
    arguments: dict[str, Any] = {
        "issuer": space.operator.did, "audience": (space.operator.did,), "scope": frozenset({"run:submit"}), "now": NOW,
    }  # fmt: skip
    by = changes.pop("by", space.researcher)
    return request_door_token(by, KEY, **{**arguments, **changes})


def test_a_signed_wish_gives_a_token_once(space: Space) -> None:
    replay, signed = InMemoryReplayStore(), wish(space)
    token = granted(space, signed, replay=replay)
    assert isinstance(token, str)
    held = at_door(space, token)
    assert isinstance(held, DoorPass)
    assert held.subject == space.researcher.did
    assert code(granted(space, signed, replay=replay)) == "replayed"


def test_a_wish_asks_for_no_more_than_its_signer_may_have(space: Space) -> None:
    assert code(granted(space, wish(space, scope=frozenset({"admin"})))) == "widened"
    assert code(granted(space, wish(space, audience=(space.hospital.did,)))) == "widened"
    assert code(granted(space, wish(space, issuer=space.other.did))) == "other_issuer"
    assert code(granted(space, wish(space, scope=frozenset()))) == "malformed"
    for off in (-61_000, 61_000, 300_000):
        assert code(granted(space, wish(space, now=NOW + off))) == "clock"
    stolen = msgspec.structs.replace(wish(space), signer=space.other.did)
    assert code(granted(space, stolen)) == "trust.bad_signature"
    elsewhere = msgspec.structs.replace(wish(space), context="use-request")
    assert code(granted(space, elsewhere)) == "trust.wrong_context"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Hub.Example/a?b=c#d", "https://hub.example/a"),
        ("HTTPS://hub.example:443", "https://hub.example/"),
        ("http://hub.example:80/a/", "http://hub.example/a/"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
    ],
)
def test_request_targets(url: str, target: str) -> None:
    assert request_target(url) == target


@pytest.mark.parametrize("url", ["", "hub.example/a", "ftp://a/b", "https://", "https://u@h/", "https://h:99999/",
                                 "https://[::1/", "https://h:x/"])  # fmt: skip
def test_misshapen_urls_are_refused(url: str) -> None:
    with pytest.raises(MalformedMessage):
        request_target(url)


def test_door_keys_are_made_from_entropy_and_stay_hidden() -> None:
    key = DoorKey.generate(fixed_entropy("door"))
    assert key.thumbprint == DoorKey.generate(fixed_entropy("door")).thumbprint
    assert repr(key) == f"DoorKey({key.thumbprint})"
