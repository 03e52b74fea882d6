"""Reservations: what a run in progress may still cost, held for it until it pays, ends, or its time is over.

A run over several hospitals pays at each. So that none of them is paid for an answer that another cannot pay, each
holds the price at admission: a run is carried on only when all of them do, and pays later, right before its upload.

*Guarantees.* What is spent and what is held never pass a cap together. A reservation gives nothing: it is no entry of
the history, and ``decide`` charges against the cap whatever was held. It ends by itself (``RESERVED_MS``), so neither
a crash nor a run that never goes on holds a budget for ever. In a day, a study's reservations that were not paid hold
at most its whole cap for ``HELD_MS``; then it is refused.

*Who waits.* Where only reservations are in the way, a run waits for those with a greater id and is refused for those
with a smaller one. Waiting goes from smaller to greater ids at every hospital alike, so runs never wait for each other
in a ring, and of runs that race for the last of a budget one is always carried on.

Source: Rosenkrantz, Stearns, Lewis, ACM TODS 3(2), 1978, §5 (wait-die).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.privacy.noise.budget import Ask, Cached, Charged, Position, decide

RESERVED_MS = Limit("time for which a run in progress holds its price", 600_000, "milliseconds")
HELD_MS = Limit("time of a day for which unpaid reservations of a study may hold its whole cap", 3_600_000, "ms")
RESERVED_RUNS = Limit("runs of a study that hold a price of a data set at once", 16, "runs")
RESERVED_A_DAY = Limit("unpaid reservations of a study on a data set in a day", 4_096, "reservations")
DAY_MS = 86_400_000
OPEN = -1
"""``ended`` of a reservation that nobody ended yet."""


class Reservation(msgspec.Struct, frozen=True):
    """``rho_units`` held of the budget ``data_set`` for a run that asked for data set ``asked`` at ``at``."""

    data_set: str
    run: str
    study: str
    query: str
    rho_units: int
    at: Instant
    asked: str
    ended: Instant = OPEN

    def holds(self, now: Instant) -> bool:
        """Whether it still holds its price; one from a future that the clock was set back from does not for long."""
        return self.ended == OPEN and abs(now - self.at) < RESERVED_MS.value

    def held_ms(self, now: Instant) -> int:
        """How long it held, or may yet hold, its price in the last day."""
        if not now - DAY_MS < self.at < now + RESERVED_MS.value:
            return 0
        return RESERVED_MS.value if self.ended == OPEN else min(max(self.ended - self.at, 0), RESERVED_MS.value)


class Reserved(msgspec.Struct, frozen=True, tag="reserved"):
    """The price is held. ``again``: this run held it before."""

    reservation: Reservation
    again: bool = False


class Waits(msgspec.Struct, frozen=True, tag="waits"):
    """Runs in progress hold what this one needs: ask again once they have paid or ended."""

    reasons: tuple[Reason, ...]


Held = Reserved | Charged | Cached | Waits | Denied


def reserve(position: Position, ask: Ask, known: Sequence[Reservation], at: Instant) -> Held:
    """What holding a price comes to. ``known``: reservations of this budget in the last day, the run's own among them.

    1. Is the run's own one of this very question, and not over? 2. Would it be paid for if nothing were held?
    3. Has the study held too much for nothing? 4. Are others in the way? 5. Hold it.

    A ``Reserved`` that is not ``again`` must be written in the transaction that read. Denied as ``decide`` does, or
    ``privacy.reservation_over``, ``privacy.reserved_too_often``, ``privacy.reserved``.
    """
    own = next((one for one in known if one.run == ask.run), None)
    named = (ask.study, ask.query, ask.rho_units, ask.data_set)
    if own is not None and (own.study, own.query, own.rho_units, own.asked) != named:
        return deny("privacy.charged_otherwise", "This run holds the price of another query.", "Start a new run.")
    outcome = decide(unheld(position), ask, at)
    if not isinstance(outcome, Charged) or outcome.again:
        return outcome
    if own is not None:
        if own.holds(at):
            return Reserved(own, again=True)
        return deny("privacy.reservation_over", "What this run held of the budget is over.", "Ask again.")
    others = [one for one in known if one.study == ask.study]
    held = sum(one.rho_units * one.held_ms(at) for one in others) + ask.rho_units * RESERVED_MS.value
    cap = position.study.cap if position.study is not None else 0
    if held > cap * HELD_MS.value or len(others) >= RESERVED_A_DAY.value:
        words = "Runs of this study held the budget too long today without paying."
        return deny("privacy.reserved_too_often", words, "Ask again tomorrow, or with less precision.")
    before = _in_the_way(position, ask, [one for one in known if one.holds(at)])
    if not before:
        return Reserved(Reservation(_budget(position), ask.run, ask.study, ask.query, ask.rho_units, at, ask.data_set))
    words = "Runs in progress hold what is left of the budget, or ask this very question."
    reason = Reason("privacy.reserved", words, "Ask again once they have ended; a reservation lasts ten minutes.")
    return Waits((reason,)) if ask.run < min(one.run for one in before) else Denied((reason,))


def held_by_others(known: Iterable[Reservation], run: str, now: Instant, study: str = "") -> int:
    """Units that other runs hold now: of ``study``, or of everybody."""
    return sum(
        one.rho_units for one in known if one.run != run and one.study in (study or one.study,) and one.holds(now)
    )


def unheld(position: Position) -> Position:
    """The position as if nobody held anything."""
    replace = msgspec.structs.replace
    everybody, study = (
        replace(scope, reserved=0) if scope is not None else None for scope in (position.everybody, position.study)
    )
    return replace(position, everybody=everybody, study=study)


def _budget(position: Position) -> str:
    return position.everybody.data_set if position.everybody is not None else ""


def _in_the_way(position: Position, ask: Ask, holding: Sequence[Reservation]) -> list[Reservation]:
    """Reservations of which at least one has to end before this one can be had."""
    study, everybody = position.study, position.everybody
    if study is None or everybody is None:
        return []
    mine = [one for one in holding if one.study == ask.study]
    found = [one for one in mine if one.query == ask.query]
    if len(mine) >= RESERVED_RUNS.value or study.cap - study.spent - _units(mine) < ask.rho_units:
        found += mine
    if everybody.cap - everybody.spent - _units(holding) < ask.rho_units:
        found += holding
    return found


def _units(reservations: Iterable[Reservation]) -> int:
    return sum(one.rho_units for one in reservations)
