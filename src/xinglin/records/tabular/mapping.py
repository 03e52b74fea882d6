"""A mapping's TOML to values: strict, every mistake with its place, and the nearest name that is known."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, get_args

import msgspec

from xinglin.catalogue.canonical import CanonicalColumn, CanonicalTable
from xinglin.catalogue.canonical_tables import CANONICAL_TABLES, canonical_table
from xinglin.catalogue.model import KINDS, ROLES
from xinglin.kernel.canonical import canonical_digest
from xinglin.records.errors import RecordsError
from xinglin.records.tabular.errors import BadMapping
from xinglin.records.tabular.model import (
    BLOCKS,
    FORMAT,
    MAPPING_BYTES,
    MARKS,
    NAME,
    RANK,
    SYSTEM,
    VALUE,
    Block,
    CodeMap,
    Field,
    Mapping,
    Product,
    Strict,
)

OTHER_READERS = {
    "documents": "xinglin.records.documents.options",
    "genomics": "xinglin.records.genomics.options",
    "hl7v2": "xinglin.records.v2maps.options",
    "omop": "",
}
"""Tables of a mapping that other readers own, and where each is checked; ``[omop]`` is by its reader alone."""
RESULT = "result"
"""The pseudo-field of an observation that is taken apart: number, comparator, unit, titre, words, range."""

FORMATS = ("", "csv", "excel", "parquet", "jsonl")
LOSSES = ("equivalent", "wider", "narrower", "related", "unmapped")
OTHERS = ("null", "keep")
KEEPS = ("all", "last")
_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}\Z")


def parse_mapping(text: str) -> Mapping:
    """The mapping that ``text`` (TOML) writes; raises ``BadMapping`` with the place of the first mistake.

    >>> parse_mapping('version = 1\\nname = "x"\\n[[table]]\\ninto = "patient"\\nid = "Patient/{mrn}"').table[0].into
    'patient'
    """
    return _parsed(text)


@lru_cache(maxsize=64)
def _parsed(text: str) -> Mapping:
    MAPPING_BYTES.check(len(text.encode()))
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadMapping(f"The mapping is not TOML: {error}.", remedy="Mend that line.") from error
    _check_others(text, value)
    if value and set(value) <= set(OTHER_READERS):
        return msgspec.convert({"version": FORMAT, "name": "", **value}, Mapping)
    version = value.get("version")
    if version != FORMAT:
        raise BadMapping(
            f"This is version {version!r} of the mapping's format.", path="version", remedy=f"Write version = {FORMAT}."
        )
    _known_keys(value, Mapping, "")
    try:
        mapping = msgspec.convert(value, Mapping)
    except msgspec.ValidationError as error:
        raise BadMapping(f"A value is of the wrong kind: {error}.") from error
    _check(mapping)
    return mapping


def _check_others(text: str, value: dict[str, Any]) -> None:
    """The tables of other readers, each as its reader takes it."""
    for name, home in OTHER_READERS.items():
        if name not in value:
            continue
        if not isinstance(value[name], dict):
            raise BadMapping(f"'{name}' is not a table.", path=name, remedy=f"Write [{name}].")
        if home:
            try:
                import_module(home).options_of(text)
            except RecordsError as error:
                raise BadMapping(error.what, path=name, why=error.why, remedy=error.remedy) from error


def mapping_digest(mapping: Mapping) -> str:
    """``sha256:…`` of the canonical bytes: comments and order of keys do not matter."""
    return canonical_digest(msgspec.to_builtins(mapping))


def names_in(template: str) -> tuple[str, ...]:
    """The columns and marks that a template names, in order.

    >>> names_in("Condition/{visit}-{@rank}")
    ('visit', '@rank')
    """
    return tuple(_TEMPLATE.findall(template))


def columns_of(mapping: Mapping, block: Block | Product) -> frozenset[str]:
    """The sheet's columns that a block needs."""
    wanted: set[str] = {*names_in(block.id), *names_in(block.patient)}
    if isinstance(block, Product):
        wanted |= {column.column or name for name, column in block.columns.items()}
        return frozenset(wanted.difference(MARKS))
    wanted |= {*block.each, *(one.column for one in block.when), block.version_at}
    for field in block.columns.values():
        wanted |= {field.column, *field.first, *names_in(field.text), field.unit_column, field.range_column}
        wanted.add("" if field.words.startswith("=") else field.words)
    return frozenset(wanted.difference(MARKS, {""}))


