"""Proposing a study: one agreement for each hospital, pinned to keys that the verified log holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.contract.agreement import Agreement, sign_agreement
from xinglin.sdk.errors import NoAgreement
from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.pack_named import OPERAND
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.terms.thresholds import DisclosureRules
from xinglin.terms.vocabulary import includes
from xinglin.wire.calls import AgreementCall, AgreementView, PacksSaid

if TYPE_CHECKING:
    from xinglin.sdk.session import Session

_DAY_MS = 24 * 3600 * 1000


class Offer(msgspec.Struct, frozen=True):
    """The parts of an agreement that a study may bargain about; a hospital's officer sees all of them.

    ``policy``: permissions, prohibitions and duties beside the rest; an agreement with one is of version 2.
    ``recipients``: DIDs beside the asker's own that results may be sealed to, such as an enrolled workspace.
    """

    days: float = 365
    allowance: int = 50
    grade: str = "L2"
    operations: tuple[str, ...] = ("statistics",)
    rules: DisclosureRules = DisclosureRules()
    policy: Policy | None = None
    recipients: tuple[str, ...] = ()


class Proposal(msgspec.Struct, frozen=True):
    """A study as it is offered to each hospital."""

    study: str
    data_set: str
    cohort: dict[str, str]
    variables: tuple[str, ...]
    purpose: str

    def send(
        self,
        space: Session,
        offer: Offer,
        hospitals: Sequence[str] | None,
        own: Mapping[str, Offer] | None = None,
    ) -> list[AgreementView]:
        """Sign and send one agreement for each hospital; every hospital names all the others as peers.

        ``own``: offers of hospitals (DIDs) that are offered something else.
        """
        publishing = space.data_sets(self.data_set).get(self.data_set, {})
        chosen = sorted(publishing if hospitals is None else hospitals)
        if not chosen or not set(chosen) <= set(publishing):
            raise NoAgreement(
                f"No chosen hospital publishes {self.data_set!r}.",
                remedy=f"Published: {', '.join(sorted(space.data_sets())) or 'nothing yet'}.",
            )
        space.log.refresh()
        views = []
        for provider in chosen:
            chosen_offer = (own or {}).get(provider, offer)
            signed = sign_agreement(space.account.keys, self._agreement(space, chosen_offer, provider, chosen))
            views.append(space.client.post("/v1/agreements", AgreementCall(signed), AgreementView))
        return views

    def _agreement(self, space: Session, offer: Offer, provider: str, chosen: list[str]) -> Agreement:
        directory, now = space.log.record.directory, space.clock()
        keys = {did: directory.keys(did).digest() for did in chosen}
        terms = AgreedTerms(
            grade=offer.grade,
            cohort=tuple(CohortView(name, select) for name, select in sorted(self.cohort.items())),
            variables=tuple(sorted(self.variables)),
            purposes=(self.purpose,),
            operations=offer.operations,
            not_before=now,
            expires=now + round(offer.days * _DAY_MS),
            allowance=offer.allowance,
            recipients=tuple(sorted({space.account.did, *offer.recipients})),
            peers=tuple(Peer(did, keys[did]) for did in chosen if did != provider),
            rules=offer.rules,
            policy=self._policy(space, offer, provider),
        )
        return Agreement(
            provider=provider,
            provider_keys=keys[provider],
            consumer=space.account.did,
            consumer_keys=space.account.keys.public.digest(),
            study=self.study,
            data_set=self.data_set,
            terms=terms,
            made=now,
            version=terms.version,
        )

    def _policy(self, space: Session, offer: Offer, provider: str) -> Policy | msgspec.UnsetType:
        """The offer's policy, with the disclosure packs that the hospital publishes as those it asks for."""
        asked = space.packs_said.get(self.data_set, {}).get(provider, PacksSaid()).asked
        if not asked:
            return msgspec.UNSET if offer.policy is None else offer.policy
        own = offer.policy or Policy(tuple(Permission(operation) for operation in offer.operations))
        kept = Constraint(OPERAND, "isAllOf", asked)
        return msgspec.structs.replace(
            own,
            permissions=tuple(
                msgspec.structs.replace(one, constraints=(*one.constraints, kept))
                if includes(one.action, "statistics") and kept not in one.constraints
                else one
                for one in own.permissions
            ),
        )
