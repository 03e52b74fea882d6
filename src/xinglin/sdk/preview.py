"""A preview: what a question would let out, before it is asked. Made of texts and published facts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.instants import to_text
from xinglin.sdk.noise import epsilon_text, rho_text
from xinglin.sdk.packs import PackLine, pack_lines, told_rules
from xinglin.sdk.plans import algorithm_of
from xinglin.terms.thresholds import DisclosureRules

if TYPE_CHECKING:
    from xinglin.analysis.algorithm import Algorithm
    from xinglin.sdk.scope import Scope
    from xinglin.sdk.session import Session

_CELLS_SHOWN = 12


class PreviewColumn(msgspec.Struct, frozen=True):
    """A column of the query with its published domain; ``sources`` are the study's ``view.column``."""

    name: str
    kind: str
    low: float | None
    high: float | None
    levels: tuple[str, ...]
    grade: str
    sources: tuple[str, ...]


class NoisePreview(msgspec.Struct, frozen=True):
    """What a noised answer would cost and how far off its numbers are; ``left`` as each hospital says it, signed.

    ``sds``: by measure, the standard deviation of the noise when all hospitals take part; in persons, or in parts of
    half a published range. ``questions``: how many more of this cost fit at every hospital; -1 where one said nothing.
    ``reserved``: what runs in progress hold of the study's budget, where they do.
    """

    epsilon: str
    delta: str
    rho: str
    minimum: int
    colluders: int
    sds: tuple[tuple[str, float], ...]
    left: tuple[tuple[str, str], ...]
    questions: int
    reserved: tuple[tuple[str, str], ...] = ()

    def lines(self) -> list[str]:
        """Lines of the printed preview."""
        shown = ", ".join(f"{name} {left}" for name, left in self.left) or "not said"
        held = ", ".join(f"{name} {units}" for name, units in self.reserved)
        shown += f" (reserved by runs in progress: {held})" if held else ""
        lasts = f"; {self.questions} more questions like this fit" if self.questions >= 0 else ""
        return [
            f"  noise        ({self.epsilon}, {self.delta})-differentially private, "
            f"{self.minimum} hospitals at least, {self.colluders} of them colluding at most",
            f"  cost         rho {self.rho} at each hospital, whatever follows once anything left it",
            f"  budget left  {shown}{lasts}",
            f"  precision    sd of the noise: {', '.join(f'{name} {sd:.4g}' for name, sd in self.sds)}",
        ]


class Preview(msgspec.Struct, frozen=True):
    """What would leave: pooled ``cells`` of a statistic, from ``hospitals`` (labels), never one hospital's.

    ``masked``: names and lengths of what each hospital adds to the secure sum in the first round. ``allowance``:
    exact answers of the agreements; ``expires``: when the first agreement ends. ``packs``: the hospitals' disclosure
    packs; ``packed``: what the strictest of them comes to, in words.
    """

    study: str
    sql: str
    algorithm: str
    params: dict[str, Any]
    hospitals: tuple[str, ...]
    columns: tuple[PreviewColumn, ...]
    reads: tuple[str, ...]
    cells: tuple[str, ...]
    masked: tuple[tuple[str, int], ...]
    rules: DisclosureRules
    grade: str
    purpose: str
    allowance: int
    expires: int
    recipients: tuple[str, ...]
    noise: NoisePreview | None = None
    packs: tuple[PackLine, ...] = ()
    packed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def __str__(self) -> str:
        shown = ", ".join(self.cells[:_CELLS_SHOWN])
        more = f" and {len(self.cells) - _CELLS_SHOWN} more" if len(self.cells) > _CELLS_SHOWN else ""
        rules = self.rules
        lines = [
            f"Preview of {self.algorithm} for {self.study!r}: reads no row, asks nobody",
            f"  from         {', '.join(self.hospitals)}",
            f"  reads        {', '.join(self.reads)}",
            f"  leaves       pooled numbers only, in cells: {shown}{more}",
            f"  masked sum   {sum(length for _, length in self.masked)} numbers a hospital in the first round",
            f"  grade        {self.grade}, for {self.purpose}",
            f"  rules        at least {rules.min_cell} persons a cell, {rules.min_hospitals} hospitals, "
            f"{rules.min_dof} residual degrees of freedom",
            *self._packs(),
            *self._cost(),
            f"  sealed to    {', '.join(self.recipients)}",
            "  columns",
            *(f"    {column.name:<16}{_domain(column)}" for column in self.columns),
        ]
        return "\n".join(lines)

    def _packs(self) -> list[str]:
        lines = []
        for one in self.packs:
            who = f", asked for by {', '.join(one.hospitals)}" if one.hospitals else ""
            lines.append(f"  pack         {one.name} ({one.digest[:19]}…){who}")
        return [*lines, *(f"  strictest    {words}" for words in self.packed)]

    def _cost(self) -> list[str]:
        until = f"agreements until {to_text(self.expires)}"
        if self.noise is not None:
            return [*self.noise.lines(), f"  allowance    takes no exact answer; {until}"]
        return [f"  allowance    1 of {self.allowance} exact answers a hospital; {until}"]

    def __repr__(self) -> str:
        return str(self)


