"""Compression of bodies in the raw store: zstd level 1, or its entropy stage alone where that does as well.

Pixels of 16 bits are noise in their lower byte: searching them for repetitions takes most of the time and finds
next to nothing. A sample from the body's middle decides. Both ways give a zstd frame; who reads it sees no difference.
"""

from __future__ import annotations

import threading

import zstandard

PACK_FROM_BYTES = 128
SAMPLE_BYTES = 32 * 1024
SAMPLED_FROM_BYTES = 4 * SAMPLE_BYTES
SEARCH_GAIN_PERCENT = 5
"""A search for repetitions that spares less of the sample than this is left out."""


class _Zstd(threading.local):
    """A compressor takes longer to make than to use, and serves one thread."""

    def __init__(self) -> None:
        self.searching = zstandard.ZstdCompressor(level=1).compress
        # A hash table of 256 places and matches of 7 bytes or more: runs are found, the rest is left to Huffman's code.
        entropy = zstandard.ZstdCompressionParameters(
            window_log=17, chain_log=6, hash_log=8, search_log=1, min_match=7, strategy=zstandard.STRATEGY_FAST
        )
        self.entropy = zstandard.ZstdCompressor(compression_params=entropy).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _Zstd()


def pack(body: bytes) -> tuple[bytes, bool]:
    """The body, compressed where that spares a tenth; and whether it is."""
    if len(body) < PACK_FROM_BYTES:
        return body, False
    packed = _zstd.entropy(body) if _is_noise(body) else _zstd.searching(body)
    return (packed, True) if len(packed) * 10 < len(body) * 9 else (body, False)


def decompress(packed: bytes, limit_bytes: int) -> bytes:
    """The body again, no longer than ``limit_bytes``; ``ZstdError`` where that cannot be."""
    return _zstd.decompress(packed, max_output_size=limit_bytes)


def _is_noise(body: bytes) -> bool:
    if len(body) < SAMPLED_FROM_BYTES:
        return False
    start = len(body) // 2
    sample = body[start : start + SAMPLE_BYTES]
    return len(_zstd.entropy(sample)) * 100 <= len(_zstd.searching(sample)) * (100 + SEARCH_GAIN_PERCENT)
