"""The door of look-ups in care: decided, and in the log, before anything may be shown.

It decides and leaves its entry; it shows nothing yet. The entry is durable before the answer (the ledger's outbox, in
order, under the node's key), and goes to the log as soon as that can be reached: care does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from xinglin.evidence.looks import Look
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Verdict
from xinglin.terms.care import CareFacts, LookupRequest, decide_lookup


class Outbox(Protocol):
    """What waits for the log."""

    def tell(self, kind: str, subject: str, at: Instant, values: Mapping[str, Any]) -> None:
        """Put an entry of digests and counts there; durable when it returns."""
        ...


class CareDoor:
    """Decides look-ups at one node. ``looks``: writes each that is allowed into the patient's list of looks."""

    def __init__(self, outbox: Outbox, looks: Callable[[str, Look], object] | None = None) -> None:
        self._outbox, self._looks = outbox, looks

    def ask(self, request: LookupRequest, facts: CareFacts) -> Verdict:
        """The verdict, once its entry is durable: a look-up, an emergency that is reviewed, or a refusal.

        Strangers' refusals leave no entry. Guarantee: nothing of the patient or of what was asked is in the entry but
        digests over the request's nonce.
        """
        verdict = decide_lookup(request, facts)
        known = facts.signer == request.requester and facts.key_status == "active"
        if isinstance(verdict, Denied) and not known:
            return verdict
        subject = request.digest()
        told = list(verdict.conditions if isinstance(verdict, Allowed) else verdict.codes)
        values = {"what": canonical_digest({"request": subject, "verdict": told})}
        if isinstance(verdict, Allowed) and self._looks is not None:
            # Before its entry: whoever is told by the log that somebody was looked up finds it in the list.
            self._looks(request.patient, _look(request, facts))
        self._outbox.tell(_kind(request, verdict), subject, facts.now, values)
        return verdict


def _look(request: LookupRequest, facts: CareFacts) -> Look:
    """A look-up as its patient is shown it; of an emergency with the words of whoever attested it."""
    return Look(
        use=request.digest(), kind="break-glass" if request.emergency else "lookup", at=facts.now, outcome="released",
        purpose=request.purpose, asker=request.requester, institution=facts.institution, words=request.emergency,
    )  # fmt: skip


def _kind(request: LookupRequest, verdict: Verdict) -> str:
    if isinstance(verdict, Denied):
        return "refused"
    return "break-glass" if request.emergency else "lookup"
