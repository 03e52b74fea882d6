"""Synthetic data from the asker's side: what a set would cost and hold, one signed request a hospital, the set itself.

>>> with xinglin.connect("~/heart-study") as space:                                            # doctest: +SKIP
...     data = space.study("Heart failure").sql("SELECT age, sex, chol, disease FROM cardiac")
...     print(space.synthetic(data, rows=1000, epsilon="1", preview=True))
...     (made,) = space.synthetic(data, rows=1000, epsilon="1", hospitals=["North"])
...     frame = made.pandas()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.instants import to_text
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.sdk.errors import Refused, RunEnded
from xinglin.sdk.extracts import Extract, Progress, extract_views, hand_in, plan_each
from xinglin.sdk.noise import Amount, cost_of, epsilon_text, rho_text
from xinglin.sdk.plans import request_for, snapshot_instant
from xinglin.sdk.synthetic_set import SyntheticSet, fetched, folder_of, set_from_folder
from xinglin.terms.noise_asked import DEFAULT_DELTA
from xinglin.terms.policy import Policy
from xinglin.terms.request import Plan, check_plan
from xinglin.terms.synthetic import (
    SYNTHESISE,
    SYNTHETIC,
    ChildAsked,
    SyntheticAsk,
    check_synthetic,
    synthetic_of,
)
from xinglin.terms.wording import duty_text
from xinglin.wire.extracts import ExtractView
from xinglin.wire.synthetic import KIND

if TYPE_CHECKING:
    from xinglin.privacy.synthesis import Linked, Schema
    from xinglin.sdk.rows import Rows
    from xinglin.sdk.session import Held, Session

Tables = Mapping[str, str | Mapping[str, Any]]


class ExpectedError(msgspec.Struct, frozen=True):
    """Of one table: the noise's standard deviation in rows, of a cell of one column and of a first set of columns."""

    table: str
    columns: int
    alone: float
    together: float


class SyntheticPreview(msgspec.Struct, frozen=True):
    """What a synthetic set would cost and hold; made of texts, published facts and what hospitals say of their budgets.

    ``left`` and ``everybody_left``: by hospital, rho that the study, and all studies together, may still spend.
    ``licence``: by hospital, what its agreement permits and what it asks for it, a price among that.
    """

    study: str
    sql: str
    hospitals: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    ask: SyntheticAsk
    epsilon: str
    rho: str
    left: tuple[tuple[str, str], ...]
    everybody_left: tuple[tuple[str, str], ...]
    fits: int
    expected: tuple[ExpectedError, ...]
    purpose: str
    grade: str
    licence: tuple[tuple[str, str], ...]
    recipient: str
    expires: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def __str__(self) -> str:
        ask = self.ask
        tables = 1 + len(ask.children)
        what = f"rows of {tables} tables of {ask.rows} made-up persons" if ask.children else f"{ask.rows} made-up rows"
        lines = [
            f"Preview of a synthetic set for {self.study!r}: reads no row, asks nobody for any",
            f"  from         {', '.join(self.hospitals)}, each its own",
            f"  leaves       {what} of {len(self.columns)} columns, as Parquet; a report that the guarantee covers",
            f"  guarantee    ({self.epsilon}, {ask.delta})-differential privacy of {_unit(ask)}",
            f"  cost         rho {self.rho} at each hospital, of the study's budget and of everybody's, "
            "before a row is read; the same again costs nothing",
            f"  left         {_listed(self.left)} for the study; "
            f"{_listed(self.everybody_left)} for everybody{self._fit()}",
            f"  method       {ask.method}; one person in ten is left out, to judge the set inside the hospital",
            *(
                f"  errors       {one.table}: sd of the noise {one.alone:g} rows in a cell of one column, "
                f"{one.together:g} or less in one of several"
                for one in self.expected
            ),
            "  mark         a code of recipient, agreement and time in the values",
            f"  grade        made of {self.grade}, for {self.purpose}; no row is a person's",
            *(f"  licence      {name}: {words}" for name, words in self.licence),
            f"  sealed to    {self.recipient}",
            f"  agreements   until {to_text(self.expires)}",
            "  columns",
            *(f"    {name:<16}{kind}" for name, kind in self.columns),
        ]
        return "\n".join(lines)

    def _fit(self) -> str:
        return f"; {self.fits} sets like this fit" if self.fits >= 0 else ""

    def __repr__(self) -> str:
        return str(self)


