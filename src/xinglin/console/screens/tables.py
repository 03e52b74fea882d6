"""Mappings of tables: which columns go where, why, what a mapping makes of a table, and a person's word on it."""

from __future__ import annotations

import msgspec

from xinglin.console.addresses import segment
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField
from xinglin.console.frame import Done, Nav, Page, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, Listing, listing
from xinglin.console.suggested_words import meaning_label, meaning_labels, note_words, reason_words
from xinglin.console.visit import Form, Visit
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit
from xinglin.node.intake.looks import Omop
from xinglin.node.intake.mapping_review import Reviewed, Table, unmapped
from xinglin.node.intake.sources import MAPPINGS
from xinglin.records.tabular.suggestion import ColumnGuess, Suggestion
from xinglin.records.tabular.trial import Trial
from xinglin.words import N_

ROLE = ("hospital",)
NAV = (Nav(roles=ROLE, path="/mapping/tables", label=N_("Mappings of tables"), order=103),)
CSS = ("screens/charts.css", "screens/hospital.css")
SURE = 0.8
"""From this confidence on a guess is called sure."""
CHOOSABLE = Limit("columns that are decided about on one page", 500, "columns")
WRITTEN = Limit("mapping that is written on a page", 100_000, "characters")
HOW_SURE = {"sure": N_("sure"), "unsure": N_("to be looked at"), "unknown": N_("not recognised")}
SECTIONS = (
    (N_("Without a standard code"), "/mapping"),
    (N_("Decisions"), "/mapping/decided"),
    (N_("Mappings of tables"), "/mapping/tables"),
)
WAYS = {"folder": N_("drop folder"), "files": N_("files handed over"), "sql": N_("database")}


class Draft(msgspec.Struct, frozen=True):
    """What a person decided so far: meanings by column, and the mapping's text; ``trouble``: why it is no mapping."""

    said: dict[str, str] = {}
    text: str = ""
    seen: str = ""
    trial: Trial | None = None
    left: tuple[str, ...] = ()
    trouble: XinglinError | None = None


@screen("/mapping/tables", roles=ROLE)
def sources(visit: Visit) -> Page:
    """Feeds that bring tables, each with its mapping and what came in."""
    _ = visit.words.text
    rows = []
    for one in visit.calls.tables.sources():
        tables = visit.calls.tables.tables(one.name)
        rows.append(
            {
                "name": one.name,
                "way": _(WAYS[one.way]) if one.way in WAYS else one.way,
                "mapping": one.mapping,
                "tables": len(tables),
                "unread": sum(table.unread for table in tables),
                "newest": tables[0].received_at if tables else None,
            }
        )
    return Page(
        "tables/sources.html",
        title=_("Mappings of tables"),
        values={"sections": sections(visit)},
        crumbs=(Step(_("Local codes"), "/mapping"),),
        listing=listing(
            visit,
            "table-sources",
            (
                Column("name", _("Feed"), "id", link="/mapping/tables/{name}"),
                Column("way", _("How it comes in")),
                Column("mapping", _("Mapping"), "id"),
                Column("tables", _("Tables that came in"), "number"),
                Column("unread", _("Records without a row"), "number"),
                Column("newest", _("Newest"), "instant"),
            ),
            rows,
            empty=Empty(
                _("No feed brings tables. On the node's machine: xinglin connect FILE, FOLDER or ADDRESS."),
                _("Hospital"),
                "/hospital",
            ),
        ),
        same=Same(cli="xinglin intake accounts\nxinglin map suggest FILE"),
        css=CSS,
    )


