"""Totals that persons look at: held after the rules and before any leaf, whatever stops in between."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.unit.gate.memory import RUN, World, crashed_anywhere
from tests.unit.terms.uses import NODE, NOW, RESEARCHER, with_plan

from xinglin.gate.errors import NotNow
from xinglin.gate.model import Computed, Paused, Released, Use, Withheld
from xinglin.gate.procedure import Gate, Ports
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.terms.pack_named import NamedPacks, PackPart
from xinglin.trust.envelope import Signed

PEOPLE = NamedPacks((PackPart("looked-at", "sha256:" + "a" * 64),), {"reviewers": 2}, {"reviewers": ("looked-at",)})
REQUEST, PLAN = with_plan(disclosure=PEOPLE, version=2)
USE = Use(RUN, Signed(RESEARCHER, "use-request/1", b"", b""), REQUEST, PLAN)


class Looked(World):
    """The memory's ports, with persons who look at a total."""

    def __init__(self) -> None:
        super().__init__()
        self.verdict: Verdict | None = Allowed()

    async def reviewed(self, use: Use, computed: Computed) -> Verdict:
        self.step("review")
        if self.verdict is None:
            raise NotNow("held_for_review", "Persons look at it.")
        return self.verdict

    async def entry(self, use: Use, computed: Computed | None = None) -> str:
        """Both ledgers' and reviewers' word on what a leaf commits to."""
        return "sha256:votes" if computed is not None else ""

    def gate(self) -> Gate:
        return Gate(NODE, Ports(self, self, self, self, self, self, self), lambda: NOW)


async def test_a_total_is_held_until_persons_decided() -> None:
    world = Looked()
    world.verdict = None
    for _ in range(3):
        answer: Any = await world.gate().carry(USE)
        assert isinstance(answer, Paused) and (answer.state, answer.reason) == ("protected", "held_for_review")
    assert world.kinds() == ["admitted"] and not world.delivered and "keep cells" not in world.seen
    world.verdict = Allowed()
    assert isinstance(await world.gate().carry(USE), Released)
    (authorised,) = [said for kind, run, said in world.log if (kind, run) == ("release-authorised", RUN)]
    assert authorised["review"].startswith("salted-sha256:") and "votes" not in authorised["review"]


async def test_what_persons_refuse_stays() -> None:
    world = Looked()
    world.verdict = deny("privacy.review_withheld", "They do not release it.")
    answer: Any = await world.gate().carry(USE)
    assert isinstance(answer, Withheld) and answer.reasons[0].code == "privacy.review_withheld"
    assert world.kinds() == ["admitted", "ended"] and not world.delivered


async def test_without_anybody_to_look_nothing_leaves() -> None:
    world = Looked()
    gate = Gate(NODE, Ports(world, world, world, world, world, world), lambda: NOW)
    answer: Any = await gate.carry(USE)
    assert isinstance(answer, Withheld) and answer.reasons[0].code == "gate.no_review"


async def test_a_plan_that_asks_for_nobody_is_not_held() -> None:
    world = Looked()
    world.verdict = None
    request, plan = with_plan(disclosure=replace(PEOPLE, settings={"min_cell": 10}, stated={}), version=2)
    use = Use(RUN, Signed(RESEARCHER, "use-request/1", b"", b""), request, plan)
    assert isinstance(await world.gate().carry(use), Released) and "review" not in world.seen


async def test_a_crash_at_every_step_of_a_total_that_is_looked_at() -> None:
    assert await crashed_anywhere(Looked, USE)
