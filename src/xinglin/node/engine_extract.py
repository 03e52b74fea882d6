"""An extract in the computing child: its rows are read, protected and written here, and only what is protected leaves.

1. query. 2. de-identify by the profile. 3. k-anonymous, together with every earlier extract too. 4. mark for the
recipient. 5. measure again what the marked table holds. 6. write files and manifest. A part that is not there, or that
fails, ends it: nothing is handed on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xinglin.gate.model import ExtractGuard
from xinglin.kernel.canonical import canonical_bytes, canonical_digest
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.lake.query import PERSON, QuerySession
from xinglin.node import extract_fhir
from xinglin.node.engine_messages import Extract, Extracted, Load, Refusal
from xinglin.node.engine_sets import keep_counted
from xinglin.node.extract_beside import Beside
from xinglin.node.extract_columns import PERSON_COLUMN, Columns, columns_of, parquet_of
from xinglin.node.extract_lineage import Origin, joined, origins
from xinglin.node.extract_mark import Given, Marking, set_mark
from xinglin.node.extract_roles import declared_sensitive, declared_unordered, stored, telling
from xinglin.node.extract_selection import picked_by
from xinglin.node.extract_told import band, risks_of_extract, upwards
from xinglin.terms.extracts import ExtractAsk, decimal
from xinglin.wire.extracts import ROWS_FILE, ColumnSaid, ExtractFile, ExtractManifest

if TYPE_CHECKING:
    from xinglin.analysis.admit import Admitted, OutputColumn
    from xinglin.privacy.anonymity import Anonymised, Report, Rules
    from xinglin.privacy.deidentify import Action, Compiled, Keys, Profile

SAMPLE_ROWS = 20
"""Rows as they would leave that a reviewer looks at."""
_PARQUET = "application/vnd.apache.parquet"


def extracted(request: Extract, load: Load, admitted: Admitted, engine: QuerySession) -> Extracted | Refusal:
    """The extract of an admitted query; ``Refusal`` where the protections cannot all be carried out."""
    try:
        return _extracted(request, load, admitted, engine)
    except XinglinError as error:
        return Refusal((Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),))


def _extracted(request: Extract, load: Load, admitted: Admitted, engine: QuerySession) -> Extracted | Refusal:
    from xinglin.privacy.anonymity import Quasi, check

    ask = request.ask
    tables = {table.name: [column.name for column in table.columns] for table in load.tables}
    came = origins(load.sql, admitted.columns, load.cohort, tables)
    profile, compiled, keys = _compiled(request)
    refused = _not_to_be_run(load, tables, compiled, came)
    if refused:
        return Refusal(refused)
    rows = engine.run(admitted.sql_rewritten)  # 1
    if not rows.num_rows:
        return Refusal(deny("gate.few_persons", "Too few persons are in the extract.", "Ask for more.").reasons)
    order = _order(keys, np.asarray(rows.column(PERSON).to_numpy()))
    rows = rows.take(order)
    persons = np.asarray(rows.column(PERSON).to_numpy())
    keep_counted(request.counted, persons)
    if ask.is_whole:
        from xinglin.node.extract_whole import extracted_whole

        return extracted_whole(request, load, engine, persons.tolist(), profile, keys)
    kept, done = _deidentified(compiled, columns_of(rows, admitted.columns), came, persons)  # 2
    tells = telling(kept, came, compiled.remaining, declared_sensitive(request.profile))
    misfit = _misfit(ask, kept, tells)
    if misfit:
        return Refusal(misfit)
    rules, beside = _rules(ask, kept), Beside(request.earlier, request.index_key)
    anonymous = beside.anonymised(kept, [Quasi(name) for name in ask.quasi if name in kept], rules, persons)  # 3
    if isinstance(anonymous, Denied):
        return Refusal(anonymous.reasons)
    theirs = persons[anonymous.kept]
    index = beside.index(request.draft.run_id, anonymous, theirs, rules)
    if isinstance(index, Denied):
        return Refusal(index.reasons)
    told = {PERSON_COLUMN: _pseudonyms(keys, theirs)} | dict(anonymous.columns)
    given = Given(request.draft.run_id, ask.workspace, request.draft.agreement, request.draft.released, b"")
    described = {column.name: column for column in admitted.columns}
    lists = declared_unordered(request.profile)
    unordered = {name for name in kept if came[name].plain and came[name].published[0] in lists}
    marking = set_mark(told, request.mark_key, given, ask, described, unordered)  # 4
    quasi, sensitive = ([name for name in names if name in kept] for names in (ask.quasi, ask.sensitive))
    # A mark makes two values of one: l and t are of what the values mean, as they were before it.
    meant = {**marking.columns, **{name: told[name] for name in sensitive}}
    measured = check(meant, quasi, persons=theirs, sensitive=sensitive)  # 5
    made = _Made(
        profile, compiled, anonymous, measured, marking, done, described, came, len(persons), index, beside.compared
    )
    return _written(request, made)  # 6


def _compiled(request: Extract) -> tuple[Profile, Compiled, Keys]:
    from datetime import UTC, datetime

    from xinglin.privacy.deidentify import Keys, compile_profile, load_profile, shipped

    profile = load_profile(request.profile) if request.profile else shipped(request.ask.profile)
    # Pseudonyms are of this run alone. Shifts and noise are not: drawn anew for each, several would average them out.
    keys = Keys(f"{request.draft.study}:{request.draft.run_id}", request.draft.data_set, request.secret, steady=True)
    today = datetime.fromtimestamp(request.draft.as_of / 1000, UTC).date()
    return profile, compile_profile(profile, keys, today), keys


def _not_to_be_run(
    load: Load, tables: dict[str, list[str]], compiled: Compiled, came: dict[str, Origin]
) -> tuple[Reason, ...]:
    """Why the query must not be run for an extract: what picks its rows, or a date that would tell its shift."""
    actions = {name: compiled.columns(name) for name in compiled.tables}
    return picked_by(load.sql, load.cohort, tables, actions) or _shift_told(load, actions, came)


def _shift_told(load: Load, actions: dict[str, dict[str, Action]], came: dict[str, Origin]) -> tuple[Reason, ...]:
    """A date told to its month stands on a first day; moved by days it would tell by how many.

    Its precision has to be beside it, from the same row: a query, and a cohort, without a join.
    """
    plain = {origin.published[0] for origin in came.values() if origin.plain}
    without = sorted(
        f"{table}.{column}"
        for table, column in plain
        if (action := actions.get(table, {}).get(column)) is not None
        and action.shift_days
        and f"{column}_precision" in stored(table)
        and ((table, f"{column}_precision") not in plain or joined([load.sql, *(one.select for one in load.cohort)]))
    )
    if not without:
        return ()
    words = f"The profile moves a date that may be known to the month only: {', '.join(without[:8])}."
    remedy = "Select its column of the same name with _precision too, in a query without a join."
    return deny("extract.no_precision", words, remedy).reasons


def _order(keys: Keys, persons: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows by the pseudonym that leaves, drawn by lot within a person: no order of the table is told."""
    lot = np.random.default_rng(int.from_bytes(keys.derive("row order"))).permutation(len(persons))
    return np.asarray(lot[np.argsort(_pseudonyms(keys, persons)[lot], kind="stable")], dtype=np.int64)


