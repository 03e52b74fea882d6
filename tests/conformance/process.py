"""One negotiation or transfer as this peer lives through it: either side, every move, the state tables kept."""

from __future__ import annotations

import re
import threading
import time
from queue import Empty, Queue
from typing import Any
from urllib.parse import quote

from tests.conformance.peer import PARTICIPANT, PATIENCE_S, Listener, Message, Peer, Reply

C, P = "consumer", "provider"
PID = {C: "consumerPid", P: "providerPid"}
ANSWER_LATE_S = 0.05
LATE_S = 0.2
# (state, move): the state after it, and who may make it. Reference, section 1.2.
TABLES: dict[str, dict[tuple[str, str], tuple[str, str]]] = {
    "negotiations": {
        ("REQUESTED", "offer"): ("OFFERED", P),
        ("REQUESTED", "agree"): ("AGREED", P),
        ("REQUESTED", "terminate"): ("TERMINATED", C + P),
        ("OFFERED", "request"): ("REQUESTED", C),
        ("OFFERED", "accept"): ("ACCEPTED", C),
        ("OFFERED", "terminate"): ("TERMINATED", C + P),
        ("ACCEPTED", "agree"): ("AGREED", P),
        ("ACCEPTED", "terminate"): ("TERMINATED", P),
        ("AGREED", "verify"): ("VERIFIED", C),
        ("AGREED", "terminate"): ("TERMINATED", C),
        ("VERIFIED", "finalize"): ("FINALIZED", P),
        ("VERIFIED", "terminate"): ("TERMINATED", P),
    },
    "transfers": {
        ("REQUESTED", "start"): ("STARTED", P),
        ("REQUESTED", "terminate"): ("TERMINATED", C + P),
        ("STARTED", "complete"): ("COMPLETED", C + P),
        ("STARTED", "suspend"): ("SUSPENDED", C + P),
        ("STARTED", "terminate"): ("TERMINATED", C + P),
        ("SUSPENDED", "start"): ("STARTED", C + P),
        ("SUSPENDED", "terminate"): ("TERMINATED", C + P),
    },
}
# Move: path below the process, message. Reference, section 1.1.
MOVES: dict[str, dict[str, tuple[str, str]]] = {
    "negotiations": {
        "request": ("request", "ContractRequestMessage"),
        "offer": ("offers", "ContractOfferMessage"),
        "accept": ("events", "ContractNegotiationEventMessage"),
        "agree": ("agreement", "ContractAgreementMessage"),
        "verify": ("agreement/verification", "ContractAgreementVerificationMessage"),
        "finalize": ("events", "ContractNegotiationEventMessage"),
        "terminate": ("termination", "ContractNegotiationTerminationMessage"),
    },
    "transfers": {
        "start": ("start", "TransferStartMessage"),
        "complete": ("completion", "TransferCompletionMessage"),
        "suspend": ("suspension", "TransferSuspensionMessage"),
        "terminate": ("termination", "TransferTerminationMessage"),
    },
}
ACKS = {"negotiations": "ContractNegotiation", "transfers": "TransferProcess"}
PERMISSION = {"permission": [{"action": "use"}]}


def offer_id(data_set: str) -> str:
    """The offer that the connector under test is seeded with. Reference, section 2.3."""
    return f"CD123:{data_set}:456"


