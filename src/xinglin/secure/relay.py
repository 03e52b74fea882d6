"""The hub's side of the secure sum: collects, relays, strips the masks, and returns a total it cannot read.

It is handed bytes and gives bytes; time-outs are its caller's: ``proceed`` says "go on without them". It
draws no randomness: the same calls in the same order make the same relay, which is how a hub restores it.
"""

from __future__ import annotations

from concurrent.futures import Executor

import msgspec

from xinglin.kernel.states import StateTable
from xinglin.kernel.verdict import Denied, deny
from xinglin.secure import ring, rules
from xinglin.secure.errors import ForeignMessage, Refused, SecureError, WrongRound
from xinglin.secure.messages import (
    Advertise,
    Adverts,
    Begin,
    Endorsed,
    Endorsement,
    Reveal,
    Shares,
    Survivors,
    Total,
    Upload,
    adverts_digest,
    as_uploaded,
    check,
    encode,
    parse,
)
from xinglin.secure.ports import Verify
from xinglin.secure.prg import Words
from xinglin.secure.session import Session
from xinglin.secure.stripping import check_masked, masks_to_strip, recoverable

RELAY_STATES = StateTable(
    "secure sum, relay",
    "advertising",
    (
        ("advertising", "adverts", "sharing"),
        ("sharing", "shares", "uploading"),
        ("uploading", "uploads", "revealing"),
        ("uploading", "narrow", "agreeing"),
        ("agreeing", "endorsements", "revealing"),
        ("revealing", "total", "uploading"),
        *((state, "close", "closed") for state in ("advertising", "sharing", "uploading", "agreeing", "revealing")),
    ),
)


