"""An application in five steps, kept at every change; and agreements offered right away, where that was agreed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from xinglin.access.clocks import DECISION_DAYS, HOSPITAL_DAYS, SCREENING_DAYS, VOTE_DAYS
from xinglin.access.form import ENVIRONMENTS, OUTPUT_TYPES, Gap, Member, SafeData, SafeProject
from xinglin.access.form import Form as Application
from xinglin.catalogue.eligible import ASK, NO, OPEN, YES
from xinglin.catalogue.search import Hit
from xinglin.console.addresses import segment
from xinglin.console.calls.researcher_catalogue import facts_of_form, path_of
from xinglin.console.code_shown import in_python, in_shell
from xinglin.console.errors import NotThere
from xinglin.console.frame import Done, Head, Nav, Page, Same, Step, act, screen
from xinglin.console.policy_words import duty_sentence
from xinglin.console.screens.wizard_form import MEMBERS_SHOWN, STEPS, by_table, day_of, select_of, with_step
from xinglin.console.visit import Form, Visit
from xinglin.sdk.offers import Offer
from xinglin.terms.grades import GRADES, OPERATIONS
from xinglin.terms.purposes import BASES, PURPOSES
from xinglin.terms.thresholds import DisclosureRules
from xinglin.wire.access import DraftView
from xinglin.words import N_

NAV = (Nav(roles=("researcher",), path="/apply", label=N_("Apply"), order=30),)
RESEARCHER = ("researcher",)
LABELS = {
    "project": N_("1 Project"),
    "people": N_("2 People"),
    "data": N_("3 Data"),
    "settings": N_("4 Settings"),
    "outputs": N_("5 Outputs"),
    "review": N_("Look and hand in"),
}
CHIPS = [
    one
    for one in PURPOSES.values()
    if not one.prohibited and one.code not in ("any", "clinical-care", "disease-research")
]
_CONFLICTS = {"prohibited_commercialise": "NCU", "not_met_purpose": "DUO", "not_met_place": "GS"}
CSS, JS = ("screens/catalogue.css", "screens/wizard.css"), ("screens/wizard.js",)
_NAMES_OFFERED, _NAMED_SETS = 500, 30


@screen("/apply", roles=RESEARCHER)
def drafts(visit: Visit) -> Page:
    """Drafts, and the start of a new application: empty, for a data set, or with the answers of an earlier one."""
    _ = visit.words.text
    found = visit.calls.studies.drafts()
    earlier = [one for one in visit.calls.studies.page(most=30).lines if one.application]
    values = {"drafts": found, "earlier": earlier, "data_set": visit.query.get("data_set", ""), "steps": STEPS}
    same = Same(python="Access(space).save(Form(...))", cli="xinglin access form > form.json")
    return Page("wizard/drafts.html", title=_("Apply for data"), values=values, same=same, css=CSS)


@act("/apply", roles=RESEARCHER)
def start(visit: Visit, form: Form) -> Done:
    """Start a draft, with what is known already."""
    did, institution, _names = visit.calls.studies.me()
    if form.text("copy"):
        draft = visit.calls.studies.copy(form.text("copy"), form.text("title"))
        return Done(f"/apply/{segment(draft.draft)}/project")
    empty = Application()
    made = msgspec.structs.replace(
        empty,
        project=SafeProject(title=form.text("title"), begins=visit.now // _DAY_MS * _DAY_MS),
        people=msgspec.structs.replace(empty.people, institution=institution, members=(Member(did),)),
        data=SafeData(data_set=form.text("data_set")),
        settings=msgspec.structs.replace(empty.settings, retention_days=365),
    )
    return Done(f"/apply/{segment(visit.calls.studies.save(made).draft)}/project")


@screen("/apply/{draft:str}/{step:str}", roles=RESEARCHER)
def step_page(visit: Visit, draft: str, step: str) -> Page:
    """One step of an application, with everything that it lacks beside it."""
    if step not in LABELS:
        raise NotThere("There is no such step.", remedy="Begin with the project.")
    kept: DraftView = visit.calls.studies.draft(draft)
    return _shown(visit, kept, step, {})


@act("/apply/{draft:str}/{step:str}/keep", roles=RESEARCHER)
def keep(visit: Visit, form: Form, draft: str, step: str) -> Page:
    """Keep a step while it is written; what it lacks is shown, and nothing is refused."""
    kept, wrong = _kept(visit, form, draft, step)
    return Page("wizard/lacks.html", values=_beside(visit, kept, step, wrong), fragment=True)


@act("/apply/{draft:str}/{step:str}", roles=RESEARCHER)
def save(visit: Visit, form: Form, draft: str, step: str) -> Done | Page:
    """Keep a step, and go on where the button says."""
    kept, wrong = _kept(visit, form, draft, step)
    if wrong:
        return _shown(visit, kept, step, wrong)
    here = (*STEPS, "review").index(step)
    following = step if form.text("go") == "stay" else (*STEPS, "review")[here + 1]
    return Done(f"/apply/{segment(draft)}/{segment(following)}")


@act("/apply/{draft:str}/submit", roles=RESEARCHER)
def submit(visit: Visit, form: Form, draft: str) -> Done:
    """Hand the application in, for all its hospitals at once."""
    kept = visit.calls.studies.draft(draft)
    study = visit.calls.studies.submit(kept.form, draft)
    said = visit.words.text("Handed in. Here you see who has it, and since when.")
    return Done(f"/studies/{segment(study)}", said)


@screen("/propose", roles=RESEARCHER)
def propose_page(visit: Visit) -> Page:
    """Agreements right away: for hospitals whose house rules countersign such aggregates by themselves."""
    _ = visit.words.text
    name = visit.query.get("data_set", "")
    calls = visit.calls.catalogue
    described = calls.descriptions(name) if name else {}
    _did, _institution, names = visit.calls.studies.me()
    values = {
        "data_set": name,
        "names": [one.entry.name for one in calls.search(most=_NAMED_SETS).hits],
        "tables": _tables(described),
        "hospitals": [names.get(did, did) for did in described],
        "chips": CHIPS,
    }
    same = Same(
        python=in_python("space.propose(title, data_set={}, cohort={{...}}, variables=[...])", name),
        cli="xinglin study propose",
    )
    return Page("wizard/propose.html", title=_("Ask right away"), values=values, same=same, css=CSS)


@act("/propose", roles=RESEARCHER)
def propose(visit: Visit, form: Form) -> Done:
    """Offer the agreements."""
    variables = tuple(sorted(set(form.many("variables"))))
    cohort = {table: select_of(table, columns) for table, columns in by_table(variables).items()}
    offer = Offer(
        days=form.whole("days", 365),
        allowance=form.whole("allowance", 50),
        rules=DisclosureRules(min_cell=form.whole("min_cell", 10)),
    )
    purpose = form.text("purpose") or "health-research"
    study = visit.calls.studies.propose(
        form.needed("title"), form.needed("data_set"), cohort, variables, purpose, offer
    )
    return Done(f"/studies/{segment(study)}", visit.words.text("Offered to every hospital that publishes it."))


ROUTES = (drafts, start, step_page, keep, save, submit, propose_page, propose)
_DAY_MS = 24 * 3600 * 1000


def _kept(visit: Visit, form: Form, draft: str, step: str) -> tuple[DraftView, dict[str, str]]:
    if step not in STEPS:
        raise NotThere("There is no such step.", remedy="Begin with the project.")
    before: DraftView = visit.calls.studies.draft(draft)
    changed, wrong = with_step(before.form, step, form)
    if changed == before.form:
        return before, wrong
    return visit.calls.studies.save(changed, draft), wrong


def _shown(visit: Visit, kept: DraftView, step: str, wrong: Mapping[str, str]) -> Page:
    _, form = visit.words.text, kept.form
    values = {
        **_beside(visit, kept, step, wrong),
        "steps": [(name, _(label)) for name, label in LABELS.items()],
        "day_of": day_of,
        **_STEP_VALUES[step](visit, form),
    }
    title = form.project.title or _("New application")
    head = Head(kind="object.application", id=kept.draft, state="state.draft")
    same = Same(
        python=in_python("Access(space).save(form, {})", kept.draft),
        cli=in_shell("xinglin access apply form.json --draft --draft-id {}", kept.draft),
    )
    return Page(
        f"wizard/{step}.html", title=title, values=values, head=head, same=same, css=CSS, js=JS,
        crumbs=(Step(_("Apply for data"), "/apply"),), data=msgspec.to_builtins(form),
    )  # fmt: skip


def _beside(visit: Visit, kept: DraftView, step: str, wrong: Mapping[str, str]) -> dict[str, Any]:
    """What stands beside every step: what is lacking, what may be used, how long it takes, what it costs."""
    _, zh = visit.words.text, visit.words.language == "zh"
    lacking: dict[str, list[str]] = {name: [] for name in STEPS}
    for gap in kept.gaps:
        said = gap.words_zh if zh else gap.words
        if gap.field == "purpose" and not kept.form.project.purpose:
            said = _("No purpose is chosen.")
        place = _place(gap)
        if said not in lacking[place]:
            lacking[place].append(said)
    name, facts = kept.form.data.data_set, facts_of_form(kept.form)
    hits = visit.calls.catalogue.holders(name, facts) if name else ()
    return {
        "draft": kept.draft,
        "form": kept.form,
        "step": step,
        "kept": kept,
        "wrong": {name: _(said) for name, said in wrong.items()},
        "lacking": lacking,
        "labels": {name: _(label) for name, label in LABELS.items()},
        "hits": hits,
        "usable": _having(hits, YES, OPEN),
        "to_ask": _having(hits, ASK),
        "conflicting": _having(hits, NO),
        "conflicts": _conflicts(hits),
        "waits": _waits(visit, kept.form),
        "fees": _fees(visit, hits),
    }


def _place(gap: Gap) -> str:
    section = "settings" if gap.field == "committees" else "project" if gap.section == "form" else gap.section
    return section if section in STEPS else "project"


def _having(hits: tuple[Hit, ...], *answers: str) -> int:
    return sum(one.standing is not None and one.standing.answer in answers for one in hits)


def _conflicts(hits: tuple[Hit, ...]) -> list[str]:
    codes = {
        reason.code.rpartition(".")[2] for one in hits if one.standing and one.standing.answer == NO
        for reason in one.standing.reasons
    }  # fmt: skip
    return sorted({_CONFLICTS.get(one, one.replace("_", " ")) for one in codes})


def _waits(visit: Visit, form: Application) -> list[tuple[str, int]]:
    _ = visit.words.text
    found = [(_("Operator looks at it, at most"), SCREENING_DAYS)]
    if form.committees:
        found.append((_("Ethics committee votes, at most"), round(VOTE_DAYS)))
    found.append((_("Decision, at most"), DECISION_DAYS))
    found.append((_("Hospitals sign, at most"), HOSPITAL_DAYS))
    return found


def _fees(visit: Visit, hits: tuple[Hit, ...]) -> list[tuple[str, str]]:
    """What each hospital's terms ask to be paid, in words."""
    found = []
    for hit in hits:
        policy = hit.entry.policy
        rules = [*policy.duties, *(d for one in policy.permissions for d in one.duties)] if policy is not None else []
        found += [(hit.entry.institution, duty_sentence(one, visit.words)) for one in rules if one.action == "pay"]
    return list(dict.fromkeys(found))


