"""Checkpoints and cosignatures: what each signature covers, and that every other byte is refused."""

from __future__ import annotations

import pytest
from tests.unit.evidence.space import NOW_S, ORIGIN, Space, ed25519_signer, mldsa44_signer

from xinglin.evidence.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from xinglin.evidence.cosignature import (
    check_cosignature,
    check_signature,
    cosign,
    ed25519_message,
    mldsa44_message,
    parse_cosignature,
)
from xinglin.evidence.errors import BadSignature, MalformedCheckpoint, MalformedKey, MalformedNote
from xinglin.evidence.notes import Note, NoteSignature, VerifierKey, check_plain, parse_note, sign_note, verify_note
from xinglin.evidence.tree import EMPTY_ROOT
from xinglin.kernel import LimitExceeded

ROOT = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def test_both_messages_are_those_of_the_specification() -> None:
    checkpoint = Checkpoint("example.com/log", 20852163, bytes(range(32)))
    text = checkpoint.to_text()
    assert ed25519_message(text, 1679315147) == b"cosignature/v1\ntime 1679315147\n" + text.encode()
    assert mldsa44_message("w.example", 1679315147, checkpoint) == (
        b"subtree/v1\n\x00"
        b"\x09w.example"
        b"\x00\x00\x00\x00\x64\x18\x50\xcb"
        b"\x0fexample.com/log" + bytes(8) + b"\x00\x00\x00\x00\x01\x3e\x2d\xc3" + bytes(range(32))
    )


@pytest.mark.parametrize("signer", [ed25519_signer("w.example", 0x04), mldsa44_signer("w.example")])
def test_a_cosignature_verifies_and_carries_its_time(space: Space, signer: object) -> None:
    line = cosign(space.signed.text, signer, NOW_S)  # type: ignore[arg-type]
    note = parse_note(space.signed.with_signatures([line]).to_text())
    assert check_cosignature(signer.key, note, note.signatures[1]).time_s == NOW_S  # type: ignore[attr-defined]
    assert verify_note(note, [space.log.key, signer.key], check_signature)  # type: ignore[attr-defined]


@pytest.mark.parametrize("signer", [ed25519_signer("w.example", 0x04), mldsa44_signer("w.example")])
@pytest.mark.parametrize("change", ["time", "signature", "size", "root", "origin", "short", "long", "future"])
def test_a_changed_cosignature_or_checkpoint_is_refused(space: Space, signer: object, change: str) -> None:
    key = signer.key  # type: ignore[attr-defined]
    raw = cosign(space.signed.text, signer, NOW_S).signature  # type: ignore[arg-type]
    text, tree = space.signed.text, space.checkpoint
    if change == "time":
        raw = (NOW_S + 1).to_bytes(8, "big") + raw[8:]
    elif change == "signature":
        raw = raw[: 100 % len(raw)] + bytes([raw[100 % len(raw)] ^ 1]) + raw[100 % len(raw) + 1 :]
    elif change == "size":
        text = Checkpoint(tree.origin, tree.size + 1, tree.root).to_text()
    elif change == "root":
        text = Checkpoint(tree.origin, tree.size, bytes(32)).to_text()
    elif change == "origin":
        text = Checkpoint(tree.origin + "x", tree.size, tree.root).to_text()
    elif change == "short":
        raw = raw[:-1]
    elif change == "long":
        raw = raw + b"\x00"
    else:
        raw = b"\x80" + raw[1:]
    note = Note(text, (NoteSignature(key.name, key.key_id, raw),))
    with pytest.raises(BadSignature):
        check_signature(key, note, note.signatures[0])


def test_an_mldsa44_cosignature_names_its_cosigner_and_an_extension_line_is_not_covered(space: Space) -> None:
    signer = mldsa44_signer("w.example")
    line = cosign(space.signed.text, signer, NOW_S)
    renamed = VerifierKey("other.example", 0x06, signer.key.public)
    note = Note(space.signed.text, (NoteSignature("other.example", renamed.key_id, line.signature),))
    with pytest.raises(BadSignature):
        check_signature(renamed, note, note.signatures[0])
    # tlog-cosignature says so: "checkpoint extension lines are not included in the signed message".
    assert check_cosignature(signer.key, Note(space.signed.text + "extension\n", (line,)), line)


