"""TP: transfers in which the connector under test is the provider; 02-04 is disabled in the kit."""

from __future__ import annotations

from tests.conformance.peer import Peer
from tests.conformance.process import Asking
from tests.conformance.registry import data_set, scenario


@scenario("TP:01-01")
def started_then_provider_terminates(peer: Peer) -> None:
    """A request is answered with a start; the provider terminates."""
    it = Asking(peer, "transfers", data_set("TP:01-01"))
    it.hear("start", "terminate")
    it.begin()
    it.heard("start")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("TP:01-02")
def started_then_provider_completes(peer: Peer) -> None:
    """A request is answered with a start; the provider completes."""
    it = Asking(peer, "transfers", data_set("TP:01-02"))
    it.hear("start", "complete")
    it.begin()
    it.heard("start")
    it.heard("complete")
    it.ends("COMPLETED")


@scenario("TP:01-03")
def suspended_then_provider_terminates(peer: Peer) -> None:
    """The provider starts, suspends and terminates."""
    it = Asking(peer, "transfers", data_set("TP:01-03"))
    it.hear("start", "suspend", "terminate")
    it.begin()
    it.heard("start")
    it.heard("suspend")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("TP:01-04")
def suspended_and_resumed_by_the_provider(peer: Peer) -> None:
    """The provider starts, suspends, starts again and completes."""
    it = Asking(peer, "transfers", data_set("TP:01-04"))
    it.hear("start", "suspend", "complete")
    it.begin()
    it.heard("start")
    it.heard("suspend")
    it.heard("start")
    it.heard("complete")
    it.ends("COMPLETED")


@scenario("TP:01-05")
def provider_terminates_at_once(peer: Peer) -> None:
    """A request is answered with a termination, although nobody listens for it at first."""
    it = Asking(peer, "transfers", data_set("TP:01-05"))
    it.begin()
    it.late()
    it.hear("terminate")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("TP:02-01")
def started_then_consumer_terminates(peer: Peer) -> None:
    """The provider starts; the consumer terminates."""
    it = Asking(peer, "transfers", data_set("TP:02-01"))
    it.hear("start")
    it.begin()
    it.heard("start")
    assert it.told() == "STARTED"
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("TP:02-02")
def started_then_consumer_completes(peer: Peer) -> None:
    """The provider starts; the consumer completes."""
    it = Asking(peer, "transfers", data_set("TP:02-02"))
    it.hear("start")
    it.begin()
    it.heard("start")
    it.send("complete")
    it.ends("COMPLETED")


@scenario("TP:02-03")
def suspended_then_consumer_terminates(peer: Peer) -> None:
    """The provider starts; the consumer suspends and terminates."""
    it = Asking(peer, "transfers", data_set("TP:02-03"))
    it.hear("start")
    it.begin()
    it.heard("start")
    it.send("suspend")
    assert it.told() == "SUSPENDED"
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("TP:02-05")
def consumer_terminates_its_request(peer: Peer) -> None:
    """The provider does nothing; the consumer terminates what it requested."""
    it = Asking(peer, "transfers", data_set("TP:02-05"))
    it.begin()
    assert it.told() == "REQUESTED"
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("TP:03-01")
def the_consumer_does_not_start_what_it_requested(peer: Peer) -> None:
    """A start from the consumer where it has only requested is refused."""
    it = Asking(peer, "transfers", data_set("TP:03-01"))
    it.begin()
    it.refused("start")
    it.ends("REQUESTED")


@scenario("TP:03-02")
def requested_is_not_completed(peer: Peer) -> None:
    """A completion where the transfer never started is refused."""
    it = Asking(peer, "transfers", data_set("TP:03-02"))
    it.begin()
    it.refused("complete")
    it.ends("REQUESTED")


@scenario("TP:03-03")
def started_is_not_started_again(peer: Peer) -> None:
    """A start of what is started is refused."""
    it = Asking(peer, "transfers", data_set("TP:03-03"))
    it.hear("start")
    it.begin()
    it.heard("start")
    it.refused("start")
    it.ends("STARTED")


@scenario("TP:03-04")
def suspended_is_not_completed(peer: Peer) -> None:
    """A completion of what is suspended is refused."""
    it = Asking(peer, "transfers", data_set("TP:03-04"))
    it.hear("start")
    it.begin()
    it.heard("start")
    it.send("suspend")
    it.refused("complete")
    it.ends("SUSPENDED")


@scenario("TP:03-05")
def completed_is_an_end(peer: Peer) -> None:
    """After the consumer completed, its start is refused."""
    it = Asking(peer, "transfers", data_set("TP:03-05"))
    it.hear("start")
    it.begin()
    it.heard("start")
    it.send("complete")
    it.refused("start")
    it.ends("COMPLETED")


@scenario("TP:03-06")
def terminated_is_an_end(peer: Peer) -> None:
    """After the consumer terminated, its suspension is refused."""
    it = Asking(peer, "transfers", data_set("TP:03-06"))
    it.hear("start")
    it.begin()
    it.heard("start")
    it.send("terminate")
    it.refused("suspend")
    it.ends("TERMINATED")
