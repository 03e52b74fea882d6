"""The decision table: one allowed use for each grade and operation, spoiled in every way, and what the evaluator says.

``docs/terms.md`` prints it, and the tests hold the evaluator to it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from xinglin.kernel.verdict import Denied, Verdict
from xinglin.terms.agreed import AgreedTerms, CohortView, Peer
from xinglin.terms.decide import decide, decide_read
from xinglin.terms.evaluate import Asked
from xinglin.terms.extracts import EXTRACT, EXTRACT_TIME, ExtractAsk
from xinglin.terms.facts import RUN_TIME, AgreementFacts, ApprovalFacts, Facts, TouchedColumn
from xinglin.terms.grades import GRADES, OPERATIONS, REQUIRED, REQUIREMENTS
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition
from xinglin.terms.request import Plan, UseRequest
from xinglin.terms.synthetic import SYNTHESISE, SYNTHETIC, SyntheticAsk
from xinglin.terms.thresholds import DisclosureRules

NOW = 1_790_000_000_000
HOUR_MS = 3_600_000
_BY_FACTS = ("authorised_institution", "agreement", "release_allowance", "named_study")

Use = tuple[UseRequest, Plan, Facts]


def named_did(name: str) -> str:
    """A well-spelled DID for ``name``."""
    digest = hashlib.sha256(name.encode()).digest()[:16]
    return "did:xinglin:" + base64.b32encode(digest).decode().rstrip("=").lower()


def named_digest(name: str) -> str:
    """A well-spelled digest for ``name``."""
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


HOSPITALS = tuple(sorted(named_did(name) for name in ("north", "south", "east", "west")))
NODE, *OTHERS = HOSPITALS
ASKER, INSTITUTE = named_did("researcher"), named_did("institute")
WORKSPACE = named_did("workspace")
KEYS = {one: named_digest("keys of " + one) for one in HOSPITALS}
AGREEMENTS = {one: named_digest("agreement of " + one) for one in HOSPITALS}

POLICY = Policy(
    permissions=(
        Permission(
            "use",
            (
                Constraint("purpose", "isAnyOf", ("health-research",)),
                Constraint("place", "isPartOf", ("CN",)),
                Constraint("count", "lteq", "20"),
            ),
        ),
    ),
    prohibitions=(Prohibition("use", (Constraint("outputType", "isAnyOf", ("records",)),)),),
    duties=(Duty("log"),),
)
"""The policy of the table's agreements: health research in China, twenty times, no records out, all of it logged."""


def allowed_use(grade: str, operation: str) -> Use:
    """Request, plan and facts of a use of ``grade`` by ``operation`` with nothing missing."""
    terms = AgreedTerms(
        grade=grade,
        cohort=(CohortView("cohort", "SELECT age, sex, num FROM heart"),),
        variables=("heart.age", "heart.num", "heart.sex"),
        purposes=("health-research",),
        operations=(operation,),
        not_before=NOW - HOUR_MS,
        expires=NOW + 100 * HOUR_MS,
        allowance=20,
        recipients=(ASKER,),
        peers=tuple(Peer(one, KEYS[one]) for one in OTHERS),
        policy=POLICY,
    )
    plan = Plan(
        study="heart-study",
        data_set="heart",
        sql="SELECT age, num > 0 AS disease FROM cohort",
        algorithm="glm",
        params={"formula": "disease ~ age", "family": "binomial"},
        roster=HOSPITALS,
        as_of=NOW - HOUR_MS,
        agreements=AGREEMENTS,
        rules=DisclosureRules(),
    )
    request = UseRequest(
        plan=plan.digest(),
        requester=ASKER,
        study=plan.study,
        purpose="health-research",
        operation=operation,
        nonce="nonce-0123456789abcdef",
        issued=NOW - 1000,
        expires=NOW + HOUR_MS,
        recipients=(ASKER,),
        nodes=HOSPITALS,
    )
    use = (request, plan, _facts(grade, operation, terms))
    if operation == SYNTHESISE:
        return _as_synthetic(use)
    return _as_extract(use) if operation == EXTRACT else use


def _as_extract(use: Use) -> Use:
    """The same use of one hospital, as an extract into a workspace."""
    ask = ExtractAsk("gb-t-37964", k=10, workspace=WORKSPACE, quasi=("age",), sensitive=("disease",))
    alone = {"roster": (NODE,), "agreements": {NODE: AGREEMENTS[NODE]}}
    planned = _planned(algorithm=EXTRACT, params=ask.to_params(), **alone)(use)
    return _terms(recipients=tuple(sorted((ASKER, WORKSPACE))))(_asked(recipients=(WORKSPACE,))(planned))


