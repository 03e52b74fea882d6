"""What the patient index needs from outside: a place to keep itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.patients.folding import State
from xinglin.patients.model import (
    Happened,
    Link,
    Pair,
    PersonOf,
    Review,
    Statement,
)


class Stored(msgspec.Struct, frozen=True):
    """A record as it is kept: when it was first seen, and its registers."""

    key: str
    since: Instant
    state: State


class IndexWork(Protocol):
    """One transaction, beside which nobody else is in one; whole or not at all."""

    def records(self, keys: Collection[str]) -> dict[str, Stored]:
        """Those of these records that are known."""
        ...

    def put_records(self, records: Sequence[Stored]) -> None:
        """Keep records, new or changed."""
        ...

    def put_keys(self, texts: Mapping[str, Sequence[str]], known: Collection[str]) -> None:
        """The texts that each record is found by, instead of those it had (``known``: records that may have some)."""
        ...

    def sharing(self, texts: Collection[str], least: int) -> dict[str, tuple[str, ...]]:
        """Records by text, where a text has at least ``least``; too many (twice ``SHARED``) are left out."""
        ...

    def links_of(self, keys: Collection[str]) -> list[Link]:
        """Links that hold of these records."""
        ...

    def statements_of(self, keys: Collection[str]) -> list[Statement]:
        """What was said of pairs with these records."""
        ...

    def persons_of(self, keys: Collection[str]) -> dict[str, PersonOf]:
        """Whom these records are of, where they are of a person of several records."""
        ...

    def reviews_of(self, keys: Collection[str]) -> list[Review]:
        """Reviews of pairs with these records, in whatever state."""
        ...

    def proposed(self) -> list[Review]:
        """Reviews of pairs that were found by probability, in whatever state."""
        ...

    def review(self, number: int) -> Review | None:
        """One review."""
        ...

    def put_links(self, added: Sequence[Link], dropped: Sequence[Pair], at: Instant) -> None:
        """Links that hold from now on (instead of the pair's), and pairs that are no longer linked."""
        ...

    def put_statements(self, statements: Sequence[Statement]) -> list[Statement]:
        """Keep statements that are newer than what the same speaker said of the pair; which those are."""
        ...

    def put_review(self, review: Review) -> Review:
        """Keep a review; a new one (number 0) gets its number."""
        ...

    def happened(self, events: Iterable[Happened]) -> None:
        """Add to the history."""
        ...

    def publish(self, rows: Sequence[PersonOf], at: Instant) -> Instant:
        """Keep persons, and rows for ``person_link`` under the next number; their instant: ``at`` or later."""
        ...

    def basis(self, one: bytes, other: bytes) -> str:
        """A digest, under the index's own key, of what two records say."""
        ...

    def forgotten(self, keys: Collection[str]) -> set[str]:
        """Those of these keys that were erased."""
        ...


class IndexStore(Protocol):
    """Keeps one hospital's patient index. Every write is durable when its transaction ends."""

    def alone(self) -> AbstractContextManager[IndexWork]:
        """A transaction."""
        ...
