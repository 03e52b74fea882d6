"""Where an agreement stands follows from the leaves alone: who may do what, when, and in which order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.contract.papers import (
    DAY,
    HOSPITAL,
    INSTITUTE,
    NOW,
    PAPER,
    REGULATOR,
    STRANGER,
    TERMS,
    Known,
    amended,
    begin,
    leaf,
)
from tests.unit.contract.test_contract import keys
from tests.unit.terms.uses import digest

from xinglin.contract.breach import BreachNotice, check_notice
from xinglin.contract.changes import Change, open_change, sign_change
from xinglin.contract.errors import NotThisChange
from xinglin.contract.lifecycle import check_replacement, replacement_event
from xinglin.contract.negotiation import AGREEMENT_STATES, BREACH_STATES
from xinglin.contract.replay import BREACHES, History, Standings, replay
from xinglin.evidence.entry import Entry
from xinglin.kernel.errors import MalformedMessage
from xinglin.trust.errors import BadSignature
from xinglin.wire.endings import sign_ending

KNOWN = Known()
ID = PAPER.digest()
NEXT, THIRD = digest("next"), digest("third")
DOCUMENT = digest("document")


def history(*leaves: Entry, of: str = ID) -> History:
    found = replay((begin(), *leaves), KNOWN)
    return found[of, HOSPITAL.did, INSTITUTE.did]


def state(*leaves: Entry, of: str = ID) -> str:
    return history(*leaves, of=of).standing.state


def renewal(agreement: str = ID, successor: str = NEXT, made: int = NOW + 1, by: Any = HOSPITAL) -> Entry:
    return leaf(by, "renew", agreement, made, successor=successor, document=DOCUMENT)


def test_each_change_moves_by_the_table() -> None:
    assert state() == "active"
    assert state(leaf(HOSPITAL, "suspend")) == "suspended"
    assert state(leaf(HOSPITAL, "suspend"), leaf(HOSPITAL, "resume", made=NOW + 1)) == "active"
    assert state(leaf(INSTITUTE, "terminate")) == "terminated"
    found = history(renewal())
    assert (found.standing.state, found.standing.successor) == ("replaced", NEXT)
    after = history(renewal(), of=NEXT)
    assert (after.standing.state, after.standing.renewed, after.standing.index) == ("active", True, 1)


def test_a_renewed_agreement_is_not_renewed_again_and_an_amendment_of_it_neither() -> None:
    assert state(renewal(), renewal(NEXT, THIRD), of=NEXT) == "active"
    amendment = leaf(HOSPITAL, "amend", NEXT, NOW + 2, successor=THIRD, document=DOCUMENT)
    again = renewal(THIRD, digest("fourth"), NOW + 3)
    assert state(renewal(), amendment, again, of=THIRD) == "active"
    assert (
        state(leaf(HOSPITAL, "amend", successor=NEXT, document=DOCUMENT), renewal(NEXT, THIRD), of=NEXT) == "replaced"
    )


@pytest.mark.parametrize("event", ["amend", "renew", "suspend", "resume", "terminate", "breach"])
def test_a_stranger_changes_nothing(event: str) -> None:
    named: dict[str, Any] = {}
    if event in ("amend", "renew"):
        named = {"successor": NEXT, "document": DOCUMENT}
    if event == "breach":
        named = {"step": "notice", "document": DOCUMENT}
    assert history(leaf(STRANGER, event, **named)) == history()
    if event in ("amend", "renew"):  # the consumer signs what follows, and does not log it
        assert history(leaf(INSTITUTE, event, **named)) == history()
        assert history(leaf(REGULATOR, event, **named)) == history()


@pytest.mark.parametrize("event", ["suspend", "resume", "terminate"])
def test_what_is_over_takes_no_change(event: str) -> None:
    ended = leaf(HOSPITAL, "terminate")
    assert history(ended, leaf(INSTITUTE, event)).standing == history(ended).standing
    assert history(ended, renewal(made=NOW + 9)).standing == history(ended).standing


def test_each_lifts_its_own_suspension() -> None:
    both = (leaf(HOSPITAL, "suspend"), leaf(INSTITUTE, "suspend"), leaf(REGULATOR, "suspend"))
    assert history(*both).standing.suspended_by == tuple(sorted((HOSPITAL.did, INSTITUTE.did, REGULATOR.did)))
    lifts = [leaf(one, "resume", made=NOW + 1) for one in (HOSPITAL, INSTITUTE, REGULATOR)]
    assert state(*both, *lifts[:2]) == "suspended"
    assert state(*both, *lifts) == "active"
    assert state(leaf(HOSPITAL, "suspend"), leaf(INSTITUTE, "resume")) == "suspended"
    assert state(leaf(HOSPITAL, "suspend"), renewal(made=NOW + 3)) == "suspended"


def test_a_copied_leaf_changes_nothing() -> None:
    first = leaf(HOSPITAL, "suspend")
    lifted = leaf(HOSPITAL, "resume", made=NOW + 1)
    assert state(first, lifted, first, replace(first, at=NOW + 50)) == "active"


def test_the_same_digest_claimed_for_others_stands_in_nobodys_way() -> None:
    posing = replace(begin(), submitter=STRANGER.did, parties=(STRANGER.did, INSTITUTE.did))
    found = replay((posing, begin(), leaf(STRANGER, "terminate")), KNOWN)
    assert found[ID, HOSPITAL.did, INSTITUTE.did].standing.state == "active"
    assert found[ID, STRANGER.did, INSTITUTE.did].standing.state == "terminated"
    wrong = replace(begin(), submitter=STRANGER.did)
    assert replay((wrong,), KNOWN) == {}


def test_the_first_version_of_an_end_still_ends() -> None:
    body = sign_ending("agreement-end", ID, INSTITUTE)
    end = Entry(kind="agreement-end", at=NOW, submitter=INSTITUTE.did, subject=ID, body=body)
    assert state(end) == "terminated"
    assert state(replace(end, body=sign_ending("agreement-end", ID, STRANGER))) == "active"


def test_a_breach_is_noticed_answered_and_closed() -> None:
    notice = leaf(HOSPITAL, "breach", step="notice", document=DOCUMENT)
    answer = leaf(INSTITUTE, "breach", step="answer", document=digest("answer"), about=DOCUMENT)
    close = leaf(HOSPITAL, "breach", made=NOW + 1, step="close", about=DOCUMENT)
    assert [one.state for one in history(notice).breaches] == [BREACH_STATES.start]
    assert [one.state for one in history(notice, answer).breaches] == ["answered"]
    assert [one.state for one in history(notice, answer, close).breaches] == ["closed"]
    assert history(notice, answer, close).standing == history().standing
    own = leaf(HOSPITAL, "breach", made=NOW + 1, step="answer", document=DOCUMENT, about=DOCUMENT)
    theirs = leaf(INSTITUTE, "breach", step="close", about=DOCUMENT)
    for refused in (own, theirs, replace(notice, at=NOW + 7)):
        assert history(notice, refused).breaches == history(notice).breaches
    assert history(leaf(HOSPITAL, "terminate"), leaf(INSTITUTE, "breach", step="notice", document=DOCUMENT)).breaches


def test_a_breach_has_so_many_notices_and_no_more() -> None:
    found = Standings()
    found.take(0, begin(), KNOWN)
    for number in range(BREACHES.value):
        notice = leaf(HOSPITAL, "breach", made=NOW + number, step="notice", document=digest(f"notice {number}"))
        found.take(1 + number, notice, KNOWN)
    with pytest.raises(NotThisChange):
        more = leaf(HOSPITAL, "breach", made=NOW + 10_000, step="notice", document=digest("one more"))
        found.take(1_000, more, KNOWN)
    other = leaf(INSTITUTE, "breach", made=NOW + 10_000, step="notice", document=digest("the other party's"))
    found.take(1_001, other, KNOWN)
    assert len(found.of(ID, HOSPITAL.did, INSTITUTE.did).breaches) == BREACHES.value + 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change",
    [
        Change("vanish", ID, NOW),
        Change("suspend", "the agreement", NOW),
        Change("suspend", ID, -1),
        Change("suspend", ID, NOW, successor=NEXT),
        Change("suspend", ID, NOW, step="notice"),
        Change("amend", ID, NOW, document=DOCUMENT),
        Change("renew", ID, NOW, successor=NEXT),
        Change("breach", ID, NOW, step="notice"),
        Change("breach", ID, NOW, step="answer", document=DOCUMENT),
        Change("breach", ID, NOW, step="close"),
        Change("terminate", ID, NOW, version=2),
    ],
)
def test_changes_that_say_too_little_or_too_much(change: Change) -> None:
    with pytest.raises(NotThisChange):
        sign_change(HOSPITAL, change)


def test_both_signatures_the_kind_and_the_subject_are_held_to() -> None:
    good = leaf(HOSPITAL, "suspend")
    assert open_change(good, KNOWN, 0)[1] == HOSPITAL.did
    unsigned = msgspec.json.decode(msgspec.json.encode(good.body))
    unsigned["signed"]["pq_signature"] = ""
    with pytest.raises(BadSignature):
        open_change(replace(good, body=unsigned), KNOWN, 0)
    with pytest.raises(NotThisChange):
        open_change(replace(good, kind="agreement-resumption"), KNOWN, 0)
    with pytest.raises(NotThisChange):
        open_change(replace(good, subject=NEXT), KNOWN, 0)
    with pytest.raises(MalformedMessage):
        open_change(replace(good, body={"signed": {}}), KNOWN, 0)


def test_what_came_later_touches_nothing_earlier() -> None:
    found = history(leaf(HOSPITAL, "suspend"), leaf(HOSPITAL, "resume", made=NOW + 1), leaf(INSTITUTE, "terminate"))
    made = ["", "active", "suspended", "active", "terminated", "terminated"]
    assert [found.state_below(index) for index in range(6)] == made


# --- the same leaves in any interleaving -----------------------------------------------------------------

OTHERS = [replace(PAPER, study=f"study-{number}") for number in range(3)]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([HOSPITAL, INSTITUTE, STRANGER, REGULATOR]), st.sampled_from(["suspend", "resume", "terminate"])
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=25)
@given(st.lists(EVENTS, min_size=3, max_size=3), st.randoms(use_true_random=False))
def test_replay_is_the_same_in_any_interleaving(plans: list[list[Any]], order: Any) -> None:
    """Leaves of several agreements: what one has is what its own leaves make, wherever the others stand."""
    queues = [
        [begin(paper), *(leaf(by, event, paper.digest(), NOW + n) for n, (by, event) in enumerate(plan))]
        for paper, plan in zip(OTHERS, plans, strict=True)
    ]
    alone = {}
    for queue in queues:
        alone |= {key: _bare(one) for key, one in replay(queue, KNOWN).items()}
    mixed: list[Entry] = []
    waiting = [list(queue) for queue in queues]
    while any(waiting):
        chosen = order.choice([queue for queue in waiting if queue])
        mixed.append(chosen.pop(0))
        if order.random() < 0.3:
            mixed.append(order.choice(mixed))  # and a copy of any leaf that was there before
    assert {key: _bare(one) for key, one in replay(mixed, KNOWN).items()} == alone
    for one in replay(mixed, KNOWN).values():
        assert [at for at, _ in one.trail] == sorted({at for at, _ in one.trail})
        _walks(one)


def _bare(one: History) -> Any:
    return msgspec.structs.replace(one.standing, index=0), [state for _, state in one.trail], one.breaches


def _walks(one: History) -> None:
    """The trail is a walk in the state table."""
    steps = {(a, b) for a, _, b in AGREEMENT_STATES.moves}
    assert all(pair in steps for pair in pairwise(state for _, state in one.trail))


# --- what may follow what --------------------------------------------------------------------------------


def check(new: Any, old: Any = PAPER, state: str = "active", renewed: bool = False) -> Any:
    return check_replacement(old, new, state=state, renewed=renewed, now=NOW)


def test_an_amendment_prolongs_nothing_and_a_renewal_changes_nothing_else() -> None:
    assert replacement_event(PAPER, amended(allowance=3)) == "amend"
    assert replacement_event(PAPER, amended(days=1)) == "renew"
    assert check(amended(allowance=3))
    assert check(amended(grade="L2", days=-1))
    assert check(amended(days=100, allowance=99))
    assert check(amended(days=100), renewed=True).codes == ("contract.renewed_before",)
    assert check(amended(allowance=3), renewed=True)
    for changes in ({"recipients": (HOSPITAL.did,)}, {"purposes": ("education",)}, {"peers": TERMS.peers[:1]}):
        assert check(amended(days=1, **changes)).codes == ("contract.replaces_renewal_changes",)
        assert check(amended(**changes))


@pytest.mark.parametrize("state", [one for one in AGREEMENT_STATES.states if one != "active"])
def test_only_what_is_active_is_replaced(state: str) -> None:
    assert "contract.replaces_not_active" in check(amended(), state=state).codes


def test_what_follows_is_between_the_same_two_about_the_same() -> None:
    other = keys("other")
    for changes in (
        {"consumer": other.did, "consumer_keys": other.public.digest()},
        {"study": "another"},
        {"data_set": "another"},
    ):
        assert "contract.replaces_other_subject" in check(replace(amended(), **changes)).codes
    assert "contract.replaces_other" in check(replace(amended(), replaces=NEXT)).codes
    assert "contract.replaces_older" in check(replace(amended(), made=PAPER.made)).codes
    gone = check_replacement(PAPER, amended(), state="active", renewed=False, now=TERMS.expires + DAY)
    assert "contract.replaces_expired" in gone.codes


@pytest.mark.parametrize(
    "changes",
    [
        {"agreement": "it"},
        {"against": HOSPITAL.did},
        {"what": "rudeness"},
        {"words": " "},
        {"words": "x" * 4_001},
        {"answer_by": NOW},
        {"notice": "that one"},
    ],
)
def test_notices_that_are_none(changes: dict[str, Any]) -> None:
    notice = BreachNotice(ID, HOSPITAL.did, INSTITUTE.did, "not-deleted", "Still there in May.", NOW, NOW + DAY)
    assert check_notice(notice)
    assert not check_notice(replace(notice, **changes))
