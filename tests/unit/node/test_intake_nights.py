"""What runs by night: each job at its time, its parts once through a crash, its alarms kept, logged and nameless."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.lake.clinic import clinic, rates, shaped, visits
from tests.unit.node.his_source import SOURCE, connect, intake_in, mapping

from xinglin.feeds.jobs import Done, Turn
from xinglin.intake.quality import Alarm
from xinglin.kernel.limits import LimitExceeded
from xinglin.lake import Lake
from xinglin.lake.errors import WriteFailed
from xinglin.lake.quality import last_run
from xinglin.node.intake.alarms import QUALITY_ALARM, SHOWN, kept_alarms, raise_alarms
from xinglin.node.intake.nightly import DRIFT, END, JOBS, MATCH, MISSED_DAYS, QUALITY, RECONCILE, Nights
from xinglin.node.intake.pullers import Pullers
from xinglin.node.intake.sources import BadSources, Nightly, parse_sources, read_nightly, read_sources, write_source
from xinglin.node.intake.wiring import OpenIntake

MAPPING = mapping(columns='ended = { column = "left" }')


def at(text: str) -> int:
    """An instant of a text such as ``2023-11-20 04:30+08:00``."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[OpenIntake]:
    with intake_in(tmp_path) as found:
        yield found


def turn(now: int) -> Turn:
    return Turn(now, now, lambda: None)


def ran(nights: Nights, job: str, now: int) -> list[Done]:
    """A whole run of a job at an instant."""
    return [nights.do(job, part, turn(now)) for part in nights.parts(job, now)]


# --- when --------------------------------------------------------------------------------------------------------


def test_each_job_has_a_time_and_may_be_off(opened: OpenIntake) -> None:
    nightly = Nightly(drift="04:30", quality="05:00", reconcile="", zone="+08:00")
    nights = Nights(opened, lambda: at("2024-03-01 04:00+08:00"))
    assert [(one.job, one.cron) for one in nights.schedules(nightly, "UTC")] == [
        (DRIFT, "30 4 * * *"),
        (QUALITY, "0 5 * * *"),
    ], "nobody decided about the index: nothing is matched"
    (opened.folder / "patients.toml").write_text("upper = 0.98\n")
    assert nights.schedules(nightly, "UTC")[0].job == MATCH
    assert nights.due(nightly, at("2024-03-01 04:29+08:00")) == (), "a node that starts at four waits for its time"
    assert nights.due(nightly, at("2024-03-01 04:30+08:00")) == (DRIFT,)
    ran(nights, DRIFT, at("2024-03-01 04:31+08:00"))
    assert nights.due(nightly, at("2024-03-01 23:00+08:00")) == (QUALITY,)
    assert DRIFT in nights.due(nightly, at("2024-03-05 12:00+08:00")), "missed nights are made up once"
    assert nights.parts(DRIFT, at("2024-03-01 04:30+08:00")) == ()


def test_the_file_says_when_and_a_mistake_is_named(tmp_path: Path) -> None:
    assert read_nightly(tmp_path) == Nightly(zone="+08:00")
    text = '[nightly]\nquality = "23:10"\ndrift = ""\n[[source]]\nname = "a"\nfiles = {}\nzone = "Asia/Tokyo"\n'
    (tmp_path / "sources.toml").write_text(text)
    assert read_nightly(tmp_path) == Nightly(quality="23:10", drift="", zone="Asia/Tokyo")
    (source,) = read_sources(tmp_path)
    write_source(tmp_path, source)
    assert read_nightly(tmp_path).quality == "23:10", "connecting a source leaves the nights as they were"
    for wrong in ('quality = "24:00"', 'match = "4:00"', 'zone = "Nowhere/Else"', 'qualtiy = "04:00"'):
        with pytest.raises(BadSources):
            parse_sources(f"[nightly]\n{wrong}\n")


# --- work --------------------------------------------------------------------------------------------------------


