"""The newest that each hospital says of its budgets: kept as signed, shown to who asks about one study.

In memory alone: a hub that was started anew is told again.
"""

from __future__ import annotations

from xinglin.kernel.codec import decode_json
from xinglin.trust.envelope import Signed
from xinglin.wire.budgets import ANY_STUDY, TOLD, BudgetTold


class BudgetBoard:
    """Statements by hospital, data set and study."""

    def __init__(self) -> None:
        self._told: dict[str, dict[tuple[str, str], Signed]] = {}

    def take(self, node: str, data: bytes) -> None:
        """Keep a statement of ``node``'s own; another's, or one more than the limit, is dropped."""
        signed = Signed.from_bytes(data)
        told = decode_json(signed.payload, BudgetTold)
        own = self._told.setdefault(node, {})
        if signed.signer == node == told.node and (len(own) < TOLD.value or (told.data_set, told.study) in own):
            own[told.data_set, told.study] = signed

    def about(self, data_set: str, study: str) -> list[Signed]:
        """What every hospital says of ``data_set`` to ``study``: its own statement, or what holds for any study."""
        found = []
        for _, own in sorted(self._told.items()):
            signed = own.get((data_set, study)) or own.get((data_set, ANY_STUDY))
            if signed is not None:
                found.append(signed)
        return found
