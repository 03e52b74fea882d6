"""Amendment and renewal: which agreement may follow which.

Whatever follows is signed by both like any agreement, and names the one that it replaces. What prolongs is a renewal,
and changes nothing but its time, its allowance and the keys of its peers; it is granted once. Everything else is an
amendment, and prolongs nothing.
"""

from __future__ import annotations

from xinglin.contract.agreement import Agreement
from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict

_SAME = ("provider", "consumer", "study", "data_set")
_RENEWED_AS_IT_IS = ("grade", "cohort", "variables", "purposes", "operations", "recipients", "rules", "policy")


def replacement_event(old: Agreement, new: Agreement) -> str:
    """``renew`` when ``new`` lasts longer than ``old``, else ``amend``."""
    return "renew" if new.terms.expires > old.terms.expires else "amend"


def check_replacement(old: Agreement, new: Agreement, *, state: str, renewed: bool, now: Instant) -> Verdict:
    """Whether ``new`` may replace ``old``, which stands in ``state`` and was ``renewed`` before, or was not."""
    reasons = []
    if new.replaces != old.digest():
        reasons.append(
            _reason("other", "It names another agreement as the one it replaces.", "Name this one's digest.")
        )
    if state != "active":
        reasons.append(_reason("not_active", f"The agreement is {state}, not active.", "Negotiate a new one."))
    different = [name for name in _SAME if getattr(old, name) != getattr(new, name)]
    if different:
        words = f"It is about another {different[0].replace('_', ' ')}."
        reasons.append(_reason("other_subject", words, "Negotiate a new agreement."))
    if not old.made < new.made:
        reasons.append(_reason("older", "It was made before the agreement that it replaces.", "Write it anew."))
    if now >= new.terms.expires:
        reasons.append(_reason("expired", "It has expired.", "Set its dates."))
    if replacement_event(old, new) == "renew":
        reasons += _renewal(old, new, renewed)
    return Denied(tuple(reasons)) if reasons else Allowed()


def _renewal(old: Agreement, new: Agreement, renewed: bool) -> list[Reason]:
    reasons = []
    if renewed:
        words = "The agreement was renewed before, and is renewed only once."
        reasons.append(Reason("contract.renewed_before", words, "Apply anew."))
    changed = [name for name in _RENEWED_AS_IT_IS if getattr(old.terms, name) != getattr(new.terms, name)]
    if changed:
        words = f"A renewal changes nothing but time, allowance and peers; this one changes {', '.join(changed)}."
        reasons.append(_reason("renewal_changes", words, "Renew first, then amend; or amend without prolonging."))
    if {peer.did for peer in new.terms.peers} != {peer.did for peer in old.terms.peers}:
        words = "A renewal keeps its peers, whose keys alone may be new."
        reasons.append(_reason("renewal_changes", words, "Name the same hospitals."))
    return reasons


def _reason(code: str, words: str, remedy: str) -> Reason:
    return Reason(f"contract.replaces_{code}", words, remedy)
