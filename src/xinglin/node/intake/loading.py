"""Files into the lake: kept in groups, then carried batch by batch, with every record accounted for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from xinglin.intake.model import BatchState, Source, Tally
from xinglin.intake.ports import Kept, Received
from xinglin.intake.procedure import never
from xinglin.kernel.instants import Clock, system_clock
from xinglin.node.intake.marks import UNSEEN, Marks
from xinglin.node.intake.series import count_series, is_image
from xinglin.node.intake.unread import Aside, FileNotOpened, UnreadFile, check_unchanged, open_file
from xinglin.node.intake.wiring import OpenIntake
from xinglin.records.sniffing import HEAD_BYTES, sniff

GROUP_FILES = 256
GROUP_BYTES = 32 * 1024 * 1024
STREAMED_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024


class Loaded(msgspec.Struct, frozen=True):
    """What a loading did. ``known``: files that were kept before, which make no row; ``rows``: new ones by table.

    ``elsewhere``: of the known, those that another source brought, by its name. Their rows are that source's: under
    its mapping and its namespace. ``unread``: files that could not be opened; the others were kept.
    """

    files: int
    known: int
    size_bytes: int
    batches: int
    tally: Tally
    rows: dict[str, int]
    elsewhere: dict[str, int] = {}
    unread: tuple[UnreadFile, ...] = ()


class Progress(msgspec.Struct, frozen=True):
    """How far a loading is."""

    kept: int
    files: int
    records: int


Tell = Callable[[Progress], None]


def load(
    opened: OpenIntake,
    source: Source,
    files: Sequence[Path],
    *,
    tell: Tell | None = None,
    stopped: Callable[[], bool] = never,
    clock: Clock = system_clock,
    marks: Marks | None = None,
) -> Loaded:
    """Keep each file and carry everything that waits into the lake; the same files again make no row twice.

    A file that cannot be opened (any more) is told, and the others are kept. ``marks``: as they were looked at; one
    that was changed since is told as well. ``stopped`` is asked between files: what was kept is carried at the next
    call. Raises ``NotKept`` when the disk has no room, and ``BatchRefused`` when the tables do not take a batch; both
    lose nothing.
    """
    opened.ledger.register(source, clock())
    known = size = count = 0
    elsewhere: Counter[str] = Counter()
    images, aside = False, Aside()
    seen = dict.fromkeys(files, "") if marks is None else {one: marks.get(one, UNSEEN) for one in files}
    for group in _groups(seen, source, clock, aside):
        done = opened.raw.keep_all(group) if isinstance(group, list) else _streamed(opened, group, aside, seen)
        known += sum(one.known for one in done)
        size += sum(one.size_bytes for one in done)
        count += len(done)
        elsewhere.update(one.source for one in done if one.known and one.source != source.name)
        images |= any(is_image(one.media_type) for one in done)
        if tell is not None:
            tell(Progress(count, len(files), 0))
        if stopped():
            break
    if images:
        # Each series' count of instances is an object of its own, carried with what it counts.
        count_series(opened.folder, opened.raw, clock)
    kept = Loaded(count, known, size, 0, Tally(), {}, dict(sorted(elsewhere.items())), aside.told)
    return _carried(opened, kept, len(files), tell, stopped)


def _carried(opened: OpenIntake, loaded: Loaded, files: int, tell: Tell | None, stopped: Callable[[], bool]) -> Loaded:
    total, rows = Tally(), dict[str, int]()

    def count(batch: BatchState) -> None:
        nonlocal total
        total = total.plus(batch.plan.tally)
        for table, number in batch.plan.rows.items():
            rows[table] = rows.get(table, 0) + number
        if tell is not None:
            tell(Progress(loaded.files, files, total.received))

    batches = opened.intake.drain(stopped, count)
    return msgspec.structs.replace(loaded, batches=len(batches), tally=total, rows=dict(sorted(rows.items())))


def _groups(
    files: Marks, source: Source, clock: Clock, aside: Aside
) -> Iterator[list[Received] | tuple[Path, Received]]:
    """Small files in groups, each large one by itself."""
    group: list[Received] = []
    waiting = 0
    for path, mark in files.items():
        with aside.if_bad(path):
            head, size = _begun(path, mark)
        if path in aside:
            continue
        described = _described(path, source, head, clock)
        if size > STREAMED_BYTES:
            yield path, described
            continue
        if group and (len(group) == GROUP_FILES or waiting + size > GROUP_BYTES):
            yield group
            group, waiting = [], 0
        group.append(msgspec.structs.replace(described, body=head))
        waiting += size
    if group:
        yield group


def _begun(path: Path, mark: str) -> tuple[bytes, int]:
    """A small file whole, the beginning of a large one; and its size."""
    with open_file(path, mark) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            body = file.read(HEAD_BYTES if size > STREAMED_BYTES else -1)
        except OSError as error:
            raise FileNotOpened(error.errno, error.strerror, str(path)) from error
        check_unchanged(file, path, mark)
    return body, size


def _described(path: Path, source: Source, head: bytes, clock: Clock) -> Received:
    """What is kept beside the bytes."""
    media_type = source.media_type or sniff(head[:HEAD_BYTES], path.name).media_type
    return Received(b"", source.name, media_type, clock(), source.retention, path.name)


def _streamed(opened: OpenIntake, large: tuple[Path, Received], aside: Aside, seen: Marks) -> list[Kept]:
    path, described = large
    with aside.if_bad(path), open_file(path, seen[path]) as file:
        return [opened.raw.keep_stream(_parts(file, path, seen[path]), described)]
    return []


def _parts(file: IO[bytes], path: Path, mark: str) -> Iterator[bytes]:
    """A file part by part; what is changed while it is read is not kept."""
    while part := file.read(_CHUNK_BYTES):
        yield part
    check_unchanged(file, path, mark)
