"""A small space for tests: one log service, and witnesses that it reaches through callables."""

from __future__ import annotations

from typing import Any

from tests.unit.witness.kit import Clock, LyingLog, cosigners

from xinglin.evidence.attending import attend
from xinglin.evidence.policy import Cosigner, LogKey, Policy, default_policy
from xinglin.evidence.witnessing import Witness
from xinglin.hub.log import LogService, LogSettings
from xinglin.stores.log_memory import MemoryLogStore
from xinglin.stores.replica_memory import MemoryReplicaStore

QUICK = LogSettings(gather_ms=1, heartbeat_s=0.2, quorum_wait_s=0.5, call_timeout_s=1.0)


class Member:
    """A witness with a switch: away, or answering."""

    def __init__(self, name: str, key: LyingLog, memory: Any = None, clock: Any = None) -> None:
        self.name = name
        self.signers = cosigners(name)
        self.keys = tuple(signer.key for signer in self.signers)
        self.memory = memory or MemoryReplicaStore(key.signer.key.name)
        self.clock = clock or Clock()
        self.followed = key.followed
        self.restart()
        self.away = False
        self.asked = self.pushed = 0
        self.source: Any = None

    def restart(self, **options: Any) -> None:
        self.witness = Witness(self.followed, self.signers, self.memory, self.clock, **options)

    async def transport(self, body: bytes, entries: bytes) -> tuple[int, bytes]:
        self.asked += 1
        self.pushed += len(entries)
        if self.away:
            raise ConnectionError("no route")
        answer = await attend(self.witness, body, entries, self.fetch)
        return answer.status, answer.body

    async def fetch(self, start: int, end: int) -> list[bytes]:
        return self.source.store.entries(start, end)


class Space:
    """Regulator and three hospitals (n = 4, so three of four must cosign, the regulator among them)."""

    def __init__(self, count: int = 4, **member: Any) -> None:
        self.key = LyingLog()
        self.members = [Member(f"w{number}.example", self.key, **member) for number in range(count)]
        seats = [Cosigner(each.name, each.keys) for each in self.members]
        self.policy: Policy = default_policy(LogKey(self.key.signer.key), seats[:1], seats[1:])

    def service(self, store: Any = None, settings: LogSettings = QUICK, policy: Policy | None = None) -> LogService:
        service = LogService(store or MemoryLogStore(), self.key.signer, policy or self.policy, settings)
        for member in self.members:
            member.source = service
        return service

    async def start(self, store: Any = None, settings: LogSettings = QUICK) -> LogService:
        service = self.service(store, settings)
        await service.start()
        for member in self.members:
            service.add_witness(member.name, member.keys, member.transport)
        return service
