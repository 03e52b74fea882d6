"""Sealed parcels between two of several parties, through one folder that anybody may carry."""

from __future__ import annotations

import re
import time
from pathlib import Path

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason, deny
from xinglin.node.match_line import Journal, NoParcel
from xinglin.stores.exchange import read_exchanged
from xinglin.stores.tls import write_private
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.ports import Directory
from xinglin.trust.sealing import OVERHEAD_BYTES, seal, unseal
from xinglin.wire.errors import Refused
from xinglin.wire.linking import SEALED_INFO
from xinglin.wire.matching import PARCEL_BYTES, Kind, Parcel, Refusal, pack, unpack

SEALED_BYTES = Limit("sealed parcel of a linkage", PARCEL_BYTES.value + OVERHEAD_BYTES, "bytes")
_POLL_S = 0.05
_NUMBER = re.compile(r"-[0-9]{6,}\.sealed\Z")


class Post:
    """Parcels to and from one ``peer``, each in order; the journal holds a side to what it said and heard."""

    def __init__(
        self, keys: PrivateKeys, directory: Directory, folder: Path, peer: str, wait_s: float, journal: Journal
    ) -> None:
        self._keys, self._directory, self._folder, self.peer = keys, directory, folder, peer
        self._wait_s, self._journal, self._sent, self._taken = wait_s, journal, 0, 0
        self.session = b""

    def say(self, kind: Kind, body: bytes) -> None:
        """Seal the next parcel to the peer and lay it into the folder; after a restart the same one."""
        plain = pack(self._keys, self.session, self._sent, kind, body)
        self._journal.same(f"out {self.peer} {self._sent}", plain)
        path = self._path(self._keys.did, self.peer, self._sent)
        if not path.exists():
            write_private(path, seal(self._directory.keys(self.peer), plain, SEALED_INFO))
        self._sent += 1

    def hear(self, *kinds: Kind) -> Parcel:
        """The peer's next parcel; ``Refused`` with its reasons when it is a refusal, ``NoParcel`` too late."""
        path, until = self._path(self.peer, self._keys.did, self._taken), time.monotonic() + self._wait_s
        while (data := read_exchanged(path, SEALED_BYTES)) is None:
            if time.monotonic() > until:
                raise NoParcel("A party of the linkage is silent.", remedy="Ask whether its side runs; start again.")
            time.sleep(_POLL_S)
        plain = unseal(self._keys, data, SEALED_INFO)
        parcel = unpack(plain, self.peer, self.session, self._taken, self._directory)
        self._journal.same(f"in {self.peer} {self._taken}", plain)
        self._taken += 1
        if parcel.kind == "refusal":
            raise Refused(decode_msgpack(parcel.body, Refusal).reasons)
        if parcel.kind not in kinds:
            raise Refused(deny("node.match_turn", "A party of the linkage sent something out of turn.").reasons)
        return parcel

    def refuse(self, reasons: tuple[Reason, ...]) -> None:
        """Tell the peer why this side ends it."""
        self._sent = max(self._sent, self._journal.count(f"out {self.peer}"))
        self.say("refusal", encode_msgpack(Refusal(reasons)))

    def destroy(self) -> None:
        """Delete what the peer sent, heard or not: filters do not outlive their session."""
        first = self._path(self.peer, self._keys.did, 0).name
        for path in sorted(self._folder.iterdir()):
            if _NUMBER.sub("", path.name) == _NUMBER.sub("", first) and not path.is_dir():
                path.unlink(missing_ok=True)

    def _path(self, sender: str, reader: str, number: int) -> Path:
        names = "-".join(did.rpartition(":")[2] for did in (sender, reader))
        return self._folder / f"{names}-{number:06d}.sealed"
