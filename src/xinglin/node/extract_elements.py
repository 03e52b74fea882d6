"""What of whole FHIR resources an extract may carry: what is agreed, the profile gives and nobody is told by.

An agreement names columns of tables. A resource carries the elements that those columns are made of, and links; of
them what the profile gives; of that nothing by which the definitions say that a person could be told, but dates that
the profile moves, and the elements of Patient that are made k-anonymous.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.verdict import Denied, deny

if TYPE_CHECKING:
    from xinglin.node.engine_messages import Load
    from xinglin.privacy.deidentify import Action, Profile
    from xinglin.terms.agreed import CohortView

LINKS = ("subject", "patient", "encounter", "context", "partOf", "basedOn", "reasonReference", "result")
ALWAYS = ("id", "status", "code", *LINKS)
_WHOLE = frozenset(("resourceType", "meta", *ALWAYS))
PATIENT_KEPT = ("gender", "birthDate", "maritalStatus", "address", "deceasedBoolean")
"""Elements of Patient that may leave, each a quasi-identifying one."""
ADDRESS_KEPT = ("city", "district", "state", "country", "postalCode")
_EVERY_RESOURCE = ("Resource", "DomainResource")
_PLAIN_CLAUSES = ("where", "group", "having", "qualify", "distinct", "joins", "limit", "offset", "with_", "with")
_DERIVED = {("patient", "birth_year"): "birthDate"}
_OF_TYPES = frozenset(
    (
        "coding", "code", "system", "value", "unit", "comparator", "start", "end", "reference", "low", "high",
        "numerator", "denominator", "repeat", "event",
    )
)  # fmt: skip
"""Parts of FHIR's own data types, which stay together: a code with its system, a number with its unit."""
Elements = dict[str, frozenset[str]]
Tables = dict[str, tuple[str, ...]]


def exposed(load: Load, types: Iterable[str]) -> tuple[Elements, Tables] | Denied:
    """Elements of each type that the agreement exposes, to the second name (``code.``: whole), and their tables.

    ``Denied`` for a type of which it exposes no table, or only some rows: which resources these are is not said.
    """
    from xinglin.intake.lineage import view_edges

    pairs = _agreed(load)
    elements: dict[str, set[str]] = {kind: set() for kind in types}
    tables: dict[str, set[str]] = {kind: set() for kind in elements}
    for edge in view_edges():
        kind = edge.source.dataset
        if kind in elements and (edge.target.dataset, edge.target.name) in pairs:
            top, _, rest = edge.source.name.partition(".")
            elements[kind] |= {top, f"{top}.{rest.partition('.')[0]}"} if rest else {top, f"{top}."}
            tables[kind].add(edge.target.dataset)
    for (table, column), element in _DERIVED.items():
        if "Patient" in elements and (table, column) in pairs:
            elements["Patient"] |= {element, f"{element}."}
            tables["Patient"].add(table)
    without = sorted(kind for kind, held in tables.items() if not held)
    if without:
        words = f"The agreement exposes no table, or not all rows of it, that holds {', '.join(without[:8])}."
        remedy = "Agree on the table of these resources without a condition on its rows, or ask for fewer types."
        return deny("extract.not_exposed", words, remedy)
    found = {kind: frozenset(held) | frozenset(ALWAYS) for kind, held in elements.items()}
    return found, {kind: tuple(sorted(held)) for kind, held in tables.items()}


def _agreed(load: Load) -> frozenset[tuple[str, str]]:
    """Columns of canonical tables that the agreement exposes of all their rows."""
    columns = {table.name: [column.name for column in table.columns] for table in load.tables}
    if not load.cohort:
        return frozenset((table, column) for table, held in columns.items() for column in held)
    return frozenset(pair for view in load.cohort for pair in _handed_on(view, columns))


def _handed_on(view: CohortView, columns: Mapping[str, Iterable[str]]) -> Iterable[tuple[str, str]]:
    import sqlglot
    from sqlglot import exp

    (tree,) = sqlglot.parse(view.select, read="duckdb")
    read = [table.name.lower() for table in tree.find_all(exp.Table)] if tree is not None else []
    plain = isinstance(tree, exp.Select) and not any(tree.args.get(clause) for clause in _PLAIN_CLAUSES)
    if not plain or tree is None or len(read) != 1 or len(list(tree.find_all(exp.Select))) != 1:
        return
    table = next((name for name in columns if name.lower() == read[0]), "")
    known = {column.lower(): column for column in columns.get(table, ())}
    for each in tree.expressions:
        inner = each.this if isinstance(each, exp.Alias) else each
        if isinstance(inner, exp.Column) and inner.name.lower() in known:
            yield table, known[inner.name.lower()]


def pruned(body: dict[str, Any], exposed: frozenset[str]) -> dict[str, Any]:
    """A resource without those parts of its elements that the agreement does not expose.

    >>> pruned({"address": [{"state": "A", "city": "B"}]}, frozenset({"address", "address.state"}))
    {'address': [{'state': 'A'}]}
    """

    def of(top: str, value: Any) -> Any:
        if isinstance(value, list):
            return [kept for one in value if (kept := of(top, one)) not in ({}, None)]
        if not isinstance(value, dict):
            return value
        return {name: inner for name, inner in value.items() if f"{top}.{name}" in exposed or name in _OF_TYPES}

    kept = {
        name: value if name in _WHOLE or f"{name}." in exposed else of(name, value)
        for name, value in body.items()
        if name in _WHOLE or name in exposed
    }
    label = {"security": kept["meta"]["security"]} if "security" in kept.get("meta", {}) else {}
    return {name: value for name, value in {**kept, "meta": label}.items() if value not in ({}, [])}


def narrowed(profile: Profile, elements: Elements) -> Profile:
    """The profile with nothing but these elements, and of them nothing that tells a person.

    What stays and could tell one is either a date that the profile moves by days of a person's own, or an element of
    Patient that is made k-anonymous afterwards. Notes and words of codes are left out, extensions and times of day too.
    """
    from xinglin.privacy.deidentify.grading import remaining_of
    from xinglin.privacy.deidentify.model import DROP
    from xinglin.privacy.deidentify.names import is_resource

    tells = {one.place for one in remaining_of(profile) if one.form == "fhir"}

    def kept(kind: str, path: str, action: Action) -> Action:
        top = path.partition(".")[0]
        if kind in _EVERY_RESOURCE and path not in ("id", "meta"):
            return DROP
        if is_resource(kind) and (kind not in elements or top not in elements[kind]):
            return DROP
        if kind == "Patient" and top not in ("id", *PATIENT_KEPT):
            return DROP
        if kind == "Address" and path not in ADDRESS_KEPT:
            return DROP
        if _type_of(kind, path) == "time":
            return DROP
        protected = kind in ("Patient", "Address") or bool(action.shift_days)
        return DROP if (f"{kind}.{path}" in tells and not protected) or action.do == "note" else action

    fhir = {
        kind: {path: kept(kind, path, action) for path, action in fields.items()}
        for kind, fields in profile.fhir.items()
        if not is_resource(kind.partition(".")[0]) or kind.partition(".")[0] in elements
    }
    return msgspec.structs.replace(profile, fhir=fhir, extensions={}, tables={}, hl7v2={})


def _type_of(kind: str, path: str) -> str:
    """The type of an element; empty where there is none."""
    from xinglin.privacy.deidentify.names import named

    for name in path.split("."):
        found = named(kind, name)
        if found is None:
            return ""
        kind = found[1].name.removeprefix("@")
    return kind
