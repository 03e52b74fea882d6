"""The hospital's screens over a real policy, budget, lake, terminology and patient index; the desk is the test's."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html import unescape

import msgspec
import pytest
from tests.unit.console.hall import PASSWORD, Hall
from tests.unit.console.ward import HOSTILE, Ward

from xinglin.console.people.model import Grant
from xinglin.stores.intake_ledger import IntakeLedger

LIVE = 'data-live="/hospital'
SCREENS = (
    "/hospital",
    "/hospital/mapped",
    "/hospital/quarantine",
    "/hospital/self-test",
    "/hospital/joining",
    "/publish",
    "/mapping",
    "/mapping/decided",
    "/links",
    "/policy",
    "/policy/draft",
    "/policy/history",
    "/budgets",
    "/budgets/cardio",
)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    made = Ward(tmp_path_factory.mktemp("space") / "hospital")
    made.publish()
    made.fill_lake()
    made.fill_index()
    made.decide(3)
    yield made
    made.close()


@pytest.fixture(scope="module")
def hall(ward: Ward) -> Iterator[Hall]:
    hall = Hall(ward.folder.parent, "hospital", "researcher")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hall.console.lines, "desk", ward.desk)
        yield hall
    hall.close()


@pytest.fixture
def away(ward: Ward) -> Iterator[None]:
    """The node's process is away."""
    ward.runs = False
    yield
    ward.runs = True


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_screen_is_the_hospitals_alone_and_escapes_what_it_shows(language: str, hall: Hall) -> None:
    for path in SCREENS:
        answer = hall.get(path, "hospital", **{"accept-language": language})
        assert answer.status_code == 200, (path, answer.text[-2000:])
        assert HOSTILE not in answer.text, path
        assert hall.get(path, "researcher").status_code == 403, path
        assert hall.get(path).status_code in (303, 401), path


# --- home --------------------------------------------------------------------------------------------------------


def test_the_home_page_tells_how_the_node_stands(hall: Hall) -> None:
    page = hall.get("/hospital", "hospital").text
    assert ">up<" in page and "61" in page


@pytest.mark.usefixtures("away")
def test_a_node_that_is_away_is_the_first_thing_to_mend(hall: Hall) -> None:
    page = unescape(hall.get("/hospital", "hospital").text)
    assert page.index("Fix this next") < page.index("The node's process is not running.")
    assert "The node's process is not running." in unescape(hall.get("/hospital/joining", "hospital").text)


def test_what_comes_in_is_told_by_the_ledger_while_the_intake_is_away(hall: Hall, ward: Ward) -> None:
    IntakeLedger.in_folder(ward.folder).close()
    page = hall.get("/hospital", "hospital").text
    assert "The intake is not running" in page
    assert "Nothing is in quarantine" in hall.get("/hospital/quarantine", "hospital").text


def test_mapping_quality_is_a_part_for_the_home_page_and_a_page_of_its_own(hall: Hall) -> None:
    whole = hall.get("/hospital/mapped", "hospital").text
    part = hall.get("/hospital/mapped", "hospital", **{"hx-request": "true"}).text
    assert "<html" in whole and "<html" not in part
    assert "observation.code" in part and "0%" in part


def test_the_self_test_goes_on_beside_the_page(hall: Hall) -> None:
    assert "Not run since" in hall.get("/hospital/self-test", "hospital").text
    assert hall.post("/hospital/self-test", "hospital").status_code == 303
    for _ in range(200):
        page = hall.get("/hospital/self-test", "hospital").text
        if "Run it again" in page and LIVE not in page:
            break
        time.sleep(0.05)
    assert "key file mode" in page and LIVE not in page


def test_joining_has_seven_checks_and_a_live_end(hall: Hall) -> None:
    page = hall.get("/hospital/joining", "hospital").text
    assert page.count('<li class="check-') == 7
    assert "Tables: 1, columns: 2, all well." in page and LIVE in page


