"""Encrypted sums and scores by TenSEAL: right within the error, refused where they are not safe or not possible."""

from __future__ import annotations

import math
import os
import random
import sys

import numpy as np
import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.secure.homomorphic import flooding, model, scoring
from xinglin.secure.homomorphic.ckks import TensealScheme
from xinglin.secure.homomorphic.errors import NoScheme, NotACipher, SecretWithheld, UnsafeParameters
from xinglin.secure.homomorphic.model import PRODUCTS, SCORES, SUMS, KeyPair, Parameters
from xinglin.secure.homomorphic.scoring import LogisticModel, polynomial, score

pytest.importorskip("tenseal")


@pytest.fixture(scope="module")
def sums() -> tuple[TensealScheme, KeyPair]:
    scheme = TensealScheme()
    return scheme, scheme.keys()


def test_a_sum_of_ten_hospitals(sums: tuple[TensealScheme, KeyPair]) -> None:
    scheme, keys = sums
    rng = np.random.default_rng(1)
    parts = [rng.uniform(-20, 20, 4_096) for _ in range(10)]
    total = scheme.add(keys.public, [scheme.encrypt(keys.public, part) for part in parts])
    found = scheme.decrypt(keys.secret, total, 4_096)
    assert np.max(np.abs(found - sum(parts))) < 1e-8


def test_the_hub_cannot_decrypt_and_is_never_handed_a_secret(sums: tuple[TensealScheme, KeyPair]) -> None:
    scheme, keys = sums
    cipher = scheme.encrypt(keys.public, np.ones(3))
    with pytest.raises(SecretWithheld):
        scheme.decrypt(keys.public, cipher, 3)
    for call in (lambda: scheme.encrypt(keys.secret, np.ones(3)), lambda: scheme.add(keys.secret, [cipher])):
        with pytest.raises(SecretWithheld):
            call()
    assert repr(keys.secret)[:10] not in repr(keys)


def test_another_key_finds_nothing(sums: tuple[TensealScheme, KeyPair]) -> None:
    scheme, keys = sums
    cipher = scheme.encrypt(keys.public, np.ones(8))
    assert np.max(np.abs(scheme.decrypt(scheme.keys().secret, cipher, 8) - 1.0)) > 1.0


def test_refusals(sums: tuple[TensealScheme, KeyPair]) -> None:
    scheme, keys = sums
    cipher = scheme.encrypt(keys.public, np.ones(3))
    for values in (np.ones(0), np.ones(4_097), np.array([math.nan]), np.array([math.inf]), np.array([512.0])):
        with pytest.raises(UnsafeParameters):
            scheme.encrypt(keys.public, values)
    for ciphers in ([], [b"junk"], [cipher, scheme.encrypt(keys.public, np.ones(2))]):
        with pytest.raises(NotACipher):
            scheme.add(keys.public, ciphers)
    with pytest.raises(NotACipher):
        scheme.decrypt(keys.secret, cipher, 4)
    with pytest.raises(NotACipher):
        scheme.encrypt(b"junk", np.ones(3))
    with pytest.raises(LimitExceeded):
        scheme.add(keys.public, [cipher] * (model.SUMMANDS.value + 1))
    with pytest.raises(LimitExceeded):
        scheme.add(keys.public, [bytes(model.CIPHER_BYTES.value + 1)])


@pytest.mark.parametrize(
    ("degree", "primes", "scale"),
    [
        (8_192, (60, 60, 60, 60), 40),
        (2_048, (27, 27), 20),
        (8_192, (60,), 40),
        (8_192, (61, 40, 60), 40),
        (8_192, (40, 40, 60), 40),
    ],
    ids=["modulus", "degree", "one prime", "prime", "scale"],
)
def test_parameters_that_are_not_safe(degree: int, primes: tuple[int, ...], scale: int) -> None:
    with pytest.raises(UnsafeParameters):
        Parameters(degree, primes, scale)


