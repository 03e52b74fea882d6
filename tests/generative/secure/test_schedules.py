"""Any order, delay, repetition, loss and restart of messages: does it end in the right sum, or wait?"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.secure.space import PARTS, Space

from xinglin.kernel import XinglinError
from xinglin.secure import Reveal, Upload, parse

PICK = st.integers(0, 10**6)


class Schedule(RuleBasedStateMachine):
    """Nodes and hub are driven one small step at a time by Hypothesis."""

    @initialize(count=st.integers(3, 7), seed=st.integers(0, 10**6))
    def begin(self, count: int, seed: int) -> None:
        self.here = Space(count, seed=seed)
        self.vectors: dict[int, dict[str, Any]] = {}
        self.opened: dict[int, dict[str, bytes]] = {}
        self.sums: dict[int, tuple[str, ...]] = {}
        self.dead: set[str] = set()
        self.uploads: dict[tuple[str, int], bytes] = {}
        self.reveals: dict[tuple[str, int], bytes] = {}

    def did(self, pick: int) -> str:
        alive = [did for did in self.here.dids if did not in self.dead]
        return alive[pick % len(alive)]

    def to_hub(self, did: str, data: bytes | None) -> None:
        if data is None:
            return
        self.here.sent[did].append(data)
        message = parse(data)
        for kind, book in ((Upload, self.uploads), (Reveal, self.reveals)):
            if isinstance(message, kind):
                number = message.round if isinstance(message, Reveal) else message.endorsement.round
                assert book.setdefault((did, number), data) == data
        with suppress(XinglinError):
            self.here.relay.receive(did, data)

    @rule(pick=PICK)
    def join(self, pick: int) -> None:
        did = self.did(pick)
        if self.here.parties[did].phase in ("new", "advertised"):
            self.to_hub(did, self.here.parties[did].advertise())

    @rule(pick=PICK)
    def deliver(self, pick: int) -> None:
        did = self.did(pick)
        message = self.here.relay.message_for(did)
        if message is None:
            return
        self.here.got[did].append(message)
        party = self.here.parties[did]
        if party.phase == "revealed" and type(parse(message)).__name__ == "Total":
            self.open(did, message)
        else:
            with suppress(XinglinError):
                self.to_hub(did, party.answer(message))

    def open(self, did: str, message: bytes) -> None:
        opened = self.here.parties[did].open(message)
        vectors = self.vectors[opened.round]
        plain = np.sum([vectors[each] for each in opened.survivors], axis=0)
        np.testing.assert_allclose(opened.values, plain, atol=1e-8)
        assert self.sums.setdefault(opened.round, opened.survivors) == opened.survivors
        assert len(opened.survivors) >= 3
        if opened.round > 1:
            assert opened.survivors == self.sums[1]
        event(f"opened round {opened.round}, {len(self.here.dids) - len(opened.survivors)} gone")
        self.opened.setdefault(opened.round, {})[did] = opened.values.tobytes()
        assert len(set(self.opened[opened.round].values())) == 1

    @rule(pick=PICK)
    def compute(self, pick: int) -> None:
        did = self.did(pick)
        party = self.here.parties[did]
        if party.phase == "ready" and party.round <= 4:
            vectors = self.vectors.setdefault(party.round, self.here.vectors())
            self.to_hub(did, party.upload(vectors[did], PARTS, f"sha256:{party.round}"))

    @rule(picks=st.permutations(range(7)))
    def everybody_moves(self, picks: list[int]) -> None:
        for pick in picks:
            self.join(pick)
            self.deliver(pick)
        for pick in picks:
            self.compute(pick)
        if self.here.relay.ready:
            self.strip()

    @rule(pick=PICK, which=PICK)
    def repeat_an_old_message(self, pick: int, which: int) -> None:
        did = self.did(pick)
        if self.here.sent[did]:
            self.to_hub(did, self.here.sent[did][which % len(self.here.sent[did])])
        if self.here.got[did]:
            before = self.here.parties[did].phase
            try:
                self.to_hub(did, self.here.parties[did].answer(self.here.got[did][which % len(self.here.got[did])]))
            except XinglinError:
                assert self.here.parties[did].phase == before

    @rule(pick=PICK, which=PICK)
    def misdeliver(self, pick: int, which: int) -> None:
        did, other = self.did(pick), self.did(which)
        message = self.here.relay.message_for(other)
        if did == other or message is None:
            return
        party = self.here.parties[did]
        try:
            reply = party.answer(message)
        except XinglinError:
            return
        # Adverts and Survivors are the same for all; nothing else suits another node.
        assert type(parse(message)).__name__ in ("Adverts", "Survivors")
        self.to_hub(did, reply)

    @rule(pick=PICK)
    def restart(self, pick: int) -> None:
        did = self.did(pick)
        if did in self.here.kept:
            self.here.parties[did] = self.here.restore(did)
            self.to_hub(did, self.here.parties[did].resend())

    @precondition(lambda self: not self.dead)
    @rule(pick=PICK)
    def vanish(self, pick: int) -> None:
        if len(self.here.dids) > 3:
            self.dead.add(self.did(pick))

    @rule()
    def hub_goes_on(self) -> None:
        with suppress(XinglinError):
            self.here.relay.proceed()

    @precondition(lambda self: self.here.relay.can_reconstruct)
    @rule()
    def strip(self) -> None:
        self.here.relay.reconstruct()

    @invariant()
    def no_node_told_both_kinds(self) -> None:
        for data in getattr(self, "reveals", {}).values():
            message = parse(data)
            assert not set(message.seeds) & set(message.keys)


Schedule.TestCase.settings = settings(max_examples=30, stateful_step_count=80, deadline=None)
TestSchedule = Schedule.TestCase
