"""The ledger of privacy budgets, slow and obvious: rows in lists, one lock; what every other one is held to."""

from __future__ import annotations

import threading

from msgspec.structs import replace

from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Verdict, deny
from xinglin.privacy.noise.budget import (
    EVERYBODY,
    RELEASE_BYTES,
    Ask,
    Cached,
    Charged,
    Entry,
    Outcome,
    Position,
    Scope,
    decide,
    following,
    recap,
    verify,
)
from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.reserving import OPEN, Held, Reservation, Reserved, held_by_others, reserve

Key = tuple[str, str]


class MemoryLedger:
    """See the port ``xinglin.privacy.noise.ports.PrivacyLedger``."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._roots: dict[str, str] = {}
        self._scopes: dict[Key, Scope] = {}
        self._chains: dict[str, list[Entry]] = {}
        self._kept: dict[Key, bytes] = {}
        self._held: list[Reservation] = []

    def _root(self, data_set: str) -> str:
        return self._roots.get(data_set, data_set)

    def _chain(self, data_set: str) -> list[Entry]:
        return self._chains.setdefault(self._root(data_set), [])

    def _last(self, data_set: str) -> Entry | None:
        chain = self._chain(data_set)
        return chain[-1] if chain else None

    def set_cap(self, data_set: str, study: str, rho_units: int, at: Instant) -> Verdict:
        if not data_set or not study:
            raise BadNoise("A budget names a data set and a study.")
        with self._lock:
            key = (self._root(data_set), study)
            found = self._scopes.get(key)
            if found is not None and found.cap == rho_units:
                return Allowed()
            line = recap(found, self._last(data_set), key[0], study, rho_units, at)
            if isinstance(line, Denied):
                return line
            self._scopes[key] = Scope(*key, rho_units, found.spent if found else 0)
            self._chain(data_set).append(line)
            return Allowed()

    def begin(self, data_set: str, study: str, everybody_units: int, study_units: int, at: Instant) -> None:
        with self._lock:
            for name, units in ((EVERYBODY, everybody_units), (study, study_units)):
                if self.scope(data_set, name) is None and not self.set_cap(data_set, name, units, at):
                    raise BadNoise("Such caps cannot be set.")

    def inherit(self, data_set: str, of: str, at: Instant) -> Verdict:
        with self._lock:
            root = self._root(of)
            if self._root(data_set) == root:
                return Allowed()
            if data_set in self._roots or self._chain(data_set):
                return deny("privacy.has_budget", "It has a budget already.")
            last = self._last(of)
            if last is None:
                return deny("privacy.no_budget", "There is no budget to inherit.")
            self._roots[data_set] = root
            spent = {"study_spent": last.all_spent, "all_spent": last.all_spent}
            self._chain(of).append(following(last, data_set=root, at=at, kind="inherit", told=data_set, **spent))
            return Allowed()

    def _of(self, root: str) -> list[Reservation]:
        return [one for one in self._held if one.data_set == root]

    def _with(self, scope: Scope | None, run: str, at: Instant) -> Scope | None:
        if scope is None:
            return None
        study = "" if scope.study == EVERYBODY else scope.study
        return replace(scope, reserved=held_by_others(self._of(scope.data_set), run, at, study))

    def reserve(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant) -> Held:
        ask = Ask(data_set, study, run, query_digest, rho_units)
        with self._lock:
            held = reserve(self._position(ask, at), ask, self._of(self._root(data_set)), at)
            if isinstance(held, Reserved) and not held.again:
                self._held.append(held.reservation)
            return held

    def give_back(self, run: str, at: Instant) -> tuple[str, ...]:
        with self._lock:
            mine = [one for one in self._held if one.run == run and one.ended == OPEN]
            self._held = [replace(one, ended=at) if one in mine else one for one in self._held]
            return tuple(one.asked for one in mine)

    def reservations(self, data_set: str, at: Instant) -> tuple[Reservation, ...]:
        return tuple(one for one in self._of(self._root(data_set)) if one.holds(at))

    def standing(self, data_set: str, at: Instant) -> tuple[Scope, ...]:
        return tuple(one for each in self.caps(data_set) if (one := self._with(each, "", at)) is not None)

    def _position(self, ask: Ask, at: Instant) -> Position:
        root, chain = self._root(ask.data_set), self._chain(ask.data_set)
        answers = [one for one in chain if one.kind == "release" and one.query == ask.query]
        own = [one for one in answers if one.study == ask.study]
        shared = any((one.kind, one.study, one.query) == ("share", ask.study, ask.query) for one in chain)
        given = (own or answers or [None])[0]
        named = (ask.run, ask.study, ask.query, ask.rho_units)
        held = any((r.run, r.study, r.query, r.rho_units) == named and r.holds(at) for r in self._of(root))
        scopes = [self._scopes.get((root, name)) for name in (EVERYBODY, ask.study)]
        everybody, study = scopes if held else (self._with(one, ask.run, at) for one in scopes)
        return Position(
            everybody,
            study,
            self._last(ask.data_set),
            self.paid(ask.data_set, ask.run),
            self._kept[root, given.run] if given else None,
            bool(own) or shared,
            held,
        )

    def look(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant = 0) -> Outcome:
        ask = Ask(data_set, study, run, query_digest, rho_units)
        with self._lock:
            return decide(self._position(ask, at), ask, at)

    def charge(self, data_set: str, study: str, run: str, query_digest: str, rho_units: int, at: Instant) -> Outcome:
        ask = Ask(data_set, study, run, query_digest, rho_units)
        with self._lock:
            outcome = decide(self._position(ask, at), ask, at)
            if isinstance(outcome, Charged) and not outcome.again:
                self._pay(outcome.entry, (EVERYBODY, study))
            if isinstance(outcome, Cached) and outcome.entry is not None:
                self._pay(outcome.entry, (study,))
            if isinstance(outcome, Charged):
                self._held = [one for one in self._held if one.run != run]
            return outcome

    def _pay(self, line: Entry, studies: tuple[str, ...]) -> None:
        for study in studies:
            held = self._scopes[line.data_set, study]
            self._scopes[line.data_set, study] = replace(held, spent=held.spent + line.rho_units)
        self._chain(line.data_set).append(line)

    def paid(self, data_set: str, run: str) -> Entry | None:
        chain = reversed(self._chain(data_set))
        return next((one for one in chain if one.run == run and one.kind in ("charge", "share")), None)

    def keep(self, data_set: str, run: str, release: bytes, at: Instant) -> bytes:
        RELEASE_BYTES.check(len(release))
        with self._lock:
            key, paid, last = (self._root(data_set), run), self.paid(data_set, run), self._last(data_set)
            if key in self._kept:
                return self._kept[key]
            if paid is None or last is None or paid.kind != "charge":
                raise BadNoise("This run did not pay for a release.")
            about = {"study": paid.study, "run": run, "query": paid.query, "told": sha256_digest(release)}
            spent = self._scopes[key[0], paid.study].spent
            line = following(last, data_set=key[0], at=at, kind="release", study_spent=spent, **about)
            self._chain(data_set).append(line)
            self._kept[key] = release
            return release

    def release(self, data_set: str, run: str) -> bytes | None:
        return self._kept.get((self._root(data_set), run))

    def scope(self, data_set: str, study: str) -> Scope | None:
        return self._scopes.get((self._root(data_set), study))

    def caps(self, data_set: str) -> tuple[Scope, ...]:
        root = self._root(data_set)
        found = [scope for scope in self._scopes.values() if scope.data_set == root]
        return tuple(sorted(found, key=lambda scope: (scope.study != EVERYBODY, scope.study)))

    def spent(self, data_set: str, study: str = EVERYBODY) -> int:
        found = self.scope(data_set, study)
        return found.spent if found else 0

    def entries(self, data_set: str) -> tuple[Entry, ...]:
        found = tuple(self._chain(data_set))
        verify(found, self.caps(data_set))
        return found

    def head(self, data_set: str) -> str:
        last = self._last(data_set)
        return last.hash if last else ""
