"""What somebody did is kept under the account's name, of which there is one; a label may be anybody's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.console.hall import PASSWORD, Hall

from xinglin.console import screens
from xinglin.console.people.model import Grant
from xinglin.node.joining import SALT_FILE
from xinglin.node.looks import complaints
from xinglin.node.settings import NodeSettings

TWIN = "Seat of hospital"
"""The label of two accounts."""


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    """A patient and two clerks with one label, at one hospital."""
    here = tmp_path / "north"
    hall = Hall(tmp_path, "patient", "hospital", at={"patient": here, "hospital": here})
    (here / SALT_FILE).write_bytes(bytes(range(32)))
    people = hall.console.people
    people.accounts.add("me", "Li Mei (fictional)", PASSWORD, (Grant("patient", "Patient/1"),))
    people.accounts.add("twin", TWIN, PASSWORD, (Grant("hospital"),))
    for who, name in (("patient", "me"), ("hospital", "twin")):
        hall._tokens[who] = people.sign_in(people.begin(), name, PASSWORD, from_="127.0.0.1").token
    yield hall
    hall.close()


def test_an_answer_is_signed_by_the_account_and_shown_by_its_label(hall: Hall) -> None:
    folder = hall.console.seats["hospital"].folder
    hall.post("/my/wrong", "patient", words="It was not me.")
    (said,) = complaints(folder, NodeSettings(), "Patient/1")
    assert hall.post(f"/complaints/{said.id}/answer", "hospital", words="We look.").status_code == 303
    (said,) = complaints(folder, NodeSettings(), "Patient/1")
    assert said.answered_by == "twin"
    for path in ("/complaints", f"/complaints/{said.id}"):
        assert f"{TWIN} (twin)" in hall.get(path, "hospital").text, path
    mine = hall.get("/my/looks", "patient").text
    assert TWIN in mine and "twin" not in mine, "what a clerk signs in with is not told to a patient"


def test_no_screen_hands_a_label_on_as_who_acted() -> None:
    (folder,) = screens.__path__
    with_label = {one.name for one in Path(folder).glob("*.py") if "person.label" in one.read_text("utf-8")}
    assert with_label == {"sign_in.py"}, "which shows to somebody who they are"