def _of_project(visit: Visit, _form: Application) -> dict[str, Any]:
    return {"chips": CHIPS, "bases": {one: visit.words.term(f"basis.{one}") for one in BASES}}


def _of_people(visit: Visit, form: Application) -> dict[str, Any]:
    _did, _institution, names = visit.calls.studies.me()
    rows = min(MEMBERS_SHOWN, len(form.people.members) + 2)
    return {"names": dict(list(names.items())[:_NAMES_OFFERED]), "rows": rows}


def _of_data(visit: Visit, form: Application) -> dict[str, Any]:
    calls, facts = visit.calls.catalogue, facts_of_form(form)
    described = calls.descriptions(form.data.data_set) if form.data.data_set else {}
    around = calls.search(study=facts, most=_NAMED_SETS)
    return {
        "tables": _tables(described),
        "selects": {view.name: view.select for view in form.data.cohort},
        "offered": sorted({one.entry.name for one in around.hits}),
        "answers": around.answers,
        "grades": {one: visit.words.term(f"grade.{one}") for one in GRADES},
        "path_of": path_of,
    }


def _of_settings(visit: Visit, _form: Application) -> dict[str, Any]:
    term = visit.words.term
    return {
        "operations": {one: term(f"operation.{one}") for one in OPERATIONS},
        "environments": {one: term(f"environment.{one}") for one in ENVIRONMENTS},
        "committees": {one.id: one.name for one in visit.calls.studies.committees()},
    }


def _of_outputs(visit: Visit, _form: Application) -> dict[str, Any]:
    return {"types": {one: visit.words.term(f"output-type.{one}") for one in OUTPUT_TYPES}}


def _of_review(visit: Visit, form: Application) -> dict[str, Any]:
    checked = visit.calls.studies.check(form)
    _did, _institution, names = visit.calls.studies.me()
    return {"checked": checked, "names": names}


_STEP_VALUES = {
    "project": _of_project,
    "people": _of_people,
    "data": _of_data,
    "settings": _of_settings,
    "outputs": _of_outputs,
    "review": _of_review,
}


def _tables(described: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Columns of data by table, with how many hospitals publish each."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for one in described.values():
        for table in one.tables:
            columns = found.setdefault(table.name, {})
            for column in table.columns:
                if column.role != "data":
                    continue
                known = columns.setdefault(column.name, {"name": column.name, "words": column.words, "at": 0,
                                                         "grade": one.grade_of(table.name, column.name)})  # fmt: skip
                known["at"] += 1
    return {table: list(columns.values()) for table, columns in found.items() if columns}
