"""Admission of a study's SQL: one SELECT over the study's views, rewritten so that it never mixes persons.

A statement is not filtered but *compiled*: each node of its tree must have a rule here that writes new
SQL, so what has no rule is refused. The new text is DuckDB's own subset in which every relation carries
the person's code ``__person``: joins, groups, windows and DISTINCT stay inside one person.
Values learned on the way (published range, levels, grade, dependence on a predicate) travel with the columns.
"""

from __future__ import annotations

from collections.abc import Mapping

from xinglin.analysis.admit_model import REWRITTEN_CHARACTERS, Admitted, OutputColumn, ViewColumn, ViewSchema
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.verdict import Denied, deny

__all__ = ["Admitted", "OutputColumn", "ViewColumn", "ViewSchema", "admit"]


def admit(sql: str, views: Mapping[str, ViewSchema], *, cohort: bool = False) -> Admitted | Denied:
    """Admit one SELECT over ``views`` and rewrite it to person scope, or say every reason why not.

    ``cohort``: the text defines an agreement's view, which may hand on dates and keys; a study's own
    query gives numbers, categories and booleans. Raises nothing for any text.
    Guarantee: run on the rows of one person at a time, the rewritten text gives the same rows as on all.
    """
    from xinglin.analysis import admit_statement
    from xinglin.analysis.admit_values import Refused

    try:
        query = admit_statement.compile_text(sql, views)
        columns = tuple(admit_statement.output_columns(query, cohort=cohort))
        text = admit_statement.outermost(query)
    except Refused as refusal:
        return Denied(refusal.reasons)
    except RecursionError:
        return deny("sql.depth", "The query is nested too deeply.", "Split it with WITH.")
    if len(text) > REWRITTEN_CHARACTERS.value:
        return deny("sql.size", "The query is too large once rewritten.", "Use fewer columns or subqueries.")
    touched = tuple(sorted(query.touched))
    digest = canonical_digest({"sql": text, "columns": columns})
    return Admitted(text, columns, query.grade, touched, digest, query.fan_out)
