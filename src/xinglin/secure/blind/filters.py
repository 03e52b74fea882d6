"""Keyed Bloom filters over a person's name, its reading, birth date and sex: alike where the persons are alike.

Each field is cut into short pieces (letters and pairs of letters, digits with their places); a piece sets bits that a
pseudorandom function under the project's key chooses. Two filters share as many bits as the records share pieces, so a
wrong letter costs some similarity and not the match. The key is the hospitals' alone: the linkage unit that compares
filters does not have it, and every project has another, so that filters of two projects cannot be compared.

What it does *not* protect: a filter is not encryption. Who compares filters sees how alike any two are, and may find
the bits of frequent pieces by their frequency (measured in docs/matching.md); so filters go to a linkage unit that is
bound by contract, and are destroyed when it has answered. ``diffused`` makes each bit a sum of several, which leaves
frequency little to see at a small cost in recall; ``folded`` is cheaper and weaker.

Sources: Schnell, Bachteler, Reiher 2009 and 2011 (cryptographic long-term keys); Schnell, Borgs 2016 (folding);
Armknecht, Heng, Schnell 2023 (diffusion); Christen, Schnell, Vatsalan, Ranbaduge 2017 (attack).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.secure.blind.errors import NotAScalar, WrongAnswer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]

RECORDS = Limit("records of one side of a linkage", 5_000_000, "records")
FIELD_CHARS = Limit("characters of a field that count", 40, "characters")
KEY_BYTES = 32
_PLACES = 32
_EDGE = 1
Hardening = Literal["none", "folded", "diffused"]


class Person(msgspec.Struct, frozen=True):
    """What is compared of one person, normalised alike at all hospitals; "" where it is not known.

    ``name``: as written, folded (case, width, traditional characters). ``reading``: its pinyin or romanisation without
    tones, "" for names in letters. ``birth``: ``YYYYMMDD``, or its beginning. ``sex``: one letter.
    """

    name: str
    reading: str = ""
    birth: str = ""
    sex: str = ""

    def __repr__(self) -> str:
        return "Person(…)"


class FilterPlan(msgspec.Struct, frozen=True):
    """How filters are made; the same at all sides of a project.

    ``bits``: length, a power of two from 256 to 65,536. ``name``, ``reading``, ``birth``, ``sex``: bits that each
    piece of the field sets (0: the field is not used), at most 32. ``mixed``: bits that make one diffused bit.
    """

    bits: int = 1024
    name: int = 20
    reading: int = 4
    birth: int = 16
    sex: int = 4
    hardening: Hardening = "diffused"
    mixed: int = 2

    def __post_init__(self) -> None:
        if self.bits not in {2**n for n in range(8, 17)}:
            raise ValueError("bits: a power of two from 256 to 65,536")
        if not all(0 <= used <= _PLACES for used in (self.name, self.reading, self.birth, self.sex)):
            raise ValueError(f"a piece sets at most {_PLACES} bits")
        if not 2 <= self.mixed <= 16:
            raise ValueError("mixed: from 2 to 16 bits")

    @property
    def words(self) -> int:
        """64-bit words of a finished filter."""
        return (self.bits // 2 if self.hardening == "folded" else self.bits) // 64

    def digest(self) -> bytes:
        """32 bytes that name this plan: the linkage unit compares filters of one plan only."""
        return hashlib.sha256(b"xinglin filter plan/1" + msgspec.json.encode(self, order="sorted")).digest()


def encode(people: Sequence[Person], key: bytes, project: str, plan: FilterPlan) -> Words:
    """The filters of ``people``: one row of ``plan.words`` words each, in order.

    ``key``: 32 bytes that the hospitals of ``project`` share and the linkage unit does not have. Raises
    ``LimitExceeded`` for too many records, ``NotAScalar`` for a key of another length.
    """
    import numpy as np

    from xinglin.secure.blind import filter_kernel

    RECORDS.check(len(people))
    if len(key) != KEY_BYTES:
        raise NotAScalar("The key of a project has 32 bytes.")
    own = hmac.digest(key, b"xinglin filters/1\0" + project.encode() + b"\0" + plan.digest(), "sha256")
    columns: list[Any] = []
    used: list[int] = []
    for tag, (values, count, placed) in enumerate(_fields(people, plan)):
        if count:
            pieces = _pieces(values, tag, placed)
            columns.append(pieces)
            used += [count] * pieces.shape[1]
    words = np.zeros((len(people), plan.bits // 64), dtype=np.uint64)
    if columns and len(people):
        every = np.concatenate(columns, axis=1)
        known, where = np.unique(every, return_inverse=True)
        places = _places(known, own, plan.bits)
        tokens = where.reshape(every.shape).astype(np.int32)
        tokens[every == 0] = -1
        filter_kernel.set_bits(tokens, places, np.array(used, dtype=np.int64), words)
    return _harden(words, own, plan)


def _fields(people: Sequence[Person], plan: FilterPlan) -> list[tuple[list[str], int, bool]]:
    return [
        ([one.name for one in people], plan.name, False),
        ([one.reading for one in people], plan.reading, False),
        ([one.birth for one in people], plan.birth, True),
        ([one.sex for one in people], plan.sex, True),
    ]


def _pieces(values: list[str], tag: int, placed: bool) -> Any:
    """Codes of the pieces of a field, 0 where there is none: singles, and pairs with the edges; with places or not."""
    import numpy as np

    width = FIELD_CHARS.value
    letters = np.array([value.replace("\0", "")[:width] for value in values], dtype=f"U{width}").view(np.uint32)
    letters = letters.reshape(len(values), width).astype(np.uint64)
    width = int(np.count_nonzero(letters, axis=1).max(initial=0))
    letters = letters[:, :width]
    size = np.count_nonzero(letters, axis=1)
    head = np.uint64(tag + 1) << np.uint64(59)
    place = (np.arange(width + 1, dtype=np.uint64) << np.uint64(50)) if placed else np.zeros(width + 1, np.uint64)
    singles = np.where(letters > 0, head | place[:width] | letters, np.uint64(0))
    before = np.concatenate([np.full((len(values), 1), _EDGE, np.uint64), letters], axis=1)
    after = np.concatenate([letters, np.zeros((len(values), 1), np.uint64)], axis=1)
    after[np.arange(len(values)), size] = _EDGE
    there = (before > 0) & (after > 0) & (size[:, None] > 0)
    code = head | (np.uint64(1) << np.uint64(58)) | place | (before << np.uint64(24)) | after
    if placed:  # digits: a digit and its place, and the pair from there on, without the edges
        there &= (before != _EDGE) & (after != _EDGE)
    return np.concatenate([singles, np.where(there, code, np.uint64(0))], axis=1)


def _places(codes: Any, key: bytes, bits: int) -> Any:
    """For each piece the places that the pseudorandom function chooses: HMAC-SHA-512 under the project's own key."""
    import numpy as np

    joined = b"".join([hmac.digest(key, b"piece" + code.tobytes(), "sha512") for code in codes])
    return np.frombuffer(joined, dtype="<u2").reshape(len(codes), _PLACES) & np.uint16(bits - 1)


