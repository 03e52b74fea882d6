"""Fresh secrets of a round, dealt to those who hold shares of them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinglin.secure import channels, shamir
from xinglin.secure.errors import BadShare
from xinglin.secure.party_state import Fresh
from xinglin.secure.ports import Entropy
from xinglin.secure.session import Session

SHARE_BYTES = 2 * shamir.ELEMENT_BYTES
"""A share of the mask key, then one of the seed."""


def fresh_keys(session: Session, me: int, round_number: int, entropy: Entropy) -> Fresh:
    """A new mask key pair and self-mask seed, used in one round only."""
    private, seed = shamir.random_element(entropy), shamir.random_element(entropy)
    committed = channels.commitment(session.id, round_number, me, seed)
    return Fresh(private, channels.public_key(private), seed, committed)


def deal(session: Session, me: int, fresh: Fresh, entropy: Entropy) -> dict[int, bytes]:
    """64 bytes for each holder (the neighbours and this member): its share of the mask key and of the seed."""
    points = [holder + 1 for holder in sorted((*session.neighbours(me), me))]
    keys = shamir.split(fresh.private, session.share_threshold, points, entropy)
    seeds = shamir.split(fresh.seed, session.share_threshold, points, entropy)
    return {point - 1: keys[point] + seeds[point] for point in points}


def seal_shares(
    session: Session, me: int, round_number: int, chains: dict[int, bytes], plain: dict[int, bytes], entropy: Entropy
) -> dict[int, bytes]:
    """A sealed box for each member of ``plain``."""
    return {
        to: channels.seal(chains[to], session.id, round_number, me, to, content, entropy)
        for to, content in plain.items()
    }


def open_shares(
    session: Session,
    me: int,
    round_number: int,
    chains: dict[int, bytes],
    boxes: dict[int, bytes],
    senders: Iterable[int],
    sizes: dict[int, int],
) -> dict[int, bytes]:
    """What each of ``senders`` sealed for this member; ``BadShare`` when missing, forged or misdirected."""
    opened = {}
    for sender in senders:
        who = session.did(sender)
        box = boxes.get(sender)
        if not box:
            raise BadShare(f"The share from {who} is missing.", who=who, remedy="Start the run again.")
        content = channels.unseal(chains[sender], session.id, round_number, sender, me, box, who)
        if len(content) != sizes[sender]:
            raise BadShare(
                f"The share from {who} has the wrong length.", who=who, remedy="Update that hospital's node."
            )
        opened[sender] = content
    return opened


def with_share(fresh: Fresh, share: bytes) -> Fresh:
    """``fresh`` together with its owner's own share."""
    return msgspec.structs.replace(fresh, share=share)
