"""The hub's store in memory: slow, obvious, and the reference for every other (port ``xinglin.hub.ports.HubStore``)."""

from __future__ import annotations

import threading

from xinglin.hub.ports import AgreementLine, AgreementRow, MessageRow, RunRow
from xinglin.kernel.instants import Instant


class MemoryHubStore:
    """Dictionaries under one lock; gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._invites: dict[str, tuple[str, Instant]] = {}
        self._used: set[str] = set()
        self._publications: dict[str, bytes] = {}
        self._agreements: dict[str, AgreementRow] = {}
        self._runs: dict[str, RunRow] = {}
        self._messages: list[tuple[str, MessageRow]] = []
        self._seen: dict[str, Instant] = {}

    def add_invite(self, secret_digest: str, role: str, expires: Instant) -> None:
        """See the port."""
        with self._lock:
            self._invites.setdefault(secret_digest, (role, expires))

    def use_invite(self, secret_digest: str, did: str, now: Instant) -> str | None:
        """See the port."""
        with self._lock:
            role, expires = self._invites.get(secret_digest, ("", now))
            if secret_digest in self._used or expires <= now:
                return None
            self._used.add(secret_digest)
            return role

    def put_publication(self, provider: str, descriptions: bytes) -> None:
        """See the port."""
        with self._lock:
            self._publications[provider] = descriptions

    def publications(self) -> tuple[tuple[str, bytes], ...]:
        """See the port."""
        with self._lock:
            return tuple(sorted(self._publications.items()))

    def put_agreement(self, row: AgreementRow) -> None:
        """See the port."""
        with self._lock:
            self._agreements[row.agreement_id] = row

    def agreement(self, agreement_id: str) -> AgreementRow | None:
        """See the port."""
        with self._lock:
            return self._agreements.get(agreement_id)

    def agreements(self) -> tuple[AgreementRow, ...]:
        """See the port."""
        with self._lock:
            return tuple(self._agreements.values())

    def agreement_lines(self) -> tuple[AgreementLine, ...]:
        """See the port."""
        return tuple(
            AgreementLine(one.agreement_id, one.state, one.provider, one.consumer) for one in self.agreements()
        )

    def add_run(self, row: RunRow) -> bool:
        """See the port."""
        with self._lock:
            if row.run_id in self._runs:
                return False
            self._runs[row.run_id] = row
            return True

    def put_run(self, row: RunRow) -> None:
        """See the port."""
        with self._lock:
            self._runs[row.run_id] = row

    def run(self, run_id: str) -> RunRow | None:
        """See the port."""
        with self._lock:
            return self._runs.get(run_id)

    def open_runs(self) -> tuple[RunRow, ...]:
        """See the port."""
        with self._lock:
            return tuple(row for row in self._runs.values() if row.state == "open")

    def add_message(self, run_id: str, row: MessageRow) -> bool:
        """See the port."""
        with self._lock:
            for run, kept in self._messages:
                if (run, kept.node, kept.kind, kept.round) == (run_id, row.node, row.kind, row.round):
                    return False
            self._messages.append((run_id, row))
            return True

    def messages(self, run_id: str) -> tuple[MessageRow, ...]:
        """See the port."""
        with self._lock:
            return tuple(row for run, row in self._messages if run == run_id)

    def drop_messages(self, run_id: str) -> None:
        """See the port."""
        with self._lock:
            self._messages = [(run, row) for run, row in self._messages if run != run_id]

    def remember(self, key: str, until: Instant, now: Instant) -> bool:
        """See the port."""
        with self._lock:
            self._seen = {known: end for known, end in self._seen.items() if end >= now}
            if key in self._seen:
                return False
            self._seen[key] = until
            return True
