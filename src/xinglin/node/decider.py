"""What this node knows when it decides (port ``gate.Decider``): gathered here, never taken from asker or hub."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xinglin.catalogue import DataSetDescription
from xinglin.contract import Agreement
from xinglin.gate import Use
from xinglin.kernel.instants import Clock, Instant
from xinglin.kernel.verdict import Denied, Reason, Verdict
from xinglin.node.agreements import NodeAgreements
from xinglin.node.approvals import NodeApprovals
from xinglin.node.assessments import NodeAssessments
from xinglin.node.budgets import NodeBudgets
from xinglin.node.chains import chain_of
from xinglin.node.decisions import NodeDecisions
from xinglin.node.law import NodeLaw
from xinglin.node.logview import LogView
from xinglin.node.pack_repeats import answered_before, told_otherwise
from xinglin.node.pack_rules import NodePacks, PacksFound
from xinglin.node.population import populations
from xinglin.node.prepared import Preparations
from xinglin.node.site import Site
from xinglin.node.synthetic_facts import FactsOfKind
from xinglin.stores.node_database import NodeDatabase
from xinglin.terms.facts import RUN_TIME, AgreementFacts, Facts, KeyStatus
from xinglin.terms.policy_facts import algorithm_digest
from xinglin.terms.request import USE_REQUEST
from xinglin.terms.synthetic import is_handed_over, paid_noise
from xinglin.trust.envelope import open_signed
from xinglin.trust.errors import TrustError
from xinglin.trust.registry import KeyDirectory

ALGORITHM_OPERATIONS = dict.fromkeys(
    (
        "describe",
        "covariance",
        "histogram",
        "quantiles",
        "crosstab",
        "ttest",
        "anova",
        "glm",
        "table1",
        "flow",
        "feasibility",
        "dp_count",
        "dp_histogram",
        "dp_crosstab",
        "dp_describe",
        "dp_quantiles",
        "dp_linear",
    ),
    "statistics",
)
"""Algorithms that nodes run, and the operation that each belongs to; anything else is not approved."""

OUTPUTS = {
    "crosstab": ("table",),
    "table1": ("table",),
    "histogram": ("table",),
    "flow": ("table",),
    "feasibility": ("count",),
    "glm": ("model", "statistic"),
    "dp_count": ("count", "table"),
    "dp_histogram": ("table",),
    "dp_crosstab": ("table",),
    "dp_linear": ("model", "statistic"),
}
"""What comes out of an algorithm, in the words of policies; the others give a statistic."""

CELLS = frozenset({"count", "table"})
"""Outputs that are cells of persons and nothing else."""

CLASS_OF_ROLE = {"provider": "hospital", "regulator": "authority"}
"""Roles in the log that tell a recipient's class."""

PROTECTIONS = frozenset({"evidence", "secure_sum", "differencing_guard", "disclosure_pack"})
"""What this software carries out for every run, whatever was asked."""


