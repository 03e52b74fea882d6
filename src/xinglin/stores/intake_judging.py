"""Which rows of a batch are new, by the digests of their facts and contents; whole batches at once."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from xinglin.intake.digests import SIZE_BYTES
from xinglin.intake.ports import Judged

_DIGEST = struct.Struct(f"{SIZE_BYTES}s")
Known = Callable[[bytes], dict[bytes, bytes]]
_Pairs = tuple[list[bytes], list[bytes]]


def split(joined: bytes) -> list[bytes]:
    """The digests that are joined."""
    return [one for (one,) in _DIGEST.iter_unpack(joined)]


def judge(rows: Mapping[str, tuple[bytes, bytes]], known: Known) -> Judged:
    """Which rows are new. ``known`` gives the contents that the ledger has of facts (joined, ascending).

    A row is new when its fact and version are not known, or known with another content. One fact and version that
    comes with several contents in one batch is new each time its content changes.
    """
    facts = b"".join(rows[table][0] for table in sorted(rows))
    contents = b"".join(rows[table][1] for table in sorted(rows))
    in_order, contents_in_order, distinct = _ascending(facts, contents)
    held = known(in_order)
    if not held and distinct:
        return Judged({table: frozenset() for table in rows}, (in_order, contents_in_order), _digest_of_all(rows))
    return _one_by_one(rows, held)


def _ascending(facts: bytes, contents: bytes) -> tuple[bytes, bytes, bool]:
    """Both in the order of the facts, and whether these are all different."""
    import numpy as np

    halves = np.frombuffer(facts, ">u8").reshape(-1, 2).astype(np.uint64)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    ordered = halves[order]
    distinct = bool((ordered[1:] != ordered[:-1]).any(axis=1).all())
    whole = f"V{SIZE_BYTES}"
    return np.frombuffer(facts, whole)[order].tobytes(), np.frombuffer(contents, whole)[order].tobytes(), distinct


def _digest_of_all(rows: Mapping[str, tuple[bytes, bytes]]) -> str:
    """What ``_one_by_one`` says of rows that are all new."""
    import numpy as np

    told = hashlib.sha256()
    for table in sorted(rows):
        pairs = np.empty((len(rows[table][0]) // SIZE_BYTES, 2), f"V{SIZE_BYTES}")
        pairs[:, 0], pairs[:, 1] = (np.frombuffer(one, pairs.dtype) for one in rows[table])
        told.update(table.encode() + b"\x00" + pairs.tobytes())
    return "sha256:" + told.hexdigest()


def _one_by_one(rows: Mapping[str, tuple[bytes, bytes]], known: Mapping[bytes, bytes]) -> Judged:
    order = {table: (split(facts), split(contents)) for table, (facts, contents) in rows.items()}
    changing = _changing(order.values())
    last: dict[bytes, bytes] = {}
    for facts, contents in order.values():
        last.update(zip(facts, contents, strict=True))
    repeated: dict[str, frozenset[int]] = {}
    told = hashlib.sha256()
    seen: dict[bytes, bytes] = {}
    for table in sorted(order):
        dropped: set[int] = set()
        told.update(table.encode() + b"\x00")
        for at, (fact, content) in enumerate(zip(*order[table], strict=True)):
            if seen.get(fact) == content or (fact not in changing and known.get(fact) == content):
                dropped.add(at)
            else:
                told.update(fact + content)
            seen[fact] = content
        repeated[table] = frozenset(dropped)
    fresh = sorted(pair for pair in last.items() if pair[0] in changing or known.get(pair[0]) != pair[1])
    joined = b"".join(fact for fact, _ in fresh), b"".join(content for _, content in fresh)
    return Judged(repeated, joined, "sha256:" + told.hexdigest())


def _changing(order: Iterable[_Pairs]) -> set[bytes]:
    """Facts that come with several contents."""
    last: dict[bytes, bytes] = {}
    pairs = chain.from_iterable(zip(facts, contents, strict=True) for facts, contents in order)
    return {fact for fact, content in pairs if last.setdefault(fact, content) != content}
