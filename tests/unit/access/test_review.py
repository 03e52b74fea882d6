"""Blind votes, who may not vote, and what the votes come to; an approval that a committee did not vote for is none."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.access.people import (
    CHARTER,
    FORM,
    INSTITUTE,
    MOTION,
    NORTH,
    NOW,
    REGULATOR,
    RESEARCHER,
    TERMS,
    ballot,
    ballots,
    directory,
    keys,
    resolution,
    second_regulator,
)

from xinglin.access.approval import (
    Ending,
    Notice,
    Resolution,
    approval_facts_of,
    check_chain,
    notice_of,
    open_approval,
    open_end,
    open_notice,
    open_resolution,
    sign_end,
    sign_notice,
    sign_resolution,
)
from xinglin.access.committee import Charter, check_charter, open_charter, sign_charter
from xinglin.access.errors import NotThisApproval, NotThisCharter, NotThisMotion
from xinglin.access.review import (
    CONDITIONS,
    REVIEW_STATES,
    SEAL_INFO,
    cast_vote,
    consolidate,
    is_over,
    may_vote,
    open_motion,
    open_vote,
    sign_motion,
    sign_recusal,
    unseal_opening,
    voters,
)
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.states import IllegalMove
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.approved import approval_covers
from xinglin.terms.facts import AgreementFacts
from xinglin.trust.envelope import sign
from xinglin.trust.errors import BadSignature, CannotUnseal, WrongContext
from xinglin.trust.sealing import unseal

KNOWN = directory()
CHAIR, DEPUTY = keys("chair"), keys("deputy")


# --- charters ------------------------------------------------------------------------------------


def test_a_regulator_charters_and_nobody_else() -> None:
    assert open_charter(sign_charter(REGULATOR, CHARTER), KNOWN) == CHARTER
    assert open_charter(sign_charter(keys("other regulator"), CHARTER), second_regulator()) == CHARTER
    with pytest.raises(NotThisCharter):
        open_charter(sign_charter(keys("operator"), CHARTER), KNOWN)
    with pytest.raises(BadSignature):
        open_charter(sign(REGULATOR, "committee/1", CHARTER), KNOWN)  # without ML-DSA


@pytest.mark.parametrize(
    "change",
    [
        {"id": "no name"},
        {"name": " "},
        {"members": CHARTER.members[:2]},
        {"members": CHARTER.members[::-1]},
        {"chairs": ()},
        {"chairs": (RESEARCHER.did,)},
        {"quorum": 2},
        {"quorum": 6},
        {"majority": "most"},
        {"replaces": "x"},
        {"version": 2},
    ],
)
def test_a_charter_that_cannot_work(change: dict[str, object]) -> None:
    bad = replace(CHARTER, **change)
    assert isinstance(check_charter(bad), Denied)
    with pytest.raises(NotThisCharter):
        sign_charter(REGULATOR, bad)


def test_a_committee_of_one_institution_or_of_strangers() -> None:
    north = tuple(sorted((keys("chair").did, keys("fourth").did, keys("north").did)))
    for members in (north, tuple(sorted((*north[:2], keys("nobody").did)))):
        charter = replace(CHARTER, members=members, chairs=members[:1])
        with pytest.raises(NotThisCharter):
            open_charter(sign_charter(REGULATOR, charter), KNOWN)


# --- who may vote ------------------------------------------------------------------------------------


def test_conflicts_of_interest() -> None:
    def codes(member: str, **change: object) -> tuple[str, ...]:
        verdict = may_vote(CHARTER, replace(MOTION, **change), keys(member).did, KNOWN)
        return () if isinstance(verdict, Allowed) else verdict.codes

    assert codes("third") == ()
    assert codes("colleague") == ("access.conflict_institution",)
    assert codes("third", named=tuple(sorted((RESEARCHER.did, keys("third").did)))) == ("access.conflict_named",)
    assert codes("fourth", named=tuple(sorted((RESEARCHER.did, keys("chair").did)))) == ("access.conflict_institution",)
    assert codes("fourth", institution=keys("north").did) == ("access.conflict_institution",)
    assert codes("researcher") == ("access.not_a_member",)


def test_who_is_recused_does_not_count() -> None:
    recusal = sign_recusal(keys("fourth"), MOTION)
    assert keys("fourth").did in voters(CHARTER, MOTION, (), KNOWN)
    assert keys("fourth").did not in voters(CHARTER, MOTION, (recusal,), KNOWN)
    other = sign_recusal(keys("fourth"), replace(MOTION, made=NOW + 1))
    with pytest.raises(NotThisMotion):
        voters(CHARTER, MOTION, (other,), KNOWN)


def test_a_motion_is_put_by_a_chair_without_an_interest() -> None:
    assert open_motion(sign_motion(CHAIR, MOTION), CHARTER, KNOWN) == MOTION
    assert open_motion(sign_motion(DEPUTY, MOTION), CHARTER, KNOWN) == MOTION
    own = replace(MOTION, institution=keys("north").did)
    for signer, motion in ((keys("third"), MOTION), (CHAIR, own), (CHAIR, replace(MOTION, committee=FORM.digest()))):
        with pytest.raises(NotThisMotion):
            open_motion(sign_motion(signer, motion), CHARTER, KNOWN)


@pytest.mark.parametrize(
    "change",
    [
        {"closes": NOW},
        {"expires": MOTION.closes},
        {"conditions": ("",)},
        {"conditions": ("x",) * (CONDITIONS.value + 1)},
        {"relation": "renewal"},
        {"replaces": FORM.digest()},
        {"named": (RESEARCHER.did, RESEARCHER.did)},
        {"form": "x"},
        {"version": 2},
        {"scope": replace(MOTION.scope, data_sets=())},
        {"scope": replace(MOTION.scope, cohort_digest="x")},
        {"scope": replace(MOTION.scope, purposes=())},
    ],
)
def test_a_motion_that_is_not_well_formed(change: dict[str, object]) -> None:
    with pytest.raises(NotThisMotion):
        sign_motion(CHAIR, replace(MOTION, **change))


# --- blind votes ---------------------------------------------------------------------------------------


def test_a_vote_shows_nothing_and_only_readers_open_it() -> None:
    cast = cast_vote(keys("third"), MOTION, "reject", "too little benefit", {CHAIR.did: CHAIR.public})
    assert b"reject" not in cast.vote.payload and b"benefit" not in canonical_bytes(cast.sealed)
    assert unseal_opening(CHAIR, cast.sealed[CHAIR.did]).choice == "reject"
    with pytest.raises(CannotUnseal):
        unseal_opening(DEPUTY, cast.sealed[CHAIR.did])
    with pytest.raises(CannotUnseal):
        unseal(CHAIR, cast.sealed[CHAIR.did], SEAL_INFO + b"!")


def test_the_same_choice_twice_is_not_the_same_commitment() -> None:
    votes = {cast_vote(keys("third"), MOTION, "approve", "", {}).vote.payload for _ in range(4)}
    assert len(votes) == 4


def test_no_other_choice() -> None:
    for choice in ("yes", "", "APPROVE"):
        with pytest.raises(NotThisMotion):
            cast_vote(keys("third"), MOTION, choice, "", {})


def test_a_vote_changed_after_its_commitment_is_spoiled() -> None:
    honest = ballots("approve", "reject", "approve", "abstain")
    changed = (honest[0], replace(honest[1], choice="approve"), *honest[2:])
    outcome = consolidate(CHARTER, MOTION, changed, (), KNOWN)
    assert outcome.spoiled == (DEPUTY.did,) and outcome.verdict == "rejected"
    for spoiled in (replace(honest[1], salt=bytes(32)), replace(honest[1], reason=honest[2].reason)):
        assert consolidate(CHARTER, MOTION, (spoiled,), (), KNOWN).spoiled == (DEPUTY.did,)


def test_a_vote_on_another_motion_or_in_anothers_name() -> None:
    other = replace(MOTION, conditions=())
    with pytest.raises(NotThisMotion):
        consolidate(CHARTER, MOTION, (ballot("third", motion=other),), (), KNOWN)
    vote = ballot("third").vote
    with pytest.raises(NotThisMotion):
        open_vote(sign(DEPUTY, vote.context, vote.payload), MOTION.digest(), KNOWN)
    with pytest.raises(BadSignature):
        open_vote(replace(vote, signer=DEPUTY.did), MOTION.digest(), KNOWN)


def test_votes_are_opened_only_when_all_are_in_or_the_vote_has_closed() -> None:
    may = voters(CHARTER, MOTION, (), KNOWN)
    assert len(may) == 4
    assert not is_over(MOTION, may, may[:3], MOTION.closes - 1)
    assert is_over(MOTION, may, may, NOW) and is_over(MOTION, may, (), MOTION.closes)
    assert not is_over(MOTION, (), (), NOW)


# --- the rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "majority", "verdict"),
    [
        (("approve",) * 4, "half", "approved"),
        (("approve",) * 3 + ("reject",), "half", "approved"),
        (("approve",) * 2 + ("reject",) * 2, "half", "rejected"),
        (("approve",) * 2 + ("abstain",), "half", "rejected"),
        (("approve",) * 3, "half", "approved"),
        (("approve",) * 2, "half", "no-quorum"),
        (("abstain",) * 4, "half", "rejected"),
        (("approve",) * 3 + ("reject",), "two-thirds", "approved"),
        (("approve",) * 2 + ("abstain",) * 2, "two-thirds", "rejected"),
    ],
)
def test_quorum_and_majority(choices: tuple[str, ...], majority: str, verdict: str) -> None:
    charter = replace(CHARTER, majority=majority)
    motion = replace(MOTION, committee=charter.digest())
    assert consolidate(charter, motion, ballots(*choices, motion=motion), (), KNOWN).verdict == verdict


def test_leaving_votes_out_never_helps() -> None:
    cast = ballots("approve", "approve", "reject", "reject")
    for kept in (cast[:3], (*cast[:2], cast[3]), cast[:2]):
        assert consolidate(CHARTER, MOTION, kept, (), KNOWN).verdict != "approved"


def test_a_vote_twice_or_without_a_right_to_it_counts_once_or_not() -> None:
    one = ballot("third")
    outcome = consolidate(CHARTER, MOTION, (one, one, one, ballot("colleague")), (), KNOWN)
    assert outcome.approve == 1 and outcome.verdict == "no-quorum"


# --- approvals as documents ----------------------------------------------------------------------------


def test_an_approval_opens_wherever_the_charter_is_known() -> None:
    made, signed = resolution()
    assert open_approval(signed, CHARTER, KNOWN) == made
    facts = approval_facts_of(made)
    assert (facts.study, facts.cohort_digest, facts.variables_digest) == (
        FORM.study,
        TERMS.cohort_digest,
        TERMS.variables_digest,
    )


def test_a_rejection_is_a_resolution_and_no_approval() -> None:
    _, signed = resolution(MOTION, "approve", "reject", "reject", "reject")
    assert open_resolution(signed, CHARTER, KNOWN)[1].verdict == "rejected"
    with pytest.raises(NotThisApproval):
        open_approval(signed, CHARTER, KNOWN)


def test_forgeries() -> None:
    made, signed = resolution()
    rejected = ballots("reject", "reject", "approve", "approve")
    turned = tuple(replace(one, choice="approve") for one in rejected)
    wider = replace(MOTION, scope=replace(MOTION.scope, variables_digest=FORM.digest()))
    for bad in (
        sign_resolution(keys("third"), made),  # not a chair
        sign_resolution(CHAIR, replace(made, ballots=turned)),  # votes turned by the chair
        sign_resolution(CHAIR, replace(made, ballots=made.ballots[:2])),  # too few
        sign_resolution(CHAIR, replace(made, made=NOW, ballots=made.ballots[:3])),  # while the vote was open
        sign_resolution(CHAIR, replace(made, made=NOW - 1)),  # before the motion
        sign_resolution(CHAIR, replace(made, version=2)),
    ):
        with pytest.raises(NotThisApproval if bad.signer == CHAIR.did else NotThisMotion):
            open_approval(bad, CHARTER, KNOWN)
    with pytest.raises(NotThisMotion):  # a wider scope than was voted on
        open_approval(sign_resolution(CHAIR, replace(made, motion=wider)), CHARTER, KNOWN)
    with pytest.raises(NotThisMotion):  # another committee
        open_approval(signed, replace(CHARTER, quorum=4), KNOWN)
    with pytest.raises(BadSignature):  # no post-quantum signature
        open_approval(replace(signed, pq_signature=b""), CHARTER, KNOWN)
    with pytest.raises(BadSignature):
        open_approval(replace(signed, payload=signed.payload.replace(b"18 months", b"99 months")), CHARTER, KNOWN)
    with pytest.raises(WrongContext):
        open_approval(replace(signed, context="agreement/1"), CHARTER, KNOWN)


def test_all_votes_in_make_a_resolution_before_the_vote_closes() -> None:
    made = Resolution(MOTION, ballots(*("approve",) * 4), (), NOW + 1)
    assert open_approval(sign_resolution(CHAIR, made), CHARTER, KNOWN) == made


def test_an_approval_binds_all_of_its_scope_and_names_everybody_of_the_study() -> None:
    member = keys("fourth").did
    facts = approval_facts_of(Resolution(replace(MOTION, named=tuple(sorted((member, RESEARCHER.did)))), (), (), NOW))
    assert set(facts.people) == {RESEARCHER.did, INSTITUTE.did, member}
    held = AgreementFacts("", "active", NORTH.did, RESEARCHER.did, FORM.study, "cardiology", TERMS)

    def codes(terms: AgreedTerms = TERMS, **change: str) -> tuple[str, ...]:
        verdict = approval_covers(facts, replace(held, terms=terms, **change), None)
        return () if isinstance(verdict, Allowed) else verdict.codes

    assert codes() == codes(consumer=INSTITUTE.did) == codes(consumer=member) == ()
    assert codes(consumer=keys("colleague").did) == ("access.other_people",)  # of the institution, but not named
    assert codes(replace(TERMS, variables=(*TERMS.variables, "cardiac.thal"))) == ("access.other_variables",)
    assert codes(replace(TERMS, variables=TERMS.variables[:1])) == ("access.other_variables",)
    assert codes(replace(TERMS, cohort=(replace(TERMS.cohort[0], select="SELECT * FROM cardiac"),))) == (
        "access.other_cohort",
    )
    assert codes(replace(TERMS, operations=("extract",))) == ("access.other_operation",)
    assert codes(replace(TERMS, purposes=("education",))) == ("access.other_purpose",)
    assert codes(study="study-other", data_set="oncology") == ("access.other_study", "access.other_data_set")


# --- the chain --------------------------------------------------------------------------------------------


def notice(**change: object) -> Notice:
    return replace(notice_of(resolution()[0]), **change)


@pytest.mark.parametrize(
    ("change", "before", "code"),
    [
        ({"relation": "amendment"}, {}, ""),
        ({"relation": "renewal", "expires": MOTION.expires + 1}, {}, ""),
        ({"relation": "renewal", "expires": MOTION.expires + 1}, {"relation": "amendment"}, ""),
        ({"relation": "amendment"}, {"relation": "renewal"}, ""),
        ({"relation": "renewal", "expires": MOTION.expires + 1}, {"relation": "renewal"}, "access.renewed_before"),
        ({"relation": "renewal"}, {}, "access.renewal_term"),
        (
            {"relation": "renewal", "expires": MOTION.expires + 1, "scope": replace(MOTION.scope, data_sets=("x",))},
            {},
            "access.renewal_scope",
        ),
        ({"relation": "amendment", "scope": replace(MOTION.scope, study="study-other")}, {}, "access.other_chain"),
    ],
)
def test_amendments_and_renewals(change: dict[str, object], before: dict[str, object], code: str) -> None:
    old = notice(**before)
    following = notice(approval=FORM.digest(), replaces=old.approval, **change)
    verdict = check_chain(following, old, CHARTER.id, CHARTER.id)
    assert (() if isinstance(verdict, Allowed) else verdict.codes) == ((code,) if code else ())


def test_a_chain_needs_its_predecessor_and_its_committee() -> None:
    following = notice(approval=FORM.digest(), replaces=MOTION.digest(), relation="amendment")
    assert check_chain(following, None, "", CHARTER.id).codes == ("access.no_predecessor",)  # type: ignore[union-attr]
    old = notice(approval=MOTION.digest())
    assert check_chain(following, old, "committee-other", CHARTER.id).codes == ("access.other_chain",)  # type: ignore[union-attr]


def test_notices_and_ends_are_signed() -> None:
    made, _ = resolution()
    assert open_notice(sign_notice(CHAIR, made), KNOWN) == notice_of(made)
    assert open_end(sign_end(CHAIR, made.digest(), "revoked"), KNOWN) == Ending(made.digest(), "revoked")
    with pytest.raises(NotThisApproval):
        sign_end(CHAIR, made.digest(), "paused")
    with pytest.raises(NotThisApproval):
        open_end(sign(CHAIR, "ethics-ending/1", Ending(made.digest(), "paused")), KNOWN)


def test_states_of_a_review() -> None:
    assert REVIEW_STATES.move("voting", "close") == "closed"
    for state, event in (("voting", "approve"), ("approved", "close"), ("revoked", "approve"), ("rejected", "approve")):
        with pytest.raises(IllegalMove):
            REVIEW_STATES.move(state, event)
    assert isinstance(CHARTER, Charter)
