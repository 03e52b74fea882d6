"""The six calls about a 数字合约 (TC609-6-2025-14) at the hub, for the parties of an agreement and its authority.

A contract here is the face of an agreement that the hub carries, and its status follows from that agreement's own
standing: no call signs, ends or runs anything. What the calls add is kept: words of a negotiation, the filing (备案),
which uses were named as executions, why it ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.contract.faces.carried import Loss
from xinglin.contract.faces.national import (
    FILING_STATES,
    NATIONAL_STATES,
    ROLES,
    DigitalContract,
    Filing,
    Registration,
    from_contract,
    to_contract,
)
from xinglin.contract.faces.national_calls import (
    Call,
    ContractCreate,
    ContractExecution,
    ContractNegotiate,
    ContractRegistrate,
    ContractTemplate,
    ContractTerminate,
    read_call,
    status_after,
)
from xinglin.contract.faces.national_id import read_id
from xinglin.contract.faces.national_words import NationalRule, to_national
from xinglin.contract.negotiation import Standing
from xinglin.contract.templates.drafting import NAMES, Template, load_template
from xinglin.hub.members import Members
from xinglin.hub.ports import AgreementRow, HubStore
from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Clock, to_text
from xinglin.kernel.verdict import deny
from xinglin.stores.national_database import CallRow, ContractRow, NationalContracts
from xinglin.terms.policy import Permission, Policy, Prohibition
from xinglin.trust.envelope import Signed
from xinglin.wire.errors import Refused

CONFLICT = 409


class National:
    """Contracts as their parties see them. Guarantee: *Signed* needs both signatures, *Terminated* the log's word."""

    def __init__(
        self,
        members: Members,
        agreements: HubStore,
        contracts: NationalContracts,
        entries: Callable[[int, int], list[bytes]],
        clock: Clock,
    ) -> None:
        self._members, self._agreements, self._contracts = members, agreements, contracts
        self._entries, self._clock = entries, clock

    def take(self, asker: str, path: str, body: bytes) -> Any:
        """One call; what it answers is its contract as it stands then, or for a template the templates.

        Raises ``NotThisFace``, ``IllegalMove`` and ``Refused``; then nothing was kept.
        """
        call = read_call(path, body)
        if isinstance(call, ContractTemplate):
            return templates(call)
        if isinstance(call, ContractCreate):
            return self._create(asker, call)
        if isinstance(call, ContractNegotiate):
            return self._negotiate(asker, path, call)
        if isinstance(call, ContractRegistrate):
            return self._registrate(asker, path, call)
        if isinstance(call, ContractExecution):
            return self._execute(asker, path, call)
        return self._terminate(asker, path, call)

    def view(self, asker: str, contract_id: str) -> DigitalContract:
        """A contract as it stands, for its parties and for regulators; 404 to everybody else."""
        return self._face(self._row(asker, contract_id))

    def views(self, asker: str) -> tuple[DigitalContract, ...]:
        """Every contract of the asker's; a regulator's are those that were filed with it."""
        judges = "regulator" in self._members.directory.roles(asker)
        return tuple(
            self._face(one)
            for one in self._contracts.all()
            if asker in (one.provider, one.consumer) or (judges and self._authority(one.contract_id) == asker)
        )

    # --- the calls ---------------------------------------------------------------------------

    def _create(self, asker: str, call: ContractCreate) -> DigitalContract:
        """Open the contract of an offer or an agreement; the provider's credit code goes before another's word."""
        given = call.contract
        agreement = from_contract(given)
        row = self._agreements.agreement(agreement.digest())
        if row is None or asker not in (row.provider, row.consumer):
            raise _unknown()
        if given.filing is not None or (call.template_id and call.template_id not in NAMES):
            raise _refused("national.not_fresh", "A contract is opened unfiled, by a template of this space or none.")
        known = self._contracts.of_agreement(given.digest)
        if known is not None and known.contract_id != given.contract_id:
            untouched = not self._contracts.calls(known.contract_id)
            if asker != row.provider or known.opened_by == row.provider or not untouched:
                words = f"The agreement has the contract {known.contract_id} already."
                raise _refused("national.contract_exists", words, status=CONFLICT)
        taken = self._contracts.of_id(given.contract_id)
        if taken is not None and taken.digest != given.digest:
            raise _refused("national.id_taken", "Another contract has this id.", status=CONFLICT)
        if known is None or known.contract_id != given.contract_id:
            body = msgspec.json.encode(given)
            self._contracts.put(
                ContractRow(given.contract_id, given.digest, row.provider, row.consumer, asker, body)
            )  # fmt: skip
        return self.view(asker, given.contract_id)

    def _negotiate(self, asker: str, path: str, call: ContractNegotiate) -> DigitalContract:
        """Keep a counter-proposal or an acceptance: words between the parties, which bind nobody."""
        row = self._party_row(asker, call.contract_id)
        face = self._face(row)
        mine = next(one for one in face.signatories if one.did == asker)
        if call.by != mine or call.by.role not in ROLES:
            raise _refused("national.not_you", "A negotiation is by the caller, as the contract names it.")
        status_after(face.status, path, call)
        if call.proposal is not None:
            proposed = from_contract(call.proposal)
            if (proposed.provider, proposed.consumer, proposed.data_set) != (
                row.provider,
                row.consumer,
                face.product_id,
            ):
                words = "A proposal is between the same parties about the same product."
                raise _refused("national.other_contract", words)
        self._add(asker, path, call.contract_id, call)
        return self.view(asker, call.contract_id)

    def _registrate(self, asker: str, path: str, call: ContractRegistrate) -> DigitalContract:
        """File a signed contract with a regulator of this space, or (its authority) accept, return or cancel it."""
        given = call.filing
        row = self._row(asker, given.contract_id)
        face = self._face(row)
        if given.digest != row.digest:
            raise _refused("national.other_contract", "The filing names another agreement.")
        if asker in (row.provider, row.consumer):
            filing = self._filed_by_party(face, given)
        else:
            filing = self._judged(asker, face, given)
        self._add(asker, path, given.contract_id, ContractRegistrate(filing))
        return self.view(asker, given.contract_id)

    def _filed_by_party(self, face: DigitalContract, given: Filing) -> Filing:
        now, known = to_text(self._clock()), face.filing
        if given.state == "cancelled" and known is not None and face.status == "Terminated":
            return known.after("cancel", now, reason=given.reason)
        if given.state != FILING_STATES.start or given.number:
            raise _refused("national.not_yours", "A party hands a filing in; its authority accepts or returns it.")
        if "regulator" not in self._members.directory.roles(given.authority):
            raise _refused("national.no_authority", "A contract is filed with a regulator of this space.")
        if known is not None:
            if known.authority != given.authority:
                raise _refused("national.other_authority", "It was filed with another authority before.")
            return known.after("submit", now)
        NATIONAL_STATES.move(face.status, "file")
        return Filing(given.contract_id, given.digest, given.authority, at=now)

    def _judged(self, asker: str, face: DigitalContract, given: Filing) -> Filing:
        known = face.filing
        if known is None or known.authority != asker or "regulator" not in self._members.directory.roles(asker):
            raise _refused("national.not_yours", "A filing is judged by the authority that it was handed in to.")
        event = {"accepted": "accept", "returned": "return", "cancelled": "cancel"}.get(given.state, "")
        if (event == "accept") != bool(given.number) or (event == "return" and not given.reason.strip()):
            words = "What is accepted has a number, what is returned a reason."
            raise _refused("national.incomplete", words)
        if event == "accept" and face.status == "Terminated":
            raise _refused("national.over", "The contract has ended.", status=CONFLICT)
        return known.after(event, to_text(self._clock()), number=given.number, reason=given.reason)

    def _execute(self, asker: str, path: str, call: ContractExecution) -> DigitalContract:
        """Note a use under the contract: the run itself is asked for by its signed request alone."""
        row = self._party_row(asker, call.contract_id)
        face, agreement = self._face(row), self._agreement(row)
        if asker != row.consumer:
            raise _refused("national.not_yours", "An execution is asked for by the contract's user.")
        status_after(face.status, path, call)
        if self._standing(row).state != "active":
            raise _refused("national.not_active", "The agreement is not in force at present.", status=CONFLICT)
        known = {agreement.provider, *(peer.did for peer in agreement.terms.peers)}
        if not call.nodes or not set(call.nodes) <= known:
            raise _refused("national.other_nodes", "An execution is at nodes that the agreement names.")
        self._add(asker, path, call.contract_id, call)
        return self.view(asker, call.contract_id)

    def _terminate(self, asker: str, path: str, call: ContractTerminate) -> DigitalContract:
        """Note why an agreement came to its end; to end it is a signed leaf in the log, and nothing else."""
        row = self._party_row(asker, call.contract_id)
        face, standing = self._face(row), self._standing(row)
        if call.by != asker:
            raise _refused("national.not_you", "A contract is ended in the caller's own name.")
        if face.status != "Terminated":
            words = f"The agreement is {standing.state}: it ends by a signed leaf in the log, not by this call."
            remedy = "End it first: xinglin study end, or xinglin node end."
            raise Refused(deny("national.still_in_force", words, remedy).reasons, status=CONFLICT)
        if call.change and call.change != self._leaf_digest(standing.index):
            raise _refused("national.other_leaf", "That is not the leaf that ended the agreement.")
        self._add(asker, path, call.contract_id, call)
        return face

    # --- what is known -----------------------------------------------------------------------

    def _row(self, asker: str, contract_id: str) -> ContractRow:
        read_id(contract_id)
        row = self._contracts.of_id(contract_id)
        allowed = row is not None and (
            asker in (row.provider, row.consumer) or self._authority(row.contract_id) == asker
        )  # fmt: skip
        if row is None or not allowed:
            raise _unknown()
        return row

    def _party_row(self, asker: str, contract_id: str) -> ContractRow:
        row = self._row(asker, contract_id)
        if asker not in (row.provider, row.consumer):
            raise _refused("national.not_yours", "Only a party of the contract does this.")
        return row

    def _agreement_row(self, row: ContractRow) -> AgreementRow:
        found = self._agreements.agreement(row.digest)
        if found is None:
            raise _unknown()
        return found

    def _agreement(self, row: ContractRow) -> Agreement:
        return decode_json(Signed.from_bytes(self._agreement_row(row).offered).payload, Agreement)

    def _standing(self, row: ContractRow) -> Standing:
        """As the log has it once in force; else as the hub carries the offer."""
        kept = self._agreement_row(row)
        history = self._members.record.agreements.of(row.digest, row.provider, row.consumer)
        if history is not None and kept.state == "active":
            return history.standing
        return Standing(row.digest, kept.state, 0)

    def _face(self, row: ContractRow) -> DigitalContract:
        opened = decode_json(row.body, DigitalContract)
        named = read_id(row.contract_id)
        node_type: Any = named.node_type
        mode: Any = opened.sign_mode
        calls = self._contracts.calls(row.contract_id)
        used = sum(one.path == "/contractExecution" for one in calls)
        standing, filing = self._standing(row), self._filing(calls)
        registration = Registration(named.subject, named.area, node_type, mode)
        face = to_contract(self._agreement(row), standing, registration, filing=filing, used=used)
        talked = any(one.path == "/contractNegotiate" for one in calls)
        status = "Negotiating" if talked and face.status == NATIONAL_STATES.start else face.status
        return msgspec.structs.replace(face, status=status)

    def _filing(self, calls: tuple[CallRow, ...]) -> Filing | None:
        found = [one for one in calls if one.path == "/contractRegistrate"]
        return decode_json(found[-1].body, ContractRegistrate).filing if found else None

    def _authority(self, contract_id: str) -> str:
        filing = self._filing(self._contracts.calls(contract_id))
        return filing.authority if filing is not None else ""

    def _leaf_digest(self, index: int) -> str:
        return sha256_digest(self._entries(index, index + 1)[0]) if index >= 0 else ""

    def _add(self, asker: str, path: str, contract_id: str, call: Call) -> None:
        body = msgspec.json.encode(call)
        calls = self._contracts.calls(contract_id)
        if calls and (calls[-1].path, calls[-1].by, calls[-1].body) == (path, asker, body):
            return  # the same call again
        if not self._contracts.add(CallRow(contract_id, len(calls), path, asker, self._clock(), body)):
            raise _refused("national.busy", "The contract was changed meanwhile.", status=CONFLICT)


