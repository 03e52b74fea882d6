"""The patient's pages: who looked at my data, with the proof that the list is whole; and my choices."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from xinglin.console.calls.patient import SWITCHES, Effect, MyLooks, Said, id_of, where_of
from xinglin.console.code_shown import in_shell
from xinglin.console.errors import BadField, NotThere
from xinglin.console.frame import Done, File, Head, Nav, Page, Rail, Same, Step, act, screen
from xinglin.console.listing import Column, Empty, Filter, Listing, listing
from xinglin.console.visit import Form, Visit
from xinglin.terms.consent import CATEGORIES, EVERYTHING
from xinglin.terms.purposes import PURPOSES
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.evidence.looks import Look, Numbered
    from xinglin.terms.consent import Where

ROLE = ("patient",)
NAV = (
    Nav(roles=ROLE, path="/my/choices", label=N_("My choices"), order=10),
    Nav(roles=ROLE, path="/my/looks", label=N_("Who looked"), order=20),
)
CSS = ("screens/patient.css",)
MINUTE_MS = 60_000
STUDIES_SHOWN = 200
"""Of the uses that a choice touches so many are shown, those that change first."""
GROUPS = {"research": N_("Research"), "care": N_("Care"), "mine": N_("What I said")}
TOLD = {
    "released": N_("Your record counted in study %(study)s. Only a sum over many people left; your record did not."),
    "withheld": N_("Your record counted in study %(study)s. The answer was withheld: nothing was given out."),
    "ended": N_("Your record counted in study %(study)s. The run ended without an answer."),
    "noised": N_("Your record counted in study %(study)s. Only a sum with noise added left; your record did not."),
    "extract": N_("Rows made from your record, without names and numbers, went to the workspace of study %(study)s."),
    "synthetic": N_("Your record helped to make invented rows for study %(study)s. No real row left."),
    "lookup": N_("Somebody who treats you looked at your record."),
    "break-glass": N_("Your record was opened in an emergency. Somebody reviews it."),
    "choice": N_("You made a choice about the use of your data."),
    "enrolment": N_("Your place in this list became yours."),
    "complaint": N_("You said that something is wrong."),
    "answer": N_("The hospital answered."),
}
"""What each kind of look is called for the person; the strings are translated where they are shown."""
SWITCH_WORDS = {
    "all": (
        N_("Research and other use beyond my care"),
        N_("Studies, statistics, planning, products: everything but treating me."),
    ),
    "commercial": (N_("Commercial use"), N_("Companies that make products or money with results.")),
    "genetic": (N_("My genetic data"), N_("Genomes and what is read from them.")),
    "sensitive": (
        N_("Sensitive records"),
        N_("Mental and sexual health, HIV, alcohol and drugs, violence."),
    ),
}


# --- who looked ----------------------------------------------------------------------------------


@screen("/my/looks", roles=ROLE)
def looks(visit: Visit) -> Page:
    """The timeline, the newest first, with what was just checked."""
    from xinglin.node.looks import NotYet

    _ = visit.words.text
    title = _("Who looked at my data")
    try:
        found: MyLooks = visit.calls.looks()
    except NotYet:
        values = {"found": None, "by": _by(visit), "complaints": visit.calls.complaints()}
        return Page("patient/looks.html", title=title, values=values, css=CSS, same=_same(visit))
    told = _listed(visit, found)
    values = {
        "found": found,
        "research": sum(row["group"] == "research" for row in told.every()),
        "waiting": [(one.at, sentence(visit, one)) for one in reversed(found.waiting)],
        "by": _by(visit) if found.waiting else "",
        "complaints": visit.calls.complaints(),
    }
    rail = Rail(receipts=(found.verified.entry.index,), digest=found.proof.pages[-1].digest())
    return Page("patient/looks.html", title=title, values=values, listing=told, css=CSS, rail=rail, same=_same(visit))


@screen("/my/looks/proof", roles=ROLE)
def proof(visit: Visit) -> File:
    """The proof, to take home: ``xinglin verify`` checks it without asking anybody."""
    return File(visit.calls.looks().proof.to_bytes(), "who-looked.json", "application/json")


@screen("/my/looks/policy", roles=ROLE)
def policy(visit: Visit) -> File:
    """Whose word on the log counts: what the proof is checked by."""
    return File(visit.calls.looks().policy.encode(), "who-looked.json.policy", "text/plain; charset=utf-8")


@screen("/my/looks/{look:str}", roles=ROLE)
def look_page(visit: Visit, look: str) -> Page:
    """One look: what it was, who, and where it stands in the evidence."""
    _ = visit.words.text
    found, link = visit.calls.look(look)
    one = link.look
    pairs = [
        (_("Who"), one.asker_name or _("not named")),
        (_("Of which institution"), one.institution or _("not named")),
        (_("Why"), visit.words.term(f"purpose.{one.purpose}") if one.purpose else _("no purpose is named")),
        (_("Number in your list"), visit.words.number(link.number)),
        (_("Digest of this link"), link.digest),
        (_("Digest of the link before"), link.previous or _("this is the first")),
    ]
    values = {
        "link": link,
        "id": look,
        "quoted": one.words if one.kind in ("complaint", "answer", "break-glass") else "",
        "said": sentence(visit, one),
        "pairs": pairs,
        "complaints": [each for each in visit.calls.complaints() if each.about == one.use],
    }
    return Page(
        "patient/look.html",
        title=_("A look at my data"),
        values=values,
        crumbs=(Step(_("Who looked at my data"), "/my/looks"),),
        head=Head(kind="object.look", id=f"{link.number}", state=one.outcome, since=one.at),
        rail=Rail(
            subject=one.use if one.use.startswith(("run-", "sha256:")) else "",
            receipts=tuple(index for index in (one.index, found.verified.entry.index) if index >= 0),
        ),
        same=_same(visit),
        css=CSS,
    )


@act("/my/looks/{look:str}/wrong", roles=ROLE)
def wrong(visit: Visit, form: Form, look: str) -> Done:
    """Say that a look is wrong."""
    _, link = visit.calls.look(look)
    visit.calls.complain(link.look.use, form.needed("words"))
    return Done("/my/looks", visit.words.text("The hospital has it in its inbox. You will find the answer here."))


@act("/my/wrong", roles=ROLE)
def wrong_list(visit: Visit, form: Form) -> Done:
    """Say that something is wrong with the list, or ask that a choice be taken back."""
    about = form.text("about")
    if about and about not in {f"choice:{one.choice.id}" for one in visit.calls.said()}:
        raise NotThere("There is no such choice of yours.")
    visit.calls.complain(about, form.needed("words"))
    said = visit.words.text("The hospital has it in its inbox. You will find the answer here.")
    return Done("/my/choices" if about else "/my/looks", said)


def sentence(visit: Visit, look: Look) -> str:
    """A look in plain words."""
    _ = visit.words.text
    key = look.kind
    if look.is_research and (look.kind == "run" or look.outcome != "released"):
        key = look.outcome  # type: ignore[assignment]
    if not look.is_research:
        return _(TOLD[key])
    return _(TOLD[key], study=visit.calls.title(look.study) if look.study else _("without a name"))


def group_of(look: Look) -> str:
    """Where the timeline puts a look: ``research``, ``care`` or ``mine``."""
    if look.is_research:
        return "research"
    return "care" if look.kind in ("lookup", "break-glass") else "mine"


def _by(visit: Visit) -> str:
    """When the next page is written, at the latest, as an instant; a moment is no instant to tell."""
    by = visit.calls.page_by()
    return visit.words.instant(by) if by - visit.now > 2 * MINUTE_MS else ""


def _listed(visit: Visit, found: MyLooks) -> Listing:
    _ = visit.words.text
    rows = [_row(visit, link) for link in found.newest_first]
    places = {row["place"]: row["place"] for row in rows if row["place"]}
    purposes = {row["purpose"]: visit.words.term(f"purpose.{row['purpose']}") for row in rows if row["purpose"]}
    months = {row["month"]: row["month"] for row in rows}
    return listing(
        visit,
        "looks",
        (
            Column("at", _("When"), "instant"),
            Column("what", _("What happened"), link="/my/looks/{id}"),
            Column("who", _("Who")),
            Column("place", _("Institution")),
            Column("group", _("Kind")),
            Column("index", _("Index in the log"), "number"),
        ),
        rows,
        filters=(
            Filter("group", _("Kind"), {key: _(words) for key, words in GROUPS.items()}),
            Filter("place", _("Institution"), places),
            Filter("purpose", _("Why"), purposes),
            Filter("month", _("Month"), months),
        ),
        empty=Empty(_("Nobody has looked at your data.")),
    )


def _row(visit: Visit, link: Numbered) -> dict[str, Any]:
    _, look = visit.words.text, link.look
    return {
        "id": id_of(link),
        "at": look.at,
        "month": dt.datetime.fromtimestamp(look.at / 1000, dt.UTC).strftime("%Y-%m"),
        "what": sentence(visit, look),
        "who": look.asker_name,
        "place": look.institution,
        "purpose": look.purpose,
        "group": group_of(look),
        "index": look.index if look.index >= 0 else "",
    }


def _same(visit: Visit) -> Same:
    said = "xinglin patients looks {} --proof who-looked.json\nxinglin verify who-looked.json"
    return Same(cli=in_shell(said, visit.subject))


# --- my choices ----------------------------------------------------------------------------------


@screen("/my/choices", roles=ROLE)
def choices(visit: Visit) -> Page:
    """Plain switches, what each would change, what was said so far, and how every study stands."""
    _ = visit.words.text
    said: tuple[Said, ...] = visit.calls.said()
    now, *effects = visit.calls.effects((None, *SWITCHES.values()))
    switches = [
        (key, *map(_, SWITCH_WORDS[key]), visit.calls.off(where, said), effect)
        for (key, where), effect in zip(SWITCHES.items(), effects, strict=True)
    ]
    standing = _standing(visit, now)
    values = {
        "switches": switches,
        "standing": standing,
        "said": [(one, _what(visit, one)) for one in said],
        "institutions": visit.calls.institutions(),
        "purposes": {code: visit.words.term(f"purpose.{code}") for code in sorted(PURPOSES)},
        "categories": _categories(visit),
        "complaints": [one for one in visit.calls.complaints() if one.about.startswith("choice:")],
    }
    cli = in_shell("xinglin consent preview deny {0}\nxinglin consent withdraw {0}", visit.subject)
    receipts = tuple(one.leaf for one in said if one.leaf >= 0)[:5]
    return Page(
        "patient/choices.html", title=_("My choices"), values=values, css=CSS, same=Same(cli=cli),
        listing=standing, rail=Rail(receipts=receipts),
        data=[{"at": one.at, "id": one.choice.id, "leaf": one.leaf, "undone": one.undone} for one in said],
    )  # fmt: skip


def _standing(visit: Visit, now: Effect) -> Listing:
    """Every study in force here, and whether it counts the person."""
    _, titles = visit.words.text, visit.calls.titles() if now.touched else {}
    rows = [
        {
            "study": titles.get(one.study, one.study),
            "purpose": visit.words.term(f"purpose.{one.purpose}"),
            "you": "counted" if one.after else "left-out",
            "shown": "standing.counted" if one.after else "standing.left-out",
        }
        for one in now.touched
    ]
    told = {key: visit.words.term(f"standing.{key}") for key in ("counted", "left-out")}
    return listing(
        visit,
        "standing",
        (Column("study", _("Study")), Column("purpose", _("Purpose")), Column("shown", _("You"), "state", sort=False)),
        rows,
        filters=(Filter("you", _("You"), told),),
        empty=Empty(_("No study is in force at this hospital.")),
    )


@screen("/my/choices/preview", roles=ROLE)
def preview(visit: Visit) -> Page:
    """What a choice would change, before it is made; nothing is written."""
    _ = visit.words.text
    fields = {key: visit.query.get(key, "") for key in ("what", "institution", "purpose", "category", "study")}
    fields["commercial"] = "on" if visit.query.get("commercial") == "on" else ""
    where = _where(fields)
    effect: Effect = visit.calls.effect(where)
    return Page(
        "patient/preview.html",
        title=_("What this choice changes"),
        values={
            "fields": {key: value for key, value in fields.items() if value},
            "about": _about(visit, where),
            "effect": effect,
            "shown": sorted(effect.touched, key=lambda one: not one.changes)[:STUDIES_SHOWN],
            "titles": visit.calls.titles() if effect.touched else {},
        },
        crumbs=(Step(_("My choices"), "/my/choices"),),
        css=CSS,
    )


@act("/my/choices", roles=ROLE)
def choose(visit: Visit, form: Form) -> Done:
    """Object: at once, without being asked who one is, since it only takes away."""
    _ = visit.words.text
    fields = {key: form.text(key) for key in ("what", "institution", "purpose", "category", "study")}
    where = _where({**fields, "commercial": "on" if form.ticked("commercial") else ""})
    if visit.calls.off(where) is not None:
        return Done("/my/choices", _("This holds already."))
    effect: Effect = visit.calls.effect(where)
    receipt = visit.calls.deny(where)
    words = _(
        "It holds from now on: the next run of each study is without you. Studies that stop using your data: %(n)s. "
        "Your receipt: %(id)s",
        n=visit.words.number(effect.stopped_studies),
        id=receipt.id,
    )
    return Done("/my/choices", words)


def _where(fields: dict[str, str]) -> Where:
    """What a form is about: a switch, or an exception that says something."""
    what = fields.get("what", "")
    if what in SWITCHES:
        return SWITCHES[what]
    commercial = bool(fields.get("commercial"))
    purpose = fields.get("purpose", "")
    if purpose and purpose not in PURPOSES:
        raise NotThere("There is no such purpose.")
    where = where_of(
        fields.get("institution", ""), purpose, fields.get("category", ""), fields.get("study", ""),
        commercial=commercial,
    )  # fmt: skip
    if where == EVERYTHING:
        raise BadField("what", "The exception names nothing.", remedy="Choose an institution, a purpose or a category.")
    return where


def _what(visit: Visit, one: Said) -> str:
    _, choice = visit.words.text, one.choice
    if choice.kind == "reversal":
        return _("An earlier choice was taken back.")
    if choice.rule is None:
        return _("Nothing is said any more.")
    about = _about(visit, choice.rule.where)
    return _("No to: %(about)s", about=about) if choice.rule.decision == "deny" else _("Yes to: %(about)s", about=about)


def _about(visit: Visit, where: Where) -> str:
    """What a rule is about, in words."""
    _ = visit.words.text
    for key, switch in SWITCHES.items():
        if where == switch:
            return _(SWITCH_WORDS[key][0])
    known = visit.calls.institutions()
    parts = [
        *(known.get(one, one) for one in where.institutions),
        *(visit.words.term(f"purpose.{one}") for one in where.purposes),
        *(_categories(visit).get(one, one) for one in where.categories),
        *(_("study %(name)s", name=one) for one in where.studies),
        *([_("commercial use")] if where.commercial else []),
        *(_("records of the kind %(name)s", name=one) for one in where.classes),
    ]
    return " · ".join(parts) or _("everything")


def _categories(visit: Visit) -> dict[str, str]:
    at = 1 if visit.words.language == "zh" else 0
    return {key: words[at] for key, words in CATEGORIES.items()}


def preview_path(key: str) -> str:
    """The address of a switch's preview."""
    return "/my/choices/preview?" + urlencode({"what": key})


ROUTES = (looks, proof, policy, look_page, wrong, wrong_list, choices, preview, choose)
