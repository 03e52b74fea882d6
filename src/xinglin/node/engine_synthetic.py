"""A synthetic set in the computing child: its model is measured on rows here, and rows are drawn and marked here.

``fitted`` reads the rows of the admitted queries and gives a model: all that leaves went through the meter's exact
noise. ``drawn`` reads the model alone; ``judged`` compares both with the rows, for the hospital's own eyes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xinglin.analysis.synthetic import KEY, shape_of
from xinglin.gate.model import SyntheticGuard
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied, Reason
from xinglin.lake.query import PERSON, QuerySession
from xinglin.node.engine_messages import Draw, Drawn, Fit, Fitted, Judge, Judged, Refusal
from xinglin.node.engine_sets import keep_counted
from xinglin.node.synthetic_files import Columns, marked_table, parquet_of, values_of
from xinglin.terms.synthetic import FAILED, PERSONS, SyntheticAsk
from xinglin.wire.extracts import ExtractFile
from xinglin.wire.synthetic import REPORT_FILE, ROW_COLUMN, SyntheticColumn, SyntheticTable

if TYPE_CHECKING:
    from xinglin.analysis.admit import Admitted
    from xinglin.privacy.synthesis import Linked, LinkedModel, Model, Schema

HELD_OUT = 10
"""One person in so many is left out of the model, by lot: the set is judged against rows that it has not seen."""
ONLY = "rows"
"""The name of the one table of a set that has no others."""
_FAULTS = (XinglinError, ArithmeticError, ValueError, TypeError, LookupError, MemoryError)
_PARQUET = "application/vnd.apache.parquet"
_JSON = "application/json"


@dataclass(frozen=True)
class Source:
    """Where rows come from: the admitted queries of a session (the plan's own first) and its engine."""

    admitted: tuple[Admitted, ...]
    engine: QuerySession


def fitted(request: Fit, source: Source) -> Fitted | Refusal:
    """A model of the queries' rows, within the plan's cost; ``Refusal`` says what is wrong with published facts.

    Whatever else goes wrong has one word: why, and how far it came, may follow from a person's rows.
    """
    try:
        shape = _shape(request.ask, source)
        if isinstance(shape, Denied):
            return Refusal(shape.reasons)
        tables = _tables(source, request.ask, shape, request.secret, held_out=False)
        keep_counted(request.counted, *(columns[KEY] for columns in tables.values()))
        return Fitted(_fitted(request.ask, shape, tables).to_bytes())
    except _FAULTS as error:
        return Refusal((FAILED,), getattr(error, "code", type(error).__name__))


def drawn(request: Draw) -> Drawn | Refusal:
    """Rows of a model, marked for their recipient; the same request gives the same rows. Reads no row of anybody."""
    try:
        return _drawn(request)
    except XinglinError as error:
        return _refusal(error)


def judged(request: Judge, source: Source) -> Judged | Refusal:
    """The full report on a model's rows, beside the budget: for those at the hospital who may see the data."""
    from xinglin.privacy.synthesis import report

    try:
        shape = _shape(request.ask, source)
        if isinstance(shape, Denied):
            return Refusal(shape.reasons)
        made = _rows(request.model, request.ask, _seeded(request.seed))
        known, others = (_tables(source, request.ask, shape, request.secret, held_out=out) for out in (False, True))
        found: dict[str, Any] = {}
        for name, schema in _schemas(shape).items():
            try:
                found[name] = report(known[name], others[name], made[name], schema).to_dict()
            except XinglinError as error:
                found[name] = {"not_judged": error.what}
        return Judged(msgspec.json.encode(found))
    except XinglinError as error:
        return _refusal(error)


def _refusal(error: XinglinError) -> Refusal:
    return Refusal((Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),))


# --- the model -----------------------------------------------------------------------------------


def _shape(ask: SyntheticAsk, source: Source) -> Schema | Linked | Denied:
    heavy = tuple(dict.fromkeys(reason for one in source.admitted for reason in one.fan_out.reasons()))
    if heavy:
        return Denied(heavy)
    first, *more = (one.columns for one in source.admitted)
    return shape_of(ask, first, more)


def _schemas(shape: Schema | Linked) -> dict[str, Schema]:
    from xinglin.privacy.synthesis import Schema

    if isinstance(shape, Schema):
        return {ONLY: shape}
    return {shape.name: shape.schema} | {child.name: child.schema for child in shape.children}


def _tables(
    source: Source, ask: SyntheticAsk, shape: Schema | Linked, secret: bytes, *, held_out: bool
) -> dict[str, Columns]:
    """The rows of each query with their person, of those who are (not) left out; of each what the meter counts."""
    found = {}
    most = (ask.rows_per_person, *(child.rows_per_person for child in ask.children))
    for name, admitted, of_each in zip(_schemas(shape), source.admitted, most, strict=True):
        rows = source.engine.run(admitted.sql_rewritten, of_each)
        persons = np.asarray(rows.column(PERSON).to_numpy())
        chosen = np.flatnonzero(left_out(persons, secret) == held_out)
        columns = {one.name: values_of(rows.column(one.name), one)[chosen] for one in admitted.columns}
        found[name] = {KEY: persons[chosen], **columns}
    return found


