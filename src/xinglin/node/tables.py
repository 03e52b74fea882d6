"""What this hospital publishes, and the pinned snapshots that studies read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from xinglin.catalogue import DataSetDescription, check_data_set
from xinglin.catalogue.confirming import (
    GradeConfirmation,
    SettledGrade,
    described_suggestions,
    settled_description,
    settled_grades,
    unconfirmed,
)
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied
from xinglin.stores.tls import write_private
from xinglin.wire.errors import Refused

PUBLISHED_FILE = "published.json"


Words = Callable[[str], Sequence[GradeConfirmation]]
"""The newest words of persons on the grades of a data set."""


def _nobodys(data_set: str) -> tuple[GradeConfirmation, ...]:
    """No word: every suggested grade holds."""
    return ()


class NotPublished(XinglinError):
    """A data set that this hospital does not publish."""

    code = "node.not_published"


class Tables:
    """Published descriptions, kept in the node's folder as the hospital wrote them, with the grades that hold."""

    def __init__(self, folder: Path, did: str, words: Words = _nobodys) -> None:
        self._file, self._did, self._words = folder / PUBLISHED_FILE, did, words
        self._published: dict[str, DataSetDescription] = {}
        if self._file.exists():
            found = msgspec.json.decode(self._file.read_bytes(), type=tuple[DataSetDescription, ...])
            self._published = {one.name: one for one in found}

    @property
    def published(self) -> dict[str, DataSetDescription]:
        """Data sets by name."""
        return dict(self._published)

    def publish(self, data_set: DataSetDescription) -> DataSetDescription:
        """Publish (or replace) a description as this hospital's; ``Refused`` when it is not well formed.

        Guarantee: a column on whose grade nobody's word stands is published at the suggested grade or above.
        """
        mine = msgspec.structs.replace(data_set, provider=self._did)
        verdict = check_data_set(mine)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)
        mine = settled_description(mine, self._settled(mine))
        self._published[mine.name] = mine
        write_private(self._file, self.encoded())
        return mine

    def unconfirmed(self, data_set: DataSetDescription) -> tuple[SettledGrade, ...]:
        """The columns of a description on whose grade no person's word stands."""
        return unconfirmed(data_set, self._settled(data_set))

    def _settled(self, data_set: DataSetDescription) -> tuple[SettledGrade, ...]:
        return settled_grades(described_suggestions(data_set), self._words(data_set.name))

    def encoded(self) -> bytes:
        """All descriptions, as they travel."""
        return msgspec.json.encode(tuple(self._published.values()))

    def described(self, name: str) -> DataSetDescription:
        """The description of a data set; raises ``NotPublished``."""
        if name not in self._published:
            raise NotPublished(f"'{name[:80]}' is not published here.", remedy="See what is: xinglin node tables.")
        return self._published[name]
