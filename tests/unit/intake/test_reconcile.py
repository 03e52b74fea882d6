"""Reconciliation with a source, on the real ledger, raw store and lake."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.intake.hospital import Hospital

from xinglin.intake.model import Source
from xinglin.intake.reconcile import (
    KEYS,
    HereCount,
    Missing,
    SourceCount,
    UnknownCount,
    alarms_of,
    mentioned,
    named_in,
    reconcile,
    standing,
    table_of,
)
from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.instants import system_clock
from xinglin.lake.quality_days import keyed_day

MAPPING = """version = 1
name = "his"
[[table]]
into = "encounter"
id = "Encounter/{visit}"
patient = "Patient/{mrn}"
when = [{column = "kind", equals = "visit"}]
[table.columns]
started = {column = "started"}
status = {column = "status"}
"""
HIS = Source("his", media_type="text/csv", mapping=MAPPING)
HEAD = "visit,mrn,kind,started,status\n"
DAY = "2024-03-01"


def here(hospital: Hospital, theirs: SourceCount) -> HereCount:
    table, moment = table_of(theirs.kind)
    found = keyed_day(hospital.lake, theirs.source, table, moment, theirs.day, theirs.keys)
    return HereCount(
        theirs.source, theirs.day, theirs.kind, found.count, found.keys, found.other_days, found.taken_back
    )


class Opened:
    """The raw store, searched in this process."""

    def __init__(self, hospital: Hospital) -> None:
        self._raw = hospital.raw

    def standing(self, digest: str, words: list[bytes]) -> list[bytes]:
        return standing(words, self._raw.read(digest))


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    hospital = Hospital(tmp_path)
    hospital.ledger.register(HIS, system_clock())
    rows = [f"{n},m{n},visit,{DAY}T08:00:00+08:00,finished\n" for n in range(100, 110)]
    other = "200,m1,visit,2024-03-02T08:00:00+08:00,finished\n"
    gone = f"201,m1,visit,{DAY}T09:00:00+08:00,cancelled\n"
    ignored = f"202,m2,note,{DAY}T09:00:00+08:00,finished\n"
    hospital.send(HEAD + "".join(rows) + other + gone + ignored, source="his")
    # 203 came in a message that nobody can read.
    hospital.send("resourceType;203;x\n", source="his", media_type="application/fhir+json")
    hospital.intake.drain()
    return hospital


def test_the_difference_is_named_record_by_record(hospital: Hospital) -> None:
    keys = (*(str(n) for n in range(100, 110)), "200", "201", "202", "203", "204")
    theirs = SourceCount("his", DAY, "admission", len(keys), keys)
    counted = here(hospital, theirs)
    lost = set(keys) - {key.rsplit("/", 1)[-1] for key in counted.keys}
    held = hospital.accounts.held()
    objects = [one.digest for one in hospital.ledger.objects_of("his", 0, 100)]
    raw = Opened(hospital)
    done = reconcile(theirs, counted, mentioned(raw, held, lost), named_in(raw, objects, lost))
    assert {one.key: one.reason for one in done.missing} == {
        "200": "other_day",
        "201": "taken_back",
        "202": "no_row",
        "203": "quarantined" if held else "no_row",
        "204": "never_received",
    }
    assert not done.agrees
    assert done.words().startswith("his 15 admissions on 2024-03-01, here 10; 5 are missing (200: it is here under")
    assert "入院 15 条，本地 10 条" in done.words_zh()
    (alarm,) = alarms_of([done])
    assert (alarm.kind, alarm.about, alarm.score) == ("missing", "encounter", round(5 / 15, 4))
    hospital.close()


def test_equal_counts_agree(hospital: Hospital) -> None:
    theirs = SourceCount("his", DAY, "visit", 10)
    done = reconcile(theirs, here(hospital, theirs))
    assert done.agrees
    assert alarms_of([done]) == ()
    assert done.words() == "his 10 visits on 2024-03-01, here 10."
    hospital.close()


def test_equal_counts_of_other_records_do_not_agree() -> None:
    done = reconcile(
        SourceCount("his", DAY, "visit", 2, ("1", "2")),
        HereCount("his", DAY, "visit", 2, {"Encounter/1": "Encounter/1", "Encounter/9": "Encounter/9"}),
    )
    assert (done.missing, done.surplus) == ((Missing("2", "never_received"),), ("Encounter/9",))
    assert [one.kind for one in alarms_of([done])] == ["missing"]


def test_a_source_number_counts_as_the_key() -> None:
    visits = HereCount("his", DAY, "visit", 1, {"Encounter/abc": "Encounter/abc", "Z77": "Encounter/abc"})
    assert reconcile(SourceCount("his", DAY, "visit", 1, ("Z77",)), visits).agrees
    assert reconcile(SourceCount("his", DAY, "visit", 1, ("abc",)), visits).agrees


def test_a_key_is_not_found_inside_another(hospital: Hospital) -> None:
    objects = [one.digest for one in hospital.ledger.objects_of("his", 0, 100)]
    assert named_in(Opened(hospital), objects, {"10", "100", "m1", "m"}) == {"100", "m1"}
    hospital.close()


def test_no_keys_no_reasons() -> None:
    done = reconcile(SourceCount("his", DAY, "result", 1203), HereCount("his", DAY, "result", 1201))
    assert "1,203 results" in done.words()
    assert "gave no keys" in done.words()
    assert "Missing" not in repr(done)


def test_limits_and_words() -> None:
    with pytest.raises(LimitExceeded):
        reconcile(SourceCount("his", DAY, "visit", 1, ("x",) * (KEYS.value + 1)), HereCount("his", DAY, "visit", 0))
    with pytest.raises(UnknownCount):
        table_of("coffee")
    assert "secret" not in repr(SourceCount("his", DAY, "visit", 1, ("secret",)))
