"""Claims protocol: ID tokens, credentials and presentations; every refusal by its name."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import OctKey
from tests.unit.trust.conftest import fixed_entropy

from xinglin.kernel import Denied, LimitExceeded, MalformedMessage
from xinglin.kernel.instants import to_text
from xinglin.trust import InMemoryReplayStore, PrivateKeys, StatusEntry, StatusList
from xinglin.trust.credentials import status_list_parts
from xinglin.trust.dcp import SCOPES, TYPE_SCOPE, check_scopes
from xinglin.trust.dcp_documents import (
    AUTHENTICATION,
    CREDENTIAL_SERVICE,
    DidDocument,
    did_web,
    did_web_url,
    key_for,
    make_document,
    read_document,
)
from xinglin.trust.dcp_messages import PresentationQueryMessage, UnsupportedQuery, parse, scopes_of
from xinglin.trust.dcp_presentations import (
    ENVELOPE,
    PRESENTED,
    StatusBits,
    issue,
    needed,
    open_status,
    present,
    verify_presentation,
)
from xinglin.trust.dcp_tokens import (
    LIFETIME,
    IdToken,
    Signer,
    check_access,
    check_id_token,
    claimed_holder,
    grant_access,
    issue_id_token,
)
from xinglin.trust.jose import to_base64url

NOW = 1_800_000_000_000
DAY = 86_400_000
LIST = "https://issuer.example/dcp/issuer/status/1"
CONTEXT = "https://w3id.org/dspace-dcp/v1.0/dcp.jsonld"
VC = "https://www.w3.org/ns/credentials/v2"


def signer(name: str) -> Signer:
    return Signer.of(PrivateKeys.generate(fixed_entropy(name)), did_web(f"{name}.example"))


HOLDER, VERIFIER, ISSUER, OTHER = (signer(name) for name in ("holder", "verifier", "issuer", "other"))


def document(of: Signer, **changes: Any) -> DidDocument:
    made = make_document(of.did, of.public, services=[("cs", CREDENTIAL_SERVICE, f"https://{of.did[8:]}/cs")])
    return read_document(json.dumps(made | changes).encode(), of.did)


DOCUMENTS = {one.did: document(one) for one in (HOLDER, VERIFIER, ISSUER, OTHER)}


def signed(by: Signer, claims: dict[str, Any], **header: Any) -> str:
    """A token of any shape under a real signature."""
    members = {"alg": "EdDSA", "typ": "JWT", "kid": by.kid} | header
    members = {name: value for name, value in members.items() if value is not None}
    text = ".".join(to_base64url(json.dumps(part).encode()) for part in (members, claims))
    return f"{text}.{to_base64url(by.key.sign(text.encode()))}"


def claims(**changes: Any) -> dict[str, Any]:
    now = NOW // 1000
    made = {"iss": HOLDER.did, "sub": HOLDER.did, "aud": VERIFIER.did, "jti": "once", "exp": now + 60, "iat": now}
    return {name: value for name, value in (made | changes).items() if value is not None}


def judged(token: str, of: DidDocument | None = None, replay: Any = None, now: int = NOW) -> IdToken | Denied:
    return check_id_token(
        token, of or DOCUMENTS[HOLDER.did], audience=VERIFIER.did, replay=replay or InMemoryReplayStore(), now=now
    )


def codes(found: object) -> set[str]:
    assert isinstance(found, Denied), found
    return {code.removeprefix("trust.dcp.") for code in found.codes}


# ID tokens


def test_an_id_token_is_good_once() -> None:
    token = issue_id_token(HOLDER, VERIFIER.did, NOW, token="access")
    replay = InMemoryReplayStore()
    found = judged(token, replay=replay)
    assert isinstance(found, IdToken) and (found.holder, found.token) == (HOLDER.did, "access")
    assert codes(judged(token, replay=replay)) == {"replayed"}
    assert codes(judged(token, replay=replay, now=NOW + 300_000)) == {"replayed"}
    assert isinstance(judged(issue_id_token(HOLDER, VERIFIER.did, NOW), replay=replay), IdToken)


def test_the_loosest_token_of_another_implementation_is_taken() -> None:
    """No type, no key id with one key, audience as an array, times with fractions, more claims."""
    loose = claims(aud=[VERIFIER.did], exp=NOW / 1000 + 5.5, nonce="x", nbf=NOW / 1000)
    assert isinstance(judged(signed(HOLDER, loose, typ=None, kid=None)), IdToken)
    assert isinstance(judged(signed(HOLDER, loose, kid="#ed25519")), IdToken)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "did:web:somebody.example"}, "audience"),
        ({"aud": [VERIFIER.did, OTHER.did]}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": None}, "malformed"),
        ({"sub": OTHER.did}, "issuer"),
        ({"iss": OTHER.did}, "issuer"),
        ({"iss": OTHER.did, "sub": OTHER.did}, "other_document"),
        ({"exp": NOW // 1000 - 61, "iat": NOW // 1000 - 120}, "expired"),
        ({"iat": NOW // 1000 + 61, "exp": NOW // 1000 + 120}, "not_yet_valid"),
        ({"nbf": NOW // 1000 + 61}, "not_yet_valid"),
        ({"exp": NOW // 1000 + LIFETIME.value + 1}, "lifetime"),
        ({"exp": NOW // 1000}, "lifetime"),
        ({"jti": ""}, "malformed"),
        ({"jti": "x" * 257}, "malformed"),
        ({"jti": None}, "malformed"),
        ({"exp": None}, "malformed"),
        ({"iat": None}, "malformed"),
        ({"exp": "soon"}, "malformed"),
    ],
)
def test_claims_that_are_refused(changes: dict[str, Any], code: str) -> None:
    assert code in codes(judged(signed(HOLDER, claims(**changes))))


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"kid": f"{HOLDER.did}#another"}, "unknown_key"),
        ({"kid": OTHER.kid}, "unknown_key"),
        ({"typ": "vp+jwt"}, "malformed"),
        ({"typ": "at+jwt"}, "malformed"),
        ({"crit": ["exp"]}, "malformed"),
        ({"jku": "https://other.example/keys"}, "malformed"),
        ({"jwk": {"kty": "OKP"}}, "malformed"),
    ],
)
def test_headers_that_are_refused(header: dict[str, Any], code: str) -> None:
    assert codes(judged(signed(HOLDER, claims(), **header))) == {code}


def test_no_algorithm_and_a_key_as_a_secret_are_refused() -> None:
    header = to_base64url(json.dumps({"alg": "none", "kid": HOLDER.kid}).encode())
    body = to_base64url(json.dumps(claims()).encode())
    assert codes(judged(f"{header}.{body}.")) == {"malformed"}
    shared = OctKey.import_key(HOLDER.public)
    made = jws.serialize_compact({"alg": "HS256", "kid": HOLDER.kid}, json.dumps(claims()).encode(), shared)
    assert codes(judged(made)) == {"malformed"}


def test_another_key_does_not_sign_for_the_holder() -> None:
    forged = signed(OTHER, claims(), kid=HOLDER.kid)
    assert codes(judged(forged)) == {"bad_signature"}
    head, _, tail = issue_id_token(HOLDER, VERIFIER.did, NOW).split(".")
    altered = ".".join([head, to_base64url(json.dumps(claims()).encode()), tail])
    assert codes(judged(altered)) == {"bad_signature"}


def test_a_refused_token_does_not_burn_its_id() -> None:
    replay = InMemoryReplayStore()
    assert codes(judged(signed(OTHER, claims(), kid=HOLDER.kid), replay=replay)) == {"bad_signature"}
    assert isinstance(judged(signed(HOLDER, claims()), replay=replay), IdToken)


def _second(did: str, key: Signer) -> dict[str, Any]:
    return make_document(did, key.public, kid=f"{did}#second")["verificationMethod"][0]


def test_of_several_keys_the_token_names_one_and_the_document_gives_it_the_right() -> None:
    methods = [make_document(HOLDER.did, HOLDER.public)["verificationMethod"][0], _second(HOLDER.did, OTHER)]
    two = document(HOLDER, verificationMethod=methods)
    assert codes(judged(signed(HOLDER, claims(), kid=None), two)) == {"ambiguous_key"}
    assert isinstance(judged(signed(HOLDER, claims()), two), IdToken)
    # The second key is in the document, and has no relationship.
    assert codes(judged(signed(OTHER, claims(), kid=f"{HOLDER.did}#second"), two)) == {"wrong_use"}
    none = document(HOLDER, capabilityInvocation=[])
    assert codes(judged(signed(HOLDER, claims()), none)) == {"wrong_use"}
    assert codes(judged(signed(HOLDER, claims(), kid=None), none)) == {"wrong_use"}
    empty = document(HOLDER, verificationMethod=[])
    assert codes(judged(signed(HOLDER, claims(), kid=None), empty)) == {"ambiguous_key"}


def test_a_key_of_another_kind_counts_and_is_not_used() -> None:
    other = {
        "id": "#p",
        "type": "JsonWebKey2020",
        "controller": HOLDER.did,
        "publicKeyJwk": {"kty": "EC", "crv": "P-256"},
    }
    found = document(HOLDER, verificationMethod=[other], capabilityInvocation=["#p"])
    assert codes(judged(signed(HOLDER, claims(), kid=None), found)) == {"unsupported_key"}


def test_what_is_looked_up_is_only_what_could_be_right() -> None:
    assert claimed_holder(signed(HOLDER, claims()), VERIFIER.did, NOW) == HOLDER.did
    assert codes(claimed_holder(signed(HOLDER, claims()), OTHER.did, NOW)) == {"audience"}
    assert codes(claimed_holder(signed(HOLDER, claims(iss="http://h/", sub="http://h/")), VERIFIER.did, NOW))
    assert codes(claimed_holder("a.b", VERIFIER.did, NOW)) == {"malformed"}


def test_an_access_token_is_for_one_verifier_and_one_holder() -> None:
    scopes = (f"{TYPE_SCOPE}Membership",)
    token = grant_access(HOLDER, VERIFIER.did, scopes, NOW)
    assert check_access(token, HOLDER, VERIFIER.did, NOW) == frozenset(scopes)
    assert codes(check_access(token, HOLDER, OTHER.did, NOW)) == {"access"}
    assert codes(check_access(token, OTHER, VERIFIER.did, NOW)) == {"access"}
    assert codes(check_access(token, HOLDER, VERIFIER.did, NOW + 300_000)) == {"access"}
    assert codes(check_access("", HOLDER, VERIFIER.did, NOW)) == {"access"}
    # Neither kind of token passes for the other.
    assert codes(judged(token)) == {"malformed"}
    assert codes(check_access(issue_id_token(HOLDER, VERIFIER.did, NOW), HOLDER, VERIFIER.did, NOW)) == {"access"}


# DID documents


@pytest.mark.parametrize(
    "changes",
    [
        {"id": OTHER.did},
        {"verificationMethod": [{"id": f"{OTHER.did}#k", "controller": OTHER.did}]},
        {"verificationMethod": [{"id": "#k", "controller": OTHER.did}]},
        {"verificationMethod": "none"},
        {"verificationMethod": ["text"]},
        {"verificationMethod": [{"controller": HOLDER.did}]},
        {"verificationMethod": [_second(HOLDER.did, OTHER)] * 2},
        {"verificationMethod": [_second(HOLDER.did, OTHER)], "authentication": [_second(HOLDER.did, OTHER)]},
        {"verificationMethod": [{"id": "#k", "publicKeyJwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}]},
        {"verificationMethod": [{"id": "#k", "publicKeyJwk": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}}]},
        {"verificationMethod": [{"id": "#k", "publicKeyJwk": {"kty": "OKP", "crv": "Ed25519", "x": "A", "d": "A"}}]},
        {"capabilityInvocation": "all"},
        {"service": {"type": "CredentialService"}},
    ],
)
def test_documents_that_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        document(HOLDER, **changes)


def test_a_document_with_one_method_too_many_is_refused() -> None:
    methods = [_second(HOLDER.did, OTHER) | {"id": f"#{number}"} for number in range(65)]
    assert len(document(HOLDER, verificationMethod=methods[:64]).methods) == 64
    with pytest.raises(LimitExceeded):
        document(HOLDER, verificationMethod=methods)


@pytest.mark.parametrize(
    "did",
    ["did:key:z6Mk", "did:web:a.example:..:b", "did:web:a.example%2Fb", "did:web:u%40a.example", "did:web:a:b%3A1"],
)
def test_names_whose_document_is_nowhere(did: str) -> None:
    with pytest.raises(MalformedMessage):
        did_web_url(did)


def test_our_export_reads_back() -> None:
    found = document(HOLDER)
    assert key_for(found, HOLDER.kid, AUTHENTICATION) == HOLDER.public
    assert found.service(CREDENTIAL_SERVICE) == "https://holder.example/cs"


# Credentials and presentations


def credential(by: Signer = ISSUER, subject: str = HOLDER.did, **changes: Any) -> str:
    parts: dict[str, Any] = {
        "credential_id": "urn:uuid:1",
        "kind": "Membership",
        "claims": {"role": "hospital"},
        "valid_from": NOW - DAY,
        "valid_until": NOW + DAY,
        "statuses": (StatusEntry(LIST, 7),),
    }
    return issue(by, subject=subject, **parts | changes)


def bits(*revoked: int, by: Signer = ISSUER, **changes: Any) -> StatusBits | Denied:
    entries = StatusList()
    for index in revoked:
        entries = entries.with_entry(index, True)
    listed = status_list_parts(changes.pop("list_id", LIST), entries, changes.pop("purpose", "revocation"))
    parts: dict[str, Any] = {"valid_from": NOW - DAY, "valid_until": NOW + DAY}
    jwt = issue(by, **listed, **parts | changes)
    return open_status(jwt, DOCUMENTS, list_id=LIST, issuers=frozenset({ISSUER.did}), now=NOW)


def shown(presentation: str, lists: dict[str, Any] | None = None, **changes: Any) -> Any:
    parts: dict[str, Any] = {
        "holder": HOLDER.did,
        "verifier": VERIFIER.did,
        "issuers": frozenset({ISSUER.did}),
        "lists": {LIST: bits()} if lists is None else lists,
        "now": NOW,
    }
    return verify_presentation(presentation, changes.pop("documents", DOCUMENTS), **parts | changes)


def vp(*jwts: str, by: Signer = HOLDER, **changes: Any) -> str:
    """A presentation of any shape."""
    made = {
        "@context": [VC],
        "type": ["VerifiablePresentation"],
        "holder": by.did,
        "verifiableCredential": [
            {"@context": [VC], "type": "EnvelopedVerifiableCredential", "id": ENVELOPE + jwt} for jwt in jwts
        ],
    }
    return signed(by, made | changes, typ="vp+jwt")


def test_a_presentation_says_what_its_credentials_say() -> None:
    made = present(HOLDER, [credential()], VERIFIER.did, NOW)
    assert needed(made) == needed(vp(credential()))
    assert (needed(made).issuers, needed(made).lists) == ({ISSUER.did}, {LIST})
    (found,) = shown(made)
    assert (found.types, found.issuer, found.claims) == (("Membership",), ISSUER.did, {"role": "hospital"})
    assert isinstance(shown(vp(credential())), tuple)


def test_another_holders_presentation_is_refused() -> None:
    theirs = present(OTHER, [credential(subject=OTHER.did)], VERIFIER.did, NOW)
    assert codes(shown(theirs)) == {"other_holder"}
    # Signed by us over somebody else's credential; and named ours, but signed by somebody else.
    assert codes(shown(present(HOLDER, [credential(subject=OTHER.did)], VERIFIER.did, NOW))) == {"other_holder"}
    assert codes(shown(vp(credential(), by=OTHER, holder=HOLDER.did))) == {"unknown_key"}
    claims_of_ours = {"@context": [VC], "type": ["VerifiablePresentation"], "holder": HOLDER.did}
    assert codes(shown(signed(OTHER, claims_of_ours, typ="vp+jwt", kid=HOLDER.kid))) == {"bad_signature"}
    assert codes(shown(present(HOLDER, [credential(subject="")], VERIFIER.did, NOW))) == {"other_holder"}


def test_a_presentation_for_somebody_else_or_from_yesterday_is_refused() -> None:
    made = present(HOLDER, [credential()], OTHER.did, NOW)
    assert codes(shown(made)) == {"audience"}
    assert codes(shown(present(HOLDER, [credential()], VERIFIER.did, NOW - DAY))) == {"expired"}


def test_a_presentation_needs_a_key_for_authentication_and_a_credential_one_for_assertion() -> None:
    made = present(HOLDER, [credential()], VERIFIER.did, NOW)
    without = DOCUMENTS | {HOLDER.did: document(HOLDER, authentication=[])}
    assert codes(shown(made, documents=without)) == {"wrong_use"}
    without = DOCUMENTS | {ISSUER.did: document(ISSUER, assertionMethod=[])}
    assert codes(shown(made, documents=without)) == {"wrong_use"}
    without = {HOLDER.did: DOCUMENTS[HOLDER.did]}
    assert codes(shown(made, documents=without)) == {"unknown_document"}
    mixed = DOCUMENTS | {ISSUER.did: DOCUMENTS[OTHER.did]}
    assert codes(shown(made, documents=mixed)) == {"unknown_document"}


def test_status_decides() -> None:
    made = present(HOLDER, [credential()], VERIFIER.did, NOW)
    assert codes(shown(made, {LIST: bits(7)})) == {"revoked"}
    assert isinstance(shown(made, {LIST: bits(6, 8)}), tuple)
    assert codes(shown(made, {})) == {"status_unknown"}
    assert codes(shown(made, {LIST: bits(valid_until=NOW + 1)}, now=NOW + 2)) == {"status_unknown"}
    suspended = credential(statuses=(StatusEntry(LIST, 7, "suspension"),))
    asked = present(HOLDER, [suspended], VERIFIER.did, NOW)
    assert codes(shown(asked)) == {"status_unknown"}
    assert codes(shown(asked, {LIST: bits(7, purpose="suspension")})) == {"suspended"}
    beyond = present(HOLDER, [credential(statuses=(StatusEntry(LIST, 131_072),))], VERIFIER.did, NOW)
    assert codes(shown(beyond)) == {"malformed"}


def test_a_status_list_of_somebody_else_does_not_count() -> None:
    assert codes(bits(by=OTHER)) == {"untrusted_issuer"}
    made = present(HOLDER, [credential()], VERIFIER.did, NOW)
    theirs = msgspec.structs.replace(bits(), issuer=OTHER.did)
    assert codes(shown(made, {LIST: theirs})) == {"status_unknown"}
    assert codes(bits(valid_until=NOW)) == {"expired"}
    assert codes(bits(purpose="message")) == {"malformed"}


def test_times_and_issuers_decide_and_one_bad_credential_spoils_all() -> None:
    late = credential(valid_until=NOW)
    early = credential(valid_from=NOW + 1)
    assert codes(shown(vp(late))) == {"expired"}
    assert codes(shown(vp(early))) == {"not_yet_valid"}
    assert codes(shown(vp(credential(), late, early))) == {"expired", "not_yet_valid"}
    assert codes(shown(vp(credential(by=OTHER)))) == {"untrusted_issuer"}


def test_an_issuer_is_the_one_whose_key_signed() -> None:
    document_of = {
        "@context": [VC], "type": ["VerifiableCredential", "Membership"], "issuer": ISSUER.did,
        "credentialSubject": {"id": HOLDER.did}, "validFrom": to_text(NOW - DAY),
    }  # fmt: skip
    assert isinstance(shown(vp(signed(ISSUER, document_of, typ="vc+jwt"))), tuple)
    assert codes(shown(vp(signed(OTHER, document_of, typ="vc+jwt")))) == {"unknown_key"}
    assert codes(shown(vp(signed(OTHER, document_of, typ="vc+jwt", kid=ISSUER.kid)))) == {"bad_signature"}
    assert isinstance(shown(vp(signed(ISSUER, document_of | {"issuer": {"id": ISSUER.did}}, typ="vc+jwt"))), tuple)


V11 = {"@context": ["https://www.w3.org/2018/credentials/v1"], "type": ["VerifiableCredential", "Membership"]}
BARE: dict[str, Any] = {
    "@context": [VC], "type": ["VerifiableCredential", "Membership"], "issuer": ISSUER.did,
    "credentialSubject": {"id": HOLDER.did},
}  # fmt: skip


def test_what_is_of_another_profile_is_refused_beside_what_is_of_ours() -> None:
    older = signed(ISSUER, {"iss": ISSUER.did, "sub": HOLDER.did, "vc": V11})
    assert codes(shown(vp(credential(), older))) == {"mixed_profiles"}
    plain = BARE | {"proof": {"type": "DataIntegrityProof"}}
    assert codes(shown(vp(credential(), verifiableCredential=[plain]))) == {"mixed_profiles"}
    assert codes(shown(vp(verifiableCredential=[credential()]))) == {"mixed_profiles"}
    assert codes(shown(signed(HOLDER, {"iss": HOLDER.did, "vp": {"type": "VerifiablePresentation"}}))) & {
        "mixed_profiles", "malformed",
    }  # fmt: skip
    assert codes(shown(vp(credential(), proof={"type": "x"}))) == {"mixed_profiles"}
    other_status = BARE | {"credentialStatus": {"type": "StatusList2021Entry", "statusListIndex": "1"}}
    assert codes(shown(vp(signed(ISSUER, other_status, typ="vc+jwt")))) == {"mixed_profiles"}


@pytest.mark.parametrize(
    "changes",
    [
        {"@context": [V11["@context"][0], VC]},
        {"@context": VC},
        {"type": ["Membership"]},
        {"type": ["VerifiableCredential"]},
        {"issuer": "https://issuer.example"},
        {"issuer": {"name": "Issuer"}},
        {"credentialSubject": [{"id": HOLDER.did}, {"id": OTHER.did}]},
        {"credentialSubject": []},
        {"validUntil": "tomorrow"},
        {"validUntil": "2030-01-01T00:00:00"},
        {"credentialStatus": {"type": "BitstringStatusListEntry", "statusListCredential": LIST,
                              "statusListIndex": "1", "statusPurpose": "message"}},
        {"credentialStatus": {"type": "BitstringStatusListEntry", "statusListCredential": LIST,
                              "statusListIndex": "1", "statusPurpose": "revocation", "statusSize": 2}},
    ],
)  # fmt: skip
def test_credentials_that_are_refused(changes: dict[str, Any]) -> None:
    assert codes(shown(vp(signed(ISSUER, BARE | changes, typ="vc+jwt")))) == {"malformed"}


def test_one_credential_more_than_the_limit_is_refused() -> None:
    one = signed(ISSUER, BARE, typ="vc+jwt")
    assert len(shown(vp(*[one] * PRESENTED.value))) == PRESENTED.value
    assert codes(shown(vp(*[one] * (PRESENTED.value + 1)))) == {"malformed"}
    with pytest.raises(LimitExceeded):
        present(HOLDER, [one] * (PRESENTED.value + 1), VERIFIER.did, NOW)


def test_altered_bytes_of_a_presentation_are_refused() -> None:
    made = present(HOLDER, [credential()], VERIFIER.did, NOW)
    head, body, tail = made.split(".")
    raw = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    for place in range(0, len(raw), 97):
        raw[place] ^= 1
        assert isinstance(shown(".".join([head, to_base64url(bytes(raw)), tail])), Denied)
        raw[place] ^= 1


# Messages


def query(**members: Any) -> bytes:
    return json.dumps({"@context": [CONTEXT], "type": "PresentationQueryMessage"} | members).encode()


def test_a_query_is_by_scope_and_by_nothing_else() -> None:
    scope = f"{TYPE_SCOPE}Membership"
    assert scopes_of(parse(query(scope=[scope, scope]), PresentationQueryMessage)) == (scope,)
    for bad in ({}, {"scope": []}, {"scope": [scope], "presentationDefinition": {}}, {"scope": ["other:x"]}):
        with pytest.raises(MalformedMessage):
            scopes_of(parse(query(**bad), PresentationQueryMessage))
    with pytest.raises(UnsupportedQuery):
        scopes_of(parse(query(presentationDefinition={"id": "x"}), PresentationQueryMessage))
    with pytest.raises(LimitExceeded):
        check_scopes([f"{TYPE_SCOPE}{number}" for number in range(SCOPES.value + 1)])


@pytest.mark.parametrize("bad", [b"", b"[]", b"{", b"\xff", query(type="Other"), query(**{"@context": CONTEXT})])
def test_messages_that_are_refused(bad: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(bad, PresentationQueryMessage)
