"""Mappings that were wrong and are mended: replay of what was held, remapping of what was said wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.intake.hospital import HEAD, LAB, MAPPING, Hospital, results

from xinglin.intake.errors import UnknownSource
from xinglin.intake.model import BatchLimits, Tally
from xinglin.intake.replaying import remap
from xinglin.intake.replaying import replay as replay_
from xinglin.stores.intake_lake import LakeFacts

WRONG = MAPPING.replace("Observation/{mrn}-{test}", "Observation/{mrn}-{sample}")


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    opened = Hospital(tmp_path, limits=BatchLimits(objects=2))
    opened.ledger.register(LAB, 1)
    yield opened
    opened.close()


def current(hospital: Hospital, table: str) -> dict[str, dict[str, object]]:
    """The newest version of each fact."""
    newest: dict[str, dict[str, object]] = {}
    for row in sorted(hospital.rows(table), key=lambda row: (row["version_at"], row["recorded_at"], row["batch"])):
        newest[row["id"]] = row
    return newest


def test_an_object_that_no_mapping_fitted_is_read_once_the_mapping_is_mended(hospital: Hospital) -> None:
    hospital.ledger.register(replace(LAB, mapping=WRONG), 2)
    kept = hospital.send(results(1, 3), results(10, 2), results(20, 1))
    hospital.intake.drain()
    status = hospital.accounts.status(3)
    assert status.tally == Tally(received=3, quarantined=3) and status.objects == {"quarantined": 3}
    assert hospital.rows("observation") == []
    hospital.ledger.register(LAB, 3)
    done = replay_(hospital.intake, hospital.ledger, source="lab")
    assert done.objects == 3 and done.rows == {"observation": 6, "patient": 6} and len(done.batches) == 2
    assert hospital.accounts.held() == () and hospital.accounts.held_codes() == {}
    status = hospital.accounts.status(3)
    assert status.tally == Tally(received=6, accepted=6) and status.objects == {"committed": 3}
    assert {row["message"] for row in hospital.rows("observation")} == {one.digest for one in kept}
    assert replay_(hospital.intake, hospital.ledger).objects == 0


def test_rows_that_were_accepted_are_not_doubled(hospital: Hospital) -> None:
    (kept,) = hospital.send(results(1, 3) + ",x,male,hb,4\n")
    hospital.intake.drain()
    assert hospital.accounts.object(kept.digest).tally == Tally(received=4, accepted=3, quarantined=1)  # type: ignore[union-attr]
    mended = MAPPING.replace("{mrn}", "{key}")
    hospital.ledger.register(replace(LAB, mapping=mended), 2)
    hospital.ledger.register(LAB, 3)
    done = replay_(hospital.intake, hospital.ledger, codes=("tabular.no_id",))
    assert done.rows == {} and done.tally.repeated == 3
    found = hospital.accounts.object(kept.digest)
    assert found is not None and found.tally == Tally(received=4, accepted=3, quarantined=1)
    assert [row.version for row in hospital.accounts.held()] == [3]
    assert len(hospital.rows("patient")) == 3


def test_a_source_that_was_not_registered_is_read_once_it_is(hospital: Hospital) -> None:
    hospital.send(results(1, 2), source="late")
    hospital.intake.drain()
    assert hospital.accounts.held_codes() == {"intake.unknown_source": 1}
    hospital.ledger.register(replace(LAB, name="late"), 2)
    assert replay_(hospital.intake, hospital.ledger, codes=("intake.unknown_source",)).rows["patient"] == 2
    assert hospital.accounts.status(1).tally == Tally(received=2, accepted=2)


def test_remapping_writes_new_versions_of_what_changed_and_nothing_else(hospital: Hospital) -> None:
    hospital.send(results(1, 4))
    hospital.intake.drain()
    doubled = MAPPING.replace('{column = "value"}', '{column = "value", factor = 2.0}')
    hospital.ledger.register(replace(LAB, mapping=doubled), 2)
    done = remap(hospital.intake, hospital.ledger, LakeFacts(hospital.lake), "lab")
    assert done.rows == {"observation": 4 - 0} and done.taken_back == 0  # every value is other than 0
    assert {row["value_number"] for row in current(hospital, "observation").values()} == {2, 4, 6, 8}
    assert len(hospital.rows("patient")) == 4
    again = remap(hospital.intake, hospital.ledger, LakeFacts(hospital.lake), "lab")
    assert again.rows == {} and again.tally.repeated == 4


def test_facts_that_no_longer_arise_are_deleted_and_may_come_back(hospital: Hospital) -> None:
    hospital.ledger.register(replace(LAB, namespace="his"), 2)
    hospital.send(results(1, 2), results(10, 1))
    hospital.intake.drain()
    other = MAPPING.replace("Observation/{mrn}-{test}", "Observation/{mrn}/{test}")
    hospital.ledger.register(replace(LAB, namespace="his", mapping=other), 3)
    done = remap(hospital.intake, hospital.ledger, LakeFacts(hospital.lake), "lab")
    assert done.taken_back == 3
    standing = {key: row["status"] for key, row in current(hospital, "observation").items()}
    assert standing == {
        **{f"his/Observation/{mrn}-hb": "deleted" for mrn in (1, 2, 10)},
        **{f"his/Observation/{mrn}/hb": None for mrn in (1, 2, 10)},
    }
    assert {row["patient"] for row in hospital.rows("observation")} == {f"his/Patient/{mrn}" for mrn in (1, 2, 10)}
    hospital.ledger.register(replace(LAB, namespace="his"), 4)
    remap(hospital.intake, hospital.ledger, LakeFacts(hospital.lake), "lab")
    standing = {key: row["status"] for key, row in current(hospital, "observation").items()}
    assert {key for key, status in standing.items() if status is None} == {
        f"his/Observation/{n}-hb" for n in (1, 2, 10)
    }
    assert hospital.accounts.status(2).tally == Tally(received=3, accepted=3)
    with pytest.raises(UnknownSource):
        remap(hospital.intake, hospital.ledger, LakeFacts(hospital.lake), "nobody")


def test_an_object_that_was_being_read_again_when_the_process_died_is_read_again(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(name: str) -> None:
        if name == "appended" and armed:
            raise Stop

    armed: list[int] = []
    first = Hospital(tmp_path, step=stop)
    first.ledger.register(LAB, 1)
    first.send(results(1, 3) + ",x,male,hb,4\n", HEAD)
    first.intake.drain()
    armed.append(1)
    with pytest.raises(Stop):
        replay_(first.intake, first.ledger)
    first.close()
    second = Hospital(tmp_path)
    second.intake.recover()
    assert second.accounts.status(2).tally == Tally(received=4, accepted=3, quarantined=1)
    assert len(second.rows("patient")) == 3 and len(second.accounts.held()) == 1
    second.close()
