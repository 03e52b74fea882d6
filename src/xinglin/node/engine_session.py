"""One study's query in the computing child: admitted, run once, held as a table for an algorithm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from xinglin.analysis.admit import Admitted, OutputColumn
from xinglin.analysis.algorithm import Algorithm, build
from xinglin.analysis.study_views import published_relation, study_views
from xinglin.analysis.table import Column, Table
from xinglin.kernel.errors import MalformedMessage, XinglinError
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.lake.current import PERSON_LINK, rule_of
from xinglin.lake.delta import Lake
from xinglin.lake.query import PERSON, QuerySession
from xinglin.node import engine_sets
from xinglin.node.engine_messages import (
    Cells,
    Counted,
    Draw,
    Drawn,
    Extract,
    Extracted,
    Fit,
    Fitted,
    Judge,
    Judged,
    Load,
    Loaded,
    Local,
    Refusal,
    Start,
    Started,
    Vector,
)
from xinglin.node.spans import share_of
from xinglin.privacy.differencing import SPAN

if TYPE_CHECKING:
    import pyarrow as pa

_COMPUTING_FAULTS = (XinglinError, ArithmeticError, ValueError, TypeError, LookupError, MemoryError)


class Session:
    """Loaded, then started, then asked for vectors; every step is repeatable."""

    def __init__(self, load: Load, admitted: Admitted, engine: QuerySession, more: tuple[Admitted, ...] = ()) -> None:
        self._more = more
        self._load, self._admitted, self._engine = load, admitted, engine
        self._start: Start | None = None
        self._algorithm: Algorithm | None = None
        self._table: Table | None = None
        self._codes: engine_sets.Codes = np.zeros(0, dtype=np.uint64)

    @classmethod
    def load(cls, load: Load) -> Session | Denied:
        """Admit the cohort's views and the study's query, and let a locked engine plan it; reads no row."""
        views = study_views(load.tables, load.cohort)
        if isinstance(views, Denied):
            return views
        admitted = views.admit(load.sql)
        if isinstance(admitted, Denied):
            return admitted
        more = tuple(map(views.admit, load.more))
        refused = tuple(reason for one in more if isinstance(one, Denied) for reason in one.reasons)
        if refused:
            return Denied(refused)
        engine = QuerySession(load.limits)
        datasets = Lake(load.lake).datasets(load.snapshot)
        if PERSON_LINK in datasets:
            engine.links(datasets[PERSON_LINK])
        engine.persons(load.persons)
        for table in load.tables:
            if table.name not in datasets:
                return deny("lake.not_pinned", f"Table {table.name!r} is not in the snapshot.", "Pin it.")
            data = datasets[table.name]
            if table.patient_key not in data.schema.names:
                words = f"Table {table.name!r} has no patient key: nobody could leave it."
                return deny("consent.no_patient_key", words, "Publish it with its patient key.")
            rule = rule_of(table.name, data.schema.names)
            engine.person_table(published_relation(table.name), data, table.patient_key, load.salt, rule)
        for name, select in views.selects:
            engine.view(name, select)
        engine.lock()
        others = tuple(one for one in more if not isinstance(one, Denied))
        if not all(engine.check(one.sql_rewritten) for one in (admitted, *others)):
            engine.close()
            return deny("sql.engine", "The engine cannot plan this query.", "Simplify it.")
        return cls(load, admitted, engine, others)

    def loaded(self) -> Loaded:
        """What was admitted."""
        known = self._admitted
        more = tuple(one.columns for one in self._more)
        fan_out = tuple(one.fan_out for one in (known, *self._more))
        return Loaded(known.columns, known.grade, known.touched, known.digest, more, fan_out)

    def start(self, start: Start) -> Started | Refusal:
        """Build the algorithm and run the query; a query that fails leaves no table and the same reply."""
        misfit = _misfit(self._admitted.columns, start.domain)
        if misfit:
            return Refusal(misfit)
        try:
            algorithm = build(start.spec, start.domain, start.rules, start.max_rows, start.differences, start.named)
        except XinglinError as error:
            return Refusal((Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),))
        if self._start is None or self._start.domain != start.domain:
            self._table = None
            try:
                self._hold(self._engine.run(self._admitted.sql_rewritten), start.domain)
            except _COMPUTING_FAULTS:
                self._table = None
        self._start, self._algorithm = start, algorithm
        return Started(tuple(algorithm.cell_names()), tuple(algorithm.columns))

    def local(self, request: Local) -> Vector:
        """This hospital's vector; zeros and the failed flag where there is no table or computing fails."""
        algorithm = self._started()
        state = algorithm.decode_state(request.state)
        if self._table is None:
            vector = algorithm.failed(state)
        else:
            try:
                vector = algorithm.local(self._table, state, request.differences)
            except _COMPUTING_FAULTS:
                vector = algorithm.failed(state)
        return Vector(np.asarray(vector, dtype="<f8").tobytes())

    def cells(self, request: Cells) -> Counted:
        """Difference counts; the cells' persons are kept in a file where one is named."""
        algorithm = self._started()
        table = self._table if self._table is not None else Table.empty(self._domain())
        codes = self._codes if self._table is not None else np.zeros(0, dtype=np.uint64)
        everybody = {engine_sets.COUNTED: engine_sets.person_set(codes, algorithm.used(table))}
        if request.counted:
            engine_sets.write_sets(request.counted, everybody)
            return Counted(())
        slots = [slot for slot in algorithm.differences if slot.side != SPAN]
        names = {*algorithm.cell_names(), *(slot.cell for slot in slots), *request.names}
        now = _sets(names, algorithm, table, codes)
        before = {release: engine_sets.read_sets(path) for release, path in request.earlier}
        counts = engine_sets.difference_counts(slots, now, before)
        share, kept = share_of(algorithm.differences, now, before)
        if request.keep:
            engine_sets.write_sets(request.keep, now | kept | everybody)
        return Counted(counts + share)

    def extract(self, request: Extract) -> Extracted | Refusal:
        """Run the query and protect its rows; nothing of them is kept here."""
        from xinglin.node.engine_extract import extracted

        return extracted(request, self._load, self._admitted, self._engine)

    def synthetic(self, request: Fit | Draw | Judge) -> Fitted | Drawn | Judged | Refusal:
        """Measure the model of a synthetic set, draw its rows, or judge them; nothing of the rows is kept here."""
        from xinglin.node import engine_synthetic

        if isinstance(request, Draw):
            return engine_synthetic.drawn(request)
        source = engine_synthetic.Source((self._admitted, *self._more), self._engine)
        if isinstance(request, Fit):
            return engine_synthetic.fitted(request, source)
        return engine_synthetic.judged(request, source)

    def close(self) -> None:
        """Forget the rows."""
        self._table = None
        self._engine.close()

    def _started(self) -> Algorithm:
        if self._algorithm is None:
            raise MalformedMessage("The session is not started.")
        return self._algorithm

    def _domain(self) -> tuple[Column, ...]:
        return self._start.domain if self._start is not None else ()

    def _hold(self, rows: pa.Table, domain: tuple[Column, ...]) -> None:
        persons = rows.column(PERSON).to_numpy()
        columns = {column.name: _array(rows.column(column.name), column) for column in domain}
        self._table = Table.of(domain, columns, persons)
        self._codes = np.ascontiguousarray(persons).view(np.uint64)