class NodeDecider:
    """Facts for the evaluator: keys and revocations from the quorum-cosigned log, agreements from this node's copy."""

    def __init__(
        self,
        node: str,
        view: LogView,
        agreements: NodeAgreements,
        preparations: Preparations,
        database: NodeDatabase,
        approvals: NodeApprovals,
        law: NodeLaw,
        clock: Clock,
        site: Site | None = None,
        decisions: NodeDecisions | None = None,
        run_limit_ms: int = RUN_TIME.value,
        assessments: NodeAssessments | None = None,
        described: Callable[[str], DataSetDescription | None] = lambda _name: None,
        budgets: NodeBudgets | None = None,
        kinds: FactsOfKind | None = None,
        packs: NodePacks | None = None,
    ) -> None:
        self._budgets, self._kinds, self._packs = budgets, kinds, packs
        self._assessments, self._described = assessments, described
        self._run_limit_ms = run_limit_ms
        self._decisions = decisions
        self._site = site or Site()
        self._node, self._view, self._agreements = node, view, agreements
        self._preparations, self._database, self._clock = preparations, database, clock
        self._approvals, self._law = approvals, law

    async def facts(self, use: Use, below: int | None = None) -> Facts:
        """See the port."""
        directory = self._view.record.directory if below is None else self._view.record.directory.at(below - 1)
        signer, status = _signer(use, directory)
        agreement, held = self._held(use, below)
        prepared = await self._preparations.of(use) if held is not None else None
        refused = prepared.reasons if isinstance(prepared, Denied) else ()
        touched = None if prepared is None or isinstance(prepared, Denied) else prepared.touched
        left = self._left(use, held)
        assessed = self._assessments.standing(use.plan.data_set, below) if self._assessments is not None else ()
        # What is said once the release-authorised leaf may be out holds from the next run on.
        left_since = False
        if below is None and agreement is not None:
            left_since = await self._preparations.left_since(use, agreement)
        word = self._preparations.study_word(use.plan.study)
        approval = self._approvals.facts(held, use.request, below)
        law = self._law.judge(use, agreement, self._site, word, approval)
        packs = PacksFound()
        if self._packs is not None:
            packs = self._packs.judge(use.plan, use.request.operation, agreement, partial(self._answered, use))
        found = Facts(
            now=self._clock(),
            node=self._node,
            signer=signer,
            key_status=status,
            institution=directory.participants[signer].institution if signer in directory.participants else "",
            authorised=status == "active" and bool(directory.roles(signer) & {"consumer", "service"}),
            nonce_seen=self._database.nonce_used(use.request.nonce, use.run),
            agreement=held,
            roster_keys=_roster_keys(use, directory),
            revoked=self._view.record.revoked_below(below),
            touched=touched,
            not_admitted=refused,
            unapproved=self._approvals.faults(held, use.request, below),
            law=law.reasons,
            packs=(*packs.reasons, *self._told_otherwise(use, agreement)),
            disclosure_packs=packs.kept,
            approval=approval,
            ethics_approvals=self._approvals.names(held, use.request, below),
            algorithm_operation=ALGORITHM_OPERATIONS.get(use.plan.algorithm),
            checkpoint_age_ms=self._view.age_ms,
            protections=PROTECTIONS,
            allowance_left=left[0],
            answers_left=left[1],
            place=self._site.place or None,
            network=self._site.network or None,
            environment=self._site.environment or None,
            uses_so_far=self._uses(use, held),
            agreement_start=max(agreement.made, agreement.terms.not_before) if agreement is not None else None,
            algorithm_names=_algorithm_names(use),
            output_types=_outputs(use),
            consent_basis=word.basis if word is not None else None,
            law_packs=law.packs,
            recipient_classes=recipient_classes(use.request.recipients, directory),
            k_anonymity=_k_anonymity(use),
            admitted=self._admitted(use),
            run_limit_ms=self._run_limit_ms,
            withdrawn_since=left_since,
            assessments=tuple(one.name for one in assessed),
            assessment_expires=max((one.expires for one in assessed), default=None),
            population=self._population(use, held),
            onward_transfer=_onward(use, agreement, directory),
            noised=paid_noise(use.plan) is not None,
            privacy_budget=self._spent(use),
        )
        return found if self._kinds is None else self._kinds.completed(use, found, agreement, directory)

    def decided(self, use: Use, facts: Facts, verdict: Verdict, stage: str) -> None:
        """See the port."""
        if self._decisions is not None:
            self._decisions.keep(use, facts, verdict, stage)

    def _answered(self, use: Use) -> tuple[tuple[Instant, ...], Instant]:
        return answered_before(self._database, use), self._clock()

    def _told_otherwise(self, use: Use, agreement: Agreement | None) -> tuple[Reason, ...]:
        """Where this hospital names packs; of what is protected by its profile, or by noise, nothing."""
        if self._packs is None or is_handed_over(use.plan) or paid_noise(use.plan) is not None:
            return ()
        mentioned = self._packs.mentioned(use.request.operation, agreement)
        return told_otherwise(self._database, use) if mentioned else ()

    def _population(self, use: Use, held: AgreementFacts | None) -> tuple[str, ...] | None:
        if held is None:
            return None
        return populations(held.terms.cohort, self._described(use.plan.data_set))

    def _admitted(self, use: Use) -> Instant | None:
        """When the run was admitted; a record of before this was kept tells when it was opened."""
        record = self._database.record(use.run)
        if record is None or record.state in ("asked", "allowed", "charged", "refused"):
            return None
        return record.admitted if record.admitted >= 0 else record.opened

    def _held(self, use: Use, below: int | None) -> tuple[Agreement, AgreementFacts] | tuple[None, None]:
        digest = use.plan.agreements.get(self._node, "")
        try:
            found = self._agreements.facts(digest, below)
        except TrustError:
            return None, None
        return found if found is not None else (None, None)

    def _uses(self, use: Use, held: AgreementFacts | None) -> int | None:
        """Uses under the agreement and its chain that were charged, this run not included."""
        if held is None:
            return None
        chain = chain_of(self._database, held.digest)
        charges = self._database.allowance(use.plan.data_set).charges
        exact = sum(one.counts for one in charges if one.agreement in chain and one.run != use.run)
        return exact + (self._budgets.uses(use) if self._budgets is not None else 0)

    def _spent(self, use: Use) -> str | None:
        """The study's ε with this use; an exact answer has none, and a policy that bounds it denies that."""
        return self._budgets.epsilon(use) if self._budgets is not None else None

    def _left(self, use: Use, held: AgreementFacts | None) -> tuple[int, int]:
        """Answers left of the agreement and of the data set; this run's own charge does not count against it."""
        if held is None:
            return 0, 0
        allowance = self._database.allowance(use.plan.data_set)
        own = allowance.charge(use.run)
        mine = 1 if own is not None and own.counts else 0
        chain = chain_of(self._database, held.digest)
        return allowance.left_of(held.digest, held.terms.allowance, chain) + mine, allowance.left + mine


