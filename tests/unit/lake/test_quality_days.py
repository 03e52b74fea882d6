"""Days of a source: counts with keys, profiles that stay as they were."""

from __future__ import annotations

from pathlib import Path

from tests.unit.lake.clinic import RECORDED, clinic, rates, shaped, visits

from xinglin.lake.quality_days import DRIFT_DAY, day_profiles, keep_days, kept_days, keyed_day


def test_a_day_and_its_keys(tmp_path: Path) -> None:
    lake = clinic(tmp_path, encounter=[{**visits(1)[0], "id": "Encounter/own", "identifier": "Z9"}])
    found = keyed_day(lake, "his", "encounter", "started", "2023-10-01", ["0", "1", "Z9", "none"])
    assert found.count == 3
    assert found.keys == {
        "Encounter/0": "Encounter/0",
        "Encounter/28": "Encounter/28",
        "Encounter/own": "Encounter/own",
        "Z9": "Encounter/own",
    }
    assert (found.other_days, found.taken_back) == (frozenset({"Encounter/1"}), frozenset())
    assert keyed_day(lake, "lis", "encounter", "started", "2023-10-01").count == 0
    assert keyed_day(lake, "his", "procedure", "started", "2023-10-01").count == 0
    assert repr(found) == "KeyedDay(3)"


def test_days_are_the_hospitals_own(tmp_path: Path) -> None:
    early = {**visits(1)[0], "id": "Encounter/e", "started": "2023-12-01T00:30:00+08:00", "ended": None}
    lake = clinic(tmp_path, encounter=[early])
    assert keyed_day(lake, "his", "encounter", "started", "2023-12-01").count == 1
    assert keyed_day(lake, "his", "encounter", "started", "2023-11-30", zone_minutes=0).count == 1


def test_what_was_cancelled_is_known(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    gone = {**visits(1)[0], "status": "cancelled", "version_at": RECORDED}
    lake.append_batch(2, {"encounter": shaped("encounter", [gone], batch=2)})
    found = keyed_day(lake, "his", "encounter", "started", "2023-10-01", ["0", "28"])
    assert (found.count, found.taken_back) == (1, frozenset({"Encounter/0"}))


def test_profiles(tmp_path: Path) -> None:
    lake = clinic(
        tmp_path, observation=[{**rates(1)[0], "id": "o", "code_source": "PULSE", "value_unit_source": "1/s"}]
    )
    days = {(one.table, one.day): one for one in day_profiles(lake, "2023-10-01", "2023-10-02")}
    assert set(days) == {
        (t, d) for t in ("condition", "encounter", "observation") for d in ("2023-10-01", "2023-10-02")
    }
    first = days["observation", "2023-10-01"]
    assert (first.rows, first.codes, first.units) == (3, {"HR": 2, "PULSE": 1}, {"bpm": 2, "1/s": 1})
    assert first.missing == {"code": 0, "value_number": 0, "value_unit": 0}
    assert days["encounter", "2023-10-01"].codes == {"AMB": 2}


def test_profiles_stay_as_they_were_kept(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    before = day_profiles(lake, "2023-10-01", "2023-10-02")
    assert keep_days(lake, before, RECORDED) == len(before) == 6
    late = {**rates(1)[0], "id": "Observation/late", "effective": "2023-10-01T09:00:00+08:00"}
    lake.append_batch(2, {"observation": shaped("observation", [late], batch=2)})
    assert keep_days(lake, day_profiles(lake, "2023-10-01", "2023-10-03"), RECORDED + 1) == 3
    assert all(one in kept_days(lake, "his") for one in before)
    assert kept_days(lake, "other") == ()
    assert not any("Patient" in str(row) for row in lake.open(DRIFT_DAY).to_pyarrow_table().to_pylist())
