"""Does a node that was killed in any phase go on, with the same bytes and without its old secrets?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.secure.space import PARTS, Space

from xinglin.kernel import MalformedMessage
from xinglin.secure import AlreadyAnswered, InvalidSession, Party, Relay, SecureError, encode, parse
from xinglin.secure.party_state import from_bytes


def kill(here: Space) -> None:
    for did in here.dids:
        if did in here.kept:
            here.parties[did] = here.restore(did)


def test_killed_after_every_step_the_run_gives_the_same_sum():
    here = Space(5)
    for did in here.dids:
        here.send(did, here.parties[did].advertise())
        kill(here)
    for _ in range(2):
        for did in here.dids:
            here.hand(did)
            kill(here)
    for number in range(1, 4):
        vectors = here.vectors()
        for did, values in vectors.items():
            here.send(did, here.parties[did].upload(values, PARTS, f"sha256:{number}"))
            kill(here)
        for did in here.dids:
            here.hand(did)
            kill(here)
        total = here.relay.reconstruct()
        for did in here.dids:
            opened = here.parties[did].open(total)
            kill(here)
            np.testing.assert_allclose(opened.values, np.sum(list(vectors.values()), axis=0), atol=1e-8)


def test_a_resumed_node_resends_the_same_bytes_in_every_phase():
    here = Space(4)
    did = here.dids[0]

    def same(sent: bytes) -> None:
        assert here.parties[did].resend() == here.restore(did).resend() == sent

    for each in here.dids:
        here.send(each, here.parties[each].advertise())
    same(here.sent[did][-1])
    assert here.restore(did).advertise() == here.sent[did][-1]
    adverts = here.hand(did)
    same(here.sent[did][-1])
    assert here.restore(did).answer(adverts) == here.sent[did][-1]
    for each in here.dids[1:]:
        here.hand(each)
    begin = here.hand(did)
    assert here.restore(did).resend() is None
    assert here.restore(did).answer(begin) is None
    for each in here.dids[1:]:
        here.hand(each)
    here.upload(here.vectors())
    same(here.sent[did][-1])
    with pytest.raises(AlreadyAnswered, match="resend"):
        here.restore(did).upload(here.vectors()[did], PARTS, "sha256:s0")
    endorsed = here.hand(did)
    same(here.sent[did][-1])
    assert here.restore(did).answer(endorsed) == here.sent[did][-1]
    # What was sent again is nothing new to the hub.
    for data in here.sent[did]:
        here.relay.receive(did, data)


def test_a_total_opens_again_until_the_next_upload():
    here = Space(3)
    here.start()
    here.upload(here.vectors())
    total = here.settle()
    did = here.dids[0]
    first = here.parties[did].open(total)
    again = here.restore(did).open(total)
    assert first.values.tobytes() == again.values.tobytes()
    other = parse(total)
    changed = bytearray(other.padded)
    changed[0] ^= 8
    with pytest.raises(AlreadyAnswered):
        here.restore(did).open(encode(type(other)(1, other.session, 1, other.survivors, memoryview(bytes(changed)))))
    here.parties[did].upload(here.vectors()[did], PARTS, "sha256:s1")
    with pytest.raises(SecureError):
        here.restore(did).open(total)


def test_a_late_node_catches_up_after_the_hub_went_on_without_its_shares():
    here = Space(6)
    here.start()
    vectors = here.vectors()
    here.upload(vectors)
    late = here.dids[4]
    for did in here.dids:
        if did != late:
            here.hand(did)
    assert here.relay.waiting_for == (late,)
    assert here.relay.proceed() == (late,)
    total = here.relay.reconstruct()
    for did in here.dids:
        if did != late:
            here.parties[did].open(total)
    kill(here)
    here.hand(late)
    assert here.relay.message_for(late) == total
    opened = here.parties[late].open(total)
    np.testing.assert_allclose(opened.values, np.sum(list(vectors.values()), axis=0), atol=1e-8)
    here.round(state="sha256:s1")


def test_a_node_late_in_naming_survivors_catches_up_too():
    here = Space(7)
    here.start()
    vectors = {did: v for did, v in here.vectors().items() if did != here.dids[6]}
    here.upload(vectors)
    assert here.relay.proceed() == (here.dids[6],)
    late = here.dids[0]
    for _ in range(2):
        for did in here.dids[1:6]:
            here.hand(did)
        if here.relay.phase == "agreeing":
            assert here.relay.proceed() == (late,)
    assert here.relay.can_reconstruct
    total = here.relay.reconstruct()
    assert [type(parse(here.hand(late))).__name__ for _ in range(2)] == ["Survivors", "Endorsed"]
    opened = here.parties[late].open(here.relay.message_for(late))
    assert here.relay.message_for(late) == total
    np.testing.assert_allclose(opened.values, np.sum(list(vectors.values()), axis=0), atol=1e-8)


def test_a_relay_is_restored_by_the_same_calls_in_the_same_order():
    here = Space(5)
    here.start()
    here.upload({did: v for did, v in here.vectors().items() if did != here.dids[1]})
    here.relay.proceed()
    total = here.settle()
    again = Relay(here.session, verify=here.verify)
    owner = {data: did for did in here.dids for data in here.sent[did]}
    for data in here.wire:
        if data in owner:
            kind = type(parse(data)).__name__
            if kind == "Endorsement" and again.phase == "uploading":
                again.proceed()
            again.receive(owner[data], data)
    assert again.reconstruct() == total
    assert [again.message_for(did) for did in here.dids] == [here.relay.message_for(did) for did in here.dids]


def test_nothing_is_left_after_close_or_round():
    here = Space(3)
    here.start()
    did = here.dids[0]
    before = from_bytes(here.kept[did])
    salt = here.parties[did].derive("release salt")
    assert len(salt) == 32
    assert salt == here.parties[here.dids[1]].derive("release salt") != here.parties[did].derive("other")
    here.round()
    after = here.kept[did]
    for secret in (before.seed, *before.pairs.values(), *before.held.values(), *before.chains.values()):
        assert secret not in after
    assert here.restore(did).derive("release salt") == salt
    held = from_bytes(after)
    here.parties[did].close()
    here.parties[did].close()
    closed = here.kept[did]
    for secret in (held.derive_key, held.pad_chain, held.seed, *held.pairs.values()):
        assert len(secret) == 32
        assert secret not in closed
    for use in (lambda p: p.derive("x"), lambda p: p.upload(np.zeros(5), PARTS, "")):
        with pytest.raises(Exception, match="closed"):
            use(here.restore(did))


def test_each_step_forgets_what_it_used():
    here = Space(4)
    did = here.dids[0]
    for each in here.dids:
        here.send(each, here.parties[each].advertise())
    advertised = from_bytes(here.kept[did])
    for each in here.dids:
        here.hand(each)
    gone = [advertised.channel_private, advertised.fresh.private]
    for each in here.dids:
        here.hand(each)
    ready = from_bytes(here.kept[did])
    gone += [advertised.contribution]
    here.upload(here.vectors())
    gone += [ready.seed, *ready.pairs.values()]
    uploaded = from_bytes(here.kept[did])
    for each in here.dids:
        here.hand(each)
    gone += [uploaded.fresh.private, *uploaded.chains.values()]
    # The shares of the survivors' mask keys, which nobody will ever be shown.
    gone += [share[:32] for share in uploaded.held.values()]
    for secret in gone:
        assert len(secret) == 32
        assert secret not in here.kept[did]


def test_damaged_or_newer_snapshots_are_refused():
    here = Space(3)
    here.start()
    did = here.dids[0]
    whole = here.kept[did]
    options = {"sign": here.sign_as(did), "verify": here.verify, "keep": here.keeper(did)}
    at = whole.rfind(b"version\x01")
    for bad in (b"", whole[:-1], whole + b"\0", whole[:at] + b"version\x02" + whole[at + 8 :]):
        with pytest.raises(MalformedMessage):
            Party.restore(bad, **options)
    with pytest.raises(InvalidSession):
        Party.restore(whole.replace(b"version\x01", b"version\x02", 1), **options)
