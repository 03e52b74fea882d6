"""Studies: who agreed, who has not answered, and what may be run under."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.unit.sdk.conftest import VARIABLES, VIEW
from tests.unit.sdk.fake_hub import FakeHub, described

from xinglin.evidence.entry import Entry
from xinglin.kernel.verdict import Reason
from xinglin.sdk.errors import NoAgreement, NotAnswered, Refused
from xinglin.sdk.offers import Offer, Proposal
from xinglin.sdk.space import Space, study_id
from xinglin.sdk.study import Study
from xinglin.wire.endings import sign_ending


def propose(space: Space, **terms: object) -> Study:
    return space.propose(
        "Heart", data_set="cardiology", cohort={"cardiac": VIEW}, variables=VARIABLES, offer=Offer(**terms)
    )


def test_waiting_names_who_has_not_answered(hub: FakeHub, space: Space) -> None:
    study = propose(space)
    with pytest.raises(NotAnswered) as waited:
        study.wait(0.05)
    assert set(waited.value.waiting_for) == {"north", "south", "west"}
    hub.approve()
    heard = []
    assert study.wait(5, tell=heard.append) is study
    assert study.waiting_for == ()
    assert heard


def test_too_few_agreements_are_refused_in_the_hospitals_words(hub: FakeHub, space: Space) -> None:
    study = propose(space)
    hub.approve()
    digest, view = next(iter(hub.agreements.items()))
    said = (Reason("contract.refused", "Not this year.", "Ask in spring."),)
    hub.agreements[digest] = msgspec.structs.replace(view, state="refused", reasons=said)
    with pytest.raises(Refused) as refused:
        study.refresh().wait(1)
    assert refused.value.codes == ("sdk.few_hospitals", "contract.refused")


def test_a_title_finds_its_study_again_and_no_other(study: Study, space: Space) -> None:
    assert space.study("Heart").id == study.id
    with pytest.raises(NoAgreement):
        space.study("heart")


def test_an_active_word_of_the_hub_without_the_hospitals_signature_counts_for_nothing(
    hub: FakeHub, space: Space
) -> None:
    study = propose(space)
    for digest, view in hub.agreements.items():
        hub.agreements[digest] = msgspec.structs.replace(view, state="active", countersigned=view.offered)
    study.refresh()
    assert {study.state_of(held) for held in study.agreements.values()} == {"unverified"}
    with pytest.raises(NoAgreement):
        study.sql("SELECT age FROM cardiac")


def test_an_expired_agreement_is_not_run_under(hub: FakeHub, space: Space) -> None:
    now = space.clock()
    study = propose(space, days=1 / 24)
    hub.approve()
    study.refresh()
    assert study.in_force()
    space.clock = lambda: now + 2 * 3600 * 1000
    with pytest.raises(NoAgreement, match="no active agreement"):
        study.in_force()


def test_an_agreement_that_its_hospital_ended_in_the_log_is_terminated_whatever_the_hub_says(
    hub: FakeHub, study: Study, space: Space
) -> None:
    held = next(iter(study.agreements.values()))
    provider = next(keys for keys in hub.nodes.values() if keys.did == held.agreement.provider)
    digest = held.agreement.digest()
    body = sign_ending("agreement-end", digest, provider)
    hub.add(Entry(kind="agreement-end", at=2, submitter=provider.did, subject=digest, body=body))
    space.log.refresh()
    assert study.state_of(held) == "terminated"
    assert len(study.in_force()) == 2


def test_a_roster_can_be_named_by_label_and_a_stranger_is_refused(study: Study) -> None:
    assert len(study.in_force(["north", "south", "west"])) == 3
    with pytest.raises(NoAgreement, match="east"):
        study.in_force(["north", "east"])


def test_views_are_what_the_sql_may_name(study: Study) -> None:
    assert study.views() == {"cardiac": ("age", "sex", "disease")}


def test_only_a_publisher_can_be_proposed_to(space: Space) -> None:
    with pytest.raises(NoAgreement, match="publishes"):
        space.propose("Other", data_set="oncology", cohort={"a": "SELECT 1"}, variables=["a.b"])


def test_hospitals_with_different_ranges_are_told_apart_before_anything_is_sent(hub: FakeHub, study: Study) -> None:
    hub.published[hub.dids[1]] = described(hub.dids[1], high=90.0)
    with pytest.raises(Refused) as refused:
        study.sql("SELECT age FROM cardiac")
    assert refused.value.codes == ("sdk.domain_differs",)
    (reason,) = refused.value.reasons
    unlike = next(name for name, keys in hub.nodes.items() if keys.did == hub.dids[1])
    assert "'age'" in reason.words and unlike in reason.words
    assert reason.remedy.startswith("Bound it in the query: LEAST(GREATEST(age, 0), 120) AS age.")
    assert study.sql("SELECT LEAST(GREATEST(age, 0), 90) AS age FROM cardiac").columns == ("age",)


def test_a_query_is_bounded_by_what_hospitals_publish_together(hub: FakeHub, study: Study) -> None:
    plain = "SELECT age, sex FROM cardiac"
    assert study.fitted(plain) == plain, "nothing differs yet"
    hub.published[hub.dids[1]] = described(hub.dids[1], high=90.0)
    (name,) = differing = study.differing(plain)
    assert name == "age" and differing[name] and (differing[name].low, differing[name].high) == (0, 120)
    made = study.fitted(plain)
    (age, sex) = study.sql(made).scope.columns
    assert (age.low, age.high, sex.name) == (0, 120, "sex"), "nothing that is published is cut off"
    with pytest.raises(Refused) as refused:
        study.fitted("SELECT shoe_size FROM cardiac")
    assert refused.value.codes == ("sql.unknown_column",)


def test_what_a_release_would_count_has_to_be_the_same_too(hub: FakeHub, study: Study) -> None:
    """A whole number of 0 and 1 is a flag, whose persons are counted; of 0 to 120 it is none."""
    hub.published[hub.dids[1]] = described(hub.dids[1], high=1.0)
    assert study.differing("SELECT age FROM cardiac") == {"age": None}
    sql = "SELECT LEAST(GREATEST(age, 0), 120) AS age FROM cardiac"
    with pytest.raises(Refused) as refused:
        study.sql(sql)
    assert refused.value.codes == ("sdk.domain_differs",) and "Leave 'age' out" in refused.value.reasons[0].remedy
    assert study.fitted(sql) == sql


def test_a_star_that_means_other_columns_elsewhere_is_left_as_it_is(
    hub: FakeHub, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.sdk import scope

    real = scope._admitted_by_all

    def one_lacks_sex(*given: Any) -> Any:
        found = real(*given)
        did = next(iter(found))
        columns = tuple(one for one in found[did].columns if one.name != "sex")
        return found | {did: msgspec.structs.replace(found[did], columns=columns)}

    hub.published[hub.dids[1]] = described(hub.dids[1], high=90.0)
    monkeypatch.setattr(scope, "_admitted_by_all", one_lacks_sex)
    assert study.fitted("SELECT * FROM cardiac") == "SELECT * FROM cardiac"


def test_a_long_remedy_says_only_where_it_is_written(hub: FakeHub, study: Study) -> None:
    hub.published[hub.dids[1]] = described(hub.dids[1], levels=tuple(f"level {n}" for n in range(60)))
    with pytest.raises(Refused) as refused:
        study.sql("SELECT sex FROM cardiac")
    (reason,) = refused.value.reasons
    assert reason.remedy == "Bound it in the query. study.fitted(sql) writes it."
    assert len(study.sql(study.fitted("SELECT sex FROM cardiac")).scope.columns[0].levels) == 62


def test_a_data_set_that_is_no_longer_published_is_named(hub: FakeHub, study: Study) -> None:
    del hub.published[hub.dids[0]]
    with pytest.raises(Refused) as refused:
        study.sql("SELECT age FROM cardiac")
    assert refused.value.codes == ("sdk.not_published",)


def test_one_hospital_is_offered_something_else(hub: FakeHub, space: Space) -> None:
    north = next(did for did, name in space.names().items() if name == "north")
    cohort = {"cardiac": VIEW}
    proposal = Proposal(study_id("Heart", space.account.did), "cardiology", cohort, tuple(VARIABLES), "health-research")
    proposal.send(space, Offer(allowance=5), None, {north: Offer(allowance=3)})
    held = space.study("Heart").agreements
    assert {did: one.agreement.terms.allowance == 3 for did, one in held.items()} == {did: did == north for did in held}
