"""Mask streams: AES-256 in counter mode, as 64-bit words, in chunks that stay in the processor's cache.

Chunk ``index`` of lane ``lane`` under a key is the AES-256-CTR key stream (NIST SP 800-38A §6.5) from the
counter block ``lane (4 bytes) ‖ index (8 bytes) ‖ 00000002``, both little-endian. It is computed as the
AES-256-GCM encryption of zeros under the nonce ``lane ‖ index``: the same bytes (SP 800-38D §7.1), and
twice as fast in OpenSSL 4 on processors with VAES. A key is used for nothing else.
"""

from __future__ import annotations

import struct

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

Words = NDArray[np.uint64]

CHUNK_WORDS = 1 << 15
NARROW, WIDE, TAG = 0, 1, 2
"""Lanes: 64-bit elements, 128-bit elements, keys of the integrity tag."""

_ZEROS = bytes(CHUNK_WORDS * 8)
_TAG_BYTES = 16


class Stream:
    """Key streams of several keys over one reused buffer (256 KiB); one object a thread."""

    def __init__(self) -> None:
        self._buffer = bytearray(CHUNK_WORDS * 8 + _TAG_BYTES)
        self._view = memoryview(self._buffer)
        self._zeros = memoryview(_ZEROS)
        self._words: Words = np.frombuffer(self._buffer, dtype="<u8", count=CHUNK_WORDS)

    def chunk(self, cipher: AESGCM, lane: int, index: int, count: int) -> Words:
        """``count`` ≤ ``CHUNK_WORDS`` words of chunk ``index``; valid until the next call."""
        size = count * 8
        cipher.encrypt_into(struct.pack("<IQ", lane, index), self._zeros[:size], None, self._view[: size + _TAG_BYTES])
        return self._words[:count]


def cipher(key: bytes) -> AESGCM:
    """The cipher of a 32-byte stream key."""
    if len(key) != 32:
        raise ValueError("a stream key has 32 bytes")
    return AESGCM(key)
