"""What the people of a process ask of its connector: look, negotiate as consumer, ask for data, answer, end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.connector.asking import data_set
from xinglin.connector.assembly import Assembled
from xinglin.connector.opening import negotiate, transfer
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import deny
from xinglin.wire.desk import DeskCall
from xinglin.wire.dsp.ports import ProcessRow
from xinglin.wire.dsp.states import CONSUMER, TABLES
from xinglin.wire.errors import Refused

SHOWN = 1_000
PLAIN = (
    *("pid", "kind", "side", "participant", "state", "trail", "data_set", "agreement", "format"),
    *("trouble", "peer_pid", "created", "changed"),
)


async def act_of_connector(found: Assembled | None, call: DeskCall) -> Any:
    """``dsp-list``, ``dsp-show``, ``dsp-negotiate``, ``dsp-transfer``, ``dsp-complete`` or ``dsp-terminate``."""
    if found is None:
        raise Refused(
            deny("dsp.no_connector", "The Dataspace Protocol is not spoken here.", "Set 'dsp_address'.").reasons
        )
    return await _VERBS[call.verb](found, call.arguments)


async def _list(found: Assembled, given: Mapping[str, str]) -> list[dict[str, Any]]:
    kinds = [given["kind"]] if given.get("kind") else list(TABLES)
    if not set(kinds) <= set(TABLES):
        raise MalformedMessage(f"There is no process of kind {kinds[0][:40]!r}.", remedy=f"Name {' or '.join(TABLES)}.")
    store = found.connector.world.store
    return [_plain(row) for kind in kinds for row in store.processes(kind, given.get("after", ""), SHOWN)]


async def _show(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    row = _row(found, given)
    contract = found.connector.world.store.contract(row.agreement, row.side) if row.agreement else None
    told = _plain(row) | {"owed": _owed(found, row.pid), "address": row.address}
    told["offer"] = msgspec.json.decode(row.offer) if row.offer else None
    told["document"] = msgspec.json.decode(contract.document) if contract is not None else None
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


async def _complete(found: Assembled, given: Mapping[str, str]) -> dict[str, Any]:
    return _plain(await found.connector.desk.do(_row(found, given).pid, "complete"))


_VERBS = {
    "dsp-list": _list,
    "dsp-show": _show,
    "dsp-negotiate": _negotiate,
    "dsp-transfer": _transfer,
    "dsp-complete": _complete,
    "dsp-terminate": _terminate,
}
CONNECTOR_VERBS = tuple(_VERBS)


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
