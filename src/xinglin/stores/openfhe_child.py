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
    context = _context(fhe, given["scale"], given["first"], given["numbers"])
    return _STEPS[given["step"]](fhe, context, given)


def _context(fhe: Any, scale: int, first: int, numbers: int) -> Any:
    """The same context in every process: it follows from the parameters alone."""
    wanted = fhe.CCParamsCKKSRNS()
    wanted.SetSecurityLevel(fhe.SecurityLevel.HEStd_128_classic)
    wanted.SetRingDim(2 * numbers)
    wanted.SetMultiplicativeDepth(1)
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


_STEPS = {"join": _join, "encrypt": _encrypt, "add": _add, "partial": _partial, "fuse": _fuse}


if __name__ == "__main__":
    main()
