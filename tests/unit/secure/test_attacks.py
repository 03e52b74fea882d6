"""What does a lying hub, a forger, a thief of keys, or a colluding hospital get? Each test tries it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.unit.secure.space import PARTS, Space, advertised, ready

from xinglin.kernel import IllegalMove, MalformedMessage
from xinglin.secure import (
    AlreadyAnswered,
    AlteredTotal,
    BadShare,
    BadSignature,
    Begin,
    Endorsed,
    ForeignMessage,
    InvalidSession,
    Member,
    Refused,
    Reveal,
    SecureError,
    Session,
    Survivors,
    Total,
    Upload,
    WeakExchange,
    WrongRound,
    channels,
    encode,
    parse,
    rules,
)
from xinglin.secure.messages import signed

replace = msgspec.structs.replace


def codes(error: pytest.ExceptionInfo[Refused]) -> set[str]:
    return set(error.value.codes)


def survivors(here: Space, chosen: tuple[int, ...], number: int = 1) -> bytes:
    return encode(Survivors(1, here.session.id, number, chosen))


# --- the hub lies about survivors ---------------------------------------------------------------------


def test_different_survivors_told_to_different_nodes_open_nothing():
    here = Space(6)
    here.start()
    vectors = here.vectors()
    here.upload({did: values for did, values in vectors.items() if did != here.dids[5]})
    uploads = {i: parse(here.sent[did][-1]).endorsement for i, did in enumerate(here.dids[:5])}
    one, other = (0, 1, 2, 3), (1, 2, 3, 4)
    signed = {one: [], other: []}
    for member, told in ((0, one), (1, one), (2, other), (3, other), (4, other)):
        signed[told].append(parse(here.parties[here.dids[member]].answer(survivors(here, told))))
    for told, signatures in signed.items():
        assert len(signatures) < here.session.threshold
        message = Endorsed(1, here.session.id, 1, told, tuple(uploads[m] for m in told), tuple(signatures), {})
        for member in told:
            with pytest.raises(Refused):
                here.parties[here.dids[member]].answer(encode(message))


def test_a_second_smaller_set_is_not_endorsed():
    here = ready(6)
    party = here.parties[here.dids[0]]
    first = party.answer(survivors(here, (0, 1, 2, 3, 4)))
    with pytest.raises(AlreadyAnswered):
        party.answer(survivors(here, (0, 1, 2, 3, 5)))
    with pytest.raises(AlreadyAnswered):
        party.answer(survivors(here, (0, 1, 2, 3)))
    assert party.answer(survivors(here, (0, 1, 2, 3, 4))) == first


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ((0, 1, 2), "secure.too_few"),
        ((1, 2, 3, 4), "secure.not_me"),
        ((0, 0, 1, 2, 3), "secure.not_nested"),
        ((3, 2, 1, 0), "secure.not_nested"),
        ((0, 1, 2, 3, 7), "secure.not_nested"),
    ],
)
def test_unsuitable_survivors_are_refused(chosen, code):
    here = ready(6)
    party = here.parties[here.dids[0]]
    with pytest.raises(Refused) as refusal:
        party.answer(survivors(here, chosen))
    assert code in codes(refusal)
    assert party.phase == "uploaded"


def test_a_node_that_endorsed_fewer_does_not_reveal_for_all():
    here = ready(6)
    party = here.parties[here.dids[0]]
    for_all = here.relay.message_for(here.dids[0])
    party.answer(survivors(here, (0, 1, 2, 3, 4)))
    with pytest.raises(Refused) as refusal:
        party.answer(for_all)
    assert codes(refusal) == {"secure.another_set"}


def test_both_kinds_of_share_are_never_given():
    here = ready(6)
    did = here.dids[0]
    party = here.parties[did]
    reveal = parse(party.answer(here.relay.message_for(did)))
    assert isinstance(reveal, Reveal)
    assert set(reveal.seeds) == set(range(6))
    assert not reveal.keys
    with pytest.raises(IllegalMove):
        party.answer(survivors(here, (0, 1, 2, 3, 4)))
    smaller = encode(replace(parse(here.relay.message_for(did)), survivors=(0, 1, 2, 3, 4)))
    with pytest.raises(AlreadyAnswered):
        party.answer(smaller)


def test_shares_of_a_vanished_hospital_are_of_its_key_only():
    here = Space(6)
    here.start()
    here.upload({did: v for did, v in here.vectors().items() if did != here.dids[2]})
    here.relay.proceed()
    here.settle()
    reveals = [parse(data) for did in here.dids for data in here.sent[did] if isinstance(parse(data), Reveal)]
    assert len(reveals) == 5
    for reveal in reveals:
        assert set(reveal.keys) == {2}
        assert not set(reveal.keys) & set(reveal.seeds)


@pytest.mark.parametrize("colluders", [1, 2, 3])
def test_split_reveals_never_reach_both_thresholds(colluders):
    """The arithmetic behind it, at every roster size: one reveal a node, c nodes that tell both kinds."""
    for count in range(colluders + 2, 120):
        members = tuple(Member(f"did:{i}", "") for i in range(count))
        try:
            session = Session("p", "r", members, colluders)
        except InvalidSession:
            assert count <= colluders + 2
            continue
        holders = session.degree + 1
        honest_told_apart = holders - colluders
        for one_way in range(honest_told_apart + 1):
            kinds = (one_way + colluders, honest_told_apart - one_way + colluders)
            assert min(kinds) < session.share_threshold
        assert 2 * session.threshold - count > colluders


def test_too_many_gone_would_cut_the_graph():
    here = Space(45)
    assert rules.check_set(here.session, range(27), tuple(range(45)), False)
    refusal = rules.check_set(here.session, range(26), tuple(range(45)), False)
    assert refusal.codes == ("secure.graph_cut",)


def test_only_pinned_hospitals_count_towards_the_minimum():
    here = Space(5)
    did = here.dids[0]
    here.parties[did] = here.party(did, pinned=here.dids[:2])
    for each in here.dids:
        here.send(each, here.parties[each].advertise())
    with pytest.raises(Refused) as refusal:
        here.parties[did].answer(here.relay.message_for(did))
    assert codes(refusal) == {"secure.not_pinned"}


# --- never fewer --------------------------------------------------------------------------------------


def test_after_the_first_opened_total_no_smaller_set_is_signed():
    here = Space(6)
    here.start()
    here.round()
    here.upload({did: v for did, v in here.vectors().items() if did != here.dids[5]})
    with pytest.raises(Refused) as hub:
        here.relay.proceed()
    assert codes(hub) == {"secure.never_fewer"}
    for did in here.dids[:5]:
        with pytest.raises(Refused) as refusal:
            here.parties[did].answer(survivors(here, (0, 1, 2, 3, 4), 2))
        assert codes(refusal) == {"secure.never_fewer"}


def test_a_restored_node_still_refuses_fewer():
    here = Space(6)
    here.start()
    here.round()
    here.upload(here.vectors())
    party = here.restore(here.dids[0])
    with pytest.raises(Refused) as refusal:
        party.answer(survivors(here, (0, 1, 2, 3, 4), 2))
    assert codes(refusal) == {"secure.never_fewer"}


# --- the roster ---------------------------------------------------------------------------------------


def test_invented_hospitals_are_refused():
    here = advertised(4)
    adverts = parse(here.relay.message_for(here.dids[0]))
    stranger = replace(adverts.adverts[1], sender=9)
    with pytest.raises(ForeignMessage):
        here.parties[here.dids[0]].answer(encode(replace(adverts, adverts=(*adverts.adverts, stranger))))
    twice = replace(adverts, adverts=(*adverts.adverts, adverts.adverts[1]))
    with pytest.raises(Refused):
        here.parties[here.dids[0]].answer(encode(twice))


@pytest.mark.parametrize("field", ["channel_key", "mask_key", "commitment"])
def test_a_substituted_key_is_refused(field):
    here = advertised(4)
    adverts = parse(here.relay.message_for(here.dids[0]))
    evil = channels.public_key(bytes(range(32)))
    changed = replace(adverts.adverts[1], **{field: evil})
    message = replace(adverts, adverts=(adverts.adverts[0], changed, *adverts.adverts[2:]))
    with pytest.raises(BadSignature) as refusal:
        here.parties[here.dids[0]].answer(encode(message))
    assert refusal.value.who == here.dids[1]
    assert here.parties[here.dids[0]].phase == "advertised"


def test_my_own_advert_changed_or_missing_is_refused():
    here = advertised(4)
    adverts = parse(here.relay.message_for(here.dids[0]))
    with pytest.raises(Refused):
        here.parties[here.dids[0]].answer(encode(replace(adverts, adverts=adverts.adverts[1:])))
    again = parse(here.party(here.dids[0]).advertise())
    with pytest.raises(Refused) as refusal:
        here.parties[here.dids[0]].answer(encode(replace(adverts, adverts=(again, *adverts.adverts[1:]))))
    assert codes(refusal) == {"secure.not_mine"}


LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 19 - 1).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]


@pytest.mark.parametrize("key", LOW_ORDER, ids=range(len(LOW_ORDER)))
@pytest.mark.parametrize("field", ["channel_key", "mask_key"])
def test_a_low_order_key_is_refused_though_signed(key, field):
    here = advertised(4)
    adverts = parse(here.relay.message_for(here.dids[0]))
    weak = signed(replace(adverts.adverts[1], **{field: key}), here.sign_as(here.dids[1]))
    message = replace(adverts, adverts=(adverts.adverts[0], weak, *adverts.adverts[2:]))
    with pytest.raises(WeakExchange) as refusal:
        here.parties[here.dids[0]].answer(encode(message))
    assert refusal.value.who == here.dids[1]


def test_nodes_shown_different_adverts_do_not_begin():
    here = Space(5)
    for did in here.dids:
        here.send(did, here.parties[did].advertise())
    adverts = parse(here.relay.message_for(here.dids[0]))
    shares = {did: parse(here.parties[did].answer(encode(adverts))) for did in here.dids[:4]}
    # The fifth sees a roster without the first.
    fewer = replace(adverts, adverts=adverts.adverts[1:])
    shares[here.dids[4]] = parse(here.parties[here.dids[4]].answer(encode(fewer)))
    begin = encode(Begin(1, here.session.id, tuple(shares.values())))
    with pytest.raises(Refused) as refusal:
        here.parties[here.dids[1]].answer(begin)
    assert codes(refusal) == {"secure.other_adverts"}


def test_a_hospital_that_copies_anothers_key_is_refused():
    here = advertised(4)
    adverts = parse(here.relay.message_for(here.dids[0]))
    for field in ("channel_key", "mask_key"):
        copied = replace(adverts.adverts[1], **{field: getattr(adverts.adverts[2], field)})
        copied = signed(copied, here.sign_as(here.dids[1]))
        message = replace(adverts, adverts=(adverts.adverts[0], copied, *adverts.adverts[2:]))
        with pytest.raises(Refused) as refusal:
            here.parties[here.dids[0]].answer(encode(message))
        assert codes(refusal) == {"secure.same_key"}


# --- totals, rounds, runs -----------------------------------------------------------------------------


def revealed(count: int = 4) -> tuple[Space, Total]:
    here = ready(count)
    return here, parse(here.settle())


@pytest.mark.parametrize("word", range(12))
@pytest.mark.parametrize("change", [1 << 3, 1 << 40, 1 << 62, 1 << 63])
def test_an_altered_total_is_refused_whatever_was_altered(word, change):
    here, total = revealed()
    words = np.frombuffer(total.padded, dtype="<u8").copy()
    words[word % words.size] ^= np.uint64(change)
    party = here.parties[here.dids[0]]
    with pytest.raises(AlteredTotal):
        party.open(encode(replace(total, padded=words.data.cast("B"))))
    assert party.phase == "refused"
    with pytest.raises(IllegalMove):
        party.open(encode(total))
    with pytest.raises(SecureError):
        party.derive("salt")


def test_a_total_of_another_length_or_set_is_refused():
    here, total = revealed()
    with pytest.raises(Refused):
        here.parties[here.dids[0]].open(encode(replace(total, survivors=(0, 1, 2))))
    with pytest.raises(AlteredTotal):
        here.parties[here.dids[0]].open(encode(replace(total, padded=total.padded[:-8])))


def test_the_total_of_an_earlier_round_or_run_is_refused():
    here, first = revealed()
    for did in here.dids:
        here.parties[did].open(encode(first))
    here.upload(here.vectors(), state="sha256:s1")
    here.settle()
    for number, expected in ((1, WrongRound), (2, AlteredTotal)):
        with pytest.raises(expected):
            here.parties[here.dids[0]].open(encode(replace(first, round=number)))
    other, _ = revealed()
    with pytest.raises((AlteredTotal, ForeignMessage)):
        here.parties[here.dids[1]].open(encode(replace(first, session=other.session.id, round=2)))


def test_messages_of_another_run_are_refused():
    here, other = ready(4), ready(4, run="run-2")
    for did in here.dids:
        with pytest.raises(ForeignMessage):
            here.parties[did].answer(other.relay.message_for(did))
        with pytest.raises(ForeignMessage):
            here.relay.receive(did, other.sent[did][0])


def test_a_message_of_a_finished_round_is_refused():
    here = Space(4)
    here.start()
    here.round()
    old = here.got[here.dids[0]][-1]
    here.upload(here.vectors(), state="sha256:s1")
    with pytest.raises(WrongRound):
        here.parties[here.dids[0]].answer(old)
    with pytest.raises(WrongRound):
        here.parties[here.dids[0]].answer(survivors(here, (0, 1, 2)))


def test_different_states_are_noticed_before_anything_is_revealed():
    here = Space(4)
    here.start()
    sent = {}
    for place, (did, values) in enumerate(here.vectors().items()):
        sent[place] = parse(here.parties[did].upload(values, PARTS, f"sha256:{place == 3}"))
    uploads = tuple(upload.endorsement for upload in sent.values())
    message = Endorsed(
        1, here.session.id, 1, (0, 1, 2, 3), uploads, (), {m: u.boxes.get(0, b"0" * 28) for m, u in sent.items()}
    )
    with pytest.raises(Refused) as refusal:
        here.parties[here.dids[0]].answer(encode(message))
    assert codes(refusal) == {"secure.state_differs"}
    assert here.dids[3] in str(refusal.value)
    here.relay.receive(here.dids[0], encode(sent[0]))
    with pytest.raises(Refused):
        here.relay.receive(here.dids[3], encode(sent[3]))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"survivors": (0, 1, 2)}, "secure.other_set"),
        ({"round": 2}, "secure.other_set"),
        ({"layout": "sha256:other"}, "secure.layout_differs"),
        ({"confirm": bytes(32)}, "secure.confirm_differs"),
        ({"mask_key": None}, "secure.same_key"),
    ],
)
def test_a_colluding_hospitals_odd_endorsement_is_refused_though_signed(changes, code):
    here = ready(4)
    did = here.dids[0]
    message = parse(here.relay.message_for(did))
    if "mask_key" in changes:
        changes = {"mask_key": message.uploads[3].mask_key}
    odd = signed(replace(message.uploads[2], **changes), here.sign_as(here.dids[2]))
    uploads = (*message.uploads[:2], odd, message.uploads[3])
    with pytest.raises(Refused) as refusal:
        here.parties[did].answer(encode(replace(message, uploads=uploads)))
    assert codes(refusal) == {code}
    assert here.parties[did].phase == "uploaded"


def test_another_endorsement_in_this_nodes_own_name_is_refused():
    """A stolen signature key is not enough: a node knows what it sent."""
    here = ready(4)
    did = here.dids[0]
    message = parse(here.relay.message_for(did))
    odd = signed(replace(message.uploads[0], masked=bytes(32)), here.sign_as(did))
    with pytest.raises(Refused) as refusal:
        here.parties[did].answer(encode(replace(message, uploads=(odd, *message.uploads[1:]))))
    assert codes(refusal) == {"secure.not_mine"}


def test_the_state_digest_is_not_readable_by_the_hub():
    here = ready(3)
    assert not any(b"sha256:s0" in data for data in here.wire)
    seen = parse(here.sent[here.dids[0]][-1]).endorsement.state
    other = ready(3)
    assert seen != parse(other.sent[other.dids[0]][-1]).endorsement.state


def test_an_upload_in_anothers_name_or_altered_is_refused_by_the_hub():
    here = Space(4)
    here.start()
    did = here.dids[0]
    upload = parse(here.parties[did].upload(here.vectors()[did], PARTS, "sha256:s0"))
    assert isinstance(upload, Upload)
    with pytest.raises(ForeignMessage):
        here.relay.receive(here.dids[1], encode(upload))
    with pytest.raises(BadShare):
        here.relay.receive(did, encode(replace(upload, masked=memoryview(bytes(len(upload.masked))))))
    with pytest.raises(MalformedMessage):
        here.relay.receive(did, b"\xc1")
