"""Whether a deposit is what gates authorised at grade L1, and the hospitals agreed to; everything else fails closed.

1. The run: asked for by a signed request whose plan is the one kept here, and that plan passes the L1 pack.
2. The outcome: every hospital in the result signed the same one, and enough of them did.
3. The log: a ``release-authorised`` leaf of each, which the deposit opens, with that hospital's own mark.
4. Consent: each hospital's agreement, in force, names ``transfer`` as a permission, and permits it at L1 now.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from xinglin.contract import SignedAgreement, open_agreement
from xinglin.contract.agreement import Agreement
from xinglin.evidence.commitments import open_commitment
from xinglin.evidence.entry import Entry, decode_entry
from xinglin.gate import mark_of
from xinglin.hub.log import LogService
from xinglin.hub.members import Members
from xinglin.hub.ports import HubStore
from xinglin.kernel.codec import decode_json
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Denied, Reason
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.grading import check_open_release
from xinglin.terms.open_release import L1_PACK
from xinglin.terms.policy import Policy
from xinglin.terms.policy_facts import instant_value
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest, check_plan
from xinglin.trust.envelope import Signed, open_signed_as
from xinglin.wire.calls import RunResult
from xinglin.wire.channel import ATTESTATION_CONTEXT, Attestation
from xinglin.wire.products import Deposit
from xinglin.wire.runs import run_id_of

FEWEST_HOSPITALS = 3
PERMITTED = "transfer"


class Proven(msgspec.Struct, frozen=True):
    """What a deposit rests on."""

    request: UseRequest
    plan: Plan
    hospitals: tuple[str, ...]


class Proof:
    """Looks a deposit up in the hub's own records and in the log."""

    def __init__(self, members: Members, store: HubStore, log: LogService) -> None:
        self._members, self._store, self._log = members, store, log

    def check(self, deposit: Deposit, depositor: str, now: Instant) -> Proven | Denied:
        """What is proven, or every reason of the first step that fails; never what another party's run is like."""
        self._members.catch_up()  # an end or a revocation that the log holds already counts
        try:
            found = self._run(deposit, depositor)
            if found is None:
                return _no("hub.not_your_result", "There is no such released result of yours.", "Name your own run.")
            reasons = [
                *_grade(found.plan),
                *self._leaves(deposit, found.hospitals),
                *(reason for did in found.hospitals for reason in self._consent(did, found, now)),
            ]
        except XinglinError as error:
            return _no("hub.not_proven", f"The evidence does not hold: {error.what}", "Deposit what the gate released.")
        return Denied(tuple(dict.fromkeys(reasons))) if reasons else found

    # 1 and 2
    def _run(self, deposit: Deposit, depositor: str) -> Proven | None:
        row = self._store.run(deposit.run_id)
        if row is None or not row.result:
            return None
        signed = Signed.from_bytes(row.request)
        directory = self._members.directory
        request = open_signed_as(signed, USE_REQUEST, directory, UseRequest)
        plan = decode_json(row.plan, Plan)
        if run_id_of(signed) != deposit.run_id or plan.digest() != request.plan:
            return None
        result = decode_json(row.result, RunResult)
        said = [open_signed_as(one, ATTESTATION_CONTEXT, directory, Attestation) for one in result.attestations]
        survivors = set(said[0].survivors) if said else set()
        signers = [one.signer for one in result.attestations]
        alike = len({(one.kind, one.commitment, one.survivors) for one in said}) == 1
        named = all((one.run_id, one.node) == (deposit.run_id, by) for one, by in zip(said, signers, strict=True))
        if not alike or not named or said[0].kind != "result" or set(signers) != survivors:
            return None
        if not survivors <= set(plan.roster) or len(survivors) < max(FEWEST_HOSPITALS, plan.rules.min_hospitals):
            return None
        if depositor not in (request.requester, *survivors):
            return None  # before anything is opened: others hear the same of every run, and of none
        open_commitment(said[0].commitment, deposit.salt, deposit.content)
        return Proven(request, plan, tuple(sorted(survivors)))

    # 3
    def _leaves(self, deposit: Deposit, hospitals: tuple[str, ...]) -> Iterator[Reason]:
        seen: set[str] = set()
        for index in dict.fromkeys(deposit.leaves):
            entry = self.entry(index)
            if entry is None or entry.kind != "release-authorised" or entry.subject != deposit.run_id:
                yield _reason("hub.no_authorisation", "A leaf that was named authorises no release of this run.")
                return
            if entry.submitter not in hospitals:
                continue  # anybody may write such a leaf; it counts for nothing, and stands in nobody's way
            commitment = entry.commitments.get("result", "")
            open_commitment(commitment, deposit.salt, deposit.content)
            if entry.commitments.get("mark") == mark_of(deposit.salt, entry.submitter, commitment):
                seen.add(entry.submitter)
        if seen != set(hospitals):
            words = "Not every hospital in the result authorised these bytes for release in the log."
            yield _reason("hub.no_authorisation", words)

    def entry(self, index: int) -> Entry | None:
        """The log's entry of that index, if there is one."""
        if not 0 <= index < self._log.size():
            return None
        found = self._log.entries(index, index + 1)
        return decode_entry(found[0]) if found else None

    # 4
    def _consent(self, did: str, found: Proven, now: Instant) -> Iterator[Reason]:
        name = self._members.name_of(did)
        agreement = self._agreement(did, found, now)
        if agreement is None:
            words = f"The agreement with {name} that the run was under is not in force any more."
            yield _reason("hub.agreement_over", words, "Agree anew, and run again.")
            return
        policy = agreement.terms.policy
        if not isinstance(policy, Policy) or all(rule.action != PERMITTED for rule in policy.permissions):
            words = f"{name} did not agree that results are handed to others: no permission '{PERMITTED}'."
            yield _reason("hub.no_consent", words, "Agree on a policy that has one.")
            return
        values = {
            "purpose": found.request.purpose,
            "grade": "L1",
            "dateTime": instant_value(now),
            "study": found.plan.study,
            "operation": PERMITTED,
            "minimumCell": str(found.plan.min_cell),
        }
        judged = compile_policy(policy).judge(Asked(PERMITTED, {k: v for k, v in values.items() if v is not None}))
        if isinstance(judged, Denied):
            for reason in judged.reasons:
                yield msgspec.structs.replace(reason, words=f"{name}: {reason.words}")

    def _agreement(self, did: str, found: Proven, now: Instant) -> Agreement | None:
        digest, record = found.plan.agreements.get(did, ""), self._members.record
        row = self._store.agreement(digest)
        if row is None or not row.countersigned:
            return None
        both = SignedAgreement(Signed.from_bytes(row.countersigned), Signed.from_bytes(row.offered))
        agreement = open_agreement(both, record.directory)
        if agreement.digest() != digest or agreement.provider != did:
            return None
        history = record.agreements.of(digest, agreement.provider, agreement.consumer)
        parties = {agreement.provider, agreement.consumer}
        over = {digest, agreement.study, *parties} & record.revoked or record.ended.get(digest, frozenset()) & parties
        in_time = agreement.terms.not_before <= now < agreement.terms.expires
        stands = history is not None and history.standing.state == "active"
        return agreement if stands and in_time and not over else None


def _grade(plan: Plan) -> Iterator[Reason]:
    """A release has a grade of its own: the plan's packs make it, and each gate computed under that plan alone."""
    if isinstance(check_open_release(plan.packs), Denied) or L1_PACK not in plan.packs:
        words = "The release is of grade L2: its plan names no L1 pack, so it stays with the parties of its study."
        yield _reason("hub.not_open", words, f"Ask anew under the pack {L1_PACK}.")
    verdict = check_plan(plan)
    if isinstance(verdict, Denied):
        yield from verdict.reasons


def _reason(code: str, words: str, remedy: str = "Deposit what the gate released.") -> Reason:
    return Reason(code, words, remedy)


def _no(code: str, words: str, remedy: str) -> Denied:
    return Denied((Reason(code, words, remedy),))
