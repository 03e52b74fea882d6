"""Parts of one resource: ``Observation/12#1`` belongs to ``Observation/12`` and holds only as long as its version does.

A resource that comes again with fewer parts, or is taken back, leaves rows of parts that nobody repeats. They
are no longer true: a part holds while no newer whole version of its resource, and no newer taking back, is there.
"""

from __future__ import annotations

from xinglin.catalogue.canonical import TAKEN_BACK
from xinglin.lake.current import CurrentRule, quoted

MARK = "#"
"""In an id between a resource's key and the number of its part."""

_VERSION = "row(version_at, recorded_at, batch)"


def has_parts(relation: str, rule: CurrentRule) -> str:
    """A SELECT of whether any fact of ``relation`` is a part."""
    return f"SELECT count(*) > 0 FROM {quoted(relation)} WHERE contains({quoted(rule.fact)}, '{MARK}')"  # noqa: S608


def stale_select(relation: str, rule: CurrentRule, where: str = "") -> str:
    """A SELECT of ``whole`` (``hash`` of a resource's key) and ``since`` of each resource with parts and several
    versions: parts of older versions than ``since`` no longer hold. ``where``: a condition on the rows.
    """
    words = ", ".join(f"'{word}'" for word in TAKEN_BACK)
    status = (rule.status,) if isinstance(rule.status, str) and rule.status else tuple(rule.status)
    taken = " OR ".join(f"{quoted(one)} IN ({words})" for one in status) or "false"
    whole = f"hash({whole_of(rule)})"
    return (
        f"SELECT {whole} AS whole, max({_VERSION}) FILTER (WHERE partial IS NOT TRUE OR {taken}) AS since "  # noqa: S608
        f"FROM {quoted(relation)}{f' WHERE {where}' if where else ''} GROUP BY 1 "
        f"HAVING count(DISTINCT {_VERSION}) > 1 AND bool_or(contains({quoted(rule.fact)}, '{MARK}'))"
    )


def without_stale(select: str, rule: CurrentRule, stale: str) -> str:
    """``select`` without the parts that ``stale`` (a relation of ``stale_select``) says no longer hold."""
    return (
        f"SELECT p.* FROM ({select}) AS p LEFT JOIN {quoted(stale)} AS s "  # noqa: S608 (quoted names)
        f"ON contains(p.{quoted(rule.fact)}, '{MARK}') AND hash({whole_of(rule, 'p.')}) = s.whole "
        f"WHERE s.since IS NULL OR row(p.version_at, p.recorded_at, p.batch) >= s.since"
    )


def whole_of(rule: CurrentRule, prefix: str = "") -> str:
    """The key of the resource that a fact is, or is a part of."""
    return f"split_part({prefix}{quoted(rule.fact)}, '{MARK}', 1)"
