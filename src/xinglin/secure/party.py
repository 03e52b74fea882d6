"""A node's side of the secure sum: a state machine that is handed bytes.

What each can learn, at most: the hub — padded totals, who took part, the layout's size; never a
contribution or a total. The hub with one hospital — what that hospital opens anyway: totals, and so the
sum of the others. n − 1 hospitals together — the remaining one's part, in any sum whatsoever. A snapshot
taken in round r — nothing about rounds before r − 1: their keys are gone, and pad and channel keys only
move forward.

A round, by number:

1. ``upload``: encode, tag, pad, mask; keep; then hand out. The bytes exist once and are only repeated.
2. ``answer(Survivors)``: only before the first opened total; one smaller set a round, nested in the last.
3. ``answer(Endorsed)``: t signatures over the set this node stands for, everybody's upload endorsed from
   the same state, layout and roster key; then reveal seed shares of the survivors and key shares of the
   vanished — once, and never both of one member.
4. ``open``: take the pad away, check empty low bits, tag and range; forget the round.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from typing import Any, NoReturn, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.kernel.verdict import Denied, every
from xinglin.secure import channels, dealing, ring, rules, tag
from xinglin.secure.encoding import FixedPoint, Part
from xinglin.secure.errors import AlreadyAnswered, AlteredTotal, ForeignMessage, Refused, SecureError, WrongRound
from xinglin.secure.judging import judge_adverts, judge_begin, judge_endorsed
from xinglin.secure.messages import (
    Advertise,
    Adverts,
    Begin,
    Endorsed,
    Endorsement,
    Message,
    Reveal,
    Shares,
    Survivors,
    Total,
    Upload,
    adverts_digest,
    encode,
    parse,
    signed,
)
from xinglin.secure.party_state import PARTY_STATES, Answer, Coming, Fresh, LastTotal, PartyState, from_bytes, to_bytes
from xinglin.secure.ports import Entropy, Keep, Sign, Verify
from xinglin.secure.session import Session
from xinglin.secure.shamir import ELEMENT_BYTES

Floats = NDArray[np.float64]
T = TypeVar("T")

_EVENTS: dict[type, str] = {Adverts: "share", Begin: "begin", Survivors: "endorse", Endorsed: "reveal"}


class Opened(msgspec.Struct, frozen=True):
    """An opened total: the round, whose sum it is (DIDs), and the values (float64, in the order of the parts)."""

    round: int
    survivors: tuple[str, ...]
    values: Any


class Party:
    """One node in one run. Not safe for two threads at once; ``keep`` returns before any bytes go out.

    ``pinned`` names the DIDs (with the keys the session gives them) that this node's agreement allows it
    to be summed with; only they and itself count towards the minimum. ``None`` pins the whole roster.
    """

    def __init__(
        self,
        session: Session,
        did: str,
        *,
        sign: Sign,
        verify: Verify,
        keep: Keep,
        entropy: Entropy = os.urandom,
        pinned: Collection[str] | None = None,
    ) -> None:
        chosen = {m.did for m in session.members} if pinned is None else set(pinned)
        places = tuple(i for i, m in enumerate(session.members) if m.did in chosen)
        self._state = PartyState(session, session.index(did), places)
        self._sign, self._verify, self._keep, self._entropy = sign, verify, keep, entropy

    @classmethod
    def restore(
        cls, snapshot: bytes, *, sign: Sign, verify: Verify, keep: Keep, entropy: Entropy = os.urandom
    ) -> Party:
        """The party as it was when ``snapshot`` was kept; ``MalformedMessage`` for anything else."""
        state = from_bytes(snapshot)
        party = cls(state.session, state.session.did(state.me), sign=sign, verify=verify, keep=keep, entropy=entropy)
        party._state = state
        return party

    def snapshot(self) -> bytes:
        """What ``restore`` takes; holds keys, so it is stored encrypted."""
        return to_bytes(self._state)

    @property
    def phase(self) -> str:
        """The present state in ``PARTY_STATES``."""
        return self._state.phase

    @property
    def round(self) -> int:
        """The round that is under way or comes next, from 1."""
        return self._state.round

    @property
    def survivors(self) -> tuple[str, ...]:
        """DIDs of those who take part; empty before Begin."""
        return tuple(self._state.session.did(member) for member in self._state.members)

    def derive(self, label: str) -> bytes:
        """32 bytes that every participant derives alike and the hub cannot; the same throughout the run."""
        if not self._state.derive_key:
            raise SecureError(f"No roster key in state '{self.phase}'.", remedy="Derive between Begin and close.")
        return channels.derive(self._state.derive_key, "derive", label)

    def resend(self) -> bytes | None:
        """The last bytes this node sent in this phase, unchanged; None when it is the node's turn to wait."""
        event = {
            "advertised": "advertise",
            "shared": "share",
            "uploaded": "upload",
            "narrowed": "endorse",
            "revealed": "reveal",
        }
        past = self._state.answers.get(event.get(self.phase, ""))
        return past.reply if past else None

    def advertise(self) -> bytes:
        """The signed ``Advertise`` that joins the run."""
        state = self._state
        if self.phase == "advertised":
            return state.answers["advertise"].reply
        private = self._entropy(ELEMENT_BYTES)
        fresh = dealing.fresh_keys(state.session, state.me, 1, self._entropy)
        advert = Advertise(1, state.session.id, state.me, channels.public_key(private), fresh.public, fresh.commitment)
        contribution = self._entropy(ELEMENT_BYTES)
        return self._send(
            "advertise",
            b"",
            signed(advert, self._sign),
            channel_private=private,
            fresh=fresh,
            contribution=contribution,
        )

    def answer(self, data: bytes) -> bytes | None:
        """What to send back for a message of the hub (Adverts, Begin, Survivors, Endorsed).

        The same message again gets the same bytes; another one in its place ``AlreadyAnswered``. Any
        refusal is a ``SecureError`` (or the kernel's ``MalformedMessage``, ``LimitExceeded``,
        ``IllegalMove``) and leaves the state as it was.
        """
        message = parse(data)
        event = _EVENTS.get(type(message))
        if event is None:
            raise ForeignMessage(f"A {type(message).__name__} is not for a node to answer.")
        self._mine(message)
        question = hashlib.sha256(data).digest()
        past = self._state.answers.get(event)
        if past is not None:
            if past.question == question:
                return past.reply or None
            raise AlreadyAnswered(
                f"A different {type(message).__name__} was answered already.",
                why="A node stands for one set a round, and reveals once.",
                remedy="Send the first message again, or end the run.",
            )
        PARTY_STATES.move(self.phase, event)
        if isinstance(message, Adverts):
            return self._share(message, question)
        if isinstance(message, Begin):
            self._begin(message, question)
            return None
        if isinstance(message, Survivors):
            return self._endorse(message, question)
        if isinstance(message, Endorsed):
            return self._reveal(message, question)
        raise ForeignMessage(f"A {type(message).__name__} is not for a node to answer.")

    def upload(self, values: Floats, parts: Collection[Part], state_digest: str) -> bytes:
        """The signed ``Upload`` of this node's ``values`` (float64, one axis, laid out as ``parts``).

        ``state_digest`` is that of the state the values were computed from; all nodes must name the same.
        Raises ``ValueRefused`` for values outside their bounds, ``AlreadyAnswered`` when this round's bytes
        exist (``resend`` gives them), ``Refused`` past the session's rounds.
        """
        state = self._state
        if "upload" in state.answers:
            raise AlreadyAnswered("This round's upload exists already.", remedy="Call resend() for its bytes.")
        PARTY_STATES.move(self.phase, "upload")
        if state.round > state.session.rounds:
            raise WrongRound(state.round, state.session.rounds)
        fixed = FixedPoint(tuple(parts), len(state.session.members))
        masked = self._masked(values, fixed)
        fresh = dealing.fresh_keys(state.session, state.me, state.round + 1, self._entropy)
        shares = dealing.deal(state.session, state.me, fresh, self._entropy)
        near = {member: share for member, share in shares.items() if member in state.pairs}
        boxes = dealing.seal_shares(state.session, state.me, state.round + 1, state.chains, near, self._entropy)
        bare = Endorsement(
            1,
            state.session.id,
            state.round,
            state.me,
            state.members,
            hashlib.sha256(masked).digest(),
            channels.derive(state.pad_chain, "state", state.round, state_digest),
            fixed.digest,
            fixed.shape,
            channels.derive(state.pad_chain, "confirm", state.round),
            fresh.public,
            fresh.commitment,
        )
        endorsement = signed(bare, self._sign)
        return self._send(
            "upload",
            b"",
            Upload(1, state.session.id, endorsement, masked, boxes),
            endorsement=endorsement,
            fixed=fixed,
            fresh=dealing.with_share(fresh, shares[state.me]),
            stands=state.members,
            seed=b"",
            pairs={},
            last=None,
        )

    def open(self, data: bytes) -> Opened:
        """The values in a ``Total``; the same total once more until the next upload.

        Raises ``AlteredTotal`` (forging probability at most 2^-46) and ends the run at this node when the
        total is not the sum of what the survivors sent.
        """
        message = parse(data)
        if not isinstance(message, Total):
            raise ForeignMessage(f"A {type(message).__name__} is not a total.")
        self._mine(message, again=True)
        state, digest = self._state, hashlib.sha256(message.padded).digest()
        last = state.last
        if last is not None and message.round == last.round:
            if (digest, message.survivors) != (last.digest, last.survivors):
                raise AlreadyAnswered("Another total of this round was opened already.", remedy="End the run.")
            return self._opened(message, last)
        PARTY_STATES.move(self.phase, "open")
        if state.fixed is None or state.coming is None or message.survivors != state.stands:
            raise Refused(rules.another_set(), who="")
        now = LastTotal(state.round, digest, state.stands, state.pad_chain, state.fixed)
        opened = self._opened(message, now)
        self._step(
            "open",
            round=state.round + 1,
            opened=True,
            members=state.stands,
            stands=(),
            seed=state.coming.seed,
            pairs=state.coming.pairs,
            held=state.coming.held,
            coming=None,
            pad_chain=channels.derive(state.pad_chain, "next"),
            fixed=None,
            endorsement=None,
            last=now,
            answers={},
        )
        return opened

    def close(self) -> None:
        """End the run at this node, in any phase: every secret is gone from its state and snapshot."""
        if self.phase in PARTY_STATES.final:
            return
        phase = PARTY_STATES.move(self.phase, "close")
        self._settle(self._state.emptied(phase))

    def _share(self, message: Adverts, question: bytes) -> bytes:
        state, session = self._state, self._state.session
        senders = judge_adverts(state, message, self._verify)
        fresh = _need(state.fresh)
        chains, pairs = {}, {}
        for advert in message.adverts:
            other, who = advert.sender, session.did(advert.sender)
            if other == state.me:
                continue
            shared = channels.exchange(state.channel_private, advert.channel_key, who)
            chains[other] = channels.pair_key(session.id, shared, "channel", 1, state.me, other)
            if other in session.neighbours(state.me):
                shared = channels.exchange(fresh.private, advert.mask_key, who)
                pairs[other] = channels.pair_key(session.id, shared, "mask", 1, state.me, other)
        shares = dealing.deal(session, state.me, fresh, self._entropy)
        plain = {other: shares.get(other, b"") + state.contribution for other in senders if other != state.me}
        boxes = dealing.seal_shares(session, state.me, 1, chains, plain, self._entropy)
        digest = adverts_digest(message.adverts)
        reply = signed(Shares(1, session.id, state.me, digest, boxes), self._sign)
        return self._send(
            "share",
            question,
            reply,
            adverts=digest,
            chains=chains,
            pairs=pairs,
            seed=fresh.seed,
            held={state.me: shares[state.me]},
            members=senders,
            channel_private=b"",
            fresh=None,
        )

    def _begin(self, message: Begin, question: bytes) -> None:
        state, session = self._state, self._state.session
        members = judge_begin(state, message, self._verify)
        others = [member for member in members if member != state.me]
        boxes = {share.sender: share.boxes.get(state.me, b"") for share in message.shares}
        whole = dealing.SHARE_BYTES + ELEMENT_BYTES
        sizes = {other: whole if other in state.pairs else ELEMENT_BYTES for other in others}
        opened = dealing.open_shares(session, state.me, 1, state.chains, boxes, others, sizes)
        contributions = {other: content[-ELEMENT_BYTES:] for other, content in opened.items()}
        contributions[state.me] = state.contribution
        roster_key = channels.extract(
            session.id, state.adverts + b"".join(contributions[member] for member in members), "roster", *members
        )
        near = [other for other in others if other in state.pairs]
        held = {other: opened[other][: dealing.SHARE_BYTES] for other in near}
        self._step(
            "begin",
            answers={**state.answers, "begin": Answer(question, b"")},
            members=members,
            held={**held, **state.held},
            pairs={other: state.pairs[other] for other in near},
            chains={other: channels.next_chain(state.chains[other]) for other in near},
            pad_chain=channels.derive(roster_key, "pad chain"),
            derive_key=channels.derive(roster_key, "derive key"),
            contribution=b"",
        )

    def _endorse(self, message: Survivors, question: bytes) -> bytes:
        state = self._state
        chosen = message.survivors
        verdict = every(
            [
                rules.check_set(state.session, chosen, state.members, state.opened),
                rules.check_own(state.session, chosen, state.me, state.pinned),
            ]
        )
        if isinstance(verdict, Denied):
            raise Refused(verdict)
        reply = signed(msgspec.structs.replace(_need(state.endorsement), survivors=chosen), self._sign)
        return self._send("endorse", question, reply, stands=chosen)

    def _reveal(self, message: Endorsed, question: bytes) -> bytes:
        state, session = self._state, self._state.session
        judge_endorsed(state, message, self._verify)
        fresh, chosen = _need(state.fresh), set(state.stands)
        gone = set(state.members) - chosen
        seeds = {m: share[ELEMENT_BYTES:] for m, share in state.held.items() if m in chosen}
        keys = {m: share[:ELEMENT_BYTES] for m, share in state.held.items() if m in gone}
        reply = Reveal(1, session.id, state.round, state.me, state.stands, seeds, keys)
        return self._send(
            "reveal", question, signed(reply, self._sign), **self._coming(message, fresh), held={}, fresh=None
        )

    def _coming(self, message: Endorsed, fresh: Fresh) -> dict[str, Any]:
        """Pair keys and shares of the next round, from the survivors' uploads; channel keys one step on."""
        state, session, following = self._state, self._state.session, self._state.round + 1
        near = [member for member in state.stands if member in state.chains]
        pairs = {}
        for upload in message.uploads:
            if upload.sender in near:
                shared = channels.exchange(fresh.private, upload.mask_key, session.did(upload.sender))
                pairs[upload.sender] = channels.pair_key(session.id, shared, "mask", following, state.me, upload.sender)
        sizes = dict.fromkeys(near, dealing.SHARE_BYTES)
        held = dealing.open_shares(session, state.me, following, state.chains, message.boxes, near, sizes)
        return {
            "coming": Coming(fresh.seed, pairs, {**held, state.me: fresh.share}),
            "chains": {other: channels.next_chain(state.chains[other]) for other in near},
        }

    def _masked(self, values: Floats, fixed: FixedPoint) -> memoryview:
        state, session, shape = self._state, self._state.session, fixed.shape
        vector = fixed.encode(values)
        tag.write(vector, shape, channels.derive(state.pad_chain, "tag", state.round))
        ring.shift_left(vector, shape, session.shift_bits)
        masks = [
            (channels.extract(session.id, state.seed, "self", state.round, state.me), True),
            (channels.derive(state.pad_chain, "pad", state.round), True),
        ]
        masks += [(key, state.me < other) for other, key in state.pairs.items()]
        ring.apply(vector, shape, masks)
        return vector.data.cast("B")

    def _opened(self, message: Total, total: LastTotal) -> Opened:
        session, fixed, shape = self._state.session, total.fixed, total.fixed.shape
        if len(message.padded) != shape.words * 8:
            self._refuse()
        vector = ring.from_bytes(message.padded).copy()
        ring.take_pad(vector, shape, channels.derive(total.pad_chain, "pad", total.round), len(total.survivors))
        whole = ring.shift_right(vector, shape, session.shift_bits)
        tagged = tag.holds(vector, shape, channels.derive(total.pad_chain, "tag", total.round), session.shift_bits)
        if not (whole and tagged and fixed.in_range(vector)):
            self._refuse()
        return Opened(total.round, tuple(session.did(m) for m in total.survivors), fixed.decode(vector))

    def _refuse(self) -> NoReturn:
        self._settle(self._state.emptied(PARTY_STATES.move(self.phase, "refuse")))
        raise AlteredTotal(
            "The total is not the sum of what the hospitals sent.",
            why="It was altered at the hub or on the way, or a hospital computed its part differently.",
            remedy="End the run; keep its messages for the auditor.",
        )

    def _mine(self, message: Message, again: bool = False) -> None:
        state = self._state
        if not isinstance(message, Upload) and message.session != state.session.id:
            raise ForeignMessage("The message belongs to another run.", remedy="Each run starts with fresh messages.")
        given = getattr(message, "round", state.round)
        if given != state.round and not (again and state.last is not None and given == state.last.round):
            raise WrongRound(given, state.round)

    def _send(self, event: str, question: bytes, reply: Message, **changes: Any) -> bytes:
        sent = encode(reply)
        self._step(event, answers={**self._state.answers, event: Answer(question, sent)}, **changes)
        return sent

    def _step(self, event: str, **changes: Any) -> None:
        phase = PARTY_STATES.move(self.phase, event)
        self._settle(msgspec.structs.replace(self._state, phase=phase, **changes))

    def _settle(self, state: PartyState) -> None:
        # Durable first: if this raises, nothing has happened and nothing has left.
        self._keep(to_bytes(state))
        self._state = state


def _need(value: T | None) -> T:
    if value is None:
        raise SecureError("The kept state lacks a key of its phase.", remedy="End the run; restore no edited snapshot.")
    return value
