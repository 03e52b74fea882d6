"""The gate's ports in memory: slow, obvious, and able to fail before and after each effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace
from tests.unit.terms.uses import FACTS, HOSPITALS, NODE, NOW, PLAN, REQUEST, RESEARCHER

from xinglin.gate.errors import NotNow, RecordMoved
from xinglin.gate.model import Computed, PooledGuard, Record, Released, Stopped, Use
from xinglin.gate.ports import Inclusion
from xinglin.gate.procedure import Gate, Ports
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.privacy.allowance import Allowance
from xinglin.privacy.differencing import ReleasedCell, check_layout
from xinglin.terms.facts import Facts
from xinglin.trust.envelope import Signed

RUN = "run-" + "a" * 26
USE = Use(RUN, Signed(RESEARCHER, "use-request/1", b"", b""), REQUEST, PLAN)
COMPUTED = Computed(
    result=b'{"n":300}',
    guard=PooledGuard(persons={"all": 300}, contributors=HOSPITALS, dof=290, parameters=2),
    salt=bytes(range(32)),
)


class Crash(BaseException):
    """The process is gone."""


class MemoryLedger:
    """One data set's allowance."""

    def __init__(self, cap: int = 200) -> None:
        self.book = Allowance("heart", cap)
        self.entries: dict[str, str] = {}

    async def reserve(self, use: Use) -> Verdict:
        after = self.book.reserve(use.run, use.plan.agreements[NODE], 20, NOW)
        if isinstance(after, Denied):
            return after
        self.book = after
        return Allowed()

    async def entry(self, run: str) -> str:
        return self.entries.get(run, "")

    async def spend(self, run: str) -> None:
        self.book = self.book.spend(run)

    async def give_back(self, run: str) -> None:
        if self.book.charge(run) is not None:
            self.book = self.book.give_back(run)