# --- publishing --------------------------------------------------------------------------------------------------


def test_publishing_goes_by_the_grades_that_hold(hall: Hall, ward: Ward) -> None:
    page = hall.get("/publish/cardio", "hospital")
    assert page.status_code == 200 and HOSTILE not in page.text
    assert hall.post("/publish", "hospital", name="../x").status_code == 422
    assert hall.post("/publish", "hospital", name="cardio").headers["location"].startswith("/publish/cardio")
    assert hall.post("/publish/cardio/grades", "hospital").status_code == 422, "nothing was ticked"
    done = hall.post("/publish/cardio/publish", "hospital")
    assert done.status_code == 303
    assert [one.verb for one in ward.said].count("publish") == 1


# --- local codes -------------------------------------------------------------------------------------------------


def test_a_local_code_is_looked_up_accepted_and_gone_from_the_list(hall: Hall) -> None:
    assert hall.post("/mapping/suggest", "hospital").status_code == 303
    rows = json.loads(hall.get("/mapping?as=json", "hospital").content)
    assert [one["proposed"] for one in rows if one["text"] == "白细胞数目"] == ["6690-2"]
    page = hall.get("/mapping", "hospital").text
    (path,) = {one for one in re.findall(r"/mapping/code/[\w-]+", page) if "WBC" in hall.get(one, "hospital").text}
    assert "6690-2" in hall.get(path, "hospital").text, "leukocytes are proposed"
    done = hall.post(
        path, "hospital", verb="accept", target="6690-2", target_system="http://loinc.org", text="白细胞数目"
    )
    assert done.status_code == 303 and done.headers["location"] == "/mapping"
    assert path not in hall.get("/mapping", "hospital").text
    rows = json.loads(hall.get("/mapping/decided?as=json&state=state.accepted", "hospital").content)
    assert [(one["state"], one["target"], one["by"]) for one in rows] == [
        ("state.accepted", "6690-2", "Seat of hospital (hospital)")
    ]
    assert hall.post(path, "hospital", verb="reject").status_code == 303
    assert "rejected" in hall.get("/mapping/decided", "hospital").text


def test_codes_and_decisions_that_are_none_are_refused(hall: Hall) -> None:
    for key in ("x", "AAAA", "e30", "%2e%2e"):
        assert hall.get(f"/mapping/code/{key}", "hospital").status_code == 404, key
    path = re.findall(r"/mapping/code/[\w-]+", hall.get("/mapping", "hospital").text)[0]
    assert hall.post(path, "hospital", verb="drop").status_code == 422
    assert hall.post(path, "hospital", verb="accept", equivalence="alike").status_code == 422


# --- record links ------------------------------------------------------------------------------------------------


def test_a_pair_is_shown_side_by_side_decided_and_taken_back(hall: Hall) -> None:
    rows = json.loads(hall.get("/links?as=json", "hospital").content)
    assert [(one["state"], one["differ"]) for one in rows] == [("state.open", "birth_date")]
    number = rows[0]["number"]
    page = hall.get(f"/links/{number}", "hospital").text
    assert "1980-01-05" in page and "1980-05-01" in page and "One person" in page
    for verb, state in (
        ("defer", "deferred"),
        ("confirm", "confirmed"),
        ("reopen", "open"),
        ("reject", "rejected"),
        ("reopen", "open"),
    ):
        assert hall.post(f"/links/{number}/{verb}", "hospital", words="telephone").status_code == 303
        found = json.loads(hall.get("/links?as=json", "hospital").content)
        assert [one["state"] for one in found] == [f"state.{state}"], verb
    assert hall.post(f"/links/{number}/merge", "hospital").status_code == 404


def test_confirmed_records_are_parted(hall: Hall) -> None:
    number = json.loads(hall.get("/links?as=json", "hospital").content)[0]["number"]
    hall.post(f"/links/{number}/confirm", "hospital")
    assert hall.post(f"/links/{number}/unlink", "hospital", words="wrong number").status_code == 303


