"""What persons chose about the use of their data, and what follows from it for one use. Pure.

A choice is a tree of rules: permit or deny, about some purposes, institutions, categories, studies or records, with
exceptions that have exceptions. What cannot be told apart is *unclear*: a denial then counts, a permission does not.
The newest choice that speaks of a use holds, by instants with their zone; at the same instant the stricter one.
A permission counts only once the person's identity was checked, and that of a guardian only while the guardian
is one; a denial always counts. Where no choice speaks, the regime of the law pack does: opt-out or opt-in.

Care is never touched: these rules are about research and other secondary use alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant, to_text
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.consent_codes import TABLES, TABLES_OF
from xinglin.terms.purposes import NO_DISEASES, Diseases, check_purpose, within
from xinglin.terms.request import is_did, is_name

Decision = Literal["permit", "deny", "silent"]
"""``silent``: says nothing by itself; only its exceptions speak."""

Regime = Literal["opt-out", "opt-in"]
Kind = Literal["choice", "withdrawal", "reversal"]
Lane = Literal["research", "care"]

DEPTH = Limit("depth of nested exceptions", 8, "levels")
RULES = Limit("rules of a choice", 256, "rules")
WORDS = Limit("words of a choice", 500, "characters")
NAMED = Limit("names of one kind in a rule", 256, "names")

CATEGORIES: Mapping[str, tuple[str, str]] = {
    "genetic": ("genetic and genomic data", "遗传与基因数据"),
    "mental-health": ("mental health", "精神健康"),
    "sexual-health": ("sexual and reproductive health", "性与生殖健康"),
    "hiv": ("HIV and AIDS", "艾滋病"),
    "substance-use": ("use of alcohol and drugs", "酒精与药物使用"),
    "violence": ("domestic and sexual violence", "家庭与性暴力"),
    "minors": ("data of minors", "未成年人数据"),
    "ethnicity": ("ethnic origin, race, belief", "民族、种族与信仰"),
    "biometric": ("faces, voices and other biometric data", "人脸、声音等生物识别数据"),
}
"""Sensitive categories that a choice may name, with their words in English and Chinese."""


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule is about. An empty field is about everything of its kind; all fields hold together.

    ``institutions``: DIDs, or names a hospital knows them by. ``classes``: kinds of records, as FHIR resource types or
    table names. ``commercial``: commercial use alone. ``since`` ≤ now < ``until``: when the rule holds. ``unclear``:
    places of conditions in the source that nobody here can judge.
    """

    purposes: tuple[str, ...] = ()
    institutions: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    commercial: bool = False
    since: Instant | None = None
    until: Instant | None = None
    unclear: tuple[str, ...] = ()


EVERYTHING = Where()

ANYTHING = "*"
"""In a denial: a name that is not known here, and may be of anything."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A decision about ``where``; where an exception speaks too, the exception holds; of several the stricter."""

    decision: Decision
    where: Where = EVERYTHING
    exceptions: tuple[Rule, ...] = ()


class Delegate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who chose for the person: a guardian or another representative, from ``since`` until before ``until``."""

    relation: str
    name: str = ""
    since: Instant | None = None
    until: Instant | None = None


class IdentityCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That somebody checked who the person (or the representative) is: ``how``, ``by`` whom, when."""

    how: str
    by: str
    at: Instant


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that one person said. Version 1; append-only.

    ``person``: the hospital's own key; it never leaves the node. ``at`` to ``at_latest``: when it was said (an interval
    where the source gives a day alone), ``said_at`` as it was written, with its zone. ``rule``: none where it says
    nothing any more. ``document``: versions of one document replace each other, the newest ``version_at`` alone
    speaks. ``undoes``: ids of choices that a reversal takes back. ``flags``: what was not understood. ``id``: random,
    known to the node and the person, so that the digest in the log can be tried by nobody else.
    """

    person: str
    rule: Rule | None
    at: Instant
    source: str
    kind: Kind = "choice"
    at_latest: Instant = -1
    said_at: str = ""
    delegate: Delegate | None = None
    identity: IdentityCheck | None = None
    document: str = ""
    version_at: Instant = -1
    undoes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    id: str = ""
    version: int = 1

    @property
    def latest(self) -> Instant:
        """The last instant at which it can have been said."""
        return max(self.at, self.at_latest)

    @property
    def ordered_at(self) -> Instant:
        """What orders the versions of one document."""
        return self.version_at if self.version_at >= 0 else self.latest

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: what the log is told."""
        return canonical_digest(self)


