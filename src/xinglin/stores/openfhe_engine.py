"""Threshold CKKS by OpenFHE (port ``ThresholdScheme``), in a process of the Python that its library is built for.

Every holder (a hospital) has a share of the secret key that nobody holds whole; *all* of them are needed to decrypt,
so one that stays away stops it, and none alone reads anything. Each step runs in a child of its own which ends with
it; shares pass through its pipe alone. Without an OpenFHE that runs, ``NoScheme``.

Guarantee: 128 bits of classical security (OpenFHE's table for ring 16,384) against hub and all holders but one, who
follow the protocol; partial decryptions carry, beside OpenFHE's own noise of 20 bits, Gaussian noise in every
coefficient (``flooding.deviation`` with ``ERROR``), so that what leaves a holder does not tell its share. Source:
Asharov et al. 2012; Mukherjee, Wichs 2016; Li, Micciancio 2021.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.kernel.limits import Limit
from xinglin.secure.homomorphic.errors import NoScheme, NotACipher, UnsafeParameters
from xinglin.secure.homomorphic.flooding import STATISTICAL_BITS, deviation
from xinglin.secure.homomorphic.model import CIPHER_BYTES, COLUMNS, SUMMANDS, Parameters

if TYPE_CHECKING:
    from xinglin.secure.homomorphic.ports import Numbers

CHILD = Path(__file__).with_name("openfhe_child.py")
THRESHOLD_SUMS = Parameters(16_384, (60, 50, 60), 50)
"""Sums of up to 8,192 numbers, each below 2^8 in size in total."""
THRESHOLD_SCORES = Parameters(16_384, (60, 59, 59, 60), 59)
"""Weighted sums of up to 8,192 patients with weights that are ciphers; each number below 8 in size."""
PRODUCT_ERROR = 4e-9
"""More than the error of a weighted sum under ``THRESHOLD_SCORES`` before flooding (1e-9 measured, |z| ≤ 30)."""
ERROR = 1e-10
"""More than the error of a sum under ``THRESHOLD_SUMS`` before flooding (5e-12 measured)."""
HOLDERS = Limit("holders of a threshold key", 64, "holders")
STEP_S = 120.0
SAID_BYTES = Limit("answer of a step", 64 * 1024 * 1024, "bytes")


class OpenfheScheme:
    """Port ``ThresholdScheme``; ``python``: the interpreter of the environment that has OpenFHE."""

    def __init__(self, python: Path, parameters: Parameters = THRESHOLD_SUMS) -> None:
        if parameters.depth not in (1, 2):
            raise UnsafeParameters("The threshold engine computes sums and weighted sums: three or four primes.")
        self._python, self.parameters = python, parameters

    def look(self) -> None:
        """``NoScheme`` where OpenFHE does not run."""
        self._step("look")

    def join(self, before: bytes | None) -> tuple[bytes, bytes]:
        """See the port."""
        said = self._step("join", before=_text(before) if before else "")
        return _data(said, "share"), _data(said, "public")

    def encrypt(self, public: bytes, values: Numbers) -> bytes:
        """See the port; ``UnsafeParameters`` for too many numbers or such that do not fit."""
        import numpy as np

        most = 2.0 ** (self.parameters.primes[0] - self.parameters.scale - 2) if self.parameters.depth == 1 else 8.0
        if not 0 < len(values) <= self.parameters.numbers:
            raise UnsafeParameters(f"One cipher holds 1 to {self.parameters.numbers} numbers.")
        if not np.all(np.isfinite(values)) or float(np.max(np.abs(values))) >= most:
            raise UnsafeParameters(f"A number is not finite, or not below {most:g}.", remedy="Scale the column.")
        return _data(self._step("encrypt", public=_text(public), values=values.tolist()), "cipher")

    def add(self, ciphers: Sequence[bytes]) -> bytes:
        """See the port."""
        SUMMANDS.check(len(ciphers))
        if not ciphers:
            raise NotACipher("A sum of no ciphers.")
        return _data(self._step("add", ciphers=[_text(one) for one in ciphers]), "cipher")

    def lead(self) -> tuple[bytes, bytes, bytes]:
        """See the port."""
        said = self._step("lead")
        return _data(said, "share"), _data(said, "public"), _data(said, "part")

    def join_lead(self, public: bytes, part: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """See the port."""
        said = self._step("join_lead", before=_text(public), part=_text(part))
        return _data(said, "share"), _data(said, "public"), _data(said, "joined"), _data(said, "second")

    def finish(self, share: bytes, public: bytes, joined: bytes, second: bytes) -> bytes:
        """See the port."""
        given = {"share": _text(share), "public": _text(public), "joined": _text(joined), "second": _text(second)}
        return _data(self._step("finish", **given), "key")

    def linear(self, product_key: bytes, columns: Sequence[bytes], weights: Sequence[bytes]) -> bytes:
        """See the port."""
        COLUMNS.check(len(columns))
        if len(weights) != len(columns) + 1 or not columns or self.parameters.depth != 2:
            raise UnsafeParameters("A weighted sum takes a weight for each column and an intercept.")
        given = {"columns": [_text(one) for one in columns], "weights": [_text(one) for one in weights]}
        return _data(self._step("linear", key=_text(product_key), **given), "cipher")

    def partial(self, share: bytes, cipher: bytes, *, lead: bool, flooding_bits: int = STATISTICAL_BITS) -> bytes:
        """See the port; the noise is drawn in the child that has the share, and cannot be left out."""
        error = ERROR if self.parameters.depth == 1 else PRODUCT_ERROR
        noise = deviation(error, self.parameters.numbers, flooding_bits)
        said = self._step("partial", share=_text(share), cipher=_text(cipher), lead=lead, noise=noise)
        return _data(said, "partial")

    def fuse(self, partials: Sequence[bytes], length: int) -> Numbers:
        """See the port. With a part missing or of another cipher the numbers are noise, or ``NotACipher``."""
        import numpy as np

        HOLDERS.check(len(partials))
        if len(partials) < 2 or not 0 < length <= self.parameters.numbers:
            raise NotACipher("A threshold decryption takes the parts of all holders, at least two.")
        values = self._step("fuse", partials=[_text(one) for one in partials], length=length).get("values")
        found: Numbers = np.array(values, dtype=np.float64)
        return found

    def _step(self, step: str, **given: Any) -> dict[str, Any]:
        own = {
            "step": step,
            "numbers": self.parameters.numbers,
            "scale": self.parameters.scale,
            "first": self.parameters.primes[0],
            "depth": self.parameters.depth,
        }
        remedy = "Install it for Python 3.10: python3.10 -m venv fhe && fhe/bin/pip install openfhe==1.6.1.0.22.4."
        try:
            done = subprocess.run(
                [str(self._python), "-I", str(CHILD)],
                input=json.dumps({**own, **given}).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"},
                timeout=STEP_S,
                check=False,
            )
        except OSError as error:
            raise NoScheme("There is no interpreter at the path of OpenFHE's environment.", remedy=remedy) from error
        except subprocess.TimeoutExpired as error:
            raise NoScheme(f"OpenFHE did not end within {STEP_S:.0f} s.") from error
        SAID_BYTES.check(len(done.stdout))
        try:
            said = json.loads(done.stdout)
        except ValueError as error:
            words = f"OpenFHE took no part of step {step!r}: bytes of other parameters, or damaged."
            raise NotACipher(words, remedy=remedy) from error
        if not isinstance(said, dict) or "missing" in said:
            raise NoScheme("OpenFHE is not installed in this environment.", remedy=remedy)
        return said


def _text(data: bytes) -> str:
    CIPHER_BYTES.check(len(data))
    return base64.b64encode(data).decode()


def _data(said: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(said[name], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise NotACipher("OpenFHE answered something else than was asked.") from error
