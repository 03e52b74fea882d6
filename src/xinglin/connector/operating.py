"""What the people of a process ask of its connector: look, negotiate as consumer, ask for data, answer, end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.connector.answers import MOVES, is_held, make_answer
from xinglin.connector.asking import data_set
from xinglin.connector.assembly import Assembled
from xinglin.connector.holding import CREDENTIAL_VERBS
from xinglin.connector.opening import negotiate, transfer
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import deny
from xinglin.wire.desk import DeskCall
from xinglin.wire.dsp.offered import policy_digest
from xinglin.wire.dsp.ports import ProcessRow
from xinglin.wire.dsp.states import CONSUMER, PROVIDER, TABLES
from xinglin.wire.errors import Refused

SHOWN = 1_000
PLAIN = (
    *("pid", "kind", "side", "participant", "state", "trail", "data_set", "agreement", "format"),
    *("trouble", "peer_pid", "created", "changed"),
)


async def act_of_connector(found: Assembled | None, call: DeskCall, *, hospital: bool = False) -> Any:
    """One of ``CONNECTOR_VERBS``. ``hospital``: whether who asks here may answer for the data sets that are offered."""
    if found is None:
        raise Refused(
            deny("dsp.no_connector", "The Dataspace Protocol is not spoken here.", "Set 'dsp_address'.").reasons
        )
    if call.verb in ANSWERS and not hospital:
        _not_anothers(_row(found, call.arguments))
    return await _VERBS[call.verb](found, call.arguments)


def _not_anothers(row: ProcessRow) -> None:
    """Nobody answers in the name of the hospital whose data set it is."""
    if row.side == PROVIDER:
        words = "The offer is held for the hospital whose data set it is; it answers at its own node."
        raise Refused(
            deny("dsp.not_yours", words, "Wait for it, or end the negotiation: xinglin dsp terminate.").reasons
        )


def said_in(given: Mapping[str, str]) -> tuple[str, str, dict[str, tuple[str, ...]]]:
    """Who answers, on what ground, and the facts that the person vouches for, as a desk's call has them."""
    try:
        facts = msgspec.json.decode(given.get("facts") or "{}", type=dict[str, tuple[str, ...]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage("'facts' is not an object of names and values.") from error
    return given.get("by", ""), given.get("ground", ""), facts


async def _list(found: Assembled, given: Mapping[str, str]) -> list[dict[str, Any]]:
    kinds = [given["kind"]] if given.get("kind") else list(TABLES)
    if not set(kinds) <= set(TABLES):
        raise MalformedMessage(f"There is no process of kind {kinds[0][:40]!r}.", remedy=f"Name {' or '.join(TABLES)}.")
    store = found.connector.world.store
    return [_plain(row) for kind in kinds for row in store.processes(kind, given.get("after", ""), SHOWN)]


async def _show(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    row = _row(found, given)
    contract = found.connector.world.store.contract(row.agreement, row.side) if row.agreement else None
    answer = found.connector.world.store.answer(row.pid)
    told = _plain(row) | {"owed": _owed(found, row.pid), "address": row.address}
    told["offer"] = msgspec.json.decode(row.offer) if row.offer else None
    told["question"] = policy_digest(told["offer"]) if told["offer"] else ""
    told["document"] = msgspec.json.decode(contract.document) if contract is not None else None
    if answer is not None:
        told["answer"] = {name: getattr(answer, name) for name in ("accepted", "by", "ground", "at")}
        told["answer"]["facts"] = msgspec.json.decode(answer.facts)
    if row.side == CONSUMER and row.data_address:
        told["data_address"] = msgspec.json.decode(row.data_address)
    return told


async def _negotiate(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    """Ask for the counterparty's own offer of a data set, as it stands: the one named, or the first."""
    sender, present = found.sender, found.present
    participant, address, wanted = (_said(given, name) for name in ("participant", "address", "data_set"))
    document = await data_set(sender, present, participant, address, wanted)
    offers = [one for one in document["hasPolicy"] if given.get("offer", "") in ("", one.get("@id"))]
    if not offers or not isinstance(offers[0].get("@id"), str):
        raise Refused(
            deny("dsp.no_offer", "The data set has no such offer.", "Look at its offers.").reasons, status=404
        )
    rules = {name: value for name, value in offers[0].items() if name not in ("@id", "@type", "target")}
    return _plain(await negotiate(found.connector.desk, participant, address, wanted, offers[0]["@id"], rules))


async def _transfer(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    contract = found.connector.world.store.contract(_said(given, "agreement"), CONSUMER)
    row = found.connector.world.store.process(contract.negotiation) if contract is not None else None
    if contract is None or row is None:
        raise Refused(
            deny("dsp.no_agreement", "We hold no such agreement as consumer.", "List them.").reasons, status=404
        )
    asked = await transfer(
        found.connector.desk,
        contract.participant,
        row.address,
        contract.agreement,
        given.get("format") or "HttpData-PULL",
    )
    return _plain(asked)


async def _terminate(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    row = _row(found, given)
    return _plain(await found.connector.desk.do(row.pid, "terminate", reason=given.get("reason", "")))


async def _accept(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    return _plain(await _answered(found, given, True))


async def _refuse(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    return _plain(await _answered(found, given, False))


async def _answered(found: Assembled, given: Mapping[str, str], accepted: bool) -> ProcessRow:
    """A person's answer to what is held: the move that it stands for, judged with the person's facts, and noted."""
    row = _row(found, given)
    if not is_held(row):
        words = f"The {row.kind} is {row.state} and waits for nobody here."
        raise Refused(deny("dsp.not_held", words, "See what is held: xinglin dsp list.").reasons)
    if given.get("question", "") not in ("", policy_digest(msgspec.json.decode(row.offer or b"{}"))):
        words = "The offer on the table is not the one that was looked at."
        raise Refused(deny("dsp.other_offer", words, f"Look again: xinglin dsp show {row.pid}.").reasons)
    by, ground, facts = said_in(given)
    answer = make_answer(row, accepted, by, ground, facts, found.connector.world.clock())
    move = MOVES[row.side, row.state] if accepted else "terminate"
    return await found.connector.desk.do(row.pid, move, reason="" if accepted else ground, answer=answer)


async def _complete(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    return _plain(await found.connector.desk.do(_row(found, given).pid, "complete"))


_VERBS = {
    "dsp-list": _list,
    "dsp-show": _show,
    "dsp-negotiate": _negotiate,
    "dsp-transfer": _transfer,
    "dsp-complete": _complete,
    "dsp-terminate": _terminate,
    "dsp-accept": _accept,
    "dsp-refuse": _refuse,
    **CREDENTIAL_VERBS,
}
CONNECTOR_VERBS = tuple(_VERBS)
ANSWERS = ("dsp-accept", "dsp-refuse")


def _row(found: Assembled, given: Mapping[str, str]) -> ProcessRow:
    row = found.connector.world.store.process(_said(given, "pid"))
    if row is None:
        raise Refused(
            deny("dsp.no_process", "There is no such process.", "List them: xinglin dsp list.").reasons, status=404
        )
    return row


def _plain(row: ProcessRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in PLAIN}


def _owed(found: Assembled, pid: str) -> str:
    owed = found.connector.world.store.owed(pid)
    return owed.event if owed is not None else ""


def _said(given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise MalformedMessage(f"'{name}' is missing.", remedy="Name it.")
    return given[name]
