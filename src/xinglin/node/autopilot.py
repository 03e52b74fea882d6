"""The node's auto-pilot: answers offers by the rules in ``autopilot.toml``, read anew for each."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.contract.autopilot import Answer, Autopilot, answer, read_autopilot
from xinglin.contract.errors import BadRules
from xinglin.gate import NotNow
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.node.agreements import NodeAgreements
from xinglin.node.tables import Tables
from xinglin.trust.envelope import Signed
from xinglin.wire.errors import Refused

log = logging.getLogger("xinglin.node.autopilot")
AUTOPILOT_FILE = "autopilot.toml"


class NodeAutopilot:
    """Accepts, holds or refuses; whatever goes wrong holds the offer for a person."""

    def __init__(self, folder: Path, agreements: NodeAgreements, tables: Tables) -> None:
        self._file, self._agreements, self._tables = folder / AUTOPILOT_FILE, agreements, tables

    def rules(self) -> Autopilot:
        """The rules of the file, none where there is none; ``BadRules``."""
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Autopilot()
        except (OSError, UnicodeDecodeError) as error:
            raise BadRules("The auto-pilot's rules cannot be read.", why=type(error).__name__) from error
        return read_autopilot(text)

    def explain(self, agreement_id: str) -> Answer:
        """What the rules do with an offer, rule by rule; nothing is done."""
        row = self._agreements.row_of(agreement_id)
        agreement = decode_json(Signed.from_bytes(row.offered).payload, Agreement)
        return answer(self.rules(), self._agreements.event_of(agreement), agreement)

    async def take(self, agreement_id: str) -> None:
        """Answer a fresh offer."""
        try:
            found = self.explain(agreement_id)
            log.info("auto-pilot: %s is for rule %d: %s", agreement_id, found.number, found.do)
            row = self._agreements.row_of(agreement_id)
            if found.do == "accept":
                await self._agreements.approve(agreement_id, self._tables.published.get(row.data_set))
            elif found.do == "refuse":
                self._agreements.refuse(agreement_id, found.reason)
        except (XinglinError, Refused, NotNow) as error:
            log.warning("auto-pilot: %s waits for a person: %s", agreement_id, error.code)


def shown(found: Answer) -> dict[str, object]:
    """An explanation as the desk shows it."""
    return {
        "do": found.do,
        "rule": found.number,
        "reason": found.reason,
        "tried": [
            {"rule": one.number, "do": one.rule.do, "holds": bool(one.verdict), **msgspec.to_builtins(one.verdict)}
            for one in found.tried
        ],
    }
