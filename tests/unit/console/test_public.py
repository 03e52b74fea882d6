"""The public pages: without signing in, in both languages, only what is public, every text escaped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.console.hall import Hall, HallHub

from xinglin.access.register import PermitEntry
from xinglin.evidence.entry import Entry
from xinglin.evidence.policy import parse_policy
from xinglin.evidence.receipt import verify_receipt

PERMIT = "sha256:" + "1" * 64
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    hub = HallHub()
    hub.add(Entry(kind="approval", at=1, submitter=hub.operator.did, subject=PERMIT))
    hub.answers["/v1/access/register"] = [
        PermitEntry(
            PERMIT, "GRANTED", "study-" + "a" * 26, "Strain and age", HOSTILE, "Institute", "health-research",
            "consent",
            ("cardiology",), ("north", "south"), "Committee", 1_750_000_000_000, 1_790_000_000_000,
            log_index=hub.log.size - 1,
        )
    ]  # fmt: skip
    hall = Hall(tmp_path_factory.mktemp("hall"), "regulator", hub=hub)
    yield hall
    hall.close()


@pytest.mark.parametrize("path", ["/public", "/public/checkpoint", f"/public/{PERMIT}", "/public/policy.txt"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_everybody_sees_it_without_signing_in(path: str, language: str, hall: Hall) -> None:
    answer = hall.get(path, **{"accept-language": language})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers or "session" not in answer.headers["set-cookie"]


def test_the_register_is_in_plain_words_and_filtered_in_the_address(hall: Hall) -> None:
    page = hall.get("/public").text
    assert "Strain and age" in page and "regulator" in page and "running" in page
    assert "Strain and age" not in hall.get("/public?status=REVOKED").text
    assert hall.get("/public?as=json").json()[0]["title"] == "Strain and age"


def test_what_applicants_wrote_is_escaped(hall: Hall) -> None:
    page = hall.get(f"/public/{PERMIT}").text
    assert HOSTILE not in page and "&lt;img" in page


def test_the_receipt_of_a_permit_is_public_and_of_nothing_else(hall: Hall) -> None:
    index = hall.hub.log.size - 1
    answer = hall.get(f"/public/receipts/{index}")
    assert verify_receipt(answer.content, parse_policy(hall.get("/public/policy.txt").text)).entry.subject == PERMIT
    for other in ("0", "-1", "x", "1e1"):
        assert hall.get(f"/public/receipts/{other}").status_code == 404


def test_what_is_not_in_the_register_is_not_there(hall: Hall) -> None:
    assert hall.get("/public/sha256:" + "0" * 64).status_code == 404


def test_a_console_without_a_space_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    hall = Hall(tmp_path_factory.mktemp("empty"))
    try:
        assert hall.get("/public").status_code == 404
    finally:
        hall.close()
