"""Answering an add-checkpoint request: get the entries that were not pushed, then let the witness decide."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from xinglin.evidence.errors import EvidenceError, MissingHash
from xinglin.evidence.replica import open_checkpoint, unpack_entries
from xinglin.evidence.tree import CompactRange, leaf_hash
from xinglin.evidence.witnessing import Answer, Witness, parse_request
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

INVESTIGATED_ENTRIES = Limit("entries read to prove a fork", 262_144, "entries")

Fetch = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""Gets entries ``start`` to ``end - 1`` from the log, or from anyone: they are verified by who asks."""


async def attend(witness: Witness, body: bytes, pushed: bytes, fetch: Fetch) -> Answer:
    """Answer an add-checkpoint request whose entries were ``pushed`` with it (in whole, in part or not at all).

    What is missing is fetched. The caller serialises calls (one log sends one checkpoint at a time). Errors of
    ``fetch`` become 503: the log is asked again later.
    """
    demand = await asyncio.to_thread(witness.examine, body)
    if isinstance(demand, Answer):
        if demand.status == 422:
            await _investigate(witness, body, fetch)
        return demand
    wanted = demand.end - demand.start
    try:
        entries = list(unpack_entries(pushed)[:wanted])
        if len(entries) < wanted:
            entries += await fetch(demand.start + len(entries), demand.end)
    except EvidenceError as error:
        return Answer(422, f"{error}\n".encode())
    except (XinglinError, OSError) as error:
        return Answer(503, f"The entries could not be fetched: {error}\n".encode())
    return await asyncio.to_thread(witness.add_checkpoint, body, entries)


async def _investigate(witness: Witness, body: bytes, fetch: Fetch) -> None:
    """Keep the fork that a refused checkpoint proves, if its tree can be read; what cannot be read proves nothing.

    1. If the kept entries and the ones after them lead to its root, only the proof was wrong: no more is read.
    2. Otherwise the whole of its tree is read, and compared with the checkpoint last cosigned.
    """
    note = parse_request(body).note
    checkpoint = open_checkpoint(note, witness.log)[1]
    size, leaves = checkpoint.size, _Leaves()
    if size > INVESTIGATED_ENTRIES.value:
        return
    try:
        tree = await asyncio.to_thread(witness.tree)
        if size > tree.size:
            tree.extend(map(leaf_hash, await fetch(tree.size, size)))
            if tree.root() == checkpoint.root:  # 1
                return
        while leaves.size < size:  # 2
            leaves.add(await fetch(leaves.size, min(size, leaves.size + 4096)))
        await asyncio.to_thread(witness.accuse, note, leaves)
    except (XinglinError, OSError):
        return


class _Leaves:
    """A ``HashReader`` over entries as they come in; every complete subtree is kept."""

    def __init__(self) -> None:
        self._tree = CompactRange()
        self._nodes: dict[tuple[int, int], bytes] = {}

    @property
    def size(self) -> int:
        return self._tree.size

    def add(self, entries: Sequence[bytes]) -> None:
        if not entries:
            raise MissingHash("The log gives no more entries.")
        self._tree.extend(map(leaf_hash, entries), lambda level, at, digest: self._nodes.update({(level, at): digest}))

    def __call__(self, level: int, index: int, /) -> bytes:
        try:
            return self._nodes[level, index]
        except KeyError:
            raise MissingHash(f"No complete subtree {index} at level {level} was read.") from None
