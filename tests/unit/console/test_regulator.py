"""The regulator's pages: what the verified log says of the space, and orders that become leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.console.hall import Hall, HallHub

from xinglin.access.register import PermitEntry
from xinglin.evidence.entry import Entry
from xinglin.evidence.submission import decode_batch
from xinglin.trust.key_file import key_file_bytes
from xinglin.wire.endings import sign_ending

AGREEMENT = "sha256:" + "5" * 64
SCREENS = ("/oversight", "/oversight/participants", "/oversight/agreements", "/oversight/orders", "/oversight/policy")


class OrderedHub(HallHub):
    """Takes what a regulator submits."""

    def post(self, path: str, value: Any, kind: type[Any]) -> Any:
        if path != "/submit":
            return super().post(path, value, kind)
        first = self.log.size
        for entry in decode_batch(value).entries:
            self.log.add(entry)
        return {"first": first, "count": 1}


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    hub = OrderedHub()
    node, asker = hub.nodes["north"].did, hub.asker.did
    hub.add(Entry(kind="agreement", at=5, submitter=node, parties=(node, asker), subject=AGREEMENT))
    hub.answers["/v1/access/register"] = [
        PermitEntry(
            "sha256:" + "1" * 64, "GRANTED", "study-" + "a" * 26, "Title", "Plain", "Institute", "health-research",
            "consent", ("cardiology",), ("north", "south"), "Committee", 1, 2,
        )
    ]  # fmt: skip
    hall = Hall(tmp_path, "regulator", "researcher", hub=hub)
    folder = hall.console.seats["regulator"].folder
    (folder / "witness.key").write_bytes(key_file_bytes(hub.regulator))
    yield hall
    hall.close()


@pytest.mark.parametrize("path", SCREENS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_screen_is_the_regulators_alone(path: str, language: str, hall: Hall) -> None:
    assert hall.get(path, "regulator", **{"accept-language": language}).status_code == 200
    assert hall.get(path, "researcher").status_code == 403
    assert hall.get(path).status_code in (303, 401)


def test_the_dashboard_says_who_is_there_and_what_data_flows_for(hall: Hall) -> None:
    page = hall.get("/oversight", "regulator").text
    assert "north" in page and "health, medical or biomedical research" in page
    assert "Agreements in force" in page


def test_a_freeze_shows_first_what_would_stop_and_is_a_leaf_then(hall: Hall) -> None:
    did = hall.hub.nodes["north"].did
    before = hall.get(f"/oversight/freeze?subject={AGREEMENT}", "regulator")
    assert "north" in before.text and "Agreements that would stop" in before.text
    done = hall.post("/oversight/freeze", "regulator", subject=AGREEMENT)
    assert done.status_code == 303
    book = hall.console.lines.book(hall.console.seats["regulator"].folder)
    assert book.record.revoked == {AGREEMENT}
    assert "frozen already" in hall.get(f"/oversight/freeze?subject={AGREEMENT}", "regulator").text
    assert hall.post("/oversight/freeze", "researcher", subject=did).status_code == 403


@pytest.mark.parametrize(
    "subject",
    ["", "nothing", "did:xinglin:" + "a" * 26, "sha256:" + "0" * 64, "<b>", "study-" + "b" * 26, "study-" + "z" * 30],
)
def test_what_the_log_does_not_know_is_not_frozen(subject: str, hall: Hall) -> None:
    assert hall.get(f"/oversight/freeze?subject={subject}", "regulator").status_code == 404
    assert hall.post("/oversight/freeze", "regulator", subject=subject).status_code in (404, 422)


def test_a_study_that_the_register_names_is_frozen_and_one_mistyped_letter_is_none(hall: Hall) -> None:
    study = "study-" + "a" * 26
    assert hall.post("/oversight/freeze", "regulator", subject=study).status_code == 303
    for mistyped in (study[:-1] + "b", study + "a", study.upper()):
        refused = hall.post("/oversight/freeze", "regulator", subject=mistyped)
        assert refused.status_code == 404 and "freeze its agreements" in refused.text
    entries = hall.console.lines.book(hall.console.seats["regulator"].folder).search(kind="freeze").found
    assert [one.entry.subject for one in entries] == [study]


def test_an_earlier_order_makes_no_study_known(hall: Hall) -> None:
    ghost = "study-" + "c" * 26
    body = sign_ending("freeze", ghost, hall.hub.regulator)
    hall.hub.add(Entry(kind="freeze", at=9, submitter=hall.hub.regulator.did, subject=ghost, body=body))
    assert hall.get(f"/oversight/freeze?subject={ghost}", "regulator").status_code == 404


def test_keys_end_for_good_only_with_a_reason_and_the_box_ticked(hall: Hall) -> None:
    did = hall.hub.nodes["south"].did
    assert hall.post(f"/oversight/participants/{did}/revoke", "regulator", reason="left").status_code == 422
    assert hall.post(f"/oversight/participants/{did}/revoke", "regulator", reason="why", sure="yes").status_code >= 400
    assert hall.post(f"/oversight/participants/{did}/revoke", "regulator", reason="left", sure="yes").status_code == 303
    page = hall.get(f"/oversight/participants/{did}", "regulator").text
    assert "revoked" in page and "End its keys" not in page


def test_a_policy_that_no_longer_names_all_witnesses_waits_in_the_inbox_until_it_is_signed(hall: Hall) -> None:
    assert "no longer names all witnesses" in hall.get("/inbox", "regulator").text
    assert hall.post("/oversight/policy", "regulator").status_code in (303, 409, 502, 503)


def test_the_lists_are_exported(hall: Hall) -> None:
    rows = msgspec.json.decode(hall.get("/oversight/participants?as=json", "regulator").content)
    assert {"north", "south", "west", "regulator"} <= {row["name"] for row in rows}
