"""A member's side of the calls about a 数字合约 (TC609-6-2025-14): an account's, a hospital's or an authority's."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.contract.errors import NotThisFace
from xinglin.contract.faces.national import DigitalContract, Filing, Registration, from_contract, to_contract
from xinglin.contract.faces.national_calls import (
    Call,
    ContractCreate,
    ContractExecution,
    ContractNegotiate,
    ContractRegistrate,
    ContractTemplate,
    ContractTerminate,
)
from xinglin.contract.negotiation import Standing
from xinglin.kernel.codec import decode_json
from xinglin.sdk.account import Account
from xinglin.sdk.client import HubClient
from xinglin.sdk.errors import NoAgreement
from xinglin.wire.calls import AgreementView

PREFIX = "/v1/national"


class ContractDesk:
    """The calls of one member. What comes back is read as its agreement's face, and refused when it is none.

    The hub's word is what it says of status and filing; what is agreed follows from the agreement that is carried.
    """

    def __init__(self, account: Account, client: HubClient | None = None) -> None:
        self._account, self._client = account, client or HubClient(account)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def templates(self, template: str = "") -> dict[str, Any]:
        """The space's templates in the standard's codes, or one of them, with what the codes cannot say."""
        return self._client.post(f"{PREFIX}/contractTemplate", ContractTemplate(template, ""), dict[str, Any])

    def contracts(self) -> list[DigitalContract]:
        """Every contract of this member's."""
        return [_checked(one) for one in self._client.get(f"{PREFIX}/contracts", list[DigitalContract])]

    def contract(self, contract_id: str) -> DigitalContract:
        """One contract as it stands, by its id or enough of its beginning."""
        found = [one for one in self.contracts() if one.contract_id.startswith(contract_id)]
        if len(found) != 1:
            raise NoAgreement("There is no such contract, or more than one begins so.", remedy="See: contract list.")
        return found[0]

    def open(self, agreement: str, registration: Registration, template: str = "") -> DigitalContract:
        """Open the contract of an agreement, named by its digest or enough of its beginning."""
        start = "sha256:" + agreement.removeprefix("sha256:")
        views = self._client.get("/v1/agreements", list[AgreementView])
        found = [one for one in views if one.agreement_id.startswith(start)]
        if len(found) != 1:
            raise NoAgreement("There is no such agreement of yours, or more than one begins so.")
        paper = decode_json(found[0].offered.payload, Agreement)
        face = to_contract(paper, Standing(paper.digest(), "offered", 0), registration)
        return self._call("/contractCreate", ContractCreate(face, template))

    def negotiate(self, contract_id: str, proposal: DigitalContract | None = None) -> DigitalContract:
        """Propose something else, or (without a proposal) say that the contract is taken as it is."""
        known = self.contract(contract_id)
        mine = [one for one in known.signatories if one.did == self._account.did]
        if not mine:
            raise NotThisFace("You are no party of this contract.")
        call = ContractNegotiate(known.contract_id, mine[0], proposal is None, proposal)
        return self._call("/contractNegotiate", call)

    def file(
        self, contract_id: str, *, authority: str = "", state: str = "submitted", number: str = "", reason: str = ""
    ) -> DigitalContract:
        """File a signed contract with ``authority`` (备案); as that authority, accept (``number``) or return it."""
        known = self.contract(contract_id)
        before = known.filing.authority if known.filing is not None else ""
        filing = Filing(known.contract_id, known.digest, authority or before, state, number, "", reason)
        return self._call("/contractRegistrate", ContractRegistrate(filing))

    def execute(self, contract_id: str, request: str, nodes: tuple[str, ...] = ()) -> DigitalContract:
        """Name a use request (its digest) as an execution; ``nodes``: default all that the agreement names."""
        known = self.contract(contract_id)
        agreement = from_contract(known)
        every = (agreement.provider, *(peer.did for peer in agreement.terms.peers))
        return self._call("/contractExecution", ContractExecution(known.contract_id, request, nodes or every))

    def terminate(self, contract_id: str, reason: str = "", change: str = "") -> DigitalContract:
        """Say why a contract ended; the agreement has to be ended before, by its leaf."""
        known = self.contract(contract_id)
        call = ContractTerminate(known.contract_id, self._account.did, reason, change)
        return self._call("/contractTerminate", call)

    def _call(self, path: str, call: Call) -> DigitalContract:
        return _checked(self._client.post(PREFIX + path, call, DigitalContract))


def shown(contract: DigitalContract) -> dict[str, Any]:
    """A contract as JSON, in the standard's members."""
    value: dict[str, Any] = msgspec.to_builtins(contract)
    return value


def _checked(contract: DigitalContract) -> DigitalContract:
    from_contract(contract)
    return contract
