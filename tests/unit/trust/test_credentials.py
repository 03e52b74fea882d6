"""Credentials and status lists: every named reason, and forgeries that other verifiers fell for."""

from __future__ import annotations

import base64
import gzip
import json

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey
from tests.unit.trust.conftest import Space

from xinglin.kernel import Denied, LimitExceeded, MalformedMessage
from xinglin.trust import (
    Credential,
    KeyDirectory,
    PrivateKeys,
    PublishedStatusList,
    StatusEntry,
    StatusList,
    VerifiedCredential,
    issue_credential,
    issue_door_token,
    issue_status_list,
    open_status_list,
    revoke,
    verify_credential,
)

replace = msgspec.structs.replace
NOW = 1_800_000_000_000
DAY = 86_400_000
LIST = "https://hub.example/status/1"


def issued(space: Space, by: PrivateKeys | None = None, **changes: object) -> Credential:
    arguments: dict[str, object] = {
        "credential_id": "urn:uuid:1",
        "kind": "Membership",
        "subject": space.hospital.did,
        "claims": {"roles": ["provider"]},
        "valid_from": NOW - DAY,
        "valid_until": NOW + DAY,
        "status": StatusEntry(LIST, 77),
    }
    return issue_credential(by or space.operator, **{**arguments, **changes})


def published(space: Space, entries: StatusList | None = None, **changes: object) -> PublishedStatusList:
    arguments: dict[str, object] = {
        "list_id": LIST, "entries": entries or StatusList(), "valid_from": NOW - DAY, "valid_until": NOW + DAY,
    }  # fmt: skip
    made = issue_status_list(space.operator, **{**arguments, **changes})
    found = open_status_list(made, space.directory, issuers=frozenset({space.operator.did}), now=NOW)
    assert isinstance(found, PublishedStatusList), found
    return found


def judged(space: Space, credential: Credential, **changes: object) -> VerifiedCredential | Denied:
    arguments: dict[str, object] = {
        "kind": "Membership",
        "issuers": frozenset({space.operator.did}),
        "now": NOW,
        "lists": {LIST: published(space)},
        "subject": space.hospital.did,
    }
    return verify_credential(credential, space.directory, **{**arguments, **changes})


def codes(space: Space, credential: Credential, **changes: object) -> tuple[str, ...]:
    answer = judged(space, credential, **changes)
    assert isinstance(answer, Denied), "accepted what must be refused"
    return tuple(code.removeprefix("trust.credential.") for code in answer.codes)