class ConsentUse(msgspec.Struct, frozen=True, kw_only=True):
    """A use as choices see it. What is not known is ``None``: then a denial about it counts, a permission does not.

    ``institutions``: the user's DID and the names it is known by. ``categories`` and ``classes`` that the study's views
    touch. ``cutoff``: denials said from then on do not bind this use (``consent_use.cutoff_of``); ``None``: every one
    does. ``article``: where that is written.
    """

    study: str
    purpose: str
    institutions: tuple[str, ...]
    at: Instant
    lane: Lane = "research"
    commercial: bool | None = None
    categories: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    regime: Regime = "opt-in"
    cutoff: Instant | None = None
    article: str = ""
    diseases: Diseases = NO_DISEASES


class PersonFilter(msgspec.Struct, frozen=True):
    """Whose rows a use may see: ``only`` these (``None``: everybody), and never ``without``. Keys, sorted."""

    without: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None

    @property
    def lets_everybody(self) -> bool:
        """Whether nobody is removed."""
        return not self.without and self.only is None


def effective(choices: Iterable[Choice], use: ConsentUse) -> Verdict:
    """Whether one person's choices let a use see their rows, with every reason why not.

    >>> use = ConsentUse(study="s", purpose="education", institutions=(), at=9, regime="opt-out")
    >>> bool(effective([], use)), effective([Choice("p", Rule("deny"), 1, "paper")], use).codes
    (True, ('consent.objected',))
    """
    if use.lane == "care":
        return Allowed(("care",))
    deny, permit = _newest(tuple(choices), use, {})
    if deny is not None and (permit is None or permit.at <= deny.latest):
        return Denied(_objections(deny, use))
    if permit is not None or use.regime == "opt-out":
        return Allowed(("consent",) if permit is not None else ("no-objection",))
    words = "The person has not consented to this use, and the law pack asks for consent."
    return Denied((Reason("consent.none", words, "Ask the person."),))


def person_filter(choices: Iterable[Choice], use: ConsentUse) -> PersonFilter:
    """Whose rows ``use`` may see, of everybody whose choices are given; order changes nothing."""
    if use.lane == "care":
        return PersonFilter()
    of: dict[str, list[Choice]] = defaultdict(list)
    for choice in choices:
        of[choice.person].append(choice)
    known: dict[Rule, frozenset[Decision]] = {}
    without, only = [], []
    for person, said in of.items():
        deny, permit = _newest(said, use, known)
        if deny is not None and (permit is None or permit.at <= deny.latest):
            without.append(person)
        elif permit is not None:
            only.append(person)
    return PersonFilter(tuple(sorted(without)), tuple(sorted(only)) if use.regime == "opt-in" else None)


def withdrawn(choices: Iterable[Choice], use: ConsentUse) -> tuple[str, ...]:
    """The persons whose choices take them out of ``use``, sorted."""
    return person_filter(choices, use).without


def outcomes(rule: Rule, use: ConsentUse) -> frozenset[Decision]:
    """Everything that a rule may mean for a use; more than one thing where something is unclear or unknown.

    >>> use = ConsentUse(study="s", purpose="education", institutions=(), at=9)
    >>> sorted(outcomes(Rule("deny", Where(commercial=True)), use))
    ['deny', 'silent']
    """
    surely, possibly = _about(rule, use)
    if not possibly:
        return frozenset({"silent"})
    inner = [outcomes(one, use) for one in rule.exceptions]
    found: set[Decision] = set()
    if any("deny" in one for one in inner):
        found.add("deny")
    if not any(one == {"deny"} for one in inner):
        if any("permit" in one for one in inner):
            found.add("permit")
        if all("silent" in one for one in inner):
            found.add(rule.decision)
    return frozenset(found if surely else found | {"silent"})


def check_choice(choice: Choice, *, imported: bool = False) -> Verdict:
    """Whether a choice may be recorded, with every reason why not.

    A choice that permits anything, and a reversal, asks for an identity check, and a representative for dates: where a
    document is ``imported`` without them it may be kept, since its permissions then do not count.
    """
    reasons = [*_form(choice, imported)]
    rules = list(_every(choice.rule)) if choice.rule is not None else []
    if len(rules) > RULES.value or _depth(choice.rule) > DEPTH.value:
        reasons.append(_reason("The choice has too many rules.", "Write several choices."))
    for rule in rules[: RULES.value]:
        reasons += _named(rule.where)
    loosens = choice.kind == "reversal" or any(rule.decision == "permit" for rule in rules)
    if loosens and choice.identity is None and not imported:
        words = "What permits more needs a check of the person's identity."
        reasons.append(Reason("consent.identity", words, "Say how identity was checked, and by whom."))
    return Denied(tuple(dict.fromkeys(reasons))) if reasons else Allowed()


