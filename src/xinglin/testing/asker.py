"""A researcher written for attacks: real keys, agreements on any terms, and requests that say what a test wants."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from xinglin.catalogue import DataSetDescription
from xinglin.contract.agreement import Agreement, sign_agreement
from xinglin.hub.runs import Coordinator
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_msgpack
from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest
from xinglin.terms.thresholds import DisclosureRules
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import register
from xinglin.trust.sealing import unseal
from xinglin.wire.channel import SEAL_INFO, AgreementOrder, Sealed

PURPOSE = "health-research"
_DAY_MS = 24 * 3600 * 1000


class Asker:
    """One researcher in the space of ``hub``; ``study`` names what the agreements are for."""

    def __init__(self, hub: HostileHub, study: str = "study-a", data_set: str = "cardiology") -> None:
        self.hub, self.study, self.data_set = hub, study, data_set
        self.keys = PrivateKeys.generate()
        self.agreements: dict[str, str] = {}
        self.terms: dict[str, AgreedTerms] = {}
        hub.enter(register(self.keys, study, ("consumer",)))

    @property
    def did(self) -> str:
        """Who asks."""
        return self.keys.did

    async def agree(
        self, cohort: Mapping[str, str], variables: Sequence[str], *, names: Sequence[str] | None = None, **terms: Any
    ) -> None:
        """Agreements with the hospitals ``names`` (all), each the others' peer, signed by both and in the log."""
        await self.hub.checkpoint()
        chosen = [self.hub.hospitals[name] for name in names or self.hub.names]
        await asyncio.gather(*(self._agree(one, chosen, cohort, variables, terms) for one in chosen))

    async def _agree(
        self,
        one: Hospital,
        chosen: Sequence[Hospital],
        cohort: Mapping[str, str],
        variables: Sequence[str],
        changes: Mapping[str, Any],
    ) -> None:
        directory, now = self.hub.record.directory, self.hub.clock()
        peers = sorted((Peer(o.did, directory.keys(o.did).digest()) for o in chosen if o is not one), key=_did)
        known: dict[str, Any] = {
            "grade": "L2",
            "cohort": tuple(CohortView(*view) for view in sorted(cohort.items())),
            "variables": tuple(sorted(variables)),
            "purposes": (PURPOSE,),
            "operations": ("statistics",),
            "not_before": now - 60_000,
            "expires": now + _DAY_MS,
            "allowance": 50,
            "recipients": (self.did,),
            "peers": tuple(peers),
            "rules": DisclosureRules(),
        }
        terms = AgreedTerms(**{**known, **changes})
        keys = directory.keys(one.did).digest()
        mine = self.keys.public.digest()
        agreement = Agreement(
            one.did, keys, self.did, mine, self.study, self.data_set, terms, now, version=terms.version
        )
        signed = sign_agreement(self.keys, agreement)
        one.dispatch.take(AgreementOrder(agreement.digest(), signed.to_bytes()))
        await one.node.agreements.approve(agreement.digest(), one.node.tables.published.get(self.data_set))
        self.agreements[one.did], self.terms[one.did] = agreement.digest(), terms

    def plan(self, sql: str, algorithm: str, params: Mapping[str, Any], **changes: Any) -> Plan:
        """A plan over every hospital agreed with, unless ``changes`` say otherwise."""
        roster = tuple(sorted(self.agreements))
        known: dict[str, Any] = {
            "study": self.study,
            "data_set": self.data_set,
            "sql": sql,
            "algorithm": algorithm,
            "params": dict(params),
            "roster": roster,
            "as_of": self.hub.clock() - 1,
            "rules": DisclosureRules(),
            **changes,
        }
        if "agreements" not in known:
            known["agreements"] = {did: self.agreements[did] for did in known["roster"]}
        return Plan(**known)

    def request(self, plan: Plan, **changes: Any) -> UseRequest:
        """A request to run ``plan``, fresh and in order unless ``changes`` say otherwise."""
        now = self.hub.clock()
        known: dict[str, Any] = {
            "plan": plan.digest(),
            "requester": self.did,
            "study": plan.study,
            "purpose": PURPOSE,
            "operation": "statistics",
            "nonce": secrets.token_urlsafe(24),
            "issued": now,
            "expires": now + 600_000,
            "recipients": (self.did,),
            "nodes": plan.roster,
        }
        return UseRequest(**{**known, **changes})

    def signed(self, request: UseRequest, by: PrivateKeys | None = None) -> Signed:
        """The request, signed by this researcher or by somebody else."""
        return sign(by or self.keys, USE_REQUEST, request)

    def begin(self, plan: Plan, request: UseRequest | None = None, **how: Any) -> Coordinator:
        """Sign and start a run; its coordinator."""
        return self.hub.begin(self.signed(request or self.request(plan)), plan, canonical_bytes(plan), **how)

    async def ask(self, plan: Plan, request: UseRequest | None = None, **how: Any) -> Coordinator:
        """A run to its end."""
        return await self.hub.finish(self.begin(plan, request, **how))

    def opened(self, coordinator: Coordinator) -> dict[str, Any]:
        """The outcome of a run that ended with one."""
        if coordinator.result is None or not coordinator.result.sealed:
            raise LookupError(f"the run is {coordinator.state}: {coordinator.view().words}")
        sealed = decode_msgpack(unseal(self.keys, coordinator.result.sealed, SEAL_INFO), Sealed)
        outcome: dict[str, Any] = msgspec.json.decode(sealed.outcome)
        return outcome


def furnish(hub: HostileHub) -> None:
    """Give each hospital a generated one's rows in its lake, and publish them."""
    from xinglin.lake.delta import Lake
    from xinglin.sample import data_set, descriptions, generate_space, write_hospital

    for hospital, sample in zip(hub.hospitals.values(), generate_space(), strict=False):
        write_hospital(sample, Lake(hospital.folder / "lake"))
        publish(hospital, data_set(sample.profile, hospital.did, descriptions()))


def publish(hospital: Hospital, data_set: DataSetDescription) -> None:
    """Publish ``data_set`` as the hospital's."""
    hospital.node.tables.publish(data_set)


def _did(peer: Peer) -> str:
    return peer.did
