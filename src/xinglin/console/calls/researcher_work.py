"""What a researcher asks: the workbench's checks, runs and their lanes, results; each is a call of the SDK.

A run is asked with ``Data.ask``, which signs, keeps what was asked in the account's folder, hands it to the hub and
comes back: the run goes on whether or not anybody looks, and is found again by its id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.calls.remembered import Remembered
from xinglin.console.calls.researcher_counts import Counts
from xinglin.console.calls.researcher_runs import RunCalls
from xinglin.console.hidden import Known, Prediction, predicted
from xinglin.console.lines import Lines
from xinglin.console.preview import Leaves, Similar, leaves_of_question, operation_words
from xinglin.console.questions import Question, call_of, cli_of, python_of, with_defaults
from xinglin.console.repairs import Repair, repairs_of
from xinglin.console.seats import Seat
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Reason

if TYPE_CHECKING:
    from xinglin.analysis.admit import OutputColumn
    from xinglin.analysis.bounding import Fit
    from xinglin.sdk.data import Data
    from xinglin.sdk.preview import Preview
    from xinglin.sdk.space import Space
    from xinglin.sdk.study import Study
    from xinglin.terms.request import Plan
    from xinglin.words import Words

STUDIES_SHOWN = 100
_SIMILAR, _PUBLISHED_MS, _VIEWS_TRIED, _PERSONS_KEPT = 5, 300_000, 4, 1_000
_LEVELS_WRITTEN = 12
"""The first question spells out no more levels of a column than these."""


NEWEST, FEW = 12, 4
"""How many studies are offered to ask under; of no more than a few, each one's hospitals are told too."""


class Bench(msgspec.Struct, frozen=True):
    """A study to ask under: its title, views with their columns, and the hospitals in force, by label.

    ``active``: how many are in force; a list names none of them, and no view. ``operations``: what they permit.
    """

    id: str
    title: str
    data_set: str
    views: dict[str, tuple[str, ...]]
    hospitals: tuple[str, ...]
    trouble: tuple[Reason, ...] = ()
    active: int = 0
    operations: frozenset[str] = frozenset()


class Looked(msgspec.Struct, frozen=True):
    """What a check of a question found. ``reasons``: why it is not admitted; ``leaves``: what it would let out."""

    question: Question
    columns: tuple[OutputColumn, ...] = ()
    reasons: tuple[Reason, ...] = ()
    repairs: tuple[Repair, ...] = ()
    leaves: Leaves | None = None
    prediction: Prediction | None = None
    python: str = ""
    cli: str = ""
    price: str = ""

    @property
    def admitted(self) -> bool:
        """Whether it may be asked."""
        return self.leaves is not None


