"""What an agreement allows, apart from who signed it: the terms that ``decide`` reads."""

from __future__ import annotations

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.grades import GRADES, OPERATIONS, REQUIRED
from xinglin.terms.policy import Policy
from xinglin.terms.purposes import check_purpose
from xinglin.terms.request import RECIPIENTS, ROSTER, SQL_BYTES, is_did, is_digest, is_name
from xinglin.terms.thresholds import DisclosureRules
from xinglin.terms.writing import check_policy

VIEWS = Limit("views an agreement", 32, "views")
VARIABLES = Limit("variables an agreement", 2_000, "variables")
ALLOWANCE = Limit("exact answers an agreement", 10_000, "answers")


class CohortView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A view the hospital exposes to the study: its name and the SELECT over published tables behind it."""

    name: str
    select: str


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hospital this one may be summed with, pinned to the digest of its keys."""

    did: str
    keys: str


class AgreedTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The closed set of what is allowed.

    ``grade``: the highest the agreement covers. ``cohort``: the views. ``variables``: the published
    columns they may touch, as ``table.column``, sorted. ``not_before`` ≤ now < ``expires``. ``allowance``:
    exact answers. ``recipients``: DIDs a result may be sealed to. ``peers``: hospitals it may be summed
    with; only these and the provider count towards the minimum. ``rules``: the least the plan's must be.
    ``policy``: judged with all of this; version 2 of an agreement has one, version 1 has none, in its bytes neither.
    """

    grade: str
    cohort: tuple[CohortView, ...]
    variables: tuple[str, ...]
    purposes: tuple[str, ...]
    operations: tuple[str, ...]
    not_before: Instant
    expires: Instant
    allowance: int
    recipients: tuple[str, ...]
    peers: tuple[Peer, ...]
    rules: DisclosureRules = DisclosureRules()
    policy: Policy | msgspec.UnsetType = msgspec.UNSET

    @property
    def version(self) -> int:
        """The version of an agreement that these terms need: 2 with a policy, else 1."""
        return 1 if isinstance(self.policy, msgspec.UnsetType) else 2

    @property
    def cohort_digest(self) -> str:
        """The digest by which an approval names the views."""
        return canonical_digest(self.cohort)

    @property
    def variables_digest(self) -> str:
        """The digest by which an approval names the variables."""
        return canonical_digest(self.variables)


def check_agreed(terms: AgreedTerms) -> Verdict:
    """Whether terms may be written at all: every word known, every limit kept, nothing empty."""
    reasons = [*_words(terms), *_scope(terms), *_parties(terms)]
    if not 0 <= terms.not_before < terms.expires:
        reasons.append(_reason("An agreement expires after it begins.", "Set its dates."))
    if not 1 <= terms.allowance <= ALLOWANCE.value:
        reasons.append(_reason(f"An allowance is 1 to {ALLOWANCE.value} exact answers.", "State it."))
    if isinstance(terms.policy, Policy):
        policy = check_policy(terms.policy)
        reasons += policy.reasons if isinstance(policy, Denied) else ()
    return Denied(tuple(reasons)) if reasons else Allowed()


def _reason(words: str, remedy: str) -> Reason:
    return Reason("terms.not_agreeable", words, remedy)


def _words(terms: AgreedTerms) -> list[Reason]:
    reasons = []
    if terms.grade not in GRADES:
        reasons.append(_reason(f"'{terms.grade[:16]}' is not a grade.", f"Use one of {', '.join(GRADES)}."))
    if not terms.purposes:
        reasons.append(_reason("No purpose is named.", "Name at least one."))
    for purpose in terms.purposes:
        verdict = check_purpose(purpose)
        reasons += verdict.reasons if isinstance(verdict, Denied) else ()
    unknown = [op for op in terms.operations if op not in OPERATIONS]
    if not terms.operations or unknown:
        reasons.append(_reason("The operations are not all known.", f"Use some of {', '.join(OPERATIONS)}."))
    elif terms.grade in GRADES and any((terms.grade, op) not in REQUIRED for op in terms.operations):
        reasons.append(_reason(f"An operation is not offered on grade {terms.grade}.", "Name another operation."))
    return reasons


def _scope(terms: AgreedTerms) -> list[Reason]:
    reasons = []
    names = [view.name for view in terms.cohort]
    if not 1 <= len(names) <= VIEWS.value or len(set(names)) != len(names) or not all(n.isidentifier() for n in names):
        reasons.append(_reason(f"The cohort has 1 to {VIEWS.value} views, each with its own plain name.", "Name them."))
    if any(not v.select.strip() or len(v.select.encode("utf-8", "replace")) > SQL_BYTES.value for v in terms.cohort):
        reasons.append(_reason("Each view has one SELECT within the size limit.", "Write it."))
    variables = list(terms.variables)
    spelled = all(name.count(".") == 1 and is_name(name) for name in variables)
    if not 1 <= len(variables) <= VARIABLES.value or variables != sorted(set(variables)) or not spelled:
        reasons.append(_reason("Variables are written table.column, sorted, each once.", "List what the study needs."))
    return reasons


def _parties(terms: AgreedTerms) -> list[Reason]:
    reasons = []
    recipients, peers = list(terms.recipients), [peer.did for peer in terms.peers]
    if not 1 <= len(recipients) <= RECIPIENTS.value or recipients != sorted(set(recipients)):
        reasons.append(_reason("Recipients are 1 to 16 DIDs, sorted, each once.", "Name who may read results."))
    if len(peers) > ROSTER.value or peers != sorted(set(peers)):
        reasons.append(_reason("Peers are sorted by DID, each once.", "Name the hospitals to be summed with."))
    if not all(map(is_did, recipients + peers)) or not all(is_digest(peer.keys) for peer in terms.peers):
        reasons.append(_reason("Recipients and peers are DIDs, peers with the digest of their keys.", "Look them up."))
    return reasons
