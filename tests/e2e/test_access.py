"""The whole path with real processes: application, algorithm check, ethics vote, offers, agreements, first run.

Then what has to stop it: a revocation in the middle of a run, a scope that is one column too wide, a renewal's chain.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.slowness import WORK_S, slowness, work
from typer.testing import CliRunner

from xinglin.cli.app import app
from xinglin.cli.output import REFUSED, printer
from xinglin.hub.run_states import HALTED
from xinglin.kernel.instants import Instant, system_clock
from xinglin.sample import generate_space
from xinglin.sdk import Run
from xinglin.sdk.errors import Refused, Withheld
from xinglin.sdk.offers import Offer
from xinglin.sdk.study import Study
from xinglin.stores.node_terms import NodeTerms
from xinglin.testing import SampleSpace
from xinglin.testing.review_space import COMMITTEE, ReviewSpace
from xinglin.testing.sample_space import wait_until

pytestmark = pytest.mark.slow

COLUMNS = ("age", "sex", "trestbps", "thalach", "exang", "disease")
VOTERS = ("chair", "second", "third")
PATH_S = 10.0
"""Processor time that the whole path may take, of every process and of every person's tool together.

It is meant for a machine that does ``work`` in ``WORK_S``. A processor that two threads share counts up to twice the
seconds for the same work, and a slower one more: both are measured beside the path, and a faster one gets no less.
"""
HALT_MS = 1_000
"""How long after a revocation is recorded a hospital that hears of it may compute on, on an idle machine."""


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewSpace]:
    """Three hospitals with generated tables, and a committee of their people and one of the researcher's own."""
    space = SampleSpace(tmp_path_factory.mktemp("review"), generate_space()[:3])
    review = ReviewSpace(space)
    try:
        space.open()
        for name, hospital in (("chair", "a"), ("second", "b"), ("third", "c")):
            review.person(name, hospital)
        review.person("colleague")
        review.found_committee((*VOTERS, "colleague"), "chair")
        yield review
    finally:
        review.close()
        space.close()


