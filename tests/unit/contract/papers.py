"""Parties, a log of leaves and agreements for the tests of this room."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.unit.contract.test_contract import HOSPITAL, INSTITUTE, PAPER, STRANGER, keys
from tests.unit.terms.uses import NOW, TERMS

from xinglin.contract.agreement import Agreement
from xinglin.contract.changes import KIND_OF, Change, sign_change
from xinglin.evidence.entry import Entry
from xinglin.terms.agreed import Peer
from xinglin.trust.errors import UnknownParticipant
from xinglin.trust.keys import PrivateKeys, PublicKeys

REGULATOR = keys("regulator")
DAY = 86_400_000

__all__ = ["DAY", "HOSPITAL", "INSTITUTE", "NOW", "PAPER", "REGULATOR", "STRANGER", "TERMS", "Known", "amended", "leaf"]


class Known:
    """A directory of these parties; the regulator has its role."""

    def __init__(self) -> None:
        self._keys = {one.did: one.public for one in (HOSPITAL, INSTITUTE, STRANGER, REGULATOR)}

    def keys(self, did: str, at: int | None = None) -> PublicKeys:
        if did not in self._keys:
            raise UnknownParticipant(did)
        return self._keys[did]

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        return frozenset({"regulator"}) if did == REGULATOR.did else frozenset()


def begin(agreement: Agreement = PAPER) -> Entry:
    """The leaf that puts an agreement in force."""
    return Entry(
        kind="agreement",
        at=NOW,
        submitter=agreement.provider,
        parties=(agreement.provider, agreement.consumer),
        subject=agreement.digest(),
    )


def leaf(by: PrivateKeys, event: str, agreement: str = "", made: int = NOW, **named: Any) -> Entry:
    """A change as its signer logs it."""
    agreement = agreement or PAPER.digest()
    body = sign_change(by, Change(event, agreement, made, **named))
    return Entry(kind=KIND_OF[event], at=made, submitter=by.did, subject=agreement, body=body)


def amended(old: Agreement = PAPER, days: float = 0, **changes: Any) -> Agreement:
    """What may follow ``old``: some days longer, with other terms."""
    terms = replace(old.terms, expires=old.terms.expires + round(days * DAY), **changes)
    return replace(old, terms=terms, made=old.made + 1, replaces=old.digest())


PEERS = tuple(Peer(one.did, one.public.digest()) for one in (HOSPITAL, keys("second"), keys("third")))
