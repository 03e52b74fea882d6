"""Extracts from the asker's side: what would leave, one signed request a hospital, and where each stands.

The asker never holds the rows: they are sealed to a workspace (``xinglin.sdk.workspace``), which fetches them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.canonical import canonical_bytes
from xinglin.kernel.instants import to_text
from xinglin.kernel.verdict import Denied
from xinglin.sdk.asked import Asked, keep
from xinglin.sdk.errors import NotVerified, Refused, RunEnded
from xinglin.sdk.handed import listed
from xinglin.sdk.plans import request_for, snapshot_instant
from xinglin.terms.extracts import EXTRACT, WHOLE, ExtractAsk, ask_of, check_groups
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest, check_plan
from xinglin.trust.envelope import sign
from xinglin.wire.calls import RunCall
from xinglin.wire.extracts import EXTRACT_STATES, ExtractView
from xinglin.wire.runs import run_id_of

if TYPE_CHECKING:
    from xinglin.sdk.rows import Rows
    from xinglin.sdk.session import Session
    from xinglin.sdk.workspace.keeper import Kept

_HOLD_S = 20.0
_ENDS = frozenset({"delivered", "dropped", *EXTRACT_STATES.final})
Progress = Callable[[ExtractView], None]


class ExtractPreview(msgspec.Struct, frozen=True):
    """What would leave each hospital, and what protects it; made of texts and published facts alone."""

    study: str
    sql: str
    hospitals: tuple[str, ...]
    columns: tuple[tuple[str, str, str, str], ...]
    ask: ExtractAsk
    purpose: str
    grade: str
    recipient: str
    expires: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def __str__(self) -> str:
        ask = self.ask
        more = [f"at least {ask.l} distinct sensitive values"] if ask.l else []
        more += [f"a distance of at most {ask.t} from the whole"] if ask.t else []
        lines = [
            f"Preview of an extract for {self.study!r}: reads no row, asks nobody",
            f"  from         {', '.join(self.hospitals)}, each its own",
            f"  leaves       {self._leaves()}",
            f"  grade        {self.grade}, for {self.purpose}",
            f"  profile      {ask.profile}: what it does not name is dropped",
            f"  in a group   at least {ask.k} persons{''.join(f', {one}' for one in more)};"
            f" at most {ask.suppressed} of the rows left out",
            "  mark         a code of recipient, agreement and time in the values",
            "  reviewed     by two persons of the hospital, blind to each other, before anything is authorised",
            f"  sealed to    {self.recipient}",
            f"  agreements   until {to_text(self.expires)}",
            "  columns",
            *(f"    {name:<16}{role:<11}{kind:<10}from {sources}" for name, role, kind, sources in self.columns),
        ]
        return "\n".join(lines)

    def _leaves(self) -> str:
        if self.ask.is_whole:
            return f"whole FHIR resources of the persons in the rows: {', '.join(self.ask.resources)}"
        return f"rows of {len(self.columns)} columns, as {' and '.join(self.ask.formats)}"

    def __repr__(self) -> str:
        return str(self)


class Extraction:
    """An extract that nobody was asked for yet."""

    def __init__(self, space: Session, study: str, data: Rows, asked: dict[str, Any]) -> None:
        self._space, self._study, self._data = space, study, data
        scope = data.scope
        sensitive = tuple(asked.pop("sensitive", ()) or ())
        named = tuple(column.name for column in scope.columns)
        quasi = tuple(asked.pop("quasi", ()) or ()) or tuple(name for name in named if name not in sensitive)
        k = asked.pop("k", 0) or scope.rules.min_cell
        resources = tuple(asked.pop("resources", ()) or ())
        formats = tuple(asked.pop("formats", ()) or ((WHOLE,) if resources else ("parquet",)))
        self.ask_ = ExtractAsk(k=k, quasi=quasi, sensitive=sensitive, formats=formats, resources=resources, **asked)
        for plan in self.plans(0):  # what is wrong in itself is said before anything else
            found = ask_of(plan)
            reasons = found.reasons if isinstance(found, Denied) else tuple(check_groups(found, plan))
            if reasons:
                raise Refused(reasons)

    def plans(self, as_of: int) -> tuple[Plan, ...]:
        """One plan a hospital, on the snapshot of that instant."""
        return plan_each(self._data, EXTRACT, self.ask_.to_params(), as_of)

    def preview(self) -> ExtractPreview:
        """What would leave, in which shape, to whom, under which protection."""
        scope, names = self._data.scope, self._space.names()
        role = dict.fromkeys(self.ask_.quasi, "quasi") | dict.fromkeys(self.ask_.sensitive, "sensitive")
        columns = tuple((one.name, role.get(one.name, "-"), one.kind, ", ".join(one.sources)) for one in scope.columns)
        return ExtractPreview(
            self._data.study.title,
            self._data.sql,
            tuple(names.get(did, did) for did in scope.roster),
            columns,
            self.ask_,
            scope.purpose,
            scope.grade,
            names.get(self.ask_.workspace, self.ask_.workspace),
            min(held.agreement.terms.expires for held in scope.held.values()),
        )

    def ask(self) -> tuple[Extract, ...]:
        """Sign and send one request a hospital; raises ``Refused`` with every reason of rules that speak at once."""
        instant = snapshot_instant(self._space, self._data.scope.roster)
        return tuple(_send(self._space, plan, self._data.scope.purpose) for plan in self.plans(instant))


class Extract:
    """One hospital's extract; ``id`` is all that is needed to come back to it."""

    def __init__(self, space: Session, run_id: str) -> None:
        self._space = space
        self.id = run_id

    def __repr__(self) -> str:
        return f"Extract({self.id!r})"

    @property
    def state(self) -> str:
        """Where it stands: see ``wire.EXTRACT_STATES``."""
        return self.view().state

    def view(self, after: int = -1, hold_s: float = 0.0) -> ExtractView:
        """How it stands; waits up to ``hold_s`` seconds for a change after version ``after``."""
        return self._space.client.get(f"/v1/extracts/{self.id}", ExtractView, after=after, wait=hold_s)

    def wait(self, timeout_s: float = 3600.0, progress: Progress | None = None) -> ExtractView:
        """Follow it until it is handed over or has ended, or ``timeout_s`` seconds passed; reviews may take days."""
        end, view = time.monotonic() + timeout_s, self.view()
        while True:
            if progress is not None:
                progress(view)
            left_s = end - time.monotonic()
            if view.state in _ENDS or left_s <= 0:
                return view
            view = self.view(view.version, min(_HOLD_S, left_s))

    def delivered(self, timeout_s: float = 3600.0, progress: Progress | None = None) -> ExtractView:
        """The same; raises ``Refused`` or ``RunEnded`` with the reasons where it was not handed over."""
        view = self.wait(timeout_s, progress)
        if view.state in ("refused", "withheld"):
            raise Refused(view.reasons)
        if view.state not in ("delivered", "taken"):
            raise RunEnded(self.id, view.state, view.words, view.reasons)
        return view

    def cancel(self) -> ExtractView:
        """No longer wanted: what its workspace has not fetched yet never will be."""
        return self._space.client.post(f"/v1/extracts/{self.id}/cancel", {}, ExtractView)

    def again(self) -> ExtractView:
        """Have the hospital hand over once more what waited too long at the hub; it decides again whether it may."""
        return self._space.client.post(f"/v1/extracts/{self.id}/again", {}, ExtractView)

    def fetch(self, workspace: Any, passphrase: str = "") -> Kept:
        """Have the workspace in a folder of this machine fetch it: verified, opened, kept encrypted there."""
        from xinglin.sdk.workspace.keeper import open_workspace

        with open_workspace(workspace, passphrase) as keeper:
            return keeper.fetch(self.id)


