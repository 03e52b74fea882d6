"""Values of admission: what a view shows, what a query gives, and the limits of its text."""

from __future__ import annotations

import msgspec

from xinglin.analysis.admit_fan_out import FanOut
from xinglin.kernel.limits import Limit

SQL_CHARACTERS = Limit("SQL text", 20_000, "characters")
SQL_TOKENS = Limit("SQL tokens", 5_000, "tokens")
SQL_DEPTH = Limit("nesting of an expression", 60, "levels")
EXPRESSIONS = Limit("expressions of one SELECT", 20_000, "expressions")
LITERAL_CHARACTERS = Limit("literal", 200, "characters")
LIST_ITEMS = Limit("values in an IN list", 500, "values")
OUTPUT_COLUMNS = Limit("columns of a query", 200, "columns")
RELATIONS = Limit("relations a query reads, subqueries counted each time they are used", 48, "relations")
REWRITTEN_CHARACTERS = Limit("rewritten SQL", 400_000, "characters")
KNOWN_VALUES = Limit("listed values of a column that depends on a predicate", 64, "values")
KNOWN_LEVELS = Limit("levels derived for a column", 1_000, "levels")

GRADES = ("L1", "L2", "L3")
KINDS = ("number", "category", "boolean", "date", "key")


class ViewColumn(msgspec.Struct, frozen=True):
    """A column that a study may read, with its published domain.

    ``low`` and ``high`` bound a number, or a date in days since 1970-01-01; values outside are read as
    missing. ``levels`` lists a category's values (empty: not published). A ``key`` column joins,
    groups and counts only. ``chosen``: its value depends on a predicate (indicator); ``values`` lists
    what such a number can be; ``filtered``: a predicate can make it missing; ``stepped``: clipped or rounded.
    """

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    grade: str = "L2"
    integer: bool = False
    identifier: bool = False
    chosen: bool = False
    filtered: bool = False
    values: tuple[float, ...] = ()
    stepped: bool = False


class ViewSchema(msgspec.Struct, frozen=True):
    """The columns of one view; ``relation`` is its name in the engine (default: the view's own name).

    The engine's relation holds these columns and ``__person`` (BIGINT, never NULL).
    """

    columns: tuple[ViewColumn, ...]
    relation: str = ""


class OutputColumn(msgspec.Struct, frozen=True):
    """A column that the query gives: kind, published domain where derivable, grade and lineage.

    ``sources`` are ``view.column`` texts. ``bounded`` is false where a range (number) or levels (category)
    must be declared by the study. ``chosen``: each value is a constant picked by a predicate, so a
    release must count persons for each value of it; ``values`` lists them where they are few. ``stepped``:
    clipped or rounded, so a release must count persons away from its ends (``admit_indicators``).
    """

    name: str
    kind: str
    low: float | None
    high: float | None
    levels: tuple[str, ...]
    integer: bool
    grade: str
    sources: tuple[str, ...]
    chosen: bool = False
    filtered: bool = False
    values: tuple[float, ...] = ()
    stepped: bool = False

    @property
    def bounded(self) -> bool:
        """Whether the domain is known without a declaration."""
        if self.kind == "number":
            return self.low is not None and self.high is not None
        return self.kind == "boolean" or bool(self.levels)

    def as_view_column(self) -> ViewColumn:
        """The same column as a study's view shows it (an agreement's cohort is admitted first)."""
        return ViewColumn(
            self.name, self.kind, self.low, self.high, self.levels, self.grade, self.integer,
            chosen=self.chosen, filtered=self.filtered, values=self.values, stepped=self.stepped,
        )  # fmt: skip


class Admitted(msgspec.Struct, frozen=True):
    """A query that may run: its person-scoped text, its columns and what it touches.

    ``sql_rewritten`` gives ``__person`` and the columns in order. ``grade`` and ``touched`` cover
    predicates and joins too. ``digest`` binds text and columns.
    ``fan_out``: what one person's rows can become.
    """

    sql_rewritten: str
    columns: tuple[OutputColumn, ...]
    grade: str
    touched: tuple[str, ...]
    digest: str
    fan_out: FanOut = FanOut()

    def __bool__(self) -> bool:
        return True