def preview_of(
    session: Session, study: str, sql: str, scope: Scope, algorithm: str, params: dict[str, Any], study_id: str = ""
) -> Preview:
    """The preview of one statistic; raises what building it raises. With noise, hospitals' budgets are read."""
    params = msgspec.to_builtins(params)
    built = algorithm_of(scope, algorithm, params)
    names = session.names()
    parts = built.layout(built.initial_state())
    terms = [one.agreement.terms for one in scope.held.values()]
    used = set(built.columns)
    return Preview(
        study=study,
        sql=sql,
        algorithm=algorithm,
        params=params,
        hospitals=tuple(names.get(did, did) for did in scope.roster),
        columns=tuple(
            PreviewColumn(c.name, c.kind, c.low, c.high, c.levels, c.grade, c.sources)
            for c in scope.columns
            if c.name in used
        ),
        reads=scope.variables,
        cells=tuple(built.cell_names()),
        masked=tuple((part.name, part.length) for part in parts),
        rules=scope.rules,
        grade=scope.grade,
        purpose=scope.purpose,
        allowance=scope.allowance,
        expires=min(each.expires for each in terms),
        recipients=(session.account.did,),
        noise=_noise(session, study_id, scope, built),
        packs=() if scope.disclosure is None else pack_lines(scope.disclosure, scope.asked),
        packed=() if scope.disclosure is None else tuple(told_rules(scope.disclosure, scope.rules)),
    )


def _noise(session: Session, study_id: str, scope: Scope, built: Algorithm) -> NoisePreview | None:
    from xinglin.analysis.noisy import Noisy
    from xinglin.sdk.budgets import budgets_of

    if not isinstance(built, Noisy):
        return None
    asked, data_set = built.noise, next(iter(scope.held.values())).agreement.data_set
    told = [one for one in budgets_of(session, data_set, study_id) if one.hospital in scope.roster]
    said = len(told) == len(scope.roster)
    return NoisePreview(
        epsilon_text(asked.rho_units, asked.delta),
        asked.delta,
        rho_text(asked.rho_units),
        asked.minimum,
        asked.colluders,
        built.expected(len(scope.roster)),
        tuple((one.name, rho_text(one.left)) for one in told),
        min(one.questions(asked.rho_units) for one in told) if said else -1,
        tuple((one.name, rho_text(one.reserved)) for one in told if one.reserved),
    )


def _domain(column: PreviewColumn) -> str:
    if column.kind == "category":
        return f"category of {len(column.levels)} levels"
    if column.low is None or column.high is None:
        return column.kind
    return f"{column.kind} from {column.low:g} to {column.high:g}"