def test_quality_runs_every_night_and_tells_what_began_to_fail(
    opened: OpenIntake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "xinglin.node.intake")
    nights = Nights(opened)
    assert ran(nights, QUALITY, 1)[0].counts["checks"] == 0 and last_run(opened.lake) is None
    lake = _filled(opened)
    first = ran(nights, QUALITY, at("2023-11-20 05:00+08:00"))
    assert not first[-1].failed and last_run(lake) is not None and not kept_alarms(lake)
    wrong = {**visits(1)[0], "id": "Encounter/wrong", "ended": "2023-09-01T08:00:00+08:00"}
    lake.append_batch(2, {"encounter": shaped("encounter", [wrong], batch=2)})
    ran(nights, QUALITY, at("2023-11-21 05:00+08:00"))
    found = [one.alarm for one in kept_alarms(lake)]
    assert "plausibility.order.encounter.ended" in {one.about for one in found}
    assert all(one.kind == "check_failed" and one.day == "2023-11-21" for one in found)
    assert "quality.alarm kind=check_failed" in caplog.text and "Encounter/wrong" not in caplog.text
    before = len(found)
    ran(nights, QUALITY, at("2023-11-22 05:00+08:00"))
    assert len(kept_alarms(lake)) == before, "what fails still is no news"
    status = next(one for one in nights.status(Nightly()) if one["job"] == "quality")
    assert status["failed"] == "" and status["ended_at"] and status["counts"]["checks"] > 50


def _filled(opened: OpenIntake) -> Lake:
    """The sound clinic's rows in the lake of an open intake."""
    lake = clinic(opened.folder / "elsewhere")
    for name in lake.names():
        opened.lake.append_batch(1, {name: lake.open(name).to_pyarrow_table()})
    return opened.lake


def test_drift_freezes_the_day_before_in_the_hospitals_zone(opened: OpenIntake) -> None:
    lake = _filled(opened)
    rows = [
        {**rates(1)[0], "id": f"o{day}-{n}", "effective": f"2023-11-{day:02d}T09:00:00+08:00", "code_source": "HR"}
        for day in range(1, 16) for n in range(60)
    ]  # fmt: skip
    new = [{**one, "id": f"n{one['id']}", "code_source": "PULS"} for one in rows[-40:]]
    lake.append_batch(2, {"observation": shaped("observation", [*rows, *new], batch=2)})
    nights = Nights(opened)
    done = ran(nights, DRIFT, at("2023-11-16 00:30+08:00"))
    assert done[0].counts["days"] >= 15
    kinds = {one.alarm.kind for one in kept_alarms(lake, "2023-11-15")}
    assert "new_code" in kinds and {one.alarm.day for one in kept_alarms(lake)} == {"2023-11-15"}
    status = {one["job"]: one for one in nights.status(Nightly())}
    assert status["drift"]["alarms"]["new_code"] == 1
    assert ran(nights, DRIFT, at("2023-11-16 01:30+08:00"))[1].counts == {}, "an alarm is raised once"


def test_matching_by_night_puts_pairs_under_review(opened: OpenIntake) -> None:
    done = ran(Nights(opened), MATCH, 5)
    assert done[0].counts == {"records": 0, "pairs": 0, "reviews": 0} and not done[-1].failed


# --- reconciliation ----------------------------------------------------------------------------------------------


def database(opened: OpenIntake, first: int, last: int, day: str = "2024-03-01") -> Path:
    """Stays ``first`` to before ``last`` in a database that ``sources.toml`` names."""
    path = opened.folder / "his.sqlite"
    with sqlite3.connect(path) as held:
        held.execute("CREATE TABLE IF NOT EXISTS stay (no TEXT, mrn TEXT, admitted TEXT, left TEXT, changed TEXT)")
        stamp = f"{day}T08:00:00"
        rows = [(str(n), f"m{n}", stamp, stamp, stamp) for n in range(first, last)]
        held.executemany("INSERT INTO stay VALUES (?, ?, ?, ?, ?)", rows)
    connect(opened, path, MAPPING, SOURCE)
    return path


def pull(opened: OpenIntake) -> None:
    """Pull the database into the lake."""
    puller = Pullers(opened, lambda: None)
    assert not puller.do("his", "rows", turn(1)).failed
    opened.intake.drain()


def test_every_source_that_can_count_is_reconciled_and_alarms_name_nobody(
    opened: OpenIntake, caplog: pytest.LogCaptureFixture
) -> None:
    database(opened, 100, 120)
    pull(opened)
    nights, night = Nights(opened, carried_s=0.1), at("2024-03-02 05:30+08:00")
    assert nights.parts(RECONCILE, night) == ("his", END)
    assert ran(nights, RECONCILE, night)[0].counts == {"counted": 1, "agreeing": 1}
    assert kept_alarms(opened.lake) == ()
    database(opened, 120, 123)
    assert ran(nights, RECONCILE, night + 60_000)[0].counts == {"counted": 1, "agreeing": 0, "alarms": 1}
    (kept,) = kept_alarms(opened.lake)
    assert kept.alarm.words == (
        "his 23 visits on 2024-03-01, here 20; 3 are missing (3: no message that was received names it)."
    )
    table = str(opened.lake.open(QUALITY_ALARM).to_pyarrow_table().drop_columns(["at"]).to_pylist())
    logged = "\n".join(caplog.messages)  # no instants and line numbers, in which any three digits may stand
    assert "quality.alarm kind=missing" in logged
    assert not any(str(n) in table or str(n) in logged for n in (120, 121, 122))


