"""Files into the lake: kept in groups, then carried batch by batch, with every record accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from xinglin.intake.model import BatchState, Source, Tally
from xinglin.intake.ports import Kept, Received
from xinglin.intake.procedure import never
from xinglin.kernel.instants import Clock, system_clock
from xinglin.node.intake.series import count_series, is_image
from xinglin.node.intake.wiring import OpenIntake
from xinglin.records.sniffing import HEAD_BYTES, sniff

GROUP_FILES = 256
GROUP_BYTES = 32 * 1024 * 1024
STREAMED_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024


class Loaded(msgspec.Struct, frozen=True):
    """What a loading did. ``known``: files that were kept before, which make no row; ``rows``: new ones by table.

    ``elsewhere``: of the known, those that another source brought, by its name. Their rows are that source's: under
    its mapping and its namespace.
    """

    files: int
    known: int
    size_bytes: int
    batches: int
    tally: Tally
    rows: dict[str, int]
    elsewhere: dict[str, int] = {}


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
) -> Loaded:
    """Keep each file and carry everything that waits into the lake; the same files again make no row twice.

    ``stopped`` is asked between files: what was kept is carried at the next call. Raises ``NotKept`` when the disk
    has no room, and ``BatchRefused`` when the tables do not take a batch; both lose nothing.
    """
    opened.ledger.register(source, clock())
    known = size = count = 0
    elsewhere: Counter[str] = Counter()
    images = False
    for group in _groups(files, source, clock):
        done = opened.raw.keep_all(group) if isinstance(group, list) else [_streamed(opened, group)]
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
    kept = Loaded(count, known, size, 0, Tally(), {}, dict(sorted(elsewhere.items())))
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


def _groups(files: Sequence[Path], source: Source, clock: Clock) -> Iterator[list[Received] | tuple[Path, Received]]:
    """Small files in groups, each large one by itself."""
    group: list[Received] = []
    waiting = 0
    for path in files:
        size = path.stat().st_size
        if size > STREAMED_BYTES:
            yield path, _described(path, source, b"", clock)
            continue
        if group and (len(group) == GROUP_FILES or waiting + size > GROUP_BYTES):
            yield group
            group, waiting = [], 0
        group.append(_described(path, source, path.read_bytes(), clock))
        waiting += size
    if group:
        yield group


def _described(path: Path, source: Source, body: bytes, clock: Clock) -> Received:
    if source.media_type:
        media_type = source.media_type
    else:
        with path.open("rb") as file:
            media_type = sniff(body[:HEAD_BYTES] or file.read(HEAD_BYTES), path.name).media_type
    return Received(body, source.name, media_type, clock(), source.retention, path.name)


def _streamed(opened: OpenIntake, large: tuple[Path, Received]) -> Kept:
    path, described = large
    with path.open("rb") as file:
        return opened.raw.keep_stream(iter(lambda: file.read(_CHUNK_BYTES), b""), described)