class Synthesis:
    """A synthetic set that nobody was asked for yet: ``preview()`` says what it would be, ``ask()`` asks."""

    def __init__(
        self,
        data: Rows,
        *,
        rows: int,
        epsilon: Amount = "",
        rho: Amount = "",
        delta: Amount = DEFAULT_DELTA,
        columns: Sequence[str] = (),
        tables: Tables | None = None,
        recipient: str = "",
        **more: Any,
    ) -> None:
        self._data = with_columns(data, columns)
        self._space = data.study.space
        units = cost_of(epsilon=epsilon, rho=rho, delta=delta)
        children = tuple(_child(name, one) for name, one in (tables or {}).items())
        who = recipient or self._space.account.did
        self.ask_ = _asked(SyntheticAsk(who, units, rows, delta=str(delta), children=children), more)
        self._more = tuple(data.like(child.sql) for child in children)
        for plan in self.plans(0):  # what is wrong in itself is said before anything is sent
            found = synthetic_of(plan)
            if isinstance(found, Denied):
                raise Refused(found.reasons)
        self._shape()

    @property
    def data(self) -> Rows:
        """The rows that it is measured on, with the columns that were chosen."""
        return self._data

    def plans(self, as_of: int) -> tuple[Plan, ...]:
        """One plan a hospital, on the snapshot of that instant."""
        return plan_each(self._data, SYNTHETIC, self.ask_.to_params(), as_of)

    def preview(self) -> SyntheticPreview:
        """What would leave, what it costs and what is left, how far off it will be, under which price and licence."""
        from xinglin.sdk.budgets import budgets_of

        scope, study, names = self._data.scope, self._data.study, self._space.names()
        told = [one for one in budgets_of(self._space, study.data_set, study.id) if one.hospital in scope.roster]
        units = self.ask_.rho_units
        everybody = (
            (one.name, max(0, one.everybody_cap - one.everybody_spent - one.everybody_reserved)) for one in told
        )
        kinds = {one.name: one.kind for data in (self._data, *self._more) for one in data.scope.columns}
        return SyntheticPreview(
            study.title,
            self._data.sql,
            tuple(names.get(did, did) for did in scope.roster),
            tuple(kinds.items()),
            self.ask_,
            epsilon_text(units, self.ask_.delta),
            rho_text(units),
            tuple((one.name, rho_text(one.left)) for one in told),
            tuple((name, rho_text(left)) for name, left in everybody),
            min(one.questions(units) for one in told) if len(told) == len(scope.roster) else -1,
            tuple(self._expected()),
            scope.purpose,
            scope.grade,
            tuple((names.get(did, did), licence_of(held)) for did, held in sorted(scope.held.items())),
            names.get(self.ask_.recipient, self.ask_.recipient),
            min(held.agreement.terms.expires for held in scope.held.values()),
        )

    def ask(self) -> tuple[Synthetic, ...]:
        """Sign and send one request a hospital; raises ``Refused`` with every reason of rules that speak at once."""
        instant = snapshot_instant(self._space, self._data.scope.roster)
        return tuple(_send(self._space, plan, self._data.scope.purpose) for plan in self.plans(instant))

    def _shape(self) -> Schema | Linked:
        from xinglin.analysis.synthetic import shape_of

        found = shape_of(self.ask_, self._data.scope.columns, [one.scope.columns for one in self._more])
        if isinstance(found, Denied):
            raise Refused(found.reasons)
        return found

    def _expected(self) -> list[ExpectedError]:
        from xinglin.privacy.synthesis import Schema
        from xinglin.privacy.synthesis.quality import expected

        shape, ask = self._shape(), self.ask_
        if isinstance(shape, Schema):
            parts = [("rows", shape, ask.rho_units, ask.rows_per_person)]
        else:
            weights = shape.weight + sum(child.weight for child in shape.children)
            parts = [(shape.name, shape.with_counts(), ask.rho_units * shape.weight // weights, 1)]
            parts += [
                (one.name, one.schema, ask.rho_units * one.weight // weights, one.rows_per_person)
                for one in shape.children
            ]
        found = []
        for name, schema, units, rows in parts:
            one = expected(schema, units, rows, ask.method)
            found.append(ExpectedError(name, one.columns, one.alone, one.together))
        return found


class Synthetic(Extract):
    """One hospital's synthetic set, asked for; ``id`` is all that is needed to come back to it."""

    def __repr__(self) -> str:
        return f"Synthetic({self.id!r})"

    def result(self, timeout_s: float = 3600.0, progress: Progress | None = None) -> SyntheticSet:
        """Wait for it, fetch it, verify it, keep it in the account's folder; again reads what is kept.

        Raises ``Refused`` with the reasons and what would help, ``RunEnded``, ``NotVerified``.
        """
        place = folder_of(self._space.account.folder, self.id)
        if (place / "proof.json").exists():
            return set_from_folder(place)
        view = self.delivered(timeout_s, progress)
        if view.state == "taken":  # fetched before, into another folder
            raise RunEnded(self.id, view.state, view.words, view.reasons)
        found = fetched(self._space, self.id)
        found.save(place)
        self._space.client.post(f"/v1/extracts/{self.id}/taken", {}, ExtractView)
        return found


class SyntheticSets(tuple[SyntheticSet, ...]):
    """One set a hospital, in the order of their DIDs; all of them together by ``arrow`` and ``pandas``."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self))

    def arrow(self, table: str = "") -> Any:
        """One table of every hospital below each other, with the column ``hospital`` in front."""
        import pyarrow as pa

        parts = []
        for one in self:
            rows = one.arrow(table)
            parts.append(rows.add_column(0, "hospital", pa.array([one.manifest.node] * rows.num_rows, pa.string())))
        return pa.concat_tables(parts)

    def pandas(self, table: str = "") -> Any:
        """The same as a data frame."""
        return self.arrow(table).to_pandas()


def synthetic(
    space: Session,
    data: Rows,
    *,
    preview: bool = False,
    timeout_s: float = 3600.0,
    progress: Progress | None = None,
    **asked: Any,
) -> SyntheticSets | SyntheticPreview:
    """What ``space.synthetic`` does: a preview, or one verified set of each hospital of ``data``."""
    wanted = Synthesis(data, **asked)
    if preview:
        return wanted.preview()
    return SyntheticSets(one.result(timeout_s, progress) for one in wanted.ask())


def synthetic_views(space: Session) -> list[ExtractView]:
    """How each synthetic set stands that this account asked for or receives, newest first."""
    return [one for one in extract_views(space) if one.kind == KIND]


def licence_of(held: Held) -> str:
    """What an agreement permits of a synthetic set, and what it asks for it: a price is the duty ``pay``."""
    policy = held.agreement.terms.policy
    if not isinstance(policy, Policy):
        return "as the agreement says; it names no price"
    duties = [duty_text(one) for one in policy.duties]
    for rule in policy.permissions:
        if rule.action in ("use", SYNTHESISE):
            duties += [duty_text(one) for one in rule.duties]
    price = "" if any(one.split(" ")[0] == "pay" for one in duties) else "no price; "
    return price + (f"duties: {', '.join(sorted(set(duties)))}" if duties else "no duties")


def _send(space: Session, plan: Plan, purpose: str) -> Synthetic:
    verdict = check_plan(plan)
    ask = synthetic_of(plan)
    reasons = [one for found in (verdict, ask) if isinstance(found, Denied) for one in found.reasons]
    if reasons or isinstance(ask, Denied):
        raise Refused(tuple(reasons))
    request = msgspec.structs.replace(
        request_for(space.account.did, plan, purpose, space.clock()),
        operation=SYNTHESISE,
        recipients=(ask.recipient,),
    )
    wrong = tuple(check_synthetic(request, plan))
    if wrong:
        raise Refused(wrong)
    return Synthetic(space, hand_in(space, plan, request))


def _asked(ask: SyntheticAsk, more: dict[str, Any]) -> SyntheticAsk:
    unknown = sorted(set(more) - {"method", "rows_per_person", "days", "dates", "fresh"})
    if unknown:
        words = f"A synthetic set has no word {unknown[0]!r}."
        remedy = (
            "Known: columns, rows, epsilon, rho, delta, method, rows_per_person, dates, days, tables, recipient, fresh."
        )
        raise Refused(deny("sdk.synthetic", words, remedy).reasons)
    return msgspec.structs.replace(ask, **{name: _tuple(value) for name, value in more.items()})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def with_columns(data: Rows, columns: Sequence[str]) -> Rows:
    """The data with these of its columns; raises ``Refused`` for one that they do not have."""
    if not columns:
        return data
    unknown = [name for name in columns if name not in data.columns]
    if unknown:
        words = f"The data have no column {unknown[0]!r}."
        remedy = f"They have: {', '.join(data.columns[:20])}."
        raise Refused((Reason("sql.unknown_column", words, remedy),))
    names = ", ".join(columns)
    sql = f"SELECT {names} FROM ({data.sql.rstrip().rstrip(';')}) AS chosen"  # noqa: S608 (admitted as any other)
    return data.like(sql)


def _child(name: str, one: str | Mapping[str, Any]) -> ChildAsked:
    given: dict[str, Any] = {"sql": one} if isinstance(one, str) else dict(one)
    given["given"] = tuple(given.get("given", ()))
    return ChildAsked(name, **given)


def _unit(ask: SyntheticAsk) -> str:
    if ask.children:
        return "a person with all rows in all tables"
    return "a person" if ask.rows_per_person == 1 else f"a person with at most {ask.rows_per_person} rows"


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {left}" for name, left in pairs) or "not said"


def select_of(text: str) -> str:
    """A SELECT, or that of all columns of a view that is named."""
    return text if " " in text.strip() else f"SELECT * FROM {text.strip()}"  # noqa: S608 (admitted as any other)