def recipient_classes(recipients: tuple[str, ...], directory: KeyDirectory) -> tuple[str, ...] | None:
    """The classes of all recipients, as far as their roles in the log tell them; one of no known class: unknown.

    A person has the institution's class. Who only asks (a consumer) may be a university or a company: the log has no
    word on that.
    """
    found = set()
    for did in recipients:
        person = directory.participants.get(did)
        party = directory.participants.get(person.institution) if person and person.institution else person
        named = sorted(party.roles & set(CLASS_OF_ROLE)) if party is not None else []
        if not named or any(directory.status(one) != "active" for one in (did, party.did if party else did)):
            return None
        found |= {CLASS_OF_ROLE[role] for role in named}
    return tuple(sorted(found)) or None


def _onward(use: Use, agreement: Agreement | None, directory: KeyDirectory) -> bool | None:
    """Whether the result goes to anybody but the agreement's consumer and the people of that institution.

    What they do with it later nobody here knows: policies forbid that by ``redistribute``.
    """
    if agreement is None:
        return None
    homes = set()
    for did in use.request.recipients:
        if directory.status(did) != "active":
            return None
        homes.add(did if did == agreement.consumer else directory.participants[did].institution)
    return homes != {agreement.consumer}


def _k_anonymity(use: Use) -> int | None:
    """Of counts and tables, whose every shown cell has the minimum cell's persons; of other outputs it is unknown."""
    outputs = _outputs(use)
    return use.plan.min_cell if outputs is not None and set(outputs) <= CELLS else None


def _algorithm_names(use: Use) -> tuple[str, ...] | None:
    """By which names an approved algorithm is known here: its own, and the digest of it with its parameters."""
    name = use.plan.algorithm
    return (name, algorithm_digest(use.plan)) if name in ALGORITHM_OPERATIONS else None


def _outputs(use: Use) -> tuple[str, ...] | None:
    name = use.plan.algorithm
    return OUTPUTS.get(name, ("statistic",)) if name in ALGORITHM_OPERATIONS else None


def _signer(use: Use, directory: KeyDirectory) -> tuple[str, KeyStatus]:
    """Whose verified signature the request carries; nobody's when it does not verify."""
    try:
        open_signed(use.signed, USE_REQUEST, directory)
    except TrustError:
        status = directory.status(use.signed.signer)
        return "", "revoked" if status == "revoked" else "unknown"
    return use.signed.signer, "active"


def _roster_keys(use: Use, directory: KeyDirectory) -> dict[str, str]:
    return {did: directory.keys(did).digest() for did in use.plan.roster if directory.status(did) == "active"}
