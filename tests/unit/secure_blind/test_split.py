"""The split key: what two holders make is RFC 9497's function of the sum; what each alone can do is nothing."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.kernel.errors import LimitExceeded
from xinglin.secure.blind import oprf, proofs, ristretto
from xinglin.secure.blind.errors import BadProof, NotAnElement, NotAScalar, WrongAnswer
from xinglin.secure.blind.oprf import Evaluation, Mode
from xinglin.secure.blind.split import Asker, Holder, Share, check_share

RANDOM = random.Random(7)
HUB, REGULATOR = Holder("did:hub", b"h" * 32, RANDOM.randbytes), Holder("did:reg", b"r" * 32, RANDOM.randbytes)
NUMBERS = [f"11010119{year:02d}0101{serial:03d}X".encode() for year in range(50, 60) for serial in range(3)]


def asker(study: str = "s1") -> Asker:
    return Asker(study, [HUB.announce(study), REGULATOR.announce(study)], RANDOM.randbytes)


def answers(study: str, blinded: tuple[bytes, ...]) -> dict[str, Evaluation]:
    return {one.did: one.evaluate(study, blinded) for one in (HUB, REGULATOR)}


def pseudonyms(numbers: list[bytes], study: str = "s1") -> list[bytes]:
    side = asker(study)
    asked = side.ask(numbers)
    return side.finish(asked, answers(study, asked.blinded))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_two_shares_make_the_function_of_their_sum(inputs: list[bytes]) -> None:
    whole = ristretto.scalar_add(HUB._key("s1")[0], REGULATOR._key("s1")[0])
    assert pseudonyms(inputs) == [oprf.directly(whole, one, Mode.VOPRF)[:32] for one in inputs]


def test_two_hospitals_meet_in_one_study_and_in_no_other() -> None:
    first, second = pseudonyms(NUMBERS[:5]), pseudonyms(NUMBERS[3:8])
    assert set(first) & set(second) == set(first[3:])
    assert not set(first) & set(pseudonyms(NUMBERS[:5], "s2"))


def test_a_blinded_element_never_comes_twice() -> None:
    side = asker()
    assert not set(side.ask(NUMBERS).blinded) & set(side.ask(NUMBERS).blinded)


@pytest.mark.parametrize("holder", [HUB, REGULATOR], ids=["hub", "regulator"])
def test_one_holder_with_the_dictionary_and_all_pseudonyms_finds_nobody(holder: Holder) -> None:
    seen = set(pseudonyms(NUMBERS))
    asked = asker().ask(NUMBERS)
    key = holder._key("s1")[0]
    for number in NUMBERS:  # every guess it can compute: its own function, and its share of what it was asked
        assert oprf.directly(key, number, Mode.VOPRF)[:32] not in seen
    for point in asked.blinded:
        share = ristretto.multiply(key, point)
        assert not any(
            oprf.finish(number, oprf.ristretto.invert(key), share, Mode.VOPRF)[:32] in seen for number in NUMBERS[:3]
        )


def test_both_holders_together_run_the_dictionary() -> None:
    """The published weakness: stated in docs/matching.md, shown here."""
    seen = set(pseudonyms(NUMBERS[:4]))
    whole = ristretto.scalar_add(HUB._key("s1")[0], REGULATOR._key("s1")[0])
    assert [n for n in NUMBERS if oprf.directly(whole, n, Mode.VOPRF)[:32] in seen] == NUMBERS[:4]


def test_an_answer_under_another_key_is_caught_and_named() -> None:
    side = asker()
    asked = side.ask(NUMBERS[:3])
    given_ = answers("s1", asked.blinded)
    given_["did:hub"] = HUB.evaluate("another study", asked.blinded)
    with pytest.raises(BadProof) as caught:
        side.finish(asked, given_)
    assert caught.value.who == "did:hub"


def test_swapped_answers_and_swapped_elements_are_caught() -> None:
    side = asker()
    asked = side.ask(NUMBERS[:3])
    good = answers("s1", asked.blinded)
    with pytest.raises(BadProof):
        side.finish(asked, {"did:hub": good["did:reg"], "did:reg": good["did:hub"]})
    hub = good["did:hub"]
    swapped = Evaluation((hub.elements[1], hub.elements[0], hub.elements[2]), hub.proof)
    with pytest.raises(BadProof):
        side.finish(asked, {**good, "did:hub": swapped})


def test_missing_strange_and_short_answers_are_refused() -> None:
    side = asker()
    asked = side.ask(NUMBERS[:2])
    good = answers("s1", asked.blinded)
    for wrong in (
        {"did:hub": good["did:hub"]},
        {**good, "did:other": good["did:hub"]},
        {**good, "did:hub": Evaluation(good["did:hub"].elements[:1], good["did:hub"].proof)},
    ):
        with pytest.raises(WrongAnswer):
            side.finish(asked, wrong)


def test_shares_of_another_study_of_one_holder_or_without_proof_are_refused() -> None:
    hub, reg = HUB.announce("s1"), REGULATOR.announce("s1")
    for wrong in ([hub], [hub, hub], [hub, HUB.announce("s1")], [hub, REGULATOR.announce("s2")]):
        with pytest.raises(WrongAnswer):
            Asker("s1", wrong, RANDOM.randbytes)
    with pytest.raises(BadProof):
        check_share(msgspec.structs.replace(hub, holder="did:reg"))
    with pytest.raises(WrongAnswer):
        check_share(msgspec.structs.replace(hub, version=2))
    cancelling = ristretto.multiply(ristretto.scalar_subtract(bytes(32), b"\1" + bytes(31)), hub.element)
    rogue = Share("did:reg", "s1", cancelling, reg.witness, reg.proof)
    with pytest.raises(BadProof):
        Asker("s1", [hub, rogue], RANDOM.randbytes)


@pytest.mark.parametrize(
    "element",
    [
        bytes(32),
        b"\1" + bytes(31),
        b"\xff" * 32,
        (2**255 - 18).to_bytes(32, "little"),
        b"short",
        b"",
    ],
    ids=["identity", "odd", "above p", "non-canonical one", "short", "empty"],
)
def test_what_is_no_element_is_never_evaluated(element: bytes) -> None:
    with pytest.raises(NotAnElement):
        HUB.evaluate("s1", [element])
    with pytest.raises(NotAnElement):
        ristretto.split_elements(element + b"?")


def test_one_element_more_than_a_batch() -> None:
    element = oprf.blind(b"x", b"\5" + bytes(31), Mode.VOPRF)
    with pytest.raises(LimitExceeded):
        HUB.evaluate("s1", [element] * (proofs.BATCH.value + 1))
    with pytest.raises(LimitExceeded):
        HUB.announce("s" * 201)
    with pytest.raises(WrongAnswer):
        HUB.announce("")
    with pytest.raises(LimitExceeded):
        oprf.blind(bytes(65_536), b"\5" + bytes(31), Mode.VOPRF)


def test_seeds_and_scalars_that_are_none() -> None:
    with pytest.raises(NotAScalar):
        Holder("did:x", b"short", RANDOM.randbytes)
    with pytest.raises(NotAScalar):
        ristretto.check_scalar(ristretto.ORDER.to_bytes(32, "little"))
    with pytest.raises(NotAScalar):
        ristretto.invert(bytes(32))
    with pytest.raises(NotAScalar):
        ristretto.random_scalar(bytes)
    with pytest.raises(NotAScalar):
        ristretto.multiply_base(bytes(32))


def test_a_batch_shows_no_input() -> None:
    assert "1101" not in repr(asker().ask(NUMBERS))
