"""Extracts through the gate: protected, held for review, released once; a crash anywhere neither loses nor repeats."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.gate.memory import RUN, World, crashed_anywhere

from xinglin.gate.errors import NotNow
from xinglin.gate.model import EXTRACT_BYTES, Computed, ExtractGuard, Paused, PooledGuard, Released, Use, Withheld
from xinglin.gate.procedure import Gate, Ports
from xinglin.gate.protect import protect
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.terms.extracts import ExtractAsk
from xinglin.testing.decision_table import NODE, NOW, WORKSPACE, allowed_use
from xinglin.trust.envelope import Signed

REQUEST, PLAN, FACTS = allowed_use("L2", "extract")
FACTS = replace(FACTS, output_types=("statistic",))
USE = Use(RUN, Signed(REQUEST.requester, "use-request/1", b"", b""), REQUEST, PLAN)
GUARD = ExtractGuard(
    rows=100, persons=90, left_out=2, profile="gb-t-37964", profile_digest="sha256:x", k=10, l=2, t="0.1",
    mark="sha256:m", recipient=WORKSPACE, size_bytes=1000, grade=2, compared=0,
)  # fmt: skip
MADE = Computed(b"{}", PooledGuard(persons={}, contributors=(NODE,)), bytes(range(32)), GUARD)


class Held(World):
    """The memory's ports, with persons who look at what would leave."""

    def __init__(self) -> None:
        super().__init__()
        self.facts_, self.outcome = FACTS, MADE
        self.verdict: Verdict | None = Allowed()
        self.looked = 0

    async def reviewed(self, use: Use, computed: Computed) -> Verdict:
        self.step("review")
        self.looked += 1
        if self.verdict is None:
            raise NotNow("held_for_review", "Persons look at it.")
        return self.verdict

    def gate(self) -> Gate:
        return Gate(NODE, Ports(self, self, self, self, self, self, self), lambda: NOW)


async def test_the_order_of_an_extract() -> None:
    world = Held()
    assert isinstance(await world.gate().carry(USE), Released)
    order = [
        "reserve",
        "append admitted",
        "compute",
        "review",
        "append release-authorised",
        "deliver",
        "append delivered",
    ]
    places = [world.seen.index(step) for step in order]
    assert places == sorted(places) and "keep cells" not in world.seen


async def test_nothing_is_authorised_while_persons_look() -> None:
    world = Held()
    world.verdict = None
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Paused) and answer.reason == "held_for_review"
    assert world.kinds() == ["admitted"] and not world.delivered
    assert isinstance(await world.gate().carry(USE), Paused) and world.computed == 1
    world.verdict = Allowed()
    assert isinstance(await world.gate().carry(USE), Released) and world.computed == 1


async def test_persons_who_say_no_are_final() -> None:
    world = Held()
    world.verdict = deny("access.output_withheld", "no", "ask")
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Withheld) and answer.reasons[0].code == "access.output_withheld"
    assert world.kinds() == ["admitted", "ended"] and not world.delivered
    world.verdict = Allowed()
    assert await world.gate().carry(USE) == answer


async def test_without_reviewers_nothing_leaves() -> None:
    world = Held()
    gate = Gate(NODE, Ports(world, world, world, world, world, world), lambda: NOW)
    answer = await gate.carry(USE)
    assert isinstance(answer, Withheld) and answer.reasons[0].code == "gate.no_review"


async def test_a_crash_at_every_step_of_an_extract() -> None:
    for world in await crashed_anywhere(Held, USE):
        charge = world.ledger.book.charge(RUN)
        assert charge is not None and charge.state == "spent"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"k": 9}, "gate.k_missed"),
        ({"mark": ""}, "gate.not_marked"),
        ({"recipient": NODE}, "gate.not_marked"),
        ({"profile": "public"}, "gate.not_deidentified"),
        ({"profile_digest": ""}, "gate.not_deidentified"),
        ({"persons": 9}, "gate.few_persons"),
        ({"left_out": 12}, "gate.suppressed"),
        ({"rows": 0}, "gate.result_size"),
        ({"size_bytes": EXTRACT_BYTES.value + 1}, "gate.result_size"),
        ({"version": 2}, "gate.unprotected"),
        ({"grade": 1}, "gate.grade"),
        ({"grade": 0}, "gate.grade"),
        ({"compared": -1}, "gate.not_compared"),
    ],
)
def test_a_protection_that_is_missing_withholds(changes: dict[str, Any], code: str) -> None:
    assert isinstance(protect(PLAN, NODE, MADE), Allowed)
    found = protect(PLAN, NODE, replace(MADE, extract=replace(GUARD, **changes)))
    assert not isinstance(found, Allowed) and code in found.codes


def test_an_extract_that_tells_nothing_is_withheld() -> None:
    found = protect(PLAN, NODE, replace(MADE, extract=None))
    assert not isinstance(found, Allowed) and "gate.unprotected" in found.codes


@pytest.mark.parametrize(
    ("measured", "code"),
    [({"l": 2}, "gate.l_missed"), ({"t": "0.31"}, "gate.t_missed"), ({"t": ""}, "gate.t_missed")],
)
def test_l_and_t_hold_where_they_are_asked(measured: dict[str, Any], code: str) -> None:
    ask = ExtractAsk("gb-t-37964", 10, WORKSPACE, ("age",), ("disease",), l=3, t="0.3")
    plan = replace(PLAN, params=ask.to_params())
    good = replace(GUARD, l=3, t="0.3")
    assert isinstance(protect(plan, NODE, replace(MADE, extract=good)), Allowed)
    found = protect(plan, NODE, replace(MADE, extract=replace(good, **measured)))
    assert not isinstance(found, Allowed) and found.codes == (code,)
