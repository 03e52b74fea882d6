"""Keyed pseudonyms, shifts and noise: one key a purpose, study and data set, so no pseudonym joins two studies.

The function behind all of them is AES-CBC-MAC over blocks of one fixed length, which is a pseudo-random function
for messages of one length (Bellare, Kilian, Rogaway 2000, theorem 3.1), computed for a whole column at once. Texts
longer than the blocks are first shortened by keyed BLAKE2b.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np

from xinglin.privacy.deidentify.errors import BadKeys

SECRET_BYTES = 16
"""The least that a secret may have."""
_BLOCK = 16
_BLOCKS = 4
_ROOM = _BLOCK * _BLOCKS - 2
_LONG = 0xFFFF
# Rows that are worked on at once: what is needed beside the column stays below some 30 MB.
_CHUNK = 1 << 17
_STEADY = ("shift", "noise")
_KEY = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{1,63}/)[^/#]+(#[0-9]{1,9})?", re.DOTALL)


class Keys(msgspec.Struct, frozen=True, kw_only=False):
    """Whose pseudonyms: ``study`` and ``data_set`` by id, ``secret`` of at least 16 random bytes.

    ``steady``: shifts of dates and noise are of the data set alone, the same for every study. Drawn anew each time,
    their mean would tell the value to whoever gets several. Pseudonyms stay the study's own.
    Guarantee: without ``secret``, pseudonyms of two studies or two data sets look unrelated (HKDF-SHA256, RFC 5869).
    """

    study: str
    data_set: str
    secret: bytes
    steady: bool = False

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES:
            raise BadKeys(f"A secret has at least {SECRET_BYTES} bytes.", place="keys.secret")
        if not self.study or not self.data_set:
            raise BadKeys("Pseudonyms belong to a study and a data set.", place="keys")

    def __repr__(self) -> str:
        return f"Keys(study={self.study!r}, data_set={self.data_set!r})"

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        # No study has an empty id, so a steady key is never one of a study.
        parts = (purpose, "" if self.steady and purpose in _STEADY else self.study, self.data_set)
        info = b"xinglin.deidentify.1" + b"".join(
            len(text.encode()).to_bytes(4, "big") + text.encode() for text in parts
        )
        extracted = hmac.digest(b"xinglin.deidentify", self.secret, "sha256")
        return hmac.digest(extracted, info + b"\x01", "sha256")


class Prf:
    """The pseudo-random function of one purpose: texts to 16 bytes each."""

    def __init__(self, key: bytes) -> None:
        self._aes, self._long = key[:16], key[16:]

    @cached_property
    def _cipher(self) -> object:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(self._aes), modes.ECB())  # noqa: S305 (chained below)

    @cached_property
    def _chain(self) -> object:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(self._aes), modes.CBC(bytes(_BLOCK)))

    def of(self, text: str) -> bytes:
        """16 bytes of one text: the last block of CBC with an initial block of zeros."""
        body = text.encode("utf-8", "surrogatepass")
        length = len(body) if len(body) <= _ROOM else _LONG
        if length == _LONG:
            body = self._short(body)
        whole = length.to_bytes(2, "big") + body.ljust(_ROOM, b"\0")
        chained: bytes = self._chain.encryptor().update(whole)  # type: ignore[attr-defined]
        return chained[-_BLOCK:]

    def of_texts(self, texts: Sequence[str]) -> np.ndarray:
        """n × 16 bytes, as uint8."""
        out = np.empty((len(texts), _BLOCK), dtype=np.uint8)
        for start in range(0, len(texts), _CHUNK):
            part = texts[start : start + _CHUNK]
            out[start : start + len(part)] = self._chained(self._blocks(part), _BLOCKS)
        return out

    def of_blocks(self, blocks: np.ndarray) -> np.ndarray:
        """n × (16·b) bytes to n × 16: the same b for all that one purpose does."""
        return self._chained(blocks, blocks.shape[1] // _BLOCK)

    def _chained(self, blocks: np.ndarray, count: int) -> np.ndarray:
        """``blocks`` as the first of ``count`` blocks of a row; what is not there is zeros, which change no state."""
        encryptor, size = self._cipher.encryptor(), len(blocks) * _BLOCK  # type: ignore[attr-defined]
        state = np.zeros(size, dtype=np.uint8)
        room = np.empty(size + _BLOCK, dtype=np.uint8)  # the cipher wants space for one block more
        for number in range(count):
            if number * _BLOCK < blocks.shape[1]:
                state.reshape(-1, _BLOCK)[:] ^= blocks[:, number * _BLOCK : (number + 1) * _BLOCK]
            encryptor.update_into(state, room)
            state[:] = room[:size]
        return state.reshape(-1, _BLOCK)

    def _blocks(self, texts: Sequence[str]) -> np.ndarray:
        """Length and bytes of each text; longer ones as a digest under a length that no text has.

        As many blocks of a row as the longest text fills: the rest is zeros.
        """
        encoded: Sequence[bytes] | Sequence[str] = texts
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        longest = int(lengths.max(initial=0))
        room = (longest + 2 + _BLOCK - 1) // _BLOCK * _BLOCK - 2 if longest <= _ROOM else _ROOM
        try:
            filled = np.array(encoded, dtype=f"S{room}") if longest <= _ROOM else None
        except UnicodeEncodeError:
            filled = None
        if filled is None:
            encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
            lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(texts))
            encoded, room = [body if len(body) <= _ROOM else self._short(body) for body in encoded], _ROOM
            filled = np.array(encoded, dtype=f"S{_ROOM}")
        blocks = np.empty((len(texts), room + 2), dtype=np.uint8)
        told = np.where(lengths > _ROOM, _LONG, lengths)
        blocks[:, 0], blocks[:, 1] = told >> 8, told & 0xFF
        blocks[:, 2:] = filled.view(np.uint8).reshape(len(texts), room)
        return blocks

    def _short(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._long, digest_size=32).hexdigest().encode()[:_ROOM]


def split_key(text: str) -> tuple[str, str, str]:
    """The type of a key, what is hidden, and the number of a part, which is no secret.

    >>> split_key("north/Observation/12#1"), split_key("110101199003071234")
    (('Observation/', 'north/Observation/12', '#1'), ('', '110101199003071234', ''))
    """
    found = _KEY.fullmatch(text)
    if found is None:
        return "", text, ""
    part = found[2] or ""
    return found[1], text[: len(text) - len(part)], part


def _one_type(texts: Sequence[str]) -> str:
    """The type of plain keys that are all of it (``Patient/``); empty where they are anything else."""
    kind = split_key(texts[0])[0]
    if not kind or not texts[0].startswith(kind):
        return ""
    whole = "\n".join(texts)
    if "#" in whole or "/\n" in whole or whole[-1] == "/" or whole.count("\n" + kind) != len(texts) - 1:
        return ""
    # Every kind holds a slash and stands at the head of a line: no more slashes and lines than that, and each is plain.
    body = np.frombuffer(whole.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    slashes, lines = (int(np.count_nonzero(body == ord(letter))) for letter in "/\n")
    return kind if slashes == len(texts) == lines + 1 else ""


class Pseudonyms:
    """Keys and numbers to pseudonyms: ``Patient/123`` to ``Patient/`` and 32 hexadecimal digits (128 bits)."""

    def __init__(self, keys: Keys) -> None:
        self._prf = Prf(keys.derive("pseudonym"))
        self._known: dict[str, str] = {}

    def of(self, text: str) -> str:
        """The pseudonym of one key or number."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _CHUNK:
                self._known.clear()
            kind, hidden, part = split_key(text)
            known = self._known[text] = kind + self._prf.of(hidden).hex() + part
        return known

    def of_texts(self, texts: Sequence[str]) -> list[str]:
        """The same for many at once."""
        out: list[str] = []
        for start in range(0, len(texts), _CHUNK):
            part = texts[start : start + _CHUNK]
            kind = _one_type(part)
            if kind:
                lines = self._prf.of_texts(part).tobytes().hex("\n", _BLOCK)
                out += (kind + lines.replace("\n", "\n" + kind)).split("\n")
                continue
            split = [split_key(text) for text in part]
            digits = self._prf.of_texts([hidden for _, hidden, _ in split]).tobytes().hex()
            out += [kind + digits[32 * n : 32 * n + 32] + rest for n, (kind, _, rest) in enumerate(split)]
        return out


