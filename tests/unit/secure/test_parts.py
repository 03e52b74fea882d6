"""Do the parts — field, streams, graph, ring, encoding, tag — do what their texts say, and refuse the near miss?"""

from __future__ import annotations

import itertools
import os
import random
import struct
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.kernel import LimitExceeded
from xinglin.secure import (
    BadShare,
    FixedPoint,
    InvalidSession,
    Member,
    NotEnoughShares,
    Part,
    Session,
    ValueRefused,
    channels,
    graph,
    prg,
    ring,
    shamir,
    tag,
)
from xinglin.secure.party_state import PARTY_STATES
from xinglin.secure.relay import RELAY_STATES
from xinglin.secure.ring import Shape

# --- Shamir -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "threshold"), [(1, 1), (3, 3), (5, 4), (21, 12), (100, 67)])
def test_any_threshold_of_shares_gives_the_secret_and_fewer_are_refused(count, threshold):
    secret = shamir.random_element(os.urandom)
    shares = shamir.split(secret, threshold, range(1, count + 1), os.urandom)
    for _ in range(5):
        chosen = random.sample(sorted(shares), threshold)
        assert shamir.combine({point: shares[point] for point in chosen}, threshold) == secret
        with pytest.raises(NotEnoughShares):
            shamir.combine({point: shares[point] for point in chosen[1:]}, threshold)


def test_one_share_too_few_leaves_every_secret_possible():
    """For t − 1 shares and any other secret there is a polynomial through both: the shares say nothing."""
    secret, other = shamir.random_element(os.urandom), shamir.random_element(os.urandom)
    shares = shamir.split(secret, 4, range(1, 8), os.urandom)
    known = {point: int.from_bytes(shares[point], "little") for point in (2, 5, 7)}
    points = [0, *known]
    values = [int.from_bytes(other, "little"), *known.values()]
    # Interpolate at the known points: the polynomial through (0, other) and them has degree 3 as it should.
    at = 3
    total = 0
    for i, x in enumerate(points):
        weight = values[i]
        for j, y in enumerate(points):
            if i != j:
                weight = weight * (at - y) * pow(x - y, -1, shamir.PRIME) % shamir.PRIME
        total = (total + weight) % shamir.PRIME
    forged = {point: value.to_bytes(32, "little") for point, value in known.items()}
    forged[at] = total.to_bytes(32, "little")
    assert shamir.combine(forged, 4) == other


def test_field_edges():
    top = (shamir.PRIME - 1).to_bytes(32, "little")
    shares = shamir.split(top, 2, [1, 2, 3], os.urandom)
    assert shamir.combine(shares, 2) == top
    with pytest.raises(ValueError, match="field element"):
        shamir.split(shamir.PRIME.to_bytes(32, "little"), 2, [1, 2], os.urandom)
    with pytest.raises(ValueError, match="threshold"):
        shamir.split(top, 3, [1, 2], os.urandom)
    with pytest.raises(ValueError, match="threshold"):
        shamir.split(top, 2, [1, 1], os.urandom)
    with pytest.raises(ValueError, match="threshold"):
        shamir.split(top, 2, [0, 1], os.urandom)
    with pytest.raises(BadShare):
        shamir.combine({1: shamir.PRIME.to_bytes(32, "little"), 2: top}, 2)
    with pytest.raises(ValueError, match="repeats"):
        shamir.random_element(lambda count: b"\xff" * count)


# --- streams ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 1000, prg.CHUNK_WORDS - 1, prg.CHUNK_WORDS])
def test_a_stream_is_aes_256_in_counter_mode(count):
    key = os.urandom(32)
    for lane, index in ((prg.NARROW, 0), (prg.WIDE, 7), (prg.TAG, 2**40)):
        block = struct.pack("<IQ", lane, index) + b"\0\0\0\2"
        plain = Cipher(algorithms.AES(key), modes.CTR(block)).encryptor().update(bytes(count * 8))
        assert prg.Stream().chunk(prg.cipher(key), lane, index, count).tobytes() == plain


def test_stream_keys_have_32_bytes():
    with pytest.raises(ValueError, match="32"):
        prg.cipher(bytes(16))


# --- graph --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 21, 22, 25, 50, 100, 511])
def test_the_graph_is_regular_symmetric_and_stays_connected(count):
    near = {i: set(graph.neighbours(count, i)) for i in range(count)}
    assert all(len(near[i]) == graph.degree(count) and i not in near[i] for i in near)
    assert all(i in near[j] for i in near for j in near[i])
    rng = random.Random(count)
    for _ in range(30):
        gone = set(rng.sample(range(count), min(graph.degree(count) - 1, count - 2)))
        left = set(range(count)) - gone
        seen, todo = set(), [min(left)]
        while todo:
            here = todo.pop()
            if here not in seen:
                seen.add(here)
                todo += near[here] & left
        assert seen == left