def _as_synthetic(use: Use) -> Use:
    """The same use of one hospital, as a synthetic set for the asker."""
    ask = SyntheticAsk(ASKER, rho_units=10**10, rows=1000)
    alone = {"roster": (NODE,), "agreements": {NODE: AGREEMENTS[NODE]}}
    return _fact(noised=True)(_planned(algorithm=SYNTHETIC, params=ask.to_params(), **alone)(use))


def _facts(grade: str, operation: str, terms: AgreedTerms) -> Facts:
    held = AgreementFacts(
        digest=AGREEMENTS[NODE],
        state="active",
        provider=NODE,
        consumer=INSTITUTE,
        study="heart-study",
        data_set="heart",
        terms=terms,
    )
    return Facts(
        now=NOW,
        node=NODE,
        signer=ASKER,
        key_status="active",
        institution=INSTITUTE,
        authorised=True,
        nonce_seen=False,
        agreement=held,
        roster_keys=KEYS,
        touched=(TouchedColumn("heart", "age", grade), TouchedColumn("heart", "num", grade)),
        algorithm_operation=operation,
        allowance_left=20,
        answers_left=200,
        checkpoint_age_ms=500,
        protections=frozenset(REQUIREMENTS) - {*_BY_FACTS, "ethics_approval", "security_assessment"},
        approval=approval_of(terms),
        assessment_expires=NOW + HOUR_MS,
        place="CN-SH",
        uses_so_far=3,
        output_types=("statistic",),
    )


def approval_of(terms: AgreedTerms) -> ApprovalFacts:
    """An ethics approval of exactly these terms, for the asker and their institution, for an hour."""
    people = tuple(sorted((ASKER, INSTITUTE)))
    return ApprovalFacts(
        "heart-study", ("heart",), terms.cohort_digest, terms.variables_digest, terms.purposes, terms.operations,
        people, NOW + HOUR_MS,
    )  # fmt: skip


def _fact(**changes: object) -> Callable[[Use], Use]:
    return lambda use: (use[0], use[1], replace(use[2], **changes))


def _held(**changes: object) -> Callable[[Use], Use]:
    def change(use: Use) -> Use:
        agreement = use[2].agreement
        return use if agreement is None else (*use[:2], replace(use[2], agreement=replace(agreement, **changes)))

    return change


def _terms(**changes: object) -> Callable[[Use], Use]:
    def change(use: Use) -> Use:
        held = use[2].agreement
        terms = None if held is None else replace(held.terms, **changes)
        return use if terms is None else _held(terms=terms)(use)

    return change


def _asked(**changes: object) -> Callable[[Use], Use]:
    return lambda use: (replace(use[0], **changes), use[1], use[2])


def _planned(**changes: object) -> Callable[[Use], Use]:
    def change(use: Use) -> Use:
        plan = replace(use[1], **changes)
        request = replace(use[0], plan=plan.digest(), study=plan.study, nodes=plan.roster)
        return request, plan, use[2]

    return change


def _asking(**changes: object) -> Callable[[Use], Use]:
    """Another parameter of an extract; any other use stays as it is."""
    return lambda use: _planned(params=use[1].params | changes)(use) if use[1].algorithm == EXTRACT else use


def _without(protection: str) -> Callable[[Use], Use]:
    return lambda use: (*use[:2], replace(use[2], protections=use[2].protections - {protection}))