def _form(choice: Choice, imported: bool) -> Iterator[Reason]:
    if choice.version != 1:
        yield _reason(f"Version {choice.version} of a choice is not known here.", "Upgrade.")
    texts = (choice.person, choice.source)
    if not all(t.strip() and t.isprintable() and len(t) <= WORDS.value for t in texts):
        yield _reason("A choice names the person and where it comes from.", "Name both.")
    if choice.at < 0 or (choice.kind != "reversal" and choice.rule is None and not choice.document):
        yield _reason("A choice has an instant and says something.", "State both.")
    if choice.kind == "reversal" and (not choice.undoes or choice.rule is not None):
        yield _reason("A reversal names the choices that it takes back, and nothing else.", "Name them by their ids.")
    who = choice.delegate
    if who is not None and not imported and (not who.relation.strip() or who.since is None):
        yield _reason("A representative has a relation and a first day.", "State both.")
    if who is not None and who.until is not None and who.since is not None and who.until <= who.since:
        yield _reason("A representation ends after it begins.", "Set its dates.")


def _named(where: Where) -> Iterator[Reason]:
    for purpose in where.purposes:
        verdict = check_purpose(purpose)
        if isinstance(verdict, Denied) and "terms.purpose_unknown" in verdict.codes:
            yield from verdict.reasons
    for category in where.categories:
        if category not in CATEGORIES and category != ANYTHING:
            yield _reason(f"'{category[:40]}' is no sensitive category.", f"Use one of {', '.join(CATEGORIES)}.")
    if not all(is_name(one) or one == ANYTHING for one in where.studies):
        yield _reason("A study has a plain name.", "Use letters, digits, . _ : and -.")
    kinds = (where.purposes, where.institutions, where.categories, where.studies, where.classes)
    if any(len(kind) > NAMED.value for kind in kinds):
        yield _reason(f"A rule names at most {NAMED.value} of a kind.", "Write several choices.")


def _reason(words: str, remedy: str) -> Reason:
    return Reason("consent.bad_choice", words, remedy)


def _objections(choice: Choice, use: ConsentUse) -> tuple[Reason, ...]:
    when = to_text(choice.latest)
    if choice.flags:
        words = f"What was said at {when} could not be understood, and counts as an objection."
        return (Reason("consent.not_understood", words, "Have it recorded in words that are known here."),)
    words = f"The person {'withdrew consent' if choice.kind == 'withdrawal' else 'objected'} at {when}."
    remedy = f"Only the person can change that ({use.article})." if use.article else "Only the person can change that."
    return (Reason("consent.objected", words, remedy),)


# --- which choices speak -------------------------------------------------------------------------


def _newest(
    choices: Sequence[Choice], use: ConsentUse, known: dict[Rule, frozenset[Decision]]
) -> tuple[Choice | None, Choice | None]:
    """The newest choice that may deny and binds, and the newest that surely permits."""
    cutoff = use.cutoff
    denying: Choice | None = None
    permitting: Choice | None = None
    undone = undone_by(choices)
    for choice in choices:
        if choice.rule is None or choice.id in undone:
            continue
        meant = known.get(choice.rule)
        if meant is None:
            meant = known[choice.rule] = outcomes(choice.rule, use)
        if "deny" in meant and (cutoff is None or choice.at < cutoff) and not superseded(choice, choices, True):
            denying = max((c for c in (denying, choice) if c is not None), key=lambda c: (c.latest, c.id))
        if meant == {"permit"} and _counts(choice, use) and not superseded(choice, choices, False):
            permitting = max((c for c in (permitting, choice) if c is not None), key=lambda c: (c.at, c.id))
    return denying, permitting


def undone_by(choices: Sequence[Choice]) -> set[str]:
    """Choices that a later reversal after an identity check took back; it names them, so that it knew of them."""
    reversals = [c for c in choices if c.kind == "reversal" and c.identity is not None and in_office(c, c.at)]
    if not reversals:
        return set()
    said = {choice.id: choice for choice in choices if choice.id}
    return {one for c in reversals for one in c.undoes if one in said and said[one].at < c.at}


