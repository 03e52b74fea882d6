"""Probable matches on data with truth: floors that a change must not fall through."""

from __future__ import annotations

import pytest
from bench.patients import febrl, hospitals, score, traits

from xinglin.patients.linkage import match


@pytest.mark.slow
def test_two_chinese_hospitals() -> None:
    records, truth = hospitals(3_000, 1_500)
    found = match(traits(records), 0.5)
    assert found.trained and {"id", "name", "birth", "phone"} <= set(found.fields)
    precision, recall = score({link.pair for link in found.links if link.probability >= 0.99}, truth)
    assert precision > 0.995 and recall > 0.97
    assert score({link.pair for link in found.links}, truth)[1] > 0.985


@pytest.mark.slow
def test_febrl_4() -> None:
    records, truth = febrl()
    found = match(traits(records), 0.5)
    precision, recall = score({link.pair for link in found.links}, truth)
    assert precision > 0.999 and recall > 0.995


@pytest.mark.slow
def test_febrl_4_without_numbers_and_streets() -> None:
    records, truth = febrl(("national_id", "street"))
    found = match(traits(records), 0.5)
    precision, recall = score({link.pair for link in found.links}, truth)
    assert precision > 0.99 and recall > 0.95


def test_a_few_records_are_matched_without_training() -> None:
    records, truth = hospitals(30, 10)
    found = match(traits(records), 0.5)
    assert not found.trained
    precision, recall = score({link.pair for link in found.links}, truth)
    assert precision > 0.9 and recall > 0.8
    assert match((), 0.5).links == () and match(traits(records[:1]), 0.5).links == ()
