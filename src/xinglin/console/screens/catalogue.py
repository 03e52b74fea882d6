"""The catalogue: search with facets, one data set, comparison, made-up rows to try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from xinglin.catalogue.eligible import ANSWERS, StudyFacts
from xinglin.catalogue.entry import CatalogueEntry
from xinglin.catalogue.search import FacetValue, Found
from xinglin.catalogue.search_words import synonyms
from xinglin.console.calls.researcher_catalogue import DataSetShown, facts_of_form, id_of, path_of
from xinglin.console.calls.search_address import Asked, address, asked_of
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import NotThere
from xinglin.console.frame import File, Head, Nav, Page, Rail, Same, Step, screen
from xinglin.console.listing import Column, Empty, Filter, csv_of, listing
from xinglin.console.policy_words import sentences
from xinglin.console.screens.catalogue_parts import coverage, duo_codes, quality_chart, shares
from xinglin.console.visit import Visit
from xinglin.wire.errors import Refused
from xinglin.words import N_

NAV = (Nav(roles=("researcher",), path="/catalogue", label=N_("Catalogue"), order=20),)
RESEARCHER = ("researcher",)
CSS = ("screens/catalogue.css",)
FACET_LABELS = {
    "purpose": N_("Purpose"),
    "variable": N_("What is measured"),
    "grade": N_("Grade"),
    "institution": N_("Hospital"),
    "region": N_("Region"),
    "years": N_("Years"),
    "table": N_("Table"),
    "custody": N_("Custody"),
    "origin": N_("Catalogue of"),
}
COMPARED_MOST = 4
ROWS_SHOWN = 12
_STUDIES_OFFERED = 20


@screen("/catalogue", roles=RESEARCHER)
def catalogue(visit: Visit) -> Page:
    """Search over all data sets that this account may see; the whole search stands in the address."""
    _ = visit.words.text
    asked = asked_of(visit.query)
    calls = visit.calls.catalogue
    facts, mine = _matched(visit, asked.study)
    months = {"from_month": asked.from_month, "to_month": asked.to_month, "answers": asked.answers}
    try:
        found: Found = calls.search(asked.text, asked.chosen, facts, cursor=asked.cursor, **months)
    except Refused as refused:
        if not asked.cursor or "catalogue.bad_search" not in refused.codes:
            raise
        asked = msgspec.structs.replace(asked, cursor="")  # a page of another search: begin at the first
        found = calls.search(asked.text, asked.chosen, facts, **months)

    def every() -> list[dict[str, Any]]:
        return [_row(one) for one in calls.every(asked.text, asked.chosen, facts, **months)]

    columns = [Column(name, name) for name in _row(_NOTHING)]
    empty = Empty(_("No data set says anything like it."), _("Show all"), "/catalogue")
    export = listing(visit, "catalogue", columns, [_row(one.entry) for one in found.hits], total=found.total,
                     every=every, empty=empty)  # fmt: skip
    values = {
        "asked": asked,
        "found": found,
        "facets": _facets(visit, asked, found.facets),
        "export": export,
        "csv": address(asked, **{"as": "csv"}),
        "json": address(asked, **{"as": "json"}),
        "studies": mine,
        "answers": {one: ANSWERS[one][1 if visit.words.language == "zh" else 0] for one in ANSWERS},
        "understood": _understood(visit, found),
        "path_of": path_of,
    }
    same = Same(
        python=in_python(
            "Catalogue(space).search({}, {})", asked.text, {key: list(one) for key, one in asked.chosen.items()}
        ),
        cli=in_shell("xinglin catalogue search {}", asked.text),
    )
    return Page(
        "catalogue/search.html", title=_("Catalogue"), values=values, listing=export, same=same, css=CSS, wide=True
    )  # fmt: skip


@screen("/catalogue/compare", roles=RESEARCHER)
def compare(visit: Visit) -> Page:
    """Two to four data sets side by side; boxes of the search are named ``pick…``."""
    _ = visit.words.text
    picked = [value for name, value in sorted(visit.query.items()) if name.startswith("pick") and value]
    ids = list(dict.fromkeys(picked))[:COMPARED_MOST]
    facts, _mine = _matched(visit, visit.query.get("study", ""))
    crumbs = (Step(_("Catalogue"), "/catalogue"),)
    title = _("Data sets side by side")
    if len(ids) < 2:
        return Page("catalogue/compare.html", title=title, values={"found": None}, crumbs=crumbs, css=CSS)
    found = visit.calls.catalogue.compare(ids, facts)
    values = {"found": found, "path_of": path_of, "zh": visit.words.language == "zh"}
    same = Same(
        python=in_python("Catalogue(space).compare({})", ids),
        cli=in_shell("xinglin catalogue compare " + " ".join(["{}"] * len(ids)), *ids),
    )
    return Page(
        "catalogue/compare.html", title=title, values=values, crumbs=crumbs, same=same, css=CSS, wide=True,
        data=msgspec.to_builtins(found),
    )  # fmt: skip


@screen("/data-sets/{data_set:str}", roles=RESEARCHER)
def data_set_page(visit: Visit, data_set: str) -> Page:
    """A data set: what it is, how good, where, who used it, how to cite it."""
    shown: DataSetShown = visit.calls.catalogue.data_set(id_of(data_set))
    entry, _ = shown.view.entry, visit.words.text
    say = visit.words.text
    values = {
        "shown": shown,
        "entry": entry,
        "quality": quality_chart(entry, say, visit.words.term),
        "coverage": coverage(entry, say),
        "population": shares(entry, say, visit.words.term),
        "duo": duo_codes(entry.policy),
        "path_of": path_of,
        "cite": _cited(entry),
        "path": path_of(entry.entry_id),
    }
    return _page(visit, shown.view.entry, "catalogue/data_set.html", values, Rail(subject=entry.entry_id))


@screen("/data-sets/{data_set:str}/variables", roles=RESEARCHER)
def variables(visit: Visit, data_set: str) -> Page:
    """Every variable of a data set."""
    _ = visit.words.text
    entry: CatalogueEntry = visit.calls.catalogue.entry(id_of(data_set)).entry
    rows = [
        {
            "table": one.table,
            "name": one.name,
            "kind": _(one.kind),
            "range": _range(one.low, one.high, one.levels),
            "unit": one.unit,
            "grade": one.grade,
            "filled": one.filled_percent / 100 if one.filled_percent >= 0 else None,
            "words": one.words,
        }
        for one in entry.variables
    ]
    found = listing(
        visit,
        "variables",
        (
            Column("table", _("Table")),
            Column("name", _("Variable"), "id"),
            Column("kind", _("Kind")),
            Column("range", _("Range or values")),
            Column("unit", _("Unit")),
            Column("grade", _("Grade")),
            Column("filled", _("Filled"), "percent"),
            Column("words", _("Words")),
        ),
        rows,
        filters=(Filter("table", _("Table"), {one: one for one in entry.tables}),),
        empty=Empty(_("Nothing was published of its variables.")),
    )
    return _page(visit, entry, "catalogue/variables.html", {"found": found}, listing=found)


@screen("/data-sets/{data_set:str}/terms", roles=RESEARCHER)
def terms(visit: Visit, data_set: str) -> Page:
    """The terms of a data set's offer, in words, and whether a study may use it."""
    facts, mine = _matched(visit, visit.query.get("study", ""))
    view = visit.calls.catalogue.entry(id_of(data_set), facts)
    entry, zh = view.entry, visit.words.language == "zh"
    values = {
        "entry": entry,
        "sentences": sentences(entry.policy, visit.words) if entry.policy is not None else (),
        "duo": duo_codes(entry.policy),
        "standing": view.standing,
        "answer": ANSWERS[view.standing.answer][1 if zh else 0] if view.standing is not None else "",
        "studies": mine,
        "study": visit.query.get("study", ""),
        "offer": msgspec.json.format(msgspec.json.encode(view.offer), indent=2).decode() if view.offer else "",
    }
    return _page(visit, entry, "catalogue/terms.html", values)


