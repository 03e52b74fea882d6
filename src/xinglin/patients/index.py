"""The patient index at work: takes versions of records, keeps links, persons, reviews and their history.

Whatever changes is resolved with everything it touches (``resolve``), compared with what held before, and written
down as versions: links that came and went, reviews that opened, rows for the lake's ``person_link``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.instants import Instant
from xinglin.patients.folding import NOTHING, REPLACED_BY, State, Version, fold
from xinglin.patients.model import (
    SHARED,
    Doubtful,
    Happened,
    Link,
    Pair,
    PersonOf,
    Policy,
    Review,
    Statement,
    Traits,
    pair_of,
)
from xinglin.patients.ports import IndexStore, IndexWork, Stored
from xinglin.patients.resolve import Resolution, newest_of, resolve
from xinglin.patients.rules import into_key, keys_of
from xinglin.patients.traits import traits_of

UNSEEN: Instant = 2**62
"""When a record was first seen that others name and no row has told of: it is older than none."""


class Taken(msgspec.Struct, frozen=True):
    """What a taking did: records told of, records that changed, rows for ``person_link``."""

    records: int
    changed: int
    rows: int


class Surroundings(msgspec.Struct, frozen=True):
    """Records with everything that touches them. ``buckets``: records under one text."""

    traits: dict[str, Traits]
    buckets: tuple[tuple[str, ...], ...]
    links: tuple[Link, ...]
    statements: tuple[Statement, ...]
    reviews: tuple[Review, ...]


class PatientIndex:
    """One hospital's index over its store."""

    def __init__(self, store: IndexStore, policy: Policy | None = None) -> None:
        self.store, self.policy = store, policy or Policy()

    def take(self, versions: Iterable[Version], at: Instant) -> Taken:
        """Take rows of ``patient``, in whatever order and however often; ``at``: when the node had them."""
        by_key: dict[str, list[Version]] = {}
        for version in versions:
            by_key.setdefault(version.patient, []).append(version)
        apart = _taken_apart(one for group in by_key.values() for one in group)
        with self.store.alone() as work:
            known = work.records(by_key)
            changed = {key: one for key, group in by_key.items() if (one := _folded(known.get(key), key, group))}
            rows = self._put(work, changed, known, apart, at)
        return Taken(len(by_key), len(changed), rows)

    def name(self, masters: Mapping[str, str], index: str, at: Instant, by: str) -> Taken:
        """Import a master index: the person (its own number there) of each record; "" takes one back."""
        with self.store.alone() as work:
            known = work.records(masters)
            erased = work.forgotten([key for key in masters if key not in known])
            changed = {}
            for key, person in masters.items():
                before = known.get(key) or Stored(key, UNSEEN, NOTHING)
                if key in erased or before.state.masters.get(index, "") == person:
                    continue
                named = {name: one for name, one in before.state.masters.items() if name != index}
                named |= {index: person} if person else {}
                changed[key] = Stored(key, before.since, msgspec.structs.replace(before.state, masters=named))
            work.happened(Happened(at, "crosswalk", (key, key), by=by, words=index) for key in changed)
            rows = self._put(work, changed, known, (), at)
        return Taken(len(masters), len(changed), rows)

    def meet(self, keys: Collection[str], at: Instant) -> Taken:
        """Records that facts name, and of which nothing else is known (``Patient/i-…``)."""
        with self.store.alone() as work:
            known = work.records(keys)
            left_out = work.forgotten(keys)
            new = {key: Stored(key, UNSEEN, NOTHING) for key in keys if key not in known and key not in left_out}
            rows = self._put(work, new, known, (), at)
        return Taken(len(keys), len(new), rows)

    def resolve_again(self, work: IndexWork, keys: Collection[str], at: Instant) -> int:
        """Resolve these records with everything they touch; how many rows for ``person_link`` came of it."""
        records = work.records(keys)
        return self._resolve(work, {key: traits_of(key, one.since, one.state) for key, one in records.items()}, at)

    def surroundings(self, work: IndexWork, seeds: Mapping[str, Traits]) -> Surroundings:
        """Everything that touches the seeds, directly or through others; a seed that nothing touches is left out."""
        traits = dict(seeds)
        buckets: dict[str, tuple[str, ...]] = {}
        links: dict[Pair, Link] = {}
        statements: dict[tuple[Pair, str], Statement] = {}
        reviews: dict[int, Review] = {}
        touched: set[str] = set()
        fresh = set(seeds)
        while fresh:
            met = _under_one_text(work, [traits[key] for key in fresh], buckets)
            for link in work.links_of(fresh):
                links[link.pair] = link
                met |= set(link.pair)
            for statement in work.statements_of(fresh):
                statements[statement.pair, statement.by] = statement
                met |= set(statement.pair)
            for review in work.reviews_of(fresh):
                reviews[review.number] = review
                touched |= set(review.doubtful.pair) & traits.keys()
                met |= set(review.doubtful.pair) if self._counts(review) else set()
            merged = {traits[key].merged for key in fresh} - {""}
            met |= merged
            touched |= met
            stored = work.records(met - traits.keys())
            traits |= {key: traits_of(key, one.since, one.state) for key, one in stored.items()}
            fresh = set(stored)
        touched |= set(work.persons_of(seeds))
        return Surroundings(
            {key: one for key, one in traits.items() if key in touched},
            tuple(buckets.values()),
            tuple(links.values()),
            tuple(statements.values()),
            tuple(reviews.values()),
        )

    def _counts(self, review: Review) -> bool:
        """Whether a probable link that waits for review is one meanwhile."""
        return self.policy.research_uses_probable and review.doubtful.kind == "probable" and review.waits

    def _put(
        self,
        work: IndexWork,
        changed: Mapping[str, Stored],
        known: Mapping[str, Stored],
        said: Sequence[Statement],
        at: Instant,
    ) -> int:
        """Keep changed records and statements, and resolve what says something new."""
        seeds, texts = {}, {}
        for key, one in changed.items():
            traits = traits_of(key, one.since, one.state)
            before = known.get(key)
            if before is not None and traits_of(key, before.since, before.state) == traits:
                continue
            seeds[key] = traits
            texts[key] = keys_of(traits)
        # A record that others were merged into may be one that no message has told of yet.
        targets = {one.merged for one in seeds.values() if one.merged} - seeds.keys()
        here = work.records(targets)
        bare = [Stored(key, UNSEEN, NOTHING) for key in targets if key not in here]
        work.put_records([*changed.values(), *bare])
        work.put_keys(texts, [key for key in texts if key in known])
        for one in bare:
            seeds[one.key] = traits_of(one.key, one.since, one.state)
        fresh = work.put_statements(said)
        work.happened(_told(one) for one in fresh)
        missing = {key for one in fresh for key in one.pair} - seeds.keys()
        seeds |= {key: traits_of(key, one.since, one.state) for key, one in work.records(missing).items()}
        return self._resolve(work, seeds, at)

    def _resolve(self, work: IndexWork, seeds: Mapping[str, Traits], at: Instant) -> int:
        around = self.surroundings(work, seeds)
        if not around.traits:
            return 0
        probable = [
            Link(one.doubtful.pair, "probable", one.doubtful.agree, one.doubtful.probability)
            for one in around.reviews
            if self._counts(one)
        ]
        found = resolve(around.traits, around.buckets, around.statements, probable)
        self._links(work, around, found, at)
        self._reviews(work, around, found, at)
        before = work.persons_of(around.traits)
        return self._persons(work, before, {one.patient: one for one in found.persons}, at)

    def _links(self, work: IndexWork, around: Surroundings, found: Resolution, at: Instant) -> None:
        before = {one.pair: one for one in around.links}
        after = {one.pair: one for one in reversed(found.links)}
        added = [one for one in after.values() if before.get(one.pair) != one]
        dropped = [pair for pair in before if pair not in after]
        work.put_links(added, dropped, at)
        work.happened(Happened(at, "linked", one.pair, one.rule, one.fields) for one in added)
        work.happened(Happened(at, "unlinked", pair, before[pair].rule, before[pair].fields) for pair in dropped)

    def _reviews(self, work: IndexWork, around: Surroundings, found: Resolution, at: Instant) -> None:
        known = {one.doubtful.pair: one for one in around.reviews}
        wanted = {one.pair: one for one in reversed(found.doubtful)}
        parted = {pair for pair, one in newest_of(around.statements).items() if one.said == "apart"}
        for doubtful in wanted.values():
            if doubtful.pair in parted and doubtful.pair not in known:
                continue
            self.open_review(work, doubtful, around.traits, known.get(doubtful.pair), at)
        linked = {one.pair for one in found.links}
        for pair, review in known.items():
            gone = review.doubtful.kind == "conflict" and pair not in wanted
            if review.state in ("open", "deferred") and (gone or pair in linked) and not self._counts(review):
                work.put_review(msgspec.structs.replace(review, state="withdrawn", decided_at=at))
                work.happened([Happened(at, "withdraw", pair, review.doubtful.rule)])

    def open_review(
        self, work: IndexWork, doubtful: Doubtful, traits: Mapping[str, Traits], known: Review | None, at: Instant
    ) -> bool:
        """Put a pair under review, unless it is, or was decided and says what it said then; whether it was."""
        one, other = (traits[key] for key in doubtful.pair)
        basis = work.basis(said_by(one), said_by(other))
        if known is None:
            work.put_review(Review(0, doubtful, "open", basis, at))
        elif known.state == "withdrawn" or (not known.waits and known.basis != basis):
            again = msgspec.structs.replace(
                known, doubtful=doubtful, state="open", basis=basis, opened_at=at, decided_at=0, by="", seconded_by=""
            )
            work.put_review(again)
        else:
            if known.waits and (known.doubtful, known.basis) != (doubtful, basis):
                work.put_review(msgspec.structs.replace(known, doubtful=doubtful, basis=basis))
            return False
        work.happened([Happened(at, "reviewed", doubtful.pair, doubtful.rule, doubtful.differ)])
        return True

    def _persons(
        self, work: IndexWork, before: Mapping[str, PersonOf], after: Mapping[str, PersonOf], at: Instant
    ) -> int:
        rows = [one for key, one in sorted(after.items()) if before.get(key) != one]
        rows += [PersonOf(key, "", "unlinked") for key in sorted(before) if key not in after]
        if rows:
            work.publish(rows, at)
        return len(rows)


