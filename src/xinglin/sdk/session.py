"""A session: one account's lines to a space, and what can be read there, verified."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import msgspec

from xinglin.catalogue.model import DataSetDescription
from xinglin.contract.agreement import Agreement, SignedAgreement, open_agreement, open_offer
from xinglin.contract.errors import ContractError
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.sdk.account import Account
from xinglin.sdk.client import HubClient
from xinglin.sdk.errors import NotVerified
from xinglin.sdk.logbook import Logbook, SharedLog
from xinglin.trust.errors import TrustError
from xinglin.wire.approvals import ApprovalRecord
from xinglin.wire.calls import AgreementView, DataSetListing, PacksSaid, Participant


class Held(msgspec.Struct, frozen=True):
    """An agreement of this account: how it stands at the hub, and what it says.

    ``trouble`` says why a signature does not verify by the keys of today; such an agreement is never run under.
    """

    view: AgreementView
    agreement: Agreement
    trouble: str = ""


class HubHealth(msgspec.Struct, frozen=True):
    """The hub's state, its clock (ms) and the size of its log."""

    state: str
    now: Instant
    log_size: int


class Session:
    """One account in one space. Close it, or use it in a ``with`` block.

    ``quiet``: True shows no progress of runs, False always, None in a terminal only. ``logbook``: a verified copy of
    this space's log that is shared with others, in place of one of its own.
    """

    def __init__(
        self,
        account: Account,
        *,
        proxy: str | None = None,
        clock: Clock = system_clock,
        quiet: bool | None = None,
        logbook: SharedLog | None = None,
    ) -> None:
        self.account = account
        self.clock = clock
        self.quiet = quiet
        self.packs_said: dict[str, dict[str, PacksSaid]] = {}
        """Disclosure packs by data set and provider DID, as ``data_sets`` last read them."""
        self.client = HubClient(account, clock, proxy)
        self.log: Logbook | SharedLog = logbook or Logbook(account.space, self.client)
        self.approvals = ApprovalRecord(self.log.record) if logbook is None else logbook.approvals

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def hub_health(self) -> HubHealth:
        """What the hub says of itself; its word."""
        return decode_json(self.client.get_open("/v1/healthz"), HubHealth)

    def participants(self) -> list[Participant]:
        """Everybody in the space, and whether they are connected."""
        return msgspec.json.decode(self.client.get_open("/v1/participants"), type=list[Participant])

    def names(self) -> dict[str, str]:
        """DID to label of everybody who ever joined, from the verified log."""
        if not self.log.record.size:
            self.log.refresh()
        return {did: one.name for did, one in self.log.record.directory.participants.items()}

    def hospitals(self) -> list[Participant]:
        """Participants with the role provider."""
        return [one for one in self.participants() if "provider" in one.roles]

    def data_sets(self, name: str = "") -> dict[str, dict[str, DataSetDescription]]:
        """What is published: data set name to provider DID to description. Public facts, no rows.

        ``name``: of one data set alone, wherever it is published.
        """
        listings = self.client.get("/v1/datasets", list[DataSetListing], **({"name": name} if name else {}))
        found: dict[str, dict[str, DataSetDescription]] = {}
        self.packs_said = {}
        for listing in listings:
            for name, said in listing.packs.items():
                self.packs_said.setdefault(name, {})[listing.provider] = said
            for one in msgspec.json.decode(listing.descriptions, type=tuple[DataSetDescription, ...]):
                found.setdefault(one.name, {})[listing.provider] = one
        return found

    def agreements(self, study: str = "") -> list[Held]:
        """Every agreement of this account, with its standing; both signatures of an active one are verified here.

        ``study``: of the study with this id alone.
        """
        views = self.client.get("/v1/agreements", list[AgreementView], **({"study": study} if study else {}))
        self.log.refresh()
        held = [self._held(view) for view in views if view.offered.signer == self.account.did]
        return [one for one in held if study in ("", one.agreement.study)]  # the hub's word is not taken for it

    def _held(self, view: AgreementView) -> Held:
        directory = self.log.record.directory
        trouble = ""
        try:
            open_offer(view.offered, directory)
            if view.state == "active":
                if view.countersigned is None:
                    raise NotVerified("The hospital's signature is missing.")
                open_agreement(SignedAgreement(view.countersigned, view.offered), directory)
        except (NotVerified, TrustError, ContractError, MalformedMessage) as error:
            trouble = error.what
        return Held(view, decode_json(view.offered.payload, Agreement), trouble)
