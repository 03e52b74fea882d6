"""TP_C: transfers in which the connector under test is the consumer; 02-04 is disabled in the kit."""

from __future__ import annotations

from tests.conformance.peer import Peer
from tests.conformance.process import Asked
from tests.conformance.registry import data_set, scenario


@scenario("TP_C:01-01")
def we_start_and_terminate(peer: Peer) -> None:
    """We start what the consumer requested, and terminate."""
    it = Asked(peer, "transfers", data_set("TP_C:01-01"), first="start")
    it.begin()
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("TP_C:01-02")
def we_start_and_complete(peer: Peer) -> None:
    """We start what the consumer requested, and complete."""
    it = Asked(peer, "transfers", data_set("TP_C:01-02"), first="start")
    it.begin()
    assert it.told() == "STARTED"
    it.send("complete")
    it.ends("COMPLETED")


@scenario("TP_C:01-03")
def we_start_suspend_and_terminate(peer: Peer) -> None:
    """We start, suspend and terminate."""
    it = Asked(peer, "transfers", data_set("TP_C:01-03"), first="start")
    it.begin()
    it.send("suspend")
    assert it.told() == "SUSPENDED"
    it.send("terminate")
    it.ends("TERMINATED")


@scenario("TP_C:01-04")
def we_suspend_and_resume(peer: Peer) -> None:
    """We start, suspend, start again and complete."""
    it = Asked(peer, "transfers", data_set("TP_C:01-04"), first="start")
    it.begin()
    it.send("suspend")
    it.send("start")
    assert it.told() == "STARTED"
    it.send("complete")
    it.ends("COMPLETED")


@scenario("TP_C:01-05")
def we_terminate_at_once(peer: Peer) -> None:
    """We answer the consumer's request with a termination."""
    it = Asked(peer, "transfers", data_set("TP_C:01-05"), first="terminate")
    it.begin()
    it.ends("TERMINATED")


@scenario("TP_C:02-01")
def started_then_consumer_terminates(peer: Peer) -> None:
    """The consumer terminates what we started."""
    it = Asked(peer, "transfers", data_set("TP_C:02-01"), first="start")
    it.hear("terminate")
    it.begin()
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("TP_C:02-02")
def started_then_consumer_completes(peer: Peer) -> None:
    """The consumer completes what we started."""
    it = Asked(peer, "transfers", data_set("TP_C:02-02"), first="start")
    it.hear("complete")
    it.begin()
    it.heard("complete")
    it.ends("COMPLETED")


@scenario("TP_C:02-03")
def consumer_suspends_and_terminates(peer: Peer) -> None:
    """The consumer suspends what we started, and terminates."""
    it = Asked(peer, "transfers", data_set("TP_C:02-03"), first="start")
    it.hear("suspend", "terminate")
    it.begin()
    it.heard("suspend")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("TP_C:02-05")
def consumer_terminates_its_request(peer: Peer) -> None:
    """The consumer terminates what it requested, although nobody listens for it at first."""
    it = Asked(peer, "transfers", data_set("TP_C:02-05"))
    it.begin()
    it.late()
    it.hear("terminate")
    it.heard("terminate")
    it.ends("TERMINATED")


@scenario("TP_C:03-01")
def requested_is_not_completed(peer: Peer) -> None:
    """A completion where the transfer never started is refused."""
    it = Asked(peer, "transfers", data_set("TP_C:03-01"))
    it.begin()
    it.refused("complete")
    it.ends("REQUESTED")


@scenario("TP_C:03-02")
def requested_is_not_suspended(peer: Peer) -> None:
    """A suspension where the transfer never started is refused."""
    it = Asked(peer, "transfers", data_set("TP_C:03-02"))
    it.begin()
    it.refused("suspend")
    it.ends("REQUESTED")


@scenario("TP_C:03-03")
def started_is_not_started_again(peer: Peer) -> None:
    """A second start of what is started is refused."""
    it = Asked(peer, "transfers", data_set("TP_C:03-03"), first="start")
    it.begin()
    it.refused("start")
    it.ends("STARTED")


@scenario("TP_C:03-04")
def suspended_is_not_completed(peer: Peer) -> None:
    """A completion of what is suspended is refused."""
    it = Asked(peer, "transfers", data_set("TP_C:03-04"), first="start")
    it.begin()
    it.send("suspend")
    it.refused("complete")
    it.ends("SUSPENDED")


@scenario("TP_C:03-05")
def completed_is_an_end(peer: Peer) -> None:
    """After we completed, a start is refused."""
    it = Asked(peer, "transfers", data_set("TP_C:03-05"), first="start")
    it.begin()
    it.send("complete")
    it.refused("start")
    it.ends("COMPLETED")


@scenario("TP_C:03-06")
def terminated_is_an_end(peer: Peer) -> None:
    """After we terminated, a suspension is refused."""
    it = Asked(peer, "transfers", data_set("TP_C:03-06"), first="start")
    it.begin()
    it.send("terminate")
    it.refused("suspend")
    it.ends("TERMINATED")
