"""An OMOP database as one object: an archive of its tables, or one of them alone.

1. Every sheet is recognised by its columns. 2. Where the vocabulary (CONCEPT) came along, the concepts that the
other tables use are looked up in it. 3. Each table goes through its mapping by the mapping engine. 4. Concepts
become codes; without a vocabulary they stay themselves, in the system ``urn:omop:concept``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from xinglin.records.model import Read, ReadContext, Reader
from xinglin.records.omop.concepts import CONCEPTS, SEPARATOR, Concept, concept_of, told_by_concepts
from xinglin.records.omop.recognise import CONCEPT, IGNORED, NAME, fitted, omop_mapping, table_of
from xinglin.records.tabular.archive import members
from xinglin.records.tabular.evaluate import Evaluation
from xinglin.records.tabular.model import Mapping, SourceOptions
from xinglin.records.tabular.rows import Chunk
from xinglin.records.tabular.sheets import CSV, EXCEL, format_of, open_sheets

NO_ROWS = "omop: a table that makes no rows here"
FOREIGN = "omop: no table of the data model"
_SOURCES = (
    ("condition_source_value", "condition_source_concept_id"),
    ("drug_source_value", "drug_source_concept_id"),
    ("procedure_source_value", "procedure_source_concept_id"),
    ("measurement_source_value", "measurement_source_concept_id"),
    ("observation_source_value", "observation_source_concept_id"),
    ("device_source_value", "device_source_concept_id"),
    ("visit_source_value", "visit_source_concept_id"),
    ("visit_detail_source_value", "visit_detail_source_concept_id"),
    ("cause_source_value", "cause_source_concept_id"),
    ("unit_source_value", "unit_concept_id"),
)
"""A source's word, and the concept that says what it is."""
_EVENTS = ("condition", "drug", "procedure", "measurement", "observation", "device", "visit", "visit_detail", "cause")
_LOOKED_UP = frozenset(
    (
        *(f"{event}_concept_id" for event in (*_EVENTS, "specimen", "anatomic_site", "note_class", "value_as", "unit")),
        *(name for _, name in _SOURCES),
    )
)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[omop]`` table of a mapping. ``zone``: of OMOP's local times, empty for the source's."""

    zone: str = ""


class WithOmop:
    """A reader of tables that also reads OMOP databases.

    An object is taken for one where its source has no mapping, or one with an ``[omop]`` table, and a sheet of it has
    the columns of an OMOP table; a source whose mapping is that of one OMOP table is read by it. All others pass by.
    """

    def __init__(self, inner: Reader) -> None:
        self._inner = inner
        self.media_types = inner.media_types

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """Parts in order. Raises what the inner reader raises."""
        kind = _kind(context.mapping)
        if kind == "table":
            for part in self._inner.read(body, context):
                yield msgspec.structs.replace(part, mapped=told_by_concepts(part.mapped, {}))
            return
        if kind == "" or not any(table not in ("", IGNORED, CONCEPT) for _, table in _tables(body)):
            yield from self._inner.read(body, context)
            return
        options = msgspec.convert(tomllib.loads(context.mapping).get("omop", {}), Options)
        yield from _read(body, options.zone or context.zone)


def _kind(mapping: str) -> str:
    """``table``: of one OMOP table; ``database``: none, or of a database; empty: another's."""
    if not mapping.strip():
        return "database"
    try:
        value = tomllib.loads(mapping)
        msgspec.convert(value.get("omop", {}), Options)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        return ""
    if "omop" in value:
        return "database"
    name = value.get("name")
    return "table" if isinstance(name, str) and name.startswith(NAME) else ""


def _sheets(body: bytes) -> Iterator[tuple[str, Iterator[Chunk | Read]]]:
    """Sheets of an object; the vocabulary's files are separated by tabs and quote nothing."""
    for name, data in members(body):
        label = name.rsplit("/", 1)[-1]
        kind = format_of(data)
        options = SourceOptions()
        if kind == EXCEL and label and not label.lower().endswith((".xls", ".xlsx")):
            continue
        if kind == CSV and b"\t" in data[:4096].split(b"\n", 1)[0]:
            options = SourceOptions(delimiter="\t", quote="")
        for sheet, chunks in open_sheets(data, options):
            yield "/".join(part for part in (label, sheet) if part), chunks


