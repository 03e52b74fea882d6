"""The contract of ``xinglin.intake.ports.RawStore``: a test class derived from it needs a fixture ``store``.

Every implementation passes it; ``MemoryRawStore`` is the reference.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from xinglin.intake.errors import RawErased, RawMissing, RawRetained, UnknownRetention
from xinglin.intake.ports import RETENTION_YEARS, YEAR_MS, RawStore, Received
from xinglin.kernel.errors import MalformedMessage

INLINE_BYTES = 4_096
"""Bodies longer than this are large objects at the stores under test."""


def received(body: bytes, label: str = "", at: int = 1_000, retention: str = "outpatient") -> Received:
    """An object of a feed ``his``."""
    return Received(body, "his", "x-application/hl7-v2+er7", at, retention, label)


def digest_of(body: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def expect(holds: bool, words: str) -> None:
    """Fail in words."""
    if not holds:
        raise AssertionError(words)


def refused(kind: type[Exception], call: Callable[[], object]) -> None:
    """Fail unless ``call`` raises an error of ``kind``."""
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


BODIES = (b"", b"\0", b"MSH|^~\\&|HIS\r" * 40, bytes(range(256)) * 16, b"x" * (INLINE_BYTES + 1), b"pixel" * 700_000)
"""Empty, tiny, compressible, as long as fits a segment, one more, and several chunks."""


class RawStoreContract:
    """What holds at every raw store."""

    async def test_what_is_kept_is_read_back(self, store: RawStore) -> None:
        """Bytes, and all that was said of them."""
        for number, body in enumerate(BODIES, 1):
            kept = await store.keep(received(body, f"message {number}"))
            expect(kept.digest == digest_of(body) and kept.sequence == number, "digest and number")
            expect(not kept.known and kept.size_bytes == len(body), "new, with its size")
            expect(store.read(kept.digest) == body, f"body {number}")
            expect(b"".join(store.read_stream(kept.digest)) == body, f"stream {number}")
        listed = store.after(0, 100)
        expect([each.digest for each in listed] == [digest_of(body) for body in BODIES], "in the order of first keep")
        expect([each.label for each in listed] == [f"message {n}" for n in range(1, 7)], "labels")
        expect(
            {(each.source, each.media_type, each.received_at) for each in listed}
            == {("his", received(b"").media_type, 1_000)},
            "said",
        )
        expect(store.count() == len(BODIES) and store.size() == sum(map(len, BODIES)), "totals")
        expect(store.find(listed[3].digest) == listed[3], "found as listed")

    async def test_the_same_bytes_are_kept_once(self, store: RawStore) -> None:
        """Whoever sends them, and whatever is said of them the second time."""
        for body in (b"small", b"large" * 2_000):
            first = await store.keep(received(body, "first", at=5))
            again = await store.keep(Received(body, "lis", "text/plain", 9, "inpatient", "second"))
            expect(again.known and again.sequence == first.sequence, "known, under its number")
            said = (again.source, again.received_at, again.retention, again.label)
            expect(said == ("his", 5, "outpatient", "first"), "what was said first holds")
        expect(store.count() == 2, "kept once")

    async def test_the_same_bytes_at_once_are_new_to_one(self, store: RawStore) -> None:
        """Concurrent callers."""
        for body in (b"small", b"large" * 2_000):
            outcomes = await asyncio.gather(*(store.keep(received(body)) for _ in range(20)))
            expect(sum(not each.known for each in outcomes) == 1, "new once")
            expect(len({each.sequence for each in outcomes}) == 1, "one number")
            expect(store.read(digest_of(body)) == body, "readable")
        expect(store.count() == 2, "kept once")

    def test_several_in_one_write(self, store: RawStore) -> None:
        """In order, with repetitions; an empty list is nothing."""
        kept = store.keep_all([received(b"a"), received(b"b"), received(b"a"), received(b"c" * 5_000)])
        expect([each.sequence for each in kept] == [1, 2, 1, 3], "numbers")
        expect([each.known for each in kept] == [False, False, True, False], "known")
        expect(store.keep_all([]) == [], "nothing")

    def test_a_stream_is_kept_as_its_bytes(self, store: RawStore) -> None:
        """Short and long ones; the same bytes as a body are the same object."""
        for pieces in ([], [b"a", b"", b"b"], [b"frame" * 1_000] * 700):
            kept = store.keep_stream(iter(pieces), received(b""))
            expect(kept.digest == digest_of(b"".join(pieces)) and not kept.known, "digest")
            expect(store.read(kept.digest) == b"".join(pieces), "body")
            expect(store.keep_stream(iter(pieces), received(b"")).known, "known as a stream")
            expect(store.keep_all([received(b"".join(pieces))])[0].known, "known as a body")
        refused(ValueError, lambda: store.keep_stream([b"a"], received(b"b")))

    def test_a_stream_that_breaks_keeps_nothing(self, store: RawStore) -> None:
        """What the source raises is raised."""
        for count in (1, 3_000):

            def broken(pieces: int = count) -> object:
                yield from (b"part" * 100 for _ in range(pieces))
                raise ConnectionError

            refused(ConnectionError, lambda: store.keep_stream(broken(), received(b"")))  # type: ignore[arg-type]
        expect(store.count() == 0 and store.after(0, 10) == [], "nothing")

    def test_pages(self, store: RawStore) -> None:
        """``after`` goes on where a page ended."""
        store.keep_all([received(b"%d" % n) for n in range(25)])
        seen: list[int] = []
        while page := store.after(seen[-1] if seen else 0, 10):
            expect(len(page) <= 10, "at most the limit")
            seen += [each.sequence for each in page]
        expect(seen == list(range(1, 26)), "every one, once")

    def test_what_was_never_kept(self, store: RawStore) -> None:
        """Missing is missing; no digest is no digest."""
        refused(RawMissing, lambda: store.read(digest_of(b"never")))
        refused(RawMissing, lambda: b"".join(store.read_stream(digest_of(b"never"))))
        expect(store.find(digest_of(b"never")) is None, "not found")
        for text in ("", "ab", "g" * 64, digest_of(b"x") + "00"):
            refused(MalformedMessage, lambda digest=text: store.read(digest))  # type: ignore[misc]

    def test_an_unknown_retention_is_refused(self, store: RawStore) -> None:
        """Before anything is kept."""
        refused(UnknownRetention, lambda: store.keep_all([received(b"a"), received(b"b", retention="for ever")]))
        expect(store.count() == 0, "nothing")

    async def test_what_is_erased_is_gone_and_stays_gone(self, store: RawStore) -> None:
        """Others keep their numbers; the bytes are refused when they come again, alone or among others."""
        kept = store.keep_all([received(b"%d" % n * (1 if n % 2 else 9_000), f"label {n}") for n in range(10)])
        gone = [kept[2], kept[5], kept[9]]
        unknown = digest_of(b"to come")
        store.erase([*(each.digest for each in gone), unknown])
        for each in gone:
            refused(RawErased, lambda digest=each.digest: store.read(digest))  # type: ignore[misc]
            expect(store.find(each.digest) is None, "not found")
        rest = [each for each in kept if each not in gone]
        expect([each.sequence for each in store.after(0, 99)] == [each.sequence for each in rest], "numbers stay")
        expect([each.label for each in store.after(0, 99)] == [each.label for each in rest], "labels stay")
        expect(all(digest_of(store.read(each.digest)) == each.digest for each in rest), "others are read")
        expect(store.count() == 7 and store.size() == sum(each.size_bytes for each in rest), "totals")
        refused(RawErased, lambda: store.keep_all([received(b"new"), received(b"5")]))
        refused(RawErased, lambda: store.keep_all([received(b"2" * 9_000)]))
        refused(RawErased, lambda: store.keep_all([received(b"to come")]))
        expect(store.find(digest_of(b"new")) is None, "all or nothing")
        try:
            await store.keep(received(b"to come"))
        except RawErased:
            expect((await store.keep(received(b"new"))).sequence == 11, "the newest number is not given again")
            return
        raise AssertionError("an erased object was kept")

    def test_erasing_twice_is_erasing_once(self, store: RawStore) -> None:
        """And erasing everything leaves an empty store that goes on."""
        kept = store.keep_all([received(b"a"), received(b"b" * 9_000)])
        for _ in range(2):
            store.erase([each.digest for each in kept])
        expect(store.count() == 0 and store.size() == 0 and store.after(0, 9) == [], "empty")
        expect(store.keep_all([received(b"c")])[0].sequence == 3, "goes on")

    def test_nothing_is_erased_before_its_time_but_by_order(self, store: RawStore) -> None:
        """``expire`` lists, ``erase_expired`` checks, ``erase`` is an order."""
        for retention in sorted(RETENTION_YEARS):
            store.keep_all([received(retention.encode(), at=1_000, retention=retention)])
        for retention, years in RETENTION_YEARS.items():
            end = 1_000 + years * YEAR_MS
            due = {each.digest for each in store.expire(end)}
            expect(digest_of(retention.encode()) in due, "due at its end")
            if years:
                early = [each.digest for each in store.expire(end - 1)]
                expect(digest_of(retention.encode()) not in early, "and no millisecond earlier")
        inpatient, sample = digest_of(b"inpatient"), digest_of(b"sample")
        refused(RawRetained, lambda: store.erase_expired([sample, inpatient], 1_000 + 30 * YEAR_MS - 1))
        expect(store.count() == len(RETENTION_YEARS), "nothing was erased")
        expect(len(store.expire(1_000 + 30 * YEAR_MS, limit=2)) == 2, "at most the limit")
        store.erase_expired([sample, inpatient], 1_000 + 30 * YEAR_MS)
        store.erase([digest_of(b"outpatient")])
        expect(store.count() == len(RETENTION_YEARS) - 3, "two at their time, one by order")
