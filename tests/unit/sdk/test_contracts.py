"""The consumer's side: one application to all hospitals, renewals and amendments, suspending and ending."""

from __future__ import annotations

import pytest
from tests.unit.sdk.conftest import VARIABLES, VIEW
from tests.unit.sdk.fake_hub import FakeHub

from xinglin.contract.agreement import Agreement
from xinglin.contract.errors import NotThisAgreement
from xinglin.contract.study import Study as Asked
from xinglin.contract.study import open_application
from xinglin.contract.templates.drafting import is_offer_of, load_template
from xinglin.evidence.entry import Entry
from xinglin.kernel.codec import decode_json
from xinglin.sdk.contracts import Applied, apply_for, change_agreement, replace_agreement
from xinglin.sdk.errors import NoAgreement, Refused
from xinglin.sdk.space import Space, study_id
from xinglin.sdk.study import Study


@pytest.fixture
def logged(hub: FakeHub, study: Study) -> Study:
    """The study, its agreements' leaves in the log."""
    for held in study.agreements.values():
        parties = (held.agreement.provider, held.agreement.consumer)
        digest = held.agreement.digest()
        hub.add(Entry(kind="agreement", at=1, submitter=parties[0], parties=parties, subject=digest))
    return study.refresh()


def apply(space: Space, **changes: object) -> Applied:
    did = space.account.did
    asked = Asked(study_id("Lungs", did), "Lungs", did, did, "health-research", "ethics-waiver")
    given = {"template": "statistics", "data_set": "cardiology", "cohort": {"cardiac": VIEW}, "variables": VARIABLES}
    return apply_for(space, asked, **{**given, **changes})  # type: ignore[arg-type]


def test_one_application_is_offered_to_every_hospital(hub: FakeHub, space: Space) -> None:
    applied = apply(space)
    assert {one.provider for one in applied.views} == set(hub.dids)
    opened = open_application(applied.signed, space.log.record.directory)
    for view in applied.views:
        offer = decode_json(view.offered.payload, Agreement)
        assert is_offer_of(opened, load_template("statistics"), offer)
        assert (offer.version, offer.applied, view.application) == (3, opened.digest(), None)
    hub.approve()
    study = space.study("Lungs").wait(1)
    assert len(study.in_force()) == len(hub.dids)


def test_what_the_template_does_not_give_is_sent_to_nobody(hub: FakeHub, space: Space) -> None:
    for changes in ({"days": 10_000}, {"allowance": 10_000}, {"template": "public-health"}):
        with pytest.raises(NotThisAgreement):
            apply(space, **changes)
    with pytest.raises(NoAgreement):
        apply(space, hospitals=["did:xinglin:nobody"])
    assert hub.agreements == {}


def test_suspending_resuming_and_ending_are_told_to_the_log(hub: FakeHub, logged: Study, space: Space) -> None:
    did, held = sorted(logged.agreements.items())[0]
    index = change_agreement(space, held, "suspend")
    assert index == hub.log.size - 1
    space.log.refresh()
    assert logged.state_of(held) == "suspended"
    assert did not in logged.in_force()
    with pytest.raises(Refused):
        change_agreement(space, held, "suspend")
    change_agreement(space, held, "resume")
    space.log.refresh()
    assert logged.state_of(held) == "active"
    change_agreement(space, held, "terminate")
    space.log.refresh()
    assert logged.state_of(held) == "terminated"
    for event in ("suspend", "resume", "terminate"):
        with pytest.raises(Refused):
            change_agreement(space, held, event)


def test_a_renewal_and_an_amendment_are_offered(logged: Study, space: Space) -> None:
    held = sorted(logged.agreements.items())[0][1]
    view = replace_agreement(space, held, days=100)
    new = decode_json(view.offered.payload, Agreement)
    assert (new.replaces, new.terms.expires - held.agreement.terms.expires) == (
        held.agreement.digest(),
        100 * 86_400_000,
    )
    amended = decode_json(replace_agreement(space, held, allowance=3).offered.payload, Agreement)
    assert (amended.terms.allowance, amended.terms.expires) == (3, held.agreement.terms.expires)
    with pytest.raises(Refused) as refused:
        replace_agreement(space, held, days=1, purposes=("education",))
    assert refused.value.codes == ("contract.replaces_renewal_changes",)


def test_what_the_log_does_not_name_is_not_changed(study: Study, space: Space) -> None:
    held = next(iter(study.agreements.values()))
    for act in (lambda: change_agreement(space, held, "suspend"), lambda: replace_agreement(space, held, days=1)):
        with pytest.raises(NoAgreement):
            act()
