"""Every parser of evidence, fed with anything: a value that spells the same text again, or a named error."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evidence.space import DID, ORIGIN, Space, entry

from xinglin.evidence.checkpoint import parse_checkpoint
from xinglin.evidence.entry import KINDS, Entry, decode_entry
from xinglin.evidence.errors import BadProof, MalformedEntry
from xinglin.evidence.notes import Note, NoteSignature, parse_note, parse_vkey
from xinglin.evidence.policy import parse_policy, verify_checkpoint
from xinglin.evidence.receipt import Receipt, parse_receipt, verify_receipt
from xinglin.evidence.submission import decode_batch, open_batch, sign_batch
from xinglin.evidence.tiles import Tile, format_bundle, parse_bundle, parse_path
from xinglin.evidence.tree import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from xinglin.kernel import XinglinError, canonical_bytes

SPACE = Space(20)
RECEIPT = SPACE.receipt(11).to_text()
BATCH = sign_batch([entry(1), entry(2)], ORIGIN, DID, lambda context, payload: bytes(64))


def spell_entry(data: bytes) -> bytes:
    return decode_entry(data).to_bytes()


def spell_policy(data: bytes) -> bytes:
    text = parse_policy(data).to_text()
    assert parse_policy(text.encode("utf-8", "surrogateescape")) == parse_policy(data)
    return data


def spell_bundle(data: bytes) -> bytes:
    return format_bundle(parse_bundle(data, 2))


def spell_batch(data: bytes) -> bytes:
    batch = decode_batch(data)
    open_batch(batch, ORIGIN, lambda did, context, payload, signature: None)
    return data


PARSERS: dict[str, tuple[Any, bytes]] = {
    "note": (lambda data: parse_note(data).to_text().encode(), SPACE.full.to_text().encode()),
    "checkpoint": (
        lambda data: parse_checkpoint(data.decode("utf-8", "surrogateescape")).to_text().encode(),
        SPACE.full.text.encode(),
    ),
    "vkey": (
        lambda data: parse_vkey(data.decode("utf-8", "surrogateescape")).to_text().encode(),
        SPACE.log.key.to_text().encode(),
    ),
    "policy": (spell_policy, SPACE.policy.to_text().encode()),
    "receipt": (lambda data: parse_receipt(data).to_text().encode(), RECEIPT.encode()),
    "entry": (spell_entry, SPACE.entries[4]),
    "bundle": (spell_bundle, format_bundle(SPACE.entries[:2])),
    "batch": (spell_batch, BATCH.to_bytes()),
    "path": (lambda data: parse_path(data.decode("latin-1")).to_path().encode(), b"tile/3/x001/234.p/7"),
}

edits = st.lists(
    st.tuples(st.integers(0, 2**16), st.sampled_from(["drop", "flip", "insert", "copy", "cut"]), st.binary(max_size=6)),
    max_size=4,
)


def edited(data: bytes, changes: list[tuple[int, str, bytes]]) -> bytes:
    for place, what, piece in changes:
        at = place % (len(data) + 1)
        if what == "drop":
            data = data[:at] + data[at + 1 :]
        elif what == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (piece or b"\x01")[0]]) + data[at + 1 :]
        elif what == "insert":
            data = data[:at] + piece + data[at:]
        elif what == "copy":
            data = data[:at] + data[at // 2 : at] + data[at:]
        elif what == "cut":
            data = data[:at]
    return data


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.one_of(st.binary(max_size=400), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_give_a_value_or_a_named_error(name: str, data: bytes) -> None:
    spell, _ = PARSERS[name]
    with contextlib.suppress(XinglinError):
        assert spell(data) == data


@pytest.mark.parametrize("name", PARSERS)
@given(changes=edits)
def test_an_edited_message_gives_a_value_or_a_named_error(name: str, changes: list[tuple[int, str, bytes]]) -> None:
    spell, sound = PARSERS[name]
    data = edited(sound, changes)
    try:
        assert spell(data) == data
    except XinglinError:
        assert data != sound


@given(changes=edits)
def test_an_edited_receipt_never_proves_another_entry(changes: list[tuple[int, str, bytes]]) -> None:
    data = edited(RECEIPT.encode(), changes)
    try:
        verified = verify_receipt(data, SPACE.policy)
    except XinglinError:
        return
    assert (verified.index, verified.data) == (11, SPACE.entries[11])
    assert verified.checkpoint.checkpoint == SPACE.checkpoint


@given(text=st.text(max_size=100), names=st.lists(st.text(max_size=10), max_size=3))
def test_notes_of_any_text_and_lines_are_refused_by_a_policy_in_words(text: str, names: list[str]) -> None:
    note = Note(text, tuple(NoteSignature(name, 7, b"x") for name in names))
    with pytest.raises(XinglinError):
        verify_checkpoint(SPACE.policy, note)
    assert not SPACE.policy.satisfied(note)


@given(
    index=st.integers(0, 2**63 - 2),
    proof=st.lists(st.binary(min_size=32, max_size=32), max_size=10).map(tuple),
    extra=st.binary(max_size=50),
)
def test_a_receipt_of_any_fields_comes_back(index: int, proof: tuple[bytes, ...], extra: bytes) -> None:
    receipt = Receipt(index, proof, SPACE.full, extra)
    assert parse_receipt(receipt.to_text()) == receipt


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(
    kind=st.sampled_from([kind.name for kind in KINDS.values() if kind.public]),
    at=st.integers(0, 2**53 - 1),
    body=st.dictionaries(st.text(max_size=8), json_values, max_size=5),
)
def test_an_entry_of_any_body_comes_back_in_one_spelling(kind: str, at: int, body: dict[str, Any]) -> None:
    try:
        data = Entry(kind=kind, at=at, submitter=DID, body=body).to_bytes()
    except MalformedEntry:
        assert any(character in repr(body) for character in ".e")  # a float that is a whole number beyond 2^53 - 1
        return
    again = decode_entry(data)
    assert again.to_bytes() == data and canonical_bytes(again.body) == canonical_bytes(body)


@given(index=st.integers(0, 2**50), level=st.none() | st.integers(0, 7), width=st.integers(1, 256))
def test_a_path_of_any_tile_comes_back(index: int, level: int | None, width: int) -> None:
    assert parse_path(Tile(level, index, width).to_path()) == Tile(level, index, width)


@given(entries=st.lists(st.binary(max_size=60), min_size=1, max_size=256))
def test_a_bundle_of_any_entries_comes_back(entries: list[bytes]) -> None:
    assert parse_bundle(format_bundle(entries), len(entries)) == tuple(entries)


@functools.cache
def grown(size: int) -> tuple[dict[tuple[int, int], bytes], list[bytes]]:
    nodes: dict[tuple[int, int], bytes] = {}
    tree, roots = CompactRange(), []
    for number in range(size + 1):
        roots.append(tree.root())
        tree.append(leaf_hash(b"%d" % number), lambda level, index, digest: nodes.update({(level, index): digest}))
    return nodes, roots


@given(
    sizes=st.tuples(st.integers(1, 3000), st.integers(1, 3000)), pick=st.integers(0, 2**20), flip=st.integers(0, 2**20)
)
def test_proofs_of_large_trees_verify_and_one_flipped_bit_spoils_them(
    sizes: tuple[int, int], pick: int, flip: int
) -> None:
    nodes, roots = grown(3000)
    old, new = sorted(sizes)

    def reader(level: int, index: int, /) -> bytes:
        return nodes[level, index]

    leaf = leaf_hash(b"%d" % (pick % new))
    inclusion = inclusion_proof(reader, pick % new, new)
    verify_inclusion(leaf, pick % new, new, inclusion, roots[new])
    consistency = consistency_proof(reader, old, new)
    verify_consistency(old, new, roots[old], roots[new], consistency)
    for proof, verify in (
        (inclusion, lambda spoilt: verify_inclusion(leaf, pick % new, new, spoilt, roots[new])),
        (consistency, lambda spoilt: verify_consistency(old, new, roots[old], roots[new], spoilt)),
    ):
        if proof:
            raw = bytearray(b"".join(proof))
            raw[flip // 8 % len(raw)] ^= 1 << flip % 8
            with pytest.raises(BadProof):
                verify([bytes(raw[at : at + 32]) for at in range(0, len(raw), 32)])