@screen("/data-sets/{data_set:str}/try", roles=RESEARCHER)
def try_rows(visit: Visit, data_set: str) -> Page | File:
    """Made-up rows of a table: the same columns, no person; as a table, and whole as CSV."""
    _ = visit.words.text
    entry: CatalogueEntry = visit.calls.catalogue.entry(id_of(data_set)).entry
    made = visit.calls.catalogue.twin(entry)
    table = visit.query.get("table") or next(iter(made), "")
    if table not in made:
        raise NotThere("The data set has no such table.", remedy="Choose one of its tables.")
    rows = made[table]
    if visit.query.get("as") == "csv":
        return File(_csv(rows), f"{entry.name}-{table}-made-up.csv", "text/csv; charset=utf-8")
    values = {
        "entry": entry,
        "tables": list(made),
        "table": table,
        "columns": rows.column_names,
        "rows": [list(one.values()) for one in rows.slice(0, ROWS_SHOWN).to_pylist()],
        "count": rows.num_rows,
        "path": path_of(entry.entry_id) + "/try",
    }
    return _page(visit, entry, "catalogue/try.html", values)


@screen("/data-sets/{data_set:str}/dcat", roles=RESEARCHER)
def dcat(visit: Visit, data_set: str) -> File:
    """The description as DCAT (JSON-LD)."""
    found = visit.calls.catalogue.dcat(id_of(data_set))
    data = msgspec.json.format(msgspec.json.encode(found), indent=2)
    return File(data, "data-set.jsonld", "application/ld+json")