class _Round:
    """What came in one round; the masked values themselves are only kept as their running sum."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.uploads: dict[int, Endorsement] = {}
        self.boxes: dict[int, dict[int, bytes]] = {}
        self.sum: Words | None = None
        self.chosen: tuple[int, ...] = ()
        self.narrowed = False
        self.endorsements: dict[int, Endorsement] = {}
        self.signatures: tuple[Endorsement, ...] = ()
        self.reveals: dict[int, Reveal] = {}
        self.total = b""


class Relay:
    """The hub in one run. Not safe for two threads at once.

    Raises ``ForeignMessage``, ``BadSignature``, ``Refused``, ``WrongRound``, ``BadShare`` or the kernel's
    errors for what it does not take; its state is then as it was.
    """

    def __init__(self, session: Session, *, verify: Verify) -> None:
        self.session = session
        self._verify = verify
        self._phase = RELAY_STATES.start
        self._adverts: dict[int, Advertise] = {}
        self._shares: dict[int, Shares] = {}
        self._expected: tuple[int, ...] = tuple(range(len(session.members)))
        self._members: tuple[int, ...] = ()
        self._round = _Round(1)
        self._before: _Round | None = None
        self._keys: dict[int, tuple[bytes, bytes]] = {}

    @property
    def phase(self) -> str:
        """The present state in ``RELAY_STATES``."""
        return self._phase

    @property
    def round(self) -> int:
        """The round under way, from 1."""
        return self._round.number

    @property
    def survivors(self) -> tuple[str, ...]:
        """DIDs of those who take part at present."""
        return tuple(self.session.did(member) for member in self._round.chosen or self._members or self._expected)

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """DIDs whose message is awaited now; empty when it is ``reconstruct``'s turn."""
        return tuple(self.session.did(member) for member in self._missing())

    @property
    def ready(self) -> bool:
        """Whether ``reconstruct`` can be called with nobody awaited."""
        return self._phase == "revealing" and not self._missing()

    @property
    def can_reconstruct(self) -> bool:
        """Whether enough shares came, though some hospitals may not have answered."""
        return self._phase == "revealing" and recoverable(
            self.session, self._members, self._round.chosen, self._round.reveals
        )

    def receive(self, did: str, data: bytes) -> None:
        """Take a message that ``did`` sent. The same message again changes nothing."""
        message = parse(data)
        sender = self.session.index(did)
        if isinstance(message, Upload):
            self._from(did, sender, message.endorsement)
            self._take_upload(sender, message)
        elif isinstance(message, Advertise | Shares | Endorsement | Reveal):
            self._from(did, sender, message)
            if isinstance(message, Advertise):
                self._take_advert(sender, message)
            elif isinstance(message, Shares):
                self._take_shares(sender, message)
            elif isinstance(message, Endorsement):
                self._take_endorsement(sender, message)
            else:
                self._take_reveal(sender, message)
        else:
            raise ForeignMessage(f"A {type(message).__name__} is not for the hub.", who=did)

    def message_for(self, did: str) -> bytes | None:
        """What ``did`` should be sent now (again and again until it answers), or None."""
        member = self.session.index(did)
        if self._phase == "sharing" and member in self._expected and member not in self._shares:
            return encode(Adverts(1, self.session.id, tuple(self._adverts[m] for m in self._expected)))
        if self._phase == "uploading" and member in self._members and member not in self._round.uploads:
            return self._before_upload(member)
        if self._phase in ("agreeing", "revealing") and member in self._round.chosen:
            return self._to_close(self._round, member)
        return None

    def proceed(self) -> tuple[str, ...]:
        """Go on without those awaited, whose DIDs are returned; the caller decides when it has waited enough.

        Raises ``Refused`` when too few would be left, or when a total was opened already (code
        ``secure.never_fewer``): then the run waits or ends.
        """
        missing = self._missing()
        if not missing:
            return ()
        if self._phase == "advertising":
            self._proceed_setup(tuple(sorted(self._adverts)), "adverts")
        elif self._phase == "sharing":
            self._proceed_setup(tuple(sorted(self._shares)), "shares")
        elif self._phase == "uploading":
            chosen = tuple(sorted(self._round.uploads))
            self._demand(chosen, self._members)
            self._round.chosen, self._round.narrowed = chosen, True
            self._move("narrow")
        elif self._phase == "agreeing":
            if len(self._round.endorsements) < self.session.threshold:
                raise Refused(deny("secure.few_signatures", "Too few hospitals endorsed the survivors.", "Wait on."))
            self._agreed()
        elif not self.can_reconstruct:
            raise Refused(deny("secure.shares_missing", "Too few shares came to strip the masks.", "Wait on."))
        return tuple(self.session.did(member) for member in missing)

    def reconstruct(self, executor: Executor | None = None, workers: int = 1) -> bytes:
        """Strip the masks and return the ``Total`` for all; the round is over, and the next one's uploads are awaited.

        With an executor, ``workers`` threads share the work. Raises ``NotEnoughShares``, or ``BadShare``
        naming the hospital whose shares do not give what it committed to.
        """
        now = self._round
        if self._phase != "revealing" or now.sum is None:
            RELAY_STATES.move(self._phase, "total")
            raise SecureError("No sum to strip.")
        masks = masks_to_strip(self.session, now.number, self._members, now.chosen, self._keys, now.reveals)
        shape = now.uploads[now.chosen[0]].shape
        total = now.sum.copy()
        ring.apply(total, shape, masks, executor, workers)
        now.total = encode(Total(1, self.session.id, now.number, now.chosen, total.data.cast("B")))
        now.sum = None
        self._move("total")
        self._members = now.chosen
        self._keys = {m: (now.uploads[m].mask_key, now.uploads[m].commitment) for m in now.chosen}
        self._before, self._round = now, _Round(now.number + 1)
        return now.total

    def close(self) -> None:
        """End the run at the hub."""
        self._move("close")
        self._before, self._round = None, _Round(self._round.number)

    def _from(self, did: str, sender: int, message: Advertise | Shares | Endorsement | Reveal) -> None:
        if message.sender != sender:
            raise ForeignMessage(f"{did} sent a message in another's name.", who=did)
        check(message, self.session, self._verify)

    def _missing(self) -> tuple[int, ...]:
        if self._phase == "advertising":
            return tuple(m for m in self._expected if m not in self._adverts)
        if self._phase == "sharing":
            return tuple(m for m in self._expected if m not in self._shares)
        if self._phase == "uploading":
            return tuple(m for m in self._members if m not in self._round.uploads)
        if self._phase == "agreeing":
            return tuple(m for m in self._round.chosen if m not in self._round.endorsements)
        if self._phase == "revealing":
            return tuple(m for m in self._round.chosen if m not in self._round.reveals)
        return ()

    def _take_advert(self, sender: int, message: Advertise) -> None:
        if not self._repeated(self._adverts.get(sender), message):
            self._in("advertising", message)
            self._adverts[sender] = message
            if not self._missing():
                self._proceed_setup(self._expected, "adverts")

    def _take_shares(self, sender: int, message: Shares) -> None:
        if not self._repeated(self._shares.get(sender), message):
            self._in("sharing", message)
            if message.adverts != adverts_digest(tuple(self._adverts[m] for m in self._expected)):
                raise Refused(deny("secure.other_adverts", "These shares answer other adverts."))
            self._shares[sender] = message
            if not self._missing():
                self._proceed_setup(self._expected, "shares")

    def _proceed_setup(self, present: tuple[int, ...], event: str) -> None:
        self._demand(present, self._expected)
        self._move(event)
        self._expected = present
        if event == "shares":
            self._members = present
            self._keys = {m: (self._adverts[m].mask_key, self._adverts[m].commitment) for m in present}

    def _take_upload(self, sender: int, message: Upload) -> None:
        now, given = self._round, message.endorsement
        if self._before is not None and self._before.uploads.get(sender) == given:
            return
        self._this_round(given.round)
        if self._repeated(now.uploads.get(sender), given):
            return
        self._in("uploading", message)
        if sender not in self._members or given.survivors != self._members:
            raise Refused(deny("secure.other_set", "The upload is endorsed for other hospitals."))
        check_masked(self.session.did(sender), message)
        first = next(iter(now.uploads.values()), None)
        if first is not None and _common(first) != _common(given):
            raise Refused(
                deny("secure.uploads_differ", "The upload's state, layout or roster key is not that of the others."),
                who=self.session.did(sender),
            )
        values = ring.from_bytes(message.masked)
        if now.sum is None:
            now.sum = values.copy()
        else:
            ring.add(now.sum, values, given.shape)
        now.uploads[sender] = given
        now.boxes[sender] = message.boxes
        if not self._missing():
            now.chosen = self._members
            self._agreed()

    def _take_endorsement(self, sender: int, message: Endorsement) -> None:
        now = self._taken_up(message.round)
        if self._repeated(now.endorsements.get(sender), message):
            return
        own = now.uploads.get(sender)
        same = own is not None and as_uploaded(message, own) == own
        if not now.narrowed or message.survivors != now.chosen or not same:
            raise Refused(deny("secure.other_set", "The endorsement is of other survivors or of another upload."))
        now.endorsements[sender] = message
        if self._phase == "agreeing" and not self._missing():
            self._agreed()

    def _take_reveal(self, sender: int, message: Reveal) -> None:
        now = self._taken_up(message.round)
        if self._repeated(now.reveals.get(sender), message):
            return
        if now is self._round:
            self._in("revealing", message)
        if sender not in now.chosen or message.survivors != now.chosen:
            raise Refused(deny("secure.other_set", "The shares are revealed for other survivors."))
        now.reveals[sender] = message

    def _before_upload(self, member: int) -> bytes:
        late = self._before
        if late is None:
            shares = [self._shares[m] for m in self._members]
            mine = tuple(_only_for(share, member) for share in shares)
            return encode(Begin(1, self.session.id, mine))
        return self._to_close(late, member) or late.total

    def _to_close(self, of: _Round, member: int) -> bytes | None:
        if of.narrowed and member not in of.endorsements:
            return encode(Survivors(1, self.session.id, of.number, of.chosen))
        if of.signatures and member not in of.reveals:
            return self._endorsed(of, member)
        return None

    def _agreed(self) -> None:
        # Frozen here, so that the message to each node stays the same however often it is sent.
        now = self._round
        now.signatures = tuple((now.endorsements if now.narrowed else now.uploads).values())
        self._move("endorsements" if now.narrowed else "uploads")

    def _taken_up(self, given: int) -> _Round:
        if self._before is not None and given == self._before.number:
            return self._before
        self._this_round(given)
        return self._round

    def _endorsed(self, of: _Round, member: int) -> bytes:
        boxes = {m: of.boxes[m][member] for m in of.chosen if member in of.boxes[m]}
        uploads = tuple(of.uploads[m] for m in of.chosen)
        signatures = of.signatures if of.narrowed else ()
        return encode(Endorsed(1, self.session.id, of.number, of.chosen, uploads, signatures, boxes))

    def _demand(self, chosen: tuple[int, ...], within: tuple[int, ...]) -> None:
        verdict = rules.check_set(self.session, chosen, within, self._before is not None)
        if isinstance(verdict, Denied):
            raise Refused(verdict)

    def _this_round(self, given: int) -> None:
        if given != self._round.number:
            raise WrongRound(given, self._round.number)

    def _in(self, phase: str, message: msgspec.Struct) -> None:
        if self._phase != phase:
            raise Refused(
                deny(
                    "secure.too_late", f"{type(message).__name__} is not awaited in state '{self._phase}'.", "Wait on."
                )
            )

    def _repeated(self, known: msgspec.Struct | None, given: msgspec.Struct) -> bool:
        if known is None or known == given:
            return known is not None
        raise Refused(deny("secure.contradiction", "The hospital sent two different messages for one step."))

    def _move(self, event: str) -> None:
        self._phase = RELAY_STATES.move(self._phase, event)


def _common(upload: Endorsement) -> tuple[object, ...]:
    return upload.state, upload.layout, upload.shape, upload.confirm


def _only_for(share: Shares, member: int) -> Shares:
    boxes = {member: share.boxes[member]} if member in share.boxes else {}
    return msgspec.structs.replace(share, boxes=boxes)
