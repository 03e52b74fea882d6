"""A hospital's rules end a run while it computes, with real processes: withheld with its reason, wherever one looks."""

from __future__ import annotations

import json

import pytest
from tests.faults.conftest import Case
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.cli.output import REFUSED, printer
from xinglin.hub.run_states import HALTED
from xinglin.kernel.instants import system_clock, to_text
from xinglin.node.autopilot import AUTOPILOT_FILE
from xinglin.sdk import Run, Withheld
from xinglin.stores.desk import ask_desk
from xinglin.testing.sample_space import wait_until
from xinglin.wire.desk import DeskCall

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90, func_only=True)]


def change(case: Case, hospital: str, verb: str) -> None:
    """The hospital's people suspend or resume its agreement, as by hand."""
    folder = case.space.node_folder(hospital)
    (agreement,) = ask_desk(folder, DeskCall("agreements")).value
    ask_desk(folder, DeskCall(verb, {"id": agreement["id"]}))


@pytest.mark.parametrize("what", ["Upload 1", "Upload 3"])
def test_suspended_while_it_computes_the_run_is_withheld_everywhere(case: Case, what: str) -> None:
    space = case.space
    hold = space.tap.hold(space.dids["c"], what)
    run = case.ask()
    hold.wait()
    assert run.view().state == "computing"
    change(case, "a", "suspend")
    try:
        shown_as_withheld(case, run)
        hold.release()
        for hospital in space.hospitals:
            wait_until(lambda h=hospital: run.id not in space.open_runs(h), f"{hospital} ends its part")
        assert set(space.leaves(run)) == {"admitted", "ended"}, "nobody authorised or delivered anything"
        assert set(space.leaves(run)["ended"]) == set(space.hospitals)
    finally:
        hold.release()
        change(case, "a", "resume")
    case.right(case.ask())


def test_a_breach_that_becomes_overdue_suspends_by_rule_and_holds_what_runs(case: Case) -> None:
    """No person does anything: the node itself sees the date pass, by its own clock."""
    space = case.space
    folder = space.node_folder("a")
    (agreement,) = ask_desk(folder, DeskCall("agreements")).value
    (folder / AUTOPILOT_FILE).write_text('[[rule]]\non = "breach-overdue"\ndo = "suspend"\nreason = "Late."\n')
    hold = space.tap.hold(space.dids["c"], "Upload 1")
    run = case.ask()
    hold.wait()
    by = to_text(system_clock() + 2_000)
    given = {"id": agreement["id"], "what": "not-deleted", "words": "Still there.", "by": by}
    notice = ask_desk(folder, DeskCall("breach", given)).value["notice"]
    try:
        shown_as_withheld(case, run)
        (entry,) = ask_desk(folder, DeskCall("status")).value["overdue"]
        assert (entry["notice"], entry["state"], entry["rule"], entry["whose"]) == (notice, "suspended", 1, "theirs")
        said = CliRunner().invoke(app, ["node", "status", "--folder", str(folder)])
        assert "overdue breaches" in said.stdout and "suspended by rule 1" in said.stdout, said.output
        shown = json.loads(CliRunner().invoke(app, ["--json", "node", "status", "--folder", str(folder)]).stdout)
        printer.as_json = False
        assert shown["overdue"] == [entry]
    finally:
        hold.release()
        (folder / AUTOPILOT_FILE).unlink()
        change(case, "a", "resume")
        ask_desk(folder, DeskCall("breach", {"id": agreement["id"], "step": "close", "about": notice}))
    case.right(case.ask())
    assert ask_desk(folder, DeskCall("status")).value["overdue"] == []


def shown_as_withheld(case: Case, run: Run) -> None:
    """At the hub, to the SDK and to the CLI, the reason under its code and the hospital's name."""
    view = run.wait()
    assert (view.state, view.words) == ("withheld", HALTED)
    assert [one.code for one in view.reasons] == ["terms.agreement_not_active"]
    assert case.space.states(run)["a"] == "stopped"
    with pytest.raises(Withheld) as held:
        run.result()
    assert held.value.reasons == view.reasons
    assert "suspended" in str(held.value)
    account = ["--account", str(case.space.sdk.account.folder)]
    said = CliRunner().invoke(app, ["run", "result", run.id, *account])
    assert said.exit_code == REFUSED and "terms.agreement_not_active" in said.stderr, said.output
    shown = json.loads(CliRunner().invoke(app, ["--json", "run", "show", run.id, *account]).stdout)
    printer.as_json = False
    assert (shown["state"], shown["words"]) == ("withheld", HALTED)
    assert [one["code"] for one in shown["reasons"]] == ["terms.agreement_not_active"]
