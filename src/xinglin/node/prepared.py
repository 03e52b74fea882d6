"""A use made ready on this node: tables pinned, SQL admitted, the domain of its columns known. Reads no row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from xinglin.catalogue import ExposedTable, study_view
from xinglin.contract import Agreement
from xinglin.gate import Use
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied, Reason
from xinglin.node.agreements import NodeAgreements
from xinglin.node.consent import NodeConsent
from xinglin.node.tables import Tables
from xinglin.stores.node_database import NodeDatabase
from xinglin.terms.consent_use import StudyWord
from xinglin.terms.extracts import ask_of, is_extract
from xinglin.terms.facts import TouchedColumn
from xinglin.terms.synthetic import is_handed_over, is_synthetic, synthetic_of

if TYPE_CHECKING:
    from xinglin.analysis.admit_model import OutputColumn
    from xinglin.analysis.table import Column
    from xinglin.kernel.instants import Instant
    from xinglin.lake.model import QueryLimits, Snapshot
    from xinglin.node.engine import Engine
    from xinglin.node.engine_messages import Loaded
    from xinglin.terms.consent import PersonFilter


class Prepared(msgspec.Struct, frozen=True):
    """What admission found: the columns as the algorithm sees them, and which published columns are touched.

    Of a synthetic set ``more``: the columns of its other tables; ``persons``: whose rows it may see, as a digest.
    """

    domain: tuple[Column, ...]
    columns: tuple[OutputColumn, ...]
    touched: tuple[TouchedColumn, ...]
    digest: str
    more: tuple[tuple[OutputColumn, ...], ...] = ()
    persons: str = ""


class Preparations:
    """Prepares each use once per engine; the pinned snapshot is kept durably, so a restarted run reads the same."""

    def __init__(
        self,
        node: str,
        folder: Path,
        salt: bytes,
        agreements: NodeAgreements,
        tables: Tables,
        database: NodeDatabase,
        engine: Engine,
        limits: Callable[[], QueryLimits],
        consent: NodeConsent,
        extract_engine: Engine | None = None,
    ) -> None:
        self._extract_engine = extract_engine
        self._node, self._lake, self._salt = node, folder, salt
        self._agreements, self._tables, self._database = agreements, tables, database
        self._engine, self._limits, self._consent = engine, limits, consent
        self._known: dict[str, Prepared | Denied] = {}
        self._turn = asyncio.Lock()

    async def of(self, use: Use) -> Prepared | Denied:
        """The use's preparation, made at first call; ``Denied`` depends on text and published facts alone."""
        async with self._turn:
            anew = self._unadmitted(use) and await asyncio.to_thread(self._consent.read_anew, use)
            if anew and use.run in self._known:
                await self.forget(use)
            if use.run not in self._known:
                self._known[use.run] = await self._prepare(use)
            return self._known[use.run]

    def _unadmitted(self, use: Use) -> bool:
        record = self._database.record(use.run)
        return record is None or record.state in ("asked", "allowed", "charged")

    def study_word(self, study: str) -> StudyWord | None:
        """What the hospital says of a study: its basis and its law packs."""
        return self._consent.word(study)

    async def left_since(self, use: Use, agreement: Agreement) -> bool:
        """Whether a choice that binds an admitted run took somebody out since it read; one to be admitted reads anew.

        Whoever computes on after that would release an answer about a person who said no before the release.
        """
        if self._unadmitted(use) or not self._consent.said_since(use):
            return False
        row = self._database.agreement(agreement.digest())
        return await asyncio.to_thread(self._consent.left_since, use, agreement, row.since if row else 0)

    def engine_of(self, use: Use) -> Engine:
        """The child that computes for a use: rows for somebody, which may take long, hold up no round of a run."""
        return self._extract_engine if self._extract_engine is not None and is_handed_over(use.plan) else self._engine

    async def load_own(
        self, session: str, tables: tuple[ExposedTable, ...], sql: str, persons: PersonFilter, at: Instant
    ) -> tuple[Snapshot, Loaded | Denied]:
        """A query of the hospital's own over ``tables`` as of ``at``, loaded in the child that makes rows."""
        from xinglin.node import engine_messages as em

        engine = self._extract_engine or self._engine
        snapshot = await engine.pin(str(self._lake), tuple(table.name for table in tables), at)
        load = em.Load(session, str(self._lake), snapshot, tables, (), sql, self._salt, self._limits(), persons)
        return snapshot, await engine.load(load)

    def persons_of(self, run: str) -> str:
        """Whose rows a prepared run may see, as a digest; empty where that was not asked for."""
        found = self._known.get(run)
        return found.persons if isinstance(found, Prepared) else ""

    async def forget(self, use: Use) -> None:
        """The run is over: its rows leave the memory."""
        self._consent.forget(use.run)
        self._known.pop(use.run, None)
        await self.engine_of(use).unload(use.run)

    async def _prepare(self, use: Use) -> Prepared | Denied:
        from xinglin.node import engine_messages as em

        scope = self._scope(use)
        if isinstance(scope, Denied):
            return scope
        agreement, exposed = scope
        snapshot = await self._pinned(use, exposed)
        row = self._database.agreement(agreement.digest())
        # Persons who may not be used leave before the query sees a row: the child registers the others alone.
        persons = await asyncio.to_thread(self._consent.persons, use, agreement, row.since if row else 0)
        load = em.Load(
            use.run,
            str(self._lake),
            snapshot,
            exposed,
            agreement.terms.cohort,
            use.plan.sql,
            self._salt,
            self._limits(),
            persons,
            _more(use),
        )
        loaded = await self.engine_of(use).load(load)
        if isinstance(loaded, Denied):
            return loaded
        from xinglin.analysis.domain import domain_of

        heavy = tuple(reason for one in loaded.fan_out for reason in one.reasons()) if is_synthetic(use.plan) else ()
        if heavy:
            return Denied(tuple(dict.fromkeys(heavy)))
        seen = canonical_digest(persons) if is_synthetic(use.plan) else ""
        domain = domain_of(loaded.columns)
        prepared = Prepared(domain, loaded.columns, _touched(exposed), loaded.digest, loaded.more, seen)
        misfit = _misfit(use, prepared)
        return prepared if misfit is None else misfit

    def _scope(self, use: Use) -> tuple[Agreement, tuple[ExposedTable, ...]] | Denied:
        found = self._agreements.facts(use.plan.agreements.get(self._node, ""))
        if found is None:
            return Denied((Reason("node.no_agreement", "There is no such agreement here.", "Negotiate one."),))
        exposed = study_view(self._tables.described(use.plan.data_set), found[0].terms)
        return exposed if isinstance(exposed, Denied) else (found[0], exposed.tables)

    async def _pinned(self, use: Use, exposed: tuple[ExposedTable, ...]) -> Snapshot:
        """The snapshot of this run: pinned once, at the plan's instant, and from then on the same."""
        from xinglin.lake.model import Snapshot

        row = self._database.run(use.run)
        if row is not None and row.pinned:
            return decode_msgpack(row.pinned, Snapshot)
        names = tuple(table.name for table in exposed)
        snapshot = await self.engine_of(use).pin(str(self._lake), names, use.plan.as_of)
        self._database.change_run(use.run, pinned=encode_msgpack(snapshot))
        return snapshot