def _deidentified(
    compiled: Compiled, columns: Columns, came: dict[str, Origin], persons: np.ndarray[Any, np.dtype[Any]]
) -> tuple[Columns, dict[str, str]]:
    """The columns that the profile gives, and in words what was done to each; what it does not name is dropped."""
    actions = {name: compiled.columns(name) for name in compiled.tables}
    handed_on = {came[name].published[0]: values for name, values in columns.items() if came[name].plain}
    kept: Columns = {}
    done: dict[str, str] = {}
    for name, values in columns.items():
        origin = came[name]
        behind = [actions.get(table, {}).get(column) for table, column in origin.published]
        if not behind or any(action is None for action in behind):
            done[name] = "dropped: the profile does not name what it is made of"
        elif all(action is not None and action.do == "keep" for action in behind):
            kept[name], done[name] = values, "kept"
        elif origin.plain:
            (table, column), action = origin.published[0], behind[0]
            beside = {f"{column}_precision": handed_on.get((table, f"{column}_precision"))}
            parts = {part: precision for part, precision in beside.items() if precision is not None}
            given = compiled.table(table, {column: values, **parts}, persons)
            if column in given:
                kept[name], done[name] = given[column], _words(action)
            else:
                done[name] = "dropped"
        else:
            done[name] = "dropped: computed from a column that the profile changes"
    return kept, done


