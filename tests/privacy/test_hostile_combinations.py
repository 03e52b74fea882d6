"""Three cohorts of which no two are close, and which together are about one person: the last one is not answered."""

from __future__ import annotations

import time

import pytest
from tests.privacy.test_hostile_researcher import AGES, ALL, _one_person, codes, studies, words

from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import HostileHub

__all__ = ["studies"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


def _three() -> list[str]:
    """(men and the target) + (women) - (everybody but the target) is twice the target, or with women for men."""
    target = _one_person()
    sex = target.rsplit("'", 2)[1]
    other = {"female": "male", "male": "female"}[sex]
    return [
        f"{ALL} WHERE sex = '{other}' OR ({target})",
        f"{ALL} WHERE sex = '{sex}'",
        f"{ALL} WHERE sex = '{other}' OR (sex = '{sex}' AND (restecg IS NULL OR NOT ({target})))",
    ]


@pytest.mark.parametrize(("across", "last"), [(False, 2), (True, 0)], ids=["within a study", "across two studies"])
async def test_three_cohorts_that_are_about_one_person_together(
    hub: HostileHub, studies: list[Asker], across: bool, last: int
) -> None:
    cohorts = _three()
    cohorts.append(cohorts.pop(last))
    mine, other = studies[0], studies[1 if across else 0]
    for cohort in cohorts[:2]:
        assert (await mine.ask(mine.plan(cohort, "describe", AGES))).state == "done"
    began = time.monotonic()
    run = await other.ask(other.plan(cohorts[2], "describe", AGES))
    assert time.monotonic() - began < 20
    assert run.state == "withheld"
    # One hospital finds it in its own persons; the others say only that it was not authorised everywhere.
    assert "privacy.linear_differencing" in codes(run) <= {"privacy.linear_differencing", "gate.disagreement"}
    assert mine.study not in words(run)
    # What was answered is answered again, and another cohort too.
    assert (await other.ask(other.plan(cohorts[0], "describe", AGES))).state == "done"