@screen("/mapping/tables/{source:str}", roles=ROLE)
def one_source(visit: Visit, source: str) -> Page:
    """A feed's mapping in use: what fills what; its tables; the mappings before."""
    _ = visit.words.text
    held: Reviewed = visit.calls.tables.source(source)
    file = visit.query.get("earlier", "")
    rows = [
        {
            "field": one.field,
            "columns": ", ".join(one.columns) or (f"= {one.const}" if one.const else ""),
            "kind": one.kind,
            "unit": one.unit,
            "codes": one.codes,
            "table": one.field.partition(".")[0],
        }
        for one in held.fills
    ]
    return Page(
        "tables/source.html",
        title=source,
        values={
            "held": held,
            "tables": visit.calls.tables.tables(source)[:20],
            "place": f"{MAPPINGS}/{held.source.mapping}" if held.source.mapping else "",
            "earlier": file,
            "earlier_text": visit.calls.tables.earlier(source, file) if file else "",
        },
        crumbs=_crumbs(visit)[:1],
        listing=listing(
            visit,
            "mapping",
            (
                Column("field", _("Canonical column"), "id"),
                Column("columns", _("From"), "id"),
                Column("kind", _("Type"), "id"),
                Column("unit", _("Unit"), "id"),
                Column("codes", _("Code map"), "id"),
            ),
            rows,
            empty=Empty(_("No mapping is in use, so that no row is made of this feed's tables. Review a table below.")),
            filters=(Filter("table", _("Table"), {one: one for one in sorted({row["table"] for row in rows})}),),
        ),
        same=Same(cli=in_shell("xinglin map check {} FILE", f"{MAPPINGS}/{held.source.mapping or source + '.toml'}")),
        css=CSS,
    )


@screen("/mapping/tables/{source:str}/check/{number:str}", roles=ROLE)
def check(visit: Visit, source: str, number: str) -> Page:
    """What the mapping in use makes of a table. Nothing is kept."""
    _ = visit.words.text
    held: Reviewed = visit.calls.tables.source(source)
    table: Table = visit.calls.tables.table(source, number)
    if not held.text:
        raise BadField("mapping", "No mapping is in use.", remedy="Review the table, and keep a mapping.")
    found = visit.calls.tables.followed(held.source, table, held.text)
    _kind, proposal = visit.calls.tables.suggested(source, table, {})
    left = unmapped(held.text, tuple(one.name for one in proposal.columns))
    rows = [{"code": code, "words": visit.words.reason(code, ""), "n": n} for code, n in found.codes.items()]
    rows += [{"code": flag, "words": _("a mark on a row that was made"), "n": n} for flag, n in found.flags.items()]
    return Page(
        "tables/check.html",
        title=_("Check of a mapping"),
        values={"held": held, "table_in": table, "trial": found, "left": left, "source": source},
        crumbs=(*_crumbs(visit)[:1], Step(source, f"/mapping/tables/{segment(source)}")),
        listing=listing(
            visit,
            "check",
            (Column("code", _("Code"), "id"), Column("words", _("What it means")), Column("n", _("Rows"), "number")),
            rows,
            empty=Empty(_("Every row was read, and none was marked.")),
        ),
        same=Same(cli=in_shell("xinglin map check {} FILE", f"{MAPPINGS}/{held.source.mapping}")),
        css=CSS,
    )


@screen("/mapping/tables/{source:str}/review/{number:str}", roles=ROLE)
def review(visit: Visit, source: str, number: str) -> Page:
    """A proposal for a table: each column with what it is taken for, how sure, and why."""
    held: Reviewed = visit.calls.tables.source(source)
    table: Table = visit.calls.tables.table(source, number)
    kind, proposal = visit.calls.tables.suggested(source, table, {})
    return _review(visit, held, table, kind, proposal, proposal, Draft(text=proposal.toml, seen=held.digest))


@act("/mapping/tables/{source:str}/review/{number:str}", roles=ROLE)
def decide(visit: Visit, form: Form, source: str, number: str) -> Page | Done:
    """Propose anew by what a person chose, try the text that they wrote, or put it in use."""
    _ = visit.words.text
    verb = form.needed("verb")
    if verb not in ("choose", "check", "keep"):
        raise BadField("verb", "A deed is choose, check or keep.")
    held: Reviewed = visit.calls.tables.source(source)
    table: Table = visit.calls.tables.table(source, number)
    kind, base = visit.calls.tables.suggested(source, table, {})
    said = _said(form, base)
    draft = Draft(said, form.text("text"), form.text("seen"))
    if verb == "choose":
        _kind, proposal = visit.calls.tables.suggested(source, table, said)
        return _review(visit, held, table, kind, base, proposal, msgspec.structs.replace(draft, text=proposal.toml))
    WRITTEN.check(len(draft.text))
    try:
        if verb == "keep":
            path, taken = visit.calls.tables.keep(source, draft.text, visit.by, draft.seen)
            words = (
                _("In use: %(file)s. The one before is kept.", file=path.name)
                + " "
                + (
                    _("The intake has taken it; what is held is read again by: xinglin intake replay.")
                    if taken
                    else _("The intake takes it at its next start.")
                )
            )
            return Done(f"/mapping/tables/{segment(source)}", words)
        trial = visit.calls.tables.followed(held.source, table, draft.text)
        left = unmapped(draft.text, tuple(one.name for one in base.columns))
        draft = msgspec.structs.replace(draft, trial=trial, left=left)
    except XinglinError as error:  # the text stays in the form, with what is wrong with it
        draft = msgspec.structs.replace(draft, trouble=error)
    _kind, proposal = visit.calls.tables.suggested(source, table, said)
    return _review(visit, held, table, kind, base, proposal, draft)


