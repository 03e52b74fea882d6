"""Mappings of tables and data quality in the console, over a real intake, raw store, ledger, lake and reading child."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.test_quality_verbs import DAY, MAPPING, rows
from tests.unit.console.hall import Hall

from xinglin.console.calls.hospital_quality import QualityCalls, Stopped
from xinglin.intake.model import Source
from xinglin.intake.ports import Received
from xinglin.kernel.instants import system_clock
from xinglin.node.intake.sources import Files, SourceFile, read_sources, write_source
from xinglin.node.intake.wiring import open_intake
from xinglin.node.joining import KEY_FILE
from xinglin.node.settings import node_settings
from xinglin.records.tabular.mapping import parse_mapping
from xinglin.trust.key_file import key_file_bytes
from xinglin.trust.keys import PrivateKeys

NEXT = "2024-03-02"
HOSTILE = '"><script>alert(1)</script>'
CHECK = "plausibility.range_8310-5_cel.observation.value_number"
SCREENS: tuple[str, ...] = (
    "/mapping/tables",
    "/mapping/tables/his",
    "/quality",
    f"/quality/check/{CHECK}",
    "/quality/drift",
)
SCREENS += ("/quality/reconcile",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node with a feed of tables, whose one table has a hostile column, and a source without a mapping."""
    folder = tmp_path_factory.mktemp("space") / "hospital"
    folder.mkdir()
    keys = PrivateKeys.generate()
    (folder / KEY_FILE).write_bytes(key_file_bytes(keys))
    (folder / KEY_FILE).chmod(0o600)
    source = SourceFile("his", files=Files("x.csv"), media_type="text/csv", mapping="his.toml")
    write_source(folder, source, MAPPING)
    write_source(folder, SourceFile("bare", files=Files("y.csv"), media_type="text/csv"))
    opened = open_intake(folder, node_settings(folder).settings, keys)
    for name, text in (("his", MAPPING), ("bare", "")):
        opened.ledger.register(Source(name, media_type="text/csv", mapping=text), system_clock())
    first, *others = rows().splitlines()
    odd = "\n".join([f'{first},"{HOSTILE.replace(chr(34), chr(34) * 2)}"', *(f"{one},x" for one in others)])
    later = re.sub(r"(?m)^(\d+),", r"9\1,", rows().replace(DAY, NEXT))
    opened.raw.keep_all([Received(later.encode(), "his", "text/csv", system_clock())])
    opened.raw.keep_all([Received(odd.encode(), "his", "text/csv", system_clock())])
    opened.raw.keep_all([Received(b"patient_id,gender\n1,F\n2,M\n3,F\n", "bare", "text/csv", system_clock())])
    opened.intake.drain()
    opened.close()
    return folder


@pytest.fixture(scope="module")
def hall(folder: Path) -> Iterator[Hall]:
    hall = Hall(folder.parent, "hospital", "researcher")
    yield hall
    hall.close()


def number_of(hall: Hall, source: str) -> str:
    page = hall.get(f"/mapping/tables/{source}", "hospital").text
    found = re.search(rf"/mapping/tables/{source}/review/(\d+)", page)
    assert found is not None, page
    return found[1]


def waited(hall: Hall, path: str) -> str:
    for _ in range(600):
        page = str(hall.get(path, "hospital").text)
        if 'data-live="/quality/live"' not in page:
            return page
        time.sleep(0.05)
    raise AssertionError("it does not end")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_screen_is_the_hospitals_alone_and_escapes_what_it_shows(language: str, hall: Hall) -> None:
    at = number_of(hall, "his")
    for path in (*SCREENS, f"/mapping/tables/his/check/{at}", f"/mapping/tables/his/review/{at}"):
        answer = hall.get(path, "hospital", **{"accept-language": language})
        assert answer.status_code == 200, (path, answer.text[-2000:])
        assert HOSTILE not in answer.text, path
        assert hall.get(path, "researcher").status_code == 403, path
        assert hall.get(path).status_code in (303, 401), path


# --- mappings of tables ------------------------------------------------------------------------------------------


def test_the_feeds_of_tables_are_listed_with_what_came_in(hall: Hall) -> None:
    found = {one["name"]: one for one in json.loads(hall.get("/mapping/tables?as=json", "hospital").content)}
    assert found["his"]["mapping"] == "his.toml" and found["his"]["tables"] == 2
    assert found["bare"]["mapping"] == "" and found["bare"]["unread"] == 1
    fills = json.loads(hall.get("/mapping/tables/his?as=json", "hospital").content)
    assert {
        "field": "observation.value_number",
        "columns": "value",
        "kind": "number",
        "unit": "Cel",
        "codes": "",
    } in fills


