"""Rows that hospitals hand over when they are asked: what extracts and synthetic sets of a researcher's seat share.

What was asked is known from the account's folder; how it stands, from the hub. A seat may have a workspace beside it,
a folder whose keys open what is sealed to it; no row of an extract comes to a page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from xinglin.console.calls.seat_calls import Hit, Item
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason

if TYPE_CHECKING:
    from xinglin.sdk.space import Space
    from xinglin.sdk.study import Study
    from xinglin.terms.request import Plan
    from xinglin.wire.extracts import ExtractView

STUDIES_LOOKED = 12
"""So many of the newest studies in force are looked through for ones that permit it; any other is named by its id."""
OVER = frozenset({"refused", "withheld", "ended", "cancelled", "recalled", "taken"})
_TELLING, _ENTRIES = frozenset({"release-authorised", "refused", "ended"}), 3
_SOON_MS = 3 * 24 * 3600 * 1000
_IN_THE_INBOX = 5


class Ground(msgspec.Struct, frozen=True):
    """A study to ask under, as far as it permits this: views with their columns, hospitals by label.

    ``workspaces``: DID to label of those that every agreement names as recipient. ``min_cell``: the agreed smallest
    count.
    """

    id: str
    title: str
    data_set: str
    views: dict[str, tuple[str, ...]]
    hospitals: tuple[str, ...]
    workspaces: dict[str, str]
    min_cell: int = 0
    trouble: tuple[Reason, ...] = ()

    @property
    def permitted(self) -> bool:
        """Whether an agreement in force names the operation."""
        return bool(self.hospitals)


class HandedLine(msgspec.Struct, frozen=True):
    """One hospital's answer to a request, in a list; ``study`` is empty where another account asked."""

    view: ExtractView
    title: str
    study: str
    data_set: str
    sql: str
    hospital: str
    recipient: str


class HandedShown(msgspec.Struct, frozen=True):
    """One of them whole. ``beside``: what was asked of every hospital at once, this one among them.

    ``here``: whether a key of this seat opens it: the account's own, or that of the workspace beside it.
    """

    line: HandedLine
    beside: tuple[HandedLine, ...]
    entries: tuple[int, ...]
    plan: Plan | None
    here: bool

    @property
    def view(self) -> ExtractView:
        """How it stands."""
        return self.line.view

    @property
    def over(self) -> bool:
        """Whether nothing more happens to any of them by itself."""
        return all(one.view.state in OVER for one in self.beside)


