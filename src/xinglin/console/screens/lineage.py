"""The lineage graph: of a study from data sets to products, of a hospital's tables from source to column."""

from __future__ import annotations

from collections.abc import Mapping

from xinglin.catalogue.lineage import HOW, LAYERS, Edge, Field, LineageGraph
from xinglin.console.addresses import segment
from xinglin.console.calls.lineage import AGREEMENT, StudyLineage, TableLineage, Traced
from xinglin.console.charts import Link, Node, graph
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import NotThere
from xinglin.console.frame import Page, Same, Step, screen
from xinglin.console.listing import Column, Empty, listing
from xinglin.console.visit import Visit
from xinglin.kernel.errors import LimitExceeded
from xinglin.words import N_

LEGEND = (N_("Data set"), N_("Agreement"), N_("Study"), N_("Run"), N_("Release"), N_("Product"))
EDGES = {
    "agreed": N_("offered under an agreement"),
    "permits": N_("permits the study"),
    "asked": N_("asked as a run"),
    "released": N_("authorised for release"),
    "deposited": N_("published as a product"),
}
LAYER_LABELS = {
    "sheet": N_("Source table"),
    "segment": N_("HL7 segment"),
    "resource": N_("FHIR resource"),
    "canonical": N_("Canonical table"),
    "product": N_("Product table"),
}
_STUDIES_OFFERED = 50
_EDGES_SHOWN = 200


@screen("/lineage", roles=("researcher", "hospital"))
def lineage(visit: Visit) -> Page:
    """Where something comes from, as a layered graph; each node opens its page or its evidence."""
    return _tables(visit) if visit.role == "hospital" else _study(visit)


ROUTES = (lineage,)


def _study(visit: Visit) -> Page:
    _, study = visit.words.text, visit.query.get("study", "")
    lines = visit.calls.studies.page(most=_STUDIES_OFFERED).lines
    study = study or next((one.study for one in lines if one.state == "in-force"), "")
    offered = {one.study: one.title for one in lines}
    drawn, rows = None, []
    if study:
        shown = visit.calls.studies.study(study)
        offered.setdefault(study, shown.title)
        traced = StudyLineage(visit.calls.seat, visit.calls.lines).of_study(shown)
        drawn = _drawn(visit, traced, shown.title)
        rows = _rows(visit, traced)
    found = listing(
        visit,
        "lineage",
        (Column("source", _("From")), Column("how", _("How")), Column("target", _("To")), Column("kind", _("Kind"))),
        rows,
        empty=Empty(_("No study has come from a data set yet."), _("Studies"), "/studies"),
        search=False,
    )
    values = {"drawn": drawn, "offered": offered, "study": study, "legend": LEGEND, "found": found}
    return Page(
        "lineage/study.html", title=_("Where results come from"), values=values, listing=found, wide=True,
        crumbs=(Step(_("Studies"), "/studies"),), css=("screens/catalogue.css", "screens/charts.css"),
        same=Same(python=in_python("space.log.about({})", study)),
    )  # fmt: skip


def _drawn(visit: Visit, traced: Traced, title: str) -> object:
    _ = visit.words.text
    term = visit.words.term
    nodes = [
        Node(one.id, one.label, term(f"state.{one.note}") if one.kind == AGREEMENT else one.note, one.path, one.kind)
        for one in traced.pieces
    ]
    links = [Link(source, target, _(EDGES[how])) for source, target, how in traced.edges]
    return graph(_("Lineage of %(title)s", title=title), nodes, links, say=visit.words.text)


def _rows(visit: Visit, traced: Traced) -> list[Mapping[str, str]]:
    _, labels = visit.words.text, {one.id: one for one in traced.pieces}
    return [
        {
            "source": labels[source].label,
            "how": _(EDGES[how]),
            "target": f"{labels[target].label} {labels[target].note}",
            "kind": _(LEGEND[labels[target].kind]),
        }
        for source, target, how in traced.edges
    ]


def _tables(visit: Visit) -> Page:
    """Tables and what they are made of; of one table (``table``) its columns."""
    _, table = visit.words.text, visit.query.get("table", "")
    whole = TableLineage(visit.calls.seat).graph()
    drawn = _columns(visit, whole, table) if table else _whole(visit, whole)
    found = listing(
        visit,
        "lineage",
        (
            Column("source", _("From"), "id"),
            Column("how", _("How")),
            Column("target", _("To"), "id"),
            Column("by", _("By")),
        ),
        [_edge_row(visit, one) for one in _about(whole, table).edges],
        empty=Empty(_("Nothing was taken in yet."), _("Home"), "/hospital"),
    )
    values = {"drawn": drawn, "table_of": table, "layers": [_(LAYER_LABELS[one]) for one in LAYERS], "found": found}
    narrowed = in_shell("xinglin catalogue lineage --column {} --format svg", table)
    command = narrowed if table else "xinglin catalogue lineage --format svg"
    return Page(
        "lineage/tables.html", title=_("Where columns come from"), values=values, listing=found, wide=True,
        same=Same(cli=command), css=("screens/catalogue.css", "screens/charts.css"),
    )  # fmt: skip


def _whole(visit: Visit, whole: LineageGraph) -> object:
    _, zh = visit.words.text, visit.words.language == "zh"
    nodes = [
        Node(f"{layer}:{name}", name, _(LAYER_LABELS[layer]), f"/lineage?table={segment(name)}", LAYERS.index(layer))
        for layer, name in whole.datasets()
    ]
    pairs: dict[tuple[str, str], str] = {}
    for edge in whole.edges:
        ends = (f"{edge.source.layer}:{edge.source.dataset}", f"{edge.target.layer}:{edge.target.dataset}")
        pairs.setdefault(ends, HOW[edge.how][1 if zh else 0])
    links = [Link(source, target, how) for (source, target), how in pairs.items() if source != target]
    return graph(_("Tables and what they are made of"), nodes, links, say=visit.words.text)


def _columns(visit: Visit, whole: LineageGraph, table: str) -> object:
    _, zh = visit.words.text, visit.words.language == "zh"
    found = _about(whole, table)
    if not found.edges:
        raise NotThere("Nothing is known of where that table comes from.", remedy="Choose one of the picture.")
    fields = sorted({one for edge in found.edges for one in (edge.target, edge.source)})
    nodes = [Node(_named(one), one.name, one.dataset, "", LAYERS.index(one.layer)) for one in fields]
    links = [Link(_named(edge.source), _named(edge.target), HOW[edge.how][1 if zh else 0]) for edge in found.edges]
    try:
        return graph(_("Columns of %(table)s", table=table), nodes, links, say=visit.words.text)
    except LimitExceeded:
        return None


def _about(whole: LineageGraph, table: str) -> LineageGraph:
    """Edges right into and out of a table; all of them without one."""
    if not table:
        return LineageGraph(whole.edges[:_EDGES_SHOWN])
    near = [edge for edge in whole.edges if table in (edge.target.dataset, edge.source.dataset)]
    return LineageGraph(tuple(near[:_EDGES_SHOWN]))


def _named(field: Field) -> str:
    return f"{field.layer}:{field}"


def _edge_row(visit: Visit, edge: Edge) -> Mapping[str, str]:
    how = HOW[edge.how][1 if visit.words.language == "zh" else 0]
    return {"source": str(edge.source), "how": how, "target": str(edge.target), "by": edge.by}