def nearest(name: str, known: Iterable[str]) -> str:
    """``Did you mean 'x'?``, or the names there are."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, 1, 0.6)
    return f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(choices[:40])}."


def unfold(table: CanonicalTable) -> dict[str, CanonicalColumn]:
    """The logical columns of a canonical table by name."""
    return {column.name: column for column in table.columns}


def _known_keys(value: Any, kind: Any, path: str) -> None:
    """Refuse a key that ``kind`` does not know, before conversion, so that the nearest can be named."""
    struct = _struct_in(kind)
    if struct is not None and isinstance(value, dict):
        hints = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            if key not in hints:
                raise BadMapping(f"'{key}' is not a key here.", path=here, remedy=nearest(key, hints))
            _known_keys(inner, hints[key], here)
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            _known_keys(inner, _inner(kind), f"{path}[{number}]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _known_keys(inner, _inner(kind), f"{path}.{key}")


def _struct_in(kind: Any) -> type[Strict] | None:
    options = (kind, *get_args(kind)) if not _is_container(kind) else ()
    return next((one for one in options if isinstance(one, type) and issubclass(one, Strict)), None)


def _is_container(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) in (tuple, dict)


def _inner(kind: Any) -> Any:
    arguments = [one for one in get_args(kind) if one is not Ellipsis]
    return arguments[-1] if arguments else Any


def _check(mapping: Mapping) -> None:
    BLOCKS.check(len(mapping.table))
    if not mapping.makes_rows and not any(getattr(mapping, name) for name in OTHER_READERS):
        raise BadMapping("The mapping makes nothing.", remedy="Write a [[table]] or a [product].")
    if mapping.source.format not in FORMATS:
        raise BadMapping(
            f"'{mapping.source.format}' is not a format.", path="source.format", remedy=nearest("", FORMATS[1:])
        )
    for number, block in enumerate(mapping.table, 1):
        for found in _check_block(mapping, block, f"table[{number}]"):
            raise found
    for name, codes in mapping.codes.items():
        for found in _check_codes(codes, f"codes.{name}"):
            raise found
    if mapping.product is not None:
        for found in _check_product(mapping.product):
            raise found


def _check_block(mapping: Mapping, block: Block, path: str) -> Iterator[BadMapping]:
    table = canonical_table(block.into)
    if table is None:
        names = [one.name for one in CANONICAL_TABLES]
        yield BadMapping(f"'{block.into}' is not a table.", path=f"{path}.into", remedy=nearest(block.into, names))
        return
    if not names_in(block.id):
        yield BadMapping("The id names no column.", path=f"{path}.id", remedy="Write a template: Encounter/{visit}.")
    if table.of_person and table.name != "patient" and not names_in(block.patient):
        yield BadMapping("The patient is missing.", path=f"{path}.patient", remedy='Write patient = "Patient/{…}".')
    if block.keep not in KEEPS:
        yield BadMapping(f"'{block.keep}' is not known.", path=f"{path}.keep", remedy=nearest(block.keep, KEEPS))
    known = unfold(table)
    extra = {RESULT} if table.name == "observation" else set()
    for name, field in block.columns.items():
        here = f"{path}.columns.{name}"
        if name not in known and name not in extra:
            yield BadMapping(f"'{name}' is not a field of {table.name}.", path=here, remedy=nearest(name, known))
            return
        yield from _check_field(mapping, field, here)
    marks = {one for one in _used(block) if one.startswith("@")}
    for mark in sorted(marks - set(MARKS)):
        yield BadMapping(f"'{mark}' is not a mark.", path=path, remedy=nearest(mark, MARKS))
    if marks & {VALUE, NAME, RANK} and not block.each:
        yield BadMapping(f"{', '.join(sorted(marks))} needs each = [columns].", path=path, remedy="Write each = […].")


def _used(block: Block) -> Iterator[str]:
    yield from (*names_in(block.id), *names_in(block.patient), *(one.column for one in block.when))
    for field in block.columns.values():
        yield from (field.column, *field.first, *names_in(field.text), field.words, field.unit_column)


def _check_field(mapping: Mapping, field: Field, path: str) -> Iterator[BadMapping]:
    ways = [bool(field.column), bool(field.first), bool(field.text), field.const is not None]
    if sum(ways) != 1 and not (sum(ways) == 0 and field.words):
        yield BadMapping("A field comes from one of column, first, text or const.", path=path, remedy="Write one.")
    if field.codes and field.codes not in mapping.codes:
        yield BadMapping(f"There is no [codes.{field.codes}].", path=path, remedy=nearest(field.codes, mapping.codes))


def _check_codes(codes: CodeMap, path: str) -> Iterator[BadMapping]:
    if codes.other not in OTHERS:
        yield BadMapping(f"'{codes.other}' is not known.", path=f"{path}.other", remedy=nearest(codes.other, OTHERS))
    losses = {codes.loss, *(one.loss for one in codes.map.values() if not isinstance(one, str))} - {""}
    for loss in sorted(losses.difference(LOSSES)):
        yield BadMapping(f"'{loss}' is not a loss.", path=path, remedy=nearest(loss, LOSSES))


def _check_product(product: Product) -> Iterator[BadMapping]:
    taken = [name for name, _ in SYSTEM]
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", product.name):
        yield BadMapping(
            "A product's name is lower-case letters, digits and '_'.", path="product.name", remedy="Rename it."
        )
    if canonical_table(product.name) is not None:
        yield BadMapping("That is the name of a canonical table.", path="product.name", remedy="Rename it.")
    if not names_in(product.id) or not names_in(product.patient):
        yield BadMapping("Templates of id and patient name a column.", path="product", remedy='Write id = "{visit}".')
    seen: set[str] = set()
    for name, column in product.columns.items():
        here = f"product.columns.{name}"
        if not _PLAIN.match(name) or name.lower() in seen:
            yield BadMapping("A published name is plain and unique.", path=here, remedy="Rename it; write column = ….")
        if name.lower() in taken:
            yield BadMapping("That name is the lake's own.", path=here, remedy=f"Rename it to '{name}_source'.")
        seen.add(name.lower())
        if column.kind not in KINDS:
            yield BadMapping(f"'{column.kind}' is not a kind.", path=here, remedy=nearest(column.kind, KINDS))
        if column.role not in ROLES:
            yield BadMapping(f"'{column.role}' is not a role.", path=here, remedy=nearest(column.role, ROLES))
