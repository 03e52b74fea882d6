"""Whatever bytes arrive, a parser answers with a value or a typed error; and what is written is read back."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from xinglin.kernel import Denied
from xinglin.kernel.errors import XinglinError
from xinglin.trust import (
    Attestation,
    Credential,
    Door,
    DoorKey,
    DoorPass,
    InMemoryReplayStore,
    KeyChange,
    KeyDirectory,
    KeyRegistration,
    Possession,
    PrivateKeys,
    PublicKeys,
    Revocation,
    Signed,
    StatusList,
    admit,
    approve,
    change_keys,
    check_door_token,
    check_ed25519,
    check_public_keys,
    check_x25519,
    grant_door_token,
    issue_credential,
    issue_door_token,
    key_file_bytes,
    leaf_body,
    leaf_from_body,
    leaf_kind,
    open_signed,
    prove,
    read_key_file,
    register,
    revoke,
    seal,
    sign,
    unseal,
    verify_credential,
)
from xinglin.trust.dpop import request_target
from xinglin.trust.jose import from_base64url, to_base64url

NOW = 1_800_000_000_000


def keys_of(label: str) -> PrivateKeys:
    return PrivateKeys.generate(lambda size: hashlib.shake_256(f"{label}{size}".encode()).digest(size))


OPERATOR, REGULATOR, HOSPITAL, LATER = (keys_of(label) for label in ("o", "r", "h", "n"))
DOOR_KEY = DoorKey(b"\x05" * 32)
DIRECTORY = KeyDirectory(OPERATOR.did, REGULATOR.did)
REGISTRATION = admit(register(HOSPITAL, "Hospital", ("provider", "witness")), OPERATOR)
for _index, _leaf in enumerate(
    (register(OPERATOR, "Operator", ("operator",)), register(REGULATOR, "Regulator", ("regulator",)))
):
    _next = DIRECTORY.apply(_index, _leaf)
    assert isinstance(_next, KeyDirectory)
    DIRECTORY = _next
_next = DIRECTORY.apply(2, REGISTRATION)
assert isinstance(_next, KeyDirectory)
FULL = _next
CHANGE = approve(change_keys(HOSPITAL, LATER)[0], REGULATOR)
REVOCATION = revoke(HOSPITAL.did, "left", HOSPITAL)
SIGNED = sign(HOSPITAL, "c", b"payload")
TOKEN = issue_door_token(
    OPERATOR, subject=HOSPITAL.did, audience=(OPERATOR.did,), scope=frozenset({"a"}), jkt=DOOR_KEY.thumbprint, now=NOW
)
PROOF = prove(DOOR_KEY, "GET", "https://hub.example/a", TOKEN, now=NOW)
CREDENTIAL = issue_credential(
    OPERATOR,
    credential_id="urn:1",
    kind="Membership",
    subject=HOSPITAL.did,
    claims={},
    valid_from=NOW,
    valid_until=NOW + 9,
)
SEALED = seal(HOSPITAL.public, b"secret", b"info")

texts = st.text(max_size=200) | st.text(alphabet=st.characters(codec=None, categories=["Cs", "Lu", "Cc"]), max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def edited(draw: st.DrawFn, original: bytes) -> bytes:
    """Bytes a few edits away from good ones: the part of the space where parsers break."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(data)


@st.composite
def edited_body(draw: st.DrawFn, original: dict[str, Any]) -> dict[str, Any]:
    """A leaf body with one member gone, new, or of another shape."""
    body = json.loads(json.dumps(original))
    where = body
    nested = [name for name, value in body.items() if isinstance(value, dict)]
    if nested and draw(st.booleans()):
        where = body[draw(st.sampled_from(nested))]
    name = draw(st.sampled_from(sorted(where)) | texts)
    if draw(st.booleans()):
        where.pop(name, None)
    else:
        where[name] = draw(plain)
    return body


def typed_only(call: Any) -> Any:
    try:
        return call()
    except XinglinError as error:
        assert error.code.startswith(("trust.", "kernel."))
        return error


@quick
@given(st.binary(max_size=300) | edited(SIGNED.to_bytes()))
def test_envelopes(data: bytes) -> None:
    found = typed_only(lambda: Signed.from_bytes(data))
    if isinstance(found, Signed) and found != SIGNED:
        assert isinstance(typed_only(lambda: open_signed(found, "c", FULL)), XinglinError)


