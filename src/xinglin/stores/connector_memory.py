"""A connector's store in memory: slow, obvious, the reference (port: ``xinglin.wire.dsp.ports.ConnectorStore``)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.wire.dsp.ports import AnswerRow, Change, ContractRow, NoteRow, OwedRow, ProcessRow, Step, TokenRow
from xinglin.wire.dsp.states import ENDS


class MemoryConnectorStore:
    """Dictionaries; nothing survives the process."""

    waits = False

    def __init__(self) -> None:
        self._processes: dict[str, ProcessRow] = {}
        self._peers: dict[tuple[str, str, str, str], str] = {}
        self._owed: dict[str, OwedRow] = {}
        self._contracts: dict[tuple[str, str], ContractRow] = {}
        self._tokens: dict[str, TokenRow] = {}
        self._notes: dict[int, NoteRow] = {}
        self._open: dict[str, set[str]] = {}
        self._answers: dict[str, AnswerRow] = {}
        self._last = 0

    def apply(self, changes: Sequence[Change]) -> list[bool]:
        """See the port."""
        return [self._applied(one) for one in changes]

    def _applied(self, change: Change) -> bool:
        if change.step is not None:
            return self.add(change.step) if change.do == "add" else self.put(change.step)
        if change.owed is not None:
            self.postpone(change.owed)
        elif change.note is not None:
            self.add_note(change.note)
        else:
            self.drop_note(change.number)
        return True

    def add(self, step: Step) -> bool:
        """See the port."""
        row = step.row
        if row.pid in self._processes or (row.peer_pid and _peer(row) in self._peers):
            return False
        self._keep(step)
        return True

    def put(self, step: Step) -> bool:
        """See the port."""
        row = step.row
        before = self._processes.get(row.pid)
        if before is None or before.version != row.version - 1:
            return False
        if row.peer_pid and self._peers.get(_peer(row), row.pid) != row.pid:
            return False
        self._keep(step)
        return True

    def _keep(self, step: Step) -> None:
        row = step.row
        self._processes[row.pid] = row
        open_ = self._open.setdefault(row.participant, set())
        open_.discard(row.pid) if row.state in ENDS else open_.add(row.pid)
        if row.peer_pid:
            self._peers[_peer(row)] = row.pid
        self._owed.pop(row.pid, None)
        if step.owed is not None:
            self._owed[row.pid] = step.owed
        if step.contract is not None:
            self.put_contract(step.contract)
        if step.token is not None:
            self._tokens[step.token.transfer] = step.token
        if step.note is not None:
            self.add_note(step.note)
        if step.answer is not None:
            self._answers[step.answer.pid] = step.answer

    def process(self, pid: str) -> ProcessRow | None:
        """See the port."""
        return self._processes.get(pid)

    def by_peer(self, kind: str, side: str, participant: str, peer_pid: str) -> ProcessRow | None:
        """See the port."""
        pid = self._peers.get((kind, side, participant, peer_pid))
        return self._processes[pid] if pid is not None else None

    def processes(self, kind: str, after: str = "", most: int = 1_000) -> tuple[ProcessRow, ...]:
        """See the port."""
        found = sorted(pid for pid, row in self._processes.items() if row.kind == kind and pid > after)
        return tuple(self._processes[pid] for pid in found[:most])

    def open_processes(self, participant: str) -> int:
        """See the port."""
        return len(self._open.get(participant, ()))

    def begun(self, participant: str, since: Instant) -> int:
        """See the port."""
        rows = self._processes.values()
        return sum(row.participant == participant and row.created >= since and row.opening != "" for row in rows)

    def owed(self, pid: str) -> OwedRow | None:
        """See the port."""
        return self._owed.get(pid)

    def all_owed(self) -> tuple[OwedRow, ...]:
        """See the port."""
        return tuple(sorted(self._owed.values(), key=lambda row: (row.next_at, row.pid)))

    def postpone(self, row: OwedRow) -> None:
        """See the port."""
        current = self._owed.get(row.pid)
        if current is not None and current.body == row.body:
            self._owed[row.pid] = row

    def contract(self, agreement: str, side: str) -> ContractRow | None:
        """See the port."""
        return self._contracts.get((agreement, side))

    def put_contract(self, row: ContractRow) -> None:
        """See the port."""
        self._contracts[row.agreement, row.side] = row

    def contracts(self) -> tuple[ContractRow, ...]:
        """See the port."""
        return tuple(self._contracts[key] for key in sorted(self._contracts))

    def token(self, transfer: str) -> TokenRow | None:
        """See the port."""
        return self._tokens.get(transfer)

    def answer(self, pid: str) -> AnswerRow | None:
        """See the port."""
        return self._answers.get(pid)

    def add_note(self, row: NoteRow) -> None:
        """See the port."""
        self._last += 1
        self._notes[self._last] = msgspec.structs.replace(row, number=self._last)

    def notes(self, most: int = 100) -> tuple[NoteRow, ...]:
        """See the port."""
        return tuple(self._notes[number] for number in sorted(self._notes)[:most])

    def drop_note(self, number: int) -> None:
        """See the port."""
        self._notes.pop(number, None)

    def close(self) -> None:
        """Nothing to close."""


def _peer(row: ProcessRow) -> tuple[str, str, str, str]:
    return row.kind, row.side, row.participant, row.peer_pid
