"""Receipts: one verifies offline; no field of it can be changed; no other entry, log or place passes."""

from __future__ import annotations

import base64

import msgspec
import pytest
from tests.unit.evidence.space import NOW_S, Space, entry

from xinglin.evidence import (
    BadProof,
    BadSignature,
    Checkpoint,
    EvidenceError,
    MalformedEntry,
    MalformedReceipt,
    QuorumMissed,
    Receipt,
    build_receipt,
    cosign,
    parse_receipt,
    sign_checkpoint,
    verify_receipt,
)
from xinglin.evidence.tree import CompactRange, leaf_hash
from xinglin.kernel import LimitExceeded, XinglinError


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, 698, 699])
def test_a_receipt_verifies_with_nothing_but_the_policy(space: Space, index: int) -> None:
    text = space.receipt(index).to_text()
    verified = verify_receipt(text, space.policy)
    assert (verified.index, verified.entry, verified.data) == (index, entry(index), space.entries[index])
    assert verified.checkpoint.attested_at_s == NOW_S and verified.fork_protection
    assert verify_receipt(text.encode(), space.policy, space.entries[index]) == verified
    assert parse_receipt(text).to_text() == text


def test_a_receipt_has_the_layout_of_tlog_proof(space: Space) -> None:
    lines = space.receipt(77).to_text().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == "extra " + base64.b64encode(space.entries[77]).decode()
    assert lines[2] == "index 77" and all(len(base64.b64decode(line)) == 32 for line in lines[3:13])
    assert lines[13] == "" and lines[14:16] == ["log.example/grove", "700"]


def test_a_receipt_without_the_entry_needs_it_handed_in(space: Space) -> None:
    bare = msgspec.structs.replace(space.receipt(5), extra=b"").to_text()
    assert "extra" not in bare
    assert verify_receipt(bare, space.policy, space.entries[5]).entry == entry(5)
    with pytest.raises(MalformedReceipt):
        verify_receipt(bare, space.policy)


def test_an_entry_other_than_the_receipts_is_refused(space: Space) -> None:
    text = space.receipt(5).to_text()
    with pytest.raises(MalformedReceipt):
        verify_receipt(text, space.policy, space.entries[6])
    forged = msgspec.structs.replace(space.receipt(5), extra=space.entries[6])
    with pytest.raises(BadProof):
        verify_receipt(forged.to_text(), space.policy)
    with pytest.raises(BadProof):
        verify_receipt(forged.to_text(), space.policy, space.entries[6])


@pytest.mark.parametrize("field", ["index", "proof", "extra", "origin", "size", "root", "signature", "name"])
def test_every_field_is_covered(space: Space, field: str) -> None:
    receipt = space.receipt(300)
    note, tree = receipt.checkpoint, space.checkpoint
    changes: dict[str, list[Receipt]] = {
        "index": [msgspec.structs.replace(receipt, index=at) for at in (0, 299, 301, 699, 700, 2**40)],
        "proof": [
            msgspec.structs.replace(receipt, proof=(*receipt.proof[:at], bytes(32), *receipt.proof[at + 1 :]))
            for at in range(len(receipt.proof))
        ],
        "extra": [msgspec.structs.replace(receipt, extra=receipt.extra.replace(b"admitted", b"delivered"))],
    }
    texts = {
        "origin": note.text.replace("log.example", "log.examplf"),
        "size": note.text.replace("700", "701"),
        "root": Checkpoint(tree.origin, tree.size, bytes(32)).to_text(),
    }
    changes |= {
        key: [msgspec.structs.replace(receipt, checkpoint=msgspec.structs.replace(note, text=text))]
        for key, text in texts.items()
    }
    for key in ("signature", "name"):
        changes[key] = []
        for at, line in enumerate(note.signatures):
            spoilt = bytes([line.signature[-1] ^ 1])
            new = {"signature": line.signature[:-1] + spoilt} if key == "signature" else {"name": line.name + "x"}
            lines = (*note.signatures[:at], msgspec.structs.replace(line, **new), *note.signatures[at + 1 :])
            if key == "signature" or at < 3:  # the log's and the regulator's: no hospital is indispensable
                changed = msgspec.structs.replace(note, signatures=lines)
                changes[key].append(msgspec.structs.replace(receipt, checkpoint=changed))
    for changed in changes[field]:
        with pytest.raises(EvidenceError):
            verify_receipt(changed.to_text(), space.policy)


