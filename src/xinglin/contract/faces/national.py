"""The agreement as a 数字合约 (TC609-6-2025-14): id, signatories, mode of signing, status, rules, filing (备案).

The text was not to be had: names of members and codes are as implementations of it quote them, the rest is our
reading. Rules are in its codes with what they lose; the agreement itself is carried, under its digest.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.contract.errors import NotThisFace
from xinglin.contract.faces.carried import Loss, carried, carry, policy_of
from xinglin.contract.faces.national_id import NodeType, contract_id, read_id
from xinglin.contract.faces.national_words import NationalRule, to_national
from xinglin.contract.negotiation import Standing
from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import to_text
from xinglin.kernel.states import StateTable

NATIONAL_STATES = StateTable(
    "数字合约",
    "Initiated",
    (
        ("Initiated", "negotiate", "Negotiating"),
        ("Initiated", "sign", "Signed"),
        ("Initiated", "terminate", "Terminated"),
        ("Negotiating", "negotiate", "Negotiating"),
        ("Negotiating", "sign", "Signed"),
        ("Negotiating", "terminate", "Terminated"),
        ("Signed", "file", "Filed"),
        ("Signed", "execute", "Executing"),
        ("Signed", "terminate", "Terminated"),
        ("Filed", "execute", "Executing"),
        ("Filed", "terminate", "Terminated"),
        ("Executing", "execute", "Executing"),
        ("Executing", "terminate", "Terminated"),
    ),
)
"""Statuses of a 数字合约; *Filed* (已备案) lies between signing and execution where the space files contracts."""

SIGN_MODES = {"01": "点对点签署", "02": "平台签署"}
"""Peer to peer; through the platform."""
ROLES = {"01": "数据提供方", "02": "数据使用方", "03": "数据服务方", "04": "数据运营方", "05": "数据监管方"}
"""Roles of signatories; the numbers are ours."""
FILING_STATES = StateTable(
    "备案",
    "submitted",
    (
        ("submitted", "accept", "accepted"),
        ("submitted", "return", "returned"),
        ("returned", "submit", "submitted"),
        ("accepted", "cancel", "cancelled"),
    ),
)
"""A filing: handed in, accepted or returned with its reason, and cancelled when the contract ends."""


class Signatory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Who signs: DID, digest of the pinned keys, role (a code of ``ROLES``), and the suite of the signatures."""

    did: str
    keys: str
    role: str
    suite: str = "Ed25519+ML-DSA-65"


class Filing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A filing (备案) record: with whom, under which number, since when, in which state of ``FILING_STATES``."""

    contract_id: str
    digest: str
    authority: str
    state: str = FILING_STATES.start
    number: str = ""
    at: str = ""
    reason: str = ""

    def after(self, event: str, at: str, *, number: str = "", reason: str = "") -> Filing:
        """The record after an event of its table; ``IllegalMove`` when the state does not take it."""
        state = FILING_STATES.move(self.state, event)
        return msgspec.structs.replace(self, state=state, at=at, number=number or self.number, reason=reason)


class Registration(msgspec.Struct, frozen=True):
    """What the space states: type of its node, the provider's unified social credit code, its area (four digits)."""

    subject: str
    area: str
    node_type: NodeType = "3"
    sign_mode: Literal["01", "02"] = "02"


class DigitalContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The contract as it is sent; ``digest`` names the agreement, ``agreement`` carries it."""

    contract_id: str
    digest: str
    status: str
    sign_mode: str
    signatories: tuple[Signatory, ...]
    product_id: str
    effective: str
    expires: str
    rules: tuple[NationalRule, ...]
    losses: tuple[Loss, ...]
    agreement: dict[str, Any]
    filing: Filing | None = None
    replaces: str = ""
    version: int = 1


def to_contract(
    agreement: Agreement, standing: Standing, registration: Registration, *, filing: Filing | None = None, used: int = 0
) -> DigitalContract:
    """The face of an agreement that stands so; ``used``: uses so far, which make it *Executing*."""
    digest, terms = agreement.digest(), agreement.terms
    name = contract_id(digest, agreement.made, registration.node_type, registration.subject, registration.area)
    if filing is not None and (filing.contract_id, filing.digest) != (name, digest):
        raise NotThisFace("The filing is another contract's.")
    rules, losses = to_national(policy_of(agreement), (agreement.provider,))
    return DigitalContract(
        contract_id=name,
        digest=digest,
        status=status_of(standing, filed=filing is not None and filing.state == "accepted", used=used),
        sign_mode=registration.sign_mode,
        signatories=(
            Signatory(agreement.provider, agreement.provider_keys, "01"),
            Signatory(agreement.consumer, agreement.consumer_keys, "02"),
        ),
        product_id=agreement.data_set,
        effective=to_text(terms.not_before),
        expires=to_text(terms.expires),
        rules=rules,
        losses=losses,
        agreement=carry(agreement),
        filing=filing,
        replaces=agreement.replaces,
    )


def status_of(standing: Standing, *, filed: bool = False, used: int = 0) -> str:
    """The status for a standing: a table cannot be walked from a standing alone, so that its path is named here.

    >>> status_of(Standing("sha256:…", "active", 0)), status_of(Standing("sha256:…", "active", 0), used=1)
    ('Signed', 'Executing')
    """
    path = {
        "offered": (),
        "countersigned": ("sign",),
        "active": ("sign", *(("file",) if filed else ()), *(("execute",) if used else ())),
        "suspended": ("sign", *(("file",) if filed else ())),
    }.get(standing.state, ("terminate",))
    state = NATIONAL_STATES.start
    for event in path:
        state = NATIONAL_STATES.move(state, event)
    return state


def from_contract(contract: DigitalContract) -> Agreement:
    """The agreement that a contract is the face of; ``NotThisFace`` where id, parties, rules or dates say otherwise."""
    agreement = carried(contract.agreement, contract.digest)
    found = read_id(contract.contract_id)
    node_type: Any = found.node_type
    mode: Any = contract.sign_mode
    registration = Registration(found.subject, found.area, node_type, mode)
    standing = Standing(contract.digest, "active", 0)
    expected = to_contract(agreement, standing, registration, filing=contract.filing)
    if contract.sign_mode not in SIGN_MODES or contract.status not in NATIONAL_STATES.states:
        raise NotThisFace("Its mode of signing or its status is none.")
    if msgspec.structs.replace(expected, status=contract.status) != contract:
        raise NotThisFace("The contract says something else than the agreement that it names.")
    return agreement


def contract_bytes(contract: DigitalContract) -> bytes:
    """The contract as canonical JSON."""
    return canonical_bytes(contract)


def read_contract(data: bytes) -> DigitalContract:
    """The contract that JSON spells; raises ``MalformedMessage``."""
    return decode_json(data, DigitalContract)
