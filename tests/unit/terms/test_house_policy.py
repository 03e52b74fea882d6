"""Four eyes: who proposes a hospital's policy does not put it in force, and who does has seen what it changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.terms.uses import did, digest

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, deny
from xinglin.terms import house_policy
from xinglin.terms.evaluate import Asked
from xinglin.terms.house_policy import SEEN_FOR_MS, Act, BrokenHistory, House, effect, fold, may
from xinglin.terms.policy import Constraint, Permission, Policy, Prohibition
from xinglin.terms.simulate import Recorded

NOW = 1_760_000_000_000
RESEARCH = Policy((Permission("statistics", (Constraint("purpose", "isA", "health-research"),)),))
SEEN = digest("what was shown")


class Desk:
    """A history that only takes what may be added."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.now = NOW

    @property
    def house(self) -> House:
        return fold(self.acts)

    def act(self, kind: str, by: str, **said: object) -> tuple[str, ...]:
        """The codes that refuse it; none when it was added."""
        self.now += 1
        known = {"instead_of": self.house.digest} if kind == "propose" else {}
        act = Act(kind, by, self.now, self.house.head, **{**known, **said})  # type: ignore[arg-type]
        verdict = may(self.house, act)
        if isinstance(verdict, Denied):
            return verdict.codes
        self.acts.append(act)
        return ()

    def proposed(self, policy: Policy | None = RESEARCH, by: str = "Li Wei") -> str:
        assert self.act("propose", by, policy=policy) == ()
        return self.acts[-1].digest()

    def confirmed(self, proposal: str, by: str = "Wang Fang") -> None:
        assert self.act("see", by, proposal=proposal, simulation=SEEN) == ()
        assert self.act("confirm", by, proposal=proposal, simulation=SEEN) == ()


def test_nothing_is_in_force_before_a_second_person_confirms_what_they_saw() -> None:
    desk = Desk()
    one = desk.proposed()
    assert desk.house.policy is None
    assert desk.act("confirm", "Wang Fang", proposal=one, simulation=SEEN) == ("terms.house_not_seen",)
    assert desk.act("see", "Wang Fang", proposal=one, simulation=SEEN) == ()
    assert desk.act("confirm", "Wang Fang", proposal=one, simulation=digest("another")) == ("terms.house_not_seen",)
    assert desk.house.policy is None
    assert desk.act("confirm", "Wang Fang", proposal=one, simulation=SEEN) == ()
    assert (desk.house.policy, desk.house.confirmed_by, desk.house.open) == (RESEARCH, "Wang Fang", {})


@pytest.mark.parametrize("spelled", ["Li Wei", "  li   wei ", "LI WEI", "Ｌｉ Ｗｅｉ"])
def test_who_proposed_it_is_no_second_person_however_spelled(spelled: str) -> None:
    desk = Desk()
    one = desk.proposed()
    assert desk.act("see", spelled, proposal=one, simulation=SEEN) == ()
    assert desk.act("confirm", spelled, proposal=one, simulation=SEEN) == ("terms.house_four_eyes",)


def test_what_another_person_saw_does_not_count() -> None:
    desk = Desk()
    one = desk.proposed()
    assert desk.act("see", "Li Wei", proposal=one, simulation=SEEN) == ()
    assert desk.act("confirm", "Wang Fang", proposal=one, simulation=SEEN) == ("terms.house_not_seen",)


def test_a_simulation_is_confirmed_upon_within_a_day() -> None:
    for late, codes in ((0, ()), (1, ("terms.house_not_seen",))):
        desk = Desk()
        one = desk.proposed()
        assert desk.act("see", "Wang Fang", proposal=one, simulation=SEEN) == ()
        desk.now += SEEN_FOR_MS.value + late - 1
        assert desk.act("confirm", "Wang Fang", proposal=one, simulation=SEEN) == codes


