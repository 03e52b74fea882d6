"""A chart as a value, what labels every chart needs, and the limits of what one picture can tell."""

from __future__ import annotations

import math
from typing import Any, Protocol

import msgspec
from markupsafe import Markup

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

CHART_MARKS = Limit("marks of one chart", 5_000, "marks")
CHART_SERIES = Limit("series of one chart", 6, "series")


class ChartError(XinglinError):
    """A chart cannot be drawn from what was given."""

    code = "console.chart"


class Say(Protocol):
    """Words in the reader's language: ``visit.words.text``."""

    def __call__(self, text: str, /, **values: Any) -> str:
        """The text in the reader's language, its ``%(name)s`` filled in."""
        ...


class Chart(msgspec.Struct, frozen=True):
    """A drawn chart: the picture, its names for who cannot see it, and the table behind it (text, row by row)."""

    svg: Markup
    title: str
    description: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def english(text: str, /, **values: Any) -> str:
    """The words as they stand, in English."""
    return text % values if values else text


def finite(*values: float) -> None:
    """Raise ``ChartError`` for a number that is not one: a chart never draws what it cannot place."""
    if not all(math.isfinite(value) for value in values):
        raise ChartError(
            "A chart was given a number that is not finite.",
            remedy="Leave a value out that is missing, instead of giving NaN or infinity.",
        )


def shown(value: float) -> str:
    """A number as a label: at most six figures, thousands apart."""
    text = f"{value:,.6g}"
    return "0" if text in ("-0", "0") else text
