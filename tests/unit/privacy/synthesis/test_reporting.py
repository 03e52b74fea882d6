"""The report: close rows are told from far ones, a copy of the data is caught, words in both languages."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.privacy.synthesis import BadColumns, Column, Columns, Schema, SynthesisError, report
from xinglin.privacy.synthesis.attacks import expose, nearest
from xinglin.privacy.synthesis.boosting import Booster, auc

SCHEMA = Schema(
    (
        Column("sex", levels=("f", "m"), missing=False),
        Column("ward", levels=tuple("abcdefgh"), missing=False),
        Column("age", "integer", low=0, high=99, bins=20, missing=False),
        Column("dose", "number", low=0, high=10, bins=20),
        Column("ill", "boolean", missing=False),
    )
)


def seeded(seed: int):
    return np.random.default_rng(seed).bytes


def people(rows: int, seed: int) -> Columns:
    random = np.random.default_rng(seed)
    male, ward, age = random.random(rows) < 0.5, random.integers(0, 8, rows), random.integers(0, 100, rows)
    dose = np.clip(random.normal(2 + 0.06 * age, 1), 0, 10)
    dose[random.random(rows) < 0.1] = np.nan
    ill = random.random(rows) < 1 / (1 + np.exp(-(age - 50) / 10 - 2 * (male - 0.5)))
    return {
        "sex": np.where(male, "m", "f").astype(object),
        "ward": np.array(list("abcdefgh"), dtype=object)[ward],
        "age": age,
        "dose": dose,
        "ill": ill.astype(np.int64),
    }


def shuffled(columns: Columns, seed: int) -> Columns:
    random = np.random.default_rng(seed)
    return {name: values[random.permutation(len(values))] for name, values in columns.items()}


TRAIN, HOLDOUT = people(2_000, 1), people(2_000, 2)


def test_rows_of_the_same_people_are_close_useful_and_give_nothing_away() -> None:
    found = report(TRAIN, HOLDOUT, people(2_000, 3), SCHEMA, target="ill", entropy=seeded(1))
    assert [one.width for one in found.distances] == [1, 2, 3]
    assert all(one.mean < 1.3 * one.holdout for one in found.distances)
    assert found.uses[0].target == "ill" and found.uses[0].real > 0.8
    assert abs(found.uses[0].real - found.uses[0].synthetic) < 0.03
    assert abs(found.detection - 0.5) < 0.06 and found.propensity_error < 0.02
    assert found.flags == ()


def test_columns_shuffled_apart_are_told_and_useless() -> None:
    found = report(TRAIN, HOLDOUT, shuffled(TRAIN, 4), SCHEMA, target="ill", entropy=seeded(2))
    assert found.distances[0].mean == 0 and found.distances[1].mean > found.distances[1].holdout
    assert found.uses[0].synthetic < 0.6 and "use_lost" in found.flags
    assert found.detection > 0.7


def test_a_copy_of_the_data_is_caught() -> None:
    found = report(TRAIN, HOLDOUT, TRAIN, SCHEMA, target="ill", entropy=seeded(3))
    assert found.exposure.membership_by_distance > 0.7
    assert found.exposure.matches_train == 1 > 0.5 > found.exposure.matches_holdout
    assert {"membership", "matches_train", "closer_to_train"} <= set(found.flags)


def test_the_report_speaks_both_languages_and_is_plain_values() -> None:
    few = {name: values[:1_000] for name, values in TRAIN.items()}
    found = report(few, HOLDOUT, few, SCHEMA, entropy=seeded(4))
    assert len(found.uses) == 5 and found.uses[0].target == "sex"
    plain = found.to_dict()
    assert plain["version"] == 1 and plain["exposure"]["attacked"] == 500 and plain["rows"] == (1_000, 2_000, 1_000)
    english, chinese = found.words(), found.words("zh")
    assert len(english) == len(chinese) > 10
    assert any("Look:" in one for one in english) and any("请注意" in one for one in chinese)
    with pytest.raises(SynthesisError, match="en or zh"):
        found.words("tlh")


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(BadColumns, match="no column 'height'"):
        report(TRAIN, HOLDOUT, TRAIN, SCHEMA, target="height", entropy=seeded(5))
    with pytest.raises(BadColumns, match="none"):
        report(TRAIN, HOLDOUT, {name: values[:0] for name, values in TRAIN.items()}, SCHEMA, entropy=seeded(5))


def test_one_column_alone_is_reported() -> None:
    schema = Schema(SCHEMA.columns[:1])
    found = report(TRAIN, HOLDOUT, HOLDOUT, schema, entropy=seeded(6))
    assert len(found.distances) == 1 and found.uses == ()


def test_an_area_under_the_curve_is_the_share_of_pairs_in_the_right_order() -> None:
    random = np.random.default_rng(7)
    truth = random.integers(0, 2, 300)
    scores = np.round(random.normal(truth, 1.0), 1)
    gap = scores[truth == 1][:, None] - scores[truth == 0][None, :]
    assert np.isclose(auc(scores, truth), np.mean((gap > 0) + 0.5 * (gap == 0)))
    assert auc(scores, np.zeros(300, dtype=np.int64)) == 0.5


@pytest.mark.slow
def test_the_classifier_is_nearly_as_good_as_a_well_known_one() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    random = np.random.default_rng(8)
    codes = random.integers(0, 8, (4_000, 5)).astype(np.int32)
    truth = (random.random(4_000) < 1 / (1 + np.exp(-(codes[:, 0] ^ codes[:, 1]) + 3.5))).astype(np.int64)
    ours = auc(Booster(codes[:2_000], [8] * 5, truth[:2_000]).score(codes[2_000:]), truth[2_000:])
    wide = np.eye(8)[codes].reshape(4_000, -1)
    peer = ensemble.GradientBoostingClassifier(n_estimators=60, max_depth=3, learning_rate=0.2, random_state=0)
    theirs = auc(peer.fit(wide[:2_000], truth[:2_000]).predict_proba(wide[2_000:])[:, 1], truth[2_000:])
    assert ours > theirs - 0.02 and ours > 0.75


def test_the_nearest_row_counts_texts_and_scaled_numbers() -> None:
    asked, others = np.array([[0, 0], [1, 9]], dtype=np.int32), np.array([[0, 5], [2, 9]], dtype=np.int32)
    assert np.allclose(nearest(asked, others, np.array([0.0, 0.1])), [0.5, 1.0])
    assert np.isinf(nearest(asked, others[:0], np.array([0.0, 0.1]))).all()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_few_rows_can_be_attacked_too(rows: int) -> None:
    codes = np.zeros((rows, 2), dtype=np.int32)
    found = expose(codes, codes, codes, np.zeros(2), np.random.default_rng(9))
    assert 0 <= found.membership_by_distance <= 1 and found.closer_to_train == 0.5