class HandedCalls:
    """Requests of one kind by one researcher's seat. For several threads."""

    kind: ClassVar[str] = ""
    """What the hub's views call it."""
    operation: ClassVar[str] = ""
    name: ClassVar[str] = ""
    """A key of the glossary."""
    path: ClassVar[str] = ""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._seat, self._lines = seat, lines
        self._turn = threading.Lock()
        self._plans: dict[str, Plan | None] = {}
        self._workspace: str | None = None

    # --- to ask under ------------------------------------------------------------------------------

    def grounds(self) -> tuple[Ground, ...]:
        """Studies in force whose agreements permit it, of the newest ones."""
        from xinglin.sdk.access import Access

        with self._space() as space:
            newest = Access(space).studies(states=("in-force",), most=STUDIES_LOOKED).lines
            found = [_ground(space, one.study, self.operation) for one in newest]
        return tuple(one for one in found if one is not None and one.permitted)

    def ground(self, study: str) -> Ground:
        """A study to ask under; raises ``NotThere`` for anybody else's."""
        with self._space() as space:
            found = _ground(space, study, self.operation)
        if found is None:
            raise NotThere("There is no such study of yours.", remedy="Choose one of your studies.")
        return found

    # --- what was asked ----------------------------------------------------------------------------

    def every(self) -> tuple[HandedLine, ...]:
        """What this account asked for or receives, the newest first."""
        with self._space() as space:
            return self._lines_of(space)

    def one(self, run: str) -> HandedShown:
        """One of them; raises ``NotThere`` for one that is not in the list."""
        with self._space() as space:
            every = self._lines_of(space)
            line = _named(every, run)
            plan = self._plans.get(run)
            key = _asked(plan)
            beside = [one for one in every if one is line or (key and _asked(self._plans.get(one.view.run_id)) == key)]
            own = {space.account.did, self._workspace_did()}
            entries = _telling(space, run)
            if not entries and line.view.state in ("delivered", *OVER):
                space.log.refresh()  # it came just now
                entries = _telling(space, run)
        beside.sort(key=lambda one: one.hospital)
        return HandedShown(line, tuple(beside), entries, plan, line.view.recipient in own)

    def cancel(self, run: str) -> None:
        """No longer wanted: what was not fetched yet never will be."""
        from xinglin.sdk.extracts import Extract

        with self._space() as space:
            _named(self._lines_of(space), run)
            Extract(space, run).cancel()

    def again(self, run: str) -> None:
        """Have the hospital hand over once more what waited too long at the hub; it decides again."""
        from xinglin.sdk.extracts import Extract

        with self._space() as space:
            _named(self._lines_of(space), run)
            Extract(space, run).again()

    # --- the seat's inbox and palette ----------------------------------------------------------------

    def inbox(self) -> tuple[Item, ...]:
        """What waits to be fetched here, and what ended without anything in the last days."""
        now, found = self._lines.clock(), []
        for one in self.every():
            state, soon = one.view.state, now - one.view.changed < _SOON_MS
            if state in ("delivered", "dropped") or (soon and state in ("refused", "withheld", "recalled")):
                kind = self.name if state == "delivered" else f"state.{state}"
                path = f"{self.path}/{one.view.run_id}"
                title = one.title or one.data_set or one.hospital
                found.append(Item(one.view.run_id, kind, title, path, who=one.hospital, since=one.view.changed))
        return tuple(found[:_IN_THE_INBOX])

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Those whose id, study or hospital holds the text."""
        needle = text.casefold()
        return tuple(
            Hit(f"{one.title or one.hospital} · {one.view.run_id[:12]}", self.name, f"{self.path}/{one.view.run_id}")
            for one in self.every()
            if needle in f"{one.view.run_id} {one.title} {one.hospital}".casefold()
        )[:most]

    # --- inside ----------------------------------------------------------------------------------------

    @contextmanager
    def _space(self) -> Iterator[Space]:
        with self._lines.space(self._seat.folder) as space:
            yield space

    def _study(self, space: Space, study: str) -> Study:
        from xinglin.sdk.errors import NoAgreement

        try:
            return space.study_by_id(study)
        except NoAgreement as error:
            raise NotThere("There is no such study of yours.", remedy="Choose one of your studies.") from error

    def _lines_of(self, space: Space) -> tuple[HandedLine, ...]:
        from xinglin.sdk.extracts import extract_views
        from xinglin.sdk.titles import titles

        views = [one for one in extract_views(space) if one.kind == self.kind]
        names, named = space.names(), titles(space.account)
        return tuple(self._line(space, one, names, named) for one in views)

    def _line(self, space: Space, view: ExtractView, names: dict[str, str], titles: dict[str, str]) -> HandedLine:
        plan = self._plan(space, view.run_id)
        told = (plan.study, plan.data_set, plan.sql) if plan is not None else ("", "", "")
        hospital, recipient = names.get(view.node, view.node), names.get(view.recipient, view.recipient)
        return HandedLine(view, titles.get(told[0], told[0]), *told, hospital, recipient)

    def _plan(self, space: Space, run: str) -> Plan | None:
        """What the account's folder says was asked; None where another account asked."""
        from xinglin.sdk.asked import kept

        with self._turn:
            if run not in self._plans:
                asked = kept(space.account, run)
                self._plans[run] = asked.opened() if asked is not None else None
            return self._plans[run]

    def _workspace_did(self) -> str:
        """DID of the workspace beside this seat; empty where there is none that opens."""
        from xinglin.sdk.account import open_account

        if self._workspace is None and self._seat.beside is not None:
            try:
                self._workspace = open_account(self._seat.beside).did
            except (XinglinError, OSError):
                return ""  # not enrolled yet, or under a passphrase
        return self._workspace or ""


def reasons_of(error: XinglinError) -> tuple[Reason, ...]:
    """Every reason of a refusal; of another error, itself."""
    given: tuple[Reason, ...] = getattr(error, "reasons", ())
    return given or (Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),)


def _telling(space: Space, run: str) -> tuple[int, ...]:
    """Indexes of the entries of the log whose receipts are worth keeping."""
    return tuple(one.index for one in space.log.about(run) if one.entry.kind in _TELLING)[-_ENTRIES:]


def _named(every: Sequence[HandedLine], run: str) -> HandedLine:
    found = next((one for one in every if one.view.run_id == run), None)
    if found is None:
        raise NotThere("There is no such request of yours.", remedy="Choose one of the list.")
    return found


def _asked(plan: Plan | None) -> tuple[Any, ...]:
    """What is the same in every hospital's part of one request."""
    return () if plan is None else (plan.study, plan.sql, plan.algorithm, msgspec.json.encode(plan.params), plan.as_of)


def _ground(space: Space, study: str, operation: str) -> Ground | None:
    from xinglin.sdk.titles import titles

    held = space.agreements(study)
    if not held:
        return None
    title = titles(space.account).get(study, study)
    data_set, names = held[0].agreement.data_set, space.names()
    allowed = [one for one in held if one.view.state == "active" and not one.trouble
               and operation in one.agreement.terms.operations]  # fmt: skip
    if not allowed:
        return Ground(study, title, data_set, {}, (), {})
    shared = set.intersection(*(set(one.agreement.terms.recipients) for one in allowed))
    known = space.log.record.directory.participants
    views, trouble = _views(space, study)
    return Ground(
        study,
        title,
        data_set,
        views,
        tuple(sorted(names.get(one.agreement.provider, one.agreement.provider) for one in allowed)),
        {did: known[did].name for did in sorted(shared) if did in known and "workspace" in known[did].roles},
        max(one.agreement.terms.rules.min_cell for one in allowed),
        trouble,
    )


def _views(space: Space, study: str) -> tuple[dict[str, tuple[str, ...]], tuple[Reason, ...]]:
    try:
        return space.study_by_id(study).views(), ()
    except XinglinError as error:
        return {}, reasons_of(error)
