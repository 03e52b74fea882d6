"""A connector's store in a database (port: ``xinglin.wire.dsp.ports.ConnectorStore``): SQLite, or PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from sqlalchemy import URL

from xinglin.kernel.instants import Instant
from xinglin.stores import connector_tables as t
from xinglin.stores.database import Database, Work, sqlite_url
from xinglin.wire.dsp.ports import AnswerRow, Change, ContractRow, NoteRow, OwedRow, ProcessRow, Step, TokenRow


class ConnectorDatabase:
    """What was acknowledged to a counterparty, and what is owed to one, is on the disk when a call returns."""

    waits = True

    def __init__(self, url: str | URL, *, accept_loss: bool = False) -> None:
        self._kept = Database(url, t.SCHEMA)
        self._kept.install(t.meta, t.SCHEMA_VERSION, accept_loss=accept_loss)

    @classmethod
    def in_folder(cls, folder: Path) -> ConnectorDatabase:
        """The database file ``connector.db`` in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(sqlite_url(folder / "connector.db"))

    def close(self) -> None:
        """Close every connection."""
        self._kept.close()

    def apply(self, changes: Sequence[Change]) -> list[bool]:
        """See the port."""
        with self._kept.alone() as work:
            return [_applied(work, one) for one in changes]

    def add(self, step: Step) -> bool:
        """See the port."""
        return self.apply((Change("add", step),))[0]

    def put(self, step: Step) -> bool:
        """See the port."""
        return self.apply((Change("put", step),))[0]

    def remember(self, key: str, until: Instant, now: Instant) -> bool:
        """Port ``xinglin.trust.ports.ReplayStore``."""
        with self._kept.alone() as work:
            if not work.write(t.REMEMBER, token=key, until=until):
                return False
            work.write(t.FORGET, now=now)
            return True

    def process(self, pid: str) -> ProcessRow | None:
        """See the port."""
        found = self._kept.one(t.PROCESS, key=pid)
        return ProcessRow(**found) if found else None

    def by_peer(self, kind: str, side: str, participant: str, peer_pid: str) -> ProcessRow | None:
        """See the port."""
        found = self._kept.one(t.BY_PEER, kind=kind, side=side, participant=participant, peer_pid=peer_pid)
        return ProcessRow(**found) if found else None

    def processes(self, kind: str, after: str = "", most: int = 1_000) -> tuple[ProcessRow, ...]:
        """See the port."""
        return tuple(ProcessRow(**row) for row in self._kept.rows(t.PROCESSES, kind=kind, after=after, most=most))

    def open_processes(self, participant: str) -> int:
        """See the port."""
        found = self._kept.one(t.OPEN, participant=participant)
        return int(found["count"]) if found else 0

    def begun(self, participant: str, since: Instant) -> int:
        """See the port."""
        found = self._kept.one(t.BEGUN, participant=participant, since=since)
        return int(found["count"]) if found else 0

    def owed(self, pid: str) -> OwedRow | None:
        """See the port."""
        found = self._kept.one(t.OWED, key=pid)
        return OwedRow(**found) if found else None

    def all_owed(self) -> tuple[OwedRow, ...]:
        """See the port."""
        return tuple(OwedRow(**row) for row in self._kept.rows(t.ALL_OWED))

    def postpone(self, row: OwedRow) -> None:
        """See the port."""
        self.apply((Change("postpone", owed=row),))

    def contract(self, agreement: str, side: str) -> ContractRow | None:
        """See the port."""
        found = self._kept.one(t.CONTRACT, key=agreement, ours=side)
        return ContractRow(**found) if found else None

    def put_contract(self, row: ContractRow) -> None:
        """See the port."""
        self._kept.write(t.PUT_CONTRACT, **msgspec.structs.asdict(row))

    def contracts(self) -> tuple[ContractRow, ...]:
        """See the port."""
        return tuple(ContractRow(**row) for row in self._kept.rows(t.CONTRACTS))

    def token(self, transfer: str) -> TokenRow | None:
        """See the port."""
        found = self._kept.one(t.TOKEN, key=transfer)
        return TokenRow(**found) if found else None

    def answer(self, pid: str) -> AnswerRow | None:
        """See the port."""
        found = self._kept.one(t.ANSWER, key=pid)
        return AnswerRow(**(found | {"accepted": bool(found["accepted"])})) if found else None

    def add_note(self, row: NoteRow) -> None:
        """See the port."""
        self.apply((Change("note", note=row),))

    def notes(self, most: int = 100) -> tuple[NoteRow, ...]:
        """See the port."""
        return tuple(NoteRow(**row) for row in self._kept.rows(t.NOTES, most=most))

    def drop_note(self, number: int) -> None:
        """See the port."""
        self.apply((Change("drop", number=number),))


def _applied(work: Work, change: Change) -> bool:
    if change.step is not None:
        return _added(work, change.step) if change.do == "add" else _put(work, change.step)
    if change.owed is not None:
        row = change.owed
        return bool(work.write(t.POSTPONE, key=row.pid, same=row.body, tried=row.attempts, then=row.next_at))
    if change.note is not None:
        return bool(work.write(t.ADD_NOTE, **_note(change.note)))
    return bool(work.write(t.DROP_NOTE, key=change.number))


def _added(work: Work, step: Step) -> bool:
    if work.write(t.ADD_PROCESS, **msgspec.structs.asdict(step.row)) != 1:
        return False
    _keep(work, step)
    return True


def _put(work: Work, step: Step) -> bool:
    row = step.row
    values = {f"new_{name}": value for name, value in msgspec.structs.asdict(row).items() if name != "pid"}
    taken = work.one(t.TAKEN, kind=row.kind, side=row.side, participant=row.participant, peer_pid=row.peer_pid)
    if taken is not None and taken["pid"] != row.pid:
        return False
    if work.write(t.PUT_PROCESS, key=row.pid, before=row.version - 1, **values) != 1:
        return False
    work.write(t.DROP_OWED, key=row.pid)
    _keep(work, step)
    return True


def _keep(work: Work, step: Step) -> None:
    if step.owed is not None:
        work.write(t.PUT_OWED, **msgspec.structs.asdict(step.owed))
    if step.contract is not None:
        work.write(t.PUT_CONTRACT, **msgspec.structs.asdict(step.contract))
    if step.token is not None:
        work.write(t.PUT_TOKEN, **msgspec.structs.asdict(step.token))
    if step.note is not None:
        work.write(t.ADD_NOTE, **_note(step.note))
    if step.answer is not None:
        work.write(t.PUT_ANSWER, **msgspec.structs.asdict(step.answer) | {"accepted": int(step.answer.accepted)})


def _note(row: NoteRow) -> dict[str, object]:
    return {"kind": row.kind, "subject": row.subject, "at": row.at, "values": row.values}