def test_a_good_credential_says_what_was_said(space: Space) -> None:
    found = judged(space, issued(space))
    assert isinstance(found, VerifiedCredential), found
    assert (found.kind, found.issuer, found.subject) == ("Membership", space.operator.did, space.hospital.did)
    assert found.claims == {"roles": ["provider"]}
    assert (found.valid_from, found.valid_until) == (NOW - DAY, NOW + DAY)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_it_is_a_vc_2_jwt_that_a_plain_jose_library_verifies(space: Space) -> None:
    credential = issued(space)
    x = base64.urlsafe_b64encode(space.operator.public.ed25519).rstrip(b"=").decode()
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    token = jws.deserialize_compact(credential.jwt, key, algorithms=["EdDSA"])
    assert token.headers() == {
        "alg": "EdDSA", "typ": "vc+jwt", "cty": "vc", "kid": f"{space.operator.did}#ed25519",
    }  # fmt: skip
    document = json.loads(token.payload)
    assert document["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert document["type"] == ["VerifiableCredential", "Membership"]
    assert document["issuer"] == space.operator.did
    assert document["credentialSubject"] == {"id": space.hospital.did, "roles": ["provider"]}
    assert document["credentialStatus"] == {
        "id": f"{LIST}#77", "type": "BitstringStatusListEntry", "statusPurpose": "revocation",
        "statusListIndex": "77", "statusListCredential": LIST,
    }  # fmt: skip
    assert document["validFrom"].endswith("Z")


def test_time_kind_and_subject_each_have_their_reason(space: Space) -> None:
    credential = issued(space)
    lists = {LIST: published(space, valid_until=NOW + 9 * DAY)}
    assert codes(space, credential, now=NOW + DAY, lists=lists) == ("expired",)
    assert isinstance(judged(space, credential, now=NOW + DAY - 1, lists=lists), VerifiedCredential)
    assert codes(space, credential, now=NOW - DAY - 1) == ("not_yet_valid",)
    assert isinstance(judged(space, credential, now=NOW - DAY), VerifiedCredential)
    assert codes(space, credential, kind="Ethics") == ("wrong_kind",)
    assert codes(space, credential, subject=space.other.did) == ("wrong_subject",)
    everything = codes(space, credential, kind="Ethics", subject="x", now=NOW + DAY, lists={})
    assert everything == ("wrong_kind", "wrong_subject", "expired", "status_unknown")


def test_issuers_are_named_registered_and_active(space: Space) -> None:
    by_hospital = issued(space, space.hospital)
    assert codes(space, by_hospital) == ("untrusted_issuer",)
    stranger = PrivateKeys.generate()
    assert codes(space, issued(space, stranger), issuers=frozenset({stranger.did})) == ("unknown_issuer",)
    after = space.directory.apply(9, revoke(space.operator.did, "frozen", space.regulator))
    assert isinstance(after, KeyDirectory)
    answer = verify_credential(
        issued(space), after, kind="Membership", issuers=frozenset({space.operator.did}), now=NOW, lists={}
    )
    assert isinstance(answer, Denied)
    assert answer.codes == ("trust.credential.revoked_issuer",)


def test_both_signatures_are_needed(space: Space) -> None:
    credential = issued(space)
    other = issued(space, subject=space.other.did)
    assert codes(space, replace(credential, pq_signature=b"")) == ("bad_pq_signature",)
    assert codes(space, replace(credential, pq_signature=other.pq_signature)) == ("bad_pq_signature",)
    head, _, _ = credential.jwt.split(".")
    _, body, signature = other.jwt.split(".")
    assert codes(space, replace(credential, jwt=f"{head}.{body}.{credential.jwt.split('.')[2]}")) == ("bad_signature",)
    assert codes(space, replace(credential, jwt=f"{credential.jwt.rsplit('.', 1)[0]}.{signature}")) == (
        "bad_signature",
    )
    impostor = issued(space, space.hospital.for_did(space.operator.did))
    assert codes(space, impostor) == ("bad_signature",)


def test_known_jwt_forgeries_fail(space: Space) -> None:
    credential = issued(space)
    head, body, _ = credential.jwt.split(".")

    def with_header(**members: str) -> Credential:
        header = {"alg": "EdDSA", "typ": "vc+jwt", "cty": "vc", "kid": f"{space.operator.did}#ed25519", **members}
        text = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        return replace(credential, jwt=f"{text}.{body}.")

    for members in (
        {"alg": "none"},
        {"alg": "HS256"},
        {"jku": "https://evil.example"},
        {"crit": "b64"},
        {"typ": "JWT"},
    ):
        assert codes(space, with_header(**members)) == ("malformed",)
    mac = jws.serialize_compact(
        {"alg": "HS256", "typ": "vc+jwt"}, base64.urlsafe_b64decode(body + "=="),
        OctKey.import_key(space.operator.public.ed25519), algorithms=["HS256"],
    )  # fmt: skip
    assert codes(space, replace(credential, jwt=mac)) == ("malformed",)
    for text in ("", ".", "..", "a.b", f"{head}.{body}", f"{credential.jwt}.x", f"{credential.jwt}=", "é.é.é"):
        assert codes(space, replace(credential, jwt=text)) == ("malformed",)
    assert codes(space, replace(credential, version=2)) == ("malformed",)
    assert codes(space, replace(credential, jwt="a" * 600_000)) == ("malformed",)


def test_a_door_token_is_no_credential(space: Space) -> None:
    token = issue_door_token(
        space.operator, subject=space.hospital.did, audience=(space.operator.did,),
        scope=frozenset({"catalogue:read"}), jkt="a" * 43, now=NOW,
    )  # fmt: skip
    assert codes(space, Credential(token, space.operator.sign_pq("credential", token.encode()))) == ("malformed",)


def test_status_fails_closed(space: Space) -> None:
    credential = issued(space)
    assert codes(space, credential, lists={}) == ("status_unknown",)
    set_one = published(space, StatusList().with_entry(77, True))
    assert codes(space, credential, lists={LIST: set_one}) == ("revoked",)
    neighbours = StatusList().with_entry(76, True).with_entry(78, True)
    assert isinstance(judged(space, credential, lists={LIST: published(space, neighbours)}), VerifiedCredential)
    stale = published(space)
    late = judged(space, issued(space, valid_until=NOW + 9 * DAY), lists={LIST: stale}, now=NOW + DAY)
    assert isinstance(late, Denied)
    assert late.codes == ("trust.credential.status_unknown",)
    suspension = published(space, set_one.entries, purpose="suspension")
    assert codes(space, credential, lists={LIST: suspension}) == ("status_unknown",)
    suspended = issued(space, status=StatusEntry(LIST, 77, "suspension"))
    assert codes(space, suspended, lists={LIST: suspension}) == ("suspended",)
    assert codes(space, issued(space, status=StatusEntry(LIST, 131_072))) == ("malformed",)
    foreign = replace(published(space), issuer=space.hospital.did)
    assert codes(space, credential, lists={LIST: foreign}) == ("status_unknown",)
    assert isinstance(judged(space, issued(space, status=None), lists={}), VerifiedCredential)


def test_another_kind_of_credential_is_no_status_list(space: Space) -> None:
    issuers = frozenset({space.operator.did})
    answer = open_status_list(issued(space), space.directory, issuers=issuers, now=NOW)
    assert isinstance(answer, Denied)
    hollow = issue_credential(
        space.operator, credential_id=LIST, kind="BitstringStatusListCredential", subject=LIST,
        claims={"type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": "uAAAA"},
        valid_from=NOW - 1, valid_until=NOW + 1,
    )  # fmt: skip
    answer = open_status_list(hollow, space.directory, issuers=issuers, now=NOW)
    assert isinstance(answer, Denied)
    assert answer.codes == ("trust.credential.malformed",)


@pytest.mark.parametrize(
    "changes",
    [{"kind": "membership"}, {"kind": ""}, {"kind": "A b"}, {"valid_until": NOW - DAY}, {"claims": {"id": "x"}}],
)
def test_a_credential_that_nobody_could_accept_is_not_issued(space: Space, changes: dict[str, object]) -> None:
    with pytest.raises(MalformedMessage):
        issued(space, **changes)


def test_the_empty_list_of_the_standard_is_read() -> None:
    # Bitstring Status List v1.0, example of §4.
    text = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"
    assert StatusList.decode(text) == StatusList()
    assert StatusList.decode(StatusList().encode()) == StatusList()


def test_bits_are_counted_from_the_left() -> None:
    assert StatusList().with_entry(0, True).bits[0] == 0x80
    assert StatusList().with_entry(15, True).bits[:2] == b"\x00\x01"
    marked = StatusList().with_entry(5, True)
    assert marked.with_entry(5, False) == StatusList()
    for index in (-1, 131_072):
        with pytest.raises(MalformedMessage):
            marked.is_set(index)


def test_bombs_tails_and_short_lists_are_refused() -> None:
    def packed(data: bytes) -> str:
        return "u" + base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    good = gzip.compress(bytes(16_384))
    with pytest.raises(LimitExceeded):
        StatusList.decode(packed(gzip.compress(bytes(64 * 1024 * 1024))))
    with pytest.raises(LimitExceeded):
        StatusList(bytes(1024 * 1024 + 1))
    for text in (
        packed(gzip.compress(bytes(16_383))), packed(good[:-1]), packed(good + b"x"), packed(good + good),
        packed(b""), packed(good)[1:], "z" + packed(good)[1:], packed(good) + "=", "u\u00e9", "u",
    ):  # fmt: skip
        with pytest.raises(MalformedMessage):
            StatusList.decode(text)
