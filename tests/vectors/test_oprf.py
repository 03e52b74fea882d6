"""RFC 9497, appendix A.1: every vector of ristretto255-SHA512, in the plain, the verifiable and the public mode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xinglin.secure.blind import oprf, proofs, ristretto
from xinglin.secure.blind.errors import BadProof, NotAScalar
from xinglin.secure.blind.oprf import Evaluation, Mode

SUITE = json.loads((Path(__file__).parent / "oprf" / "rfc9497-ristretto255.json").read_text())
CASES = [(block, vector) for block in SUITE["modes"] for vector in block["vectors"]]


def parts(text: str) -> list[bytes]:
    return [bytes.fromhex(one) for one in text.split(",")]


@pytest.mark.parametrize("block", SUITE["modes"], ids=lambda block: Mode(block["mode"]).name)
def test_keys_derived_from_the_seed(block: dict[str, Any]) -> None:
    key, share = oprf.derive_key(bytes.fromhex(block["Seed"]), bytes.fromhex(block["KeyInfo"]), Mode(block["mode"]))
    assert key.hex() == block["skSm"]
    assert share.hex() == block.get("pkSm", share.hex())


@pytest.mark.parametrize(("block", "vector"), CASES)
def test_vector(block: dict[str, Any], vector: dict[str, str]) -> None:
    mode, info = Mode(block["mode"]), bytes.fromhex(vector.get("Info", ""))
    key = bytes.fromhex(block["skSm"])
    inputs, blinds = parts(vector["Input"]), parts(vector["Blind"])
    blinded = [oprf.blind(one, scalar, mode) for one, scalar in zip(inputs, blinds, strict=True)]
    assert blinded == parts(vector["BlindedElement"])
    # 64 bytes that reduce to the RFC's random scalar: the vector fixes what is otherwise drawn
    fixed = bytes.fromhex(vector.get("ProofRandomScalar", "01" * 32)).ljust(64, b"\0")
    answer = oprf.evaluate(key, blinded, lambda _: fixed, mode, info)
    assert list(answer.elements) == parts(vector["EvaluationElement"])
    assert answer.proof.hex() == vector.get("Proof", "")
    if mode is not Mode.OPRF:
        oprf.check(bytes.fromhex(block["pkSm"]), blinded, answer, mode, info)
    outputs = [
        oprf.finish(one, inverse, element, mode, info)
        for one, inverse, element in zip(inputs, ristretto.invert_all(blinds), answer.elements, strict=True)
    ]
    assert outputs == parts(vector["Output"])
    assert outputs == [oprf.directly(key, one, mode, info) for one in inputs]


@pytest.mark.parametrize(("block", "vector"), [case for case in CASES if case[0]["mode"]])
def test_every_changed_byte_of_a_proof_is_refused(block: dict[str, Any], vector: dict[str, str]) -> None:
    mode, info = Mode(block["mode"]), bytes.fromhex(vector.get("Info", ""))
    share, proof = bytes.fromhex(block["pkSm"]), bytes.fromhex(vector["Proof"])
    blinded, elements = parts(vector["BlindedElement"]), tuple(parts(vector["EvaluationElement"]))
    for at in (0, 31, 32, 63):
        changed = proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]
        with pytest.raises((BadProof, NotAScalar)):
            oprf.check(share, blinded, Evaluation(elements, changed), mode, info)
    with pytest.raises(BadProof):
        oprf.check(share, blinded, Evaluation(elements, proof[: proofs.PROOF_BYTES - 1]), mode, info)
    with pytest.raises(BadProof):
        oprf.check(share, blinded, Evaluation(tuple(blinded), proof), mode, info)
