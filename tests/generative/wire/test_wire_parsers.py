"""Whatever bytes arrive, a wire parser answers with a value or a typed error; and what is written is read back."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.evidence.entry import Entry
from xinglin.evidence.notes import ED25519, VerifierKey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json, decode_msgpack, encode_msgpack
from xinglin.kernel.errors import LimitExceeded, MalformedMessage, XinglinError
from xinglin.node.runs import use_of
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest
from xinglin.terms.thresholds import DisclosureRules
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.calls import AgreementCall, AgreementView, EnrolCall, Enrolled, RunCall, RunResult, RunView
from xinglin.wire.channel import Attestation, Orders, Poll, ReleaseRefs, Reports, RunOrder, Sealed
from xinglin.wire.desk import DeskAnswer, DeskCall
from xinglin.wire.endings import sign_ending
from xinglin.wire.errors import Problem
from xinglin.wire.policy import cosigning_key, sign_policy
from xinglin.wire.record import SpaceRecord
from xinglin.wire.runs import run_id_of
from xinglin.wire.space import Invite, Space, parse_invite, parse_space

KEYS = PrivateKeys.generate()
LOG_KEY = VerifierKey("xinglin.space/fuzz", ED25519, KEYS.public.ed25519)
REGULATOR = PrivateKeys.generate()
POLICY = default_policy(LogKey(LOG_KEY), [Cosigner("regulator", (cosigning_key("r", REGULATOR.public),))], []).to_text()
SPACE = Space("fuzz", "https://hub.example", "", LOG_KEY.to_text(), KEYS.did, REGULATOR.did, POLICY)
INVITE = Invite(SPACE, "provider", "secret", 1)
PLAN = Plan(
    study="s",
    data_set="d",
    sql="SELECT 1 AS a",
    algorithm="describe",
    params={"columns": ["a"]},
    roster=(KEYS.did,),
    as_of=1,
    agreements={KEYS.did: "sha256:" + "0" * 64},
    rules=DisclosureRules(),
)
REQUEST = UseRequest(PLAN.digest(), KEYS.did, "s", "p", "statistics", "n" * 16, 1, 2, (KEYS.did,), (KEYS.did,))
SIGNED = sign(KEYS, USE_REQUEST, REQUEST)
JSON_KINDS = (
    AgreementCall, AgreementView, Attestation, DeskAnswer, DeskCall, EnrolCall, Enrolled, Plan, Problem, ReleaseRefs,
    RunCall, RunResult, RunView, UseRequest,
)  # fmt: skip
PACKED_KINDS = (Orders, Poll, Reports, Sealed, Signed)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def _packed(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        return b"\xc1"


@given(st.sampled_from(JSON_KINDS), st.binary(max_size=300) | anything.map(lambda v: repr(v).encode()))
def test_any_bytes_are_a_value_or_malformed(kind: type, data: bytes) -> None:
    with contextlib.suppress(MalformedMessage, LimitExceeded):
        assert isinstance(decode_json(data, kind), kind)


@given(st.sampled_from(PACKED_KINDS), st.binary(max_size=300) | anything.map(_packed))
def test_any_packed_bytes_are_malformed(kind: type, data: bytes) -> None:
    with pytest.raises((MalformedMessage, LimitExceeded)):
        decode_msgpack(data, kind)


@pytest.mark.parametrize("kind", JSON_KINDS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"params":', b'{"reasons":['])
def test_deep_nesting_is_refused(kind: type, opening: bytes) -> None:
    for depth in (64, 65, 1_000, 200_000):
        with pytest.raises((MalformedMessage, LimitExceeded)):
            decode_json(opening * depth, kind)


@pytest.mark.parametrize("kind", PACKED_KINDS)
def test_deep_packed_nesting_is_refused(kind: type) -> None:
    for byte in (b"\x91", b"\x81\xa1a", b"\xdc\x00\x01"):
        with pytest.raises((MalformedMessage, LimitExceeded)):
            decode_msgpack(byte * 100_000, kind)


@pytest.mark.parametrize("kind", JSON_KINDS)
def test_one_byte_too_many_is_refused(kind: type) -> None:
    with pytest.raises(LimitExceeded):
        decode_json(b" " * (4 * 1024 * 1024 + 1), kind)


# --- invites and descriptors ------------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_any_text_is_no_invite(text: str) -> None:
    for candidate in (text, "xinglin-invite-1." + text):
        with pytest.raises((MalformedMessage, LimitExceeded)):
            parse_invite(candidate)


@given(st.integers(0, len(INVITE.text()) - 1), st.characters(codec="utf-8"))
def test_an_invite_with_one_changed_character(at: int, char: str) -> None:
    text = INVITE.text()
    try:
        found = parse_invite(text[:at] + char + text[at + 1 :])
    except (MalformedMessage, LimitExceeded):
        return
    assert isinstance(found, Invite)


def test_an_invite_and_a_descriptor_are_read_back() -> None:
    assert parse_invite(INVITE.text()) == INVITE
    assert parse_space(canonical_bytes(SPACE)) == SPACE
    newer = msgspec.structs.replace(SPACE, version=2)
    with pytest.raises(MalformedMessage):
        parse_space(canonical_bytes(newer))
    with pytest.raises(MalformedMessage):
        parse_invite(msgspec.structs.replace(INVITE, space=newer).text())


# --- orders of runs ----------------------------------------------------------------------------------------


def test_an_order_in_order_is_a_use() -> None:
    order = RunOrder(run_id_of(SIGNED), SIGNED.to_bytes(), canonical_bytes(PLAN))
    assert use_of(order).plan == PLAN


@given(plain, st.sampled_from([f.name for f in msgspec.structs.fields(Plan)]))
@settings(max_examples=200)
def test_a_plan_with_any_field_changed_is_refused(value: Any, name: str) -> None:
    fields = {**msgspec.to_builtins(PLAN), name: value}
    if fields == msgspec.to_builtins(PLAN):
        return
    order = RunOrder(run_id_of(SIGNED), SIGNED.to_bytes(), msgspec.json.encode(fields))
    with pytest.raises(XinglinError):
        use_of(order)


@given(plain, st.sampled_from([f.name for f in msgspec.structs.fields(UseRequest)]))
@settings(max_examples=200)
def test_a_request_with_any_field_changed_gives_a_use_or_a_typed_error(value: Any, name: str) -> None:
    fields = {**msgspec.to_builtins(REQUEST), name: value}
    signed = sign(KEYS, USE_REQUEST, msgspec.json.encode(fields))
    order = RunOrder(run_id_of(signed), signed.to_bytes(), canonical_bytes(PLAN))
    with contextlib.suppress(XinglinError):
        assert use_of(order).request.requester == KEYS.did


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_order_is_refused(request: bytes, plan: bytes) -> None:
    with pytest.raises(XinglinError):
        use_of(RunOrder("run-x", request, plan))


# --- the record: no leaf breaks who folds it -----------------------------------------------------------------


@given(st.binary(max_size=300) | plain.map(msgspec.json.encode))
def test_any_leaf_has_no_effect(data: bytes) -> None:
    record = SpaceRecord(SPACE)
    record.take(data)
    assert record.size == 1
    assert record.policy_text == POLICY
    assert not record.revoked


BODIES = {
    "policy": sign_policy(POLICY, POLICY, REGULATOR),
    "agreement-end": sign_ending("agreement-end", "sha256:" + "0" * 64, REGULATOR),
    "freeze": sign_ending("freeze", "study", REGULATOR),
    "key-registration": {"did": KEYS.did},
    "key-change": {"did": KEYS.did},
    "key-revocation": {"did": KEYS.did},
}


@given(st.sampled_from(sorted(BODIES)), st.text(max_size=10), plain, st.booleans())
@settings(max_examples=300)
def test_any_body_of_a_public_leaf_has_no_effect(kind: str, name: str, value: Any, known: bool) -> None:
    body = dict(BODIES[kind])
    body[sorted(body)[len(name) % len(body)] if known else name] = value
    try:
        data = Entry(kind=kind, at=1, submitter=KEYS.did, body=body).to_bytes()
    except XinglinError:
        return
    record = SpaceRecord(SPACE)
    record.take(data)
    assert (record.policy_text, record.revoked, record.ended) == (POLICY, frozenset(), {})


@given(st.binary(max_size=100))
def test_reports_and_orders_are_read_back(data: bytes) -> None:
    reports = Reports(KEYS.did, "boot", 1, 1, ())
    assert decode_msgpack(encode_msgpack(reports), Reports) == reports
    sealed = Sealed("run", data, data)
    assert decode_msgpack(encode_msgpack(sealed), Sealed) == sealed