def test_twenty_neighbours_cut_off_a_hospital():
    """The near miss: as many as the degree isolate one, which is why the rule refuses at that number."""
    near = set(graph.neighbours(50, 7))
    assert len(near) == 20
    assert not set(graph.neighbours(50, 7)) - near


# --- session ------------------------------------------------------------------------------------------


def members(count: int) -> tuple[Member, ...]:
    return tuple(Member(f"did:{i}", f"sha256:{i}") for i in range(count))


def test_the_session_binds_everything_in_its_id():
    base = Session("p", "r", members(4))
    others = [
        Session("q", "r", members(4)),
        Session("p", "s", members(4)),
        Session("p", "r", members(5)),
        Session("p", "r", (*members(3), Member("did:3", "sha256:other"))),
        Session("p", "r", tuple(reversed(members(4)))),
        Session("p", "r", members(4), fewest=4),
        Session("p", "r", members(4), rounds=9),
    ]
    assert len({base.id, *(other.id for other in others)}) == len(others) + 1


def test_unsafe_sessions_are_refused():
    for roster in (members(2), (*members(3), members(1)[0])):
        with pytest.raises(InvalidSession):
            Session("p", "r", roster)
    for options in ({"fewest": 2}, {"colluders": 0}, {"colluders": 3}, {"version": 2}, {"rounds": 0}):
        with pytest.raises(InvalidSession):
            Session("p", "r", members(4), **options)
    with pytest.raises(LimitExceeded):
        Session("p", "r", members(513))
    assert Session("p", "r", members(512)).degree == 20


@pytest.mark.parametrize(("count", "threshold", "shares"), [(3, 3, 3), (4, 3, 3), (5, 4, 4), (10, 6, 6), (50, 26, 12)])
def test_thresholds(count, threshold, shares):
    session = Session("p", "r", members(count))
    assert (session.threshold, session.share_threshold) == (threshold, shares)


# --- ring ---------------------------------------------------------------------------------------------


def as_integers(vector, shape: Shape) -> list[int]:
    narrow, low, high = ring.limbs(vector, shape)
    return [int(v) for v in narrow] + [int(a) | int(b) << 64 for a, b in zip(low, high, strict=True)]


