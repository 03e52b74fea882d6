"""What a node knows when it decides; gathered by the node, never taken from the asker or the hub."""

from __future__ import annotations

from typing import Literal

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Reason
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.purposes import Diseases

CHECKPOINT_STALE_MS = 30_000
"""A node whose newest cosigned checkpoint is older than this decides and releases nothing."""

CLOCK_SKEW_MS = 60_000
"""How far ahead of this node's clock a request's issue may lie."""

RUN_TIME = Limit("time from a run's admission to its release", 3_600_000, "milliseconds")
"""So long at most a run keeps what it read of persons' choices; a hospital may allow less."""

KeyStatus = Literal["active", "revoked", "unknown"]
"""What the quorum-cosigned log says of a party's keys."""


class TouchedColumn(msgspec.Struct, frozen=True):
    """A published column that the admitted query reads, through whichever view, with its grade."""

    table: str
    column: str
    grade: str

    @property
    def variable(self) -> str:
        """``table.column``."""
        return f"{self.table}.{self.column}"


class AgreementFacts(msgspec.Struct, frozen=True):
    """The node's own signed copy, opened: its digest, its state, its parties and its terms."""

    digest: str
    state: str
    provider: str
    consumer: str
    study: str
    data_set: str
    terms: AgreedTerms


class ApprovalFacts(msgspec.Struct, frozen=True):
    """An ethics approval, verified: what it covers and until when.

    ``people``: DIDs of the applicant, the responsible institution and the study's members.
    """

    study: str
    data_sets: tuple[str, ...]
    cohort_digest: str
    variables_digest: str
    purposes: tuple[str, ...]
    operations: tuple[str, ...]
    people: tuple[str, ...]
    expires: Instant


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a decision rests on. What is not known stays at its default, and is denied.

    ``signer``: DID whose verified signature the request carries. ``institution``: of a person, from the
    log. ``roster_keys``: key digest in the log of every hospital of the roster. ``revoked``: DIDs, study
    ids and digests whose revocation the log holds. ``touched``: columns resolved by admission; ``not_admitted``: why
    admission refused the query or the algorithm on it.
    ``algorithm_operation``: the operation the algorithm belongs to, ``None`` when it is not approved.
    ``allowance_left`` and ``answers_left``: of the agreement and of the data set over all studies.
    ``protections``: requirements this node carries out itself for this run.

    For the agreement's policy, unknown unless the node knows: ``place``, ``network`` and ``environment`` in which the
    use happens; ``uses_so_far`` under the agreement, this one not included; ``agreement_start``; ``population`` of
    the cohort; ``ethics_approvals``, ``assessments`` and ``law_packs`` that stand; ``consent_basis``;
    ``recipient_classes``; ``output_types``; ``k_anonymity``; ``privacy_budget`` spent with this use (an exact decimal);
    ``algorithm_names``: the names and digests by which the algorithm is known here; ``onward_transfer``.

    ``admitted``: when this run was admitted here, ``None`` before; it has ``run_limit_ms`` (at most ``RUN_TIME``) from
    then. ``withdrawn_since``: a choice that binds this use took somebody out after the run read whose rows it may see.

    ``noised``: the answer carries proven noise: it is paid from the budget of privacy and takes no exact answer.

    ``unapproved``: why no ethics approval covers the use, of a study that the log knows one of.

    ``law``: what this node's law packs, fences and pilot have against the use; ``law_packs`` only where nothing is.

    ``packs``: what the hospital's disclosure packs have against the plan; ``disclosure_packs``: names and digests of
    those than which the plan's are no looser.
    """

    now: Instant
    node: str
    signer: str = ""
    key_status: KeyStatus = "unknown"
    institution: str = ""
    authorised: bool = False
    nonce_seen: bool = True
    agreement: AgreementFacts | None = None
    roster_keys: dict[str, str] = {}
    revoked: frozenset[str] = frozenset()
    touched: tuple[TouchedColumn, ...] | None = None
    not_admitted: tuple[Reason, ...] = ()
    unapproved: tuple[Reason, ...] = ()
    law: tuple[Reason, ...] = ()
    algorithm_operation: str | None = None
    allowance_left: int = 0
    answers_left: int = 0
    checkpoint_age_ms: int | None = None
    protections: frozenset[str] = frozenset()
    approval: ApprovalFacts | None = None
    assessment_expires: Instant | None = None
    place: str | None = None
    network: str | None = None
    environment: str | None = None
    uses_so_far: int | None = None
    agreement_start: Instant | None = None
    population: tuple[str, ...] | None = None
    ethics_approvals: tuple[str, ...] | None = None
    consent_basis: str | None = None
    assessments: tuple[str, ...] | None = None
    law_packs: tuple[str, ...] | None = None
    recipient_classes: tuple[str, ...] | None = None
    output_types: tuple[str, ...] | None = None
    algorithm_names: tuple[str, ...] | None = None
    k_anonymity: int | None = None
    privacy_budget: str | None = None
    onward_transfer: bool | None = None
    diseases: Diseases | None = None
    admitted: Instant | None = None
    run_limit_ms: int = RUN_TIME.value
    withdrawn_since: bool = False
    noised: bool = False
    packs: tuple[Reason, ...] = ()
    disclosure_packs: tuple[str, ...] | None = None
