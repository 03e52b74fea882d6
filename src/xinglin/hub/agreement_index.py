"""Agreements found by study and by party, without reading what was signed each time."""

from __future__ import annotations

import msgspec

from xinglin.contract import Agreement
from xinglin.hub.ports import AgreementLine, HubStore
from xinglin.kernel.instants import Instant
from xinglin.trust.envelope import Signed


class Indexed(msgspec.Struct, frozen=True):
    """An agreement as it stands (``line``), with what its offer says: that never changes."""

    line: AgreementLine
    study: str
    data_set: str
    made: Instant


class AgreementIndex:
    """Reads states anew at each question, and each offer once. ``made`` orders what is found, oldest first."""

    def __init__(self, store: HubStore) -> None:
        self._store = store
        self._said: dict[str, tuple[str, str, Instant]] = {}

    def every(self) -> list[Indexed]:
        """All agreements, oldest first."""
        found = [Indexed(line, *self._of(line.agreement_id)) for line in self._store.agreement_lines()]
        return sorted(found, key=lambda one: one.made)

    def of_study(self, study: str) -> list[Indexed]:
        """Agreements of a study, oldest first."""
        return [one for one in self.every() if one.study == study]

    def by_study(self, consumer: str = "") -> dict[str, list[Indexed]]:
        """Agreements by study, oldest first; those that ``consumer`` (a DID) offered where one is named."""
        found: dict[str, list[Indexed]] = {}
        for one in self.every():
            if consumer in ("", one.line.consumer):
                found.setdefault(one.study, []).append(one)
        return found

    def _of(self, agreement_id: str) -> tuple[str, str, Instant]:
        if agreement_id not in self._said:
            row = self._store.agreement(agreement_id)
            if row is None:
                return "", "", 0
            said = msgspec.json.decode(Signed.from_bytes(row.offered).payload, type=Agreement)
            self._said[agreement_id] = (said.study, said.data_set, said.made)
        return self._said[agreement_id]
