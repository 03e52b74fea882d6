"""Results that wait for a hospital's reviewers: as a node's database has a run that was computed and protected."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.gate.model import Computed, PooledGuard, Record
from xinglin.kernel.canonical import canonical_bytes
from xinglin.node.wiring import Node
from xinglin.privacy.packs import carried_pack, named_packs
from xinglin.privacy.packs.carried import tightened
from xinglin.stores.node_rows import RunRow
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.runs import run_id_of

PERSONS = 500


class Held:
    """Puts runs before the reviewers of ``node``, asked by ``researcher`` under an agreement that names ``pack``."""

    def __init__(self, node: Node, researcher: PrivateKeys, pack: str) -> None:
        self._node, self._keys = node, researcher
        self._named = named_packs([node.packs.own()[pack]])

    async def put(self, number: int, agreement: Agreement, terms: AgreedTerms) -> None:
        """One run whose result persons look at."""
        plan, now = self._plan(agreement, terms), self._node.clock()
        request = UseRequest(
            plan.digest(), self._keys.did, plan.study, terms.purposes[0], "statistics", secrets.token_urlsafe(24),
            now, now + 600_000, (self._keys.did,), plan.roster,
        )  # fmt: skip
        signed = sign(self._keys, USE_REQUEST, request)
        run, database = run_id_of(signed), self._node.database
        database.put_run(RunRow(run, "open", signed.to_bytes(), canonical_bytes(plan)))
        opened = await database.open(
            Record(run, request.digest(), request.nonce, "asked", secrets.token_bytes(32), now)
        )
        assert isinstance(opened, Record)
        result = canonical_bytes(msgspec.to_builtins(_answer(terms, number)))
        guard = PooledGuard({"": PERSONS}, plan.roster)
        computed = Computed(result, guard, secrets.token_bytes(32))
        after = msgspec.structs.replace(
            opened, state="protected", computed=computed, authenticated=True, version=opened.version, admitted=now
        )
        await database.save(opened, after)

    def _plan(self, agreement: Agreement, terms: AgreedTerms) -> Plan:
        view = terms.cohort[0].name
        names = [one.partition(".")[2] for one in terms.variables]
        return Plan(
            study=agreement.study,
            data_set=agreement.data_set,
            sql=f"SELECT {', '.join(names)} FROM {view}",
            algorithm="describe",
            params={"columns": names[:3]},
            roster=(self._node.keys.did,),
            as_of=self._node.clock() - 1,
            agreements={self._node.keys.did: agreement.digest()},
            rules=tightened(terms.rules, carried_pack(self._named)),
            disclosure=self._named,
            version=2,
        )


def _answer(terms: AgreedTerms, number: int) -> Any:
    """The statistic itself, on made-up rows."""
    from xinglin.analysis.algorithm import AlgorithmSpec, build
    from xinglin.analysis.table import Column
    from xinglin.console.preview_sample import _answered

    names = [one.partition(".")[2] for one in terms.variables]
    domain = tuple(Column(name, "number", low=0.0, high=100.0 + number) for name in names)
    found = _answered(build(AlgorithmSpec("describe", {"columns": names[:3]}), domain, terms.rules), 4, PERSONS)
    assert found is not None
    return found
