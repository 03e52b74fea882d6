"""Whether the terms of an offer are ones that we know: an unknown term is refused when it is offered."""

from __future__ import annotations

from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.wire.dsp.errors import BadMessage
from xinglin.wire.dsp.policies import check_offer
from xinglin.wire.dsp.ports import Document


def check_offer_policy(offer: Document) -> Verdict:
    """Allowed, or every term of the offer that is not understood."""
    try:
        check_offer(offer)
    except BadMessage as error:
        return deny(error.code, error.what, error.remedy)
    return Allowed()
