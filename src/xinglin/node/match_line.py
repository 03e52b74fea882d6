"""Parcels of one side of a session, out and in, each in order; a journal lets a stopped side go on.

The journal is a private file of the node's folder: a seed, from which every nonce, key and noise of the session
follows, and the digest of each parcel said and heard. A side that is started again says the same bytes and takes the
same bytes; anything else is refused, so that a restart gives nobody a second question. It is erased at the end.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason, deny
from xinglin.secure.ports import Entropy
from xinglin.stores.exchange import read_exchanged
from xinglin.stores.tls import write_private
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory
from xinglin.wire.errors import Refused
from xinglin.wire.matching import PARCEL_BYTES, Kind, Parcel, Refusal, pack, unpack

WAIT_S = 3600.0
JOURNALS = "matching"
JOURNAL_BYTES = Limit("journal of a matching", 64 * 1024 * 1024, "bytes")
_POLL_S = 0.05
Progress = Callable[[str, int, int], None]
"""Called with a step's word, how much of it is done, and of how much (0: not known)."""


def no_progress(_step: str, _done: int, _of: int) -> None:
    """Tell nobody."""


class NoParcel(XinglinError, OSError):
    """The other side's next parcel did not come in time."""

    code = "node.match_silent"


class SessionBusy(XinglinError):
    """Another process of this node is at this session."""

    code = "node.match_busy"


class Journal:
    """What one session said and heard so far; ``seed``: 32 bytes, drawn at its first start."""

    def __init__(self, path: Path, entropy: Entropy = os.urandom) -> None:
        self._path = path
        path.parent.mkdir(exist_ok=True, mode=0o700)
        self.resumed = path.exists() and path.stat().st_size > 0
        self._file: IO[str] = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+")
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise SessionBusy("Another process is at this matching.", remedy="Wait for it, or end it.") from error
        self._held: dict[str, str] = {}
        JOURNAL_BYTES.check(path.stat().st_size)
        self._file.seek(0)
        for line in self._file:
            name, _, value = line.rstrip("\n").rpartition(" ")
            if line.endswith("\n"):  # the last line may be torn by a crash: what it told was not yet relied on
                self._held[name] = value
        self.seed = bytes.fromhex(self.once("seed", entropy(32).hex()))

    @classmethod
    def of(cls, folder: Path, *parts: str) -> Journal:
        """The journal of the session that these words name, in the node's ``folder``."""
        name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
        return cls(folder / JOURNALS / f"{name}.journal")

    def get(self, name: str) -> str:
        """What was noted under a name; "" for nothing."""
        return self._held.get(name, "")

    def count(self, way: str) -> int:
        """How many parcels of one way (``out``, ``in``) are noted."""
        return sum(name.startswith(f"{way} ") for name in self._held)

    def once(self, name: str, value: str) -> str:
        """Note a value under a name, durable when this returns; the one that was noted first, ever after."""
        if name not in self._held:
            self._file.write(f"{name} {value}\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._held[name] = value
        return self._held[name]

    def same(self, name: str, data: bytes) -> None:
        """Note the digest of bytes under a name; ``Refused`` where others were noted."""
        digest = hashlib.sha256(data).hexdigest()
        if self.once(name, digest) != digest:
            words = "This matching was begun with other people or other parcels, and goes on with the same alone."
            raise Refused(deny("node.match_changed", words, "Cancel it, and begin anew with empty folders.").reasons)

    def entropy(self, label: bytes) -> Entropy:
        """Randomness of this session for one use: uniform to all who lack the seed, the same after a restart."""
        counter = iter(range(2**62))

        def drawn(count: int) -> bytes:
            named = hashlib.sha256(label).digest() + next(counter).to_bytes(8, "big")
            return hashlib.shake_256(b"xinglin session/1" + self.seed + named).digest(count)

        return drawn

    def transcript(self) -> bytes:
        """32 bytes over both ways, the same at both sides."""
        ways = sorted(hashlib.sha256("".join(self._ordered(way)).encode()).digest() for way in ("in", "out"))
        return hashlib.sha256(b"".join(ways)).digest()

    def close(self) -> None:
        """Leave it for the next start."""
        self._file.close()

    def done(self) -> None:
        """The session is over: erase what could compute it again."""
        self._file.truncate(0)
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _ordered(self, way: str) -> Iterator[str]:
        return (self._held[f"{way} {number}"] for number in range(self.count(way)))


class Line:
    """Parcels of this side out, those of the other side in, each in order; both folders are the carrier's."""

    def __init__(
        self,
        keys: PrivateKeys,
        directory: Directory,
        inbox: Path,
        outbox: Path,
        wait_s: float,
        journal: Journal,
    ) -> None:
        self._keys, self._directory, self._inbox, self._outbox = keys, directory, inbox, outbox
        self._wait_s, self._sent, self._taken = wait_s, 0, 0
        self.session, self.journal = b"", journal
        if not journal.resumed and any(outbox.glob("*.parcel")):
            words = "The folder for own parcels holds those of another matching."
            raise Refused(deny("node.match_boxes", words, "Give empty folders.").reasons)

    def say(self, kind: Kind, body: bytes) -> None:
        """Lay the next parcel into the outbox, whole or not at all; after a restart the same one again."""
        data = pack(self._keys, self.session, self._sent, kind, body)
        self.journal.same(f"out {self._sent}", data)
        path = self._outbox / f"{self._sent:06d}.parcel"
        if not path.exists():
            write_private(path, data)
        self._sent += 1

    def refuse(self, reasons: tuple[Reason, ...]) -> None:
        """Tell the other side why this one ends it."""
        self._sent = max(self._sent, self.journal.count("out"))
        self.say("refusal", encode_msgpack(Refusal(reasons)))

    def hear(self, peer: str, *kinds: Kind) -> Parcel:
        """The other side's next parcel; ``Refused`` with its reasons when it is a refusal, ``NoParcel`` too late."""
        path, until = self._inbox / f"{self._taken:06d}.parcel", time.monotonic() + self._wait_s
        while (data := read_exchanged(path, PARCEL_BYTES)) is None:
            if time.monotonic() > until:
                raise NoParcel("The other institution is silent.", remedy="Ask whether its side runs; start again.")
            time.sleep(_POLL_S)
        parcel = unpack(data, peer, self.session, self._taken, self._directory)
        self.journal.same(f"in {self._taken}", data)
        self._taken += 1
        if parcel.kind == "refusal":
            raise Refused(decode_msgpack(parcel.body, Refusal).reasons)
        if parcel.kind not in kinds:
            raise Refused(deny("node.match_turn", "The other institution sent something out of turn.").reasons)
        return parcel
