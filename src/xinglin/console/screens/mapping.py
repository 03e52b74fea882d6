"""The hospital's own codes: what has no standard code yet, what may be meant, and a person's word on it."""

from __future__ import annotations

import base64

from xinglin.console.charts import Bar, bars
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField, NotThere
from xinglin.console.frame import Done, Nav, Page, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, listing
from xinglin.console.visit import Form, Visit
from xinglin.records.terminology.local import Decision, LocalKey
from xinglin.records.terminology.model import EQUIVALENCES, Equivalence
from xinglin.words import N_

ROLE = ("hospital",)
NAV = (Nav(roles=ROLE, path="/mapping", label=N_("Local codes"), order=101),)
CSS = ("screens/charts.css", "screens/hospital.css")
STATES = ("proposed", "accepted", "rejected")
LOINC = "http://loinc.org"
ASKED_CHARACTERS = 200
"""A longer name is looked for by its beginning."""
_TOP, _KEY_CHARACTERS = 12, 4_096


@screen("/mapping", roles=ROLE)
def unmapped(visit: Visit) -> Page:
    """Unmapped codes, the most frequent first."""
    _ = visit.words.text
    found = visit.calls.mapping.unmapped()
    proposed = {one.key: one for one in visit.calls.mapping.codes() if one.state == "proposed"}
    rows = [
        {
            "seen": one.seen,
            "column": one.key.column,
            "code": one.key.code,
            "text": one.text,
            "unit": one.unit,
            "source": one.key.source,
            "proposed": proposed[one.key].target if one.key in proposed else "",
            "key": key_text(one.key),
        }
        for one in found
    ]
    top = [Bar(one.text or one.key.code, float(one.seen)) for one in found[:_TOP]]
    return Page(
        "mapping/unmapped.html",
        title=_("Local codes"),
        values={"chart": bars(_("Most frequent codes without a standard one"), top, counted=_("Rows"), say=_)},
        listing=listing(
            visit,
            "unmapped",
            (
                Column("seen", _("Rows"), "number"),
                Column("column", _("Column"), "id"),
                Column("code", _("Local code"), link="/mapping/code/{key}"),
                Column("text", _("Called")),
                Column("unit", _("Unit")),
                Column("source", _("Feed")),
                Column("proposed", _("Proposed"), "id"),
            ),
            rows,
            empty=Empty(
                _("Every code in the lake has a standard one, or a person's word."), _("Decisions"), "/mapping/decided"
            ),
            filters=(Filter("column", _("Column"), {one: one for one in sorted({row["column"] for row in rows})}),),
        ),
        same=Same(
            cli="xinglin terms unmapped\nxinglin terms suggest --out review.csv\n"
            "xinglin terms accept --review review.csv --by NAME"
        ),
        css=CSS,
    )


@screen("/mapping/decided", roles=ROLE)
def decided(visit: Visit) -> Page:
    """What was proposed, accepted and rejected, and by whom."""
    _ = visit.words.text
    rows = [
        {
            "state": f"state.{one.state}",
            "column": one.key.column,
            "code": one.key.code,
            "text": one.text,
            "target": one.target,
            "target_text": one.target_text,
            "equivalence": one.equivalence,
            "by": visit.named(one.by),
            "at": one.at,
            "key": key_text(one.key),
        }
        for one in visit.calls.mapping.codes()
    ]
    return Page(
        "mapping/decided.html",
        title=_("Decisions on local codes"),
        crumbs=(Step(_("Local codes"), "/mapping"),),
        listing=listing(
            visit,
            "codes",
            (
                Column("state", _("State"), "state"),
                Column("column", _("Column"), "id"),
                Column("code", _("Local code"), link="/mapping/code/{key}"),
                Column("text", _("Called")),
                Column("target", _("Standard code"), "id"),
                Column("target_text", _("Its name")),
                Column("by", _("By")),
                Column("at", _("When"), "instant"),
            ),
            rows,
            empty=Empty(_("Nothing was decided yet."), _("Codes without a standard one"), "/mapping"),
            filters=(
                Filter("state", _("State"), {f"state.{one}": visit.words.term(f"state.{one}") for one in STATES}),
            ),
        ),
        same=Same(cli="xinglin terms accept CODE TARGET --by NAME\nxinglin terms reject CODE --by NAME"),
        css=CSS,
    )