SHAPES = [Shape(0, 2), Shape(5, 3), Shape(prg.CHUNK_WORDS + 3, 2), Shape(1, prg.CHUNK_WORDS // 2 + 5)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ring_work_equals_integers(shape):
    rng = np.random.default_rng(3)
    one, other = (rng.integers(0, 2**64, shape.words, dtype=np.uint64) for _ in range(2))
    moduli = [2**64] * shape.narrow + [2**128] * shape.wide
    a, b = as_integers(one, shape), as_integers(other, shape)
    added = one.copy()
    ring.add(added, other, shape)
    assert as_integers(added, shape) == [(x + y) % m for x, y, m in zip(a, b, moduli, strict=True)]
    shifted = one.copy()
    ring.shift_left(shifted, shape, 6)
    assert as_integers(shifted, shape) == [(x << 6) % m for x, m in zip(a, moduli, strict=True)]
    assert ring.shift_right(shifted, shape, 6)
    signed = [((x << 6) % m ^ (m >> 1)) - (m >> 1) >> 6 for x, m in zip(a, moduli, strict=True)]
    assert as_integers(shifted, shape) == [x % m for x, m in zip(signed, moduli, strict=True)]
    odd = shifted.copy()
    ring.shift_left(odd, shape, 6)
    odd[0] ^= np.uint64(32)
    assert not ring.shift_right(odd, shape, 6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_masks_and_pads_cancel_alike_in_one_thread_and_two(shape):
    key, other = os.urandom(32), os.urandom(32)
    zero = shape.zeros()
    ring.apply(zero, shape, [(key, True), (other, True), (key, False)])
    again = shape.zeros()
    with ThreadPoolExecutor(2) as pool:
        ring.apply(again, shape, [(other, True)], pool, 2)
    assert np.array_equal(zero, again)
    for _ in range(4):
        ring.apply(again, shape, [(other, True)])
    ring.take_pad(again, shape, other, 5)
    assert not again.any()


def test_vectors_have_a_limit():
    assert Shape(8_000_000, 0).words == 8_000_000
    with pytest.raises(LimitExceeded):
        Shape(8_000_001, 0)


# --- encoding -----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 512), st.floats(1e-6, 1e12), st.data())
def test_sums_of_encoded_values_are_exact_to_the_promised_step(hospitals, bound, data):
    coder = FixedPoint((Part("x", 4, bound), Part("n", 2, 2.0**40, True)), hospitals)
    reals = st.floats(-bound, bound, allow_nan=False)
    wholes = st.integers(-(2**40), 2**40)
    values = [
        np.array([*data.draw(st.tuples(*[reals] * 4)), *map(float, data.draw(st.tuples(wholes, wholes)))])
        for _ in range(3)
    ]
    total = coder.shape.zeros()
    for one in values:
        ring.add(total, coder.encode(one), coder.shape)
    assert coder.in_range(total)
    decoded = coder.decode(total)
    for place in range(6):
        plain = sum((Fraction(float(one[place])) for one in values), Fraction(0))
        tolerance = 0 if place > 3 else abs(plain) / 2**51 + Fraction(bound) / 2**75
        assert abs(Fraction(float(decoded[place])) - plain) <= tolerance


def test_nothing_permitted_wraps_even_at_the_bounds():
    for hospitals, bound, length in itertools.product((3, 7, 50, 512), (1.0, 1e-9, 3.3e5, 1e30), (2, 70_000)):
        coder = FixedPoint((Part("x", length, bound),), hospitals)
        shape, total = coder.shape, coder.shape.zeros()
        extreme = np.full(length, bound)
        extreme[1] = -bound
        encoded = coder.encode(extreme)
        for _ in range(hospitals):
            ring.add(total, encoded, shape)
        ring.shift_left(total, shape, hospitals.bit_length())
        assert ring.shift_right(total, shape, hospitals.bit_length())
        assert coder.in_range(total)
        np.testing.assert_allclose(coder.decode(total)[:2], [hospitals * bound, -hospitals * bound], rtol=1e-13)


@pytest.mark.parametrize("bad", [1.0000001, -1.0000001, np.inf, -np.inf, np.nan, 1e300])
@pytest.mark.parametrize("length", [3, 70_000])
def test_values_that_could_wrap_are_refused(bad, length):
    coder = FixedPoint((Part("weights", length, 1.0),), 5)
    values = np.zeros(length)
    values[length - 1] = bad
    with pytest.raises(ValueRefused, match="weights"):
        coder.encode(values)
    values[length - 1] = 1.0
    coder.encode(values)


def test_whole_numbers_stay_whole():
    coder = FixedPoint((Part("n", 2, 2.0**53, True),), 50)
    assert coder.decode(coder.encode(np.array([2.0**53, -(2.0**53)]))).tolist() == [2.0**53, -(2.0**53)]
    with pytest.raises(ValueRefused, match="whole"):
        coder.encode(np.array([0.5, 0.0]))
    with pytest.raises(ValueRefused, match="2\\^53"):
        FixedPoint((Part("n", 1, 2.0**54, True),), 3)
    for bound in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueRefused):
            FixedPoint((Part("x", 1, bound),), 3)
    with pytest.raises(ValueRefused, match="shape"):
        coder.encode(np.zeros(3))


def test_whole_numbers_never_wrap_at_any_bound():
    for hospitals, power in itertools.product((3, 4, 50, 64, 512), range(36, 54)):
        coder = FixedPoint((Part("n", 1, 2.0**power, True),), hospitals)
        total = coder.shape.zeros()
        for _ in range(hospitals):
            ring.add(total, coder.encode(np.array([2.0**power])), coder.shape)
        ring.shift_left(total, coder.shape, hospitals.bit_length())
        ring.shift_right(total, coder.shape, hospitals.bit_length())
        assert coder.in_range(total)
        assert coder.decode(total)[0] == hospitals * 2.0**power


def test_empty_and_zero_bounded_parts_pass():
    coder = FixedPoint((Part("none", 0, 1.0), Part("zero", 2, 0.0), Part("n", 1, 5, True)), 3)
    assert coder.decode(coder.encode(np.array([0.0, 0.0, 5.0]))).tolist() == [0.0, 0.0, 5.0]
    with pytest.raises(ValueRefused):
        coder.encode(np.array([1e-300, 0.0, 5.0]))


def test_long_parts_take_one_limb_and_short_or_coarse_ones_two():
    assert FixedPoint((Part("w", 70_000, 1.0),), 50).shape == Shape(70_000, 2)
    assert FixedPoint((Part("w", 70_000, 1e9),), 50).shape == Shape(0, 70_002)
    assert FixedPoint((Part("w", 10, 1.0),), 50).shape == Shape(0, 12)
    assert FixedPoint((Part("n", 10, 1e9, True),), 50).shape == Shape(10, 2)


# --- tag ----------------------------------------------------------------------------------------------


def python_tag(values: list[int], key: bytes, narrow: int, bits: int) -> list[int]:
    """The slow, obvious one."""
    source, index, sums, place = prg.cipher(key), 0, [0, 0], 0
    for length in (narrow, len(values) - narrow):
        for start in range(0, length, prg.CHUNK_WORDS):
            count = min(prg.CHUNK_WORDS, length - start)
            for word in prg.Stream().chunk(source, prg.TAG, index, count).tolist():
                sums[0] += (word & 0xFFFFFF) * values[place]
                sums[1] += (word >> 40) * values[place]
                place += 1
            index += 1
    return [total % (1 << bits) for total in sums]


@pytest.mark.parametrize("lengths", [(0, 1), (1, 0), (70_001, 63), (3, 65), (prg.CHUNK_WORDS * 3, 130)])
def test_the_tag_is_the_sum_of_keys_times_values(lengths):
    narrow, wide = lengths
    coder = FixedPoint((Part("n", narrow, 2.0**48, True), Part("x", wide, 1e9)), 3)
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.integers(-(2**48), 2**48, narrow).astype(float), rng.uniform(-1e9, 1e9, wide)])
    vector, key = coder.encode(values), os.urandom(32)
    tag.write(vector, coder.shape, key)
    plain = as_integers(vector, coder.shape)
    signed = [v - 2**64 if v >> 63 else v for v in plain[:narrow]]
    signed += [v - 2**128 if v >> 127 else v for v in plain[narrow:-2]]
    assert plain[-2:] == python_tag(signed, key, narrow, 128)
    assert tag.holds(vector, coder.shape, key, 2)
    assert not tag.holds(vector, coder.shape, os.urandom(32), 2)


