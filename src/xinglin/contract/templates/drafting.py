"""From a template and a study to an agreement, and from one application to the offers for many hospitals.

A file ``NAME.toml`` beside this module states grade, purposes, operations, days, allowance, disclosure rules and the
policy in our vocabulary. A draft may ask for less than its template gives, never for more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from xinglin.contract.agreement import Agreement, check_agreement
from xinglin.contract.errors import BadRules, NotThisAgreement
from xinglin.contract.study import Application, Study, check_study
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict, deny
from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.facts import CLOCK_SKEW_MS
from xinglin.terms.grades import GRADES, OPERATIONS, REQUIRED
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition
from xinglin.terms.purposes import check_purpose, covers
from xinglin.terms.thresholds import DisclosureRules
from xinglin.terms.writing import canonical, check_policy

NAMES = ("aggregates", "statistics", "training", "extract", "public-health", "genomes")
"""Packaged templates."""

DAY_MS = 86_400_000
APPLICATION_DAYS = Limit("days in which an application may be offered", 180, "days")


class Template(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``purposes``: the study's is one of these or narrower. ``limits``: constraints of every permission."""

    name: str
    words: str
    words_zh: str
    grade: str
    purposes: tuple[str, ...]
    operations: tuple[str, ...]
    days: int
    allowance: int
    rules: DisclosureRules = DisclosureRules()
    limits: tuple[Constraint, ...] = ()
    prohibitions: tuple[str, ...] = ()
    duties: tuple[Duty, ...] = ()
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: which template an application was written by."""
        return canonical_digest(self)


class Ask(msgspec.Struct, frozen=True):
    """What a study asks of a data set: views and variables; ``days`` and ``allowance``: 0 means the template's.

    ``recipients``: empty means the consumer.
    """

    data_set: str
    cohort: tuple[CohortView, ...]
    variables: tuple[str, ...]
    days: int = 0
    allowance: int = 0
    recipients: tuple[str, ...] = ()


@cache
def load_template(name: str) -> Template:
    """A packaged template; ``BadRules`` for an unknown name."""
    if name not in NAMES:
        raise BadRules(f"There is no template '{name[:40]}'.", remedy=f"Templates: {', '.join(NAMES)}.")
    return read_template((files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


def read_template(text: str) -> Template:
    """The template of a TOML text; ``BadRules`` names everything in it that cannot be meant."""
    try:
        template = msgspec.convert(_tagged(tomllib.loads(text)), type=Template)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadRules(f"Not a template: {error}.") from error
    problems = _problems(template)
    if problems:
        raise BadRules(f"The template '{template.name[:40]}' cannot be meant.", why=" ".join(problems))
    return template


def draft(
    template: Template,
    study: Study,
    ask: Ask,
    *,
    provider: Peer,
    consumer: Peer,
    peers: Sequence[Peer],
    now: Instant,
    replaces: str = "",
    application: str = "",
) -> Agreement:
    """The agreement of one hospital, made ``now``; ``NotThisAgreement`` names what cannot be agreed so.

    ``application``: the digest of the application that it follows from, or empty.
    """
    asked = check_ask(template, study, ask)
    days, allowance = ask.days or template.days, ask.allowance or template.allowance
    terms = AgreedTerms(
        grade=template.grade,
        cohort=ask.cohort,
        variables=tuple(sorted(ask.variables)),
        purposes=(study.purpose,),
        operations=template.operations,
        not_before=now,
        expires=now + days * DAY_MS,
        allowance=allowance,
        recipients=tuple(sorted(ask.recipients)) or (consumer.did,),
        peers=tuple(sorted((one for one in peers if one.did != provider.did), key=lambda one: one.did)),
        rules=template.rules,
        policy=policy_of(template, study),
    )
    made = Agreement(
        provider=provider.did,
        provider_keys=provider.keys,
        consumer=consumer.did,
        consumer_keys=consumer.keys,
        study=study.id,
        data_set=ask.data_set,
        terms=terms,
        made=now,
        replaces=replaces,
        version=3 if application else terms.version,
        application=application or msgspec.UNSET,
    )
    agreeable = check_agreement(made)
    reasons = [*(asked.reasons if isinstance(asked, Denied) else ())]
    reasons += agreeable.reasons if isinstance(agreeable, Denied) else ()
    if reasons:
        raise NotThisAgreement(
            "The study cannot be offered so.",
            why=" ".join(one.words for one in reasons),
            remedy=" ".join(dict.fromkeys(one.remedy for one in reasons)),
        )
    return made


def offers(application: Application, template: Template) -> tuple[Agreement, ...]:
    """The agreement of each hospital of an application, in its order; each names all the others as peers."""
    if (application.template, application.template_digest) != (template.name, template.digest()):
        raise NotThisAgreement("The application was written by another template.", remedy="Use that one.")
    ask = Ask(
        application.data_set,
        application.cohort,
        application.variables,
        application.days,
        application.allowance,
        application.recipients,
    )
    digest = application.digest()
    return tuple(
        draft(
            template,
            application.study,
            ask,
            provider=one,
            consumer=application.consumer,
            peers=application.hospitals,
            now=application.made,
            application=digest,
        )
        for one in application.hospitals
    )


def is_offer_of(application: Application, template: Template, agreement: Agreement) -> Verdict:
    """Whether an offer is what the application asks of that hospital, and so the same as of every other."""
    if agreement in offers(application, template):
        return Allowed()
    words = "The offer says something else than the study's application."
    return deny("contract.not_of_application", words, "Ask the study for the offer that it applied for.")


def check_offer_of(application: Application, agreement: Agreement, at: Peer, now: Instant) -> Verdict:
    """Whether the hospital ``at`` may take an offer as the one that a study applied for, with every reason why not.

    1. The offer names this application. 2. The application names this hospital, by its keys, and the offer's data set.
    3. It is not from the future, nor older than ``APPLICATION_DAYS``. 4. Its template is known here, word for word.
    5. The offer follows from it to the letter.
    """
    reasons = []
    if agreement.applied != application.digest():
        words = "The offer names another application than the one that came with it."
        reasons.append(Reason("contract.other_application", words, "Have it offered anew with its own."))
    if at not in application.hospitals or agreement.provider != at.did:
        words = "The application does not name this hospital by the keys that it has."
        reasons.append(Reason("contract.not_applied_here", words, "Apply to this hospital too."))
    if agreement.data_set != application.data_set:
        words = "The application is for another data set."
        reasons.append(Reason("contract.other_data_set", words, "Apply for this data set."))
    if not application.made - CLOCK_SKEW_MS <= now < application.made + APPLICATION_DAYS.value * DAY_MS:
        words = f"An application is offered within {APPLICATION_DAYS.value} days of the instant at which it was made."
        reasons.append(Reason("contract.application_expired", words, "Apply anew."))
    try:
        found = is_offer_of(application, load_template(application.template), agreement)
    except (BadRules, NotThisAgreement) as error:
        found = deny("contract.not_of_application", error.what, error.remedy or "Apply anew.")
    return Denied((*reasons, *found.reasons)) if isinstance(found, Denied) else _allowed_unless(reasons)


def check_ask(template: Template, study: Study, ask: Ask) -> Verdict:
    """Whether a study may ask so by a template: its purpose covered, nothing longer or more."""
    found = check_study(study)
    reasons = [*(found.reasons if isinstance(found, Denied) else ())]
    if not covers(template.purposes, study.purpose):
        words = f"The template is for {', '.join(template.purposes)}."
        reasons.append(Reason("contract.template_purpose", words, "Use a template for the study's purpose."))
    if not 0 <= ask.days <= template.days:
        words = f"The template gives {template.days} days at most."
        reasons.append(Reason("contract.template_days", words, "Ask for fewer."))
    if not 0 <= ask.allowance <= template.allowance:
        words = f"The template gives {template.allowance} answers at most."
        reasons.append(Reason("contract.template_allowance", words, "Ask for fewer."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def policy_of(template: Template, study: Study) -> Policy:
    """The template's policy for a study: each operation under its limits, for this study and purpose alone."""
    limits = (
        *template.limits,
        Constraint("study", "eq", study.id),
        Constraint("purpose", "isA", study.purpose),
    )
    return canonical(
        Policy(
            permissions=tuple(Permission(operation, limits) for operation in template.operations),
            prohibitions=tuple(Prohibition(action) for action in template.prohibitions),
            duties=template.duties,
        )
    )


