"""Notes, checkpoints and keys that other implementations published: ours reads, verifies and re-makes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from xinglin.evidence.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from xinglin.evidence.cosignature import check_cosignature, check_signature
from xinglin.evidence.errors import BadSignature, EvidenceError, MalformedKey, MalformedNote
from xinglin.evidence.notes import (
    MLDSA44_COSIGNATURE,
    Note,
    Signer,
    VerifierKey,
    decode_base64,
    parse_note,
    parse_vkey,
    sign_note,
    verify_note,
)
from xinglin.evidence.tiles import format_bundle, parse_bundle
from xinglin.evidence.tree import CompactRange, leaf_hash
from xinglin.kernel import LimitExceeded

# golang.org/x/mod/sumdb/note, note_test.go.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = decode_base64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

# C2SP signed-note.md and tlog-cosignature.md, the examples at their heads (no keys are published with them).
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)

# transparency-dev/tessera, testdata/build_log.sh and testdata/log.
TESSERA_VKEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
TESSERA_SEED = decode_base64("AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg")[1:]
TESSERA_LEAVES = [
    *("one", "two", "three", "four", "five", "six", "seven", "eit"),
    *("nain", "ten", "ileven", "twelf", "threeten", "fourten", "fivten"),
]
TESSERA = {
    0: "M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNOcdjqjOq89wVvTA60eubCc4oufo5BvIVEgtQc=",
    7: "M9e0luA5JhTRUki/BBQD0QNiH6AEJ2pdtsA5CQjqJErViuuKrN6513RCTL2640wXJv0dCed3neRGI6dMzBq9uANf2Qc=",
    8: "M9e0lq1EK37dHtgv9O3UzPxisw5vwIPcJsX9ab0xt4mvVfbdUR1fbMjN6sBFYpBoBEmD4+cWhj/AVgI5MitCO5+mews=",
    15: "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=",
}
TESSERA_ROOTS = {
    0: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    7: "IrSXADBqJ7EQoUODSDKROySgNveeL6CFhik2w/+fS7U=",
    8: "bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=",
    15: "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=",
}


def ed25519_signer(vkey: str, seed: bytes) -> Signer:
    return Signer(parse_vkey(vkey), Ed25519PrivateKey.from_private_bytes(seed).sign)


def test_the_go_note_verifies_and_is_remade_byte_for_byte() -> None:
    note = parse_note(TEXT + "\n" + LINE)
    assert verify_note(note, [parse_vkey(VKEY)]) == (parse_vkey(VKEY),)
    assert parse_vkey(VKEY).to_text() == VKEY
    assert Note(TEXT, (sign_note(TEXT, ed25519_signer(VKEY, SEED)),)).to_text() == TEXT + "\n" + LINE


@pytest.mark.parametrize(
    "bad",
    [
        TEXT,
        TEXT + "\n",
        TEXT + "\n" + LINE[:-1],
        "\x01" + TEXT + "\n" + LINE,
        b"\xff" + (TEXT + "\n" + LINE).encode(),
        TEXT + "\n" + LINE.replace("PeterNeumann", "Bad Name"),
        TEXT + "\n" + LINE + "Unexpected line.\n",
        TEXT + "\n" + LINE.replace("—", "-"),
        TEXT + "\n" + LINE.replace("=\n", "\n"),
        TEXT + "\n— PeterNeumann x08gow==\n",
        TEXT + LINE,
        "",
        "\n",
        "\n\n",
    ],
)
def test_the_go_table_of_bad_notes_is_refused(bad: str | bytes) -> None:
    with pytest.raises(MalformedNote):
        parse_note(bad)


def test_no_part_of_a_vkey_is_a_vkey_and_no_changed_byte_is() -> None:
    for start in range(len(VKEY)):
        for end in range(start, len(VKEY) + 1):
            if (start, end) != (0, len(VKEY)):
                with pytest.raises(MalformedKey):
                    parse_vkey(VKEY[start:end])
    for at, letter in enumerate(VKEY):
        with pytest.raises(MalformedKey):
            parse_vkey(VKEY[:at] + chr(ord(letter) + 1) + VKEY[at + 1 :])
    for wrong in (
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ):
        with pytest.raises(MalformedKey):
            parse_vkey(wrong)


def test_a_known_key_that_fails_rejects_the_note_and_an_unknown_one_is_ignored() -> None:
    key = parse_vkey(VKEY)
    broken = LINE.replace("RyyBwJnAM=", "RyyBwJnBM=")
    for block in (broken, LINE + broken, broken + LINE):
        with pytest.raises(BadSignature):
            verify_note(parse_note(TEXT + "\n" + block), [key])
    other = LINE.replace("PeterNeumann", "EnochRoot")
    assert verify_note(parse_note(TEXT + "\n" + other + LINE), [key]) == (key,)
    with pytest.raises(BadSignature):
        verify_note(parse_note(TEXT + "\n" + other), [key])
    with pytest.raises(BadSignature):
        verify_note(parse_note(TEXT.replace("answer", "question") + "\n" + LINE), [key])


def test_a_hundred_signatures_are_read_and_one_beyond_the_limit_is_refused() -> None:
    assert verify_note(parse_note(TEXT + "\n" + LINE * 100), [parse_vkey(VKEY)])
    assert len(parse_note(TEXT + "\n" + LINE * 128).signatures) == 128
    with pytest.raises(LimitExceeded):
        parse_note(TEXT + "\n" + LINE * 129)


def test_the_examples_of_the_c2sp_pages_are_read() -> None:
    poem = parse_note(POEM)
    assert poem.text.endswith("\n\ned è subito sera.\n")
    assert [(each.name, each.key_id, len(each.signature)) for each in poem.signatures] == [
        ("quasimodo.example/salvatore", 0x367BA04B, 64)
    ]
    sofa = parse_note(SOFA)
    assert parse_checkpoint(sofa.text).size == 20852163
    witness = sofa.signatures[1]
    assert int.from_bytes(witness.signature[:8], "big") == 1679315147 and len(witness.signature) == 72
    assert (poem.to_text(), sofa.to_text()) == (POEM, SOFA)


@pytest.mark.parametrize("size", TESSERA)
def test_tessera_checkpoints_verify_and_are_remade_from_the_leaves(size: int) -> None:
    tree = CompactRange()
    tree.extend(leaf_hash(leaf.encode()) for leaf in TESSERA_LEAVES[:size])
    checkpoint = Checkpoint("example.com/log/testdata", size, tree.root())
    text = f"example.com/log/testdata\n{size}\n{TESSERA_ROOTS[size]}\n\n— example.com/log/testdata {TESSERA[size]}\n"
    note = parse_note(text)
    assert verify_note(note, [parse_vkey(TESSERA_VKEY)]) and parse_checkpoint(note.text) == checkpoint
    assert sign_checkpoint(checkpoint, ed25519_signer(TESSERA_VKEY, TESSERA_SEED)).to_text() == text


def test_the_bundle_layout_is_that_of_tlog_tiles() -> None:
    bundle = format_bundle([leaf.encode() for leaf in TESSERA_LEAVES])
    assert bundle.startswith(b"\x00\x03one\x00\x03two\x00\x05three")
    assert parse_bundle(bundle, 15) == tuple(leaf.encode() for leaf in TESSERA_LEAVES)


def test_an_mldsa44_checkpoint_of_another_implementation_verifies() -> None:
    # FiloSottile/torchwood, cmd/litewitness/testdata/mldsa.txt: the key by its published seed, time 0.
    seed = bytes.fromhex("2886adc2b0eabfce67c0472939127998bf886cf256bfee8ba76a253fce1146e0")
    public = MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
    key = VerifierKey("example.com/mldsa-log", MLDSA44_COSIGNATURE, public)
    assert key.key_id == 0xB5DF45C5
    data = (Path(__file__).parent / "mldsa44-log.checkpoint").read_bytes()
    note = parse_note(data)
    assert note.to_text().encode() == data
    assert verify_note(note, [key], check_signature) == (key,)
    assert check_cosignature(key, note, note.signatures[0]).time_s == 0
    assert parse_checkpoint(note.text).root == leaf_hash(b"testonly")
    for other in (note.text.replace("\n1\n", "\n2\n"), note.text.replace("mldsa-log", "mldsa-lag")):
        with pytest.raises(EvidenceError):
            verify_note(Note(other, note.signatures), [key], check_signature)