@quick
@given(st.binary(max_size=300) | edited(key_file_bytes(HOSPITAL)), texts)
def test_key_files(data: bytes, passphrase: str) -> None:
    typed_only(lambda: read_key_file(data, passphrase))


@quick
@given(st.binary(min_size=30, max_size=34) | st.binary(min_size=32, max_size=32))
def test_points(raw: bytes) -> None:
    typed_only(lambda: check_ed25519(raw))
    typed_only(lambda: check_x25519(raw))


@quick
@given(st.sampled_from(["ed25519", "mldsa65", "mldsa44", "x25519", "mlkem768"]), st.data())
def test_public_keys(field: str, data: st.DataObject) -> None:
    raw = data.draw(st.binary(max_size=40) | edited(getattr(HOSPITAL.public, field)))
    typed_only(lambda: check_public_keys(msgspec.structs.replace(HOSPITAL.public, **{field: raw})))


@pytest.mark.parametrize("leaf", [REGISTRATION, CHANGE, REVOCATION], ids=leaf_kind)
def test_leaves(leaf: KeyRegistration | KeyChange | Revocation) -> None:
    directory = DIRECTORY if leaf is REGISTRATION else FULL
    assert isinstance(directory.apply(9, leaf), KeyDirectory)
    kind = leaf_kind(leaf)

    @quick
    @given(edited_body(leaf_body(leaf)) | st.dictionaries(texts, plain, max_size=4))
    def run(body: dict[str, Any]) -> None:
        found = typed_only(lambda: leaf_from_body(kind, body))
        if not isinstance(found, XinglinError):
            answer = directory.apply(9, found)
            assert isinstance(answer, Denied) or found == leaf

    run()


marks = st.none() | st.builds(
    Attestation, by=texts | st.sampled_from([OPERATOR.did, REGULATOR.did]), signature=st.binary()
)
public = st.builds(PublicKeys, *[st.binary(max_size=32)] * 5, suite=st.sampled_from(["intl-1", "cn-1", "?"]))
proofs = st.builds(Possession, *[st.binary(max_size=64)] * 3)
dids = texts | st.sampled_from([OPERATOR.did, HOSPITAL.did, LATER.did])
wild = (
    st.builds(KeyRegistration, dids, texts, st.tuples(texts), public, proofs, dids, marks, marks, marks)
    | st.builds(KeyChange, dids, texts, public, st.binary(), proofs, marks)
    | st.builds(Revocation, dids, texts | st.just("left"), st.builds(Attestation, dids, st.binary()))
)


@quick
@given(st.integers(), wild)
def test_the_fold_is_total(index: int, leaf: Any) -> None:
    assert isinstance(FULL.apply(index, leaf), Denied)


def shown(token: str, proof: str) -> DoorPass | Denied:
    """What the door says to a token and a proof."""
    return check_door_token(
        token,
        proof,
        door=Door(OPERATOR.did, frozenset({OPERATOR.did})),
        method="GET",
        url="https://hub.example/a",
        needs=frozenset({"a"}),
        directory=FULL,
        replay=InMemoryReplayStore(),
        now=NOW,
    )


@quick
@given(st.data())
def test_door_tokens_and_proofs(data: st.DataObject) -> None:
    def mangled(good: str) -> str:
        return data.draw(texts | edited(good.encode()).map(lambda raw: raw.decode("latin-1")) | segment(good))

    token = TOKEN if data.draw(st.booleans()) else mangled(TOKEN)
    proof = PROOF if token != TOKEN and data.draw(st.booleans()) else mangled(PROOF)
    answer = shown(token, proof)
    assert isinstance(answer, Denied) or (token, proof) == (TOKEN, PROOF)


@st.composite
def segment(draw: st.DrawFn, good: str) -> str:
    """A token whose header or claims are another JSON document."""
    parts = good.split(".")
    document = json.loads(base64.urlsafe_b64decode(parts[0] + "==="))
    document[draw(st.sampled_from(sorted(document)) | texts)] = draw(plain)
    which = draw(st.integers(0, 1))
    parts[which] = to_base64url(json.dumps(document if which == 0 else draw(plain)).encode())
    return ".".join(parts)


