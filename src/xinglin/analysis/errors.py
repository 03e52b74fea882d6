"""Errors of the room: what a researcher wrote cannot be computed, and what would be."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class AnalysisError(XinglinError):
    """Root of this room's errors."""

    code = "analysis.error"


class FormulaRefused(AnalysisError):
    """A formula outside the allow-list; ``position`` is the 0-based character where reading stopped."""

    code = "analysis.formula_refused"

    def __init__(self, what: str, *, formula: str, position: int, remedy: str = "") -> None:
        super().__init__(
            f"{what} (character {position + 1} of the formula).",
            why="A formula is read against a short list of forms and never evaluated as code.",
            remedy=remedy,
        )
        self.formula, self.position = formula, position


class UnknownColumn(AnalysisError):
    """A column that the query does not give, or gives with another kind."""

    code = "analysis.unknown_column"


class NoPublishedRange(AnalysisError):
    """A number whose published range is missing or does not allow the operation."""

    code = "analysis.no_published_range"


class BadParameters(AnalysisError):
    """Parameters of an algorithm that are missing, unknown or out of range."""

    code = "analysis.bad_parameters"


class BadTable(AnalysisError):
    """A table that does not fit its domain: a fault of the program, never of the data's values."""

    code = "analysis.bad_table"


class BadVector(AnalysisError):
    """A total that does not fit the layout of the round."""

    code = "analysis.bad_vector"


class PackRefused(AnalysisError):
    """A disclosure pack that a pooled answer cannot keep."""

    code = "analysis.pack_refused"
