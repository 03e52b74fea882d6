"""A mapping as frozen values. Version 1; append-only; ``mapping.parse_mapping`` reads its TOML."""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.kernel.limits import Limit

FORMAT = 1
MAPPING_BYTES = Limit("mapping", 4 * 1024 * 1024, "bytes")
BLOCKS = Limit("blocks of a mapping", 256, "blocks")
COLUMNS = Limit("columns of a sheet", 4_096, "columns")

VALUE, NAME, RANK, LINE, DIGEST, SHEET = "@value", "@name", "@rank", "@line", "@digest", "@sheet"
MARKS = (VALUE, NAME, RANK, LINE, DIGEST, SHEET)
"""What a mapping may say in place of a column: the value, name and order of the column that ``each`` is at; the
line; a digest of the whole row; the sheet's name."""

SYSTEM: tuple[tuple[str, str], ...] = (
    ("id", "text"),
    ("patient", "text"),
    ("version_at", "instant"),
    ("partial", "boolean"),
    ("cleared", "text"),
    ("recorded_at", "instant"),
    ("batch", "integer"),
    ("source", "text"),
    ("message", "text"),
    ("place", "text"),
    ("flags", "text"),
)
"""The lake's own columns of every table, as in ``catalogue.canonical.SYSTEM_COLUMNS``."""

Scalar = str | int | float | bool


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a mapping: a key that it does not know is refused."""


class SourceOptions(Strict, frozen=True):
    """How the object is read; what is left out is detected.

    ``format``: csv, excel, parquet or jsonl. ``members``: names wanted from an archive (``*.csv``); ``sheets``: names
    wanted from a workbook. ``header``: number of the row that names the columns, 0 where none does (``columns``
    then names them). ``null``: words that mean "no value". ``zone``: of times that have none.
    """

    format: str = ""
    members: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    encoding: str = ""
    delimiter: str = ""
    quote: str = '"'
    header: int | None = None
    columns: tuple[str, ...] = ()
    null: tuple[str, ...] = ("", "NULL", "null", "\\N")
    zone: str = ""


class When(Strict, frozen=True, rename={"among": "in", "not_among": "not_in"}):
    """One condition on a row; all that it names must hold. ``like`` is a pattern with ``*`` and ``?``.

    ``among`` and ``not_among`` are written ``in`` and ``not_in``.
    """

    column: str
    present: bool | None = None
    equals: Scalar | None = None
    among: tuple[Scalar, ...] | None = None
    not_among: tuple[Scalar, ...] | None = None
    like: str | None = None


class Field(Strict, frozen=True):
    """Where one canonical field comes from: exactly one of ``column``, ``first``, ``text`` or ``const``
    (or ``words`` alone, for a concept that has words and no code).

    ``first``: the first of these columns that has a value. ``text``: a template, ``Encounter/{visit}``. ``codes``:
    the code map that translates it. ``system``: code system of the source's codes; ``standard``: these codes are
    standard codes already. ``words``: the column with the code's words. ``unit`` or ``unit_column``: of a number;
    ``factor`` multiplies it. ``format``: of a date (``%Y%m%d``, or several). ``zone``: of a time. ``yes``, ``no``:
    words of a boolean. ``range_column``: reference range, of ``result``. ``null``: further words for no value.
    """

    column: str = ""
    first: tuple[str, ...] = ()
    text: str = ""
    const: Scalar | None = None
    codes: str = ""
    system: str = ""
    standard: bool = False
    words: str = ""
    unit: str = ""
    unit_column: str = ""
    factor: float = 1.0
    format: str | tuple[str, ...] = ()
    zone: str = ""
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    range_column: str = ""
    null: tuple[str, ...] = ()


class Block(Strict, frozen=True):
    """``[[table]]``: rows of one canonical table out of each row of a sheet.

    ``id`` and ``patient`` are templates of references (``Encounter/{visit}``). ``each``: columns that the block is
    repeated for. ``when``: conditions. ``sheet``: pattern of the sheets that it is for. ``version_at``: the column
    with the time of the last change. ``keep = "last"``: one row an id out of the whole object, the last.
    ``partial``: rows tell only what they fill.
    """

    into: str
    id: str
    patient: str = ""
    words: str = ""
    each: tuple[str, ...] = ()
    when: tuple[When, ...] = ()
    sheet: str = ""
    version_at: str = ""
    keep: str = "all"
    partial: bool = False
    columns: dict[str, Field] = {}


class Code(Strict, frozen=True):
    """A standard code: what the source's word becomes, and what that loses."""

    code: str
    text: str = ""
    system: str = ""
    loss: str = ""


class CodeMap(Strict, frozen=True):
    """``[codes.NAME]``: the source's words to standard codes.

    ``system``: of the standard codes; ``source_system``: of the source's. ``loss``: equivalent, wider, narrower or
    related, where an entry does not say. ``other``: what becomes of a word that is not listed: ``keep`` or ``null``.
    """

    map: dict[str, str | Code]
    system: str = ""
    source_system: str = ""
    loss: str = "equivalent"
    other: str = "null"
    words: dict[str, str] = {}


class ProductColumn(Strict, frozen=True):
    """A published column. ``column``: the source's name where it differs. ``low``, ``high``: published range.

    ``levels``: every published value of a category; ``other``: the level that takes the rest, empty for NULL.
    ``flag``: what was left out of levels or range (``rare_merged``, ``range_clipped``), for the one who confirms it.
    """

    kind: str
    column: str = ""
    role: str = "data"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    other: str = ""
    grade: str = ""
    words: str = ""
    format: str | tuple[str, ...] = ()
    zone: str = ""
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    null: tuple[str, ...] = ()
    flag: str = ""


class Product(Strict, frozen=True):
    """``[product]``: the source's own columns as one wide published table.

    ``id``: template of the row's key. ``patient``: template of the person's reference, stored as ``patient``.
    """

    name: str
    id: str
    patient: str
    columns: dict[str, ProductColumn]
    grade: str = "L2"
    words: str = ""
    sheet: str = ""


class Mapping(Strict, frozen=True):
    """A whole mapping. ``name``: of the source's table; ``version``: of this format.

    ``documents``, ``genomics``, ``hl7v2`` and ``omop`` are the tables of other readers of the same source.
    """

    version: int
    name: str
    words: str = ""
    source: SourceOptions = SourceOptions()
    table: tuple[Block, ...] = ()
    codes: dict[str, CodeMap] = {}
    product: Product | None = None
    documents: dict[str, Any] = {}
    genomics: dict[str, Any] = {}
    hl7v2: dict[str, Any] = {}
    omop: dict[str, Any] = {}

    @property
    def makes_rows(self) -> bool:
        """Whether it says anything of tables, and is not for other readers alone."""
        return bool(self.table) or self.product is not None