class WorkCalls(RunCalls):
    """Questions, runs and results of one researcher's seat. For several threads."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        super().__init__(seat, lines)
        self.counts = Counts(seat, lines)
        self._persons: Remembered[tuple[str, str], tuple[Instant, int]] = Remembered(_PERSONS_KEPT)

    # --- the workbench ---------------------------------------------------------------------------

    def studies(self) -> tuple[Bench, ...]:
        """Studies with an agreement in force, the newest change first, ``STUDIES_SHOWN`` at most; found at the hub."""
        from xinglin.sdk.access import Access

        with self._space() as space:
            titles = self._titles(space)
            lines = Access(space).studies(states=("in-force",), most=STUDIES_SHOWN).lines
            return tuple(
                Bench(one.study, one.title or titles.get(one.study, one.study), one.data_set, {}, (), active=one.active)
                for one in lines
            )

    def bench(self, study: str) -> Bench:
        """A study to ask under; raises ``NotThere`` for anybody else's."""
        with self._space() as space:
            return _bench(space, self._study(space, study))

    def look(self, words: Words, question: Question, *, deep: bool = True) -> Looked:
        """Admit a question and say what it would let out. Reads no row, and tells nobody of the question.

        ``deep``: with edits that would mend a refusal, each judged.
        """
        with self._space() as space:
            study = self._study(space, question.study)
            found = self._looked(words, space, study, question)
            return self._with_repairs(words, space, study, found) if found.reasons and deep else found

    def first(self, words: Words, bench: Bench, view: str = "") -> Looked:
        """A question to begin with: every column of ``view``, or of the first view with something to describe.

        Columns that hospitals publish differently are bounded, or left out, so that what stands there can be asked.
        """
        people = sorted(bench.views, key=lambda name: not name.startswith(("patient", "person")))
        views = [view] if view in bench.views else people
        begun = Question(bench.id)
        for name in views[:_VIEWS_TRIED]:
            begun = Question(bench.id, f"SELECT {', '.join(bench.views[name])}\nFROM {name}")
            looked = self.look(words, begun, deep=False)
            if any(reason.code == "sdk.domain_differs" for reason in looked.reasons):
                looked = self.look(words, self._bounded(begun, name, bench.views[name]), deep=False)
            if looked.admitted:
                return looked
        return self.look(words, begun)

    def mended(self, words: Words, question: Question, error: XinglinError) -> Looked:
        """A question that was refused when it was asked: the reasons, and edits that may mend it."""
        with self._space() as space:
            study = self._study(space, question.study)
            found = self._looked(words, space, study, question)
            refused = msgspec.structs.replace(found, leaves=None, prediction=None, reasons=_reasons_of(error))
            return self._with_repairs(words, space, study, refused)

    def start(self, question: Question) -> str:
        """Ask it: the run's id. Returns as soon as the hub has it; raises ``Refused`` with every reason."""
        with self._space() as space:
            data = self._data(self._study(space, question.study), question)
            algorithm, params = call_of(question)
            return data.ask(algorithm, **params).id

    def _with_repairs(self, words: Words, space: Space, study: Study, found: Looked) -> Looked:
        try:
            views = study.views()
        except XinglinError:
            views = {}
        fitted = self._fitted(study, found.question)
        edits = repairs_of(words, found.question, found.reasons, found.columns, views, fitted)
        judged = [(one, self._looked(words, space, study, one.question)) for one in edits]
        told = tuple(msgspec.structs.replace(one, admitted=seen.admitted) for one, seen in judged)
        return msgspec.structs.replace(found, repairs=told)

    def _bounded(self, question: Question, view: str, columns: Sequence[str]) -> Question:
        """The same over the columns of a view that can be bounded, without those of which a list would be long."""
        with self._space() as space:
            study = self._study(space, question.study)
            try:
                differing = study.differing(question.sql)
            except XinglinError:
                return question
            short = [one for one in columns if one not in differing or _is_short(differing[one])]
            kept = msgspec.structs.replace(question, sql=f"SELECT {', '.join(short)}\nFROM {view}")
            return msgspec.structs.replace(kept, sql=self._fitted(study, kept)) if short else question

    def _fitted(self, study: Study, question: Question) -> str:
        try:
            return study.fitted(question.sql, hospitals=list(question.hospitals) or None)
        except XinglinError:
            return question.sql

    def _looked(self, words: Words, space: Space, study: Study, question: Question) -> Looked:
        columns: tuple[OutputColumn, ...] = ()
        try:
            data = self._data(study, question)
            columns = data.scope.columns
            question = with_defaults(question, columns)
            algorithm, params = call_of(question)
            preview = data.preview(algorithm, **params)
            plan = data.plan(algorithm, as_of=0, **params)
        except XinglinError as error:
            python, cli = _same(question, study.title)
            return Looked(question, columns, _reasons_of(error), python=python, cli=cli)
        names = space.names()
        before, compared, similar = self._earlier(words, plan)
        leaves = leaves_of_question(
            words, data, preview, names=names, plan=plan, before=before, compared=compared, similar=similar
        )
        python, cli = _same(question, study.title)
        noise = preview.noise
        return Looked(
            question, columns, leaves=leaves, prediction=self._predicted(space, data, preview), python=python, cli=cli,
            price=noise.epsilon if noise else "",
        )  # fmt: skip

    def _predicted(self, space: Space, data: Data, preview: Preview) -> Prediction:
        from xinglin.console.preview import pack_of
        from xinglin.privacy.packs.carried import least_shown
        from xinglin.sdk.plans import algorithm_of

        built = algorithm_of(data.scope, preview.algorithm, preview.params)
        smallest = least_shown(pack_of(data.scope.rules, data.scope.disclosure))
        return predicted(built, smallest, self._known(space, data))

    def _known(self, space: Space, data: Data) -> Known:
        """About how many persons: of this account's own earlier answers to the same SQL, else as published."""
        opened = [one for run, one in self._results.every() if self._plan(run)[0].sql == data.sql]
        shares: dict[str, dict[str, float]] = {}
        persons: int | None = None
        for one in opened:
            used = one.payload.get("persons_used")
            persons = used if isinstance(used, int) and used > (persons or 0) else persons
            shares |= _shares_told(one.payload)
        if persons is not None:
            return Known(persons, "earlier", shares)
        for view, count in self.counts.of(data.study.id).items():
            if count.persons and re.search(rf"\b{re.escape(view)}\b", data.sql):
                return Known(count.persons, "count", shares)
        published = self._published(space, data)
        return Known(published or None, "published" if published else "", shares)

    def _published(self, space: Space, data: Data) -> int:
        """Persons that the hospitals of a question publish of the data set, in all; 0 where one says nothing."""
        from xinglin.sdk.catalogue import Catalogue

        counts, now = [], self._lines.clock()
        for did in data.scope.roster:
            key = (did, data.study.data_set)
            at, found = self._persons.get(key) or (0, 0)
            if now - at > _PUBLISHED_MS:
                try:
                    found = Catalogue(space).entry("#".join(key)).entry.persons
                except XinglinError:
                    found = 0
                self._persons.put(key, (now, found))
            counts.append(found)
        return sum(counts) if all(counts) else 0

    def _earlier(self, words: Words, plan: Plan) -> tuple[Plan | None, str, list[Similar]]:
        """The plan of the last release of this study, and releases like this one."""
        released = [one for one in self._own_runs() if one.plan.study == plan.study and self._released(one.id)]
        if not released:
            return None, "", []
        alike = [one for one in released if one.plan.algorithm == plan.algorithm]
        similar = [
            Similar(
                f"{operation_words(words, one.plan.algorithm)} · {one.id[:12]}",
                f"/runs/{segment(one.id)}",
                one.at,
                _question(one.plan) == _question(plan),
            )
            for one in alike[:_SIMILAR]
        ]
        last = released[0]
        return last.plan, last.id[:12], similar

    def _data(self, study: Study, question: Question) -> Data:
        return study.sql(question.sql, hospitals=list(question.hospitals) or None)


