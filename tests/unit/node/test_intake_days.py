"""Days that are summed up by hand: none whose rows still come in, none before every row; what is frozen stays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.lake.clinic import clinic, visits

from xinglin.kernel.instants import Instant
from xinglin.lake.quality_days import first_day, kept_days
from xinglin.node.intake.quality import DayGoesOn, DayWithoutRows, drifted

DAY = "2023-10-01"


def at(text: str) -> Instant:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("when", ["2023-10-01T12:00", "2023-10-01T16:01", "2023-10-01T19:59"])
def test_a_day_is_not_summed_up_while_its_rows_come_in(tmp_path: Path, when: str) -> None:
    """Midnight at the hospital is 16:00 in UTC."""
    lake = clinic(tmp_path)
    with pytest.raises(DayGoesOn):
        drifted(lake, DAY, at(when))
    assert kept_days(lake) == ()
    assert drifted(lake, DAY, at("2023-10-01T20:01"))[0] > 0


@pytest.mark.parametrize("day", ["0001-01-01", "2023-09-30"])
def test_no_day_is_before_every_row(tmp_path: Path, day: str) -> None:
    lake = clinic(tmp_path)
    assert first_day(lake) == DAY
    with pytest.raises(DayWithoutRows):
        drifted(lake, day, at("2023-12-01T00:00"))
    assert kept_days(lake) == ()


def test_a_row_of_the_first_year_breaks_nothing(tmp_path: Path) -> None:
    old = {**visits(1)[0], "id": "Encounter/old", "started": "0001-01-05T00:00:00+08:00", "ended": None}
    lake = clinic(tmp_path, encounter=[old])
    first = first_day(lake)
    assert first.startswith("0001-01")
    assert drifted(lake, first, at("2023-12-01T00:00"))[0] == 1
