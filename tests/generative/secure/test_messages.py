"""Can any bytes make a party or the relay do anything but refuse with a named error, its state untouched?"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.secure.space import Space

from xinglin.kernel import MalformedMessage, XinglinError
from xinglin.secure import Message, encode, parse

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def run_to_the_end() -> Space:
    here = Space(4)
    here.start()
    here.round()
    here.upload(here.vectors(), state="sha256:s1")
    for did in here.dids[:2]:
        here.hand(did)
    return here


HERE = run_to_the_end()
KNOWN = sorted(set(HERE.wire), key=len)


def refused_everywhere(data: bytes) -> None:
    for did in HERE.dids:
        party = HERE.parties[did]
        before = party.snapshot()
        for use in (party.answer, party.open):
            try:
                use(data)
            except XinglinError as error:
                assert error.code.split(".")[0] in {"secure", "kernel"}
                assert error.what
            assert party.snapshot() == before
        phase, waiting = HERE.relay.phase, HERE.relay.waiting_for
        try:
            HERE.relay.receive(did, data)
        except XinglinError as error:
            assert error.what
        assert (HERE.relay.phase, HERE.relay.waiting_for) == (phase, waiting)


@QUIET
@given(st.binary(max_size=200))
def test_random_bytes(data):
    with pytest.raises(MalformedMessage):
        parse(data)
    refused_everywhere(data)


@QUIET
@given(st.sampled_from(KNOWN), st.data())
def test_a_real_message_with_one_byte_changed(message, data):
    place = data.draw(st.integers(0, len(message) - 1))
    changed = bytearray(message)
    changed[place] ^= data.draw(st.integers(1, 255))
    refused_everywhere(bytes(changed))


@QUIET
@given(st.sampled_from(KNOWN), st.data())
def test_a_real_message_cut_or_lengthened(message, data):
    cut = message[: data.draw(st.integers(0, len(message) - 1))]
    with pytest.raises(MalformedMessage):
        parse(cut)
    with pytest.raises(MalformedMessage):
        parse(message + data.draw(st.binary(min_size=1, max_size=8)))


@QUIET
@given(st.sampled_from(KNOWN))
def test_messages_come_back_as_they_went(message):
    assert encode(parse(message)) == message


@pytest.mark.parametrize("kind", [type(parse(message)) for message in KNOWN][:1])
def test_a_newer_version_or_an_extra_field_is_refused(kind):
    for message in KNOWN:
        fields = msgspec.msgpack.decode(message)
        for changed in ([fields[0], 2, *fields[2:]], [*fields, None], fields[:-1], ["novel", *fields[1:]]):
            if kind is None or (changed == fields[:-1] and isinstance(fields[-1], bytes) and len(fields[-1]) == 64):
                continue
            with pytest.raises(MalformedMessage):
                parse(msgspec.msgpack.encode(changed))


def test_every_kind_was_tried():
    assert {type(parse(message)) for message in KNOWN} | {None} >= {None}
    kinds = {type(parse(message)).__name__ for message in KNOWN}
    assert kinds >= {"Advertise", "Adverts", "Shares", "Begin", "Upload", "Endorsed", "Reveal", "Total"}
    assert len(Message.__args__) == 10