def test_nights_that_were_missed_are_reconciled_at_most_a_week_back(opened: OpenIntake) -> None:
    database(opened, 1, 3, "2024-03-01")
    pull(opened)
    nights = Nights(opened, carried_s=0.1)
    assert ran(nights, RECONCILE, at("2024-03-02 05:30+08:00"))[0].counts["counted"] == 1
    assert ran(nights, RECONCILE, at("2024-03-05 05:30+08:00"))[0].counts["counted"] == 3
    assert ran(nights, RECONCILE, at("2024-05-05 05:30+08:00"))[0].counts["counted"] == MISSED_DAYS


def test_a_source_that_is_away_is_tried_again_and_holds_up_no_other(opened: OpenIntake) -> None:
    path = database(opened, 1, 3)
    pull(opened)
    second = SOURCE.replace('name = "his"', 'name = "lis"').replace("his.url", "lis.url")
    (opened.folder / "sources.toml").write_text(second + SOURCE)
    nights, night = Nights(opened, tries=2, carried_s=0.1), at("2024-03-02 05:30+08:00")
    assert nights.parts(RECONCILE, night) == ("lis", "his", END)
    (opened.folder / "lis.url").write_text("postgresql://reader:pw-of-lis@127.0.0.1:1/none\n")
    assert nights.do(RECONCILE, "lis", turn(night)) == Done("feeds.sql_unavailable", True)
    assert nights.do(RECONCILE, "lis", turn(night)) == Done(counts={"failed": 1})
    assert nights.do(RECONCILE, "his", turn(night)).counts == {"counted": 1, "agreeing": 1}
    assert nights.do(RECONCILE, END, turn(night)) == Done("feeds.sql_unavailable")
    told = next(one for one in nights.status(Nightly()) if one["job"] == "reconcile")
    assert told["parts"] == {"lis": "feeds.sql_unavailable", "his": "done"} and told["failed"] and path.exists()
    assert nights.parts(RECONCILE, night) == (), "that night is over"


def test_a_part_that_ended_is_remembered_through_a_crash(opened: OpenIntake, monkeypatch: pytest.MonkeyPatch) -> None:
    nights, night = Nights(opened), turn(at("2023-11-16 04:30+08:00"))

    def full(*_: object) -> None:
        raise WriteFailed("The disk is full.")

    _filled(opened)
    nights.do(DRIFT, "days", night)
    monkeypatch.setattr("xinglin.node.intake.nightly.raise_alarms", full)
    assert nights.do(DRIFT, "compare", night) == Done(WriteFailed.code, True), "a disk may have room later"
    monkeypatch.undo()
    again = Nights(opened)
    again.do(DRIFT, "compare", night)
    again.do(DRIFT, END, night)
    told = next(one for one in again.status(Nightly()) if one["job"] == "drift")
    assert told["parts"] == {"days": "done", "compare": "done"} and told["failed"] == "" and told["doing"] == ""


def test_alarms_are_kept_once_and_shown_newest_first(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    one, other = (Alarm("volume", "his", f"2024-03-0{n}", "observation", "few", "少", 6.0) for n in (1, 2))
    assert raise_alarms(lake, [one, one], 1) == (one,)
    assert raise_alarms(lake, [one, other], 2) == (other,) and raise_alarms(lake, [], 3) == ()
    assert [kept.alarm for kept in kept_alarms(lake)] == [other, one]
    assert [kept.at for kept in kept_alarms(lake, "2024-03-02")] == [2]
    with pytest.raises(LimitExceeded):
        kept_alarms(lake, "", SHOWN.value + 1)


def test_the_names_are_those_of_the_file() -> None:
    assert set(JOBS) == {"match", "drift", "quality", "reconcile"} < set(Nightly.__struct_fields__)
    assert datetime.fromtimestamp(at("2024-03-02 05:30+08:00") / 1000, UTC).hour == 21
