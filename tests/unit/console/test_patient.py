"""A patient's pages through the real application: nobody else's list, no deed without a token, every word escaped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.console.hall import PASSWORD, Hall

from xinglin.console.calls.patient import SWITCHES
from xinglin.console.people.model import Grant
from xinglin.node.consent import history
from xinglin.node.joining import SALT_FILE
from xinglin.node.looks import complaints
from xinglin.node.settings import NodeSettings
from xinglin.terms.consent import Rule, Where

ME = "Patient/1"
SETTINGS = NodeSettings()
MY_PAGES = ("/my/looks", "/my/choices", "/my/choices/preview?what=all", "/my/looks/1-1", "/my/looks/proof")


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A patient and a hospital, each with a node's folder, and a researcher."""
    hall = Hall(tmp_path_factory.mktemp("hall"), "patient", "hospital", "researcher")
    for role in ("patient", "hospital"):
        (hall.console.seats[role].folder / SALT_FILE).write_bytes(bytes(range(32)))
    people = hall.console.people
    people.accounts.add("me", "Li Mei (fictional)", PASSWORD, (Grant("patient", ME),))
    hall._tokens["patient"] = people.sign_in(people.begin(), "me", PASSWORD, from_="127.0.0.1").token
    yield hall
    hall.close()


@pytest.fixture
def folder(hall: Hall) -> Path:
    return hall.console.seats["patient"].folder


@pytest.mark.parametrize("path", MY_PAGES)
def test_only_a_patient_sees_a_patients_pages(path: str, hall: Hall) -> None:
    assert hall.get(path).status_code in (303, 401)
    for who in ("hospital", "researcher"):
        assert hall.get(path, who).status_code in (403, 404)


@pytest.mark.parametrize("path", ["/complaints", "/complaints/complaint:0"])
def test_only_the_hospital_sees_complaints(path: str, hall: Hall) -> None:
    assert hall.get(path).status_code in (303, 401)
    for who in ("patient", "researcher"):
        assert hall.get(path, who).status_code in (403, 404)


def test_before_the_first_page_the_list_is_not_called_complete(hall: Hall) -> None:
    page = hall.get("/my/looks", "patient")
    assert page.status_code == 200
    assert "Your list is being written" in page.text and "complete</h2>" not in page.text
    assert "正在生成" in hall.get("/my/looks", "patient", **{"accept-language": "zh"}).text


def test_a_no_is_recorded_once_with_its_receipt_for_this_person_alone(hall: Hall, folder: Path) -> None:
    assert "Say no" in hall.get("/my/choices", "patient").text
    answer = hall.post("/my/choices", "patient", what="commercial", subject="Patient/2", person="Patient/2")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/my/choices")
    hall.post("/my/choices", "patient", what="commercial")
    ((_, choice, leaf),) = history(folder, ME)
    assert choice.rule == Rule("deny", SWITCHES["commercial"]) and leaf == -1
    assert not history(folder, "Patient/2")
    page = hall.get("/my/choices", "patient").text
    assert choice.id in page and "no run that begins after it counts you" in page
    assert "A yes has to be yours" in page  # how it is taken back


def test_a_no_needs_the_forms_token(hall: Hall, folder: Path) -> None:
    before = len(history(folder, ME))
    told = {"what": "genetic", "csrf": "0" * 43}
    answer = hall.client.post("/my/choices", data=told, headers=hall._cookie("patient"), follow_redirects=False)
    assert answer.status_code in (400, 403) and len(history(folder, ME)) == before


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"purpose": "education"}, Where(purposes=("education",))),
        ({"category": "hiv", "commercial": "on"}, Where(categories=("hiv",), commercial=True)),
        ({"study": "heart"}, Where(studies=("heart",))),
    ],
)
def test_an_exception_is_what_the_form_says(fields: dict[str, str], where: Where, hall: Hall, folder: Path) -> None:
    shown = hall.get("/my/choices/preview?" + "&".join(f"{key}={value}" for key, value in fields.items()), "patient")
    assert shown.status_code == 200 and "You would say no to" in shown.text
    assert hall.post("/my/choices", "patient", **fields).status_code == 303
    assert Rule("deny", where) in [choice.rule for _, choice, _ in history(folder, ME)]


@pytest.mark.parametrize(
    "fields", [{}, {"purpose": "world-domination"}, {"category": "shoe-size"}, {"what": "nothing"}]
)
def test_an_exception_that_says_nothing_known_is_refused(fields: dict[str, str], hall: Hall, folder: Path) -> None:
    before = len(history(folder, ME))
    assert hall.post("/my/choices", "patient", **fields).status_code in (404, 422)
    assert len(history(folder, ME)) == before


def test_a_complaint_is_kept_escaped_and_answered_by_its_hospital_alone(hall: Hall, folder: Path) -> None:
    words = "<script>alert(1)</script> is not me"
    assert hall.post("/my/wrong", "patient", words=words).status_code == 303
    (said,) = complaints(folder, SETTINGS, ME)
    page = hall.get("/my/looks", "patient").text
    assert said.words == words and "&lt;script&gt;alert(1)" in page and "<script>alert(1)" not in page
    assert hall.get(f"/complaints/{said.id}", "hospital").status_code == 404  # another hospital's folder
    assert hall.post("/my/wrong", "patient", words="take it", about="choice:somebody-elses").status_code == 404
    assert hall.post("/my/wrong", "patient", words="").status_code == 422
