"""Drift: planted changes are told on their day; quiet hospitals are left in peace."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from xinglin.intake.drift import DayProfile, drift, measures, population_stability

START = date(2023, 1, 2)
CODES = {f"code{n}": 1 / (n + 1) ** 1.1 for n in range(400)}
UNITS = {"mmol/L": 6, "g/L": 3, "10*9/L": 1}


def profile(rng: random.Random, number: int, mean: float = 800, **changes: Any) -> DayProfile:
    """A laboratory's day: half the work at weekends, days that scatter, a long tail of codes, clustered orders."""
    day = START + timedelta(days=number)
    busy = mean * (0.5 if day.weekday() > 4 else 1) * rng.lognormvariate(0, 0.08)
    rows, codes = 0, Counter[str]()
    weights = list(CODES.values())
    while rows < busy:
        size = rng.randint(1, 6)  # an order asks for several of a kind
        codes.update(rng.choices(list(CODES), weights, k=max(1, size // 2)) * (1 if size < 4 else 2))
        rows = sum(codes.values())
    units = Counter(rng.choices(list(UNITS), list(UNITS.values()), k=rows))
    gaps = {"value_number": sum(rng.random() < 0.04 for _ in range(rows))}
    made = DayProfile("lis", "observation", day.isoformat(), rows, dict(codes), dict(units), gaps)
    return msgspec.structs.replace(made, **changes)


@pytest.fixture(scope="module")
def quiet() -> list[DayProfile]:
    rng = random.Random(7)
    return [profile(rng, number) for number in range(120)]


def kinds(day: DayProfile, before: list[DayProfile]) -> set[str]:
    return {alarm.kind for alarm in drift(day, before)}


def test_quiet_days_raise_few_alarms(quiet: list[DayProfile]) -> None:
    """At most one alarm in two hundred table-days, over three hospitals; a day makes five tests or more."""
    days = alarms = 0
    for seed, mean in ((1, 60), (2, 400), (3, 1500)):
        rng = random.Random(seed)
        past = [profile(rng, number, mean) for number in range(120)]
        for number in range(35, 120):
            days += 1
            alarms += len(drift(past[number], past[max(0, number - 60) : number]))
    assert days == 255
    assert alarms <= days * 0.01, f"{alarms} alarms in {days} quiet table-days"


def test_a_new_code_in_bulk(quiet: list[DayProfile]) -> None:
    day = quiet[90]
    changed = msgspec.structs.replace(day, codes={**day.codes, "GLU-NEW": 40})
    (alarm,) = [one for one in drift(changed, quiet[:90]) if one.kind == "new_code"]
    assert "GLU-NEW" in alarm.words
    assert "GLU-NEW" in alarm.words_zh
    assert "GLU-NEW" not in repr(alarm)
    rare = msgspec.structs.replace(day, codes={**day.codes, "RARE": 2})
    assert "new_code" not in kinds(rare, quiet[:90])
    assert measures(rare, quiet[:90]).new_codes[-1:] >= ("RARE",)


def test_a_new_unit(quiet: list[DayProfile]) -> None:
    day = quiet[90]
    assert "new_unit" in kinds(msgspec.structs.replace(day, units={**day.units, "mg/dL": 30}), quiet[:90])
    without = [msgspec.structs.replace(one, units={}) for one in quiet]
    assert "new_unit" not in kinds(day, without[:90])


def test_a_code_renamed_shifts_the_frequencies(quiet: list[DayProfile]) -> None:
    day = quiet[90]
    codes = dict(day.codes)
    codes["code5"] = codes.get("code5", 0) + codes.pop("code0")
    (alarm,) = [one for one in drift(msgspec.structs.replace(day, codes=codes), quiet[:90]) if one.kind == "frequency"]
    assert "code0" in alarm.words or "code5" in alarm.words
    assert measures(day, quiet[:90]).psi < measures(day, quiet[:90]).psi_limit


@pytest.mark.parametrize(("factor", "told"), [(0.0, "silent"), (0.4, "volume"), (1.9, "volume"), (0.9, ""), (1.1, "")])
def test_volumes(quiet: list[DayProfile], factor: float, told: str) -> None:
    day = quiet[91]  # a Monday
    changed = msgspec.structs.replace(
        day,
        rows=int(day.rows * factor),
        codes={code: int(count * factor) for code, count in day.codes.items()},
        missing={"value_number": int(day.missing["value_number"] * factor)},
    )
    assert kinds(changed, quiet[:91]) == ({told} if told else set())


def test_a_weekend_is_compared_with_weekends(quiet: list[DayProfile]) -> None:
    saturday = quiet[89]
    assert date.fromisoformat(saturday.day).weekday() == 5
    assert not kinds(saturday, quiet[:89])
    monday_on_saturday = msgspec.structs.replace(quiet[91], day=saturday.day)
    assert kinds(monday_on_saturday, quiet[:89]) == {"volume"}


def test_a_column_that_empties(quiet: list[DayProfile]) -> None:
    day = quiet[90]
    changed = msgspec.structs.replace(day, missing={"value_number": day.rows // 3})
    (alarm,) = drift(changed, quiet[:90])
    assert (alarm.kind, alarm.about) == ("empty_column", "observation.value_number")


@pytest.mark.parametrize("days", range(7))
def test_little_history_says_nothing(quiet: list[DayProfile], days: int) -> None:
    strange = DayProfile("lis", "observation", quiet[days].day, 9_000, {"only": 9_000}, {"odd": 9_000}, {})
    assert drift(strange, quiet[:days]) == ()


def test_other_sources_and_later_days_do_not_count(quiet: list[DayProfile]) -> None:
    day = msgspec.structs.replace(quiet[40], codes={"x": 500, **quiet[40].codes})
    others = [msgspec.structs.replace(one, source="his") for one in quiet[:40]]
    assert drift(day, [*others, *quiet[41:]]) == ()


def test_stability_is_symmetric_and_grows() -> None:
    one, two, three = {"a": 500, "b": 500}, {"a": 400, "b": 600}, {"a": 100, "b": 900}
    assert population_stability(one, two) == pytest.approx(population_stability(two, one))
    assert 0 < population_stability(one, two) < population_stability(one, three)
    assert population_stability(one, {"c": 1000}) < 20
