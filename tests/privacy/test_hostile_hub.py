"""What does a hub get that lies, alters and replays in the middle of a run? Each test tries it on real nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest
from tests.privacy.conftest import GLM, SQL, quiet, said, until

from xinglin.secure import Advertise, Adverts, Begin, Endorsed, Reveal, Survivors, Total, Upload, encode, parse
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import HostileHub
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import Order, Report, RunAdmitted, RunEnd, RunMessage, RunRelay, RunReleased, RunStopped
from xinglin.wire.channel import RunOrder as RunAsked

pytestmark = pytest.mark.asyncio(loop_scope="module")
replace = msgspec.structs.replace
Message = object
Turn = Callable[[str, Message], Sequence[Message]]


def turned(turn: Turn) -> Callable[[str, Order], Sequence[Order]]:
    """Orders in which each message of the secure sum is what ``turn`` makes of it."""

    def orders(did: str, order: Order) -> Sequence[Order]:
        if not isinstance(order, RunRelay):
            return (order,)
        made = turn(did, parse(order.payload))
        return [RunRelay(order.run_id, encode(message)) for message in made]

    return orders


def messages(hub: HostileHub, kind: type) -> list[object]:
    """Messages of one kind that the nodes sent."""
    sent = [parse(m.payload) for ones in said(hub, RunMessage).values() for m in ones]
    return [message for message in sent if isinstance(message, kind)]


def stops(hub: HostileHub) -> dict[str, str]:
    """Hospital name to the code by which it ended its part."""
    return {name: ones[-1].code for name, ones in said(hub, RunStopped).items() if ones}


async def attacked(hub: HostileHub, asker: Asker, turn: Turn) -> None:
    """A regression whose messages are turned, until every node has ended its part."""
    hub.orders = turned(turn)
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    await hub.finish(run)
    for hospital in hub.hospitals.values():
        await quiet(hospital, run.run_id)
    assert run.state not in ("done", "no_result", "withheld")
    assert run.result is None


async def test_an_honest_hub_carries_a_run_to_its_result(hub: HostileHub, asker: Asker) -> None:
    run = await asker.ask(asker.plan(SQL, "glm", GLM))
    assert run.state == "done"
    assert asker.opened(run)["payload"]["terms"] == ["Intercept", "age", "sex[T.male]", "trestbps"]
    assert len(run.result.attestations) == 4


# --- the set that is summed -----------------------------------------------------------------------------


async def test_different_survivors_for_different_hospitals_reveal_nothing(hub: HostileHub, asker: Asker) -> None:
    def lie(did: str, message: Message) -> Sequence[Message]:
        if not isinstance(message, Endorsed):
            return [message]
        told = (0, 1, 2) if sorted(hub.by_did).index(did) < 2 else (1, 2, 3)
        uploads = tuple(u for u in message.uploads if u.sender in told)
        named = Survivors(1, message.session, message.round, told)
        return [named, replace(message, survivors=told, uploads=uploads)]

    await attacked(hub, asker, lie)
    assert messages(hub, Reveal) == []
    assert set(stops(hub).values()) == {"secure.refused"}


async def test_no_hospital_gives_both_kinds_of_share(hub: HostileHub, asker: Asker) -> None:
    def both(_did: str, message: Message) -> Sequence[Message]:
        if not isinstance(message, Endorsed):
            return [message]
        fewer = replace(message, survivors=(0, 1, 2), uploads=message.uploads[:3])
        return [message, Survivors(1, message.session, message.round, (0, 1, 2)), fewer]

    await attacked(hub, asker, both)
    reveals = messages(hub, Reveal)
    assert reveals
    assert all(not reveal.keys for reveal in reveals)
    assert len({(reveal.sender, reveal.round) for reveal in reveals}) == len(reveals)


async def test_after_an_opened_total_a_run_never_goes_on_with_fewer(hub: HostileHub, asker: Asker) -> None:
    def shrink(_did: str, message: Message) -> Sequence[Message]:
        if isinstance(message, Endorsed) and message.round == 2:
            return [Survivors(1, message.session, 2, (0, 1, 2))]
        return [message]

    await attacked(hub, asker, shrink)
    assert {reveal.round for reveal in messages(hub, Reveal)} == {1}
    assert set(stops(hub).values()) == {"secure.refused"}
    words = [report.words for ones in said(hub, RunStopped).values() for report in ones]
    assert any("never goes on with fewer" in each for each in words)


# --- keys ----------------------------------------------------------------------------------------------


async def test_an_advert_with_the_hubs_own_key_is_refused(hub: HostileHub, asker: Asker) -> None:
    mallory = PrivateKeys.generate()

    def substitute(_did: str, message: Message) -> Sequence[Message]:
        if not isinstance(message, Adverts):
            return [message]
        first, *rest = message.adverts
        forged = replace(first, channel_key=mallory.public.x25519, mask_key=PrivateKeys.generate().public.x25519)
        return [replace(message, adverts=(forged, *rest))]

    await attacked(hub, asker, substitute)
    assert set(stops(hub).values()) == {"secure.signature"}
    assert not messages(hub, Reveal)


async def test_an_advert_that_the_hub_signs_itself_is_refused(hub: HostileHub, asker: Asker) -> None:
    from xinglin.secure.messages import signed

    def substitute(did: str, message: Message) -> Sequence[Message]:
        if not isinstance(message, Adverts):
            return [message]
        mine = sorted(hub.by_did).index(did)
        other = next(advert for advert in message.adverts if advert.sender != mine)
        forged: Advertise = replace(other, mask_key=hub.operator.public.x25519)
        forged = signed(forged, hub.operator.sign)
        return [replace(message, adverts=tuple(forged if a is other else a for a in message.adverts))]

    await attacked(hub, asker, substitute)
    assert set(stops(hub).values()) == {"secure.signature"}


async def test_adverts_that_differ_between_hospitals_are_noticed(hub: HostileHub, asker: Asker) -> None:
    """The hub shows one hospital fewer keys: everybody signs which adverts it saw, and everybody compares."""
    shares: dict[str, object] = {}

    def part(did: str, message: Message) -> Sequence[Message]:
        if isinstance(message, Adverts) and sorted(hub.by_did).index(did) == 0:
            return [replace(message, adverts=message.adverts[:3])]
        return [message]

    def collect(did: str, report: Report) -> bool:
        if not isinstance(report, RunMessage) or report.kind != "Shares":
            return True
        shares[did] = parse(report.payload)
        return False

    hub.orders, hub.reports = turned(part), collect
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    await until(lambda: len(shares) == 4)
    for did, hospital in hub.by_did.items():
        me = sorted(hub.by_did).index(did)
        mine = [replace(s, boxes={me: s.boxes[me]} if me in s.boxes else {}) for _, s in sorted(shares.items())]
        begin = encode(Begin(1, mine[0].session, tuple(mine)))
        hospital.dispatch.take(RunRelay(run.run_id, begin))
        await quiet(hospital, run.run_id)
    assert set(stops(hub).values()) == {"secure.refused"}
    assert messages(hub, Upload) == []


# --- totals, iterates, rounds ----------------------------------------------------------------------------


async def test_an_altered_total_is_opened_by_nobody(hub: HostileHub, asker: Asker) -> None:
    def alter(_did: str, message: Message) -> Sequence[Message]:
        if not isinstance(message, Total):
            return [message]
        padded = bytearray(message.padded)
        padded[-9] ^= 1
        return [replace(message, padded=memoryview(bytes(padded)))]

    await attacked(hub, asker, alter)
    assert set(stops(hub).values()) == {"secure.altered_total"}
    assert {m.round for ones in said(hub, RunMessage).values() for m in ones if m.kind == "Upload"} == {1}


async def test_a_total_altered_for_one_hospital_gives_it_no_other_iterate(hub: HostileHub, asker: Asker) -> None:
    """The one hospital refuses; the others wait for it and reveal nothing of the next round."""
    victim = sorted(hub.by_did)[1]

    def alter(did: str, message: Message) -> Sequence[Message]:
        if isinstance(message, Total) and did == victim:
            return [replace(message, padded=memoryview(bytes(len(message.padded))))]
        return [message]

    await attacked(hub, asker, alter)
    assert list(stops(hub).values()) == ["secure.altered_total"]
    assert {reveal.round for reveal in messages(hub, Reveal)} == {1}


async def test_the_hub_chooses_no_iterate(hub: HostileHub, asker: Asker) -> None:
    """A total of an earlier round in the place of the present one: there is no other way in for a state."""
    first: list[Total] = []

    def again(_did: str, message: Message) -> Sequence[Message]:
        if isinstance(message, Total):
            first.append(message)
            if message.round == 3:
                return [replace(first[0], round=3)]
        return [message]

    await attacked(hub, asker, again)
    assert set(stops(hub).values()) == {"secure.altered_total"}
    assert max(reveal.round for reveal in messages(hub, Reveal)) == 3
    assert not any(said(hub, RunReleased).values())
    for hospital in hub.hospitals.values():
        (row,) = [r for r in (hospital.node.database.run(run) for run in hub.runs) if r is not None]
        assert row.state == "ended"
        assert row.party == b""


async def test_a_replayed_round_changes_nothing(hub: HostileHub, asker: Asker) -> None:
    kept: dict[str, list[Message]] = {}

    def replay(did: str, message: Message) -> Sequence[Message]:
        old = kept.setdefault(did, [])
        old.append(message)
        return [*old, message] if len(old) > 3 else [message]

    hub.orders = turned(replay)
    run = await asker.ask(asker.plan(SQL, "glm", GLM))
    assert run.state in ("done", "failed")
    reveals = messages(hub, Reveal)
    answers = {(r.sender, r.round): encode(r) for r in reveals}
    assert all(answers[r.sender, r.round] == encode(r) for r in reveals)


async def test_a_flood_of_messages_waits_in_no_hospitals_memory(hub: HostileHub, asker: Asker) -> None:
    def flood(_did: str, order: Order) -> Sequence[Order]:
        return (order, *[RunRelay(order.run_id, b"x")] * 1_000) if isinstance(order, RunAsked) else (order,)

    hub.orders = flood
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    await until(lambda: all(h.node.runs._inboxes for h in hub.hospitals.values()))
    assert all(box.qsize() <= 64 for h in hub.hospitals.values() for box in h.node.runs._inboxes.values())
    await hub.finish(run)
    assert run.state == "done", "what is not awaited is dropped"


# --- the end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["separation", "no_rows", "collinear", "failed", "done", "too_few", "x" * 5000])
async def test_the_hub_puts_no_words_into_a_hospitals_mouth(hub: HostileHub, asker: Asker, code: str) -> None:
    """An end that the hub tells is the hub's word: no hospital signs it as a fact about the pooled data."""

    def end(_did: str, order: Order) -> Sequence[Order]:
        if isinstance(order, RunRelay) and isinstance(parse(order.payload), Total):
            return (order, RunEnd(order.run_id, code, "The drug does not work."))
        return (order,)

    hub.orders = end
    run = asker.begin(asker.plan(SQL, "glm", GLM))
    await asyncio.gather(*(until(lambda h=h: run.run_id in h.node.runs.open) for h in hub.hospitals.values()))
    for hospital in hub.hospitals.values():
        await quiet(hospital, run.run_id)
    assert not any(said(hub, RunReleased).values())


async def test_the_hub_learns_nothing_of_who_was_admitted_but_that_they_were(hub: HostileHub, asker: Asker) -> None:
    """No report about a run holds a name of a column's value, a count or a person; the transcript is masks and ids."""
    await asker.ask(asker.plan(SQL, "glm", GLM))
    seen = b"".join(hub.bytes_seen)
    assert any(said(hub, RunAdmitted).values())
    for word in (b"university-0", b"county-0", b"heart-0", b"clinic-0", b"Generated Person"):
        assert word not in seen
