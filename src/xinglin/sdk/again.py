"""A noised question asked again: where a hospital names the run that answered it, that answer is taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from xinglin.kernel.verdict import Reason
from xinglin.sdk.asked import kept
from xinglin.sdk.run import Run

if TYPE_CHECKING:
    from xinglin.sdk.session import Session
    from xinglin.terms.request import Plan

_ANSWERED = "privacy.answered_before"
_RUN = re.compile(r"run-[a-z2-7]{8,64}")


def answered_before(space: Session, plan: Plan, reasons: Sequence[Reason]) -> Run | None:
    """The run of this account that answered the same question before, when that is why a hospital refused."""
    for reason in reasons:
        found = _RUN.search(reason.words) if reason.code == _ANSWERED else None
        asked = kept(space.account, found.group()) if found is not None else None
        if found is not None and asked is not None:
            earlier = asked.opened()
            if msgspec.structs.replace(earlier, as_of=plan.as_of) == plan:
                return Run(space, found.group())
    return None