@screen("/mapping/code/{key:str}", roles=ROLE)
def code(visit: Visit, key: str) -> Page:
    """One local code: what it may mean, and what was decided."""
    _ = visit.words.text
    wanted = key_of(key)
    row = next((one for one in visit.calls.mapping.unmapped() if one.key == wanted), None)
    held = next((one for one in visit.calls.mapping.codes() if one.key == wanted), None)
    if row is None and held is None:
        raise NotThere("There is no such local code.", remedy="Go back to the list.")
    text = (row.text if row else "") or (held.text if held else "") or wanted.code
    shown = (visit.query.get("q", "").strip() or text)[:ASKED_CHARACTERS]
    return Page(
        "mapping/code.html",
        title=text,
        values={
            "key": key,
            "code": wanted,
            "row": row,
            "held": held,
            "by": visit.named(held.by) if held is not None else "",
            "asked": shown,
            "candidates": visit.calls.mapping.candidates(shown, row.unit if row else ""),
            "equivalences": {one: visit.words.term(f"equivalence.{one}") for one in EQUIVALENCES if one != "unmapped"},
            "loinc": LOINC,
        },
        crumbs=(Step(_("Local codes"), "/mapping"),),
        same=Same(cli=in_shell("xinglin terms suggest --text {}\nxinglin terms accept CODE TARGET --by NAME", text)),
        css=CSS,
    )


@act("/mapping/suggest", roles=ROLE)
def suggest(visit: Visit, form: Form) -> Done:
    """Propose the best candidate for each unmapped measurement."""
    visit.calls.mapping.propose(visit.by)
    return Done("/mapping", visit.words.text("Proposed what is likely. Nothing is mapped before somebody accepts."))


@act("/mapping/code/{key:str}", roles=ROLE)
def decide(visit: Visit, form: Form, key: str) -> Done:
    """Accept a standard code for a local one, say that there is none, or reject what was proposed."""
    _ = visit.words.text
    wanted, verb = key_of(key), form.needed("verb")
    if verb not in ("accept", "unmapped", "reject"):
        raise BadField("verb", "A decision is accept, unmapped or reject.")
    target, system = form.text("target"), form.text("target_system") or LOINC
    equivalence: Equivalence = (
        "unmapped" if verb == "unmapped" else _equivalence(form.text("equivalence", "equivalent"))
    )
    if verb != "accept" or not target:
        target = system = ""
    event = "reject" if verb == "reject" else "accept"
    words = form.text("target_text") if target else ""
    decision = Decision(
        wanted, event, visit.by, visit.now, target, system, words, equivalence, form.text("note"), form.text("text")
    )
    visit.calls.mapping.decide([decision])
    said = (
        _("Rejected.")
        if event == "reject"
        else _("Accepted. New rows are translated at once; earlier ones when they are read again.")
    )
    return Done("/mapping", said)


def key_text(key: LocalKey) -> str:
    """A local code's key as one word of an address."""
    parts = "\x1f".join((key.source, key.column, key.system, key.code))
    return base64.urlsafe_b64encode(parts.encode()).decode().rstrip("=")


def key_of(text: str) -> LocalKey:
    """The key of that word; raises ``NotThere``."""
    try:
        if len(text) > _KEY_CHARACTERS:
            raise ValueError("longer than any code's key")
        parts = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("\x1f")
        source, column, system, code_ = parts
    except (ValueError, UnicodeDecodeError) as error:
        raise NotThere("There is no such local code.", remedy="Go back to the list.") from error
    return LocalKey(source, column, system, code_)


def _equivalence(text: str) -> Equivalence:
    for one in EQUIVALENCES:
        if one == text:
            return one
    raise BadField("equivalence", "There is no such equivalence.")


ROUTES = (unmapped, decided, suggest, code, decide)
