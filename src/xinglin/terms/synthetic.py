"""What a plan of a synthetic set asks for: rows that nobody lived, drawn from a model that cost so much privacy.

A synthetic set is the operation ``synthesise`` with the algorithm ``synthetic``, at one hospital. Its model is measured
on the rows of one SELECT (and of others that hang on the same persons) with exact noise; what it costs is paid from the
budget of privacy before a row is read. It is sealed to one recipient: the asker, or a workspace.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.terms.errors import TermsError
from xinglin.terms.extracts import is_extract
from xinglin.terms.noise_asked import (
    DEFAULT_DELTA,
    DELTA_MOST,
    RHO_MOST,
    NoiseAsked,
    exact,
    noise_of,
)
from xinglin.terms.request import SQL_BYTES, Plan, UseRequest, is_did

SYNTHETIC = "synthetic"
"""The algorithm."""
SYNTHESISE = "synthesise"
"""The operation."""
METHODS = ("aim", "mst")
"""Adaptive rounds, the better one; a spanning tree, the quicker one."""
ROWS = Limit("rows of a synthetic set", 1_000_000, "rows")
ROWS_PER_PERSON = Limit("rows of one person that a model may see", 1_000, "rows")
LEAST_RHO_UNITS = 10**9
"""A set costs 0.001 rho at least: that its measuring failed is one bit without noise, which nobody gets for nothing."""
FAILED = Reason(
    "synthetic.failed",
    "The synthetic set could not be made at this hospital.",
    "Ask for fewer rows of a person, fewer columns or a simpler query, or ask the hospital.",
)
"""All that anybody is told who asked, whatever went wrong where rows are read: a cause would tell of them."""
FEWEST_ROWS = 200
"""Fewer rows cannot carry a mark that names their recipient."""
TABLES = Limit("tables of a synthetic set", 8, "tables")
DATES = Limit("columns of a synthetic set that are dates", 64, "columns")
DAYS = (10_957, 20_088)
"""2000-01-01 to 2024-12-31, in days since 1970: dates have no published range, so the plan states one."""
_DAY_LEAST, _DAY_MOST = -100_000, 100_000
PERSONS = "persons"
"""The name of the first table where others hang on it."""


class ChildAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table that hangs on the persons of the plan's SELECT: one SELECT of its own. Version 1; append-only.

    ``rows_per_person``: of a person at most so many rows are seen, drawn by lot. ``given``: columns of the person table
    that its rows may depend on. ``weight``: its part of the cost, beside the others'.
    """

    name: str
    sql: str
    rows_per_person: int = 1
    given: tuple[str, ...] = ()
    weight: int = 1


class SyntheticAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of a synthetic set's plan. Version 1; append-only.

    ``recipient``: DID that it is sealed to. ``rho_units``: what it costs, in units of 10⁻¹² rho; ``delta``: exact text,
    for showing that as (ε, δ). ``rows`` to draw: of persons, where there are ``children``. ``rows_per_person``: of a
    person at most so many rows are seen. ``dates``: columns of any table that are whole days since 1970-01-01, and come
    back as dates; ``days``: their range, stated without the data, since none is published. ``fresh``: measured anew
    although the same was measured on the same tables before.
    """

    recipient: str
    rho_units: int
    rows: int
    method: str = METHODS[0]
    delta: str = DEFAULT_DELTA
    rows_per_person: int = 1
    days: tuple[int, int] = DAYS
    dates: tuple[str, ...] = ()
    children: tuple[ChildAsked, ...] = ()
    fresh: bool = False
    version: int = 1

    def to_params(self) -> dict[str, Any]:
        """As a plan's parameters."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def question(self) -> dict[str, Any]:
        """What of it determines the model: neither who receives rows nor how many are drawn from it."""
        plain = self.to_params()
        return {name: plain[name] for name in plain if name not in ("recipient", "rows", "delta", "fresh")}


def is_synthetic(plan: Plan) -> bool:
    """Whether a plan is one of a synthetic set."""
    return plan.algorithm == SYNTHETIC


def is_handed_over(plan: Plan) -> bool:
    """Whether its outcome is rows of one hospital, sealed in parts to one recipient: an extract or a synthetic set."""
    return is_extract(plan) or is_synthetic(plan)


def synthetic_of(plan: Plan) -> SyntheticAsk | Denied:
    """What the plan asks for, or every reason why it is no synthetic set that could be made."""
    try:
        ask = msgspec.convert(plan.params, SyntheticAsk)
    except msgspec.ValidationError:
        words = "The parameters are not those of a synthetic set."
        return deny("terms.not_synthetic", words, "Ask by space.synthetic(...), or 'xinglin synthetic ask'.")
    reasons = tuple(_faults(ask))
    return Denied(reasons) if reasons else ask