def test_no_path_comes_from_the_browser(hall: Hall, folder: Path) -> None:
    at = number_of(hall, "his")
    (folder / "mappings" / "other.toml").write_text("secret = 1")
    for path in (
        "/mapping/tables/..%2F..%2Fetc",
        "/mapping/tables/nothing",
        "/mapping/tables/his?earlier=../other.toml",
        "/mapping/tables/his?earlier=other.toml",
        "/mapping/tables/his/review/999",
        "/mapping/tables/his/review/..%2Fx",
        f"/mapping/tables/bare/review/{at}",
        f"/mapping/tables/nothing/check/{at}",
    ):
        answer = hall.get(path, "hospital")
        assert answer.status_code == 404, (path, answer.status_code)
        assert "secret" not in answer.text


def test_a_check_tells_what_the_mapping_makes_of_the_table(hall: Hall) -> None:
    page = unescape(hall.get(f"/mapping/tables/his/check/{number_of(hall, 'his')}", "hospital").text)
    assert re.search(r"<dt>Rows read</dt><dd>40</dd>", page), page
    assert "Columns that the mapping does not read: 1." in page
    assert "observation" in page and "36.5" in page, "the first rows, for the hospital's own eyes"


def test_a_proposal_tells_meaning_confidence_and_reasons(hall: Hall) -> None:
    path = f"/mapping/tables/his/review/{number_of(hall, 'his')}"
    found = {one["name"]: one for one in json.loads(hall.get(f"{path}?as=json", "hospital").content)}
    assert found["mrn"]["meaning"].endswith("(person.id)") and found["mrn"]["confidence"] > 0.8
    assert found["mrn"]["why"] == "the name is in use for it"
    few = json.loads(hall.get(f"{path}?as=json&how_sure=unknown", "hospital").content)
    assert 0 < len(few) < len(found) and not any(one["confidence"] for one in few)
    chinese = unescape(hall.get(path, "hospital", **{"accept-language": "zh"}).text)
    assert "患者ID (person.id)" in chinese and "列名通常就用于此项" in chinese


def test_a_persons_choice_stands_before_the_guess(hall: Hall) -> None:
    path = f"/mapping/tables/bare/review/{number_of(hall, 'bare')}"
    first = unescape(hall.get(path, "hospital").text)
    assert 'column = "gender"' in first and "/mapping/tables/bare" in first
    answer = hall.post(path, "hospital", verb="choose", seen="", c0="person.id", c1="visit.department")
    page = unescape(answer.text)
    assert answer.status_code == 200 and "chosen" in page
    assert "a person said so" in page and 'into = "encounter"' not in page.partition("<textarea")[0]
    refused = hall.post(path, "hospital", verb="choose", seen="", c1="no.such")
    assert refused.status_code == 409 and "no.such" in refused.text
    assert hall.post(path, "hospital", verb="burn", seen="").status_code == 422


def test_a_mapping_is_tried_kept_and_the_one_before_is_never_lost(hall: Hall, folder: Path) -> None:
    path = f"/mapping/tables/his/review/{number_of(hall, 'his')}"
    page = hall.get(path, "hospital").text
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen is not None
    text = MAPPING.replace('name = "his"', 'name = "hers"')
    tried = hall.post(path, "hospital", verb="check", seen=seen[1], text=text)
    assert tried.status_code == 200 and "What this mapping makes of the table" in tried.text
    file = folder / "mappings" / "his.toml"
    assert file.read_text() == MAPPING, "to try keeps nothing"
    broken = hall.post(path, "hospital", verb="keep", seen=seen[1], text=text.replace("patient", "pateint"))
    assert broken.status_code == 422 and "Did you mean" in broken.text and "pateint" in broken.text
    assert file.read_text() == MAPPING
    kept = hall.post(path, "hospital", verb="keep", seen=seen[1], text=text)
    assert kept.status_code == 303 and kept.headers["location"] == "/mapping/tables/his"
    assert file.read_text().startswith("# Kept by hospital, "), "signed with the account's name, of which there is one"
    assert parse_mapping(file.read_text()).name == "hers"
    (before,) = (folder / "mappings" / "earlier").iterdir()
    assert before.read_text() == MAPPING and before.stat().st_mode & 0o077 == 0
    late = hall.post(path, "hospital", verb="keep", seen=seen[1], text=MAPPING)
    assert late.status_code == 422 and "changed the mapping meanwhile" in late.text
    shown = unescape(hall.get(f"/mapping/tables/his?earlier={before.name}", "hospital").text)
    assert 'name = "his"' in shown
    again = re.search(r'name="seen" value="([^"]+)"', hall.get(path, "hospital").text)
    assert again is not None
    assert hall.post(path, "hospital", verb="keep", seen=again[1], text=text).status_code == 303
    assert file.read_text().count("# Kept by") == 1
    assert len(list((folder / "mappings" / "earlier").iterdir())) == 2