def machine_s(review: ReviewSpace) -> float:
    """Processor seconds so far of this process, and of every process of the space with its children."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = sum(os.times()[:2])
    for process in review.space.processes.values():
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15])) / ticks
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / ticks
    return total


def approved(review: ReviewSpace, title: str, columns: tuple[str, ...] = COLUMNS) -> tuple[str, str]:
    """Application and approval of a study that everybody votes for."""
    applied = review.access().apply(review.form(title, columns)).application.id
    review.accept(applied)
    return applied, carried(review, applied)


def carried(review: ReviewSpace, application: str) -> str:
    motion = review.access("chair").put(application, COMMITTEE, conditions=("Publish within 18 months.",)).motion
    for name in VOTERS:
        review.access(name).vote(motion, "approve", "well founded")
    return review.access("chair").resolve(motion).digest


def agreed(review: ReviewSpace, application: str, title: str) -> Study:
    review.access().offer(application)
    study = review.space.sdk.study(title)
    for hospital in review.space.hospitals:
        held = study.agreements[review.space.dids[hospital]]
        review.space._approve(hospital, held.view.agreement_id)
    return study.wait(30)


def test_application_to_first_run(review: ReviewSpace) -> None:
    slow, title = work(), "From application to result"
    began = machine_s(review)
    mine = review.access()
    form = review.form(title, COLUMNS)
    lacking = msgspec.structs.replace(form, committees=(), data=msgspec.structs.replace(form.data, justification=""))
    assert [gap.field for gap in mine.check(lacking).gaps] == ["justification"]
    assert {one.verdict for one in mine.check(form).screenings} == {"yes"}
    view = mine.apply(form)
    application = view.application.id
    assert view.application.state == "PRE_SCREENING" and "to look at the application (day 1 of 14)" in view.waiting
    assert review.accept(application).application.state == "PROCESSING"

    motion = review.access("chair").put(application, COMMITTEE).motion
    with pytest.raises(Refused) as refused:
        review.access("colleague").vote(motion, "approve")
    assert refused.value.codes == ("access.conflict_institution",)
    for name in VOTERS[:2]:
        seen = review.access(name).vote(motion, "approve", "sound")
        assert seen.votes == () and not seen.over
    assert "2 of 3 are in" in mine.application(application).waiting
    with pytest.raises(Refused):
        review.access("chair").resolve(motion)
    with pytest.raises(Refused) as refused:
        review.access("second").vote(motion, "reject", "on reflection")
    assert refused.value.codes == ("access.voted_before",)
    review.access("third").vote(motion, "reject", "a reason of its own")
    assert review.access("colleague").motion(motion).votes == ()
    resolved = review.access("chair").resolve(motion)
    assert (resolved.outcome.verdict, resolved.outcome.approve, resolved.outcome.reject) == ("approved", 2, 1)
    assert mine.approval(resolved.digest).motion.scope.study == view.application.form.study

    after = mine.application(application)
    assert after.application.state == "DECISION_ISSUED" and "to offer" in after.waiting
    study = agreed(review, application, title)
    result = review.space.data(study, COLUMNS).describe("age")
    assert result.rows()[0]["rows"] > 1_000
    assert mine.application(application).waiting == "Everything is done: the study may run."
    (entry,) = [one for one in mine.register() if one.permit == resolved.digest]
    assert entry.status == "GRANTED" and len(entry.hospitals) == 3
    took = machine_s(review) - began
    assert took < PATH_S * max(1.0, (slow + work()) / 2 / WORK_S), took


def stopped_at(review: ReviewSpace, hospitals: tuple[str, ...], run: Run) -> Instant:
    """When the last of these hospitals decided that a run may not go on, by their own records of what they decided.

    One that another's word stopped first has decided nothing.
    """
    found = []
    for hospital in hospitals:
        kept = NodeTerms.in_folder(review.space.node_folder(hospital))
        try:
            found += [row.at for row in kept.last(100, system_clock()) if row.decision == f"{run.id}/again"]
        finally:
            kept.close()
    return max(found)


def shown_as_withheld(review: ReviewSpace, run: Run) -> None:
    """At the hub, to the SDK and to the CLI: withheld, by which hospital, for which reason, and how it may be asked."""
    view = run.wait()
    assert (view.state, view.words) == ("withheld", HALTED)
    assert {reason.code for reason in view.reasons} >= {"access.approval_revoked"}
    assert "stopped" in {one.state for one in view.nodes}
    with pytest.raises(Withheld) as held:
        run.result()
    assert "access.approval_revoked" in held.value.codes and held.value.reasons == view.reasons
    assert "revoked" in str(held.value)
    account = ["--account", str(review.space.sdk.account.folder)]
    said = CliRunner().invoke(app, ["run", "result", run.id, *account])
    assert said.exit_code == REFUSED and "access.approval_revoked" in said.stderr, said.output
    shown = json.loads(CliRunner().invoke(app, ["--json", "run", "show", run.id, *account]).stdout)
    printer.as_json = False
    assert (shown["state"], shown["words"]) == ("withheld", HALTED)
    assert [one["code"] for one in shown["reasons"]] == [one.code for one in view.reasons]


def test_a_revocation_in_the_middle_stops_the_run(review: ReviewSpace) -> None:
    title = "Revoked in the middle"
    application, approval = approved(review, title)
    study = agreed(review, application, title)
    space, data = review.space, review.space.data(study, COLUMNS)
    space.freeze("c")  # the run waits in its rounds for a hospital that says nothing
    try:
        run = data.ask("describe", columns=["age"])
        wait_until(lambda: len(space.open_runs("a")) == 1, "hospital a works on the run")
        wait_until(lambda: space.states(run)["a"] == space.states(run)["b"] == "ready", "a and b have said yes")
        slow = slowness(time.perf_counter)
        review.access("chair").revoke(approval)
        revoked_at = system_clock()
        wait_until(lambda: not space.open_runs("a"), "hospital a has ended the run", 60)
        slow = (slow + slowness(time.perf_counter)) / 2
    finally:
        space.thaw("c")
    took_ms = stopped_at(review, ("a", "b"), run) - revoked_at
    assert took_ms < HALT_MS * slow, (took_ms, slow)
    shown_as_withheld(review, run)
    assert "release-authorised" not in space.leaves(run) and "delivered" not in space.leaves(run)
    with pytest.raises(Refused) as refused:
        data.describe("age")
    assert "access.approval_revoked" in refused.value.codes
    assert "terms.not_met_ethics_approval" in refused.value.codes  # its agreement says so itself
    assert {e.permit: e.status for e in review.access().register()}[approval] == "REVOKED"


def test_one_column_too_wide_is_not_approved(review: ReviewSpace) -> None:
    title = "One column too wide"
    application, _ = approved(review, title, COLUMNS[:-1])
    sdk, form = review.space.sdk, review.access().application(application).application.form
    wide = sdk.propose(
        title,
        data_set=form.data.data_set,
        cohort={view.name: view.select for view in form.data.cohort},
        variables=(*form.data.variables, "cardiac.disease"),
        offer=Offer(),
    )
    for hospital in review.space.hospitals:
        review.space._approve(hospital, wide.agreements[review.space.dids[hospital]].view.agreement_id)
    with pytest.raises(Refused) as refused:
        review.space.data(wide.wait(30), COLUMNS[:-1]).describe("age")
    assert "access.other_variables" in refused.value.codes


def test_a_renewal_carries_the_study_on_and_is_given_once(review: ReviewSpace) -> None:
    title = "Renewed once"
    application, first = approved(review, title)
    study = agreed(review, application, title)
    mine = review.access()

    def renewal(of: str, years: int) -> str:
        form = mine.copy(application, replaces=of, relation="renewal")
        term = review.form(title, COLUMNS, days=365 * years).project
        applied = mine.apply(msgspec.structs.replace(form, project=term)).application.id
        review.accept(applied)
        return applied

    second = carried(review, renewal(first, 2))
    found = {entry.permit: entry for entry in mine.register()}
    assert found[first].status == "RENEWED" and found[first].replaced_by == second
    assert found[second].replaces == first
    assert review.space.data(study, COLUMNS).describe("age").rows()[0]["rows"] > 0
    with pytest.raises(Refused) as refused:
        carried(review, renewal(second, 3))
    assert refused.value.codes == ("access.renewed_before",)
