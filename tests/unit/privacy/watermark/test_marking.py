"""What marking does to a table, the bound on innocents, plans that are refused, images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.privacy.watermark.leaks import KEY, PLAN, SIGMA, people, recipients

from xinglin.privacy.watermark import (
    BadMarkPlan,
    Codes,
    MarkPlan,
    Numbers,
    Recipient,
    TooFewCells,
    detect_frames,
    mark,
    mark_frame,
)
from xinglin.privacy.watermark.code import biases, codeword, innocent_bound, scores
from xinglin.privacy.watermark.pixels import pixel_plan

WHO = recipients(40)


def test_each_column_stays_in_its_budget_and_unmarked_ones_are_untouched() -> None:
    table = people(20_000)
    marked = mark(table, KEY, WHO[0], PLAN)
    assert 0.5 * 20_000 < marked.report.cells < 30_000
    for report in marked.report.columns:
        step = next(one.step for one in PLAN.columns if isinstance(one, Numbers) and one.column == report.column)
        assert 0 < report.largest <= step + 0.5
        assert report.share < 0.25 and report.rms < 0.05 and report.mean_shift < 1e-3
        assert np.array_equal(marked.columns[report.column], np.rint(marked.columns[report.column]))
    for name in table.keys() - SIGMA.keys():
        assert marked.columns[name] is table[name]


@settings(max_examples=40)
@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=200, max_size=200), st.integers(0, 39))
def test_any_numbers_stay_in_range_and_near(values: list[float], who: int) -> None:
    table = {"id": np.arange(200), "x": np.asarray(values)}
    plan = MarkPlan((Numbers("x", 8.0, 1, low=-500.0, high=500.0),), (("id",),), every=1)
    after = mark(table, KEY, WHO[who], plan).columns["x"]
    same = (after == table["x"]) | (np.isnan(after) & np.isnan(table["x"]))
    assert (np.abs(after - table["x"])[~same] <= 8.05).all()
    assert ((after[~same] >= -500) & (after[~same] <= 500)).all()


def test_marking_again_gives_the_same_and_other_recipients_get_other_tables() -> None:
    table = people(2000)
    one, again, other = (mark(table, KEY, who, PLAN).columns["cost"] for who in (WHO[0], WHO[0], WHO[1]))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_the_bound_on_innocents_holds_in_trials() -> None:
    """Of 20,000 innocents, those that reach a score are at most what the bound allows."""
    draw = np.random.default_rng(1)
    probabilities = biases(KEY, 512, 3)
    evidence = np.where(draw.random(512) < probabilities, 1.0, -1.0) * draw.random(512)
    names = [number.to_bytes(4, "big") for number in range(20_000)]
    found = scores(evidence, probabilities, KEY, names)
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))
    for level in (2.0, 3.0, 4.0):
        score = level * float(np.sqrt(evidence @ evidence))
        bound = innocent_bound(score, evidence, probabilities)
        assert (found >= score).mean() <= bound < 1
    assert innocent_bound(-1.0, evidence, probabilities) == 1.0


def test_codewords_follow_their_biases() -> None:
    probabilities = biases(KEY, 4096, 5)
    words = np.stack([codeword(KEY, bytes([number]), probabilities) for number in range(200)])
    assert np.abs(words.mean(axis=0) - probabilities).max() < 0.2
    assert probabilities.min() >= 1 / 1500 and probabilities.max() <= 1 - 1 / 1500


REFUSED = (
    lambda: MarkPlan((), (("id",),)),
    lambda: MarkPlan((Numbers("x", 4.0),), ()),
    lambda: MarkPlan((Numbers("x", 4.0),), (("x",),)),
    lambda: MarkPlan((Numbers("x", 4.0), Numbers("x", 4.0)), (("id",),)),
    lambda: MarkPlan((Numbers("x", 1.0),), (("id",),)),
    lambda: MarkPlan((Numbers("x", 4.0),), (("~y",),)),
    lambda: MarkPlan((Numbers("x", 4.0),), (("id",),), every=0),
    lambda: MarkPlan((Numbers("x", 4.0),), (("id",),), length=1 << 17),
    lambda: MarkPlan((Codes("x", (("a", "b"), ("b", "c"))),), (("id",),)),
    lambda: mark(people(500), b"short", WHO[0], PLAN),
    lambda: mark({"id": np.arange(500)}, KEY, WHO[0], PLAN),
    lambda: mark({name: people(500)[name] for name in SIGMA}, KEY, WHO[0], replace(PLAN, keys=PLAN.keys[:2])),
)


@pytest.mark.parametrize("make", REFUSED)
def test_a_plan_that_cannot_work_is_refused(make: object) -> None:
    with pytest.raises(BadMarkPlan):
        make()  # type: ignore[operator]


def test_a_table_that_cannot_carry_a_mark_is_refused() -> None:
    with pytest.raises(TooFewCells):
        mark(people(30), KEY, WHO[0], PLAN)


def image(seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    made = draw.normal(1000, 120, (256, 256)).clip(0, 4095).astype(np.uint16)
    made[:32] = 0
    return made


def test_images_carry_marks_through_noise_and_air_is_left_alone() -> None:
    plan = pixel_plan(step=6.0)
    given = {f"2.25.{n}": mark_frame(image(n), f"2.25.{n}", KEY, WHO[9], plan, 4095) for n in range(6)}
    for number, frame in enumerate(given.values()):
        assert np.abs(frame.astype(int) - image(number)).max() <= 7 and not frame[:32].any()
    draw = np.random.default_rng(5)
    noised = {name: frame + draw.integers(-3, 4, frame.shape) for name, frame in given.items()}
    for frames in (given, noised, dict(list(given.items())[:3])):
        assert [one.recipient for one in detect_frames(frames, KEY, plan, WHO).accused] == [WHO[9]]
    plain = {name: image(number) for number, name in enumerate(given)}
    assert not detect_frames(plain, KEY, plan, WHO).accused
    with pytest.raises(BadMarkPlan):
        mark_frame(np.zeros((8, 8, 3), dtype=np.uint8), "2.25.1", KEY, WHO[0], plan, 255)
    with pytest.raises(BadMarkPlan):
        mark_frame(image(1), "2.25.1", KEY, WHO[0], PLAN, 4095)


def test_a_recipient_is_named_by_agreement_and_time_too() -> None:
    one = Recipient("did:example:1", "sha256:" + "0" * 64, 5)
    assert len({one.digest(), Recipient(one.recipient, one.agreement, 6).digest()}) == 2
