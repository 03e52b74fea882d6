"""Several tables that hang on a person: persons with their number of rows in each table, rows given their person.

The person table is synthesised with a column more for each child table: how many rows a person has there. A child
table is synthesised as rows beside the attributes of their person that were named, and drawn given them.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import msgspec
import numpy as np

from xinglin.privacy.noise import to_epsilon
from xinglin.privacy.synthesis.coding import Coding, Columns, Values, encode, rows_of
from xinglin.privacy.synthesis.draw import draw_codes, generator
from xinglin.privacy.synthesis.errors import BadColumns, BadModel, BadSchema, SynthesisError, TooWide
from xinglin.privacy.synthesis.fitting import bounded, check_method, code_columns, fit_codes
from xinglin.privacy.synthesis.meter import Entropy, Meter
from xinglin.privacy.synthesis.model import MAX_MODEL_BYTES, MAX_ROWS, VERSION, Guarantee, Model, checked
from xinglin.privacy.synthesis.rules import keep_rules
from xinglin.privacy.synthesis.schema import Column, Schema

MAX_TABLES = 16
COUNT_BINS = 24


class Child(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table whose rows belong to persons.

    ``key``: the column that names the person. ``rows_per_person``: the most rows that a person has; others are left
    out by lot. ``given``: columns of the person table that its rows may depend on. ``weight``: its part of the budget,
    beside the others' and the person table's.
    """

    name: str
    schema: Schema
    key: str
    rows_per_person: int
    given: tuple[str, ...] = ()
    weight: int = 1


class Linked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The person table ``name`` (one row a person, named by ``key``) and the tables that hang on it."""

    name: str
    schema: Schema
    key: str
    children: tuple[Child, ...]
    weight: int = 1

    def __post_init__(self) -> None:
        names = [self.name, *(child.name for child in self.children)]
        if len(set(names)) != len(names) or not all(names):
            raise BadSchema("Each table has a name of its own.")
        if len(names) > MAX_TABLES:
            raise TooWide(f"At most {MAX_TABLES} tables can be synthesised together.")
        if min([self.weight, *(child.weight for child in self.children)]) < 1:
            raise BadSchema("Each table has a part of the budget: a weight of at least 1.")
        keyed = [(self.key, self.schema), *((child.key, child.schema) for child in self.children)]
        if any(column.name == key for key, schema in keyed for column in schema.columns):
            raise BadSchema("A table's key is a column of its own, beside the schema's.")
        for child in self.children:
            check_method("aim", child.rows_per_person)
            for name in child.given:
                self.schema.column(name)
            if len(set(child.given)) != len(child.given):
                raise BadSchema(f"{child.name!r} names a column of the person twice.")
            Schema((*(self._given(name) for name in child.given), *child.schema.columns))

    def _given(self, name: str) -> Column:
        return msgspec.structs.replace(self.schema.column(name), name=f"{self.name}.{name}")

    def with_counts(self) -> Schema:
        """The person table's schema with a count for each child table."""
        counts = tuple(
            Column(count_name(child), "integer", low=0, high=child.rows_per_person, bins=COUNT_BINS, missing=False)
            for child in self.children
        )
        return Schema((*self.schema.columns, *counts), self.schema.rules)


def count_name(child: Child) -> str:
    """The column of the person table that says how many rows of ``child`` a person has."""
    return f"rows of {child.name}"


class LinkedModel(msgspec.Struct, frozen=True):
    """A model of all tables. Version 1; append-only."""

    linked: Linked
    person: Model
    children: tuple[Model, ...]
    version: int = VERSION

    @property
    def rho_units(self) -> int:
        """Of all tables together, in 10^-12 rho: what the person pays who has rows in each."""
        return self.person.rho_units + sum(child.rho_units for child in self.children)

    def guarantee(self, delta: Fraction) -> Guarantee:
        """The guarantee for a person with all rows in all tables, as (ε, δ); ``delta`` in (0, 1)."""
        most = 1 + sum(child.rows_per_person for child in self.linked.children)
        epsilon = Fraction(to_epsilon(self.rho_units, delta))
        return Guarantee(self.rho_units, epsilon, delta, most, "a person with all rows in all tables")

    def draw(self, persons: int, entropy: Entropy) -> dict[str, Columns]:
        """Tables of ``persons`` new persons; keys are texts of their own, the same in every table; rules kept.

        Guarantee: post-processing of the model. Raises ``TooWide`` above ``model.MAX_ROWS`` rows of a table.
        """
        if not 0 <= persons <= MAX_ROWS:
            raise TooWide(f"From 0 to {MAX_ROWS} persons can be drawn at once.")
        random = generator(entropy)
        codes = draw_codes(self.person.calibrated(), persons, random)
        drawn = keep_rules(self.person.decode(codes, random), self.linked.with_counts())
        keys = np.array([f"person-{number:08d}" for number in range(persons)], dtype=object)
        own = {column.name: drawn[column.name] for column in self.linked.schema.columns}
        tables = {self.linked.name: {self.linked.key: keys, **own}}
        known = [column.name for column in self.linked.schema.columns]
        for child, model in zip(self.linked.children, self.children, strict=True):
            counts = drawn[count_name(child)].astype(np.int64)
            if int(counts.sum()) > MAX_ROWS:
                raise TooWide(f"{child.name!r} would have more than {MAX_ROWS} rows.")
            owner = np.repeat(np.arange(persons), counts)
            given = {place: codes[owner, known.index(name)] for place, name in enumerate(child.given)}
            rows = draw_codes(model.calibrated(), len(owner), random, given)
            values = model.decode(rows, random)
            beside = {f"{self.linked.name}.{name}": own[name][owner] for name in own}
            kept = keep_rules({one.name: values[one.name] for one in child.schema.columns}, child.schema, beside)
            tables[child.name] = {child.key: keys[owner], **kept}
        return tables

    def to_bytes(self) -> bytes:
        """The model as bytes (MessagePack), with its version."""
        return msgspec.msgpack.encode(self)


