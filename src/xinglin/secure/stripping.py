"""What the hub takes away from a sum: survivors' self masks, and the pair masks the vanished left behind."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping

from xinglin.secure import channels, shamir
from xinglin.secure.errors import BadShare, NotEnoughShares
from xinglin.secure.messages import Reveal, Upload
from xinglin.secure.ring import Mask
from xinglin.secure.session import Session

Keys = Mapping[int, tuple[bytes, bytes]]
"""Each member's mask key and seed commitment of the round."""


def check_masked(did: str, upload: Upload) -> None:
    """``BadShare`` unless the masked values are those the hospital signed, in the shape it signed."""
    digest = hashlib.sha256(upload.masked).digest()
    if len(upload.masked) != upload.endorsement.shape.words * 8 or not hmac.compare_digest(
        digest, upload.endorsement.masked
    ):
        raise BadShare(f"The masked values of {did} are not those it signed.", who=did, remedy="Have it send again.")


def recoverable(
    session: Session, members: tuple[int, ...], chosen: tuple[int, ...], reveals: Mapping[int, Reveal]
) -> bool:
    """Whether the shares that came reach the threshold for every secret that is needed."""
    gone = set(members) - set(chosen)
    counts = [sum(1 for reveal in reveals.values() if member in reveal.seeds) for member in chosen]
    counts += [sum(1 for reveal in reveals.values() if member in reveal.keys) for member in gone]
    return all(count >= session.share_threshold for count in counts)


def masks_to_strip(
    session: Session,
    round_number: int,
    members: tuple[int, ...],
    chosen: tuple[int, ...],
    keys: Keys,
    reveals: Mapping[int, Reveal],
) -> list[Mask]:
    """Streams that take the sum of ``chosen`` uploads to the padded total.

    Each recovered secret is checked against what its owner signed; ``BadShare`` names an owner whose
    shares do not give it, ``NotEnoughShares`` when the threshold is not met.
    """
    masks: list[Mask] = []
    for member in chosen:
        shares = {holder + 1: reveal.seeds[member] for holder, reveal in reveals.items() if member in reveal.seeds}
        seed = _recover(session, member, shares, _committed(session, round_number, member, keys[member][1]))
        masks.append((channels.extract(session.id, seed, "self", round_number, member), False))
    for member in sorted(set(members) - set(chosen)):
        shares = {holder + 1: reveal.keys[member] for holder, reveal in reveals.items() if member in reveal.keys}
        public = keys[member][0]
        private = _recover(session, member, shares, _of_key(public))
        for other in session.neighbours(member):
            if other in chosen:
                shared = channels.exchange(private, keys[other][0], session.did(other))
                key = channels.pair_key(session.id, shared, "mask", round_number, member, other)
                # The survivor added this stream if it comes first in the roster, and took it otherwise.
                masks.append((key, other > member))
    return masks


def _committed(session: Session, round_number: int, member: int, commitment: bytes) -> Callable[[bytes], bool]:
    return lambda seed: channels.commitment(session.id, round_number, member, seed) == commitment


def _of_key(public: bytes) -> Callable[[bytes], bool]:
    return lambda private: channels.public_key(private) == public


def _recover(session: Session, member: int, shares: Mapping[int, bytes], fits: Callable[[bytes], bool]) -> bytes:
    """The secret, also when one holder's share is false and another is left over to replace it."""
    did, threshold = session.did(member), session.share_threshold
    if len(shares) < threshold:
        raise NotEnoughShares(
            f"{len(shares)} shares of {did}'s mask came; {threshold} are needed.",
            who=did,
            remedy="Wait for more hospitals to answer, or end the run.",
        )
    for left_out in (None, *shares):
        used = {point: share for point, share in shares.items() if point != left_out}
        if len(used) >= threshold:
            secret = _combined(used, threshold)
            if secret is not None and fits(secret):
                return secret
    raise BadShare(
        f"The shares of {did}'s mask do not give what it committed to.",
        who=did,
        remedy="End the run, and start one without this hospital.",
    )


def _combined(shares: Mapping[int, bytes], threshold: int) -> bytes | None:
    try:
        return shamir.combine(shares, threshold)
    except BadShare:
        return None
