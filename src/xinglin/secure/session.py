"""One run's session: plan, roster, and the thresholds that follow from them."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

from xinglin.kernel.canonical import canonical_bytes
from xinglin.secure import graph
from xinglin.secure.errors import ForeignMessage, InvalidSession
from xinglin.secure.limits import ROSTER, ROUNDS

FEWEST = 3
"""No total of fewer hospitals is ever opened."""


class Member(msgspec.Struct, frozen=True):
    """A hospital of the roster: its DID and the digest of the public keys that speak for it."""

    did: str
    keys: str


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all parties of a run agree on before it: everything signed binds ``id``, the digest of it.

    ``plan`` is the plan's digest, ``run`` the run's id, ``members`` the roster in the plan's order,
    ``colluders`` the members (c) assumed to work with the hub, ``fewest`` the smallest set whose total may
    be opened (at least 3). Raises ``InvalidSession``. Version 1; fields are only ever appended.

    >>> Session("sha256:0", "run-1", tuple(Member(f"did:x:{i}", "sha256:0") for i in range(5))).threshold
    4
    """

    plan: str
    run: str
    members: tuple[Member, ...]
    colluders: int = 1
    fewest: int = FEWEST
    rounds: int = 1_000
    version: int = 1

    def __post_init__(self) -> None:
        ROSTER.check(len(self.members))
        ROUNDS.check(self.rounds)
        if self.version != 1:
            raise InvalidSession(f"Session version {self.version} is unknown.", remedy="Update this node.")
        if len({member.did for member in self.members}) != len(self.members):
            raise InvalidSession("A hospital is named twice in the roster.", remedy="Name each hospital once.")
        if self.fewest < FEWEST or len(self.members) < self.fewest:
            raise InvalidSession(
                f"{len(self.members)} hospitals with a minimum of {self.fewest} cannot be summed safely.",
                why="With fewer than three, a total tells one hospital the other's part.",
                remedy="Ask at least three hospitals.",
            )
        if not 1 <= self.colluders < self.degree or self.share_threshold > self.degree + 1:
            raise InvalidSession(
                f"{self.colluders} colluding hospitals among {len(self.members)} cannot be withstood.",
                remedy="Assume at least one and at most n − 2, or ask more hospitals.",
            )
        if self.rounds < 1:
            raise InvalidSession("A run has at least one round.")

    @property
    def id(self) -> bytes:
        """32 bytes that everything signed, sealed or derived in this run is bound to."""
        return _id(self)

    @property
    def threshold(self) -> int:
        """t = ⌊(n + c)/2⌋ + 1 signatures over the same survivors: two such sets share an honest signer."""
        return (len(self.members) + self.colluders) // 2 + 1

    @property
    def degree(self) -> int:
        """Masks of each member with others."""
        return graph.degree(len(self.members))

    @property
    def share_threshold(self) -> int:
        """Shares that give a secret, of the ``degree`` + 1 holders (neighbours and the owner itself).

        The same formula over the holders: the hub and c holders never get both kinds of one member, even
        if the others answer for different sets.
        """
        return (self.degree + 1 + self.colluders) // 2 + 1

    @property
    def shift_bits(self) -> int:
        """Low bits left empty for the pad: ⌈log2(n + 1)⌉."""
        return len(self.members).bit_length()

    def neighbours(self, member: int) -> tuple[int, ...]:
        """Indices of the members that ``member`` shares masks with."""
        return graph.neighbours(len(self.members), member)

    def index(self, did: str) -> int:
        """The place of ``did`` in the roster; ``ForeignMessage`` when it has none."""
        for place, member in enumerate(self.members):
            if member.did == did:
                return place
        raise ForeignMessage(f"{did} is not in the roster of this run.", who=did)

    def did(self, member: int) -> str:
        """The DID at place ``member``; ``ForeignMessage`` when the roster is shorter."""
        if not 0 <= member < len(self.members):
            raise ForeignMessage(f"The roster has no place {member}.")
        return self.members[member].did


@lru_cache(maxsize=256)
def _id(session: Session) -> bytes:
    return hashlib.sha256(b"xinglin:secure/session\0" + canonical_bytes(session)).digest()