def superseded(choice: Choice, choices: Sequence[Choice], denial: bool) -> bool:
    """Whether a newer version of its document speaks instead; a denial gives way to a checked one alone.

    Of versions that nobody can put in order, a permission gives way to one that says nothing any more.
    """
    if not choice.document or len(choices) == 1:
        return False
    return any(
        one.document == choice.document
        and (one.ordered_at > choice.ordered_at or (one.rule is None and one.ordered_at == choice.ordered_at))
        and (not denial or (one.identity is not None and not one.flags and one.ordered_at > choice.ordered_at))
        for one in choices
        if one is not choice
    )


def _counts(choice: Choice, use: ConsentUse) -> bool:
    """Whether a permission counts: identity checked, and said by somebody who may say it, then and now."""
    if choice.identity is None or choice.flags or choice.latest > use.at:
        return False
    return in_office(choice, choice.at) and in_office(choice, choice.latest) and in_office(choice, use.at)


def in_office(choice: Choice, at: Instant) -> bool:
    """Whether whoever made a choice may speak for its person at an instant: the person always, others in their time."""
    who = choice.delegate
    if who is None:
        return True
    return who.since is not None and who.since <= at and (who.until is None or at < who.until)


# --- what a rule is about ------------------------------------------------------------------------


def _about(rule: Rule, use: ConsentUse) -> tuple[bool, bool]:
    """Whether a rule is surely, and whether it is possibly, about a use.

    A denial is about a use of which it names a part; a permission is about one that it names as a whole.
    """
    where, denial = rule.where, rule.decision == "deny"
    found = [
        *(_purpose(one, use, denial) for one in (where.purposes,) if one),
        *(_institution(one, use) for one in (where.institutions,) if one),
        *(_parts(one, use.categories, denial) for one in (where.categories,) if one),
        *((use.study in one, use.study in one or ANYTHING in one) for one in (where.studies,) if one),
        *(_records(one, use, denial) for one in (where.classes,) if one),
    ]
    if where.commercial:
        found.append((use.commercial is True, use.commercial is not False))
    if where.unclear:
        found.append((False, True))
    begun, over = where.since is None or where.since <= use.at, where.until is not None and where.until <= use.at
    found.append(_certain(begun and not over))
    return all(surely for surely, _ in found), all(possibly for _, possibly in found)


def _certain(holds: bool) -> tuple[bool, bool]:
    return holds, holds


def _purpose(named: tuple[str, ...], use: ConsentUse, denial: bool) -> tuple[bool, bool]:
    inside = [within(use.purpose, one, use.diseases) for one in named]
    if denial and any(within(one, use.purpose, use.diseases) for one in named):
        return True, True  # what is asked for holds what is denied
    return True in inside, any(one is not False for one in inside)


def _institution(named: tuple[str, ...], use: ConsentUse) -> tuple[bool, bool]:
    if set(named) & set(use.institutions):
        return True, True
    told_apart = all(map(is_did, named)) and any(map(is_did, use.institutions))
    return False, not told_apart


def _parts(named: tuple[str, ...], touched: tuple[str, ...] | None, denial: bool) -> tuple[bool, bool]:
    if touched is None or (denial and ANYTHING in named):
        return False, True
    if denial:
        return _certain(bool(set(named) & set(touched)))
    return _certain(bool(touched) and set(touched) <= set(named))


def _records(named: tuple[str, ...], use: ConsentUse, denial: bool) -> tuple[bool, bool]:
    """Kinds of records. What lies in a table of the hospital's own making may be of any kind."""
    if use.classes is None:
        return False, True
    kinds, touched = _spelled(named), _spelled(use.classes)
    surely, possibly = _parts(kinds, touched, denial)
    if denial and not possibly and not {*kinds, *touched} <= TABLES:
        return False, True
    return surely, possibly


def _spelled(names: tuple[str, ...]) -> tuple[str, ...]:
    """Kinds of records in one spelling: ``MedicationRequest`` and ``medication_request`` are one; see ``TABLES_OF``."""
    plain = (name.replace("_", "").replace("-", "").lower() for name in names)
    return tuple(table for name in plain for table in TABLES_OF.get(name, (name,)))


def _every(rule: Rule | None) -> Iterator[Rule]:
    if rule is not None:
        yield rule
        for one in rule.exceptions:
            yield from _every(one)


def _depth(rule: Rule | None) -> int:
    return 0 if rule is None else 1 + max((_depth(one) for one in rule.exceptions), default=0)
