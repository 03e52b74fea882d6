"""Offers and agreements as the space's terms: what is not understood is refused when it is offered."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Verdict, deny
from xinglin.terms.odrl import CONTEXTS, from_odrl
from xinglin.terms.writing import check_policy
from xinglin.wire.dsp.policies import rules_digest
from xinglin.wire.dsp.ports import Document

POLICY_CONTEXTS = CONTEXTS
"""The ``@context`` of a message that carries a policy in short spellings: the protocol's, and that of our terms."""


def check_offer_policy(document: Document) -> Verdict:
    """Allowed, or every term of an offer or agreement that is not known here, with the nearest that is."""
    try:
        return check_policy(from_odrl(document))
    except XinglinError as error:
        return deny(error.code, error.what, error.remedy)


def policy_digest(document: Document) -> str:
    """Equal for two documents exactly when they say the same, in whatever order and spelling."""
    try:
        return from_odrl(document).digest()
    except XinglinError:
        return rules_digest(document)
