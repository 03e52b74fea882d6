"""What runs need of the register of choices, held in the memory of the process: a run reads what came since the last.

1. Nothing is held that outlives the process; the register's numbers say how far it was followed.
2. The id of the last choice that was heard is looked at each time: a register that went back is another register.
3. Whoever said something since is read anew, with all that they said; everybody else stands as they did.
4. A run that reads as of an earlier number: whoever spoke since that is judged by what they had said by then.
5. Where that cannot be (memory, instants out of every calendar, too many at once) the register is read as a whole.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.node.consent_columns import ROW_BYTES, Columns, columns_of, fits
from xinglin.stores.consent_register import ConsentRegister
from xinglin.terms.consent import Choice, ConsentUse, PersonFilter, person_filter

log = logging.getLogger("xinglin.consent")

HELD_BYTES = Limit("memory of choices that are held for runs", 512 * 1024 * 1024, "bytes")
"""Some three million choices. Beyond it each run reads the register as a whole."""
AT_ONCE = 20_000
"""So many new choices at most are added to what is held; after more it is made anew."""


class _Held(msgspec.Struct, frozen=True):
    """Columns as of a number, and the id of the choice that has it."""

    number: int
    last_id: str | None
    columns: Columns


class HeldChoices:
    """Filters of persons as of any number of one register.

    Guarantee: ``persons`` is what ``consent.person_filter`` finds over every choice up to that number, whatever was
    held before; it is asked with a number that the register has given, and reads no further.
    """

    def __init__(self, register: ConsentRegister, limit: Limit = HELD_BYTES) -> None:
        self.register, self._limit = register, limit
        self._held: _Held | None = None
        self._given_up = False
        self._turn = threading.Lock()

    def persons(self, number: int, use: ConsentUse) -> PersonFilter:
        """Whose rows a use may see, by what was said up to ``number``. A register that cannot be read raises."""
        with self._turn:
            found = self._from_held(number, use) if fits(use) else None
        return person_filter(self.register.choices(number), use) if found is None else found

    @property
    def size_bytes(self) -> int:
        """What is held takes so much memory, estimated from above."""
        return self._held.columns.size_bytes if self._held is not None else 0

    def _from_held(self, number: int, use: ConsentUse) -> PersonFilter | None:
        held = self._followed(number)
        if held is None:
            return None
        if held.number == number:
            return held.columns.filter(use)
        since = self.register.chose_since(number)
        if since is None:
            return None
        then = person_filter(self.register.choices_of(since, number), use)
        return _together(held.columns.filter_without(use, since), then)

    def _followed(self, number: int) -> _Held | None:
        """What is held, as of ``number`` or later; ``None`` where it cannot be."""
        register, held = self.register, self._held
        if held is not None and register.id_at(held.number) != held.last_id:
            log.warning("the register of choices is not the one that was read: it is read anew")
            held = self._held = None
        if held is not None and number <= held.number:
            return held
        if held is not None and number - held.number > AT_ONCE:
            held = self._held = None
        last_id = register.id_at(number)
        self._given_up = self._given_up or number * ROW_BYTES > self._limit.value
        if self._given_up or (last_id is None and number):
            return None
        try:
            return self._kept(_Held(number, last_id, self._columns(held, number)), anew=held is None)
        except OverflowError:
            log.warning("choices name instants outside of every calendar: the register is read as a whole for each run")
            self._held, self._given_up = None, True
            return None

    def _columns(self, held: _Held | None, number: int) -> Columns:
        if held is None:
            return columns_of(self.register.choices(number), self.register.said_more(number))
        return held.columns.replaced(self._said_since(held, number))

    def _said_since(self, held: _Held, number: int) -> dict[str, list[Choice]]:
        """All the choices of whoever said something since."""
        new: dict[str, list[Choice]] = defaultdict(list)
        for choice in self.register.choices(number, held.number):
            new[choice.person].append(choice)
        for person in new:
            if held.columns.holds(person):
                new[person] = list(self.register.choices_of((person,), number))
        return new

    def _kept(self, held: _Held, *, anew: bool) -> _Held:
        """Held for the next run, unless it is too much: then made anew once, since what nobody says now goes."""
        size_bytes = held.columns.size_bytes
        if size_bytes <= self._limit.value:
            self._held = held
            return held
        self._held, self._given_up = None, anew
        if anew:
            log.warning("choices take %d bytes: the register is read as a whole for each run", size_bytes)
        return held


def _together(one: PersonFilter, other: PersonFilter) -> PersonFilter:
    """Two filters about different persons, of one use."""
    without = tuple(sorted((*one.without, *other.without)))
    if one.only is None:
        return PersonFilter(without)
    return PersonFilter(without, tuple(sorted((*one.only, *(other.only or ())))))
