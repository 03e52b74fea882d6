"""What a patient index keeps on any database; implementations derive from it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.patients.people import LI, WANG, version

from xinglin.kernel.states import IllegalMove
from xinglin.patients.deciding import Clerks
from xinglin.patients.errors import NoName, NotApart, SameClerk, UnknownPatient, UnknownReview
from xinglin.patients.index import PatientIndex
from xinglin.patients.model import Link, Policy, Statement

ONE, TWO, THREE = "Patient/1", "Patient/2", "Patient/3"
BOTH = (ONE, TWO)
ODD = {**WANG, "birth_date": "1980-05-01"}


def person_of(store: Any) -> dict[str, str]:
    """Person by record."""
    return {key: one.person for key, one in store.persons().items()}


def rules(store: Any) -> dict[str, int]:
    """Links by rule."""
    return dict(store.counts().links)


class IndexSuite:
    """Derive, and give a fixture ``store`` that is empty."""

    @pytest.fixture
    def index(self, store: Any) -> PatientIndex:
        return PatientIndex(store)

    @pytest.fixture
    def clerks(self, index: PatientIndex) -> Clerks:
        return Clerks(index)

    def test_records_are_linked_once_with_their_reason(self, index: PatientIndex, store: Any) -> None:
        done = index.take([version(ONE, 1, **WANG), version(TWO, 2, **WANG), version(THREE, 3, **LI)], 9)
        assert (done.records, done.changed, done.rows) == (3, 3, 2)
        assert person_of(store) == {ONE: "Person/1", TWO: "Person/1"} and rules(store) == {"national_id": 1}
        again = index.take([version(TWO, 2, **WANG), version(ONE, 1, **WANG)], 10)
        assert (again.changed, again.rows) == (0, 0)
        (linked,) = store.history(ONE)
        assert (linked.event, linked.rule, linked.at) == ("linked", "national_id", 9) and "name" in linked.fields

    def test_new_data_unlinks_and_links_again(self, index: PatientIndex, store: Any) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 2, **WANG)], 9)
        index.take([version(TWO, 3, **LI)], 10)
        assert person_of(store) == {} and rules(store) == {}
        index.take([version(TWO, 4, partial=True, national_id=WANG["national_id"])], 11)
        assert person_of(store) == {}, "its birth date is another: for review"
        index.take([version(TWO, 5, **WANG)], 12)
        assert person_of(store) == {ONE: "Person/1", TWO: "Person/1"}
        assert [one.event for one in store.history(TWO)] == ["linked", "unlinked", "reviewed", "linked", "withdraw"]
        was = [(at, one.person) for at, one in store.person_history(TWO)]
        assert was == [(9, "Person/1"), (10, ""), (12, "Person/1")]

    def test_partial_versions_come_late_and_clear(self, index: PatientIndex, store: Any) -> None:
        index.take([version(ONE, 5, partial=True, name="王伟", sex="male")], 9)
        index.take([version(ONE, 3, **LI)], 10)
        (known,) = store.records()
        said = dict(zip(("national_id", "name", "sex"), (known.state.values[n] for n in (0, 4, 12)), strict=True))
        assert said == {"national_id": LI["national_id"], "name": "王伟", "sex": "male"}
        index.take([version(ONE, 6, partial=True, cleared=("name",))], 11)
        (known,) = store.records()
        assert known.state.values[4] is None and known.since == 10_003

    @pytest.mark.parametrize("late", [False, True])
    def test_a_merge_and_a_separation_in_any_order(self, index: PatientIndex, store: Any, late: bool) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 1, **WANG)], 2)
        merge = [version(TWO, 5, partial=True, replaced_by=ONE, place="MRG")]
        part = [
            version(key, 7, partial=True, cleared=("replaced_by",), place=f"PID[{at}]", message="a37")
            for at, key in enumerate(BOTH)
        ]
        assert rules(store) == {"national_id": 1}
        for at, batch in enumerate((part, merge) if late else (merge, part)):
            index.take(batch, 10 + at)
            if batch is merge and not late:
                assert rules(store) == {"merge": 1}
        assert person_of(store) == {}, "the source said that they are two"
        index.take([version(TWO, 9, partial=True, replaced_by=ONE, place="MRG")], 20)
        assert person_of(store) == {ONE: "Person/1", TWO: "Person/1"}, "and later that they are one"

    def test_a_merge_into_a_record_that_comes_later(self, index: PatientIndex, store: Any) -> None:
        index.take([version(TWO, 5, partial=True, replaced_by=ONE)], 9)
        assert set(person_of(store)) == {ONE, TWO} and store.record(ONE) is not None
        index.take([version(ONE, 1, **WANG)], 10)
        assert set(person_of(store)) == {ONE, TWO}
        index.take([version(TWO, 6, **LI)], 11)
        assert person_of(store) == {}, "a whole version without the merge takes it back"

    def test_a_master_index_is_imported_changed_and_taken_back(self, index: PatientIndex, store: Any) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 1, **LI)], 2)
        named = {ONE: "E1", TWO: "E1", THREE: "E1"}
        assert index.name(named, "empi", 3, "ann").changed == 3
        assert len(person_of(store)) == 3 and rules(store) == {"crosswalk": 3}
        assert index.name(named, "empi", 4, "ann").changed == 0
        index.name({TWO: "E2"}, "empi", 5, "ann")
        assert set(person_of(store)) == {ONE, THREE}
        index.name({THREE: ""}, "empi", 6, "ann")
        assert (
            person_of(store) == {} and [one.by for one in store.history(TWO) if one.event == "crosswalk"] == ["ann"] * 2
        )

    def test_facts_that_name_a_number_meet_its_record(self, index: PatientIndex, store: Any) -> None:
        bare = "Patient/i-" + "0" * 32
        assert index.meet({bare}, 1).changed == 1 and index.meet({bare}, 2).changed == 0
        assert person_of(store) == {}

    def test_a_conflict_is_reviewed_confirmed_reopened_and_rejected(
        self, index: PatientIndex, clerks: Clerks, store: Any
    ) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 1, **ODD)], 2)
        (review,) = store.reviews()
        assert (review.doubtful.kind, review.doubtful.differ) == ("conflict", ("birth_date",))
        with pytest.raises(NoName):
            clerks.confirm(review.number, " ", 3)
        with pytest.raises(UnknownReview):
            clerks.confirm(99, "ann", 3)
        assert clerks.defer(review.number, "ann", 3).state == "deferred"
        assert clerks.confirm(review.number, "ann", 4, "asked by telephone").state == "confirmed"
        assert person_of(store) == {ONE: "Person/1", TWO: "Person/1"} and rules(store) == {"clerk": 1}
        with pytest.raises(IllegalMove):
            clerks.reject(review.number, "ann", 5)
        clerks.reopen(review.number, "bob", 6)
        assert person_of(store) == {} and [one.number for one in store.reviews()] == [review.number]
        clerks.reject(review.number, "bob", 7)
        index.take([version(TWO, 2, **ODD)], 8)
        assert store.reviews() == [] and person_of(store) == {}
        index.take([version(TWO, 3, **{**ODD, "birth_date": "1980-06-01"})], 9)
        assert [one.number for one in store.reviews()] == [review.number], "what it says changed"
        told = [(one.event, one.by, one.words) for one in store.history(ONE)]
        assert ("confirm", "ann", "asked by telephone") in told and ("reject", "bob", "") in told

    def test_a_rejected_pair_is_linked_by_no_rule(self, index: PatientIndex, clerks: Clerks, store: Any) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 1, **ODD)], 2)
        clerks.reject(store.reviews()[0].number, "ann", 3)
        index.take([version(TWO, 2, **WANG)], 4)
        assert person_of(store) == {}

    def test_a_conflict_that_is_gone_is_withdrawn(self, index: PatientIndex, store: Any) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 1, **ODD)], 2)
        index.take([version(TWO, 2, **LI)], 3)
        assert store.reviews() == [] and len(store.reviews("withdrawn")) == 1
        index.take([version(TWO, 3, **ODD)], 4)
        assert len(store.reviews()) == 1

    def test_four_eyes(self, store: Any) -> None:
        index = PatientIndex(store, Policy(four_eyes=True))
        clerks = Clerks(index)
        index.take([version(ONE, 1, **WANG), version(TWO, 1, **ODD), version(THREE, 1, **LI)], 2)
        (review,) = store.reviews()
        assert clerks.confirm(review.number, "ann", 3).state == "supported" and person_of(store) == {}
        with pytest.raises(SameClerk):
            clerks.confirm(review.number, "ann", 4)
        done = clerks.confirm(review.number, "bob", 5)
        assert (done.state, done.by, done.seconded_by) == ("confirmed", "ann", "bob")
        assert set(person_of(store)) == {ONE, TWO}
        manual = clerks.link(ONE, THREE, "ann", 6)
        assert manual is not None and manual.state == "supported" and THREE not in person_of(store)
        clerks.confirm(manual.number, "bob", 7)
        assert set(person_of(store)) == {ONE, TWO, THREE}

    def test_links_by_hand_and_their_end(self, index: PatientIndex, clerks: Clerks, store: Any) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 1, **WANG), version(THREE, 1, **LI)], 2)
        with pytest.raises(UnknownPatient):
            clerks.link(ONE, "Patient/x", "ann", 3)
        with pytest.raises(NotApart):
            clerks.unlink(THREE, "", "ann", 3)
        with pytest.raises(NotApart):
            clerks.unlink(ONE, THREE, "ann", 3)
        assert clerks.link(TWO, THREE, "ann", 3) is None
        assert set(person_of(store)) == {ONE, TWO, THREE}
        assert clerks.unlink(TWO, "", "ann", 4, "another person") == (ONE, THREE)
        assert person_of(store) == {}, "what held them together is gone"
        clerks.link(ONE, TWO, "bob", 5)
        assert set(person_of(store)) == {ONE, TWO}

    def test_probable_pairs_wait_and_are_no_links(self, index: PatientIndex, clerks: Clerks, store: Any) -> None:
        index.take([version(ONE, 1, name="王伟", phone="13912345678"), version(TWO, 1, name="王伟")], 2)
        link = Link(BOTH, "probable", (), 0.995)
        assert clerks.propose([link], 3) == 1 and clerks.propose([link], 4) == 0 and person_of(store) == {}
        (review,) = store.reviews()
        assert (review.doubtful.kind, review.doubtful.probability) == ("probable", 0.995)
        clerks.reject(review.number, "ann", 5)
        assert clerks.propose([link], 6) == 0
        index.take([version(TWO, 2, name="王伟", phone="13912345678")], 7)
        assert clerks.propose([link], 8) == 1, "what it says changed"
        clerks.confirm(review.number, "ann", 9)
        assert set(person_of(store)) == {ONE, TWO} and clerks.propose([link], 10) == 0
        assert clerks.propose([], 11) == 0 and store.reviews("confirmed")

    def test_probable_pairs_that_are_found_no_more_are_withdrawn(
        self, index: PatientIndex, clerks: Clerks, store: Any
    ) -> None:
        index.take([version(ONE, 1, name="王伟"), version(TWO, 1, name="王伟")], 2)
        clerks.propose([Link(BOTH, "probable", (), 0.7)], 3)
        assert store.reviews()[0].doubtful.kind == "possible"
        clerks.propose([], 4)
        assert store.reviews() == [] and len(store.reviews("withdrawn")) == 1

    def test_twins_and_contradictions_are_possible_at_most(
        self, index: PatientIndex, clerks: Clerks, store: Any
    ) -> None:
        twin = {"birth_date": "2020-01-05", "family": "王", "phone": "13912345678"}
        index.take([version(ONE, 1, **twin, name="王一"), version(TWO, 1, **twin, name="王二")], 2)
        clerks.propose([Link(BOTH, "probable", (), 0.999)], 3)
        assert store.reviews()[0].doubtful.kind == "possible"

    def test_research_may_use_probable_links_where_a_hospital_says_so(self, store: Any) -> None:
        index = PatientIndex(store, Policy(research_uses_probable=True))
        clerks = Clerks(index)
        index.take([version(ONE, 1, name="王伟"), version(TWO, 1, name="王伟")], 2)
        clerks.propose([Link(BOTH, "probable", (), 0.995)], 3)
        assert {one.reason for one in store.persons().values()} == {"probable 0.9950 unconfirmed: name"}
        clerks.reject(store.reviews()[0].number, "ann", 4)
        assert person_of(store) == {}

    def test_publications_wait_until_the_lake_has_them(self, index: PatientIndex, store: Any) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 2, **WANG)], 9)
        index.take([version(TWO, 3, **LI)], 5)
        with store.alone() as work:
            first, second = work.waiting()
            assert (first.number, first.at, second.number) == (1, 9, 2) and second.at > first.at
            assert [row.person for row in second.rows] == ["", ""]
            work.published(1)
            assert [one.number for one in work.waiting()] == [2]
        assert (store.counts().published, store.counts().waiting) == (1, 1)

    def test_a_person_is_forgotten(self, index: PatientIndex, clerks: Clerks, store: Any) -> None:
        index.take([version(ONE, 1, **WANG), version(TWO, 2, **WANG), version(THREE, 3, **LI)], 9)
        index.take([version("Patient/4", 4, **LI), version(THREE, 5, replaced_by=TWO, **LI)], 10)
        clerks.unlink(THREE, TWO, "ann", 10**15)
        with store.alone() as work:
            assert work.members(["Person/1"]) == work.members([ONE]) == {ONE, TWO}
        store.forget({ONE, TWO})
        assert store.record(ONE) is None and store.history(TWO) == [] and store.person_history(ONE) == []
        kept = store.record(THREE)
        assert kept is not None and TWO not in str(kept.state.values)
        assert index.name({ONE: "E1"}, "empi", 11, "ann").changed == 0, "an erased record does not come back by a file"
        assert index.meet({TWO}, 12).changed == 0
        index.take([version(ONE, 20, **WANG)], 13)
        assert store.record(ONE) is not None, "but its source may tell of it again"

    def test_the_newest_statement_of_a_speaker_is_kept(self, store: Any) -> None:
        with store.alone() as work:
            assert work.put_statements([Statement(BOTH, "apart", 5, "source")])
            assert not work.put_statements([Statement(BOTH, "link", 4, "source")])
            assert not work.put_statements([Statement(BOTH, "apart", 5, "source")])
            assert work.put_statements([Statement(BOTH, "link", 6, "source"), Statement(BOTH, "apart", 1, "clerk")])
            assert len(work.statements_of([ONE])) == len(work.statements_of([TWO])) == 2

    def test_a_transaction_that_fails_leaves_nothing(self, store: Any) -> None:
        with pytest.raises(RuntimeError), store.alone() as work:
            work.put_statements([Statement(BOTH, "apart", 5, "source")])
            raise RuntimeError("the power went")
        with store.alone() as work:
            assert work.statements_of([ONE]) == []
