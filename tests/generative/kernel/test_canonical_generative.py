"""Canonical bytes as properties: one spelling, any JSON reader reads it, ECMAScript's own shortest numbers."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from xinglin.kernel import LimitExceeded, MalformedMessage, canonical_bytes, decode_json, decode_msgpack

SAFE = 2**53 - 1
# Floats whose text is a whole number beyond 2^53 come back as integers from a JSON reader, and are refused as such.
floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: abs(x) <= SAFE or abs(x) >= 1e21)
texts = st.text(st.characters(exclude_categories=("Cs",)))
scalars = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | floats | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


@given(values)
def test_canonical_bytes_are_a_fixpoint(value: Any) -> None:
    once = canonical_bytes(value)
    assert canonical_bytes(json.loads(once)) == once


@given(values)
def test_any_reader_reads_the_same_value(value: Any) -> None:
    assert json.loads(canonical_bytes(value)) == value
    assert decode_json(canonical_bytes(value), object) == value


@given(st.dictionaries(texts, st.integers(-9, 9)), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: dict[str, int], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert canonical_bytes({key: value[key] for key in keys}) == canonical_bytes(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_and_has_no_idle_digit(number: float) -> None:
    text = canonical_bytes(number).decode()
    assert float(text) == number
    mantissa = text.lstrip("-").partition("e")[0]
    digits = mantissa.replace(".", "").strip("0")
    assert len(digits) <= 17
    assert not (mantissa.startswith("0") and mantissa not in {"0"} and not mantissa.startswith("0."))


@given(st.binary(max_size=200) | texts.map(str.encode) | st.text('[]{}",:0\\ ').map(str.encode))
def test_decoders_answer_any_bytes_with_a_value_or_a_typed_error(data: bytes) -> None:
    for decode in (decode_json, decode_msgpack):
        try:
            decode(data, object)
        except (MalformedMessage, LimitExceeded) as refused:
            assert refused.code.startswith("kernel.")