def test_a_source_without_a_mapping_gets_its_first(hall: Hall, folder: Path) -> None:
    path = f"/mapping/tables/bare/review/{number_of(hall, 'bare')}"
    text = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", hall.get(path, "hospital").text, re.S)
    assert text is not None
    kept = hall.post(path, "hospital", verb="keep", seen="", text=unescape(text[1]))
    assert kept.status_code == 303
    assert next(one for one in read_sources(folder) if one.name == "bare").mapping == "bare.toml"
    assert {one.name for one in read_sources(folder)} == {"his", "bare"}
    assert parse_mapping((folder / "mappings" / "bare.toml").read_text()).table


# --- quality -----------------------------------------------------------------------------------------------------


def test_checks_run_beside_the_page_and_are_kept(hall: Hall) -> None:
    assert "Nothing was checked yet" in hall.get("/quality", "hospital").text
    for _ in range(2):
        assert hall.post("/quality/run", "hospital").status_code == 303
        page = waited(hall, "/quality")
    assert "Failed checks, run by run" in page and "<svg" in page and "The numbers behind it" in page
    rows = json.loads(hall.get("/quality?as=json&state=failed", "hospital").content)
    assert CHECK in {one["check"] for one in rows} and all(one["state_words"] == "failed" for one in rows)
    csv = hall.get("/quality?as=csv&severity=error", "hospital").content.decode("utf-8-sig")
    assert csv.startswith("severity_words,means,failing")
    one = unescape(hall.get(f"/quality/check/{CHECK}", "hospital").text)
    assert "Observation/7" not in one, "rows are read when asked for"
    shown = hall.get(f"/quality/check/{CHECK}?rows=shown", "hospital").text
    assert "Observation/7" in shown and "98.6" in shown
    assert hall.get("/quality/check/none", "hospital").status_code == 404


def test_a_run_of_one_table_is_told_and_not_kept(hall: Hall) -> None:
    before = hall.get("/quality?as=json", "hospital").content
    assert hall.post("/quality/run", "hospital", table="patient").status_code == 303
    page = waited(hall, "/quality")
    assert "shown here and not kept" in page
    assert hall.get("/quality?as=json", "hospital").content == before
    assert hall.post("/quality/run", "hospital", table="../x").status_code == 404


def test_a_run_can_be_stopped_and_keeps_nothing(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: QualityCalls = hall.console.calls(hall.console.seats["hospital"], "").quality  # type: ignore[attr-defined]
    runs = len(calls.runs())
    told = calls._told

    def stopping(done: int, of: int) -> None:
        """Somebody presses the button as soon as the first table was read."""
        if done:
            hall.post("/quality/stop", "hospital")
            page = hall.get("/quality", "hospital").text
            assert "<progress" in page and "It ends after" in page
        told(done, of)

    monkeypatch.setattr(calls, "_told", stopping)
    hall.post("/quality/run", "hospital")
    page = waited(hall, "/quality")
    assert "Nothing of this run was kept." in page and len(calls.runs()) == runs
    assert Stopped.code == "console.stopped"


def test_a_day_is_summed_up_when_it_is_over(hall: Hall) -> None:
    assert hall.post("/quality/drift", "hospital", day=DAY).status_code == 303
    page = unescape(waited(hall, "/quality/drift"))
    assert f"{DAY}: days summed up:" in page
    assert "no day was summed up" not in page and "One day is summed up" in page
    hall.post("/quality/drift", "hospital", day=NEXT)
    drawn = unescape(waited(hall, "/quality/drift"))
    assert f"From {DAY} to {NEXT}; the newest day has 40 rows." in drawn and "<svg" in drawn
    hall.post("/quality/drift", "hospital", day="2999-01-01")
    assert "This day is not over" in waited(hall, "/quality/drift")
    assert hall.post("/quality/drift", "hospital", day="yesterday").status_code == 422
    assert hall.post("/quality/drift", "hospital", day=DAY, source="nobody").status_code == 404


def test_a_count_is_compared_and_what_is_missing_has_its_reason(hall: Hall) -> None:
    keys = "\n".join(str(n) for n in range(41))
    fields: dict[str, Any] = {"source": "his", "day": DAY, "kind": "admission", "keys": keys}
    assert hall.post("/quality/reconcile", "hospital", **fields).status_code == 303
    page = unescape(hall.get("/quality/reconcile", "hospital").text)
    assert "no message that was received names it" in page and "does not agree" in page
    (row,) = json.loads(hall.get("/quality/reconcile?as=json", "hospital").content)
    assert (row["theirs"], row["here"]) == (41, 40) and "(40:" not in row["words"], "no key in the export"
    assert hall.post("/quality/reconcile", "hospital", **(fields | {"source": "../x"})).status_code == 404
    assert hall.post("/quality/reconcile", "hospital", **(fields | {"kind": "x"})).status_code == 422
