"""The machine's look at an application, hospital by hospital: yes, ask, or no, with every reason; a person decides."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xinglin.access.form import Form, agreed_terms
from xinglin.catalogue import DataSetDescription, study_view
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied, Reason
from xinglin.terms.grades import REQUIREMENTS, required

ALGORITHMS = {"statistics": "disclosure/1", "training": "disclosure/1"}
"""Operations that nodes carry out by themselves, and the rule pack their results pass."""


class Screening(msgspec.Struct, frozen=True):
    """``verdict``: yes, ask or no for one hospital; ``reasons``: what would have to change; ``needs``: what is due."""

    hospital: str
    verdict: str
    reasons: tuple[Reason, ...]
    needs: tuple[str, ...]


def screen(form: Form, published: Mapping[str, DataSetDescription], now: Instant) -> tuple[Screening, ...]:
    """What each hospital's published facts say to the form; never a refusal, only a recommendation.

    ``no``: terms that this hospital could not expose. ``ask``: something only a person can judge.
    """
    recipients = tuple(member.did for member in form.people.members)
    terms = agreed_terms(form, recipients, now)
    needs = required(form.data.grade, form.settings.operation)
    common = list(needs.reasons) if isinstance(needs, Denied) else []
    due = () if isinstance(needs, Denied) else tuple(REQUIREMENTS[name] for name in needs)
    found = []
    for hospital in form.data.hospitals:
        reasons, verdict = list(common), "no" if common else "yes"
        described = published.get(hospital)
        exposed = study_view(described, terms) if described is not None else None
        if isinstance(exposed, Denied):
            reasons, verdict = [*reasons, *exposed.reasons], "no"
        elif exposed is None:
            words = "This hospital does not publish the data set."
            reasons, verdict = [*reasons, Reason("access.not_published", words, "Ask another hospital.")], "no"
        asked = _for_a_person(form)
        if verdict == "yes" and asked:
            verdict = "ask"
        found.append(Screening(hospital, verdict, (*reasons, *asked), due))
    return tuple(found)


def _for_a_person(form: Form) -> tuple[Reason, ...]:
    asked = []
    if form.settings.operation not in ALGORITHMS:
        words = "Each output of this operation is reviewed by a person."
        asked.append(Reason("access.review_outputs", words, "Ask for statistics, or name a reviewer."))
    if form.data.abroad:
        words = "A recipient abroad needs a person's judgement of the cross-border rules."
        asked.append(Reason("access.abroad", words, "Have the security assessment at hand."))
    if form.data.genetic:
        words = "Human genetic resources need a filing or a permit before any use."
        asked.append(Reason("access.genetic", words, "Attach the filing: see the dossier."))
    return tuple(asked)
