"""Which agreements follow each other: an amendment or a renewal goes on counting where the one before stopped."""

from __future__ import annotations

from xinglin.contract import Agreement
from xinglin.kernel.codec import decode_json
from xinglin.stores.node_database import NodeDatabase
from xinglin.trust.envelope import Signed


def chain_of(database: NodeDatabase, agreement_id: str) -> frozenset[str]:
    """Digests of every agreement and offer tied to this one by replacing, in either direction; itself included.

    Whatever replaces another is of the same parties, study and data set. Successors count too: what is still charged
    under an agreement that was replaced meanwhile may not add to what its successor gives.
    """
    row = database.agreement(agreement_id)
    if row is None:
        return frozenset((agreement_id,))
    before: dict[str, str] = {}
    for one in database.agreements_beside(row):
        before[one.agreement_id] = decode_json(Signed.from_bytes(one.offered).payload, Agreement).replaces
    tied = {agreement_id}
    while True:
        more = {old for new, old in before.items() if new in tied and old}
        more |= {new for new, old in before.items() if old in tied}
        if more <= tied:
            return frozenset(tied)
        tied |= more