ROUTES = (catalogue, compare, data_set_page, variables, terms, try_rows, dcat)
_NOTHING = CatalogueEntry("", "", "", "")


def _page(
    visit: Visit, entry: CatalogueEntry, template: str, values: Mapping[str, Any], rail: Rail | None = None, **more: Any
) -> Page:
    """A page of a data set: the same head and tabs on each."""
    _, path = visit.words.text, path_of(entry.entry_id)
    tabs = (
        (_("Overview"), path),
        (_("Variables"), f"{path}/variables"),
        (_("Terms"), f"{path}/terms"),
        (_("Try on made-up rows"), f"{path}/try"),
    )
    # A browser writes the path with more or fewer signs quoted than we do: the tab is known by its last word.
    head = Head(
        kind="object.data-set", id=entry.entry_id, tabs=tuple((said, _as_asked(visit, one)) for said, one in tabs)
    )
    same = Same(
        python=in_python("Catalogue(space).entry({})\nspace.twin({})", entry.entry_id, entry.name),
        cli=in_shell("xinglin catalogue dcat {}", entry.entry_id),
    )
    return Page(
        template, title=entry.title, values=values, crumbs=(Step(_("Catalogue"), "/catalogue"),), head=head, rail=rail,
        same=same, css=(*CSS, "screens/charts.css"), data=msgspec.to_builtins(entry), **more,
    )  # fmt: skip


def _as_asked(visit: Visit, path: str) -> str:
    from urllib.parse import unquote

    return visit.path if unquote(visit.path) == unquote(path) else path


def _matched(visit: Visit, study: str) -> tuple[StudyFacts | None, dict[str, str]]:
    """Facts of a study (its id, or a draft's) to match, and the studies that can be matched."""
    calls = visit.calls.studies
    drafts = calls.drafts()[:_STUDIES_OFFERED]
    offered = {one.draft: one.form.project.title or visit.words.text("Draft without a title") for one in drafts}
    applied = [one for one in calls.page(most=_STUDIES_OFFERED).lines if one.application]
    offered |= {one.study: one.title for one in applied}
    draft = next((one for one in drafts if one.draft == study), None)
    if draft is not None:
        return facts_of_form(draft.form), offered
    if study:
        view = calls.study(study).application
        return (facts_of_form(view.application.form) if view is not None else None), offered
    return None, offered


def _facets(visit: Visit, asked: Asked, found: Mapping[str, tuple[FacetValue, ...]]) -> list[dict[str, Any]]:
    zh = visit.words.language == "zh"
    facets = []
    for name, label in FACET_LABELS.items():
        values = [
            {
                "label": (one.words_zh if zh else one.words) or one.value,
                "count": one.count,
                "chosen": asked.has(name, one.value),
                "path": asked.toggled(name, one.value),
            }
            for one in found.get(name, ())
            if one.value
        ]
        if values:
            facets.append({"label": visit.words.text(label), "values": values, "open": name in asked.chosen})
    return facets


def _understood(visit: Visit, found: Found) -> list[tuple[str, str]]:
    """Parts of the words that a concept was found for, with the concept's label."""
    known, zh = synonyms(), visit.words.language == "zh"
    told = []
    for part in found.understood:
        concept = next((term[1:] for term in part.terms if term.startswith("#") and term[1:] in known.concepts), "")
        label = known.label(concept)[1 if zh else 0] if concept else ""
        if label and label.casefold() != part.text.casefold():
            told.append((part.text, label))
    return told


def _row(entry: CatalogueEntry) -> dict[str, Any]:
    return {
        "id": entry.entry_id,
        "name": entry.name,
        "title": entry.title,
        "institution": entry.institution,
        "grade": entry.grade,
        "persons": entry.persons,
        "first_month": entry.first_month,
        "last_month": entry.last_month,
        "region": entry.region,
    }


def _range(low: float | None, high: float | None, levels: tuple[str, ...]) -> str:
    if levels:
        return ", ".join(levels[:6]) + (" …" if len(levels) > 6 else "")
    return f"{low:g} – {high:g}" if low is not None and high is not None else ""


def _cited(entry: CatalogueEntry) -> str:
    span = f" {entry.first_month}–{entry.last_month}." if entry.first_month else ""
    who, named = entry.institution or entry.provider, quote(entry.entry_id, safe=":#")
    return f"{who}. {entry.title} [data set {entry.name}].{span} {named}"


def _csv(rows: Any) -> bytes:
    return csv_of(rows.column_names, [list(one.values()) for one in rows.to_pylist()])