def paid_noise(plan: Plan) -> NoiseAsked | None:
    """What the plan pays from the budget of privacy, whatever its kind; ``None`` for exact answers.

    ``None`` too for a synthetic set whose parameters are not understood: ``check_synthetic`` refuses it. Raises
    ``TermsError`` where a question's block of noise is not.
    """
    if not is_synthetic(plan):
        return noise_of(plan.algorithm, plan.params)
    ask = synthetic_of(plan)
    if isinstance(ask, Denied):
        return None
    return NoiseAsked(rho_units=ask.rho_units, delta=ask.delta, fresh=ask.fresh)


def check_synthetic(request: UseRequest, plan: Plan) -> Iterator[Reason]:
    """Every reason why a use that is a synthetic set, or says so, may not be one; nothing for any other use."""
    if plan.algorithm != SYNTHETIC and request.operation != SYNTHESISE:
        return
    if plan.algorithm != SYNTHETIC or request.operation != SYNTHESISE:
        words = f"A synthetic set is the operation '{SYNTHESISE}' with the algorithm '{SYNTHETIC}'."
        yield _reason(words, "Ask by space.synthetic(...).")
        return
    if len(plan.roster) != 1:
        yield _reason("A synthetic set is of one hospital.", "Ask each hospital for its own.")
    ask = synthetic_of(plan)
    if isinstance(ask, Denied):
        yield from ask.reasons
    elif request.recipients != (ask.recipient,):
        yield _reason("A synthetic set is sealed to the recipient it is marked for.", "Name it as the only recipient.")


def synthetic_faults(ask: SyntheticAsk) -> tuple[Reason, ...]:
    """Every reason why that is no synthetic set that could be made."""
    return tuple(_faults(ask))


def _faults(ask: SyntheticAsk) -> Iterator[Reason]:
    if ask.version != 1:
        yield Reason("terms.version", f"Version {ask.version} of a synthetic set is not known here.", "Use version 1.")
    if not is_did(ask.recipient):
        yield _reason("The recipient is not a DID of this space.", "Name the asker, or an enrolled workspace.")
    if not LEAST_RHO_UNITS <= ask.rho_units <= RHO_MOST.value:
        words = f"A synthetic set costs {LEAST_RHO_UNITS} to {RHO_MOST.value} units of 1e-12 rho."
        yield Reason("terms.noise", words, "Ask for a loss in that range.")
    if not _is_delta(ask.delta):
        yield Reason("terms.noise", "Delta lies above 0 and is at most 1/1000.", "State 1/1000000.")
    if not FEWEST_ROWS <= ask.rows <= ROWS.value:
        words = f"A synthetic set has {FEWEST_ROWS} to {ROWS.value} rows."
        yield Reason("terms.rows", words, "Ask for a number of rows in that range.")
    if ask.method not in METHODS:
        yield _reason("The method is not known.", f"Known: {', '.join(METHODS)}.")
    if not 1 <= ask.rows_per_person <= ROWS_PER_PERSON.value:
        yield _reason(f"Of a person 1 to {ROWS_PER_PERSON.value} rows are seen.", "State how many.")
    if len(ask.dates) > DATES.value or len(set(ask.dates)) != len(ask.dates) or not all(map(is_table_name, ask.dates)):
        yield _reason(f"Columns that are dates are named, each once, at most {DATES.value}.", "Name them.")
    if not _DAY_LEAST <= ask.days[0] < ask.days[1] <= _DAY_MOST:
        yield _reason("The range of dates is upside down, or beyond all calendars.", "State first and last day.")
    yield from _linked(ask)


def _linked(ask: SyntheticAsk) -> Iterator[Reason]:
    names = [PERSONS, *(child.name for child in ask.children)]
    apart = {name.lower() for name in names}  # a set is saved as files, also where letters' case tells none apart
    if len(names) > TABLES.value or len(apart) != len(names) or not all(map(is_table_name, names)):
        words = f"Tables that hang on persons have names of their own, at most {TABLES.value - 1} of them."
        yield _reason(words, f"Name each by letters, digits and _, and none '{PERSONS}'.")
    if ask.children and ask.rows_per_person != 1:
        yield _reason("A person has one row in the table that others hang on.", "Say so: rows_per_person=1.")
    for child in ask.children:
        if not 1 <= child.rows_per_person <= ROWS_PER_PERSON.value or not 1 <= child.weight <= 1_000:
            words = f"Of a person 1 to {ROWS_PER_PERSON.value} rows of a table are seen, for a part of 1 to 1000."
            yield _reason(words, "State how many.")
        if not child.sql.strip() or len(child.sql.encode("utf-8", "replace")) > SQL_BYTES.value:
            yield _reason(f"Each table has a SELECT of at most {SQL_BYTES.value} bytes.", "Write one.")


def _is_delta(text: str) -> bool:
    try:
        return Fraction(0) < exact(text) <= DELTA_MOST
    except TermsError:
        return False


def is_table_name(name: str) -> bool:
    """Whether a table of a set, or a column of dates, may be called so: letters, digits and ``_``, at most 64.

    >>> is_table_name("visits"), is_table_name("../visits")
    (True, False)
    """
    return name.isidentifier() and name.isascii() and len(name) <= 64


def _reason(words: str, remedy: str) -> Reason:
    return Reason("terms.not_synthetic", words, remedy)