def extracts(space: Session) -> list[Extract]:
    """Extracts that an account asked for or receives, newest first."""
    return [Extract(space, view.run_id) for view in extract_views(space)]


def extract_views(space: Session) -> list[ExtractView]:
    """How each of them stands; raises ``NotVerified`` where the hub names one by what is no id of a run."""
    return listed(space)


def plan_each(data: Rows, algorithm: str, params: dict[str, Any], as_of: int) -> tuple[Plan, ...]:
    """One plan for each hospital of ``data``, which answers alone; ``as_of``: the snapshot's instant."""
    return tuple(
        Plan(
            study=data.study.id,
            data_set=data.study.data_set,
            sql=data.sql,
            algorithm=algorithm,
            params=params,
            roster=(did,),
            as_of=as_of,
            agreements={did: held.agreement.digest()},
            rules=held.agreement.terms.rules,
        )
        for did, held in sorted(data.scope.held.items())
    )


def hand_in(space: Session, plan: Plan, request: UseRequest) -> str:
    """Sign the request, keep it in the account's folder, give it to the hub; the id of what was asked for."""
    asked = Asked(sign(space.account.keys, USE_REQUEST, request), canonical_bytes(plan))
    run_id = run_id_of(asked.request)
    keep(space.account, run_id, asked)
    view = space.client.post("/v1/extracts", RunCall(asked.request, asked.plan), ExtractView)
    if view.run_id != run_id:
        raise NotVerified("The hub names it by another id than its request gives.", remedy="Tell the regulator.")
    return run_id


def _send(space: Session, plan: Plan, purpose: str) -> Extract:
    verdict = check_plan(plan)
    if isinstance(verdict, Denied):
        raise Refused(verdict.reasons)
    ask = ask_of(plan)
    if isinstance(ask, Denied):
        raise Refused(ask.reasons)
    request = request_for(space.account.did, plan, purpose, space.clock())
    wanted = msgspec.structs.replace(request, operation=EXTRACT, recipients=(ask.workspace,))
    return Extract(space, hand_in(space, plan, wanted))
