"""The child of ``openfhe_engine``: runs under the Python that OpenFHE's library is built for, imports nothing of ours.

One JSON object comes in, one goes out; keys and ciphers travel in it as base64 and never touch a disk.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Do one step of a threshold computation; ``{"missing": word}`` without OpenFHE."""
    given: dict[str, Any] = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as sink:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        json.dump(_said(given), sink)


def _said(given: dict[str, Any]) -> dict[str, Any]:
    try:
        fhe = import_module("openfhe")
    except ImportError as error:
        return {"missing": type(error).__name__}
    if given["step"] == "look":
        return {"version": "openfhe"}
    context = _context(fhe, given["scale"], given["first"], given["numbers"], given["depth"])
    return _STEPS[given["step"]](fhe, context, given)


def _context(fhe: Any, scale: int, first: int, numbers: int, depth: int) -> Any:
    """The same context in every process: it follows from the parameters alone."""
    wanted = fhe.CCParamsCKKSRNS()
    wanted.SetSecurityLevel(fhe.SecurityLevel.HEStd_128_classic)
    wanted.SetRingDim(2 * numbers)
    wanted.SetMultiplicativeDepth(depth)
    wanted.SetScalingModSize(scale)
    wanted.SetFirstModSize(first)
    wanted.SetBatchSize(numbers)
    wanted.SetScalingTechnique(fhe.ScalingTechnique.FIXEDMANUAL)
    context = fhe.GenCryptoContext(wanted)
    for feature in (fhe.PKE, fhe.KEYSWITCH, fhe.LEVELEDSHE, fhe.MULTIPARTY):
        context.Enable(feature)
    return context


def _pack(fhe: Any, value: Any) -> str:
    data = fhe.Serialize(value, fhe.BINARY)
    return base64.b64encode(data if isinstance(data, bytes) else data.encode("latin-1")).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _join(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    before = given.get("before")
    pair = (
        context.MultipartyKeyGen(fhe.DeserializePublicKeyString(_bytes(before), fhe.BINARY))
        if before
        else context.KeyGen()
    )
    return {"share": _pack(fhe, pair.secretKey), "public": _pack(fhe, pair.publicKey)}


def _lead(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    pair = context.KeyGen()
    part = context.KeySwitchGen(pair.secretKey, pair.secretKey)
    return {"share": _pack(fhe, pair.secretKey), "public": _pack(fhe, pair.publicKey), "part": _pack(fhe, part)}


def _join_lead(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    pair = context.MultipartyKeyGen(fhe.DeserializePublicKeyString(_bytes(given["before"]), fhe.BINARY))
    lead = fhe.DeserializeEvalKeyString(_bytes(given["part"]), fhe.BINARY)
    own, tag = context.MultiKeySwitchGen(pair.secretKey, pair.secretKey, lead), pair.publicKey.GetKeyTag()
    joined = context.MultiAddEvalKeys(lead, own, tag)
    second = context.MultiMultEvalKey(pair.secretKey, joined, tag)
    return {
        "share": _pack(fhe, pair.secretKey),
        "public": _pack(fhe, pair.publicKey),
        "joined": _pack(fhe, joined),
        "second": _pack(fhe, second),
    }


def _finish(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    share = fhe.DeserializePrivateKeyString(_bytes(given["share"]), fhe.BINARY)
    tag = fhe.DeserializePublicKeyString(_bytes(given["public"]), fhe.BINARY).GetKeyTag()
    joined = fhe.DeserializeEvalKeyString(_bytes(given["joined"]), fhe.BINARY)
    second = fhe.DeserializeEvalKeyString(_bytes(given["second"]), fhe.BINARY)
    first = context.MultiMultEvalKey(share, joined, tag)
    return {"key": _pack(fhe, context.MultiAddEvalMultKeys(first, second, second.GetKeyTag()))}


def _linear(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    context.InsertEvalMultKey([fhe.DeserializeEvalKeyString(_bytes(given["key"]), fhe.BINARY)])

    def cipher(text: str) -> Any:
        return fhe.DeserializeCiphertextString(_bytes(text), fhe.BINARY)

    total: Any = None
    for column, weight in zip(given["columns"], given["weights"], strict=False):
        term = context.EvalMult(cipher(column), cipher(weight))
        total = term if total is None else context.EvalAdd(total, term)
    # The intercept meets the sum after it was rescaled: one level and one scale.
    one = context.Rescale(context.EvalMult(cipher(given["weights"][-1]), 1.0))
    return {"cipher": _pack(fhe, context.EvalAdd(context.Rescale(total), one))}


def _encrypt(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    public = fhe.DeserializePublicKeyString(_bytes(given["public"]), fhe.BINARY)
    return {"cipher": _pack(fhe, context.Encrypt(public, context.MakeCKKSPackedPlaintext(given["values"])))}


def _add(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    total: Any = None
    for text in given["ciphers"]:
        one = fhe.DeserializeCiphertextString(_bytes(text), fhe.BINARY)
        total = one if total is None else context.EvalAdd(total, one)
    return {"cipher": _pack(fhe, total)}


def _partial(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    share = fhe.DeserializePrivateKeyString(_bytes(given["share"]), fhe.BINARY)
    cipher = fhe.DeserializeCiphertextString(_bytes(given["cipher"]), fhe.BINARY)
    part = (context.MultipartyDecryptLead if given["lead"] else context.MultipartyDecryptMain)([cipher], share)[0]
    # Real and imaginary in every slot: together they reach each coefficient of the ring, or some would stay bare.
    draw = random.SystemRandom().gauss
    noise = [complex(draw(0.0, given["noise"]), draw(0.0, given["noise"])) for _ in range(given["numbers"])]
    flooded = context.EvalAdd(part, context.MakeCKKSPackedPlaintext(noise, 1, part.GetLevel()))
    return {"partial": _pack(fhe, flooded)}


def _fuse(fhe: Any, context: Any, given: dict[str, Any]) -> dict[str, Any]:
    parts = [fhe.DeserializeCiphertextString(_bytes(text), fhe.BINARY) for text in given["partials"]]
    found = context.MultipartyDecryptFusion(parts)
    found.SetLength(given["length"])
    return {"values": list(found.GetRealPackedValue())}


_STEPS = {
    "lead": _lead,
    "join_lead": _join_lead,
    "finish": _finish,
    "linear": _linear,
    "join": _join,
    "encrypt": _encrypt,
    "add": _add,
    "partial": _partial,
    "fuse": _fuse,
}


if __name__ == "__main__":
    main()
