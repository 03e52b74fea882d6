"""CN: negotiations in which the connector under test is the provider."""

from __future__ import annotations

from tests.conformance.peer import Peer
from tests.conformance.process import Asking
from tests.conformance.registry import data_set, scenario


@scenario("CN:01-01")
def offered_then_consumer_terminates(peer: Peer) -> None:
    """A request is answered with an offer; the consumer terminates."""
    it = Asking(peer, "negotiations", data_set("CN:01-01"))
    it.hear("offer")
    it.begin()
    it.heard("offer")
    assert it.told() == "OFFERED"
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("CN:01-02")
def counter_request_then_provider_terminates(peer: Peer) -> None:
    """A request is answered with an offer; the consumer sends a counter-request; the provider terminates."""
    it = Asking(peer, "negotiations", data_set("CN:01-02"))
    it.hear("offer", "terminate")
    it.begin()
    it.heard("offer")
    it.send("request")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("CN:01-03")
def whole_way_with_an_offer(peer: Peer) -> None:
    """Request, offer, acceptance, agreement, verification: the provider finalizes."""
    it = Asking(peer, "negotiations", data_set("CN:01-03"))
    it.hear("offer", "agree", "finalize")
    it.begin()
    it.heard("offer")
    it.send("accept")
    it.heard("agree")
    it.send("verify")
    it.heard("finalize")
    it.ends("FINALIZED")


@scenario("CN:01-04")
def whole_way_without_an_offer(peer: Peer) -> None:
    """Request, agreement, verification: the provider finalizes."""
    it = Asking(peer, "negotiations", data_set("CN:01-04"))
    it.hear("agree", "finalize")
    it.begin()
    it.heard("agree")
    it.send("verify")
    it.heard("finalize")
    it.ends("FINALIZED")


@scenario("CN:02-01")
def provider_terminates_at_once(peer: Peer) -> None:
    """A request is answered with a termination, although nobody listens for it at first."""
    it = Asking(peer, "negotiations", data_set("CN:02-01"))
    it.begin()
    it.late()
    it.hear("terminate")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("CN:02-02")
def consumer_terminates_at_once(peer: Peer) -> None:
    """The provider does nothing; the consumer terminates what it requested."""
    it = Asking(peer, "negotiations", data_set("CN:02-02"))
    it.begin()
    assert it.told() == "REQUESTED"
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("CN:02-03")
def consumer_terminates_the_agreed(peer: Peer) -> None:
    """A request is answered with an agreement; the consumer terminates instead of verifying."""
    it = Asking(peer, "negotiations", data_set("CN:02-03"))
    it.hear("agree")
    it.begin()
    it.heard("agree")
    assert it.told() == "AGREED"
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("CN:02-04")
def consumer_terminates_the_offered(peer: Peer) -> None:
    """A request is answered with an offer; the consumer terminates."""
    it = Asking(peer, "negotiations", data_set("CN:02-04"))
    it.hear("offer")
    it.begin()
    it.heard("offer")
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("CN:02-05")
def provider_terminates_its_offer(peer: Peer) -> None:
    """A request is answered with an offer, which the provider then terminates itself."""
    it = Asking(peer, "negotiations", data_set("CN:02-05"))
    it.hear("offer", "terminate")
    it.begin()
    it.heard("offer")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("CN:02-06")
def provider_terminates_the_accepted(peer: Peer) -> None:
    """Request, offer, acceptance: the provider terminates."""
    it = Asking(peer, "negotiations", data_set("CN:02-06"))
    it.hear("offer", "terminate")
    it.begin()
    it.heard("offer")
    it.send("accept")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("CN:02-07")
def provider_terminates_the_verified(peer: Peer) -> None:
    """Request, agreement, verification: the provider terminates."""
    it = Asking(peer, "negotiations", data_set("CN:02-07"))
    it.hear("agree", "terminate")
    it.begin()
    it.heard("agree")
    it.send("verify")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("CN:03-01")
def finalized_is_not_terminated(peer: Peer) -> None:
    """After the provider finalized, the consumer's termination is refused: FINALIZED is an end."""
    it = Asking(peer, "negotiations", data_set("CN:03-01"))
    it.hear("agree", "finalize")
    it.begin()
    it.heard("agree")
    it.send("verify")
    it.heard("finalize")
    assert it.told() == "FINALIZED"
    it.refused("terminate")
    it.ends("FINALIZED")


@scenario("CN:03-02")
def offered_is_not_verified(peer: Peer) -> None:
    """A verification where there is only an offer is refused."""
    it = Asking(peer, "negotiations", data_set("CN:03-02"))
    it.hear("offer")
    it.begin()
    it.heard("offer")
    it.refused("verify")
    it.ends("OFFERED")


@scenario("CN:03-03")
def accepted_once(peer: Peer) -> None:
    """An offer is accepted; a second acceptance is refused."""
    it = Asking(peer, "negotiations", data_set("CN:03-03"))
    it.hear("offer")
    it.begin()
    it.heard("offer")
    it.send("accept")
    it.refused("accept")
    it.ends("ACCEPTED")


@scenario("CN:03-04")
def accepted_is_not_requested_again(peer: Peer) -> None:
    """An offer is accepted; a counter-request after that is refused."""
    it = Asking(peer, "negotiations", data_set("CN:03-04"))
    it.hear("offer")
    it.begin()
    it.heard("offer")
    it.send("accept")
    it.refused("request")
    it.ends("ACCEPTED")
