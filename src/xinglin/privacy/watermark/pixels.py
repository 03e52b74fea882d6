"""Marks in the pixels of images: a bit a block, by its mean; for images that are given whole.

A block of 8 × 8 pixels carries one bit of the recipient's codeword in its mean, by dithered quantisation. The mark
survives recompression and noise that leave means alone; it does not survive cutting, turning or scaling unless the
image is brought back into place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from numpy.typing import NDArray

from xinglin.privacy.watermark.code import biases, codeword, derived, stream
from xinglin.privacy.watermark.detecting import ACCUSE, judged
from xinglin.privacy.watermark.errors import BadMarkPlan
from xinglin.privacy.watermark.marking import check_key
from xinglin.privacy.watermark.model import Detection, MarkPlan, Numbers, Recipient

Frame = NDArray[np.integer]
BLOCK = 8


def pixel_plan(step: float, every: int = 4, length: int = 2048, colluders: int = 3) -> MarkPlan:
    """The plan of marks in images: ``step`` in grey levels (a mean moves by at most that), one block in ``every``."""
    return MarkPlan((Numbers("mean", step, decimals=6),), (("block",),), every, length, colluders)


def mark_frame(frame: Frame, image: str, key: bytes, recipient: Recipient, plan: MarkPlan, high: int) -> Frame:
    """A copy of ``frame`` (rows × columns of whole numbers, 0 to ``high``) that carries marks; ``image``: its UID.

    Guarantee: a pixel moves by at most the plan's step, rounded up, and stays in range; blocks that hold nothing but
    one value (air, blanked regions) are left alone.
    """
    check_key(key)
    step = _step(plan)
    bits = codeword(key, recipient.digest(), biases(key, plan.length, plan.colluders))
    out = frame.astype(np.int64)
    blocks = _blocks(out)
    chosen, positions, flips, dither = _drawn(blocks.shape[0], image, key, plan)
    for place in np.flatnonzero(chosen):
        block = blocks[place]
        if block.min() == block.max():
            continue
        bit = bool(bits[positions[place]]) ^ bool(flips[place])
        _move(block, step, float(dither[place]), bit, high)
    return _whole(out, blocks).astype(frame.dtype)


def detect_frames(
    frames: Mapping[str, Frame], key: bytes, plan: MarkPlan, registry: Sequence[Recipient], accuse: float = ACCUSE
) -> Detection:
    """Who of ``registry`` is in these images, by UID; the guarantee of ``detecting.detect`` holds."""
    check_key(key)
    step = _step(plan)
    sums = np.zeros(plan.length)
    cells = 0
    for image, frame in frames.items():
        blocks = _blocks(frame.astype(np.int64))
        chosen, positions, flips, dither = _drawn(blocks.shape[0], image, key, plan)
        textured = blocks.reshape(len(blocks), -1).min(axis=1) < blocks.reshape(len(blocks), -1).max(axis=1)
        rows = np.flatnonzero(chosen & textured)
        means = blocks[rows].reshape(len(rows), -1).mean(axis=1)
        said = -np.cos(np.pi * (means / step - 2 * dither[rows]))
        said = np.where(flips[rows], -said, said)
        sums += np.bincount(positions[rows], weights=said, minlength=plan.length)
        cells += len(rows)
    weights = np.tanh(sums / 2)
    return judged(weights, cells, int(np.count_nonzero(sums)), key, plan, registry, accuse)


def _step(plan: MarkPlan) -> float:
    first = plan.columns[0]
    if not isinstance(first, Numbers) or first.column != "mean":
        raise BadMarkPlan("This is no plan for images.", remedy="Use pixel_plan.")
    return first.step


def _blocks(frame: NDArray[np.int64]) -> NDArray[np.int64]:
    """n × 8 × 8; what is left at the edges carries nothing."""
    if frame.ndim != 2:
        raise BadMarkPlan("A frame has rows and columns.", remedy="Mark each frame, and each colour, by itself.")
    rows, columns = frame.shape[0] // BLOCK, frame.shape[1] // BLOCK
    cut = frame[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.ascontiguousarray(cut.transpose(0, 2, 1, 3)).reshape(-1, BLOCK, BLOCK)


def _whole(frame: NDArray[np.int64], blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, columns = frame.shape[0] // BLOCK, frame.shape[1] // BLOCK
    cut = blocks.reshape(rows, columns, BLOCK, BLOCK).transpose(0, 2, 1, 3)
    frame[: rows * BLOCK, : columns * BLOCK] = cut.reshape(rows * BLOCK, columns * BLOCK)
    return frame


def _drawn(
    count: int, image: str, key: bytes, plan: MarkPlan
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    digest = Hash(SHA256())
    digest.update(derived(key, b"image") + image.encode())
    words = stream(digest.finalize(), 2 * count).reshape(count, 2)
    chosen = words[:, 0] % np.uint64(plan.every) == 0
    positions = (words[:, 1] % np.uint64(plan.length)).astype(np.int64)
    flips = (words[:, 1] >> np.uint64(20)) & np.uint64(1) == np.uint64(1)
    return chosen, positions, flips, (words[:, 1] >> np.uint64(32)).astype(np.float64) * 2.0**-32


def _move(block: NDArray[np.int64], step: float, dither: float, bit: bool, high: int) -> None:
    """Move the block's mean to the nearest place of the bit: by whole levels, the rest on some of its pixels."""
    scaled = float(block.mean()) / step - 2 * dither - bit
    wanted = (2 * round(scaled / 2) + bit + 2 * dither) * step
    total = round((wanted - float(block.mean())) * block.size)
    each, rest = divmod(total, block.size)
    moved = block + each
    moved.reshape(-1)[np.argsort(block, axis=None, kind="stable")[:rest]] += 1
    if moved.min() >= 0 and moved.max() <= high and moved.min() < moved.max():
        block[...] = moved