def _is_short(fit: Fit | None) -> bool:
    return fit is not None and len(fit.levels) <= _LEVELS_WRITTEN


def _bench(space: Space, study: Study) -> Bench:
    names = space.names()
    held = {did: one for did, one in sorted(study.agreements.items()) if study.state_of(one) == "active"}
    operations = frozenset(name for one in held.values() for name in one.agreement.terms.operations)
    views: dict[str, tuple[str, ...]] = {}
    trouble: tuple[Reason, ...] = ()
    try:
        views = study.views()
    except XinglinError as error:
        trouble = _reasons_of(error)
    hospitals = tuple(names.get(did, did) for did in held)
    return Bench(study.id, study.title, study.data_set, views, hospitals, trouble, len(held), operations)


def _reasons_of(error: XinglinError) -> tuple[Reason, ...]:
    given: tuple[Reason, ...] = getattr(error, "reasons", ())
    return given or (Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),)


def _same(question: Question, title: str) -> tuple[str, str]:
    """The question in Python and as a command; empty where a field is not filled in."""
    try:
        return python_of(question, title), cli_of(question, title)
    except XinglinError:
        return "", ""


def _question(plan: Plan) -> tuple[Any, ...]:
    return plan.sql, plan.algorithm, plan.params, plan.roster


def _shares_told(payload: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Shares of a cross table's margins, as far as they were told."""
    total = payload.get("total")
    if "row_levels" not in payload or not isinstance(total, int | float) or not total:
        return {}
    found: dict[str, dict[str, float]] = {}
    for name, levels, totals in (
        (payload["rows"], payload["row_levels"], payload["row_totals"]),
        (payload["columns"], payload["column_levels"], payload["column_totals"]),
    ):
        found[name] = {level: n / total for level, n in zip(levels, totals, strict=True) if n is not None}
    return found