def _words(action: Any) -> str:
    """An action in words: what it does, and by how much."""
    told = {
        name: value for name, value in msgspec.structs.asdict(action).items() if value not in (None, 0, 0.0, "", ())
    }
    do = told.pop("do")
    return f"{do} ({', '.join(f'{name} {value}' for name, value in told.items())})" if told else str(do)


def _misfit(ask: ExtractAsk, kept: Columns, tells: tuple[str, ...]) -> tuple[Reason, ...]:
    """Why the plan's columns are not those that are left; every column that leaves has a role, and ``tells`` one."""
    roles = {*ask.quasi, *ask.sensitive}
    if not kept.keys() & {*ask.quasi}:
        words = "The profile gives none of the quasi-identifying columns."
        return deny("extract.nothing_left", words, "Name a profile that names these columns.").reasons
    without = sorted(kept.keys() - roles)
    if without:
        words = f"Neither quasi-identifying nor sensitive: {', '.join(without[:8])}."
        return deny("extract.no_role", words, "Say of every column which of the two it is.").reasons
    unprotected = [name for name in tells if name not in ask.quasi]
    if unprotected:
        words = f"A person could be found by it, so it is quasi-identifying: {', '.join(unprotected[:8])}."
        remedy = "Name it so; of its own tables a hospital's profile may say that a column is sensitive."
        return deny("extract.no_role", words, remedy).reasons
    return ()


def _rules(ask: ExtractAsk, kept: Columns) -> Rules:
    from xinglin.privacy.anonymity import Rules

    sensitive = tuple(name for name in ask.sensitive if name in kept)
    return Rules(
        k=ask.k,
        l=ask.l if ask.l > 1 and sensitive else None,
        t=float(decimal(ask.t)) if ask.t and sensitive else None,
        sensitive=sensitive,
        suppression=0.0 if ask.t else min(float(decimal(ask.suppressed)), 0.999),
    )


