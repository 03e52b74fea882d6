"""Does one study on the four real hospitals give what pooling their rows would give?"""

from __future__ import annotations

import pytest
from tests.e2e.conftest import COLUMNS

from xinglin.sdk import Study
from xinglin.testing import SampleSpace
from xinglin.testing.pooled import pooled_fit

FORMULA = "disease ~ age + C(sex) + trestbps + thalach + exang"
pytestmark = pytest.mark.slow


def test_a_logistic_regression_equals_the_pooled_fit(heart_space: SampleSpace, heart_study: Study) -> None:
    result = heart_space.data(heart_study, COLUMNS).glm(FORMULA, family="binomial")
    fit = pooled_fit(heart_space.samples.values(), FORMULA, COLUMNS)
    assert result.payload["rows_used"] == fit.nobs
    assert result.params == pytest.approx(dict(fit.params), rel=1e-8)
    assert result.bse == pytest.approx(dict(fit.bse), rel=1e-8)
    assert result.receipt.verify().opened
