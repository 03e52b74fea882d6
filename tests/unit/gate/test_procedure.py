"""The order holds; every "no" stops it; a crash anywhere neither loses nor repeats."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.gate.memory import COMPUTED, RUN, USE, Crash, World, away
from tests.unit.terms.uses import HOSPITALS, HOUR, NODE, NOW, PLAN, REQUEST, with_agreement, with_plan

from xinglin.evidence.commitments import open_commitment
from xinglin.gate.errors import UseRunning
from xinglin.gate.model import (
    USE_STATES,
    Answer,
    Computed,
    Ended,
    Paused,
    PooledGuard,
    Refused,
    Released,
    Stopped,
    Use,
    Withheld,
)
from xinglin.gate.protect import protect
from xinglin.kernel.verdict import Denied, deny
from xinglin.privacy.differencing import DifferenceSlot, ReleasedCell, difference_layout

TOO_FEW = Stopped("too_few", "Fewer hospitals than the minimum remain.")


def guarded(**changes: object) -> Computed:
    return replace(COMPUTED, guard=replace(COMPUTED.guard, **changes))


async def test_the_order() -> None:
    world = World()
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Released)
    assert answer.index == world.index("release-authorised")
    order = ["facts", "reserve", "append admitted", "compute", "keep cells", "append release-authorised"]
    order += ["all authorised", "deliver", "append delivered", "spend"]
    places = [world.seen.index(step) for step in order]
    assert places == sorted(places)
    assert world.kinds() == ["admitted", "release-authorised", "delivered"]
    open_commitment(answer.commitment, COMPUTED.salt, COMPUTED.result)
    assert world.ledger.book.charge(RUN).state == "spent"  # type: ignore[union-attr]


async def test_carried_again_it_answers_the_same_and_does_nothing() -> None:
    world = World()
    first = await world.gate().carry(USE)
    before = (list(world.log), dict(world.delivered), world.ledger.book)
    assert await world.gate().carry(USE) == first
    assert (world.log, world.delivered, world.ledger.book) == before


async def test_leaves_hold_commitments_only() -> None:
    world = World()
    await world.gate().carry(USE)
    for _, _, commitments in world.log:
        assert all(value.startswith("salted-sha256:") for value in commitments.values())
    first, second = (dict(commitments) for kind, _, commitments in world.log if kind in ("admitted", "delivered"))
    assert len({*first.values(), *second.values()}) == 4, "each under a salt of its own"


async def test_a_refusal_is_recorded_and_nothing_is_computed() -> None:
    world = World()
    world.facts_ = with_agreement(state="expired")
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Refused) and answer.reasons[0].code == "terms.agreement_not_active"
    assert world.refusals == {RUN: ("terms.agreement_not_active",)}
    assert not world.computed and not world.kinds() and world.ledger.book.left == 200
    world.facts_ = World().facts_
    assert await world.gate().carry(USE) == answer, "a refusal stands"


async def test_strangers_refusals_leave_no_leaf() -> None:
    world = World()
    world.facts_ = replace(world.facts_, signer="")
    assert isinstance(await world.gate().carry(USE), Refused)
    assert not world.refusals


async def test_used_up_answers_are_refused_before_anything_is_computed() -> None:
    world = World()
    world.ledger.book = replace(world.ledger.book, cap=0)
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Refused) and answer.reasons[0].code == "privacy.no_answers"
    assert not world.computed


async def test_a_replayed_request_under_another_run() -> None:
    world = World()
    await world.gate().carry(USE)
    answer = await world.gate().carry(replace(USE, run="run-" + "c" * 26))
    assert isinstance(answer, Refused) and answer.reasons[0].code == "terms.replayed"
    other = replace(USE, request=replace(REQUEST, nonce="another-nonce-0000"))
    assert (await world.gate().carry(other)).reasons[0].code == "gate.other_request"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (guarded(persons={"all": 300, "sex=F": 3}), "privacy.small_cell"),
        (guarded(persons={}), "privacy.uncounted"),
        (guarded(contributors=HOSPITALS[:2]), "privacy.few_hospitals"),
        (guarded(contributors=(*HOSPITALS, "did:xinglin:invented")), "gate.contributors"),
        (guarded(contributors=HOSPITALS[1:]), "gate.contributors"),
        (guarded(contributors=(HOSPITALS[0],) * 4), "privacy.few_hospitals"),
        (guarded(dof=9), "privacy.few_degrees_of_freedom"),
        (guarded(parameters=101), "privacy.many_parameters"),
        (guarded(rows=400, rows_squared=250 * 250), "privacy.dominance"),
        (guarded(rows=400), "privacy.dominance"),
        (replace(COMPUTED, result=b""), "gate.result_size"),
        (replace(COMPUTED, result=b"x" * (4 * 1024 * 1024 + 1)), "gate.result_size"),
        (guarded(differences=(0, 0)), "gate.uncompared"),
        (deny("analysis.refused", "no"), "analysis.refused"),
    ],
)
async def test_what_the_rules_forbid_is_withheld(outcome: Computed | Denied, code: str) -> None:
    world = World()
    world.outcome = outcome
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Withheld) and code in [reason.code for reason in answer.reasons]
    assert not world.delivered and world.kinds() == ["admitted", "ended"]
    assert world.ledger.book.charge(RUN).state == "spent"  # type: ignore[union-attr]
    assert not world.store.kept
    assert world.store.records[RUN].computed is None, "the total is forgotten"


def test_protect_compares_every_released_cell() -> None:
    layout = difference_layout([ReleasedCell("run-0", "all")], ["all"])
    known = {"layout": layout, "rosters": {"run-0": HOSPITALS}}
    assert protect(PLAN, NODE, guarded(**known, differences=(0, 10)))
    assert not protect(PLAN, NODE, guarded(**known, differences=(0, 9)))
    assert not protect(PLAN, NODE, guarded(**known, differences=(0,)))
    assert not protect(PLAN, NODE, guarded(**known, differences=(0, -10)))
    uncompared = guarded(**known, differences=(0, 0), persons={"all": 300, "sex=F": 100})
    assert not protect(PLAN, NODE, uncompared)
    known["layout"] = difference_layout([ReleasedCell("run-0", "all")], ["all", "tiny"])
    assert protect(PLAN, NODE, guarded(**known, differences=(0, 0, 3, 200))), "a hidden cell differs from nothing"
    assert isinstance(COMPUTED.guard, PooledGuard)


def test_a_first_release_of_clipped_values_has_nothing_to_be_compared_with() -> None:
    slot = DifferenceSlot(ReleasedCell("", ""), "?age:above:0.0:120.0", "new_only")
    assert protect(PLAN, NODE, guarded(layout=(slot,), differences=(0,)))
    assert not protect(PLAN, NODE, guarded(layout=(slot,), differences=(3,))), "three persons were clipped"
    known = {"layout": (*difference_layout([ReleasedCell("run-0", "all")], ["all"]), slot)}
    known["rosters"] = {"run-0": HOSPITALS}
    assert protect(PLAN, NODE, guarded(**known, differences=(0, 0, 0)))
    other = guarded(**known, differences=(0, 0, 0), persons={"all": 300, "sex=F": 100})
    assert protect(PLAN, NODE, other).codes == ("gate.uncompared",)


def test_protect_asks_whose_an_earlier_release_was() -> None:
    layout = difference_layout([ReleasedCell("run-0", "all")], ["all"])
    assert protect(PLAN, NODE, guarded(layout=layout, differences=(0, 0))).codes == ("gate.uncompared",)
    fewer = guarded(layout=layout, differences=(0, 0), rosters={"run-0": HOSPITALS[:-1]})
    assert protect(PLAN, NODE, fewer).codes == ("privacy.roster_differencing",)


async def test_a_run_that_ends_before_the_first_upload_is_given_back() -> None:
    for uploading in (False, True):
        world = World()
        world.outcome, world.uploading = TOO_FEW, uploading
        answer = await world.gate().carry(USE)
        assert answer == Ended("too_few", TOO_FEW.words, given_back=not uploading)
        assert world.ledger.book.left == (199 if uploading else 200)
        assert world.kinds() == ["admitted", "ended"] and not world.delivered


async def test_a_stale_log_lets_nothing_out_and_refuses_nobody() -> None:
    for age_ms in (None, 30_001):
        world = World()
        world.age_ms = age_ms
        answer = await world.gate().carry(USE)
        assert isinstance(answer, Paused) and (answer.state, answer.reason) == ("asked", "stale_checkpoint")
        world.age_ms = 30_000
        assert isinstance(await world.gate().carry(USE), Released)


async def test_stale_at_the_door() -> None:
    world = World()
    world.trap_at = _place("deliver")
    with pytest.raises(Crash):
        await world.gate().carry(USE)
    world.age_ms = 30_001
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Paused) and (answer.state, answer.reason) == ("authorised", "stale_checkpoint")
    assert not world.delivered
    world.age_ms = 10
    assert isinstance(await world.gate().carry(USE), Released)


@pytest.mark.parametrize("subject", [PLAN.agreements[NODE], PLAN.agreements[HOSPITALS[2]], REQUEST.requester, NODE])
async def test_a_revocation_below_the_leaf_holds_and_one_above_does_not(subject: str) -> None:
    below, above = World(), World()
    index = 2  # 0 state, 1 admitted, 2 release-authorised
    below.revoked = [(index - 1, subject)]
    below.others = lambda: below.index("release-authorised")
    # It came into the log while the run was computing: the first decision did not see it.
    seen: list[int | None] = []
    plain = below.facts

    async def late(use: Use, below_index: int | None = None) -> object:
        seen.append(below_index)
        facts = await plain(use, below_index)
        return facts if below_index is not None else replace(facts, revoked=frozenset())

    below.facts = late  # type: ignore[assignment,method-assign]
    answer = await below.gate().carry(USE)
    assert isinstance(answer, Withheld) and answer.reasons[0].code == "terms.revoked"
    assert not below.delivered and seen[-1] == index
    assert below.kinds() == ["admitted", "release-authorised", "ended"] and below.store.kept

    above.others = lambda: above.index("release-authorised")
    above.trap_at = _place("deliver")
    with pytest.raises(Crash):
        await above.gate().carry(USE)
    above.revoked = [(index, subject)]
    assert isinstance(await above.gate().carry(USE), Released), "an earlier authorisation stands"


async def test_one_contributor_who_withholds_stops_all() -> None:
    world = World()
    world.others = lambda: deny("gate.other_result", "A hospital did not authorise this result.", "Run again.")
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Withheld) and not world.delivered
    assert world.kinds() == ["admitted", "release-authorised", "ended"]


async def test_the_cut_is_the_last_leaf_of_all_contributors() -> None:
    world = World()
    world.others = lambda: 9
    asked: list[int | None] = []
    plain = world.facts

    async def watched(use: Use, below: int | None = None) -> object:
        asked.append(below)
        return await plain(use, below)

    world.facts = watched  # type: ignore[assignment,method-assign]
    assert isinstance(await world.gate().carry(USE), Released)
    assert asked[-1] == 9


async def test_two_runs_that_did_not_compare_with_each_other() -> None:
    world = World()
    assert isinstance(await world.gate().carry(USE), Released)
    second = World()
    second.store, second.ledger = world.store, world.ledger
    request = replace(REQUEST, nonce="another-nonce-0000")
    answer = await second.gate().carry(Use("run-" + "d" * 26, USE.signed, request, PLAN))
    assert isinstance(answer, Withheld)
    assert answer.reasons[0].code == "privacy.earlier_release_left_out"
    assert list(second.store.kept) == [RUN]


async def test_the_request_may_expire_while_the_run_goes_on_and_the_agreement_may_not() -> None:
    world = World()
    world.trap_at = _place("append release-authorised")
    with pytest.raises(Crash):
        await world.gate().carry(USE)
    world.facts_ = replace(world.facts_, now=NOW + 2 * HOUR)
    assert isinstance(await world.gate().carry(USE), Released)

    world = World()
    world.trap_at = _place("append release-authorised")
    with pytest.raises(Crash):
        await world.gate().carry(USE)
    world.facts_ = replace(world.facts_, now=NOW + 200 * HOUR)
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Withheld) and not world.delivered
    assert [reason.code for reason in answer.reasons] == ["terms.agreement_expired"]


async def test_an_hour_old_decision_is_taken_again_before_computing() -> None:
    world = World()
    world.trap_at = _place("append admitted")
    with pytest.raises(Crash):
        await world.gate().carry(USE)
    world.facts_ = with_agreement(state="terminated")
    assert isinstance(await world.gate().carry(USE), Refused)
    assert not world.computed and world.ledger.book.left == 200, "and the charge came back"


async def test_recheck_between_rounds() -> None:
    world = World()
    assert await world.gate().recheck(USE)
    world.facts_ = replace(world.facts_, now=NOW + 2 * HOUR)
    assert await world.gate().recheck(USE), "the request's own expiry stops no run"
    world.revoked = [(0, PLAN.study)]
    assert not await world.gate().recheck(USE)


async def test_one_at_a_time() -> None:
    world = World()
    gate = world.gate()
    world.others = lambda: len(world.log) - 1
    plain = world.compute
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slow(use: Use) -> object:
        reached.set()
        await go_on.wait()
        return await plain(use)

    world.compute = slow  # type: ignore[assignment,method-assign]
    first = asyncio.create_task(gate.carry(USE))
    await reached.wait()
    with pytest.raises(UseRunning):
        await gate.carry(USE)
    go_on.set()
    assert isinstance(await first, Released)
    assert isinstance(await gate.carry(USE), Released)


def _place(name: str) -> int:
    """The number of the first step of that name in an undisturbed run."""
    return _walk(World()).index(name)


def _walk(world: World) -> list[str]:
    """The steps of an undisturbed run."""
    coroutine = world.gate().carry(USE)
    try:
        coroutine.send(None)
    except StopIteration:
        return world.seen
    raise AssertionError("nothing in memory waits")


SCENES: dict[str, tuple[object, type]] = {
    "released": (COMPUTED, Released),
    "small cell": (guarded(persons={"all": 3}), Withheld),
    "denied": (deny("analysis.refused", "no"), Withheld),
    "too few": (TOO_FEW, Ended),
}


def scene(name: str, uploading: bool = True) -> World:
    world = World()
    world.outcome, world.uploading = SCENES[name][0], uploading  # type: ignore[assignment]
    return world


async def carry_on(world: World, traps: list[int], trap: type | object = Crash) -> Answer:
    """Carry to the end through every trap, each time as a fresh process."""
    world.trap = trap  # type: ignore[assignment]
    for place in [*traps, -1]:
        world.passed, world.trap_at = 0, place
        try:
            answer = await world.gate().carry(USE)
        except Crash:
            continue
        if not isinstance(answer, Paused):
            return answer
    raise AssertionError("it never ended")


def check_whole(name: str, world: World, answer: Answer) -> None:
    assert isinstance(answer, SCENES[name][1])
    charge = world.ledger.book.charge(RUN)
    assert charge is not None and len(world.ledger.book.charges) == 1
    kinds = world.kinds()
    assert len(set(kinds)) == len(kinds)
    if name == "released":
        assert kinds == ["admitted", "release-authorised", "delivered"]
        assert list(world.delivered) == [RUN] and charge.state == "spent" and list(world.store.kept) == [RUN]
    else:
        assert kinds == ["admitted", "ended"] and not world.delivered and not world.store.kept
        given_back = name in ("too few", "denied") and not world.uploads
        assert charge.state == ("returned" if given_back else "spent")
    assert world.store.records[RUN].state in USE_STATES.final


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("uploading", [True, False])
@pytest.mark.parametrize("trap", [Crash, away])
async def test_a_crash_or_a_pause_at_every_step(name: str, uploading: bool, trap: object) -> None:
    steps = len(_walk(scene(name, uploading)))
    assert steps > 15
    for place in range(steps):
        world = scene(name, uploading)
        answer = await carry_on(world, [place], trap)
        check_whole(name, world, answer)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SCENES)), st.lists(st.integers(0, 45), max_size=6), st.booleans())
def test_crash_after_crash(name: str, traps: list[int], uploading: bool) -> None:
    world = scene(name, uploading)
    answer = asyncio.run(carry_on(world, traps))
    check_whole(name, world, answer)


async def test_a_no_that_was_written_down_is_not_turned_by_a_crash() -> None:
    """The rules said no; after the restart the same run computes something else: it stays withheld."""
    world = World()
    world.outcome = guarded(persons={"all": 3})
    names = _walk(scene("small cell"))
    world.trap_at = names.index("spend")
    with pytest.raises(Crash):
        await world.gate().carry(USE)
    world.outcome = COMPUTED
    world.passed, world.trap_at = 0, -1
    assert isinstance(await world.gate().carry(USE), Withheld)
    assert not world.delivered


async def test_the_plan_of_another_roster_is_refused_here() -> None:
    request, plan = with_plan(roster=HOSPITALS[1:], agreements={h: PLAN.agreements[h] for h in HOSPITALS[1:]})
    answer = await World().gate().carry(Use(RUN, USE.signed, request, plan))
    assert isinstance(answer, Refused) and "terms.not_asked" in [reason.code for reason in answer.reasons]


def test_the_states_print_their_diagram() -> None:
    assert USE_STATES.final == {"refused", "ended", "withheld", "settled"}
    assert "authorised --> delivered: deliver" in USE_STATES.diagram()


async def test_where_nobody_is_left_to_seal_to_it_ends_with_evidence() -> None:
    world = World()
    world.deliverable = deny("node.recipients_revoked", "Every recipient's keys were revoked.")
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Withheld) and not answer.given_back
    assert answer.reasons[0].code == "node.recipients_revoked"
    assert world.kinds() == ["admitted", "release-authorised", "ended"] and not world.delivered
    assert world.ledger.book.charge(RUN).state == "spent"  # type: ignore[union-attr]
    assert RUN in world.store.kept, "others may have released: the cells stay comparable"
    assert await world.gate().carry(USE) == answer


async def test_it_tells_when_it_was_admitted() -> None:
    world = World()
    await world.gate().carry(USE)
    assert world.store.records[RUN].admitted == NOW