def left_out(persons: np.ndarray[Any, np.dtype[Any]], secret: bytes) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which persons' rows the model does not see: each by a lot of their own, whoever else there is.

    ``persons``: whole numbers that name them; ``secret``: 32 bytes of the hospital. The lot of one person says nothing
    of another's rows, so the model's guarantee is as it was.
    """
    one, two = (np.uint64(int.from_bytes(secret[at : at + 8], "little")) for at in (0, 8))
    with np.errstate(over="ignore"):
        mixed = np.asarray(persons).astype(np.int64).view(np.uint64) ^ one
        for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(factor) + two
        mixed ^= mixed >> np.uint64(31)
    return np.asarray(mixed % np.uint64(HELD_OUT) == 0)


def _fitted(ask: SyntheticAsk, shape: Schema | Linked, tables: dict[str, Columns]) -> Model | LinkedModel:
    from xinglin.privacy.synthesis import Schema, fit, fit_linked

    if not isinstance(shape, Schema):
        return fit_linked(tables, shape, ask.rho_units, os.urandom, ask.method)
    rows = tables[ONLY]
    return fit(
        rows, shape, ask.rho_units, os.urandom, ask.method, persons=rows[KEY], rows_per_person=ask.rows_per_person
    )


# --- the rows ------------------------------------------------------------------------------------


def _seeded(seed: bytes) -> Callable[[int], bytes]:
    """Bytes that follow from a secret of the hospital: the same rows at every call."""
    return lambda size: hashlib.shake_256(seed).digest(size)


def _rows(model: bytes, ask: SyntheticAsk, entropy: Callable[[int], bytes]) -> dict[str, Columns]:
    from xinglin.privacy.synthesis import from_bytes, linked_from_bytes

    if ask.children:
        return linked_from_bytes(model).draw(ask.rows, entropy)
    return {ONLY: from_bytes(model).draw(ask.rows, entropy)}


def _models(model: bytes, ask: SyntheticAsk) -> dict[str, Model]:
    from xinglin.privacy.synthesis import from_bytes, linked_from_bytes

    if not ask.children:
        return {ONLY: from_bytes(model)}
    found = linked_from_bytes(model)
    names = (PERSONS, *(child.name for child in ask.children))
    return dict(zip(names, (found.person, *found.children), strict=True))


def _drawn(request: Draw) -> Drawn:
    ask, draft = request.ask, request.draft
    models = _models(request.model, ask)
    files: dict[str, bytes] = {}
    plans: dict[str, bytes] = {}
    tables = []
    for name, rows in _rows(request.model, ask, _seeded(request.seed)).items():
        wanted = {one.name: one for one in models[name].schema.columns if one.name in rows}
        made = marked_table(name, rows, wanted, request.mark_key, draft, request.seed)
        if made.plan:
            plans[name] = made.plan
        columns = tuple(
            SyntheticColumn(one.name, one.kind, one.low, one.high, one.levels, made.said.get(one.name, ""))
            for one in wanted.values()
        )
        tables.append(SyntheticTable(name, made.table.num_rows, columns, KEY if KEY in rows else ""))
        told = {"xinglin.run": draft.run_id, "xinglin.recipient": draft.recipient, "xinglin.synthetic": "yes"}
        files[f"{name}.parquet"] = parquet_of(made.table, told)
    files[REPORT_FILE] = _report(request, models)
    manifest = msgspec.structs.replace(
        draft,
        tables=tuple(tables),
        files=tuple(
            ExtractFile(name, _JSON if name == REPORT_FILE else _PARQUET, len(data), hashlib.sha256(data).hexdigest())
            for name, data in sorted(files.items())
        ),
        unit=_unit(ask),
        held_out=HELD_OUT,
    )
    guard = SyntheticGuard(
        rows=tables[0].rows,
        rho_units=sum(one.rho_units for one in models.values()),
        entry=draft.entry,
        model=draft.model,
        mark=canonical_digest({"agreement": draft.agreement, "at": draft.released}) if plans else "",
        recipient=draft.recipient,
        size_bytes=sum(map(len, files.values())),
    )
    return Drawn(canonical_bytes(manifest), files, guard, plans)


def _unit(ask: SyntheticAsk) -> str:
    if ask.children:
        return "a person with all rows in all tables, as many of each as rows_per_person says"
    return f"a person with at most {ask.rows_per_person} rows"


def _report(request: Draw, models: dict[str, Model]) -> bytes:
    """The report that goes along: nothing in it reads a row."""
    from xinglin.privacy.synthesis.quality import quality

    draft = request.draft
    told = {
        "format": "xinglin.synthetic.report.1",
        "covers": "follows from the model and its cost alone, so differential privacy covers every figure",
        "not_told": "how close and how useful the rows are, and what attacks find, is judged on the data; the hospital "
        "has that report and may publish of it",
        "method": draft.method,
        "rho_units": draft.rho_units,
        "epsilon": draft.epsilon,
        "delta": draft.delta,
        "held_out": f"1 person in {HELD_OUT}, by lot",
        "row_column": ROW_COLUMN,
        "tables": [msgspec.to_builtins(quality(name, model)) for name, model in models.items()],
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=1)
