"""What can be computed from everything the hub holds, with a hospital's keys or with stolen ones?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.secure.space import PARTS, Space

from xinglin.secure import BadShare, FixedPoint, Party, Upload, channels, parse, ring
from xinglin.secure.party_state import from_bytes


def strip(here: Space, upload: Upload, masks: list[tuple[bytes, bool]]) -> np.ndarray:
    """The attack: take known streams from an upload and read what is left as numbers."""
    fixed = FixedPoint(PARTS, len(here.dids))
    vector = np.frombuffer(upload.masked, dtype="<u8").copy()
    ring.apply(vector, fixed.shape, masks)
    ring.shift_right(vector, fixed.shape, here.session.shift_bits)
    return fixed.decode(vector)


def own_masks(here: Space, before, number: int) -> list[tuple[bytes, bool]]:
    """Every stream on the upload that follows state ``before``, to take away again."""
    masks = [
        (channels.extract(here.session.id, before.seed, "self", number, before.me), False),
        (channels.derive(before.pad_chain, "pad", number), False),
    ]
    return masks + [(key, other < before.me) for other, key in before.pairs.items()]


def test_hub_and_one_hospital_cannot_strip_another_hospitals_mask():
    here = Space(4)
    here.start()
    victim, colluder = 0, 3
    before = {i: from_bytes(here.kept[did]) for i, did in enumerate(here.dids)}
    taken = [here.kept[here.dids[colluder]]]
    vectors = here.vectors()
    here.upload(vectors)
    taken.append(here.kept[here.dids[colluder]])
    here.settle()
    taken.append(here.kept[here.dids[colluder]])
    upload = next(m for m in map(parse, here.sent[here.dids[victim]]) if isinstance(m, Upload))
    values = vectors[here.dids[victim]]
    everything = own_masks(here, before[victim], 1)
    # Control: with all of its masks the attack reads the contribution.
    np.testing.assert_allclose(strip(here, upload, everything), values, atol=1e-9)
    # Hub and colluder know: the revealed seed, the pad, and the pair stream between victim and colluder.
    known = [*everything[:2], (before[colluder].pairs[victim], colluder < victim)]
    left = strip(here, upload, known)
    assert not np.any(np.isclose(left, values, rtol=1e-3))
    # What is missing is the honest hospitals' keys; no byte string that hub or colluder ever held is one.
    for other in (1, 2):
        honest = before[victim].pairs[other]
        assert honest == before[other].pairs[victim]
        assert not any(honest in data for data in (*here.wire, *taken))
        for secret in (before[victim].seed, before[other].seed):
            assert not any(secret in data for data in (*here.wire, *taken))


def test_a_key_recovered_in_round_five_opens_no_earlier_round():
    here = Space(5)
    here.start()
    victim = here.dids[0]
    history, uploads, vectors, kept = {}, {}, {}, b""
    for number in range(1, 6):
        history[number] = from_bytes(here.kept[victim])
        vectors[number] = here.vectors()
        here.upload(vectors[number], state=f"sha256:{number}")
        uploads[number] = parse(here.sent[victim][-1])
        kept = here.kept[victim]
        total = here.settle()
        if number < 5:
            for did in here.dids:
                here.parties[did].open(total)
    # The thief has the whole transcript, the victim's snapshots of round 5, and its mask key of round 5.
    stolen = from_bytes(here.kept[victim])
    loot = (kept, here.kept[victim])
    for number in range(1, 5):
        secrets = history[number]
        np.testing.assert_allclose(
            strip(here, uploads[number], own_masks(here, secrets, number)), vectors[number][victim], atol=1e-9
        )
        gone = [secrets.seed, secrets.pad_chain, *secrets.pairs.values(), *secrets.chains.values()]
        gone += secrets.held.values()
        for secret in gone:
            assert len(secret) >= 32
            assert not any(secret in data for data in (*loot, *here.wire)), number
        earlier = (
            parse(here.sent[here.dids[1]][0]).mask_key if number == 1 else uploads[number - 1].endorsement.mask_key
        )
        assert earlier not in loot[0]
        # Stolen keys, and those derived from them, fit no earlier pad and no earlier box.
        tried = [stolen.pad_chain, stolen.coming.seed, *stolen.chains.values(), *stolen.coming.pairs.values()]
        for key in tried:
            left = strip(here, uploads[number], [(channels.derive(key, "pad", number), False), (key, False)])
            assert not np.any(np.isclose(left, vectors[number][victim], rtol=1e-3))
            for to, box in uploads[number].boxes.items():
                for chain in (key, channels.next_chain(key)):
                    with pytest.raises(BadShare):
                        channels.unseal(chain, here.session.id, number + 1, 0, to, box, "")


def test_a_mask_key_of_one_round_gives_no_pair_key_of_another():
    here = Space(3)
    here.start()
    first = from_bytes(here.kept[here.dids[0]])
    here.upload(here.vectors())
    uploaded = from_bytes(here.kept[here.dids[0]])
    stolen = uploaded.fresh.private  # the mask key of round 2
    adverts = {parse(here.sent[did][0]).sender: parse(here.sent[did][0]) for did in here.dids}
    for other, key in first.pairs.items():
        shared = channels.exchange(stolen, adverts[other].mask_key, "")
        for number in (1, 2):
            assert channels.pair_key(here.session.id, shared, "mask", number, 0, other) != key


def test_the_pad_hides_the_total_from_the_hub():
    """For every set size each candidate total is equally possible; and the same inputs give unrelated totals."""
    vectors = Space(4).vectors()
    padded = []
    for seed in range(2):
        again = Space(4, seed=seed)
        again.start()
        again.upload(vectors)
        padded.append(np.frombuffer(parse(again.settle()).padded, dtype="<u8"))
    bits = again.session.shift_bits
    assert not np.any((padded[0] >> np.uint64(bits)) == (padded[1] >> np.uint64(bits)))
    modulus = 2**64
    for size in range(3, 129):
        shift = size.bit_length()
        # total·2^shift + size·P: for any two totals there is a P that explains the same padded word.
        for difference in (1, 3, 2**40 + 5, 2**50):
            wanted = (difference << shift) % modulus
            power = size & -size
            assert wanted % power == 0
            pad = wanted // power * pow(size // power, -1, modulus) % modulus
            assert pad * size % modulus == wanted


def test_the_hub_never_sees_a_value_in_any_message():
    here = Space(3)
    here.start()
    values = np.array([1234.0, -77.0, 5.5, 123456.789, -9.25])
    here.upload(dict.fromkeys(here.dids, values))
    here.settle()
    fixed = FixedPoint(PARTS, 3)
    plain = fixed.encode(values)
    for data in here.wire:
        for word in plain[np.abs(plain.view("<i8")) > 1000]:
            assert int(word).to_bytes(8, "little") not in data


def test_a_failing_disk_lets_nothing_out():
    here = Space(3)
    did = here.dids[0]

    def full(snapshot: bytes) -> None:
        raise OSError("no space left")

    party = Party(here.session, did, sign=here.sign_as(did), verify=here.verify, keep=full)
    with pytest.raises(OSError, match="no space"):
        party.advertise()
    assert party.phase == "new"
    assert party.resend() is None
