"""The tree: every proof between sizes up to 64, and what a changed proof may never do."""

from __future__ import annotations

import hashlib

import pytest

from xinglin.evidence.errors import BadProof, MissingHash
from xinglin.evidence.tiles import TileReader
from xinglin.evidence.tree import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(64)]


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(slow_root(leaves[:split]), slow_root(leaves[split:]))


def reader(level: int, index: int, /) -> bytes:
    return slow_root(LEAVES[index << level : (index + 1) << level])


ROOTS = [slow_root(LEAVES[:size]) for size in range(65)]


def test_a_compact_range_gives_the_root_of_the_definition_at_every_size() -> None:
    tree = CompactRange()
    assert tree.root() == EMPTY_ROOT == ROOTS[0]
    for number, leaf in enumerate(LEAVES):
        assert tree.append(leaf) == number
        assert tree.root() == ROOTS[number + 1] == root_of(reader, number + 1)
        restored = CompactRange(tree.size, tree.hashes)
        assert restored.root() == tree.root()


def test_a_compact_range_reports_each_completed_node_once() -> None:
    seen: dict[tuple[int, int], bytes] = {}
    tree = CompactRange()
    tree.extend(LEAVES, lambda level, index, digest: seen.setdefault((level, index), digest) and None)
    assert seen == {(level, index): reader(level, index) for level in range(7) for index in range(64 >> level)}


@pytest.mark.parametrize(("size", "hashes"), [(-1, 0), (0, 1), (3, 1), (4, 2)])
def test_a_compact_range_of_the_wrong_number_of_hashes_is_refused(size: int, hashes: int) -> None:
    with pytest.raises(BadProof):
        CompactRange(size, [bytes(32)] * hashes)
    with pytest.raises(BadProof):
        CompactRange(1, [bytes(31)])


def test_every_inclusion_proof_verifies_and_in_no_other_place() -> None:
    for size in range(1, 65):
        for index in range(size):
            proof = inclusion_proof(reader, index, size)
            verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
            for other in range(size):
                if other != index:
                    with pytest.raises(BadProof):
                        verify_inclusion(LEAVES[index], other, size, proof, ROOTS[size])


def test_every_consistency_proof_verifies_and_between_no_other_roots() -> None:
    for new in range(1, 65):
        for old in range(1, new + 1):
            proof = consistency_proof(reader, old, new)
            verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)
            for wrong in ((bytes(32), ROOTS[new]), (ROOTS[old], bytes(32))):
                with pytest.raises(BadProof):
                    verify_consistency(old, new, *wrong, proof)
            if old < new:
                with pytest.raises(BadProof):
                    verify_consistency(old, new, ROOTS[new], ROOTS[old], proof)


def test_a_rewritten_history_has_no_consistency_proof() -> None:
    forged = [*LEAVES[:5], leaf_hash(b"forged"), *LEAVES[6:40]]
    proof = consistency_proof(lambda level, index: slow_root(forged[index << level : (index + 1) << level]), 20, 40)
    with pytest.raises(BadProof):
        verify_consistency(20, 40, ROOTS[20], slow_root(forged), proof)


@pytest.mark.parametrize("change", ["drop", "add", "flip", "swap", "short"])
def test_a_changed_proof_is_refused(change: str) -> None:
    for proof, verify in (
        (inclusion_proof(reader, 21, 45), lambda p: verify_inclusion(LEAVES[21], 21, 45, p, ROOTS[45])),
        (consistency_proof(reader, 21, 45), lambda p: verify_consistency(21, 45, ROOTS[21], ROOTS[45], p)),
    ):
        for at in range(len(proof)):
            changed = list(proof)
            if change == "drop":
                del changed[at]
            elif change == "add":
                changed.insert(at, bytes(32))
            elif change == "flip":
                changed[at] = bytes([changed[at][0] ^ 1]) + changed[at][1:]
            elif change == "short":
                changed[at] = changed[at][:-1]
            else:
                changed[at - 1], changed[at] = changed[at], changed[at - 1]
            with pytest.raises(BadProof):
                verify(changed)


def test_a_node_is_never_taken_for_a_leaf() -> None:
    inner = node_hash(LEAVES[0], LEAVES[1])
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != inner
    with pytest.raises(BadProof):
        verify_inclusion(leaf_hash(LEAVES[0] + LEAVES[1]), 0, 4, (node_hash(LEAVES[2], LEAVES[3]),), ROOTS[4])


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5), (-1, 5), (0, 0), (1, 2**63)])
def test_sizes_that_prove_nothing_are_refused(old: int, new: int) -> None:
    with pytest.raises(BadProof):
        verify_consistency(old, new, EMPTY_ROOT, EMPTY_ROOT, ())


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (0, 0), (0, 2**63)])
def test_an_index_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(BadProof):
        verify_inclusion(LEAVES[0], index, size, (), LEAVES[0])
    if size < 2**63:
        with pytest.raises(BadProof):
            inclusion_proof(reader, index, size)


def test_a_reader_over_tiles_computes_the_levels_between_and_says_what_is_missing() -> None:
    tiles = TileReader(lambda level, start, end: LEAVES[start:end] if level == 0 else [])
    for level in range(7):
        for index in range(64 >> level):
            assert tiles(level, index) == reader(level, index)
    with pytest.raises(MissingHash):
        tiles(0, 64)
    with pytest.raises(MissingHash):
        tiles(8, 0)
    with pytest.raises(BadProof):
        consistency_proof(tiles, 5, 4)
