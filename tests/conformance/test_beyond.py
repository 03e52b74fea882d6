"""What the kit does not ask: repeats, patience with a counterparty in trouble, roles, ends, the schemas themselves."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.official import Schemas
from tests.conformance.peer import Message, Peer, Reply
from tests.conformance.process import TABLES, Asked, Asking, Process

MENDED = 3


def test_the_schemas_take_their_examples_but_one(schemas: Schemas) -> None:
    """Three references are mended; the example of a DID service fails its own pattern."""
    assert schemas.mended == MENDED
    kinds = {"protocol-version": "VersionResponse", "dataset": "Dataset"}
    failed, tried = [], 0
    for path, example in schemas.examples.items():
        name = path.rpartition("/")[2].removesuffix(".json")
        kind = kinds.get(name) or (example.get("@type") if isinstance(example, dict) else None)
        if not isinstance(kind, str) or not kind.endswith(("Message", "Error", "Response", "Dataset", "Catalog")):
            continue
        if kind == "DatasetRequestMessage":
            continue
        tried += 1
        if schemas.faults(kind, example):
            failed.append(path)
    assert tried >= 18 and not failed


def test_the_same_first_message_again_is_the_same_process(peer: Peer) -> None:
    for place, subject in (("negotiations", "ACN0202"), ("transfers", "ATP0205")):
        it = Asking(peer, place, subject)
        opening, url = it.opening(), f"{peer.provider_url}/{place}/request"
        it.state = "REQUESTED"
        kind = "ContractNegotiation" if place == "negotiations" else "TransferProcess"
        first, again = (peer.post(url, opening, 201, kind) for _ in range(2))
        assert first == again
        it.theirs = first["providerPid"]
        assert it.told() == "REQUESTED"


def test_another_first_message_under_the_same_id_is_refused(peer: Peer) -> None:
    it = Asking(peer, "negotiations", "ACN0202")
    opening, url = it.opening(), f"{peer.provider_url}/negotiations/request"
    peer.post(url, opening, 201, "ContractNegotiation")
    other = opening | {"offer": opening["offer"] | {"@id": "CD123:ACN0204:456", "target": "ACN0204"}}
    answer = peer.raw("POST", url, json=other)
    assert 400 <= answer.status_code < 500 and answer.status_code != 404


class InTrouble(Asking):
    """Answers the first deliveries of a move with a failure, and takes the message after that."""

    def __init__(self, peer: Peer, subject: str, status: int, times: int) -> None:
        super().__init__(peer, "negotiations", subject)
        self._status, self._left, self.deliveries = status, times, list[Message]()

    def _take(self, message: Message, kinds: dict[str, str]) -> Reply:
        self.deliveries.append(message)
        if self._left:
            self._left -= 1
            return self._status, {}
        return super()._take(message, kinds)


@pytest.mark.parametrize("status", [404, 408, 409, 425, 429, 500, 502, 503])
def test_a_message_that_was_not_taken_is_sent_again_as_it_was(peer: Peer, status: int) -> None:
    it = InTrouble(peer, "ACN0204", status, 2)
    it.hear("offer")
    it.begin()
    it.heard("offer")
    assert len(it.deliveries) == 3 and it.deliveries[0] == it.deliveries[1] == it.deliveries[2]
    it.ends("OFFERED")


def test_while_a_message_is_not_taken_the_state_is_the_old_one(peer: Peer) -> None:
    """Our offer has not arrived: the negotiation is still REQUESTED, and may be ended from there."""
    it = Asking(peer, "negotiations", "ACN0204")
    it.begin()
    assert it.told() == "REQUESTED"
    it.send("terminate")
    it.ends("TERMINATED")


def test_every_move_of_the_wrong_side_is_refused(peer: Peer) -> None:
    """Well-formed messages whose sender may not make the move, in each state that is reached without our doing."""
    for subject, first in (("ACN0202", ""), ("ACN0204", "offer"), ("ACN0203", "agree")):
        it = Asking(peer, "negotiations", subject)
        if first:
            it.hear(first)
        it.begin()
        if first:
            it.heard(first)
        _refuse_all(it, ("request", "accept", "verify", "terminate"))
    for subject, first in (("ACNC0201", ""), ("ACNC0204", "offer")):
        asked = Asked(peer, "negotiations", subject, first=first)
        asked.begin()
        _refuse_all(asked, ("offer", "agree", "finalize", "terminate"))


def _refuse_all(it: Process, moves: tuple[str, ...]) -> None:
    for move in moves:
        _, sides = TABLES[it.place].get((it.state, move), ("", ""))
        if it.side not in sides:
            it.refused(move)


def test_every_move_after_the_end_is_refused(peer: Peer) -> None:
    it = Asking(peer, "transfers", "ATP0201")
    it.hear("start")
    it.begin()
    it.heard("start")
    it.send("complete")
    for move in ("start", "suspend", "complete", "terminate"):
        it.refused(move)
    it.ends("COMPLETED")


def test_the_two_scenarios_that_the_kit_disables(peer: Peer) -> None:
    """TP:02-04: the consumer suspends, resumes and completes; TP_C:02-04: the connector does."""
    it = Asking(peer, "transfers", "ATP0204")
    it.hear("start")
    it.begin()
    it.heard("start")
    it.send("suspend")
    it.send("start")
    it.send("complete")
    it.ends("COMPLETED")
    asked = Asked(peer, "transfers", "ATPC0204", first="start")
    asked.hear("suspend", "start", "complete")
    asked.begin()
    for move in ("suspend", "start", "complete"):
        asked.heard(move)
    asked.ends("COMPLETED")


def test_a_message_for_another_process_is_refused(peer: Peer) -> None:
    """The ids in the message are those of the path, or nothing happens."""
    one, other = Asking(peer, "negotiations", "ACN0202"), Asking(peer, "negotiations", "ACN0202")
    one.begin()
    other.begin()
    wrong: list[dict[str, Any]] = [
        {"providerPid": other.theirs},
        {"consumerPid": other.pid},
        {"providerPid": other.theirs, "consumerPid": other.pid},
    ]
    for members in wrong:
        one.refused("terminate", **members)
    assert (one.told(), other.told()) == ("REQUESTED", "REQUESTED")