def _misfit(use: Use, prepared: Prepared) -> Denied | None:
    """Why the plan's algorithm does not fit the query's columns, before anything is charged; None when it does."""
    from xinglin.analysis.algorithm import AlgorithmSpec, build

    if is_extract(use.plan):
        return _roles_misfit(use, prepared)
    if is_synthetic(use.plan):
        return _domain_misfit(use, prepared)
    try:
        build(AlgorithmSpec(use.plan.algorithm, use.plan.params), prepared.domain, use.plan.rules, named=use.plan.named)
    except XinglinError as error:
        return Denied((Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),))
    return None


def _roles_misfit(use: Use, prepared: Prepared) -> Denied | None:
    """Why an extract's columns are not those of its query: each is quasi-identifying or sensitive, none is unknown."""
    ask = ask_of(use.plan)
    if isinstance(ask, Denied):
        return ask
    given, named = {column.name for column in prepared.columns}, {*ask.quasi, *ask.sensitive}
    if given == named:
        return None
    words = f"Columns of the query and named columns differ: {', '.join(sorted(given ^ named)[:8])}."
    return Denied((Reason("extract.columns", words, "Name each column of the query quasi-identifying or sensitive."),))


def _more(use: Use) -> tuple[str, ...]:
    """The SELECTs of a synthetic set's other tables."""
    ask = synthetic_of(use.plan) if is_synthetic(use.plan) else None
    return () if ask is None or isinstance(ask, Denied) else tuple(child.sql for child in ask.children)


def _domain_misfit(use: Use, prepared: Prepared) -> Denied | None:
    """Why no synthetic set can be made of the queries' columns: a domain is not published, or a table does not fit."""
    from xinglin.analysis.synthetic import shape_of

    ask = synthetic_of(use.plan)
    if isinstance(ask, Denied):
        return ask
    found = shape_of(ask, prepared.columns, prepared.more)
    return found if isinstance(found, Denied) else None


def _touched(exposed: tuple[ExposedTable, ...]) -> tuple[TouchedColumn, ...]:
    """Every published column that the agreement's views may read: a use is graded by all of them."""
    return tuple(
        TouchedColumn(table.name, column, grade) for table in exposed for column, grade in sorted(table.grades.items())
    )