MISSING: dict[str, Callable[[Use], Use]] = {
    "nothing is missing": lambda use: use,
    "the request is not signed by its requester": _fact(signer=""),
    "the requester's key is revoked": _fact(key_status="revoked"),
    "the request has expired": _fact(now=NOW + 2 * HOUR_MS, approval=None),
    "the request was seen before": _fact(nonce_seen=True),
    "the plan is another than the signed one": _asked(plan=named_digest("another plan")),
    "the institution is not authorised": _fact(authorised=False),
    "there is no agreement": _fact(agreement=None),
    "the agreement is not active": _held(state="terminated"),
    "the agreement is for another study": _held(study="lung-study"),
    "the agreement is for another data set": _held(data_set="lung"),
    "the agreement is with someone else": _held(consumer=named_did("stranger")),
    "the agreement is not yet in force": _terms(not_before=NOW + 1),
    "the agreement has expired": _terms(expires=NOW),
    "the purpose is not agreed": _asked(purpose="education"),
    "the purpose is prohibited": _asked(purpose="advertising"),
    "the algorithm is not approved": _fact(algorithm_operation=None),
    "a recipient is not agreed": _asked(recipients=(named_did("stranger"),)),
    "the columns are not known": _fact(touched=None),
    "a column is not agreed": _fact(touched=(TouchedColumn("heart", "city", "L1"),)),
    "a column is of a higher grade than agreed": _terms(grade="L1"),
    "a column has no grade": _fact(touched=(TouchedColumn("heart", "age", ""),)),
    "the snapshot lies in the future": _planned(as_of=NOW + 1),
    "too few hospitals": _planned(roster=HOSPITALS[:2], agreements={one: AGREEMENTS[one] for one in HOSPITALS[:2]}),
    "a peer's keys changed": _fact(roster_keys={**KEYS, OTHERS[0]: named_digest("new keys")}),
    "the rules are looser than agreed": _planned(rules=DisclosureRules(min_cell=5)),
    "the agreement's answers are used up": _fact(allowance_left=0),
    "the data set's answers are used up": _fact(answers_left=0),
    "the run was admitted an hour ago": _fact(admitted=NOW - RUN_TIME.value - 1),
    "the run was admitted weeks ago": _fact(admitted=NOW - EXTRACT_TIME.value - 1),
    "an extract's k is below the minimum cell": _asking(k=9),
    "an extract names another workspace": _asking(workspace=named_did("elsewhere")),
    "a withdrawal since it was admitted binds": _fact(admitted=NOW - 1000, withdrawn_since=True),
    "the study is revoked": _fact(revoked=frozenset({"heart-study"})),
    "the node's view of the log is stale": _fact(checkpoint_age_ms=30_001),
    **{f"no {name}: {words}": _without(name) for name, words in REQUIREMENTS.items() if name not in _BY_FACTS},
    "no ethics_approval: an ethics approval covers study, data and use, and who asks": _fact(approval=None),
    "no security_assessment: a third party has assessed security": _fact(assessment_expires=None),
    "policy: its place is not met": _fact(place="DE"),
    "policy: the place is not known": _fact(place=None),
    "policy: the uses are used up": _fact(uses_so_far=20),
    "policy: the output is prohibited": _fact(output_types=("records",)),
    "policy: the output is not known": _fact(output_types=None),
    "policy: a word of it is unknown": _terms(
        policy=Policy((Permission("use", (Constraint("purpos", "eq", "education"),)),))
    ),
}
"""Every condition that may be missing, and how a use is spoiled so."""

_POOLED = frozenset({"statistics", "training"})
_EXACT = _POOLED | {EXTRACT}
CONCERNS = {
    "a peer's keys changed": _POOLED,
    "the run was admitted an hour ago": _POOLED | {SYNTHESISE},
    "the agreement's answers are used up": _EXACT,
    "the data set's answers are used up": _EXACT,
    "an extract's k is below the minimum cell": frozenset({EXTRACT}),
    "an extract names another workspace": frozenset({EXTRACT}),
}
"""Conditions that are of these operations alone; the others are of all."""


def offered() -> Iterator[tuple[str, str]]:
    """Pairs of grade and operation for which a run is decided."""
    yield from (pair for pair in REQUIRED if pair[1] != "read")


def not_offered() -> Iterator[tuple[str, str]]:
    """Pairs that are never allowed, whatever is there."""
    yield from ((grade, op) for grade in GRADES for op in OPERATIONS if (grade, op) not in REQUIRED)


def verdict(grade: str, operation: str, missing: str) -> Verdict:
    """What the evaluator says of that use with that condition missing."""
    return decide(*MISSING[missing](allowed_use(grade, operation)))


def read_verdict(grade: str) -> Verdict:
    """What it says of reading a released aggregate of that grade, by anyone, without agreement."""
    return decide_read(grade, Asked("read"))


def codes(found: Verdict) -> tuple[str, ...]:
    """The reasons' codes; none where it is allowed."""
    return found.codes if isinstance(found, Denied) else ()


class Row(msgspec.Struct, frozen=True):
    """A condition and, for each offered pair, the codes of the reasons (none: allowed)."""

    missing: str
    cells: tuple[tuple[str, ...], ...]


def rows() -> list[Row]:
    """The whole table."""
    pairs = list(offered())
    return [Row(name, tuple(codes(verdict(*pair, name)) for pair in pairs)) for name in MISSING]