def test_the_good_token_and_proof_open() -> None:
    answer = shown(TOKEN, PROOF)
    assert isinstance(answer, DoorPass)


@quick
@given(plain)
def test_signed_door_wishes_of_any_shape(wish: Any) -> None:
    signed = sign(HOSPITAL, "door-request", json.dumps(wish).encode())
    answer = grant_door_token(
        OPERATOR,
        signed,
        directory=FULL,
        audiences=frozenset({OPERATOR.did}),
        allowed=frozenset({"a"}),
        replay=InMemoryReplayStore(),
        now=NOW,
    )
    assert isinstance(answer, Denied)


@quick
@given(st.data())
def test_credentials(data: st.DataObject) -> None:
    jwt = data.draw(
        texts | edited(CREDENTIAL.jwt.encode()).map(lambda raw: raw.decode("latin-1")) | segment(CREDENTIAL.jwt)
    )
    for pq in (CREDENTIAL.pq_signature, data.draw(st.binary(max_size=20))):
        answer = verify_credential(
            Credential(jwt, pq), FULL, kind="Membership", issuers=frozenset({OPERATOR.did}), now=NOW, lists={}
        )
        assert isinstance(answer, Denied) or jwt == CREDENTIAL.jwt


@quick
@given(plain)
def test_signed_credentials_of_any_shape(payload: Any) -> None:
    # A trusted issuer with a broken program: signed, and still no credential.
    from joserfc import jws
    from joserfc.jwk import OKPKey

    seeds = HOSPITAL.seeds.ed25519
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(HOSPITAL.public.ed25519), "d": to_base64url(seeds)}
    document = {**json.loads(from_base64url(CREDENTIAL.jwt.split(".")[1])), "issuer": HOSPITAL.did}
    document["validFrom"] = payload
    document["credentialSubject"] = {"id": payload}
    header = {"alg": "Ed25519", "typ": "vc+jwt", "kid": f"{HOSPITAL.did}#ed25519"}
    jwt = jws.serialize_compact(header, json.dumps(document), OKPKey.import_key(jwk), algorithms=["Ed25519"])
    credential = Credential(jwt, HOSPITAL.sign_pq("credential", jwt.encode()))
    answer = verify_credential(
        credential, FULL, kind="Membership", issuers=frozenset({HOSPITAL.did}), now=NOW, lists={}
    )
    assert isinstance(answer, Denied)


@quick
@given(texts | edited(StatusList().encode().encode()).map(lambda raw: raw.decode("latin-1")))
@example("u")
def test_status_lists(text: str) -> None:
    typed_only(lambda: StatusList.decode(text))


@quick
@given(st.sets(st.integers(0, 131_071), max_size=20))
def test_status_lists_are_read_back(marked: set[int]) -> None:
    entries = StatusList()
    for index in marked:
        entries = entries.with_entry(index, True)
    read = StatusList.decode(entries.encode())
    assert read == entries
    assert all(read.is_set(index) for index in marked)
    assert sum(bin(byte).count("1") for byte in read.bits) == len(marked)


@quick
@given(st.binary(max_size=300) | edited(SEALED))
def test_sealed_messages(data: bytes) -> None:
    if data != SEALED:
        assert isinstance(typed_only(lambda: unseal(HOSPITAL, data, b"info")), XinglinError)


@quick
@given(st.binary(max_size=2000), st.binary(min_size=1, max_size=50))
def test_what_is_sealed_is_unsealed(message: bytes, info: bytes) -> None:
    assert unseal(HOSPITAL, seal(HOSPITAL.public, message, info), info) == message


@quick
@given(texts | st.from_regex(r"https?://[a-z\[\]:@0-9.]{0,20}/[a-z?#%]{0,10}", fullmatch=True))
def test_urls(url: str) -> None:
    first = typed_only(lambda: request_target(url))
    if isinstance(first, str):
        assert request_target(first) == first


@quick
@given(texts | st.text(alphabet="ABab01-_+/= \n", max_size=20))
def test_base64url_has_one_spelling(text: str) -> None:
    found = typed_only(lambda: from_base64url(text))
    if isinstance(found, bytes):
        assert to_base64url(found) == text