def _pseudonyms(keys: Keys, persons: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    from xinglin.privacy.deidentify.keys import Pseudonyms

    found = Pseudonyms(keys).of_texts([str(one) for one in persons.tolist()])
    return np.array([*found, None], dtype=object)[:-1]


@dataclass(frozen=True)
class _Made:
    """What the steps gave; ``before``: rows of the query; ``index``: for later extracts; ``compared``: earlier ones."""

    profile: Profile
    compiled: Compiled
    anonymous: Anonymised
    measured: Report
    marking: Marking
    done: dict[str, str]
    described: dict[str, OutputColumn]
    came: dict[str, Origin]
    before: int
    index: bytes
    compared: int


def _written(request: Extract, made: _Made) -> Extracted:
    profile, anonymous, measured, marking = made.profile, made.anonymous, made.measured, made.marking
    columns, described, before = marking.columns, made.described, made.before
    ask, draft = request.ask, request.draft
    files, grade = _files(ask, columns, draft), _grade(made, ask)
    said = tuple(
        ColumnSaid(
            name,
            _kind(columns.get(name)),
            _role(ask, name),
            _told(name, ask, words, marking),
            *_range(columns.get(name), described[name]),
        )
        for name, words in made.done.items()
    )
    digest = canonical_digest(msgspec.to_builtins(profile))
    t = upwards(measured.t) if measured.t is not None else ""
    manifest = msgspec.structs.replace(
        draft,
        profile_digest=digest,
        grade=grade,
        rows=measured.rows,
        persons=measured.persons,
        left_out=before - measured.rows,
        k=measured.k,
        l=measured.l or 0,
        t=t,
        risks=risks_of_extract(anonymous, measured),
        columns=said,
        files=tuple(
            ExtractFile(name, _media(name), len(data), hashlib.sha256(data).hexdigest())
            for name, data in sorted(files.items())
        ),
    )
    guard = ExtractGuard(
        rows=measured.rows,
        persons=measured.persons,
        left_out=before - measured.rows,
        profile=profile.name,
        profile_digest=digest,
        k=measured.k,
        l=measured.l or 0,
        t=t,
        mark=canonical_digest({"agreement": draft.agreement, "at": draft.released}) if marking.is_set else "",
        recipient=draft.recipient,
        size_bytes=sum(map(len, files.values())),
        grade=grade,
        compared=made.compared,
    )
    shown = _shown(manifest, ask, marking, columns, made.compared)
    return Extracted(canonical_bytes(manifest), files, guard, shown, marking.said, made.index)


def _grade(made: _Made, ask: ExtractAsk) -> int:
    """The grade of what is in the extract, with the risk that was measured on its marked rows.

    Of canonical tables the definitions say what tells a person; of the hospital's own, the plan's roles do: no view
    holds a column that the hospital published as an identifier, nor free text.
    """
    from xinglin.catalogue.canonical_tables import canonical_table
    from xinglin.privacy.deidentify.grading import Remaining, Risk, grade_of

    telling = {one.place: one for one in made.compiled.remaining if one.form == "tables"}
    remaining = []
    for name in made.marking.columns.keys() & made.came.keys():
        for table, column in made.came[name].published:
            place = f"{table}.{column}"
            if canonical_table(table) is not None and place in telling:
                remaining.append(telling[place])
            elif canonical_table(table) is None and name in ask.quasi:
                remaining.append(Remaining("tables", place, "quasi"))
    return grade_of(tuple(remaining), Risk(made.measured.risks.prosecutor))


def _files(ask: ExtractAsk, columns: Columns, draft: ExtractManifest) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if "parquet" in ask.formats:
        told = {"xinglin.run": draft.run_id, "xinglin.study": draft.study, "xinglin.recipient": draft.recipient}
        files[ROWS_FILE] = parquet_of(columns, told)
    if "fhir" in ask.formats:
        files |= extract_fhir.ndjson_of(columns, draft.run_id, draft.study)
    return files


def _shown(manifest: ExtractManifest, ask: ExtractAsk, marking: Marking, columns: Columns, compared: int) -> bytes:
    """What a reviewer looks at: bands instead of counts, what was done, what it holds, and rows as they would leave."""
    plain = msgspec.to_builtins(manifest)
    told = ("study", "data_set", "recipient", "agreement", "profile", "grade", "k", "l", "t", "risks", "columns")
    page = {name: plain[name] for name in told} | {
        "rows": band(manifest.rows),
        "persons": band(manifest.persons),
        "left_out": band(manifest.left_out),
        "asked": {"k": ask.k, "l": ask.l, "t": ask.t, "suppressed": ask.suppressed},
        "mark": marking.words,
        "earlier_extracts": f"compared with {compared}: joined with them nobody is among fewer than k",
        "files": [{"name": one.name, "size_bytes": one.size_bytes} for one in manifest.files],
        "sample": list(extract_fhir.rows_of(columns, SAMPLE_ROWS)),
    }
    return msgspec.json.encode(page)


def _told(name: str, ask: ExtractAsk, words: str, marking: Marking) -> str:
    parts = [words, *(["generalised to k"] if name in ask.quasi and not words.startswith("dropped") else [])]
    return "; ".join([*parts, *([marking.columns_said[name]] if name in marking.columns_said else [])])


def _kind(values: np.ndarray[Any, np.dtype[Any]] | None) -> str:
    if values is None:
        return ""
    return "text" if values.dtype.kind == "O" else "number"


def _range(values: np.ndarray[Any, np.dtype[Any]] | None, described: OutputColumn) -> tuple[float | None, float | None]:
    """The published range of a column that is still of numbers: a fact about the table, not about these rows."""
    numbers = values is not None and values.dtype.kind != "O"
    return (described.low, described.high) if numbers else (None, None)


def _role(ask: ExtractAsk, name: str) -> str:
    return "quasi" if name in ask.quasi else "sensitive"


def _media(name: str) -> str:
    return _PARQUET if name.endswith(".parquet") else extract_fhir.NDJSON
