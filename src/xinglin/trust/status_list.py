"""Bit string status lists (W3C Bitstring Status List v1.0): one bit a credential, in a crowd of 131,072."""

from __future__ import annotations

import gzip
import zlib

import msgspec

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.trust.jose import from_base64url, to_base64url

MINIMUM_ENTRIES = 131_072
STATUS_LIST_BYTES = Limit("status list size", 1024 * 1024, "bytes")


class StatusList(msgspec.Struct, frozen=True):
    """Entries of one bit, index 0 is the left-most bit of the first byte.

    At least 131,072 entries (§6.1: a reader of one entry hides among all), at most 8,388,608.

    >>> marked = StatusList().with_entry(9, True)
    >>> marked.is_set(9), marked.is_set(8), StatusList.decode(marked.encode()) == marked
    (True, False, True)
    """

    bits: bytes = bytes(MINIMUM_ENTRIES // 8)

    def __post_init__(self) -> None:
        STATUS_LIST_BYTES.check(len(self.bits))
        if len(self.bits) * 8 < MINIMUM_ENTRIES:
            raise MalformedMessage(f"A status list has at least {MINIMUM_ENTRIES} entries.")

    def is_set(self, index: int) -> bool:
        """Whether entry ``index`` is set; ``MalformedMessage`` outside the list."""
        self._check(index)
        return bool(self.bits[index // 8] & (0x80 >> index % 8))

    def with_entry(self, index: int, value: bool) -> StatusList:
        """The list with entry ``index`` set or cleared."""
        self._check(index)
        bits, mask = bytearray(self.bits), 0x80 >> index % 8
        bits[index // 8] = bits[index // 8] | mask if value else bits[index // 8] & ~mask
        return StatusList(bytes(bits))

    def encode(self) -> str:
        """The ``encodedList``: ``u`` and the base 64 (for URLs, no padding) of the GZIP of the bits (§4.2)."""
        return "u" + to_base64url(gzip.compress(self.bits, mtime=0))

    @classmethod
    def decode(cls, text: str) -> StatusList:
        """The list in an ``encodedList``; a bomb, a tail or another shape is ``MalformedMessage``."""
        STATUS_LIST_BYTES.check(len(text))
        if not text.startswith("u"):
            raise MalformedMessage("A status list is written in multibase 'u'.")
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            bits = unpacker.decompress(from_base64url(text[1:]), STATUS_LIST_BYTES.value + 1)
        except zlib.error as error:
            raise MalformedMessage("The status list is not GZIP data.") from error
        STATUS_LIST_BYTES.check(len(bits))
        if not unpacker.eof or unpacker.unused_data:
            raise MalformedMessage("The status list's GZIP data is cut short or followed by more.")
        return cls(bits)

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self.bits) * 8:
            raise MalformedMessage(f"The status list has no entry {index}.")