def sections(visit: Visit) -> list[tuple[str, str]]:
    """The parts of mapping, as tabs."""
    return [(visit.words.text(said), path) for said, path in SECTIONS]


def _review(
    visit: Visit, held: Reviewed, table: Table, kind: Omop, base: Suggestion, proposal: Suggestion, draft: Draft
) -> Page:
    """``base``: what is proposed without a person's word."""
    _, words, source = visit.words.text, visit.words, held.source.name
    path = f"/mapping/tables/{segment(source)}/review/{segment(table.number)}"
    few = len(base.columns) <= CHOOSABLE.value
    return Page(
        "tables/review.html",
        title=_("Review of a mapping"),
        values={
            "held": held,
            "table_in": table,
            "source": source,
            "path": path,
            "kind": kind,
            "proposal": proposal,
            "order": {one.name: number for number, one in enumerate(base.columns)},
            "choosable": few and kind == "",
            "choices": meaning_labels(words),
            "notes": [note_words(words, one) for one in proposal.notes],
            "draft": draft,
            "writable": len(draft.text) <= WRITTEN.value,
        },
        crumbs=(*_crumbs(visit)[:1], Step(source, f"/mapping/tables/{segment(source)}")),
        listing=_listed(visit, proposal, draft),
        same=Same(cli=in_shell("xinglin map suggest FILE --out {0}\nxinglin map check {0} FILE", f"{source}.toml")),
        css=CSS,
        wide=True,
        status=422 if draft.trouble is not None else 200,
    )


def _listed(visit: Visit, proposal: Suggestion, draft: Draft) -> Listing:
    """The proposal as a list, filtered by the address."""
    _ = visit.words.text
    columns = (
        Column("name", _("Column"), "id"),
        Column("meaning", _("Taken for")),
        Column("confidence", _("Sure"), "percent"),
        Column("into", _("Fills"), "id"),
        Column("published", _("Published as"), "id"),
        Column("why", _("Why")),
    )
    rows = [_column(visit, one, draft) for one in proposal.columns]
    choices = {key: _(said) for key, said in HOW_SURE.items()}
    return listing(
        visit, "proposal", columns, rows, empty=Empty(_("The table has no column.")),
        filters=(Filter("how_sure", _("How sure"), choices),), page_rows=max(1, len(rows)),
    )  # fmt: skip


def _column(visit: Visit, one: ColumnGuess, draft: Draft) -> dict[str, object]:
    words = visit.words
    return {
        "name": one.name,
        "key": one.meaning,
        "meaning": meaning_label(words, one.meaning) if one.meaning else "",
        "confidence": one.confidence if one.meaning else None,
        "how_sure": "unknown" if not one.meaning else "sure" if one.confidence >= SURE else "unsure",
        "into": ", ".join(name for name in one.into if not name.startswith("product.")),
        "published": one.role if one.role != "data" else one.kind,
        "why": "; ".join(reason_words(words, reason) for reason in one.reasons),
        "others": tuple((each.meaning, each.confidence) for each in one.alternatives),
        "said": one.name in draft.said,
    }


def _said(form: Form, base: Suggestion) -> dict[str, str]:
    """What a person chose otherwise than it was proposed, by column; a field left out changes nothing."""
    sent = set(form.names())
    return {
        one.name: form.text(f"c{number}")
        for number, one in enumerate(base.columns)
        if f"c{number}" in sent and form.text(f"c{number}") != one.meaning
    }


def _crumbs(visit: Visit) -> tuple[Step, ...]:
    return (Step(visit.words.text("Mappings of tables"), "/mapping/tables"),)


ROUTES = (sources, one_source, check, review, decide)