class Shifts:
    """Days by which a person's dates move, in one study or (``steady``) in all: uniform over ±``days``, never 0."""

    def __init__(self, keys: Keys) -> None:
        self._prf = Prf(keys.derive("shift"))

    def of(self, person: str, days: int) -> int:
        """Of one person; ``days`` ≥ 1."""
        step = int.from_bytes(self._prf.of(person)[:8], "little") % (2 * days) - days
        return step + 1 if step >= 0 else step

    def of_texts(self, persons: Sequence[str], days: int) -> np.ndarray:
        """Of many, int64. The uniform draw is biased by less than 2^-48."""
        drawn = np.ascontiguousarray(self._prf.of_texts(persons)[:, :8]).view("<u8").reshape(-1)
        steps = (drawn % np.uint64(2 * days)).astype(np.int64) - days
        return np.where(steps >= 0, steps + 1, steps)


class Noise:
    """Uniform numbers in [-0.5, 0.5) that depend on person, field and value: asking again gives the same."""

    def __init__(self, keys: Keys) -> None:
        self._prf = Prf(keys.derive("noise"))

    def of_values(self, persons: Sequence[str], field: str, values: np.ndarray) -> np.ndarray:
        """Of a column; one person a row."""
        row = self._prf.of_texts([f"{field}\x1f{person}" for person in persons])
        bits = np.ascontiguousarray(values.astype("<f8")).view(np.uint8).reshape(len(values), 8)
        row[:, :8] ^= bits
        again = np.zeros((len(values), _BLOCK * _BLOCKS), dtype=np.uint8)
        again[:, :2], again[:, _BLOCK : 2 * _BLOCK] = 0xFE, row
        drawn = np.ascontiguousarray(self._prf.of_blocks(again)[:, :8]).view("<u8").reshape(-1)
        return (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53 - 0.5
