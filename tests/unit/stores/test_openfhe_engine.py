"""Threshold CKKS: runs where OpenFHE is (``XINGLIN_TEST_OPENFHE``: its interpreter), and is refused where it is not."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import missing

from xinglin.kernel.errors import LimitExceeded
from xinglin.secure.homomorphic.errors import NoScheme, NotACipher, UnsafeParameters
from xinglin.secure.homomorphic.flooding import deviation
from xinglin.secure.homomorphic.model import SCORES, SUMMANDS
from xinglin.stores.openfhe_engine import ERROR, HOLDERS, PRODUCT_ERROR, THRESHOLD_SCORES, OpenfheScheme

HERE = OpenfheScheme(Path(sys.executable))


def test_without_an_interpreter_and_without_openfhe(tmp_path: Path) -> None:
    for scheme in (OpenfheScheme(tmp_path / "python"), HERE):
        with pytest.raises(NoScheme):
            scheme.look()
        with pytest.raises(NoScheme):
            scheme.join(None)


@pytest.mark.parametrize("words", ["exit 3", "echo no json"])
def test_what_is_no_answer(tmp_path: Path, words: str) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o700)
    with pytest.raises(NotACipher):
        OpenfheScheme(path).join(None)


def test_refusals() -> None:
    with pytest.raises(UnsafeParameters):
        OpenfheScheme(Path(sys.executable), SCORES)
    for values in (np.ones(0), np.ones(8_193), np.array([math.nan]), np.array([256.0])):
        with pytest.raises(UnsafeParameters):
            HERE.encrypt(b"", values)
    with pytest.raises(NotACipher):
        HERE.add([])
    for parts, length in (([b"x"], 3), ([b"x", b"y"], 0), ([b"x", b"y"], 8_193)):
        with pytest.raises(NotACipher):
            HERE.fuse(parts, length)
    with pytest.raises(LimitExceeded):
        HERE.add([b""] * (SUMMANDS.value + 1))
    with pytest.raises(LimitExceeded):
        HERE.fuse([b""] * (HOLDERS.value + 1), 1)


@pytest.mark.slow
def test_three_holders_decrypt_together_and_no_fewer() -> None:
    if "XINGLIN_TEST_OPENFHE" not in os.environ:
        missing("openfhe", "no environment of its own is named: set XINGLIN_TEST_OPENFHE")
    scheme = OpenfheScheme(Path(os.environ["XINGLIN_TEST_OPENFHE"]))
    scheme.look()
    shares, public = [], None
    for _ in range(3):
        share, public = scheme.join(public)
        shares.append(share)
    assert public is not None
    values = np.linspace(-10, 10, 500)
    total = scheme.add([scheme.encrypt(public, values) for _ in range(3)])
    parts = [scheme.partial(share, total, lead=at == 0) for at, share in enumerate(shares)]
    found = scheme.fuse(parts, 500)
    spread = float(np.std(found - 3 * values))
    stated = deviation(ERROR, 8_192) * math.sqrt(3)
    assert 0.8 * stated < spread < 1.25 * stated  # the flooding is there, and no more than it
    for fewer in (parts[:2], parts[1:]):
        try:
            wrong = scheme.fuse(fewer, 500)
        except NotACipher:
            continue
        assert np.max(np.abs(wrong - 3 * values)) > 1.0
    with pytest.raises(NotACipher):
        scheme.partial(b"junk", total, lead=True)


def test_weighted_sums_are_refused_without_their_parameters_or_parts() -> None:
    two = OpenfheScheme(Path(sys.executable), THRESHOLD_SCORES)
    with pytest.raises(UnsafeParameters):
        two.encrypt(b"", np.array([8.0]))  # one more than what the scale leaves
    for scheme, columns, weights in ((HERE, [b"x"], [b"y", b"z"]), (two, [b"x"], [b"y"]), (two, [], [b"y"])):
        with pytest.raises(UnsafeParameters):
            scheme.linear(b"", columns, weights)
    for step in (two.lead, lambda: two.join_lead(b"", b""), lambda: two.finish(b"", b"", b"", b"")):
        with pytest.raises(NoScheme):
            step()


@pytest.mark.slow
def test_two_holders_score_what_neither_decrypts_alone() -> None:
    if "XINGLIN_TEST_OPENFHE" not in os.environ:
        missing("openfhe", "no environment of its own is named: set XINGLIN_TEST_OPENFHE")
    scheme, rng = OpenfheScheme(Path(os.environ["XINGLIN_TEST_OPENFHE"]), THRESHOLD_SCORES), np.random.default_rng(2)
    lead, first, part = scheme.lead()
    share, public, joined, second = scheme.join_lead(first, part)
    key = scheme.finish(lead, public, joined, second)
    table, weights = rng.uniform(-4, 4, (3, 60)), rng.uniform(-2, 2, 4)
    columns = [scheme.encrypt(public, column) for column in table]
    total = scheme.linear(key, columns, [scheme.encrypt(public, np.full(60, weight)) for weight in weights])
    parts = [
        scheme.partial(lead, total, lead=True, flooding_bits=30),
        scheme.partial(share, total, lead=False, flooding_bits=30),
    ]
    wanted = weights[:3] @ table + weights[3]
    off = np.abs(scheme.fuse(parts, 60) - wanted)
    spread = deviation(PRODUCT_ERROR, THRESHOLD_SCORES.numbers) * math.sqrt(2)
    assert np.max(off) < 6 * spread and np.mean(off) > spread / 10  # flooded, and by no more than was said
    alone = [scheme.partial(lead, total, lead=first, flooding_bits=30) for first in (True, False)]
    with contextlib.suppress(NotACipher):  # so far off that the library itself may give no number
        assert np.max(np.abs(scheme.fuse(alone, 60) - wanted)) > 100
