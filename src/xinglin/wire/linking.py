"""What two hospitals and a linkage unit say to each other: parcels as in ``wire.matching``, each sealed to its reader.

The folder that carries them may be anybody's: who holds it sees who writes to whom, how much and when. The key of the
filters is in the offer alone, which is sealed to the other hospital; the unit and the hub never have it.
"""

from __future__ import annotations

import hashlib

import msgspec

from xinglin.kernel.codec import encode_msgpack
from xinglin.secure.blind.filters import FilterPlan
from xinglin.wire.matching import PARCEL_BYTES, Told

SEALED_INFO = b"xinglin linkage parcel/1"
ID_BYTES = 16
SHIPPED = FilterPlan()
"""The one plan that hospitals take: hardened as it is measured in the documentation."""
RECORDS_AT_ONCE = (PARCEL_BYTES.value - 16_384) // (SHIPPED.words * 8)
"""Filters of one parcel."""


class LinkOffer(msgspec.Struct, frozen=True):
    """Who asks whom for a linkage by which unit; the key of its filters, and how many pairs both plant. Sealed."""

    agreement: str
    proposer: str
    accepter: str
    unit: str
    records: int
    planted: int
    threshold_permille: int
    plan: bytes
    key: bytes
    nonce: bytes
    version: int = 1

    def session(self) -> bytes:
        """32 bytes that every parcel of this linkage carries; they tell nothing of the key."""
        return hashlib.sha256(b"xinglin linkage/1" + encode_msgpack(self)).digest()

    def __repr__(self) -> str:
        return f"LinkOffer({self.agreement!r})"


class LinkTerms(msgspec.Struct, frozen=True):
    """What all three know, and all their leaves commit to: parties, numbers of records with the planted ones."""

    session: str
    agreement: str
    left: str
    right: str
    unit: str
    plan: str
    threshold_permille: int
    left_records: int
    right_records: int
    version: int = 1


class Filters(msgspec.Struct, frozen=True):
    """Some of one hospital's filters, in its own shuffled order, with the terms and where its leaf stands."""

    terms: LinkTerms
    told: Told
    number: int
    data: bytes

    def __repr__(self) -> str:
        return f"Filters({self.number})"


class Linked(msgspec.Struct, frozen=True):
    """For one hospital: places of its linked records (``<u4``), the pseudonym of each link, and scores (``<u2``, ‰)."""

    told: Told
    number: int
    of: int
    places: bytes
    ids: bytes
    scores: bytes


class Planted(msgspec.Struct, frozen=True):
    """The pseudonym of the link of each planted record, in their order; zeros where it met nobody."""

    ids: bytes
