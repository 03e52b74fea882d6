"""Evidence of one session of a matching: leaves by the running node, salts kept here, the other side's leaf checked.

``terms`` is what both sides know: its salt goes to the other side, which opens the commitment in the log. Whatever is
a hospital's own (how many persons, how many left out, the outcome where it is not shown) has salts that stay here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from xinglin.evidence.commitments import commit, new_salt
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.instants import Clock, system_clock
from xinglin.node.match_gate import Decision
from xinglin.stores.desk import ask_desk
from xinglin.stores.matching_ledger import Leaf, MatchingLedger
from xinglin.wire.desk import DeskCall
from xinglin.wire.matching import Told

TERMS = "terms"
DESK_WAIT_S = 90.0
Opening = dict[str, tuple[bytes, Any]]


class Gate(Protocol):
    """The running node's answers; ``Refused`` with its reasons."""

    def decide(self, study: str, purpose: str, peers: tuple[str, ...]) -> Decision:
        """Its decision."""
        ...

    def log(self, kind: str, session: bytes, parties: tuple[str, ...], commitments: dict[str, str]) -> int:
        """The index of a leaf that lies under a trusted checkpoint."""
        ...

    def seen(self, kind: str, session: bytes, submitter: str, index: int, terms: str) -> None:
        """Returns where the other side's leaf stands at ``index``; ``Refused`` otherwise."""
        ...


class DeskGate:
    """The gate of the node that runs in ``folder``; raises ``NotRunning`` where none does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def decide(self, study: str, purpose: str, peers: tuple[str, ...]) -> Decision:
        """See the port."""
        given = {"study": study, "purpose": purpose, "peers": ",".join(peers)}
        return msgspec.convert(self._ask("match-decide", given), Decision)

    def log(self, kind: str, session: bytes, parties: tuple[str, ...], commitments: dict[str, str]) -> int:
        """See the port."""
        said = msgspec.json.encode(commitments).decode()
        given = {"kind": kind, "subject": _subject(session), "parties": ",".join(parties), "commitments": said}
        return int(self._ask("match-log", given)["index"])

    def seen(self, kind: str, session: bytes, submitter: str, index: int, terms: str) -> None:
        """See the port."""
        given = {"kind": kind, "subject": _subject(session), "submitter": submitter}
        self._ask("match-seen", {**given, "index": str(index), "terms": terms})

    def _ask(self, verb: str, given: dict[str, str]) -> Any:
        return ask_desk(self._folder, DeskCall(verb, given), DESK_WAIT_S).value


class Book:
    """The leaves of sessions, each once: a session that goes on after a stop logs nothing twice."""

    def __init__(
        self,
        gate: Gate,
        ledger: MatchingLedger,
        clock: Clock = system_clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.gate, self._ledger, self._clock, self._entropy = gate, ledger, clock, entropy

    def log(self, kind: str, session: bytes, parties: tuple[str, ...], terms: Any, **own: Any) -> Told:
        """Log before anything leaves; what to tell the other side of it. ``own``: values that only this side opens."""
        kept = self._ledger.leaf(session, kind)
        if kept is None:
            values = {TERMS: terms, **own}
            opening: Opening = {label: (new_salt(self._entropy), value) for label, value in values.items()}
            kept = self._ledger.keep_leaf(session, kind, self._clock(), encode_msgpack(opening))
        opening = decode_msgpack(kept.opening, Opening)
        index = kept.index
        if index < 0:
            said = {label: commit(salt, value) for label, (salt, value) in opening.items()}
            index = self.gate.log(kind, session, parties, said)
            self._ledger.placed(session, kind, index)
        return Told(index, opening[TERMS][0])

    def check(self, kind: str, session: bytes, submitter: str, terms: Any, told: Told) -> None:
        """The other side's leaf stands in the log and commits to the same terms; ``Refused`` otherwise."""
        self.gate.seen(kind, session, submitter, told.index, commit(told.salt, terms))


def _subject(session: bytes) -> str:
    return f"sha256:{session.hex()}"


def opened(leaf: Leaf) -> dict[str, dict[str, Any]]:
    """What opens a leaf's commitments: by label the salt (hexadecimal) and the value."""
    opening = decode_msgpack(leaf.opening, Opening)
    return {label: {"salt": salt.hex(), "value": value} for label, (salt, value) in opening.items()}
