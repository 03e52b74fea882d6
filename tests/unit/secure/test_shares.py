"""Does a share that is forged, misdirected, withheld or false do any harm, and is its sender named?"""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.secure.space import Space, advertised, ready

from xinglin.secure import BadShare, encode, parse, shamir
from xinglin.secure.messages import signed

replace = msgspec.structs.replace


def begun(count: int) -> tuple[Space, object]:
    here = advertised(count)
    for did in here.dids:
        here.hand(did)
    return here, parse(here.relay.message_for(here.dids[0]))


def test_a_forged_share_is_refused_and_named():
    here, begin = begun(4)
    box = bytearray(begin.shares[2].boxes[0])
    box[-1] ^= 1
    shares = tuple(replace(s, boxes={0: bytes(box)}) if s.sender == 2 else s for s in begin.shares)
    with pytest.raises(BadShare) as refusal:
        here.parties[here.dids[0]].answer(encode(replace(begin, shares=shares)))
    assert refusal.value.who == here.dids[2]
    # The right one still begins the run.
    here.parties[here.dids[0]].answer(encode(begin))
    assert here.parties[here.dids[0]].phase == "ready"


def test_a_misdirected_share_is_refused():
    here, begin = begun(4)
    other = parse(here.relay.message_for(here.dids[1]))
    boxes = {share.sender: share.boxes.get(1) for share in other.shares}
    shares = tuple(replace(s, boxes={0: boxes[2]}) if s.sender == 2 else s for s in begin.shares)
    with pytest.raises(BadShare) as refusal:
        here.parties[here.dids[0]].answer(encode(replace(begin, shares=shares)))
    assert refusal.value.who == here.dids[2]
    swapped = tuple(replace(s, boxes={0: begin.shares[3].boxes[0]}) if s.sender == 2 else s for s in begin.shares)
    with pytest.raises(BadShare):
        here.parties[here.dids[0]].answer(encode(replace(begin, shares=swapped)))


def test_a_withheld_share_is_refused():
    here, begin = begun(4)
    shares = tuple(replace(s, boxes={}) if s.sender == 2 else s for s in begin.shares)
    with pytest.raises(BadShare):
        here.parties[here.dids[0]].answer(encode(replace(begin, shares=shares)))


def test_the_hub_survives_one_false_share_and_names_an_owner_of_many():
    for liars, works in ((1, True), (4, False)):
        here = ready(7)
        for place, did in enumerate(here.dids):
            reveal = parse(here.parties[did].answer(here.relay.message_for(did)))
            if place < liars:
                seeds = dict(reveal.seeds) | {3: shamir.random_element(lambda count: bytes(range(1, count + 1)))}
                reveal = signed(replace(reveal, seeds=seeds), here.sign_as(did))
            here.relay.receive(did, encode(reveal))
        if works:
            here.parties[here.dids[6]].open(here.relay.reconstruct())
        else:
            with pytest.raises(BadShare) as refusal:
                here.relay.reconstruct()
            assert refusal.value.who == here.dids[3]