def test_no_changed_character_of_the_whole_receipt_says_anything_else(space: Space) -> None:
    small = Space(7)
    text = small.receipt(3, small.cosigned(small.regulator, small.regulator_pq, *small.hospitals[:2])).to_text()
    assert verify_receipt(text, small.policy)
    for at in range(0, len(text), 7):
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        with pytest.raises(XinglinError):
            verify_receipt(changed, small.policy)


def test_a_removed_hospital_line_beyond_the_quorum_changes_nothing_and_a_needed_one_does(space: Space) -> None:
    enough = space.cosigned(space.regulator, space.regulator_pq, *space.hospitals[:2])
    assert verify_receipt(space.receipt(9, enough).to_text(), space.policy)
    short = space.cosigned(space.regulator, space.regulator_pq, space.hospitals[0])
    with pytest.raises(QuorumMissed):
        verify_receipt(space.receipt(9, short).to_text(), space.policy)


def test_a_forked_tree_signed_by_the_log_alone_convinces_nobody(space: Space) -> None:
    tree = CompactRange()
    forged = entry(1, "release-authorised").to_bytes()
    tree.append(leaf_hash(forged))
    note = sign_checkpoint(Checkpoint(space.checkpoint.origin, 1, tree.root()), space.log)
    with pytest.raises(QuorumMissed):
        verify_receipt(Receipt(0, (), note, forged).to_text(), space.policy)
    # Cosignatures of the true tree do not carry over: each fails over the forged one.
    with pytest.raises(BadSignature):
        moved = note.with_signatures(space.full.signatures[1:])
        verify_receipt(Receipt(0, (), moved, forged).to_text(), space.policy)


def test_a_leaf_that_is_no_entry_is_refused_though_it_is_in_the_log(space: Space) -> None:
    leaf = b"not an entry"
    note = sign_checkpoint(Checkpoint(space.checkpoint.origin, 1, leaf_hash(leaf)), space.log)
    note = note.with_signatures(cosign(note.text, each, NOW_S) for each in space.witnesses)
    with pytest.raises(MalformedEntry):
        verify_receipt(build_receipt(leaf, 0, space.reader, note).to_text(), space.policy)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text.replace("@v1", "@v2"),
        lambda text: "\n" + text,
        lambda text: text.replace("extra ", "extra  "),
        lambda text: text.replace("extra ", "Extra "),
        lambda text: text.replace("index 5", "index 05"),
        lambda text: text.replace("index 5", "index -5"),
        lambda text: text.replace("index 5", "index 9223372036854775807"),
        lambda text: text.replace("index 5\n", ""),
        lambda text: text.replace("index 5\n", "index 5\nAAAA\n"),
        lambda text: text.replace("index 5\n", "index 5\nindex 5\n"),
        lambda text: text.replace("\n\n", "\n", 1),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.encode()[:20] + b"\xff" + text.encode()[20:],
        lambda text: text.partition("index")[0],
        lambda text: "c2sp.org/tlog-proof@v1\nextra \n" + text.partition("\n")[2].partition("\n")[2],
    ],
)
def test_a_text_that_is_no_receipt_is_refused(space: Space, spoil: object) -> None:
    with pytest.raises(EvidenceError):
        parse_receipt(spoil(space.receipt(5).to_text()))  # type: ignore[operator]


def test_limits_of_a_receipt(space: Space) -> None:
    text = space.receipt(5).to_text()
    with pytest.raises(LimitExceeded):
        parse_receipt("x" * (1024 * 1024 + 1))
    with pytest.raises(LimitExceeded):
        parse_receipt(text.replace("index 5\n", "index 5\n" + (base64.b64encode(bytes(32)).decode() + "\n") * 60))
    with pytest.raises(LimitExceeded):
        verify_receipt(msgspec.structs.replace(space.receipt(5), extra=bytes(65_536)).to_text(), space.policy)
