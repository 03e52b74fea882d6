"""Runs: listed from the account's folder, followed lane by lane, stopped, asked again; nobody else's are there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.console.desk_of_work import TITLE, Work

from xinglin.wire.calls import NodeProgress, RunView


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    made = Work(tmp_path_factory.mktemp("work"))
    yield made
    made.hall.close()


@pytest.fixture
def work(desk: Work) -> Work:
    desk.reset()
    return desk


def going(work: Work, run: str, *states: str) -> None:
    """The hub tells these states of the hospitals, and that the run goes on."""
    nodes = tuple(
        NodeProgress(did, name, state.removesuffix(" away"), not state.endswith(" away"))
        for (name, did), state in zip(
            sorted((name, keys.did) for name, keys in work.hub.nodes.items()), states, strict=True
        )
    )
    view = RunView(run, "computing", 3, 2, nodes, started=1)
    work.hub.turn = lambda answer: view if isinstance(answer, RunView) else answer


def test_the_list_has_every_run_of_the_folder_and_its_state(work: Work) -> None:
    assert "Nothing was asked yet" in work.get("/runs").text
    run = work.ask()
    page = work.get("/runs")
    assert run in page.text and TITLE in page.text
    row = work.get("/runs?as=json").json()[0]
    assert row["id"] == run and row["state"] == "done"


def test_a_run_has_a_lane_for_each_hospital_and_says_why_it_waits(work: Work) -> None:
    run = work.ask()
    going(work, run, "computing", "in review", "computing away")
    page = work.get(f"/runs/{run}")
    for name in work.hub.nodes:
        assert name in page.text
    assert "Why am I waiting?" in page.text and "south look at the answer" in page.text
    assert f'data-live="/runs/{run}/live"' in page.text
    assert "last seen" in page.text
    assert "How long it takes is not known" in page.text


def test_a_run_that_is_over_offers_its_result_and_no_stream(work: Work) -> None:
    run = work.ask()
    page = work.get(f"/runs/{run}")
    assert f"/results/{run}" in page.text and 'data-live="/runs' not in page.text


def test_a_run_is_stopped_and_asked_again(work: Work) -> None:
    run = work.ask()
    assert work.post(f"/runs/{run}/cancel").status_code == 303
    again = work.post(f"/runs/{run}/again")
    assert again.status_code == 303
    other = str(again.headers["location"]).rpartition("/")[2]
    assert other != run and work.hub.runs[other][1].params == work.hub.runs[run][1].params


def test_a_run_of_another_account_is_not_there(work: Work) -> None:
    work.ask()
    for path in ("/runs/run-aaaaaaaa", "/results/run-aaaaaaaa"):
        assert work.get(path).status_code == 404
    assert work.post("/runs/run-aaaaaaaa/cancel").status_code == 404
    assert work.post("/runs/run-aaaaaaaa/again").status_code == 404


def test_a_run_is_found_again_by_a_console_that_was_started_anew(work: Work) -> None:
    run = work.ask()
    work.hall.console.made.clear()  # nothing of the seat's calls is kept
    assert run in work.get("/runs").text
    assert work.get(f"/results/{run}").status_code == 200