def test_a_blind_forger_fails_for_any_single_or_double_alteration():
    coder = FixedPoint((Part("n", 8, 2.0**48, True),), 3)
    rng = random.Random(5)
    for _ in range(400):
        vector = coder.encode(np.arange(8, dtype=float))
        key = rng.randbytes(32)
        tag.write(vector, coder.shape, key)
        where = rng.sample(range(12), rng.choice([1, 2]))
        for place in where:
            # High powers of two are the near miss of tags in Z_2^64: half of them would pass there.
            vector[place] ^= np.uint64(1 << rng.choice([0, 1, 20, 47, 55]))
        assert not tag.holds(vector, coder.shape, key, 2)
    passed = 0
    for _ in range(400):
        key = rng.randbytes(32)
        vector = coder.encode(np.arange(8, dtype=float))
        tag.write(vector, coder.shape, key)
        vector[3] += np.uint64(1 << 58)
        passed += tag.holds(vector, coder.shape, key, 2)
    assert passed == 0


# --- channels and tables ------------------------------------------------------------------------------


def test_labels_are_unambiguous_and_pairs_symmetric():
    key = os.urandom(32)
    labels = [("a", "b"), ("ab",), ("a", 1), ("a", "1"), ("a", 1, 1), ("a", 11)]
    assert len({channels.derive(key, *label) for label in labels}) == len(labels)
    assert channels.pair_key(key, key, "mask", 1, 3, 5) == channels.pair_key(key, key, "mask", 1, 5, 3)
    assert channels.pair_key(key, key, "mask", 1, 3, 5) != channels.pair_key(key, key, "mask", 2, 3, 5)


def test_boxes_open_for_their_reader_round_and_run_only():
    chain, session = os.urandom(32), os.urandom(32)
    box = channels.seal(chain, session, 2, 0, 1, b"share", os.urandom)
    assert channels.unseal(chain, session, 2, 0, 1, box, "") == b"share"
    for wrong in [(chain, session, 3, 0, 1), (chain, session, 2, 1, 0), (chain, os.urandom(32), 2, 0, 1)]:
        with pytest.raises(BadShare):
            channels.unseal(*wrong, box, "")
    with pytest.raises(BadShare):
        channels.unseal(channels.next_chain(chain), session, 2, 0, 1, box, "")


def test_the_tables_end_where_they_should():
    assert PARTY_STATES.final == {"closed", "refused"}
    assert RELAY_STATES.final == {"closed"}
    assert "revealed --> refused: refuse" in PARTY_STATES.diagram()