def test_what_was_written_against_another_policy_is_proposed_again() -> None:
    desk = Desk()
    one, two = desk.proposed(), desk.proposed(Policy(), by=did("chen"))
    desk.confirmed(one)
    assert desk.act("confirm", "Zhao", proposal=two, simulation=SEEN) == ("terms.house_proposal",)
    assert "terms.house_stale" in desk.act("propose", "Zhao", policy=Policy(), instead_of="")
    assert desk.act("propose", "Zhao", policy=RESEARCH) == ("terms.house_same",)


def test_lifting_it_takes_two_as_well() -> None:
    desk = Desk()
    desk.confirmed(desk.proposed())
    lift = desk.proposed(None, by="Wang Fang")
    assert desk.house.policy == RESEARCH
    desk.confirmed(lift, by="Li Wei")
    assert (desk.house.policy, desk.house.digest) == (None, "")


def test_a_refused_proposal_is_never_in_force() -> None:
    desk = Desk()
    one = desk.proposed()
    assert desk.act("see", "Wang Fang", proposal=one, simulation=SEEN) == ()
    assert desk.act("refuse", "Wang Fang", proposal=one) == ()
    assert desk.act("confirm", "Wang Fang", proposal=one, simulation=SEEN) == ("terms.house_proposal",)


@pytest.mark.parametrize(
    ("by", "policy", "code"),
    [
        ("", RESEARCH, "terms.house_name"),
        ("a\nb", RESEARCH, "terms.house_name"),
        ("x" * 121, RESEARCH, "terms.house_name"),
        ("did:web:elsewhere", RESEARCH, "terms.house_name"),
        ("Li", Policy((Permission("statistics", (Constraint("purpos", "isA", "x"),)),)), "terms.operand_unknown"),
    ],
)
def test_nameless_acts_and_unknown_words_are_refused(by: str, policy: Policy, code: str) -> None:
    assert code in Desk().act("propose", by, policy=policy)


def test_one_more_than_the_limits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house_policy, "OPEN_PROPOSALS", Limit("open proposals", 1, "proposals"))
    desk = Desk()
    desk.proposed()
    assert desk.act("propose", "Zhao", policy=Policy()) == ("terms.house_many",)
    monkeypatch.setattr(house_policy, "ACTS", Limit("acts", 1, "acts"))
    assert "terms.house_full" in desk.act("propose", "Zhao", policy=Policy())


@given(st.data())
def test_a_history_that_was_changed_is_not_read(data: st.DataObject) -> None:
    """Any act left out (but the last), changed or moved breaks the chain."""
    desk = Desk()
    desk.confirmed(desk.proposed())
    desk.confirmed(desk.proposed(None, by="Wang Fang"), by="Li Wei")
    acts = list(desk.acts)
    place = data.draw(st.integers(0, len(acts) - 2))
    how = data.draw(st.sampled_from(["drop", "name", "swap", "earlier"]))
    if how == "drop":
        del acts[place]
    elif how == "swap":
        acts[place], acts[place + 1] = acts[place + 1], acts[place]
    else:
        changed = {"by": "Somebody Else"} if how == "name" else {"at": acts[place].at - 1}
        acts[place] = replace(acts[place], **changed)
    with pytest.raises(BrokenHistory):
        fold(acts)


def test_an_effect_tightens_and_never_loosens() -> None:
    purposes = ("health-research", "public-health")
    allowed = [Recorded(one, NOW, Asked("statistics", {"purpose": one}), Allowed()) for one in purposes]
    denied = Recorded("no", NOW, Asked("statistics", {"purpose": purposes[0]}), deny("terms.other", "No.", "Ask."))
    found = effect(RESEARCH, None, [*allowed, denied])
    assert [(one.id, one.change) for one in found.differing] == [("public-health", "now-denied")]
    assert [one.change for one in effect(None, RESEARCH, allowed).differing] == ["now-allowed"]
    forbid = Policy(RESEARCH.permissions, (Prohibition("statistics"),))
    assert {one.change for one in effect(forbid, None, [*allowed, denied]).differing} == {"now-denied", "other-reasons"}
