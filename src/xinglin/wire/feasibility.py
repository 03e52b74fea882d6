"""Feasibility before any study: the template of a question, and what a hospital agreed to beforehand.

A question is an agreement for one rounded count and nothing else: its policy allows one algorithm with its rounding, by
digest, once. Nodes accept it by their own file (``feasibility.toml``), and then the run goes the one way out: decided,
charged, counted in the secure sum, compared with every earlier release (the differencing guard: a question that differs
from an earlier one by fewer persons than the minimum gets no answer), logged, released.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from xinglin.contract.agreement import Agreement
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.agreed import AgreedTerms, CohortView
from xinglin.terms.pack_named import OPERAND, packs_asked
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.terms.purposes import covers

ALGORITHM = "feasibility"
STUDY = "feasibility-"
"""How the study of a question begins; its question's digest follows."""
VIEW = "matching"
DAY_MS = 24 * 3600 * 1000
RULES_BYTES = Limit("feasibility file", 64 * 1024, "bytes")
_SPACE = re.compile(r"\s+")


class FeasibilityRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a hospital agreed to beforehand; without the file it answers nobody.

    ``data_sets``, ``participants``, ``variables``: patterns (names, DIDs, ``table.column``). ``minimum``: persons a
    count has at least. ``round_to``: at least. ``questions_a_day``: different ones, a member. ``days``: at most.
    """

    data_sets: tuple[str, ...]
    participants: tuple[str, ...]
    variables: tuple[str, ...]
    purposes: tuple[str, ...] = ("health-research", "public-health")
    minimum: int = 10
    round_to: int = 10
    questions_a_day: int = 20
    days: int = 30

    def __post_init__(self) -> None:
        if self.minimum < 10 or self.round_to < 10 or self.questions_a_day < 1 or self.days < 1:
            raise ValueError("minimum and round_to are at least 10, the others at least 1")


def read_rules(text: str) -> FeasibilityRules:
    """The rules of a TOML text; raises ``MalformedMessage``."""
    RULES_BYTES.check(len(text.encode("utf-8", "replace")))
    try:
        return msgspec.convert(tomllib.loads(text), FeasibilityRules)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MalformedMessage(f"Not a feasibility file: {error}.", remedy="See docs/catalogue.md.") from error


def question_of(data_set: str, cohort: Sequence[CohortView], round_to: int) -> str:
    """The digest of a question: equal for two that differ in white space and small or capital letters alone."""
    asked = sorted(plain_sql(view.select) for view in cohort)
    return canonical_digest({"data_set": data_set, "cohort": asked, "round_to": round_to})


def study_of(data_set: str, cohort: Sequence[CohortView], round_to: int) -> str:
    """The study that a question is its own."""
    return STUDY + question_of(data_set, cohort, round_to)[7:39]


def question_policy(round_to: int, packs: tuple[str, ...] = ()) -> Policy:
    """One count, rounded so, once; under the disclosure packs (names, digests) that the hospital asks for."""
    digest = canonical_digest({"algorithm": ALGORITHM, "params": {"round_to": round_to}})
    return Policy(
        permissions=(
            Permission(
                "statistics",
                (
                    Constraint("algorithm", "eq", digest),
                    Constraint("count", "lteq", "1"),
                    *((Constraint(OPERAND, "isAllOf", packs),) if packs else ()),
                    Constraint("outputType", "isAnyOf", ("count",)),
                ),
            ),
        )
    )


def is_question(agreement: Agreement) -> bool:
    """Whether an offer says of itself that it is a feasibility question."""
    return agreement.study.startswith(STUDY)


def check_question(
    agreement: Agreement, rules: FeasibilityRules, earlier: Sequence[tuple[Agreement, Instant]], now: Instant
) -> Verdict:
    """Whether a hospital answers, with every reason why not.

    ``earlier``: this member's questions that it accepted, each with when, by the hospital's own clock.
    """
    terms = agreement.terms
    reasons = [*_template(agreement, rules), *_pre_agreed(agreement, rules)]
    if any(one.study == agreement.study and now - at < rules.days * DAY_MS for one, at in earlier):
        reasons.append(_no("asked_before", "This question was answered before.", "Take the answer that was given."))
    if len({one.study for one, at in earlier if now - at < DAY_MS}) >= rules.questions_a_day:
        words = f"{rules.questions_a_day} questions a day were asked."
        reasons.append(_no("too_many_questions", words, "Ask again tomorrow, or propose a study."))
    if terms.expires - terms.not_before > rules.days * DAY_MS:
        reasons.append(_no("too_long", f"A question stands for {rules.days} days at most.", "Ask for fewer."))
    if terms.not_before - now > rules.days * DAY_MS:
        reasons.append(_no("too_late", f"A question begins within {rules.days} days.", "Begin earlier."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def _template(agreement: Agreement, rules: FeasibilityRules) -> list[Reason]:
    """The agreement is the template's, whatever its study is called."""
    terms = agreement.terms
    packs = packs_asked(terms.policy, "statistics") if isinstance(terms.policy, Policy) else ()
    step = next((n for n in _steps(rules.round_to) if terms.policy == question_policy(n, packs)), 0)
    whole = (
        step > 0
        and agreement.study == study_of(agreement.data_set, terms.cohort, step)
        and terms.grade in ("L1", "L2")
        and terms.operations == ("statistics",)
        and terms.allowance == 1
        and terms.recipients == (agreement.consumer,)
        and not agreement.replaces
    )
    remedy = f"Ask for one count, rounded to {rules.round_to} persons or more, for yourself alone."
    return [] if whole else [_no("not_the_template", "This is not the template of a question.", remedy)]


def _steps(least: int) -> tuple[int, ...]:
    return tuple(step for step in (10, 20, 50, 100, 200, 500, 1_000, least) if step >= least)


def _pre_agreed(agreement: Agreement, rules: FeasibilityRules) -> list[Reason]:
    terms: AgreedTerms = agreement.terms
    reasons = []
    if not _any(agreement.data_set, rules.data_sets):
        reasons.append(_no("data_set", "The hospital answers no questions about this data set.", "Propose a study."))
    if not _any(agreement.consumer, rules.participants):
        reasons.append(_no("participant", "The hospital answers no questions of yours.", "Ask to be admitted to it."))
    beyond = [name for name in terms.variables if not _any(name, rules.variables)]
    if beyond:
        words = f"Questions may not touch {', '.join(beyond[:5])}."
        reasons.append(_no("variables", words, "Leave them out, or propose a study."))
    if not all(covers(rules.purposes, asked) for asked in terms.purposes):
        reasons.append(_no("purpose", "The hospital answers no questions for this purpose.", "Name another."))
    if terms.rules.min_cell < rules.minimum:
        words = f"A count has at least {rules.minimum} persons here."
        reasons.append(_no("minimum", words, f"Ask with a minimum of {rules.minimum}."))
    return reasons


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def plain_sql(sql: str) -> str:
    """White space and case of what is not quoted are nobody's meaning."""
    parts = re.split(r"('(?:[^']|'')*')", sql.strip())
    return "".join(one if at % 2 else _SPACE.sub(" ", one).casefold() for at, one in enumerate(parts))


def _no(code: str, words: str, remedy: str) -> Reason:
    return Reason(f"feasibility.{code}", words, remedy)
