"""Questions of feasibility at a hospital: answered by the rules it set beforehand, never by a second way out.

The rules decide only whether the question's agreement is signed. Its run then passes the gate like every other.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from xinglin.contract.agreement import Agreement
from xinglin.gate import NotNow
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.instants import Clock, Instant
from xinglin.kernel.verdict import Denied, Verdict, deny
from xinglin.node.agreements import NodeAgreements
from xinglin.node.tables import Tables
from xinglin.stores.node_database import NodeDatabase
from xinglin.trust.envelope import Signed
from xinglin.wire.errors import Refused
from xinglin.wire.feasibility import FeasibilityRules, check_question, is_question, read_rules

log = logging.getLogger("xinglin.node.feasibility")
FEASIBILITY_FILE = "feasibility.toml"


class NodeFeasibility:
    """Signs questions inside ``feasibility.toml``, read anew for each; without the file nobody is answered."""

    def __init__(
        self, folder: Path, agreements: NodeAgreements, tables: Tables, database: NodeDatabase, clock: Clock
    ) -> None:
        self._file, self._agreements, self._tables = folder / FEASIBILITY_FILE, agreements, tables
        self._database, self._clock = database, clock
        self._one = asyncio.Lock()

    def rules(self) -> FeasibilityRules | None:
        """The rules of the file, ``None`` where there is none; ``MalformedMessage``."""
        try:
            return read_rules(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise MalformedMessage("The feasibility file cannot be read.", why=type(error).__name__) from error

    def judge(self, agreement: Agreement) -> Verdict:
        """Whether the question is answered, with every reason why not."""
        rules = self.rules()
        if rules is None:
            words = "This hospital answers no questions before a study is agreed."
            return deny("feasibility.closed", words, "Propose a study.")
        return check_question(agreement, rules, self._earlier(agreement), self._clock())

    async def take(self, agreement_id: str) -> bool:
        """Answer an offer that is a question; False where it is none, and somebody else decides."""
        agreement = _opened(self._agreements.row_of(agreement_id).offered)
        if not is_question(agreement):
            return False
        async with self._one:  # two questions at once are counted one after the other
            try:
                verdict = self.judge(agreement)
                if isinstance(verdict, Denied):
                    self._agreements.refuse(agreement_id, " ".join(one.words for one in verdict.reasons))
                else:
                    published = self._tables.published.get(agreement.data_set)
                    await self._agreements.approve(agreement_id, published)
                log.info("question %s: %s", agreement_id, "refused" if isinstance(verdict, Denied) else "answered")
            except (XinglinError, Refused, NotNow) as error:
                log.warning("question %s waits for a person: %s", agreement_id, error.code)
        return True

    def _earlier(self, agreement: Agreement) -> list[tuple[Agreement, Instant]]:
        """Questions of the same member that this hospital signed, whether they were run or not."""
        mine = agreement.digest()
        rows = [one for one in self._database.agreements() if one.consumer == agreement.consumer]
        signed = [one for one in rows if one.countersigned and one.agreement_id != mine]
        opened = [(_opened(one.offered), one.since) for one in signed]
        return [(one, at) for one, at in opened if is_question(one)]


def _opened(offered: bytes) -> Agreement:
    return decode_json(Signed.from_bytes(offered).payload, Agreement)