def _allowed_unless(reasons: list[Reason]) -> Verdict:
    return Denied(tuple(reasons)) if reasons else Allowed()


def _tagged(value: Any) -> Any:
    """Constraints in TOML are written without their tag."""
    if isinstance(value, list):
        return [_tagged(one) for one in value]
    if isinstance(value, dict):
        tag = {"type": "constraint"} if {"operand", "operator", "value"} <= set(value) else {}
        return tag | {name: _tagged(inner) for name, inner in value.items()}
    return value


def _problems(template: Template) -> list[str]:
    found = []
    if template.version != 1:
        found.append(f"Version {template.version} of a template is not known here.")
    if template.grade not in GRADES:
        found.append(f"'grade' is one of {', '.join(GRADES)}.")
    if not template.operations or not set(template.operations) <= set(OPERATIONS):
        found.append(f"'operations' are some of {', '.join(OPERATIONS)}.")
    elif any((template.grade, one) not in REQUIRED for one in template.operations):
        found.append(f"An operation is not offered on grade {template.grade}.")
    if not template.purposes or not all(check_purpose(one) for one in template.purposes):
        found.append("A purpose is not known, or none is named.")
    if template.days < 1 or template.allowance < 1:
        found.append("'days' and 'allowance' are at least 1.")
    sample = Study("study", "study", "", "", "any", "consent")
    policy = check_policy(policy_of(template, sample))
    if isinstance(policy, Denied):
        found += [reason.words for reason in policy.reasons]
    return found
