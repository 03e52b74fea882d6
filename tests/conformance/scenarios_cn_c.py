"""CN_C: negotiations in which the connector under test is the consumer."""

from __future__ import annotations

from tests.conformance.peer import Peer
from tests.conformance.process import Asked
from tests.conformance.registry import data_set, scenario


@scenario("CN_C:01-01")
def whole_way_with_an_offer(peer: Peer) -> None:
    """The consumer requests, accepts our offer, verifies our agreement; we finalize."""
    it = Asked(peer, "negotiations", data_set("CN_C:01-01"), first="offer")
    it.hear("accept", "verify")
    it.begin()
    it.heard("accept")
    it.send("agree")
    it.heard("verify")
    it.send("finalize")
    it.ends("FINALIZED")


@scenario("CN_C:01-02")
def counter_request_then_we_terminate(peer: Peer) -> None:
    """The consumer answers our offer with a counter-request; we terminate."""
    it = Asked(peer, "negotiations", data_set("CN_C:01-02"), first="offer")
    it.hear("request")
    it.begin()
    it.heard("request")
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("CN_C:01-03")
def consumer_terminates_the_offered(peer: Peer) -> None:
    """The consumer answers our offer with a termination."""
    it = Asked(peer, "negotiations", data_set("CN_C:01-03"), first="offer")
    it.hear("terminate")
    it.begin()
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("CN_C:01-04")
def whole_way_without_an_offer(peer: Peer) -> None:
    """The consumer verifies the agreement by which we answer its request; we finalize."""
    it = Asked(peer, "negotiations", data_set("CN_C:01-04"), first="agree")
    it.hear("verify")
    it.begin()
    it.heard("verify")
    it.send("finalize")
    it.ends("FINALIZED")


@scenario("CN_C:02-01")
def we_terminate_at_once(peer: Peer) -> None:
    """We answer the consumer's request with a termination."""
    it = Asked(peer, "negotiations", data_set("CN_C:02-01"), first="terminate")
    it.begin()
    it.ends("TERMINATED")


@scenario("CN_C:02-02")
def consumer_terminates_its_request(peer: Peer) -> None:
    """The consumer terminates what it requested, although nobody listens for it at first."""
    it = Asked(peer, "negotiations", data_set("CN_C:02-02"))
    it.begin()
    it.late()
    it.hear("terminate")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("CN_C:02-03")
def consumer_terminates_the_agreed(peer: Peer) -> None:
    """The consumer answers our agreement with a termination."""
    it = Asked(peer, "negotiations", data_set("CN_C:02-03"), first="agree")
    it.hear("terminate")
    it.begin()
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("CN_C:02-04")
def we_terminate_our_offer(peer: Peer) -> None:
    """We offer, the consumer does nothing, we terminate."""
    it = Asked(peer, "negotiations", data_set("CN_C:02-04"), first="offer")
    it.begin()
    assert it.told() == "OFFERED"
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("CN_C:02-05")
def we_terminate_the_accepted(peer: Peer) -> None:
    """The consumer accepts our offer; we terminate."""
    it = Asked(peer, "negotiations", data_set("CN_C:02-05"), first="offer")
    it.hear("accept")
    it.begin()
    it.heard("accept")
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("CN_C:02-06")
def we_terminate_the_verified(peer: Peer) -> None:
    """The consumer verifies our agreement; we terminate."""
    it = Asked(peer, "negotiations", data_set("CN_C:02-06"), first="agree")
    it.hear("verify")
    it.begin()
    it.heard("verify")
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("CN_C:03-01")
def requested_is_not_finalized(peer: Peer) -> None:
    """FINALIZED where the consumer has only requested is refused."""
    it = Asked(peer, "negotiations", data_set("CN_C:03-01"))
    it.begin()
    it.refused("finalize")
    it.ends("REQUESTED")


@scenario("CN_C:03-02")
def offered_is_not_agreed(peer: Peer) -> None:
    """An agreement where the consumer has not accepted our offer is refused."""
    it = Asked(peer, "negotiations", data_set("CN_C:03-02"), first="offer")
    it.begin()
    it.refused("agree")
    it.ends("OFFERED")


@scenario("CN_C:03-03")
def offered_is_not_finalized(peer: Peer) -> None:
    """FINALIZED where there is only our offer is refused."""
    it = Asked(peer, "negotiations", data_set("CN_C:03-03"), first="offer")
    it.begin()
    it.refused("finalize")
    it.ends("OFFERED")


@scenario("CN_C:03-04")
def accepted_is_not_offered_again(peer: Peer) -> None:
    """A second offer after the consumer accepted the first is refused."""
    it = Asked(peer, "negotiations", data_set("CN_C:03-04"), first="offer")
    it.hear("accept")
    it.begin()
    it.heard("accept")
    it.refused("offer")
    it.ends("ACCEPTED")


@scenario("CN_C:03-05")
def accepted_is_not_finalized(peer: Peer) -> None:
    """FINALIZED where the consumer has accepted and nothing is agreed is refused."""
    it = Asked(peer, "negotiations", data_set("CN_C:03-05"), first="offer")
    it.hear("accept")
    it.begin()
    it.heard("accept")
    it.refused("finalize")
    it.ends("ACCEPTED")


@scenario("CN_C:03-06")
def acceptance_is_not_ours(peer: Peer) -> None:
    """ACCEPTED is the consumer's to send: from the provider it is refused."""
    it = Asked(peer, "negotiations", data_set("CN_C:03-06"), first="offer")
    it.hear("accept")
    it.begin()
    it.heard("accept")
    it.refused("accept")
    it.ends("ACCEPTED")