class Process:
    """``side`` is this peer's; ``pid`` and ``theirs`` are the two ids; the state is what was told and heard."""

    def __init__(self, peer: Peer, place: str, side: str, subject: str) -> None:
        self.peer, self.place, self.side, self.subject = peer, place, side, subject
        self.pid, self.theirs, self.state = peer.new_pid(), "", ""
        self.address, self._prefix = peer.address()
        self.remote = peer.provider_url
        self._guard = threading.RLock()
        self._listeners: dict[str, Listener] = {}
        peer.route("GET", f"{self._prefix}/{place}/{re.escape(self.pid)}", lambda _: (200, self.ack()))

    @property
    def other_side(self) -> str:
        """The side of the connector under test."""
        return P if self.side == C else C

    @property
    def url(self) -> str:
        """The process at the connector under test."""
        return f"{self.remote.rstrip('/')}/{self.place}/{quote(self.theirs, safe=':')}"

    def ids(self) -> dict[str, str]:
        """Both ids, as messages name them."""
        return {PID[self.side]: self.pid, PID[self.other_side]: self.theirs}

    def ack(self) -> Message:
        """How we tell our state."""
        return self.peer.message(ACKS[self.place], **self.ids(), state=self.state)

    # What the connector under test does

    def hear(self, *moves: str) -> None:
        """Listen for these moves from now on; anything else stays 404."""
        by_path: dict[str, dict[str, str]] = {}
        for move in moves:
            path, kind = MOVES[self.place][move]
            by_path.setdefault(path, {})[kind] = move
            self._listeners[move] = Listener(move, path)
        for path, kinds in by_path.items():
            pattern = f"{self._prefix}/{self.place}/{re.escape(self.pid)}/{path}"
            self.peer.route("POST", pattern, lambda message, kinds=kinds: self._take(message, kinds))

    def late(self) -> None:
        """Let the connector knock before anybody listens, as the official kit does."""
        time.sleep(LATE_S)

    def heard(self, move: str) -> Message:
        """The message by which the connector under test made this move."""
        return self._listeners[move].next(MOVES[self.place][move][1])

    def quiet(self, wait_s: float = 0.0) -> None:
        """Nothing came that nobody waited for."""
        for number, listener in enumerate(self._listeners.values()):
            listener.nothing_more(0.0 if number else wait_s)

    def _take(self, message: Message, kinds: dict[str, str]) -> Reply:
        move = kinds.get(message["@type"], "")
        with self._guard:
            wrong = self._wrong(message, move)
            if wrong:
                self.peer.problems.append(f"{self.subject}: {wrong}: {message}")
                return 400, {}
            self.theirs = message[PID[self.other_side]]
            self.state = TABLES[self.place][self.state, move][0]
            reply = self.ack()
        self._listeners[move].took(message)
        return 200, reply

    def _wrong(self, message: Message, move: str) -> str:
        after, sides = TABLES[self.place].get((self.state, move), ("", ""))
        if self.other_side not in sides:
            return f"'{move}' from the {self.other_side} in state {self.state}"
        if self.theirs and message.get(PID[self.other_side]) != self.theirs:
            return f"{PID[self.other_side]} is not {self.theirs}"
        if message.get(PID[self.side]) != self.pid:
            return f"{PID[self.side]} is not {self.pid}"
        if move in ("accept", "finalize") and message["eventType"] != after:
            return f"eventType is not {after}"
        return ""

    # What we do

    def send(self, move: str) -> Message:
        """Make a legal move; the answer is the acknowledgement with both ids."""
        path, _ = MOVES[self.place][move]
        with self._guard:
            after, sides = TABLES[self.place][self.state, move]
            assert self.side in sides, f"the test itself is wrong: {move} in {self.state}"
            # The connector may answer with its next message before we have read its acknowledgement.
            self.state = after
            message = self.draft(move)
        found = self.peer.post(f"{self.url}/{path}", message, 200, ACKS[self.place])
        assert {name: found[name] for name in self.ids()} == self.ids()
        return found

    def refused(self, move: str, **members: Any) -> Message:
        """Make a move that the state does not take: refused, and the state is as it was."""
        before = self.told()
        error = self.peer.refused(f"{self.url}/{MOVES[self.place][move][0]}", self.draft(move, **members))
        assert self.told() == before
        return error

    def draft(self, move: str, **members: Any) -> Message:
        """A valid message for a move, whether or not the state takes it."""
        more: dict[str, Any] = dict(self.ids())
        if move in ("request", "offer"):
            more["offer"] = self._offer()
        elif move == "agree":
            more["agreement"] = self._agreement()
        elif move in ("accept", "finalize"):
            more["eventType"] = {"accept": "ACCEPTED", "finalize": "FINALIZED"}[move]
        elif move in ("terminate", "suspend"):
            more |= {"code": "1", "reason": ["test"]}
        elif move == "start" and self.side == P:
            more["dataAddress"] = {
                "@type": "DataAddress",
                "endpointType": "https://w3id.org/idsa/v4.1/HTTP",
                "endpoint": f"{self.peer.url}/data",
                "endpointProperties": [{"@type": "EndpointProperty", "name": "authorization", "value": "secret"}],
            }
        return self.peer.message(MOVES[self.place][move][1], **more | members)

    def told(self) -> str:
        """The state that the connector under test tells, with both ids."""
        found = self.peer.get(self.url, ACKS[self.place])
        assert {name: found[name] for name in self.ids()} == self.ids()
        return str(found["state"])

    def ends(self, state: str) -> None:
        """Both sides are in this state, and nothing else came."""
        assert (self.state, self.told()) == (state, state)
        self.quiet()
        assert not self.peer.problems, self.peer.problems

    def _offer(self) -> Message:
        return {"@type": "Offer", "@id": offer_id(self.subject), "target": self.subject, **PERMISSION}

    def _agreement(self) -> Message:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        parties = {"assigner": PARTICIPANT, "assignee": "CONNECTOR_UNDER_TEST"}
        about = {"@type": "Agreement", "@id": self.peer.new_pid(), "target": self.subject, "timestamp": stamp}
        return about | parties | PERMISSION