def test_a_pair_that_is_none_is_not_there(hall: Hall) -> None:
    for number in ("0", "99", "x", "-1", "1e3"):
        assert hall.get(f"/links/{number}", "hospital").status_code == 404, number


# --- policy ------------------------------------------------------------------------------------------------------

LIMITED = {
    "rules": "1",
    "rule-0-kind": "permission",
    "rule-0-action": "statistics",
    "rule-0-limits": "1",
    "rule-0-limit-0-operand": "purpose",
    "rule-0-limit-0-operator": "isAnyOf",
    "rule-0-limit-0-value": "public-health",
}


def test_a_draft_is_tried_over_past_decisions_without_being_kept(hall: Hall, ward: Ward) -> None:
    before = len(ward.house.acts())
    page = hall.post("/policy/draft", "hospital", do="try", **LIMITED)
    assert page.status_code == 200
    assert "Would change 3 of 3 decisions." in page.text and "now refused" in page.text
    assert "Allowed: to compute statistics, where the purpose is any of public-health." in page.text.replace("\n", " ")
    assert len(ward.house.acts()) == before


def test_the_form_grows_and_shrinks_by_its_buttons_without_a_script(hall: Hall) -> None:
    page = hall.post("/policy/draft", "hospital", do="add-prohibition", **LIMITED).text
    assert 'name="rule-1-kind" value="prohibition"' in page
    page = hall.post("/policy/draft", "hospital", do="limit-0", **LIMITED).text
    assert 'name="rule-0-limits" value="2"' in page
    page = hall.post("/policy/draft", "hospital", do="unlimit-0-0", **LIMITED).text
    assert 'name="rule-0-limits" value="0"' in page
    page = hall.post("/policy/draft", "hospital", do="drop-0", **LIMITED).text
    assert 'name="rules" value="0"' in page
    assert hall.post("/policy/draft", "hospital", rules="65").status_code >= 400


def test_words_that_nobody_knows_are_shown_and_never_proposed(hall: Hall, ward: Ward) -> None:
    before = len(ward.house.acts())
    page = hall.post("/policy/draft", "hospital", do="propose", **LIMITED | {"rule-0-limit-0-value": HOSTILE}).text
    assert "Words that nobody knows" in page and HOSTILE not in page
    assert len(ward.house.acts()) == before
    assert hall.post("/policy/draft", "hospital", do="read-text", text="{").status_code == 422
    assert hall.post("/policy/draft", "hospital", do="read-text", text='{"permissions": 3}').status_code == 422


