"""The care lane: may this clinician look this patient up? Pure, and closed when in doubt; the log alone may wait.

1. The request is whole, of who signed it, in time, for the first time; nothing that it rests on is revoked.
2. It is for the treatment of the patient: for research and everything else there are runs, and no look-up.
3. The asker treats the patient, the record is surely the patient's, and the patient has not restricted it in care.
   An *emergency* stands in for the relation and the restriction alone: attested, short, and reviewed afterwards.
4. Only the minimum view: enough to check the match, never a number, an address or a telephone.
5. The hospital's policy on look-ups allows it, by the evaluator that judges every other use.

Objections to research are no word on care. Where the log cannot be reached, the look-up is answered after a local entry
(the condition ``log=later``); no other use is.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.asker import asker_reasons
from xinglin.terms.constraints import Value
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.facts import CHECKPOINT_STALE_MS, KeyStatus
from xinglin.terms.policy import Policy
from xinglin.terms.policy_facts import instant_value
from xinglin.terms.purposes import check_purpose, within
from xinglin.terms.request import is_did, is_nonce

CARE = "clinical-care"
"""The purpose of every look-up."""
LOOKUP = "lookup"
LOOKUP_LIFETIME_MS = Limit("lifetime of a look-up's request", 5 * 60_000, "milliseconds")
EMERGENCY_MS = Limit("time that an attested emergency lasts", 3_600_000, "milliseconds")
EMERGENCY_WORDS = Limit("words of an emergency's reason", 500, "characters")
EMERGENCY_LEAST = 10
"""Fewest characters of a reason that somebody can review."""
REVIEW_MS = 72 * 3_600_000
"""Within this time somebody reviews an emergency look-up; who has one unreviewed for longer gets no other."""
VARIABLES = Limit("variables of a look-up", 256, "variables")

NEVER_SHOWN = frozenset(
    f"patient.{name}"
    for name in (
        "identifier", "identifier_system", "national_id", "insurance_id", "name", "family", "given", "phone", "address",
        "postal_code",
    )
)  # fmt: skip
"""Never part of a look-up. The match is checked by the initial of the name, the sex and the birth date."""


class LookupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who looks whom up, for what, as the requester signs it. Version 1; append-only.

    ``patient``: the asked hospital's key. ``variables``: ``table.column``. ``emergency``: why nobody could be asked, by
    whoever attests it with this signature; empty where there is none.
    """

    requester: str
    node: str
    patient: str
    purpose: str
    variables: tuple[str, ...]
    nonce: str
    issued: Instant
    expires: Instant
    emergency: str = ""
    version: int = 1

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


class CareFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the node knows; what it does not know stays at its default, and is denied.

    ``treating``: the asker treats the patient now, as the hospital's own records or the asker's attested ones say.
    ``restricted``: the patient restricted look-ups in care. ``match_confirmed``: the record is the patient's by the
    hospital's own index or a person's confirmation. ``unreviewed_since``: the asker's oldest emergency look-up that
    nobody reviewed. ``policy``: the hospital's own on look-ups; ``None``: no further rules. ``place`` to
    ``recipient_classes``: for that policy.
    """

    now: Instant
    node: str
    signer: str = ""
    key_status: KeyStatus = "unknown"
    nonce_seen: bool = True
    institution: str = ""
    authorised: bool = False
    treating: bool | None = None
    restricted: bool | None = None
    match_confirmed: bool | None = None
    unreviewed_since: Instant | None = None
    revoked: frozenset[str] = frozenset()
    checkpoint_age_ms: int | None = None
    policy: Policy | None = None
    place: str | None = None
    network: str | None = None
    environment: str | None = None
    recipient_classes: tuple[str, ...] | None = None
    law_packs: tuple[str, ...] | None = None


def decide_lookup(request: LookupRequest, facts: CareFacts) -> Verdict:
    """``Allowed`` with what has to be done (log, review), or ``Denied`` with every reason."""
    policy = Allowed() if facts.policy is None else compile_policy(facts.policy).judge(_asked(request, facts))
    reasons = [
        *_form(request, facts),
        *asker_reasons(request, facts),
        *lane_reasons(LOOKUP, (request.purpose,)),
        *_patient(request, facts),
        *_emergency(request, facts),
        *(policy.reasons if isinstance(policy, Denied) else ()),
        *_revoked(request, facts),
    ]
    if reasons:
        return Denied(tuple(dict.fromkeys(reasons)))
    fresh = facts.checkpoint_age_ms is not None and 0 <= facts.checkpoint_age_ms <= CHECKPOINT_STALE_MS
    conditions = ["lane=care", "log=first" if fresh else "log=later"]
    if request.emergency:  # reviewed, though nothing might have asked for it
        conditions += ["break-glass", f"review_ms={REVIEW_MS}", f"emergency_ms={EMERGENCY_MS.value}"]
    owed = policy.conditions if isinstance(policy, Allowed) else ()
    return Allowed((*conditions, *owed))


def lane_reasons(action: str, purposes: tuple[str, ...]) -> Iterator[Reason]:
    """Look-ups are for the treatment of the patient alone; the same in a catalogue, an offer and a node.

    >>> [one.code for one in lane_reasons("lookup", ("health-research",))]
    ['terms.care_only']
    """
    if action != LOOKUP:
        return
    for purpose in purposes:
        checked = check_purpose(purpose)
        if isinstance(checked, Denied):
            yield from checked.reasons
        elif within(purpose, CARE) is not True:
            words = "Looking a patient up is for their treatment alone."
            yield Reason("terms.care_only", words, "Ask for statistics under an agreement.")


def _form(request: LookupRequest, facts: CareFacts) -> Iterator[Reason]:
    named = (request.requester, request.node)
    if request.version != 1 or not all(map(is_did, named)) or not request.patient or not is_nonce(request.nonce):
        yield Reason("terms.malformed", "The look-up is not well formed.", "State who, where, whom, and a nonce.")
    if not 0 < request.expires - request.issued <= LOOKUP_LIFETIME_MS.value:
        yield Reason("terms.lifetime", "A look-up's request lives five minutes at most.", "Issue it for less.")
    if request.node != facts.node:
        yield Reason("terms.not_asked", "Another hospital is asked.", "Ask this one.")
    if not 0 < len(request.variables) <= VARIABLES.value or not all("." in one for one in request.variables):
        yield Reason("terms.columns_unknown", "A look-up names the variables that it shows.", "Name table.column.")
    if hidden := sorted(NEVER_SHOWN & set(request.variables)):
        words = f"Never shown in a look-up: {', '.join(hidden)}."
        yield Reason("terms.minimum_view", words, "Leave these out: the match is checked by initial, sex, birth date.")
    if not facts.authorised:
        yield Reason("terms.requires_authorised_institution", "The asker's institution is not admitted.", "Join.")


def _patient(request: LookupRequest, facts: CareFacts) -> Iterator[Reason]:
    if facts.match_confirmed is not True:
        words = "It is not confirmed that the record is the patient's."
        yield Reason("terms.match_unconfirmed", words, "Have a person confirm it.")
    if request.emergency:
        return
    if facts.treating is not True:
        words = "It is not known that the asker treats the patient."
        yield Reason("terms.not_treating", words, "Record the treatment, or attest an emergency with its reason.")
    if facts.restricted is not False:
        unknown = facts.restricted is None
        words = "It is not known whether the patient restricted it." if unknown else "The patient restricted look-ups."
        yield Reason("terms.care_restricted", words, "Ask the patient, or attest an emergency with its reason.")


def _emergency(request: LookupRequest, facts: CareFacts) -> Iterator[Reason]:
    if not request.emergency:
        return
    words = request.emergency
    if not (len(words.strip()) >= EMERGENCY_LEAST and len(words) <= EMERGENCY_WORDS.value and words.isprintable()):
        yield Reason("terms.emergency_reason", "An emergency is attested with its reason.", "Say in a sentence why.")
    since = facts.unreviewed_since
    if since is not None and facts.now - since > REVIEW_MS:
        words = "An earlier emergency look-up of the asker was not reviewed in time."
        yield Reason("terms.unreviewed", words, "Have it reviewed.")


def _revoked(request: LookupRequest, facts: CareFacts) -> Iterator[Reason]:
    rests_on = {request.requester, facts.institution, facts.node, request.digest()}
    if rests_on & facts.revoked:
        words = "Something that this use rests on has been revoked."
        yield Reason("terms.revoked", words, "Ask the party concerned; a new agreement or key is needed.")


def _asked(request: LookupRequest, facts: CareFacts) -> Asked:
    """The look-up as a policy sees it: by operand, unknown facts left out."""
    values: dict[str, Value | None] = {
        "purpose": request.purpose,
        "recipient": (request.requester,),
        "recipientClass": facts.recipient_classes,
        "place": facts.place,
        "network": facts.network,
        "environment": facts.environment,
        "dateTime": instant_value(facts.now),
        "variable": tuple(sorted(set(request.variables))),
        "operation": LOOKUP,
        "lawPack": facts.law_packs,
    }
    return Asked(LOOKUP, {name: value for name, value in values.items() if value is not None})