def _harden(words: Words, key: bytes, plan: FilterPlan) -> Words:
    import numpy as np

    from xinglin.secure.blind import filter_kernel

    if plan.hardening == "folded":
        half = words.shape[1] // 2
        folded: Words = words[:, :half] ^ words[:, half:]
        return folded
    if plan.hardening == "diffused":
        stream = hashlib.shake_256(key + b"diffusion").digest(2 * plan.bits * plan.mixed)
        chosen = np.frombuffer(stream, dtype="<u2").reshape(plan.bits, plan.mixed).astype(np.int64) % plan.bits
        out = np.zeros_like(words)
        filter_kernel.diffuse(words, chosen, out)
        return out
    return words


def pack(filters: Words) -> bytes:
    """Filters as bytes for the way to the linkage unit."""
    return filters.astype("<u8").tobytes()


def unpack(data: bytes, plan: FilterPlan) -> Words:
    """The filters in ``data``; ``WrongAnswer`` for another length, ``LimitExceeded`` for too many."""
    import numpy as np

    size = plan.words * 8
    if len(data) % size:
        raise WrongAnswer("These bytes are not filters of the plan's length.")
    RECORDS.check(len(data) // size)
    filters: Words = np.frombuffer(data, dtype="<u8").astype(np.uint64).reshape(-1, plan.words)
    return filters
