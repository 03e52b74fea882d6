"""Extracts and synthetic sets on their screens: looked at, asked, followed, taken, withheld, nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from tests.unit.console.desk_of_rows import SQL, TITLE, RowsDesk

from xinglin.kernel.verdict import Reason
from xinglin.sdk.workspace import keeper
from xinglin.stores import looking_tables
from xinglin.wire.synthetic import REPORT_FILE

EXTRACT = {"profile": "gb-t-37964", "k": "10", "right.disease": "sensitive", "format": "parquet"}
SET = {"rows": "500", "epsilon": "1", "method": "aim"}
PREFILLED = ("1 Cohort", "2 Columns, and what each may tell", "Institute workspace", "gb-t-37964")
NO_LEAF = "The log's entry does not authorise this."


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RowsDesk]:
    desk = RowsDesk(tmp_path_factory.mktemp("rows"))
    yield desk
    desk.hall.close()


@pytest.fixture
def desk(made: RowsDesk) -> RowsDesk:
    made.reset()
    return made


def files_below(folder: Path) -> dict[Path, bytes]:
    """Every file but the databases of the console itself."""
    return {one: one.read_bytes() for one in folder.rglob("*") if one.is_file() and ".db" not in one.name}


def extract(desk: RowsDesk, **changes: str) -> str:
    return desk.asked("/extracts/ask", workspace=desk.hub.workspace.did, hospital="north", **(EXTRACT | changes))


def test_an_extract_is_looked_at_before_anything_is_sent(desk: RowsDesk) -> None:
    page = desk.get("/extracts/new")  # the only study that permits it
    assert page.status_code == 200 and all(one in page.text for one in PREFILLED), page.text
    assert "It may be asked" in page.text and "blind to each other" in page.text
    looked = desk.post("/extracts/look", workspace=desk.hub.workspace.did, **EXTRACT | {"right.age": "no"})
    assert "rows of 2 columns" in looked.text, "a column that is not asked for does not leave"
    assert not desk.hub.views


def test_an_extract_that_breaks_a_rule_is_not_sent_and_says_which(desk: RowsDesk) -> None:
    to = desk.hub.workspace.did
    assert "terms.k_too_small" in desk.post("/extracts/look", workspace=to, **EXTRACT | {"k": "3"}).text
    few = desk.post("/extracts/ask", workspace=to, **EXTRACT | {"k": "3"})
    assert few.status_code == 409 and "terms.k_too_small" in few.text
    strange = desk.post("/extracts/look", workspace=to, sql="SELECT secret FROM cardiac")
    assert "sql.unknown_column" in strange.text and "It cannot be asked like this" in strange.text
    assert desk.post("/extracts/look", workspace=to, **EXTRACT | {"k": "many"}).status_code == 422
    assert not desk.hub.views


def test_an_extract_is_asked_of_each_hospital_followed_and_withheld_with_reasons(desk: RowsDesk) -> None:
    first = desk.asked("/extracts/ask", workspace=desk.hub.workspace.did, **EXTRACT)
    assert len(desk.hub.views) == 3
    page = desk.get(f"/extracts/{first}").text
    assert all(name in page for name in ("north", "south", "west")) and "Asked at once" in page
    desk.hub.move(first, "held")
    held = desk.get(f"/extracts/{first}").text
    assert "two persons" in held and "Both have to be for it" in held and "data-live" in held
    told = Reason("extract.withheld", "The persons of the hospital did not release it.", "Ask for fewer columns.")
    desk.hub.move(first, "withheld", told)
    withheld = desk.get(f"/extracts/{first}").text
    assert told.words in withheld and told.remedy in withheld and "/take" not in withheld
    again = desk.get(f"/extracts/new?run={first}").text
    assert SQL in again.replace("&#39;", "'") and 'value="sensitive" selected' in again


def test_what_is_delivered_waits_in_the_inbox_and_can_be_cancelled(desk: RowsDesk) -> None:
    run = extract(desk)
    desk.hub.move(run, "delivered")
    assert f"/extracts/{run}" in desk.get("/inbox").text
    page = desk.get(f"/extracts/{run}").text
    assert "waits to be fetched" in page and f"/extracts/{run}/take" in page, "the workspace's keys are beside the seat"
    assert desk.post(f"/extracts/{run}/cancel").status_code == 303
    assert desk.hub.views[run].state == "cancelled"
    desk.hub.move(run, "dropped")
    assert desk.post(f"/extracts/{run}/again").status_code == 303 and desk.hub.views[run].state == "asked"


@pytest.mark.parametrize("word", ["run-$(id)", "x;id", "--help", "run-" + "a" * 26 + "\n"])
def test_a_hub_that_names_a_request_by_what_is_no_id_is_not_believed(desk: RowsDesk, word: str) -> None:
    run = extract(desk)
    desk.hub.views[word] = msgspec.structs.replace(desk.hub.views.pop(run), run_id=word)
    page = desk.get("/extracts")
    assert page.status_code >= 400 and "sdk.not_verified" in page.text


def test_lists_are_narrowed_in_the_address_and_exported(desk: RowsDesk) -> None:
    run, other = extract(desk), extract(desk, k="20")
    desk.hub.move(other, "withheld")
    assert all(one in desk.get("/extracts").text for one in (run, other, TITLE))
    narrowed = desk.get("/extracts?state=withheld")
    assert other in narrowed.text and run not in narrowed.text
    assert desk.get("/extracts?state=withheld&as=json").json()[0]["id"] == other
    assert other in desk.get("/extracts?as=csv").text
    assert run not in desk.get("/synthetic").text, "an extract is no synthetic set"


@pytest.mark.parametrize("path", ["/extracts", "/synthetic"])
def test_what_the_seat_does_not_list_is_not_there(desk: RowsDesk, path: str) -> None:
    run = extract(desk)
    other = "/synthetic" if path == "/extracts" else "/extracts"
    for strange in ("run-aaaa", "run-%2e%2e", *((run,) if other == "/extracts" else ())):
        assert desk.get(f"{path}/{strange}").status_code == 404, strange
    for deed in ("take", "cancel", "again"):
        assert desk.post(f"{path}/run-aaaa/{deed}").status_code == 404
    assert desk.get(f"{path}/new?study=study-aaaa").status_code == 404
    assert desk.get(f"{path}/new?run=run-aaaa").status_code == 404
    assert desk.post(f"{path}/ask", study="study-aaaa").status_code == 404
    assert "The same in Python" in desk.get(path).text


@pytest.mark.parametrize("path", ["/extracts", "/synthetic"])
def test_a_study_that_permits_neither_says_so(desk: RowsDesk, path: str) -> None:
    page = desk.get(f"{path}/new?study={desk.bare}")
    assert page.status_code == 200 and "No agreement of this study permits" in page.text
    refused = desk.post(f"{path}/ask", study=desk.bare, workspace=desk.hub.workspace.did, **EXTRACT | SET)
    assert refused.status_code in (303, 409)


def test_a_set_shows_its_cost_on_each_hospitals_budget(desk: RowsDesk) -> None:
    page = desk.post("/synthetic/look", **SET)
    assert page.status_code == 200 and "It may be asked" in page.text
    assert page.text.count("Budget of this study at") >= 3 and "after it, left:" in page.text
    assert "A sample: the same computation" in page.text and "Ask, for ε = 1" in page.text
    dear = desk.post("/synthetic/look", **SET | {"epsilon": "9"})
    assert "more than is left" in dear.text or "It cannot be asked like this" in dear.text
    assert "terms.rows" in desk.post("/synthetic/look", **SET | {"rows": "9999999"}).text
    assert "It cannot be asked like this" in desk.post("/synthetic/look", **SET | {"epsilon": "cheap"}).text
    assert not desk.hub.views


def test_a_set_is_asked_taken_verified_and_judged(desk: RowsDesk) -> None:
    run = desk.asked("/synthetic/ask", hospital="north", column="age", **SET)
    assert desk.hub.plans[run].params["rows"] == 500
    assert desk.get(f"/synthetic/{run}/files/rows.parquet").status_code == 404, "nothing was taken yet"
    desk.hub.deliver_set(run)
    assert f"/synthetic/{run}" in desk.get("/inbox").text
    assert desk.post(f"/synthetic/{run}/take").status_code == 303
    assert desk.hub.views[run].state == "taken"
    page = desk.get(f"/synthetic/{run}").text
    assert "Verified here" in page and "How far the noise alone moves" in page and "<svg" in page
    assert "(1, 1/1000000)-differential privacy" in page and "age × sex" in page
    assert desk.get(f"/synthetic/{run}/files/rows.parquet").content.startswith(b"PAR1")
    csv = desk.get(f"/synthetic/{run}/files/rows.csv")
    assert csv.content.startswith(b"\xef\xbb\xbfrow,age,note") and "'=1+1" in csv.text, "no cell starts a formula"
    assert desk.get(f"/synthetic/{run}/files/..%2f..%2faccount.key").status_code == 404
    assert desk.get(f"/synthetic/{run}/files/proof.json").json()["run_id"] == run


def test_the_rows_of_a_set_for_a_workspace_stay_there(desk: RowsDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "Session", lambda account, **_: desk.hub.session_of(account))
    run = desk.asked("/synthetic/ask", hospital="north", recipient=desk.hub.workspace.did, **SET)
    desk.hub.deliver_set(run)
    assert desk.post(f"/synthetic/{run}/take").status_code == 303
    page = desk.get(f"/synthetic/{run}").text
    assert "Verified here" in page and "How far the noise alone moves" in page, "the report is shown"
    assert "Its rows are in the workspace, encrypted, sealed to Institute workspace" in page
    assert "first rows" not in page and "/files/" not in page and "=1+1" not in page
    assert "=1+1" not in desk.get(f"/synthetic/{run}?as=json").text
    for name in ("rows.parquet", "rows.csv", REPORT_FILE, "manifest.json", "proof.json"):
        assert desk.get(f"/synthetic/{run}/files/{name}").status_code == 404, name


@pytest.mark.parametrize("name", ["../../account.key", "../stolen.parquet", "manifest.json", "visits.parquet", "x/y.z"])
def test_a_hostile_hospitals_set_is_not_taken_and_writes_nowhere(desk: RowsDesk, name: str) -> None:
    folder = desk.hall.console.seats["researcher"].folder
    run = desk.asked("/synthetic/ask", hospital="north", **SET)
    before = files_below(folder.parent)
    desk.hub.deliver_set(run, **{name: b"mine now"})
    refused = desk.post(f"/synthetic/{run}/take")
    assert refused.status_code >= 400 and "sdk.not_verified" in refused.text
    assert desk.hub.views[run].state == "delivered" and not (folder / "synthetic" / run).exists()
    assert files_below(folder.parent) == before


def test_the_console_never_opens_a_hospitals_parquet(desk: RowsDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ParquetFile", "read_table", "read_metadata", "read_schema", "ParquetDataset"):
        monkeypatch.setattr(pq, name, lambda *_, **__: pytest.fail("opened in the console's process"))
    run = desk.asked("/synthetic/ask", hospital="north", **SET)
    desk.hub.deliver_set(run, note="<b>" + "n" * 5_000)
    desk.post(f"/synthetic/{run}/take")
    page = desk.get(f"/synthetic/{run}")
    assert page.status_code == 200 and "first rows" in page.text
    assert "&lt;b&gt;nnn" in page.text and "n" * 300 not in page.text, "a long value is cut"
    assert "n" * 5_000 in desk.get(f"/synthetic/{run}/files/rows.csv").text
    monkeypatch.setattr(looking_tables, "open_looker", lambda *_: pytest.fail("looked at twice"))
    assert desk.get(f"/synthetic/{run}").text.count("nnnn") == page.text.count("nnnn")


def test_a_set_that_was_changed_on_disk_is_not_shown(desk: RowsDesk) -> None:
    run = desk.asked("/synthetic/ask", hospital="south", **SET)
    desk.hub.deliver_set(run)
    desk.post(f"/synthetic/{run}/take")
    place = desk.hall.console.seats["researcher"].folder / "synthetic" / run / "rows.parquet"
    place.write_bytes(place.read_bytes() + b" ")
    page = desk.get(f"/synthetic/{run}")
    assert page.status_code >= 400 and "sdk.not_verified" in page.text


def test_study_and_workbench_lead_there(desk: RowsDesk) -> None:
    for page in (desk.get(f"/studies/{desk.study}").text, desk.get(f"/workbench?study={desk.study}").text):
        assert f"/extracts/new?study={desk.study}" in page and f"/synthetic/new?study={desk.study}" in page
    assert "/extracts/new" not in desk.get(f"/workbench?study={desk.bare}").text
    assert "Extracts" in desk.get("/palette?q=e").text