def _sets(names: set[str], algorithm: Algorithm, table: Table, codes: engine_sets.Codes) -> engine_sets.Sets:
    masks = {"": algorithm.used(table)} | {cell.name: cell.mask for cell in algorithm.cells(table)}
    found: engine_sets.Sets = {}
    for name in sorted(names):
        cell, mark, finer = (name, "", "") if name in masks else engine_sets.split_name(name)
        if cell not in masks:
            raise MalformedMessage("A cell of the layout is not one of this run's.")
        if mark == "#":
            found[name] = engine_sets.finer_set(finer, table, codes, masks[cell])
        elif mark == "?":
            found[name] = engine_sets.person_set(codes, masks[cell] & engine_sets.indicated(finer, table))
        else:
            found[name] = engine_sets.person_set(codes, masks[cell])
    return found


def _misfit(columns: Iterable[OutputColumn], domain: tuple[Column, ...]) -> tuple[Reason, ...]:
    known = {column.name: column for column in columns}
    reasons = []
    for column in domain:
        given = known.get(column.name)
        if given is None or given.kind != column.kind:
            words = f"The query gives no {column.kind} {column.name!r}."
            reasons.append(Reason("sql.domain", words, "Plan the run again from the query's columns."))
        elif column.kind == "category" and not set(given.levels) <= set(column.levels):
            words = f"The declared levels of {column.name!r} leave out published ones."
            reasons.append(Reason("sql.domain", words, "Declare every level."))
    return tuple(reasons)


def _array(column: Any, described: Column) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if described.kind == "category":
        levels = pa.array(list(described.levels), pa.string())
        codes = pc.index_in(column.cast(pa.string()), value_set=levels, skip_nulls=True)
        return codes.fill_null(-1).to_numpy().astype(np.int64)
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