def linked_from_bytes(data: bytes) -> LinkedModel:
    """The model of ``to_bytes``; raises ``BadModel`` for other bytes, or a version that is not known here."""
    if len(data) > MAX_MODEL_BYTES:
        raise BadModel(f"A model has at most {MAX_MODEL_BYTES} bytes.")
    try:
        found = msgspec.msgpack.decode(data, type=LinkedModel)
    except (msgspec.MsgspecError, SynthesisError) as error:
        raise BadModel("These bytes are no model of linked tables.") from error
    if {found.version, found.person.version, *(child.version for child in found.children)} != {VERSION}:
        raise BadModel(f"The model is of another version; this program knows {VERSION}.")
    if len(found.children) != len(found.linked.children):
        raise BadModel("The parts of the model do not fit each other.")
    for one in (found.person, *found.children):
        checked(one)
    return found


def fit_linked(
    tables: Mapping[str, Mapping[str, Values]],
    linked: Linked,
    rho_units: int,
    entropy: Entropy,
    method: str = "aim",
) -> LinkedModel:
    """Fit models of a person table and of what hangs on it, within ``rho_units`` of 10^-12 rho for all together.

    Of several rows of the person table with one key, one is kept; rows that name no person are left out. Raises
    ``BadColumns``, ``BadSchema``, ``TooLittleBudget``.

    Guarantee: domain: tables as ``linked`` says; metric: one person with all rows in all tables added or taken away;
    rho-zCDP with rho = ``rho_units`` · 10^-12: the tables' parts add up, and a table's noise is for all the rows that
    one person may have there (sensitivity: ``rows_per_person``, Euclidean).
    """
    check_method(method, 1)
    for name in (linked.name, *(child.name for child in linked.children)):
        if name not in tables:
            raise BadColumns(f"There is no table {name!r} in what was given.")
    parts = _parts(linked, rho_units)
    person, places = _persons(tables[linked.name], linked, entropy)
    rows = {child.name: _rows(tables[child.name], child, places, entropy) for child in linked.children}
    for child in linked.children:
        person[count_name(child)] = np.bincount(rows[child.name][1], minlength=len(places)).astype(np.int64)
    meter = Meter(parts[0], entropy)
    schema = linked.with_counts()
    codings = code_columns(person, schema, meter)
    codes = encode(person, codings)
    first = fit_codes(codes, schema, codings, meter, method)
    known = [column.name for column in schema.columns]
    models = []
    for child, part in zip(linked.children, parts[1:], strict=True):
        columns, owner = rows[child.name]
        meter = Meter(part, entropy, child.rows_per_person)
        own = code_columns(columns, child.schema, meter)
        places_given = [known.index(name) for name in child.given]
        beside = tuple(_renamed(codings[place], f"{linked.name}.{known[place]}") for place in places_given)
        wide = Schema((*(coding.column for coding in beside), *child.schema.columns))
        joined = np.concatenate([codes[owner][:, places_given], encode(columns, own)], axis=1)
        last = tuple(range(len(beside)))
        models.append(fit_codes(joined, wide, (*beside, *own), meter, method, last))
    return LinkedModel(linked, first, tuple(models))


def _parts(linked: Linked, rho_units: int) -> list[int]:
    """The budget in whole units by weight; what does not divide goes to the persons."""
    weights = [linked.weight, *(child.weight for child in linked.children)]
    parts = [rho_units * weight // sum(weights) for weight in weights]
    parts[0] += rho_units - sum(parts)
    return parts


def _persons(table: Mapping[str, Values], linked: Linked, entropy: Entropy) -> tuple[Columns, dict[str, int]]:
    """One row a person, and the place of each key."""
    rows_of(table, linked.schema)
    keys = _keys(table, linked.key, linked.name)
    kept = bounded(keys, 1, entropy)
    columns = {column.name: table[column.name][kept] for column in linked.schema.columns}
    return columns, {key: place for place, key in enumerate(keys[kept].tolist())}


def _rows(
    table: Mapping[str, Values], child: Child, places: Mapping[str, int], entropy: Entropy
) -> tuple[Columns, Values]:
    """Rows of a child table within each person's bound, and the place of their person."""
    rows_of(table, child.schema)
    keys = _keys(table, child.key, child.name)
    owner = np.fromiter((places.get(key, -1) for key in keys.tolist()), np.int64, len(keys))
    known = np.flatnonzero(owner >= 0)
    kept = known[bounded(owner[known], child.rows_per_person, entropy)]
    return {column.name: table[column.name][kept] for column in child.schema.columns}, owner[kept]


def _keys(table: Mapping[str, Values], key: str, name: str) -> Values:
    keys = table.get(key)
    if keys is None or any(len(values) != len(keys) for values in table.values()):
        raise BadColumns(f"{name!r} has no column {key!r} of keys, one a row.")
    return keys.astype(str)


def _renamed(coding: Coding, name: str) -> Coding:
    return msgspec.structs.replace(coding, column=msgspec.structs.replace(coding.column, name=name))
