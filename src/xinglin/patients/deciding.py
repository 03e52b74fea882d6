"""What clerks decide: pairs under review, links and separations by hand, and everything undone again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.patients.errors import NoName, NotApart, SameClerk, UnknownPatient, UnknownReview
from xinglin.patients.index import PatientIndex
from xinglin.patients.model import (
    REVIEW_STATES,
    WORDS,
    Doubtful,
    Event,
    Happened,
    Link,
    Review,
    ReviewKind,
    Said,
    Statement,
    pair_of,
)
from xinglin.patients.ports import IndexWork
from xinglin.patients.rules import against, agreeing, differing, twins
from xinglin.patients.traits import traits_of

NAME_CHARACTERS = 100
_CHUNK = 5_000
"""Links that are proposed at once."""


class Clerks:
    """Decisions on one index; each has the name of whom it is of, and stays in the history."""

    def __init__(self, index: PatientIndex) -> None:
        self._index = index

    def confirm(self, number: int, by: str, at: Instant, words: str = "") -> Review:
        """They are one person. With four eyes, the first call supports it and another clerk's confirms."""
        _named(by, words)
        with self._index.store.alone() as work:
            review = _review(work, number)
            if self._index.policy.four_eyes and review.state != "supported":
                return self._move(work, review, "support", by, at, words)
            if review.state == "supported" and review.by == by:
                raise SameClerk("The same clerk looked twice.", remedy="Let another clerk confirm it.")
            return self._decided(work, review, "confirm", "link", by, at, words)

    def reject(self, number: int, by: str, at: Instant, words: str = "") -> Review:
        """They are not; the pair is not shown again unless what it says changes, and no rule links it."""
        _named(by, words)
        with self._index.store.alone() as work:
            return self._decided(work, _review(work, number), "reject", "apart", by, at, words)

    def defer(self, number: int, by: str, at: Instant, words: str = "") -> Review:
        """Later."""
        _named(by, words)
        with self._index.store.alone() as work:
            return self._move(work, _review(work, number), "defer", by, at, words)

    def reopen(self, number: int, by: str, at: Instant, words: str = "") -> Review:
        """Take a decision back: nothing is said of the pair, and it waits again."""
        _named(by, words)
        with self._index.store.alone() as work:
            return self._decided(work, _review(work, number), "reopen", "nothing", by, at, words)

    def link(self, one: str, other: str, by: str, at: Instant, words: str = "") -> Review | None:
        """Link two records by hand; with four eyes it becomes a review that another clerk confirms."""
        _named(by, words)
        pair = pair_of(one, other)
        with self._index.store.alone() as work:
            records = work.records(pair)
            if one == other or len(records) < 2:
                raise UnknownPatient("The index does not have both records.", remedy="See xinglin patients history.")
            traits = {key: traits_of(key, found.since, found.state) for key, found in records.items()}
            if not self._index.policy.four_eyes:
                self._say(work, Statement(pair, "link", at, "clerk"), by, words)
                return None
            mine, theirs = traits[pair[0]], traits[pair[1]]
            doubtful = Doubtful(pair, "manual", "clerk", agreeing(mine, theirs), differing(mine, theirs))
            known = next((review for review in work.reviews_of([one]) if review.doubtful.pair == pair), None)
            if known is not None and not known.waits:
                known = work.put_review(msgspec.structs.replace(known, doubtful=doubtful, state="open", opened_at=at))
            else:
                self._index.open_review(work, doubtful, traits, known, at)
            opened = next(review for review in work.reviews_of([one]) if review.doubtful.pair == pair)
            return opened if opened.state == "supported" else self._move(work, opened, "support", by, at, words)

    def unlink(self, one: str, other: str, by: str, at: Instant, words: str = "") -> tuple[str, ...]:
        """Say that a record is not of the person of another, or of anybody (``other`` empty); from whom it was
        parted. No rule links them again; ``reopen`` or ``link`` takes it back."""
        _named(by, words)
        with self._index.store.alone() as work:
            persons = work.persons_of([one])
            if one not in persons:
                raise NotApart("The record is linked to no other.", remedy="See xinglin patients history.")
            linked = self._group(work, one)
            if other and other not in linked:
                raise NotApart("The two records are not linked.", remedy="See xinglin patients history.")
            parted = tuple(sorted([other] if other else linked))
            for key in parted:
                _keep(work, Statement(pair_of(one, key), "apart", at, "clerk"), by, words)
            self._index.resolve_again(work, [one, *linked], at)
            return parted

    def propose(self, links: Sequence[Link], at: Instant) -> int:
        """Put pairs that are probably one person under review, and withdraw those that no longer are; how many opened.

        ``links``: pairs with their probability, at least the policy's ``lower``. From ``upper`` on they are marked
        as probable, unless something speaks against them or they may be twins.
        """
        opened = 0
        with self._index.store.alone() as work:
            found = {link.pair for link in links}
            for review in work.proposed():
                stale = review.doubtful.kind in ("probable", "possible") and review.doubtful.pair not in found
                if stale and review.state in ("open", "deferred"):
                    work.put_review(msgspec.structs.replace(review, state="withdrawn", decided_at=at))
                    work.happened([Happened(at, "withdraw", review.doubtful.pair, review.doubtful.rule)])
            for start in range(0, len(links), _CHUNK):
                opened += self._proposed(work, links[start : start + _CHUNK], at)
            if self._index.policy.research_uses_probable:
                self._index.resolve_again(work, {key for link in links for key in link.pair}, at)
        return opened

    def _proposed(self, work: IndexWork, links: Sequence[Link], at: Instant) -> int:
        keys = {key for link in links for key in link.pair}
        records, persons = work.records(keys), work.persons_of(keys)
        reviews = {review.doubtful.pair: review for review in work.reviews_of(keys)}
        parted = {one.pair for one in work.statements_of(keys) if one.said == "apart"}
        traits = {key: traits_of(key, one.since, one.state) for key, one in records.items()}
        opened = 0
        for link in links:
            if not set(link.pair) <= traits.keys() or link.probability < self._index.policy.lower:
                continue
            one, other = traits[link.pair[0]], traits[link.pair[1]]
            mine, theirs = persons.get(one.key), persons.get(other.key)
            together = mine is not None and theirs is not None and mine.person == theirs.person
            known = reviews.get(link.pair)
            if one.name.test or other.name.test or (link.pair in parted and known is None):
                continue
            if together and not (known is not None and known.waits):
                continue  # linked already, and not only for as long as nobody decides
            sure = link.probability >= self._index.policy.upper and not twins(one, other) and not against(one, other)
            kind: ReviewKind = "probable" if sure else "possible"
            doubtful = Doubtful(
                link.pair, kind, "probable", agreeing(one, other), differing(one, other), link.probability
            )
            opened += self._index.open_review(work, doubtful, traits, known, at)
        return opened

    def _group(self, work: IndexWork, key: str) -> set[str]:
        """Other records of the same person."""
        found, fresh = {key}, {key}
        while fresh:
            met = {one for link in work.links_of(fresh) for one in link.pair}
            fresh = met - found
            found |= met
        return found - {key}

    def _decided(
        self, work: IndexWork, review: Review, event: Event, said: Said, by: str, at: Instant, words: str
    ) -> Review:
        moved = self._move(work, review, event, by, at, words)
        self._say(work, Statement(review.doubtful.pair, said, at, "clerk"), by, words)
        return moved

    def _move(self, work: IndexWork, review: Review, event: Event, by: str, at: Instant, words: str) -> Review:
        state = REVIEW_STATES.move(review.state, event)
        if event == "reopen":
            clerks = {"by": "", "seconded_by": ""}
        elif event == "confirm" and review.state == "supported":
            clerks = {"seconded_by": by}
        else:
            clerks = {"by": by, "seconded_by": ""}
        moved = msgspec.structs.replace(review, state=state, decided_at=at, words=words, **clerks)
        work.put_review(moved)
        work.happened([Happened(at, event, review.doubtful.pair, review.doubtful.rule, (), by, words)])
        return moved

    def _say(self, work: IndexWork, statement: Statement, by: str, words: str) -> None:
        _keep(work, statement, by, words)
        self._index.resolve_again(work, statement.pair, statement.at)


def _review(work: IndexWork, number: int) -> Review:
    found = work.review(number)
    if found is None:
        raise UnknownReview("There is no review of this number.", remedy="See xinglin patients review.")
    return found


def _named(by: str, words: str) -> None:
    if not by.strip() or len(by) > NAME_CHARACTERS or not by.isprintable():
        raise NoName(f"A decision has the name of whom it is of (1 to {NAME_CHARACTERS} characters).")
    WORDS.check(len(words))


def _keep(work: IndexWork, statement: Statement, by: str, words: str) -> None:
    """What a clerk said, and that it was said."""
    work.put_statements([statement])
    told = f"{statement.said}: {words}" if words else statement.said
    work.happened([Happened(statement.at, "said", statement.pair, "clerk", (), by, told)])