def _tables(body: bytes) -> Iterator[tuple[str, str]]:
    """Each sheet and the OMOP table that it is; nothing where the first sheets are none."""
    for sheet, chunks in _sheets(body):
        first = next((part for part in chunks if isinstance(part, Chunk)), None)
        yield sheet, table_of(first.names) if first is not None else ""


def _read(body: bytes, zone: str) -> Iterator[Read]:
    concepts = _concepts(body) if any(table == CONCEPT for _, table in _tables(body)) else {}
    for sheet, chunks in _sheets(body):
        evaluation: Evaluation | None = None
        table = ""
        for part in chunks:
            if not isinstance(part, Chunk):
                yield part
                continue
            table = table or table_of(part.names)
            if table in ("", IGNORED, CONCEPT):
                words = NO_ROWS if table else FOREIGN
                yield Read(part.size, ignored={words: part.size})
                continue
            completed = _completed(sheet, part, table, bool(concepts))
            if evaluation is None:
                evaluation = Evaluation(_mapping(table, completed.names), zone)
            read = evaluation.read(completed)
            yield msgspec.structs.replace(read, mapped=told_by_concepts(read.mapped, concepts))
        if evaluation is not None:
            for rest in evaluation.rest():
                yield msgspec.structs.replace(rest, mapped=told_by_concepts(rest.mapped, concepts))


def _mapping(table: str, names: Sequence[str]) -> Mapping:
    return fitted(omop_mapping(table), names)


def _completed(sheet: str, chunk: Chunk, table: str, vocabulary: bool) -> Chunk:
    """The rows with what the mapping takes from two columns: a birth day, and a source's concept beside its word."""
    names = {name.strip().lower(): name for name in chunk.names}
    added: dict[str, list[Any]] = {}
    if table == "person":
        added[names.get("birth_datetime", "birth_datetime")] = _births(chunk, names)
    for word, number in _SOURCES if vocabulary else ():
        if word in names and number in names:
            words = chunk.vector(names[word]).to_list(chunk.size)
            numbers = chunk.vector(names[number]).to_list(chunk.size)
            added[names[word]] = [
                f"{text or ''}{SEPARATOR}{own}" if own else text for text, own in zip(words, numbers, strict=True)
            ]
    if not added:
        return chunk
    columns = {name: added.get(name) or chunk.vector(name).to_list(chunk.size) for name in chunk.names}
    columns |= {name: values for name, values in added.items() if name not in columns}
    return Chunk(sheet, list(columns), columns, chunk.lines, frozenset(("",)))


def _births(chunk: Chunk, names: dict[str, str]) -> list[str | None]:
    """The day of birth where it is told, as precisely as it is."""

    def column(name: str) -> list[Any]:
        return chunk.vector(names[name]).to_list(chunk.size) if name in names else [None] * chunk.size

    made: list[str | None] = []
    parts = (column("birth_datetime"), column("year_of_birth"), column("month_of_birth"), column("day_of_birth"))
    for whole, year, month, day in zip(*parts, strict=True):
        text = whole[:10] if whole else None
        if text is None and year and year.isdecimal():
            text = year.zfill(4)
            for part in (month, day):
                if not part or not part.isdecimal():
                    break
                text += f"-{part.zfill(2)}"
        made.append(text)
    return made


def _concepts(body: bytes) -> dict[str, Concept]:
    """The concepts that the tables use, by their number as text."""
    used: set[str] = set()
    for _, chunks in _sheets(body):
        for part in chunks:
            if not isinstance(part, Chunk):
                continue
            if table_of(part.names) in ("", IGNORED, CONCEPT):
                break
            for name in part.names:
                if name.strip().lower() in _LOOKED_UP:
                    used.update(value for value in part.vector(name).values if value)
            CONCEPTS.check(len(used))
    used.discard("0")
    found: dict[str, Concept] = {}
    for _, chunks in _sheets(body):
        for part in chunks:
            if not isinstance(part, Chunk):
                continue
            if table_of(part.names) != CONCEPT:
                break
            _look_up(part, used, found)
    return found


def _look_up(chunk: Chunk, used: set[str], found: dict[str, Concept]) -> None:
    names = {name.strip().lower(): name for name in chunk.names}
    wanted = ("concept_id", "concept_code", "vocabulary_id", "concept_name")
    columns = [chunk.vector(names[name]).to_list(chunk.size) if name in names else [""] * chunk.size for name in wanted]
    for number, code, vocabulary, words in zip(*columns, strict=True):
        if number in used and code and vocabulary:
            found[number] = concept_of(code, vocabulary, words or "")
