"""The grade of GB/T 42460-2023 of every product: by its kind, as grading says; an older product says none."""

from __future__ import annotations

import msgspec

from xinglin.hub.product_offers import _labels
from xinglin.kernel.codec import decode_json
from xinglin.privacy.deidentify.grading import grade_of
from xinglin.wire.products import MADE_UP, POOLED, Product


def product(grade: int) -> Product:
    return Product("product-a", "a#b", "Ages", "r", "run-a", "0" * 64, 2, (), (1,), 2, 3, deidentified=grade)


def test_grades_are_those_of_grading() -> None:
    assert grade_of((), aggregated=True) == POOLED
    assert grade_of(()) == MADE_UP, "rows of the form of a person's, and nothing left to tell one by"


def test_a_product_says_its_grade_and_an_older_one_none() -> None:
    older = msgspec.to_builtins(product(POOLED))
    del older["deidentified"]
    assert decode_json(msgspec.json.encode(older), Product) == product(0)
    assert _labels(product(MADE_UP))["conformsTo"] == "urn:gbt:42460-2023:grade:3"
    assert "conformsTo" not in _labels(product(0))