class Templates(msgspec.Struct, frozen=True, rename="camel"):
    """Templates of the space, in the standard's codes, with what these cannot say."""

    templates: tuple[ContractTemplate, ...]
    losses: dict[str, tuple[Loss, ...]]


def templates(call: ContractTemplate) -> Templates:
    """The template that is named, or all for an empty id; a template of one's own is refused."""
    if call.rules:
        raise _refused("national.own_template", "The templates are the space's own.")
    if call.template_id and call.template_id not in NAMES:
        raise Refused(deny("national.no_template", "There is no such template.", f"Known: {', '.join(NAMES)}.").reasons)
    found = [load_template(name) for name in NAMES if call.template_id in ("", name)]
    written = {one.name: _rules_of(one) for one in found}
    made = tuple(ContractTemplate(one.name, one.words_zh, written[one.name][0]) for one in found)
    return Templates(made, {name: losses for name, (_, losses) in written.items()})


def _rules_of(template: Template) -> tuple[tuple[NationalRule, ...], tuple[Loss, ...]]:
    permissions = tuple(Permission(one, template.limits) for one in template.operations)
    policy = Policy(permissions, tuple(map(Prohibition, template.prohibitions)), template.duties)
    return to_national(policy, ())


def _unknown() -> Refused:
    return Refused(deny("national.unknown_contract", "There is no such contract of yours.").reasons, status=404)


def _refused(code: str, words: str, status: int = 403) -> Refused:
    return Refused(deny(code, words, "See docs/contracts.md, Three faces.").reasons, status=status)