class MemoryStore:
    """Records, nonces, released cells."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.nonces: dict[str, str] = {}
        self.kept: dict[str, tuple[str, tuple[str, ...]]] = {}

    async def open(self, fresh: Record) -> Record | Denied:
        found = self.records.get(fresh.run)
        if found is not None and found.request != fresh.request:
            return deny("gate.other_request", "This run is another request's.", "Start a new run.")
        if self.nonces.setdefault(fresh.nonce, fresh.run) != fresh.run:
            return deny("terms.replayed", "A request with this nonce was seen before.", "Draw a fresh nonce and sign.")
        return self.records.setdefault(fresh.run, fresh)

    async def save(self, before: Record, after: Record) -> None:
        if self.records.get(before.run) != before:
            raise RecordMoved("The record was changed since it was read.")
        self.records[after.run] = after

    async def keep_cells(self, use: Use, cells: tuple[str, ...], compared: tuple[ReleasedCell, ...]) -> Verdict:
        others = [
            ReleasedCell(run, cell)
            for run, (data_set, names) in self.kept.items()
            if run != use.run and data_set == use.plan.data_set
            for cell in names
        ]
        verdict = check_layout(compared, others)
        if verdict:
            self.kept[use.run] = (use.plan.data_set, cells)
        return verdict

    async def drop_cells(self, run: str) -> None:
        self.kept.pop(run, None)


class World:
    """All ports around one log, with the order of what happened, and a trap at every step."""

    def __init__(self) -> None:
        self.ledger, self.store = MemoryLedger(), MemoryStore()
        self.log: list[tuple[str, str, dict[str, str]]] = [("state", "", {})]
        self.delivered: dict[str, bytes] = {}
        self.seen: list[str] = []
        self.facts_: Facts = FACTS
        self.decisions: dict[tuple[str, str], Verdict] = {}
        self.revoked: list[tuple[int, str]] = []
        self.age_ms: int | None = 500
        self.outcome: Computed | Stopped | Denied = COMPUTED
        self.uploads, self.uploading, self.computed = False, True, 0
        self.refusals: dict[str, tuple[str, ...]] = {}
        self.deliverable: Verdict = Allowed()
        self.others: Callable[[], int | Denied] = lambda: len(self.log) - 1
        self.trap_at, self.passed = -1, 0
        self.trap: Callable[[], BaseException] = Crash

    def step(self, name: str) -> None:
        """A place where the process may end."""
        self.seen.append(name)
        self.passed += 1
        if self.passed - 1 == self.trap_at:
            raise self.trap()

    def gate(self) -> Gate:
        """A gate as a fresh process would build it."""
        return Gate(NODE, Ports(self, self, self, self, self, self), lambda: NOW)

    def kinds(self) -> list[str]:
        """The kinds of the leaves about the run."""
        return [kind for kind, run, _ in self.log if run == RUN]

    def index(self, kind: str) -> int:
        """The index of the run's leaf of that kind."""
        return next(i for i, (k, run, _) in enumerate(self.log) if (k, run) == (kind, RUN))

    async def facts(self, use: Use, below: int | None = None) -> Facts:
        self.step("facts")
        revoked = frozenset(subject for at, subject in self.revoked if below is None or at < below)
        return replace(self.facts_, revoked=revoked, checkpoint_age_ms=self.age_ms)

    def decided(self, use: Use, facts: Facts, verdict: Verdict, stage: str) -> None:
        self.decisions[use.run, stage] = verdict

    async def reserve(self, use: Use) -> Verdict:
        self.step("reserve")
        verdict = await self.ledger.reserve(use)
        self.step("reserved")
        return verdict

    async def entry(self, run: str) -> str:
        return await self.ledger.entry(run)

    async def spend(self, run: str) -> None:
        self.step("spend")
        await self.ledger.spend(run)
        self.step("spent")

    async def give_back(self, run: str) -> None:
        self.step("give back")
        await self.ledger.give_back(run)
        self.step("given back")

    async def compute(self, use: Use) -> Computed | Stopped | Denied:
        self.step("compute")
        self.computed += not self.uploads
        self.uploads = self.uploading
        self.step("computed")
        return self.outcome

    async def uploaded(self, run: str) -> bool:
        return self.uploads

    async def append(self, use: Use, kind: str, commitments: dict[str, str]) -> Inclusion:
        self.step(f"append {kind}")
        known = [i for i, (k, run, _) in enumerate(self.log) if (k, run) == (kind, use.run)]
        if known:
            assert self.log[known[0]][2] == commitments, "the same leaf, whoever asks again"
        else:
            known = [len(self.log)]
            self.log.append((kind, use.run, commitments))
        self.step(f"appended {kind}")
        return Inclusion(known[0], len(self.log))

    async def checkpoint_age_ms(self) -> int | None:
        self.step("age")
        return self.age_ms

    async def all_authorised(
        self, use: Use, commitment: str, contributors: tuple[str, ...], salt: bytes
    ) -> int | Denied:
        self.step("all authorised")
        return self.others()

    async def note_refusal(self, use: Use, codes: tuple[str, ...]) -> None:
        self.step("note refusal")
        self.refusals[use.run] = codes

    async def deliver(self, use: Use, result: bytes, commitment: str) -> Verdict:
        self.step("deliver")
        if isinstance(self.deliverable, Denied):
            return self.deliverable
        assert self.delivered.setdefault(use.run, result) == result
        self.step("handed over")
        return Allowed()

    async def open(self, fresh: Record) -> Record | Denied:
        self.step("open")
        record = await self.store.open(fresh)
        self.step("opened")
        return record

    async def save(self, before: Record, after: Record) -> None:
        self.step(f"save {after.state}")
        await self.store.save(before, after)
        self.step(f"saved {after.state}")

    async def keep_cells(self, use: Use, cells: tuple[str, ...], compared: tuple[ReleasedCell, ...]) -> Verdict:
        self.step("keep cells")
        verdict = await self.store.keep_cells(use, cells, compared)
        self.step("kept cells")
        return verdict

    async def drop_cells(self, run: str) -> None:
        self.step("drop cells")
        await self.store.drop_cells(run)


def away() -> NotNow:
    """What a port says that cannot go on at present."""
    return NotNow("log_away", "The log cannot be reached.")


W = TypeVar("W", bound=World)


async def crashed_anywhere(fresh: Callable[[], W], use: Use) -> list[W]:
    """Worlds in which one carry of ``use`` crashed, at each of its steps in turn, and a second one went to its end."""
    walked = fresh()
    await walked.gate().carry(use)
    worlds = []
    for place in range(len(walked.seen)):
        world = fresh()
        world.trap_at = place
        try:
            answer = await world.gate().carry(use)
        except Crash:
            world.passed, world.trap_at = 0, -1
            answer = await world.gate().carry(use)
        assert isinstance(answer, Released)
        assert world.kinds() == ["admitted", "release-authorised", "delivered"]
        assert list(world.delivered) == [use.run]
        worlds.append(world)
    return worlds