def test_column_packed_scores() -> None:
    scheme = TensealScheme(SCORES)
    keys = scheme.keys()
    rng = np.random.default_rng(2)
    columns = [rng.uniform(-1, 1, 1_000) for _ in range(6)]
    logistic = LogisticModel(tuple(rng.uniform(-1, 1, 6)), 0.3)
    cipher = score(scheme, keys.public, logistic, [scheme.encrypt(keys.public, column) for column in columns])
    found = scheme.decrypt(keys.secret, cipher, 1_000)
    assert np.max(np.abs(found - logistic.plain(columns))) < scoring.GREATEST_ERROR + 1e-3
    linear = sum(w * c for w, c in zip(logistic.weights, columns, strict=True))
    assert np.max(np.abs(found - np.polynomial.Polynomial(polynomial(0.3))(linear))) < 1e-3


def test_the_polynomial_is_as_near_as_it_says() -> None:
    points = np.linspace(-scoring.RANGE, scoring.RANGE, 501)
    for intercept in (0.0, 0.7):
        near = np.polynomial.Polynomial(polynomial(intercept))(points - intercept)
        assert np.max(np.abs(near - 1 / (1 + np.exp(-points)))) < scoring.GREATEST_ERROR


def test_scores_that_do_not_fit(sums: tuple[TensealScheme, KeyPair]) -> None:
    scheme, keys = sums
    cipher = scheme.encrypt(keys.public, np.ones(3))
    with pytest.raises(UnsafeParameters):
        score(scheme, keys.public, LogisticModel((1.0,)), [cipher])
    with pytest.raises(UnsafeParameters):
        score(TensealScheme(SCORES), keys.public, LogisticModel((1.0, 2.0)), [cipher])
    with pytest.raises(LimitExceeded):
        score(TensealScheme(SCORES), keys.public, LogisticModel((1.0,)), [b""] * (model.COLUMNS.value + 1))


def test_flooding_has_the_stated_deviation_and_a_smaller_one_fails() -> None:
    rng = random.Random(5)
    noised = flooding.flood(np.zeros(40_000), 1e-9, 100, rng.randbytes)
    stated = flooding.deviation(1e-9, 100)
    measured = float(np.std(noised))
    assert 0.97 * stated < measured < 1.03 * stated
    assert not 0.97 * 0.7 * stated < measured < 1.03 * 0.7 * stated
    assert stated == pytest.approx(math.sqrt(1_200) * 2**15 * 1e-9)
    for wrong in ((0.0, 1, 30), (1e-9, 0, 30), (1e-9, 1, 19)):
        with pytest.raises(ValueError):
            flooding.deviation(*wrong)


def test_a_flooded_sum_is_still_a_sum(sums: tuple[TensealScheme, KeyPair]) -> None:
    scheme, keys = sums
    found = scheme.decrypt(keys.secret, scheme.encrypt(keys.public, np.arange(100.0)), 100)
    shown = flooding.flood(found, 1e-8, 4_096, os.urandom)
    assert np.max(np.abs(shown - np.arange(100.0))) < 10 * flooding.deviation(1e-8, 4_096) < 1.0


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenseal", None)
    for call in (TensealScheme(SUMS).keys, lambda: TensealScheme().encrypt(b"", np.ones(1))):
        with pytest.raises(NoScheme):
            call()


def test_a_weighted_sum_with_weights_that_are_ciphers() -> None:
    scheme, rng = TensealScheme(PRODUCTS), np.random.default_rng(4)
    keys, table, weights = scheme.keys(), rng.uniform(-8, 8, (6, 500)), rng.uniform(-8, 8, 7)
    columns = [scheme.encrypt(keys.public, column) for column in table]
    sealed = [scheme.encrypt(keys.public, np.full(500, weight)) for weight in weights]
    found = scheme.decrypt(keys.secret, scheme.linear(keys.public, columns, sealed), 500)
    assert np.max(np.abs(found - (weights[:6] @ table + weights[6]))) < 1e-3
    with pytest.raises(UnsafeParameters):
        scheme.linear(keys.public, columns, sealed[:-1])
    with pytest.raises(UnsafeParameters):
        scheme.linear(keys.public, [], sealed[:1])
    with pytest.raises(NotACipher):
        scheme.linear(keys.public, [*columns[:5], scheme.encrypt(keys.public, np.ones(3))], sealed)
    with pytest.raises(SecretWithheld):
        scheme.linear(keys.secret, columns, sealed)
    few = TensealScheme(SUMS)
    with pytest.raises(UnsafeParameters):
        few.linear(few.keys().public, [b"x"], [b"y", b"z"])
