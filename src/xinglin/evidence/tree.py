"""The Merkle tree of RFC 6962 (SHA-256): hashing, a compact range that appends, proofs and their verification.

A node is named by (level, index): the hash over the ``2**level`` leaves from ``index * 2**level`` on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from hmac import compare_digest

from xinglin.evidence.errors import BadProof
from xinglin.evidence.ports import HashReader

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""Root of the tree without leaves (RFC 6962 §2.1)."""

MAX_SIZE = 2**63 - 1
"""The largest tree size, in leaves."""

Visit = Callable[[int, int, bytes], None]
"""Told of each node that an append completes: level, index, hash."""

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of 0x00 and the entry (RFC 6962 §2.1)."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01, the left and the right hash (RFC 6962 §2.1)."""
    return _sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The roots of the complete subtrees that make up the first ``size`` leaves, largest first: all an append needs.

    ``size`` and ``hashes`` (one 32-byte hash for each bit set in ``size``) restore a range that was stored.

    >>> tree = CompactRange()
    >>> tree.append(leaf_hash(b"one"))
    0
    >>> tree.root() == leaf_hash(b"one")
    True
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        kept = list(hashes)
        if size < 0 or len(kept) != size.bit_count() or any(len(each) != HASH_BYTES for each in kept):
            raise BadProof(f"A compact range of {size} leaves needs {max(size, 0).bit_count()} hashes of 32 bytes.")
        self._size, self._hashes = size, kept

    @property
    def size(self) -> int:
        """How many leaves were appended."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Roots of the complete subtrees, largest first."""
        return tuple(self._hashes)

    def copy(self) -> CompactRange:
        """An independent range of the same leaves."""
        return CompactRange(self._size, self._hashes)

    def append(self, leaf: bytes, visit: Visit | None = None) -> int:
        """Add one leaf hash and give its index; ``visit`` is told of every node this completes, the leaf first."""
        hashes, index = self._hashes, self._size
        if visit is not None:
            visit(0, index, leaf)
        level, rest = 0, index
        while rest & 1:
            leaf = _sha256(b"\x01" + hashes.pop() + leaf).digest()
            level += 1
            rest >>= 1
            if visit is not None:
                visit(level, rest, leaf)
        hashes.append(leaf)
        self._size = index + 1
        return index

    def extend(self, leaves: Iterable[bytes], visit: Visit | None = None) -> int:
        """Add leaf hashes in order and give the index of the first."""
        first = self._size
        for leaf in leaves:
            self.append(leaf, visit)
        return first

    def root(self) -> bytes:
        """The tree's root hash, 32 bytes."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = _sha256(b"\x01" + left + root).digest()
        return root


def root_of(hashes: HashReader, size: int) -> bytes:
    """The root of the first ``size`` leaves, from a reader of complete subtrees."""
    if size == 0:
        return EMPTY_ROOT
    return _range_root(hashes, 0, size)


def inclusion_proof(hashes: HashReader, index: int, size: int) -> tuple[bytes, ...]:
    """The sibling hashes from leaf ``index`` up to the root of ``size`` leaves (RFC 6962 §2.1.1).

    ``BadProof`` where ``index`` is not below ``size``.
    """
    if not 0 <= index < size:
        raise BadProof(f"Index {index} is not in a tree of {size} leaves.")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_root(hashes, middle, end))
            end = middle
        else:
            proof.append(_range_root(hashes, start, middle))
            start = middle
    return tuple(reversed(proof))


def consistency_proof(hashes: HashReader, old: int, new: int) -> tuple[bytes, ...]:
    """The hashes that show the first ``old`` leaves to be a prefix of ``new`` leaves (RFC 6962 §2.1.2).

    Empty where ``old`` is 0 or equals ``new``. ``BadProof`` where ``old`` exceeds ``new``.
    """
    if not 0 <= old <= new:
        raise BadProof(f"There is no way from {old} leaves to {new}.")
    if old in (0, new):
        return ()
    proof: list[bytes] = []
    start, end, whole = 0, new, True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range_root(hashes, middle, end))
            end = middle
        else:
            proof.append(_range_root(hashes, start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(_range_root(hashes, start, end))
    return tuple(reversed(proof))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ``BadProof`` unless ``leaf`` (a leaf hash) is number ``index`` of the ``size`` leaves under ``root``.

    Source: RFC 9162 §2.1.3.2.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise BadProof(f"Index {index} is not in a tree of {size} leaves.")
    _check_hashes((leaf, root, *proof))
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise BadProof(f"An inclusion proof of {len(proof)} hashes is not one of leaf {index} of {size}.")
    running = _chain_inner(leaf, proof[:inner], index)
    for left in proof[inner:]:
        running = node_hash(left, running)
    if not compare_digest(running, root):
        raise BadProof("The inclusion proof does not lead to the root.", why="The entry is not in that tree.")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ``BadProof`` unless the tree of ``new`` leaves begins with the tree of ``old`` leaves.

    ``old`` is at least 1: every tree is consistent with the empty one, so a proof from there proves nothing and is
    refused; callers who start from nothing check no proof. Source: RFC 9162 §2.1.4.2.
    """
    if not 1 <= old <= new <= MAX_SIZE:
        raise BadProof(f"Consistency from {old} to {new} leaves cannot be proved.")
    _check_hashes(proof)
    if old == new:
        if proof or not compare_digest(old_root, new_root):
            raise BadProof("Two trees of one size have different roots or a needless proof.")
        return
    trailing = (old & -old).bit_length() - 1
    seed, rest = (old_root, proof) if old == 1 << trailing else _first(proof)
    inner = ((old - 1) ^ (new - 1)).bit_length() - trailing
    border = ((old - 1) >> (inner + trailing)).bit_count()
    if len(rest) != inner + border:
        raise BadProof(f"A consistency proof of {len(proof)} hashes is not one from {old} to {new} leaves.")
    mask = (old - 1) >> trailing
    before = _chain_inner_right(seed, rest[:inner], mask)
    after = _chain_inner(seed, rest[:inner], mask)
    for left in rest[inner:]:
        before, after = node_hash(left, before), node_hash(left, after)
    if not (compare_digest(before, old_root) and compare_digest(after, new_root)):
        raise BadProof("The consistency proof does not lead to both roots.", why="History was rewritten.")


def _first(proof: Sequence[bytes]) -> tuple[bytes, Sequence[bytes]]:
    if not proof:
        raise BadProof("The consistency proof is empty.")
    return proof[0], proof[1:]


def _check_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise BadProof("A hash in a proof does not have 32 bytes.")


def _chain_inner(seed: bytes, proof: Sequence[bytes], index: int) -> bytes:
    for level, sibling in enumerate(proof):
        seed = node_hash(sibling, seed) if index >> level & 1 else node_hash(seed, sibling)
    return seed


def _chain_inner_right(seed: bytes, proof: Sequence[bytes], index: int) -> bytes:
    for level, sibling in enumerate(proof):
        if index >> level & 1:
            seed = node_hash(sibling, seed)
    return seed


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_root(hashes: HashReader, start: int, end: int) -> bytes:
    """Root over [start, end), a subtree of RFC 6962's recursion: complete subtrees, joined from the right."""
    parts: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(hashes(level, start >> level))
        start += 1 << level
    root = parts.pop()
    while parts:
        root = node_hash(parts.pop(), root)
    return root
