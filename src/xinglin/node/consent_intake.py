"""Consents that come in with other records are choices before the rows of their batch can be seen (``Consents``).

1. Each batch in order, from the last one that was heard: a crash in between hears it again, and changes nothing.
2. Objects that may hold Consents are looked through in a killable child; what cannot be is remembered by its code.
3. A deleted Consent says nothing any more, whichever of its versions comes later; a denial stays until it is checked.
4. Choices go into the register, each with its entry for the log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence

import msgspec

from xinglin.intake.consents import FoundConsent, FoundConsents, may_hold_consents, worth_reading
from xinglin.intake.digests import person_digest
from xinglin.intake.errors import RawDamaged, RawErased, RawMissing
from xinglin.intake.model import Part, Plan, Source
from xinglin.intake.ports import RawStore, Work
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import LimitExceeded, MalformedMessage
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.stores.consent_arrivals import ConsentArrivals
from xinglin.stores.consent_register import ConsentRegister
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.looking import Looker, LookError
from xinglin.terms.consent import Choice

log = logging.getLogger("xinglin.consent")

TASK = "xinglin.intake.consent_search:searched"
AT_ONCE = 10_000
ID_BYTES = 16
Search = Callable[[Work, bytes], FoundConsents]
"""Looks one object through. Raises ``LookError``."""


def search_with(looker: Looker) -> Search:
    """A search in a looker's child; errors name the object by its digest."""

    def search(work: Work, body: bytes) -> FoundConsents:
        packed = looker.look(TASK, encode_msgpack(work), body, name=work.kept.digest)
        return decode_msgpack(packed, FoundConsents)

    return search


class ConsentIntake:
    """Port ``intake.Consents`` over the register of a node's ledger."""

    def __init__(
        self,
        ledger: IntakeLedger,
        raw: RawStore,
        register: ConsentRegister,
        arrivals: ConsentArrivals,
        search: Search,
        clock: Clock = system_clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._ledger, self._raw, self._search = ledger, raw, search
        self._clock, self._entropy = clock, entropy
        self._register, self._arrivals = register, arrivals
        self._place = arrivals.place()

    def took(self, batch: int) -> None:
        """See the port."""
        for number in range(self._place + 1, batch + 1):
            state = self._ledger.batch(number)
            if state is not None:
                self._hear(state.plan)
            self._arrivals.follow(number)
            self._place = number

    def _hear(self, plan: Plan) -> None:
        erased = self._ledger.erased()
        for part in plan.parts:
            if part.number or part.code:
                continue  # heard with its first part, or nothing of it can be read
            version = self._ledger.source(part.source, part.version)
            if version is not None:
                self._keep(version.source, self._found(part, version.source), erased)

    def _found(self, part: Part, source: Source) -> Sequence[FoundConsent]:
        kept = self._raw.find(part.digest)
        media_type = (source.media_type or part.media_type).partition(";")[0].strip().lower()
        if kept is None:
            return ()
        try:
            if not worth_reading(media_type, lambda: next(iter(self._raw.read_stream(part.digest)), b"")):
                return ()
            body = self._raw.read(part.digest)
            if not may_hold_consents(media_type, body):
                return ()
            found = self._search(Work(kept, source, media_type), body)
        except RawErased:
            return ()
        except (LookError, RawMissing, RawDamaged, LimitExceeded, MalformedMessage) as error:
            log.warning("object %s was not looked through for Consents: %s", part.digest, error.code)
            self._arrivals.hold(part.sequence, part.digest, error.code, self._clock())
            return ()
        if found.cut:
            log.warning("object %s was looked through for Consents in part: %s", part.digest, found.cut)
            self._arrivals.hold(part.sequence, part.digest, found.cut, self._clock())
        else:
            self._arrivals.heard(part.sequence)
        return found.consents

    def _keep(self, source: Source, found: Sequence[FoundConsent], erased: frozenset[bytes]) -> None:
        key = self._ledger.key()

        def here(choice: Choice) -> bool:
            """Whoever was erased is not taken up again by what they once said."""
            return source.takes_erased or not erased or person_digest(key, choice.person) not in erased

        told = [msgspec.structs.replace(one, choices=tuple(filter(here, one.choices))) for one in found]
        if not told:
            return
        self._arrivals.named((one.document, choice.person) for one in told for choice in one.choices)
        choices = [choice for one in told for choice in self._said(one, source)]
        for first in range(0, len(choices), AT_ONCE):
            named = [
                msgspec.structs.replace(choice, id=self._entropy(ID_BYTES).hex())
                for choice in choices[first : first + AT_ONCE]
            ]
            self._register.keep(named, self._clock())

    def _said(self, one: FoundConsent, source: Source) -> Iterator[Choice]:
        """What one Consent says, and that it says nothing any more where it was deleted, before or after."""
        yield from one.choices
        if one.deleted_at >= 0:
            self._arrivals.delete(one.document, one.deleted_at)
        at = self._arrivals.deleted_at(one.document)
        if at is not None:
            yield from (_gone(person, one.document, at, source) for person in self._arrivals.persons_of(one.document))


def _gone(person: str, document: str, at: Instant, source: Source) -> Choice:
    """A version of a Consent that says nothing: its permissions end, its denials wait for a check of identity."""
    return Choice(person, None, at, f"FHIR {source.name}", document=document, version_at=at)