def said_by(traits: Traits) -> bytes:
    """What a record says, for a digest: a decision holds as long as it is the same."""
    return encode_msgpack(msgspec.structs.replace(traits, since=0, merged_at=0, merged_heard=0))


def _folded(before: Stored | None, key: str, versions: Sequence[Version]) -> Stored | None:
    """The record with these versions; None where they tell nothing new."""
    state: State = before.state if before else NOTHING
    for version in versions:
        state = fold(state, version)
    first = min(version.stamp[1] for version in versions)
    if before is not None and state is before.state and before.since <= first:
        return None
    return Stored(key, min(before.since, first) if before else first, state)


def _taken_apart(versions: Iterable[Version]) -> list[Statement]:
    """Pairs that a source took apart: two records of one message that both are merged into nothing (A37)."""
    together: dict[tuple[str, str, Instant, Instant], set[str]] = {}
    for one in versions:
        if one.partial and REPLACED_BY in one.cleared and one.values[REPLACED_BY] is None:
            at, heard, _, _, place, message = one.stamp
            together.setdefault((message, place.rpartition("PID")[0], at, heard), set()).add(one.patient)
    return [
        Statement(pair_of(*sorted(keys)), "apart", at, "source", heard)
        for (_, _, at, heard), keys in together.items()
        if len(keys) == 2
    ]


def _told(one: Statement) -> Happened:
    return Happened(one.at, "said", one.pair, by=one.by, words=one.said)


def _under_one_text(work: IndexWork, records: Sequence[Traits], buckets: dict[str, tuple[str, ...]]) -> set[str]:
    """Records that share a text with these; into ``buckets`` where few enough share it."""
    met: set[str] = set()
    asked = {text for one in records for text in keys_of(one) if not text.startswith("into ")} - buckets.keys()
    for text, keys in work.sharing(asked, 2).items():
        met |= set(keys)
        buckets[text] = keys if len(keys) <= SHARED.value else ()
    for keys in work.sharing({into_key(one.key) for one in records}, 1).values():
        met |= set(keys)
    return met
