"""The operator's pages over the real hub and its real desk: health, participants, invites, applications, catalogs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.console.hall import Hall

from xinglin.kernel.errors import XinglinError
from xinglin.testing.hub_line import HubLine
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.space import parse_invite

SCREENS = ("/hub", "/participants", "/hub/applications", "/hub/products", "/hub/federation")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubLine]:
    with HubLine(tmp_path_factory.mktemp("space")) as line:
        line.do(line.open_hub.member("provider"))
        yield line


@pytest.fixture(scope="module")
def hall(line: HubLine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    hall = Hall(
        tmp_path_factory.mktemp("console"), "operator", "regulator", hub=line, at={"operator": line.folder / "hub"}
    )
    yield hall
    hall.close()


@pytest.mark.parametrize("path", SCREENS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_screen_is_the_operators_alone(path: str, language: str, hall: Hall) -> None:
    answer = hall.get(path, "operator", **{"accept-language": language})
    assert answer.status_code == 200, answer.text[-3000:]
    assert hall.get(path, "regulator").status_code == 403
    assert hall.get(path).status_code in (303, 401)


def test_the_hub_page_tells_lines_and_witnesses(hall: Hall) -> None:
    page = hall.get("/hub", "operator").text
    assert "0 / 1" in page and "regulator" in page


def test_an_invite_admits_one_and_is_shown_once(hall: Hall, line: HubLine) -> None:
    page = hall.post("/participants/invite", "operator", role="consumer", days="2")
    assert page.status_code == 200
    found = re.search(r"xinglin-invite-1\.[A-Za-z0-9_-]+", page.text)
    assert found is not None
    invite = parse_invite(found.group())
    assert line.do(line.open_hub.enrol(PrivateKeys.generate(), invite.secret, ("consumer",))).status_code == 200
    assert "xinglin-invite" not in hall.get("/participants", "operator").text


@pytest.mark.parametrize("fields", [{"role": "regulator"}, {"role": "consumer", "days": "9"}, {"role": ""}])
def test_an_invite_for_what_nobody_is_invited_as_is_refused(fields: dict[str, str], hall: Hall) -> None:
    assert hall.post("/participants/invite", "operator", **fields).status_code == 422


def test_a_participant_has_a_page_with_its_keys(hall: Hall, line: HubLine) -> None:
    did = line.space.regulator
    page = hall.get(f"/participants/{did}", "operator")
    assert page.status_code == 200 and "Since entry" in page.text
    assert hall.get("/participants/did:xinglin:" + "a" * 26, "operator").status_code == 404


def test_a_catalog_is_read_and_forgotten(hall: Hall) -> None:
    page = hall.post("/hub/federation", "operator", participant="somebody", address="")
    assert page.status_code == 422
    hall.post(
        "/hub/federation", "operator", participant="did:web:catalog.example", address="https://catalog.example/dsp"
    )
    assert "did:web:catalog.example" in hall.get("/hub/federation", "operator").text
    hall.post("/hub/federation", "operator", participant="did:web:catalog.example", what="forget")
    assert "did:web:catalog.example" not in hall.get("/hub/federation", "operator").text


def test_what_is_not_there_is_not_acted_on(hall: Hall) -> None:
    assert hall.get("/hub/applications/application-x", "operator").status_code == 404
    assert hall.post("/hub/applications/application-x/accept", "operator").status_code == 404
    assert hall.post("/hub/products/withdraw", "operator", product="product-x").status_code == 404


def test_a_line_that_is_down_waits_in_the_inbox(hall: Hall) -> None:
    assert "line is down" in hall.get("/inbox", "operator").text


def test_a_hub_that_is_away_is_told_and_nothing_breaks(tmp_path: Path) -> None:
    hall = Hall(tmp_path, "operator")
    try:
        answer = hall.get("/hub", "operator")
        assert answer.status_code == 503 and "No process runs" in answer.text
    finally:
        hall.close()


def test_applications_are_told_in_pages(hall: Hall) -> None:
    page = hall.console.calls(hall.console.seats["operator"], "").applications(due=True)
    assert (page.total, page.lines) == (0, ())
    for words in ({"offset": "x"}, {"most": "2000"}, {"most": "-1"}):
        with pytest.raises(XinglinError):
            hall.console.lines.desk(hall.console.seats["operator"].folder, "access-lines", **words)
