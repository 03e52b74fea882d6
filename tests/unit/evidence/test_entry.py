"""Entries: one spelling, closed kinds, and nothing that does not belong in a leaf."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.unit.evidence.space import DID, OTHER_DID, RUN, entry

from xinglin.evidence.commitments import commit, derive_salt, new_salt, open_commitment
from xinglin.evidence.entry import ENTRY_BYTES, KINDS, Entry, decode_entry
from xinglin.evidence.errors import CommitmentMismatch, EvidenceError, MalformedEntry, NewerVersion
from xinglin.kernel import LimitExceeded, MalformedMessage

SALTED = "salted-sha256:" + "0" * 64


def test_an_entry_comes_back_from_its_bytes() -> None:
    data = entry(3).to_bytes()
    assert decode_entry(data) == entry(3)
    assert data.startswith(b'{"at":1800000000003,"body":{},"commitments":{"plan":"salted-sha256:')


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS.values() if not kind.public])
def test_a_kind_of_commitments_carries_no_body(kind: str) -> None:
    with pytest.raises(MalformedEntry, match="carries no body"):
        Entry(kind=kind, at=0, submitter=DID, body={"patients": 3})
    assert Entry(kind=kind, at=0, submitter=DID, commitments={"reasons": SALTED}).to_bytes()


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS.values() if kind.public])
def test_a_public_kind_carries_a_body(kind: str) -> None:
    public = Entry(kind=kind, at=0, submitter=DID, body={"terms": ["read"], "version": 2, "share": 0.25})
    assert decode_entry(public.to_bytes()) == public


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "note"},
        {"kind": ""},
        {"at": -1},
        {"at": 2**53},
        {"submitter": "did:web:hospital.example"},
        {"submitter": ""},
        {"submitter": DID + "\n"},
        {"parties": (DID, DID)},
        {"parties": ("Wang Wei",)},
        {"subject": "Wang Wei, ward 3"},
        {"subject": "13800138000"},
        {"subject": RUN + "\n"},
        {"subject": "sha256:" + "0" * 63},
        {"commitments": {"plan": "sha256:" + "0" * 64}},
        {"commitments": {"plan": "12 patients"}},
        {"commitments": {"Wang Wei": SALTED}},
        {"commitments": {"": SALTED}},
        {"commitments": {"plan": SALTED + "\n"}},
        {"body": {"rows": 12}},
    ],
)
def test_a_field_that_says_what_a_leaf_may_not_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(MalformedEntry):
        msgspec.structs.replace(entry(0), **change)
    plain = {**json.loads(entry(0).to_bytes()), **change}
    with pytest.raises(MalformedEntry):
        decode_entry(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b" ",
        lambda data: b" " + data,
        lambda data: data.replace(b'"at":', b'"at": '),
        lambda data: data.replace(b'"version":1', b'"version":1.0'),
        lambda data: data.replace(b'"version":1', b'"version":1,"version":1'),
        lambda data: data.replace(b'"version":1', b'"version":1,"words":"x"'),
        lambda data: data.replace(b'"body":{},', b""),
        lambda data: data.replace(b"admitted", b"\\u0061dmitted"),
        lambda data: data.replace(b"admitted", b"\xff"),
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: b"[]",
        lambda data: b"null",
        lambda data: b"[" * 5000,
    ],
)
def test_any_other_spelling_is_refused(spoil: object) -> None:
    with pytest.raises(MalformedEntry):
        decode_entry(spoil(entry(0).to_bytes()))  # type: ignore[operator]


def test_a_newer_version_is_refused_by_name_and_not_guessed() -> None:
    newer = entry(0).to_bytes().replace(b'"version":1', b'"version":2,"words":"x"')
    with pytest.raises(NewerVersion):
        decode_entry(newer)
    with pytest.raises(NewerVersion):
        msgspec.structs.replace(entry(0), version=0)


def test_one_byte_more_than_the_limit_is_refused() -> None:
    def sized(count: int) -> Entry:
        return Entry(kind="policy", at=0, submitter=DID, body={"text": "x" * count})

    spare = ENTRY_BYTES.value - len(sized(0).to_bytes())
    data = sized(spare).to_bytes()
    assert len(data) == 65_535 and decode_entry(data)
    with pytest.raises(LimitExceeded):
        sized(spare + 1).to_bytes()
    with pytest.raises(LimitExceeded):
        decode_entry(data + b" ")


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 10**20 + 1, float("inf"), float("nan")])
def test_a_body_that_no_reader_would_take_is_never_written(number: float) -> None:
    with pytest.raises((MalformedEntry, MalformedMessage)):
        Entry(kind="usage", at=0, submitter=DID, body={"units": number}).to_bytes()
    deep: object = 1
    for _ in range(64):
        deep = [deep]
    with pytest.raises((MalformedEntry, LimitExceeded)):
        Entry(kind="usage", at=0, submitter=DID, body={"units": deep}).to_bytes()
    for fine in (2.0**53 - 1, 2.0**53, 1e20):
        assert decode_entry(Entry(kind="usage", at=0, submitter=DID, body={"units": fine}).to_bytes())


def test_parties_and_commitments_are_limited() -> None:
    many = tuple("did:xinglin:" + chr(97 + number // 26) + chr(97 + number % 26) + "a" * 24 for number in range(257))
    assert Entry(kind="agreement", at=0, submitter=DID, parties=many[:256])
    with pytest.raises(LimitExceeded):
        Entry(kind="agreement", at=0, submitter=DID, parties=many)
    labels = {f"label_{number}": SALTED for number in range(33)}
    with pytest.raises(LimitExceeded):
        Entry(kind="admitted", at=0, submitter=DID, commitments=labels)


def test_a_commitment_opens_to_its_value_and_to_no_other() -> None:
    salt = new_salt()
    commitment = commit(salt, {"cells": [12, 15], "name": "流感"})
    open_commitment(commitment, salt, {"name": "流感", "cells": [12, 15]})
    for wrong in ((new_salt(), {"cells": [12, 15], "name": "流感"}), (salt, {"cells": [12, 16], "name": "流感"})):
        with pytest.raises(CommitmentMismatch):
            open_commitment(commitment, *wrong)
    with pytest.raises(CommitmentMismatch):
        open_commitment(commitment.upper() + "é", salt, {"cells": [12, 15], "name": "流感"})


def test_bytes_and_json_of_the_same_spelling_are_different_commitments() -> None:
    assert commit(bytes(32), b'"x"') != commit(bytes(32), "x")


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_salt_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(CommitmentMismatch):
        commit(bytes(size), "value")


def test_all_holders_of_a_key_derive_one_salt_for_a_label() -> None:
    key = bytes(range(32))
    assert derive_salt(key, "result") == derive_salt(key, "result") != derive_salt(key, "state")
    assert derive_salt(bytes(32), "result") != derive_salt(key, "result") and len(derive_salt(key, "")) == 32
    with pytest.raises(CommitmentMismatch):
        derive_salt(key[:31], "result")


def test_errors_of_this_room_carry_a_code_and_words() -> None:
    with pytest.raises(EvidenceError) as caught:
        Entry(kind="admitted", at=0, submitter=DID, parties=(OTHER_DID,), body={"n": 1})
    assert caught.value.code == "evidence.entry" and "Why: " in str(caught.value)
