"""Errors of the views. Those of a definition quote the definition; those of a run never quote a resource."""

from __future__ import annotations

from xinglin.records.errors import RecordsError


class InvalidView(RecordsError):
    """A ViewDefinition that is not one, or that uses what is not in the subset; ``place`` is where (``select[0]``)."""

    code = "views.invalid"

    def __init__(self, what: str, *, place: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(f"{place}: {what}" if place else what, why=why, remedy=remedy)
        self.place = place


class NotOneValue(RecordsError):
    """A column, or an operand, that takes one value was given several."""

    code = "views.many_values"


class NotBoolean(RecordsError):
    """A filter that is neither true nor false nor empty."""

    code = "views.not_boolean"


class TooDeep(RecordsError):
    """A ``repeat`` that goes deeper into a resource than the limit."""

    code = "views.too_deep"