def test_a_change_takes_four_eyes_and_the_simulation_that_they_saw(
    hall: Hall, ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = hall.post("/policy/draft", "hospital", do="propose", words=HOSTILE, **LIMITED)
    path = done.headers["location"]
    own = hall.post(f"{path}/simulate", "hospital").text
    assert "another person has to confirm" in own and "Confirm: put it in force" not in own and HOSTILE not in own
    (seen,) = set(re.findall(r"sha256:[0-9a-f]{64}", own.partition("Digest of what you saw")[2].partition("<h2")[0]))
    refused = hall.post(f"{path}/confirm", "hospital", simulation=seen)
    assert refused.status_code == 403, "one person alone puts nothing in force"
    monkeypatch.setitem(hall._tokens, "hospital", second_person(hall))
    assert hall.post(f"{path}/confirm", "hospital", simulation=seen).status_code == 403, "she has not seen it"
    page = hall.post(f"{path}/simulate", "hospital").text
    assert "Would change 3 of 3 decisions." in page
    found = re.search(r'name="simulation" value="(sha256:[0-9a-f]{64})"', page)
    assert found is not None
    assert hall.post(f"{path}/confirm", "hospital", simulation=found.group(1)).status_code == 303
    assert ward.house.house().confirmed_by == "second"
    shown = hall.get("/policy", "hospital").text
    assert "Second Officer (second)" in shown and "public-health" in shown
    rows = json.loads(hall.get("/policy/history?as=json", "hospital").content)
    seen_twice = ["saw what it would change"] * 2
    assert [one["kind"] for one in rows][:4] == ["confirmed", *seen_twice, "proposed"]
    assert hall.get(path, "hospital").status_code == 404, "it is not open any more"


def test_a_proposal_is_taken_back_or_refused(hall: Hall, ward: Ward) -> None:
    other = LIMITED | {"rule-0-limit-0-value": "education"}
    path = hall.post("/policy/draft", "hospital", do="propose", **other).headers["location"]
    assert path in hall.get("/inbox", "hospital").text, "it waits for another officer"
    assert hall.post(f"{path}/refuse", "hospital", words="a mistake").status_code == 303
    assert path not in hall.get("/inbox", "hospital").text
    assert not ward.house.house().open


def test_four_eyes_go_by_the_account_whatever_it_is_called(
    hall: Hall, ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = hall.console.people
    other = LIMITED | {"rule-0-limit-0-value": "official-statistics"}
    path = hall.post("/policy/draft", "hospital", do="propose", **other).headers["location"]
    digest = path.rpartition("/")[2]
    assert ward.house.house().open[digest].by == "hospital", "the account's name, not what others read"
    record = people.accounts.needed("hospital")
    people.accounts.change(record.id, lambda one: msgspec.structs.replace(one, label="Somebody Else"))

    def confirmed() -> int:
        page = hall.post(f"{path}/simulate", "hospital").text
        (seen,) = set(re.findall(r"Digest of what you saw.*?(sha256:[0-9a-f]{64})", page, re.DOTALL))
        return int(hall.post(f"{path}/confirm", "hospital", simulation=seen).status_code)

    assert confirmed() == 403, "another label is no other person"
    people.accounts.add("third", "Somebody Else", PASSWORD, (Grant("hospital"),))
    third = people.sign_in(people.begin(), "third", PASSWORD, from_="127.0.0.1").token
    monkeypatch.setitem(hall._tokens, "hospital", third)
    assert confirmed() == 303, "the same label is another person"
    assert ward.house.house().confirmed_by == "third"


def second_person(hall: Hall) -> str:
    """Another officer sits down at the hospital's seat; the session."""
    people = hall.console.people
    people.accounts.add("second", "Second Officer", PASSWORD, (Grant("hospital"),))
    return people.sign_in(people.begin(), "second", PASSWORD, from_="127.0.0.1").token


# --- budgets -----------------------------------------------------------------------------------------------------


def test_budgets_tell_who_spent_what_and_how_long_it_lasts(hall: Hall, ward: Ward) -> None:
    for run in ("r1", "r2"):
        ward.spend(run)
    page = hall.get("/budgets/cardio", "hospital").text
    assert "heart" in page and "an answer was paid" in page
    assert "it lasts" in page and "history whole" in page
    rows = json.loads(hall.get("/budgets/cardio?as=json", "hospital").content)
    assert [one["rho"] for one in rows if one["kind"] == "an answer was paid"] == ["0.001", "0.001"]


def test_a_cap_that_is_none_is_refused(hall: Hall) -> None:
    for rho in ("", "x", "-1", "NaN", "Infinity", "1e"):
        assert hall.post("/budgets/cardio/cap", "hospital", rho=rho).status_code == 422, rho


def test_a_cap_is_set_and_never_below_what_is_spent(hall: Hall, ward: Ward) -> None:
    ward.spend("r3")
    assert hall.post("/budgets/cardio/cap", "hospital", rho="0.0000001").status_code == 403
    assert hall.post("/budgets/cardio/cap", "hospital", rho="0.02").status_code == 303
    assert "0.02" in hall.get("/budgets/cardio", "hospital").text
    assert hall.get("/budgets/elsewhere", "hospital").status_code == 403
