"""The six calls about a 数字合约 (TC609-6-2025-14), as messages: template, create, negotiate, registrate, execution,
terminate.

Paths are the text's; the members are our reading of it, one struct a call. ``MESSAGES`` maps path to struct.
"""

from __future__ import annotations

import msgspec

from xinglin.contract.errors import NotThisFace
from xinglin.contract.faces.national import NATIONAL_STATES, SIGN_MODES, DigitalContract, Filing, Signatory
from xinglin.contract.faces.national_id import read_id
from xinglin.contract.faces.national_words import NationalRule
from xinglin.terms.request import is_digest


class ContractTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A template to draft from: its id, its title, and its rules."""

    template_id: str
    title: str
    rules: tuple[NationalRule, ...] = ()
    version: int = 1


class ContractCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Opens a contract, as *Initiated*."""

    contract: DigitalContract
    template_id: str = ""
    version: int = 1


class ContractNegotiate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A counter-proposal to ``contract_id``, or (``accept``) the word that it is taken as it is."""

    contract_id: str
    by: Signatory
    accept: bool = False
    proposal: DigitalContract | None = None
    version: int = 1


class ContractRegistrate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Files a signed contract (备案)."""

    filing: Filing
    version: int = 1


class ContractExecution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Asks for an execution at the nodes that the rules are bound to; ``request``: digest of the use request."""

    contract_id: str
    request: str
    nodes: tuple[str, ...]
    version: int = 1


class ContractTerminate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Ends a contract; ``change``: digest of the signed leaf that ended the agreement."""

    contract_id: str
    by: str
    reason: str = ""
    change: str = ""
    version: int = 1


Call = (
    ContractTemplate | ContractCreate | ContractNegotiate | ContractRegistrate | ContractExecution | ContractTerminate
)

MESSAGES: dict[str, type[Call]] = {
    "/contractTemplate": ContractTemplate,
    "/contractCreate": ContractCreate,
    "/contractNegotiate": ContractNegotiate,
    "/contractRegistrate": ContractRegistrate,
    "/contractExecution": ContractExecution,
    "/contractTerminate": ContractTerminate,
}
"""Path to message."""

EVENT_OF = {
    "/contractNegotiate": "negotiate",
    "/contractRegistrate": "file",
    "/contractExecution": "execute",
    "/contractTerminate": "terminate",
}
"""Path to the event of ``NATIONAL_STATES``; an accepting negotiation signs."""


def read_call(path: str, data: bytes) -> Call:
    """The message of a call; ``NotThisFace`` for an unknown path or a body that is none."""
    shape = MESSAGES.get(path)
    if shape is None:
        raise NotThisFace(f"'{path[:40]}' is no call of a contract.", remedy=f"Calls: {', '.join(MESSAGES)}.")
    try:
        call: Call = msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise NotThisFace(f"Not a message of {path}: {error}.") from error
    _check(call)
    return call


def status_after(status: str, path: str, call: Call) -> str:
    """The contract's status after a call; ``IllegalMove`` where the status does not take it."""
    event = "sign" if isinstance(call, ContractNegotiate) and call.accept else EVENT_OF.get(path)
    return status if event is None else NATIONAL_STATES.move(status, event)


def _check(call: Call) -> None:
    if call.version != 1:
        raise NotThisFace(f"Version {call.version} of this message is not known here.", remedy="Update the software.")
    name = getattr(call, "contract_id", "")
    if isinstance(call, ContractRegistrate):
        name = call.filing.contract_id
    elif isinstance(call, ContractCreate):
        name = call.contract.contract_id
        if call.contract.sign_mode not in SIGN_MODES:
            raise NotThisFace("A contract is signed in mode 01 or 02.")
    if not isinstance(call, ContractTemplate):
        read_id(name)
    if isinstance(call, ContractExecution) and not is_digest(call.request):
        raise NotThisFace("An execution names the use request by its digest.")
    if isinstance(call, ContractNegotiate) and call.accept == (call.proposal is not None):
        raise NotThisFace("A negotiation accepts, or proposes something else.")
