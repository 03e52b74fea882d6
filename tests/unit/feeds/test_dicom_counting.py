"""The index and the summaries: from the raw store alone, once each, without what was erased."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.records.dicom.phantoms import ROOT, encoded, phantom

from xinglin.feeds.dicom_counting import SeriesCounter
from xinglin.feeds.dicom_query import parse_query, result_json
from xinglin.intake.ports import Received
from xinglin.records.dicom import DICOM_MEDIA_TYPE, SUMMARY_MEDIA_TYPE, decode_summary, open_header
from xinglin.records.dicom.indexing import InstanceQuery
from xinglin.stores.dicom_index import DicomIndex, open_dicom_index
from xinglin.stores.raw_model import Kek, KeyRing
from xinglin.stores.raw_store import RawFolder, open_raw_store


class Parts:
    """A raw store, an index and a counter whose clock is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, 1_000_000
        self.raw: RawFolder = open_raw_store(folder / "raw", KeyRing(Kek("k", b"k" * 32)))
        self.index: DicomIndex = open_dicom_index(folder / "dicom.db")
        self.counter = SeriesCounter(self.index, self.raw, clock=lambda: self.now)

    def keep(self, body: bytes, source: str = "pacs", media_type: str = DICOM_MEDIA_TYPE) -> str:
        return self.raw.keep_all([Received(body, source, media_type, self.now)])[0].digest

    def summaries(self) -> list[tuple[int, ...]]:
        found = [self.raw.read(one.digest) for one in self.raw.after(0, 1000) if one.media_type == SUMMARY_MEDIA_TYPE]
        return [tuple(one.size_bytes for one in decode_summary(body).instances) for body in found]

    def later(self, ms: int = 10_000) -> int:
        self.counter.follow()
        self.now += ms
        return self.counter.summarise()

    def close(self) -> None:
        self.index.close()
        self.raw.close()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    yield made
    made.close()


def test_a_quiet_series_gets_one_summary_and_a_new_instance_another(parts: Parts) -> None:
    one, two, three = (encoded(phantom(n)) for n in (1, 2, 3))
    parts.keep(one)
    parts.keep(two)
    assert parts.counter.follow() == 2
    assert parts.counter.summarise() == 0  # not quiet yet
    assert parts.later() == 1
    assert parts.later() == 0
    assert parts.summaries() == [(len(one), len(two))]
    parts.keep(two)
    assert parts.later() == 0
    parts.keep(three)
    assert parts.later() == 1
    assert parts.summaries()[-1] == (len(one), len(two), len(three))


def test_the_newest_form_of_an_instance_counts_and_sources_are_apart(parts: Parts) -> None:
    parts.keep(encoded(phantom(1)))
    corrected = encoded(phantom(1, StudyDescription="corrected afterwards"))
    parts.keep(corrected)
    parts.keep(encoded(phantom(2)), source="other")
    parts.later()
    assert sorted(map(len, parts.summaries())) == [1, 1]
    assert (len(corrected),) in parts.summaries()


def test_an_index_that_was_lost_comes_back_and_writes_nothing_twice(parts: Parts) -> None:
    parts.keep(encoded(phantom(1)))
    parts.later()
    before = parts.raw.count()
    parts.index.close()
    for path in parts.folder.glob("dicom.db*"):
        path.unlink()
    parts.index = open_dicom_index(parts.folder / "dicom.db")
    parts.counter = SeriesCounter(parts.index, parts.raw, clock=lambda: parts.now)
    assert parts.later() == 1
    assert parts.raw.count() == before


def test_what_a_listener_read_is_not_read_again(parts: Parts) -> None:
    body = encoded(phantom(1))
    (kept,) = parts.raw.keep_all([Received(body, "pacs", DICOM_MEDIA_TYPE, 1)])
    parts.counter.notice(kept, open_header(body))
    assert parts.counter.follow() == 1
    assert len(parts.index.search(InstanceQuery("instances"))) == 1


def test_objects_that_are_no_instances_are_passed_over(parts: Parts) -> None:
    parts.keep(b"no DICOM at all")
    parts.keep(encoded(phantom(1, SeriesInstanceUID=None)))
    parts.keep(b"MSH|", media_type="x-application/hl7-v2+er7")
    assert parts.counter.follow() == 0
    assert parts.index.position() == 3


def test_an_erased_instance_leaves_no_byte_in_the_index(parts: Parts) -> None:
    digest = parts.keep(encoded(phantom(1, PatientID="SECRET-ID-4711")))
    parts.keep(encoded(phantom(2, series=2)))
    parts.counter.follow()
    assert b"SECRET-ID-4711" in _bytes(parts.folder)
    parts.raw.erase([digest])
    parts.counter.follow()
    assert len(parts.index.search(InstanceQuery("instances"))) == 1
    assert b"SECRET-ID-4711" not in _bytes(parts.folder)


def _bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("dicom.db*"))


def test_searches_match_names_dates_and_lists(parts: Parts) -> None:
    parts.keep(encoded(phantom(1)))
    parts.keep(encoded(phantom(2, PatientName="Müller^Anna", PatientID="P2", StudyDate="20230101", series=2,
                               StudyInstanceUID=f"{ROOT}.8")))  # fmt: skip
    parts.counter.follow()

    def found(**given: str) -> int:
        return len(parts.index.search(parse_query("studies", list(given.items()), ())))

    assert found() == 2
    assert found(PatientName="müll*") == found(PatientName="张") == found(PatientID="P?") == 1
    assert found(StudyDate="20240101-") == found(StudyDate="-20231231") == found(StudyDate="20230101") == 1
    assert found(StudyInstanceUID=f"{ROOT}.0,{ROOT}.8") == 2
    assert found(PatientID="P[2]") == found(PatientName="%") == found(PatientID="x' OR 1=1 --") == 0
    assert found(limit="1") == found(limit="5", offset="1") == 1
    for wrong in (("limit", "-1"), ("limit", "x"), ("Rows", "1"), ("no such", "1")):
        with pytest.raises(ValueError, match=r"."):
            parse_query("studies", [wrong], ())
    (one,) = parts.index.search(parse_query("series", [("PatientID", "P2")], ()))
    told = result_json(one, "series", "http://here/dicom-web")
    assert told["00081190"]["Value"] == [f"http://here/dicom-web/studies/{ROOT}.8/series/{ROOT}.2"]
    assert told["00100010"]["Value"] == [{"Alphabetic": "Müller^Anna"}]
    assert "00080018" not in told