class Asking(Process):
    """A process that this peer begins as consumer: the connector under test is the provider."""

    def __init__(self, peer: Peer, place: str, subject: str) -> None:
        super().__init__(peer, place, C, subject)

    def opening(self) -> Message:
        """The first message."""
        mine = {"consumerPid": self.pid, "callbackAddress": self.address}
        if self.place == "negotiations":
            return self.peer.message("ContractRequestMessage", **mine, offer=self._offer())
        return self.peer.message("TransferRequestMessage", **mine, agreementId=self.subject, format="HttpData-PULL")

    def begin(self) -> None:
        """Send the first message: 201 and both ids."""
        self.state = "REQUESTED"
        url = f"{self.remote}/{self.place}/request"
        found = self.peer.post(url, self.opening(), 201, ACKS[self.place])
        assert found["consumerPid"] == self.pid
        with self._guard:
            assert self.theirs in ("", found["providerPid"])
            self.theirs = found["providerPid"]


class Asked(Process):
    """A process that the connector under test begins as consumer: this peer is the provider.

    ``first``: our first move, made before the connector has read the answer to its own request.
    """

    def __init__(self, peer: Peer, place: str, subject: str, first: str = "") -> None:
        super().__init__(peer, place, P, subject)
        self._first, self._done = first, Queue[str]()
        self.request: Message = {}
        peer.route("POST", f"{self._prefix}/{place}/request", self._asked)

    def begin(self) -> None:
        """Make the connector begin, and wait until our first move (or its request) is done."""
        if self.place == "negotiations":
            more = {"datasetId": self.subject, "offerId": offer_id(self.subject)}
            self.peer.trigger("negotiation", connectorAddress=self.address, **more)
        else:
            more = {"agreementId": self.subject, "format": "HttpData-PULL"}
            self.peer.trigger("transfer", connectorAddress=self.address, **more)
        try:
            problem = self._done.get(timeout=PATIENCE_S)
        except Empty:
            raise AssertionError(f"the connector did not ask for {self.subject}") from None
        assert not problem, problem

    def _asked(self, message: Message) -> Reply:
        with self._guard:
            # The same consumer's id again is the same process.
            if self.theirs:
                return (201, self.ack()) if self.theirs == message["consumerPid"] else (400, {})
            self.theirs, self.remote = message["consumerPid"], message.get("callbackAddress", "")
            self.state, self.request = "REQUESTED", message
            wrong = self._misread(message)
            if wrong:
                self._done.put(wrong)
                return 400, {}
            reply = self.ack()
        threading.Thread(target=self._begin, daemon=True).start()
        if self._first:
            time.sleep(ANSWER_LATE_S)
        return 201, reply

    def _misread(self, message: Message) -> str:
        if self.place == "transfers":
            right = message.get("agreementId") == self.subject and message.get("format") == "HttpData-PULL"
            return "" if right else f"the request is for something else: {message}"
        offer = message["offer"]
        right = (offer["@id"], offer.get("target")) == (offer_id(self.subject), self.subject)
        return "" if right and not message.get("providerPid") else f"the request is for something else: {message}"

    def _begin(self) -> None:
        try:
            if self._first:
                self.send(self._first)
            self._done.put("")
        except AssertionError as problem:
            self._done.put(str(problem))
