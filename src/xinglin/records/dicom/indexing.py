"""The index of instances, as those see it who fill it, ask it and count with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.records.dicom.brief import Brief

Level = Literal["studies", "series", "instances"]


class IndexedInstance(msgspec.Struct, frozen=True):
    """An instance and the object that holds it. ``attributes``: DICOM JSON of what queries answer."""

    digest: str
    sequence: int
    source: str
    retention: str
    brief: Brief
    attributes: bytes

    def __repr__(self) -> str:
        """Without attributes."""
        return f"IndexedInstance({self.digest}, {self.sequence}, {self.brief!r})"


class SeriesCount(msgspec.Struct, frozen=True):
    """A series of a source whose instances changed since its last summary; ``changed_at``: when, last."""

    source: str
    series: str
    changed_at: Instant


class InstanceQuery(msgspec.Struct, frozen=True):
    """A search. ``match``: value by column of the index (``*`` and ``?`` are wildcards, ``a-b`` a range of dates)."""

    level: Level
    match: tuple[tuple[str, str], ...] = ()
    limit: int = 100
    offset: int = 0


class FoundGroup(msgspec.Struct, frozen=True):
    """One study, series or instance that a search found; ``attributes`` of one of its instances."""

    study: str
    series: str
    instance: str
    attributes: bytes
    modalities: tuple[str, ...]
    series_count: int
    instance_count: int
    kept: str
    digest: str


class InstanceIndex(Protocol):
    """Where which instance lies; made from the raw store, and made again when it is lost."""

    def position(self) -> int:
        """How far the raw store was followed."""
        ...

    def add(self, instances: Sequence[IndexedInstance], position: int, now: Instant) -> None:
        """Add instances and move on, in one write; those that are there already stay."""
        ...

    def remove(self, digests: Sequence[str]) -> None:
        """Leave no byte of these."""
        ...

    def digests(self, after: str, limit: int) -> list[str]:
        """Digests of all objects in the index, in order, some at a time."""
        ...

    def search(self, query: InstanceQuery) -> list[FoundGroup]:
        """What a query finds; of an instance that was sent in several forms, the newest."""
        ...

    def changed(self, before: Instant, limit: int) -> list[SeriesCount]:
        """Series without a summary of what they are now, quiet since ``before``."""
        ...

    def of_series(self, source: str, series: str) -> list[tuple[Brief, str]]:
        """The newest form of each instance of a series, with its retention class."""
        ...

    def summarised(self, count: SeriesCount) -> None:
        """The summary of a series is durable; it stays changed if it changed after ``changed_at``."""
        ...
