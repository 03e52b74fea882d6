"""A participant's entries are read once, later ones when they come, and another's never."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from xinglin.console import book_party
from xinglin.console.book import Found
from xinglin.console.book_party import PartyEntries
from xinglin.evidence.entry import Entry
from xinglin.trust.keys import PrivateKeys

A, B = PrivateKeys.generate().did, PrivateKeys.generate().did


class Log:
    """Entries by index; ``read``: which were read, in order."""

    def __init__(self, *by: str) -> None:
        self.by, self.read = list(by), list[int]()

    def indices(self, kinds: Sequence[str], party: str, after: int) -> list[int]:
        return [index for index in range(len(self.by)) if index > after]

    def at(self, indices: Sequence[int]) -> list[Found]:
        self.read += indices
        return [Found(index, Entry(kind="delivered", at=1, submitter=self.by[index])) for index in indices]


def test_each_entry_is_read_once_and_new_ones_when_they_come() -> None:
    log = Log(A, B, A)
    entries = PartyEntries(log.indices, log.at)
    assert [one.index for one in entries.of(A, ("delivered",))] == [0, 2]
    log.by += [B, A]
    assert [one.index for one in entries.of(A, ("delivered",))] == [0, 2, 4]
    assert log.read == [0, 1, 2, 3, 4], "nothing is read twice"
    assert [one.index for one in entries.of(B, ("delivered",))] == [1, 3]
    entries.forget()
    assert [one.index for one in entries.of(A, ("delivered",))] == [0, 2, 4] and log.read.count(0) == 3


def test_more_than_is_kept_is_read_each_time_and_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_party, "ENTRIES", 2)
    log = Log(*[A] * 5)
    entries = PartyEntries(log.indices, log.at)
    for _ in range(2):
        assert len(entries.of(A, ("delivered",))) == 5
    assert log.read.count(0) == 2


def test_an_entry_that_cannot_be_read_leaves_nothing_behind() -> None:
    log = Log(A, A)
    failing = [True]

    def at(indices: Sequence[int]) -> list[Found]:
        if failing[0]:
            raise OSError("the disk")
        return log.at(indices)

    entries = PartyEntries(log.indices, at)
    with pytest.raises(OSError, match="the disk"):
        entries.of(A, ("delivered",))
    failing[0] = False
    assert len(entries.of(A, ("delivered",))) == 2
