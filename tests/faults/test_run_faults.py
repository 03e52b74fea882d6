"""Whole runs under faults, with real processes: a hub, the regulator's witness and four hospitals.

Each fault comes at a named message, held on the line until the fault has happened. Judged every time:
nothing acknowledged is lost, nothing is counted or charged twice, and who follows the run sees what is going on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.faults.conftest import Case
from tests.faults.tunnel import Tunnel
from tests.slowness import slowness

from xinglin.sdk import Run, RunEnded
from xinglin.testing.sample_space import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90, func_only=True)]


def ended(run: Run) -> str:
    """The state in which the run ends without a result."""
    with pytest.raises(RunEnded):
        run.result()
    return run.view().state


def kill_at(case: Case, who: str, what: str, when: str = "said") -> Run:
    """A run in which ``who`` is killed with ``what`` on the line: the message is lost with it."""
    hold = case.space.tap.hold(case.space.dids[who], what, when)  # type: ignore[arg-type]
    run = case.ask()
    hold.wait()
    case.space.kill(who)
    hold.lose()
    return run


# --- a node is killed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "when", "charge"),
    [("Begin 0", "told", "returned"), ("Upload 1", "said", "spent")],
    ids=["nothing computed", "computed and not sent"],
)
def test_killed_before_its_upload_the_others_go_on(three: Case, what: str, when: str, charge: str) -> None:
    run = kill_at(three, "a", what, when)
    three.right(run, "bcd")
    assert three.space.states(run)["a"] == "left out (away)"
    three.space.start_again("a")
    three.settled(run, {"a": charge})
    leaves = three.space.leaves(run)
    assert leaves["ended"] == {"a": 1} and leaves["admitted"]["a"] == 1


def test_killed_before_its_shares_the_others_go_on(three: Case) -> None:
    run = kill_at(three, "a", "Shares 1")
    three.right(run, "bcd")
    three.space.start_again("a")
    three.settled(run, {"a": "returned"})


def test_with_only_two_left_the_run_ends_as_too_few(case: Case, patience: Callable[[float], None]) -> None:
    patience(2)
    first = case.space.tap.hold(case.space.dids["c"], "Upload 1")
    run = kill_at(case, "a", "Upload 1")
    first.wait()
    case.space.kill("c")
    first.lose()
    wait_until(lambda: "Waits for" in run.view().words, "the follower is told who is awaited")
    assert ended(run) == "too_few"
    assert "at least 3 of 4" in run.view().words
    case.space.start_again("c")
    case.space.start_again("a")
    case.settled(run, dict.fromkeys("abcd", "spent"))
    assert set(case.space.leaves(run)) == {"admitted", "ended"}


def test_after_the_first_opened_total_a_run_never_goes_on_with_fewer(
    case: Case, patience: Callable[[float], None]
) -> None:
    patience(2)
    run = kill_at(case, "a", "Upload 2")
    assert ended(run) == "too_few"
    case.space.start_again("a")
    case.settled(run, dict.fromkeys("abcd", "spent"))
    assert set(case.space.leaves(run)) == {"admitted", "ended"}


@pytest.mark.parametrize(("what", "when"), [("Endorsed 1", "told"), ("Reveal 1", "said")])
def test_killed_before_unmasking_its_part_counts_and_its_word_is_awaited(case: Case, what: str, when: str) -> None:
    run = kill_at(case, "a", what, when)
    # The shares of three strip its mask; the first total holds its part, and so the run waits for it.
    wait_until(lambda: run.view().round == 2, "the others strip the masks")
    view = run.view()
    assert view.state == "computing" and case.space.states(run)["a"].endswith("(away)")
    assert "away" in view.words
    case.space.start_again("a")
    case.right(run)


@pytest.mark.parametrize(("what", "when"), [("Total 1", "told"), ("Upload 3", "said")])
def test_killed_between_rounds_and_restarted_it_resumes_the_same_run(case: Case, what: str, when: str) -> None:
    run = kill_at(case, "a", what, when)
    case.space.start_again("a")
    case.right(run)


def test_all_four_killed_in_mid_run_resume_it(case: Case) -> None:
    hold = case.space.tap.hold(case.space.dids["d"], "Upload 3")
    run = case.ask()
    hold.wait()
    for who in case.space.hospitals:
        case.space.kill(who)
    hold.lose()
    for who in case.space.hospitals:
        case.space.start(who)
    case.right(run)


# --- between authorising and delivering --------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "when"),
    [
        ("leaf release-authorised", "taken"),
        ("RunReleased", "said"),
        ("RunReleased", "taken"),
        ("leaf delivered", "said"),
    ],
)
def test_killed_between_authorising_and_delivering_it_delivers_once(case: Case, what: str, when: str) -> None:
    run = kill_at(case, "a", what, when)
    case.space.start_again("a")
    case.right(run)


# --- the hub is killed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "when"),
    [("Shares 1", "said"), ("Upload 1", "taken"), ("Total 3", "told"), ("RunReleased", "said")],
)
def test_the_hub_killed_in_mid_run_goes_on_after_its_restart(case: Case, what: str, when: str) -> None:
    hold = case.space.tap.hold(case.space.dids["a"], what, when)  # type: ignore[arg-type]
    run = case.ask()
    hold.wait()
    case.space.kill("hub")
    hold.release()
    case.space.start_again("hub")
    case.right(run)


def test_the_hub_killed_after_going_on_with_three_remembers_who_was_left_out(three: Case) -> None:
    hold = three.space.tap.hold(three.space.dids["d"], "Upload 3")
    run = kill_at(three, "a", "Upload 1")
    hold.wait()
    three.space.kill("hub")
    hold.release()
    three.space.start_again("hub")
    three.right(run, "bcd")


def test_hub_and_node_killed_together_go_on(case: Case) -> None:
    hold = case.space.tap.hold(case.space.dids["a"], "Upload 2")
    run = case.ask()
    hold.wait()
    case.space.kill("hub")
    case.space.kill("a")
    hold.lose()
    case.space.start_again("hub")
    case.space.start_again("a")
    case.right(run)


# --- messages are lost or late -------------------------------------------------------------------------


def test_an_answer_lost_after_the_hub_acted_counts_nothing_twice(case: Case) -> None:
    tap, did = case.space.tap, case.space.dids["a"]
    names = ("RunAdmitted", "Shares 1", "Upload 1", "Reveal 1", "Upload 4", "leaf release-authorised", "RunReleased")
    holds = [tap.hold(did, name, "taken") for name in names] + [tap.hold(did, "Total 2", "told")]
    for hold in holds:
        hold.lose()
    run = case.ask()
    case.right(run)
    assert all(hold.there for hold in holds)


def test_an_upload_that_comes_too_late_is_not_counted(three: Case) -> None:
    hold = three.space.tap.hold(three.space.dids["a"], "Upload 1")
    run = three.ask()
    hold.wait()
    three.space.freeze("a")
    wait_until(lambda: three.space.states(run)["a"].startswith("left out"), "the others go on")
    hold.release()
    three.space.thaw("a")
    three.right(run, "bcd")
    three.settled(run, {"a": "spent"})
    assert three.space.leaves(run)["ended"] == {"a": 1}


def test_a_frozen_node_that_thaws_in_time_is_waited_for(case: Case) -> None:
    hold = case.space.tap.hold(case.space.dids["a"], "Upload 2")
    run = case.ask()
    hold.wait()
    case.space.freeze("a")
    wait_until(lambda: case.space.states(run)["a"].endswith("(away)"), "it is shown as away", 11)
    case.space.thaw("a")
    hold.release()
    case.right(run)


# --- the witness is away -------------------------------------------------------------------------------


def test_without_the_witness_nothing_is_released_and_the_run_waits(case: Case) -> None:
    hold = case.space.tap.hold(case.space.dids["a"], "Upload 3")
    run = case.ask()
    hold.wait()
    case.space.kill("witness")
    hold.release()
    wait_until(lambda: "waiting" in case.space.states(run).values(), "the follower sees that the run waits", 15)
    view = run.view()
    assert view.state == "computing" and "trusted checkpoint" in view.words
    time.sleep(1)
    assert run.view().state == "computing" and set(case.space.charges(run).values()) == {"reserved"}
    case.space.start("witness")
    case.right(run)


def test_asked_while_the_witness_is_away_the_run_waits_to_be_admitted(case: Case) -> None:
    case.space.kill("witness")
    run = case.ask()
    wait_until(lambda: set(case.space.states(run).values()) == {"waiting"}, "the follower sees that all wait", 60)
    assert run.view().state == "deciding"
    case.space.start("witness")
    case.right(run)


DRAIN_S = 10.0
"""A process that is told to end keeps its runs and ends before it has to be killed."""
AWAY_S = 10.0
"""How long a hospital that says nothing may be shown as there."""

# --- draining ------------------------------------------------------------------------------------------


def test_sigterm_drains_a_node_in_mid_run_and_it_goes_on_later(case: Case) -> None:
    hold = case.space.tap.hold(case.space.dids["d"], "Upload 3")
    run = case.ask()
    hold.wait()
    began = time.monotonic()
    assert case.space.stop("a", timeout_s=60) == 0
    took = time.monotonic() - began
    assert took < DRAIN_S * slowness(time.perf_counter), took
    case.space.start_again("a")
    hold.release()
    case.right(run)


def test_sigterm_drains_the_hub_in_mid_run_and_it_goes_on_later(case: Case) -> None:
    hold = case.space.tap.hold(case.space.dids["d"], "Upload 3")
    run = case.ask()
    hold.wait()
    began = time.monotonic()
    assert case.space.stop("hub", timeout_s=60) == 0
    took = time.monotonic() - began
    assert took < DRAIN_S * slowness(time.perf_counter), took
    hold.release()
    case.space.start_again("hub")
    case.right(run)


# --- who is there --------------------------------------------------------------------------------------


def test_a_killed_node_and_a_frozen_one_are_shown_as_away_within_ten_seconds(case: Case) -> None:
    def seen() -> dict[str, bool]:
        present = {one.did: one.connected for one in case.space.sdk.participants()}
        return {hospital: present[did] for hospital, did in case.space.dids.items()}

    assert all(seen().values())
    began = time.monotonic()
    case.space.kill("c")
    case.space.freeze("a")
    wait_until(lambda: not seen()["c"] and not seen()["a"], "both are shown as away", 60)
    took = time.monotonic() - began
    assert took <= AWAY_S * slowness(time.perf_counter), took
    assert seen()["d"] and seen()["b"]
    case.space.thaw("a")
    case.space.start_again("c")
    wait_until(lambda: all(seen().values()), "both are back", 60)


def test_a_node_works_through_a_connect_proxy_that_cuts_idle_connections(case: Case) -> None:
    space, tunnel = case.space, Tunnel(idle_s=2)
    space.stop("a")
    space.configure("a", proxy=tunnel.url)
    try:
        space.start_again("a")
        wait_until(space.all_present, "it is seen through the proxy", 60)
        end = time.monotonic() + 7
        while time.monotonic() < end:
            assert space.all_present(), "a cut never makes the node look away"
            time.sleep(0.2)
        assert tunnel.cuts >= 2
        case.right(case.ask())
    finally:
        space.stop("a")
        space.configure("a", proxy=space.tap.url)
        space.start_again("a")
        tunnel.close()