def test_a_plain_signature_and_a_cosignature_are_never_taken_for_each_other(space: Space) -> None:
    plain, witness = ed25519_signer("w.example", 0x01), ed25519_signer("w.example", 0x04)
    assert plain.key.public == witness.key.public and plain.key.key_id != witness.key.key_id
    note_line = sign_note(space.signed.text, plain)
    forged = NoteSignature("w.example", witness.key.key_id, bytes(8) + note_line.signature)
    with pytest.raises(BadSignature):
        check_signature(witness.key, Note(space.signed.text, (forged,)), forged)
    with pytest.raises(BadSignature):
        check_plain(witness.key, space.signed, note_line)
    with pytest.raises(MalformedKey):
        cosign(space.signed.text, plain, NOW_S)
    with pytest.raises(MalformedKey):
        sign_note(space.signed.text, witness)


def test_what_cannot_be_signed_is_refused(space: Space) -> None:
    with pytest.raises(BadSignature):
        cosign(space.signed.text, ed25519_signer("w.example", 0x04), 2**63)
    with pytest.raises(MalformedCheckpoint):
        cosign("not a checkpoint\n", ed25519_signer("w.example", 0x04), NOW_S)
    with pytest.raises(MalformedCheckpoint):
        sign_checkpoint(space.checkpoint, ed25519_signer("another.example", 0x01))
    with pytest.raises(MalformedNote):
        sign_note("no newline", ed25519_signer("w.example", 0x01))
    with pytest.raises(BadSignature):
        parse_cosignature(0x01, bytes(72))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"{ORIGIN}\n01\n{ROOT}\n",
        f"{ORIGIN}\n+1\n{ROOT}\n",
        f"{ORIGIN}\n1 \n{ROOT}\n",
        f"{ORIGIN}\n１\n{ROOT}\n",
        f"{ORIGIN}\n-1\n{ROOT}\n",
        f"{ORIGIN}\n9223372036854775808\n{ROOT}\n",
        f"{ORIGIN}\n0\n{ROOT}\n",
        f"{ORIGIN}\n1\n{ROOT[:-1]}\n",
        f"{ORIGIN}\n1\n{ROOT[:-2]}B=\n",
        f"{ORIGIN}\n1\nAAAA\n",
        f"{ORIGIN}\n1\n{ROOT}\n\n",
        f"{ORIGIN}\n1\n\n{ROOT}\n",
        f"{'x' * 256}\n1\n{ROOT}\n",
        f"tab\there\n1\n{ROOT}\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedCheckpoint):
        parse_checkpoint(text)


def test_a_checkpoint_comes_back_from_its_text_with_its_extensions() -> None:
    for size, root in ((0, EMPTY_ROOT), (1, bytes(32)), (2**63 - 1, bytes(32))):
        checkpoint = Checkpoint("医疗.example/日志", size, root, ("first", "second"))
        assert parse_checkpoint(checkpoint.to_text()) == checkpoint
    with pytest.raises(LimitExceeded):
        Checkpoint(ORIGIN, 1, bytes(32), ("line",) * 17)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u3000b", "a\nb", "x" * 256, "\ud800"])
def test_a_key_name_with_space_plus_or_control_is_refused(name: str) -> None:
    with pytest.raises(MalformedKey):
        VerifierKey(name, 0x01, ed25519_signer("w", 0x01).key.public)


@pytest.mark.parametrize(
    "public",
    [
        bytes(32),
        b"\x01" + bytes(31),
        b"\xec" + b"\xff" * 30 + b"\x7f",
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        b"\xed" + b"\xff" * 30 + b"\x7f",
        b"\xee" + b"\xff" * 30 + b"\x7f",
        bytes(31),
    ],
)
def test_a_low_order_or_non_canonical_key_is_refused(public: bytes) -> None:
    for kind in (0x01, 0x04):
        with pytest.raises(MalformedKey):
            VerifierKey("w.example", kind, public)


def test_two_keys_of_one_name_and_id_are_refused_rather_than_confused(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = ed25519_signer("w.example", 0x01), ed25519_signer("w.example", 0x01, "another secret")
    monkeypatch.setattr("xinglin.evidence.notes.key_id", lambda name, kind, public: 7)
    note = Note(space.signed.text, (sign_note(space.signed.text, one),))
    with pytest.raises(MalformedKey):
        verify_note(note, [one.key, two.key])


def test_a_repeated_line_is_kept_once(space: Space) -> None:
    line = cosign(space.signed.text, space.regulator, NOW_S)
    assert space.signed.with_signatures([line, line]).with_signatures([line]).signatures == (
        *space.signed.signatures,
        line,
    )
