"""A patient's word against a look at their data, and the hospital's answer."""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant


class Complaint(msgspec.Struct, frozen=True):
    """What a patient says is wrong about a look (``about``: its use, or empty). ``answered_at`` -1: it waits."""

    id: str
    person: str
    at: Instant
    about: str
    words: str
    answer: str = ""
    answered_at: Instant = -1
    answered_by: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has answered it."""
        return self.answered_at < 0
