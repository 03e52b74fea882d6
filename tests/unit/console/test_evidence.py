"""The evidence explorer through the real application: search, entry, chain, verify, receipt, code, bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.console.hall import Hall

from xinglin.evidence.compact import COMPACT_BYTES, check_compact, compact_receipt
from xinglin.evidence.entry import Entry
from xinglin.evidence.errors import MalformedReceipt
from xinglin.evidence.policy import parse_policy
from xinglin.evidence.receipt import verify_receipt
from xinglin.stores.evidence_archive import verify_archive

RUN = "run-" + "a" * 26


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    hall = Hall(tmp_path_factory.mktemp("hall"), "regulator", "researcher")
    node, asker = hall.hub.nodes["north"].did, hall.hub.asker.did
    for at, kind in enumerate(("admitted", "release-authorised", "delivered"), 1_750_000_000_000):
        hall.hub.add(Entry(kind=kind, at=at, submitter=node, parties=(node, asker), subject=RUN))
    hall.hub.add(
        Entry(kind="publication", at=1, submitter=node, body={"name": "<script>alert(1)</script>", "run": RUN})
    )
    hall.console.lines.book(hall.console.seats["regulator"].folder).refresh()
    yield hall
    hall.close()


@pytest.fixture
def last(hall: Hall) -> int:
    return hall.hub.log.size - 2


@pytest.mark.parametrize("path", ["/evidence", "/evidence/0", "/evidence/checkpoint", "/evidence/bundle/0"])
def test_nobody_sees_the_evidence_without_signing_in(path: str, hall: Hall) -> None:
    answer = hall.get(path)
    assert answer.status_code in (303, 401)


def test_the_explorer_shows_entries_and_who_vouches(hall: Hall) -> None:
    for who in ("regulator", "researcher"):
        page = hall.get("/evidence", who)
        assert page.status_code == 200
        assert "result delivered" in page.text and "Cosigned by 1 witnesses" in page.text
    assert "结果送达" in hall.get("/evidence", "regulator", **{"accept-language": "zh"}).text


def test_a_search_is_in_the_address(hall: Hall) -> None:
    page = hall.get(f"/evidence?text={RUN}", "regulator")
    assert page.text.count("<tr><td") == 4 and f"/evidence/chain/{RUN}" in page.text
    assert hall.get("/evidence?kind=policy", "regulator").text.count("<tr><td") == 0
    assert hall.get("/evidence?text=north&kind=delivered", "regulator").text.count("<tr><td") == 1
    assert hall.get("/evidence?since=2025-06-14&until=2025-06-16", "regulator").text.count("<tr><td") == 3
    assert hall.get("/evidence?since=yesterday", "regulator").status_code == 422


def test_a_search_is_exported_whole(hall: Hall) -> None:
    answer = hall.get("/evidence?as=json", "regulator")
    assert len(answer.json()) == hall.hub.log.size
    assert hall.get("/evidence?as=csv&kind=delivered", "regulator").text.count("\r\n") == 2


def test_an_entry_says_what_it_is_in_words_and_escapes_what_others_wrote(hall: Hall, last: int) -> None:
    page = hall.get(f"/evidence/{last}", "regulator").text
    assert "north recorded that the result reached its recipient." in page
    hostile = hall.get(f"/evidence/{last + 1}", "regulator").text
    assert "<script>alert" not in hostile and "&lt;script&gt;alert" in hostile


@pytest.mark.parametrize("index", ["999999", "-1", "x", "1e3", "9" * 40, "%00"])
def test_an_entry_that_is_not_there_is_a_page_that_says_so(index: str, hall: Hall) -> None:
    assert hall.get(f"/evidence/{index}", "regulator").status_code == 404


def test_verifying_says_what_was_checked(hall: Hall, last: int) -> None:
    done = hall.post(f"/evidence/{last}/verify", "regulator")
    assert done.status_code == 303 and done.headers["location"] == f"/evidence/{last}?verified=1"
    page = hall.get(done.headers["location"], "regulator").text
    assert "Verified just now, here" in page and "are a quorum of the policy" in page


def test_a_receipt_and_a_bundle_are_verified_with_the_policy_alone(hall: Hall, last: int) -> None:
    policy = parse_policy(hall.hub.space.policy)
    receipt = hall.get(f"/evidence/{last}/receipt", "researcher")
    assert verify_receipt(receipt.content, policy).entry.subject == RUN
    bundle = hall.get(f"/evidence/bundle/{RUN}", "researcher")
    assert bundle.headers["content-type"] == "application/zip"
    assert len(verify_archive(bundle.content, policy).entries) == 4
    assert hall.get("/evidence/bundle/run-" + "b" * 26, "researcher").status_code == 404


def test_the_code_holds_a_compact_receipt_that_the_proof_bears_out(hall: Hall, last: int) -> None:
    page = hall.get(f"/evidence/{last}/qr", "regulator")
    verified = verify_receipt(
        hall.get(f"/evidence/{last}/receipt", "regulator").content, parse_policy(hall.hub.space.policy)
    )
    text = compact_receipt(last, verified.data, verified.checkpoint.checkpoint)
    assert text in page.text and len(text.encode()) <= COMPACT_BYTES.value
    check_compact(text, verified)
    with pytest.raises(MalformedReceipt):
        check_compact(text.replace(f"index {last}", f"index {last - 1}"), verified)


def test_the_chain_tells_a_use_in_order(hall: Hall) -> None:
    page = hall.get(f"/evidence/chain/{RUN}", "regulator").text
    places = [page.index(word) for word in ("Admitted", "Release authorised", "Delivered", "Made a product")]
    assert places == sorted(places)
    assert hall.get("/evidence/chain/run-" + "b" * 26, "regulator").status_code == 404


def test_the_checkpoint_names_its_witnesses(hall: Hall) -> None:
    page = hall.get("/evidence/checkpoint", "researcher").text
    assert "regulator" in page and hall.hub.space.origin in page
    assert hall.get("/evidence/policy.txt", "researcher").text == hall.hub.space.policy


def test_a_verification_needs_the_token_of_the_session(hall: Hall) -> None:
    hall._cookie("regulator")
    answer = hall.client.post("/evidence/0/verify", data={}, headers=hall._cookie("regulator"), follow_redirects=False)
    assert answer.status_code == 403


def test_reading_the_pages_is_kept_in_the_copy_of_the_console(hall: Hall) -> None:
    assert (Path(hall.console.lines.folder) / "books").exists()
