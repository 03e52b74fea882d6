"""A noised answer at the gate: no cells are kept or compared, and the authorisation commits to how it was paid."""

from __future__ import annotations

from msgspec.structs import replace
from tests.unit.gate.memory import COMPUTED, RUN, USE, Crash, World
from tests.unit.terms.uses import HOSPITALS

from xinglin.gate.model import PooledGuard, Released, Withheld

NOISED = replace(COMPUTED, guard=PooledGuard(persons={"all": 300}, contributors=HOSPITALS, noised=True))
PAID = "sha256:" + "5" * 64


def paid_world() -> World:
    world = World()
    world.outcome = NOISED
    world.ledger.entries[RUN] = PAID
    return world


async def test_its_cells_are_not_kept_and_its_payment_is_in_the_leaf() -> None:
    world = paid_world()
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Released)
    assert "keep cells" not in world.seen and not world.store.kept
    _, _, commitments = world.log[world.index("release-authorised")]
    assert commitments["budget"].startswith("salted-sha256:") and PAID not in commitments["budget"]
    assert "budget" not in world.log[world.index("admitted")][2]


async def test_after_any_crash_the_leaf_is_the_same() -> None:
    whole = paid_world()
    await whole.gate().carry(USE)
    leaf = whole.log[whole.index("release-authorised")]
    for at in range(len(whole.seen)):
        world = paid_world()
        world.trap_at = at
        try:
            await world.gate().carry(USE)
        except Crash:
            world.trap_at = -1
            assert isinstance(await world.gate().carry(USE), Released), at
        assert world.kinds().count("release-authorised") == 1
        mine = world.log[world.index("release-authorised")]
        # Salts are of the record, which each world opens anew: the labels are what must not differ.
        assert (mine[0], mine[1], sorted(mine[2])) == (leaf[0], leaf[1], sorted(leaf[2])), at


async def test_the_minimum_cell_holds_for_noised_counts_as_well() -> None:
    world = paid_world()
    few = PooledGuard(persons={"all": 9}, contributors=HOSPITALS, noised=True)
    world.outcome = replace(NOISED, guard=few)
    answer = await world.gate().carry(USE)
    assert isinstance(answer, Withheld) and answer.reasons[0].code == "privacy.small_cell"
