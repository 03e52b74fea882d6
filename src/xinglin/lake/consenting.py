"""The row filter: persons who may not be used leave a session before anything else reads its rows.

Persons are filtered where their codes are made, over distinct keys: a table's view joins the codes anyway, so that
rows of persons without a code are in no view, and the query that a study runs does no further work.
A key stands for a patient record or for a person; what is said of one record holds for all records of that person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.lake.current import quoted
from xinglin.terms.consent import PersonFilter

if TYPE_CHECKING:
    import pyarrow as pa

WITHOUT = "__persons_without"
ONLY = "__persons_only"


def key_lists(persons: PersonFilter) -> dict[str, pa.Table]:
    """The filter's keys as tables of one column ``key``, by name; none where everybody is let through."""
    import pyarrow as pa

    lists = {WITHOUT: persons.without} if persons.without else {}
    if persons.only is not None:
        lists[ONLY] = persons.only
    return {name: pa.table({"key": pa.array(list(keys), pa.string())}) for name, keys in lists.items()}


def expanded_select(keys: str, links: str) -> str:
    """Keys with the persons that they are linked to; ``links``: a relation of ``patient, person``, or empty.

    >>> expanded_select("said", "")
    'SELECT DISTINCT key FROM "said"'
    """
    if not links:
        return f"SELECT DISTINCT key FROM {quoted(keys)}"  # noqa: S608 (quoted names of the node)
    return (
        f"SELECT key FROM {quoted(keys)} UNION "  # noqa: S608 (quoted names of the node)
        f"SELECT l.person FROM {quoted(links)} AS l JOIN {quoted(keys)} AS k ON l.patient = k.key"
    )


def kept_where(key: str, persons: PersonFilter) -> str:
    """The WHERE of a SELECT over ``key`` that leaves out whom the filter removes; empty where it removes nobody.

    >>> kept_where("patient", PersonFilter())
    ''
    """
    rules, own = [], quoted(key)
    if persons.without:
        rules.append(f"NOT EXISTS (SELECT 1 FROM {quoted(WITHOUT)} AS w WHERE w.key = {own})")  # noqa: S608 (quoted)
    if persons.only is not None:
        rules.append(f"EXISTS (SELECT 1 FROM {quoted(ONLY)} AS o WHERE o.key = {own})")  # noqa: S608 (quoted)
    return f" WHERE {' AND '.join(rules)}" if rules else ""


def let_through(found: str, *, without: bool, only: bool) -> str:
    """``found`` (a SELECT of ``key, person``) without the persons that the filter removes."""
    names, rules = ("key", "person"), []
    if without:
        rules += [f"NOT EXISTS (SELECT 1 FROM {quoted(WITHOUT)} AS w WHERE w.key = p.{c})" for c in names]  # noqa: S608
    if only:
        either = (f"EXISTS (SELECT 1 FROM {quoted(ONLY)} AS o WHERE o.key = p.{c})" for c in names)  # noqa: S608
        rules.append(f"({' OR '.join(either)})")
    return f"SELECT p.key, p.person FROM ({found}) AS p WHERE {' AND '.join(rules)}" if rules else found  # noqa: S608
