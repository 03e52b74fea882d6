"""The chain of a use: what the log holds from agreement to settlement, joined by what the entries themselves name.

Which run belongs to which agreement is not in the log in the clear (a run's entries commit to it, salted): whoever
knows the ids that belong together hands them in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from xinglin.console.book_words import ids_named
from xinglin.kernel.limits import Limit
from xinglin.sdk.logbook import Found

CHAIN_ENTRIES = Limit("entries of a chain", 400, "entries")
STAGES = (
    "agreed", "approved", "requested", "refused", "admitted", "authorised", "delivered", "deposited", "settled",
    "stopped", "ended",
)  # fmt: skip
"""Where in a use an entry stands; ``other`` for what belongs to none of them."""
_STAGE = {
    "agreement": "agreed",
    "agreement-amendment": "agreed",
    "agreement-renewal": "agreed",
    "agreement-resumption": "agreed",
    "agreement-suspension": "stopped",
    "agreement-breach": "stopped",
    "agreement-end": "ended",
    "approval": "approved",
    "request": "requested",
    "decision": "requested",
    "refused": "refused",
    "admitted": "admitted",
    "release-authorised": "authorised",
    "delivered": "delivered",
    "publication": "deposited",
    "usage": "settled",
    "settlement": "settled",
    "freeze": "stopped",
    "revocation": "ended",
    "ended": "ended",
}


class Link(msgspec.Struct, frozen=True):
    """One entry of a chain, and the stage of the use that it marks."""

    found: Found
    stage: str


class Chain(msgspec.Struct, frozen=True):
    """What the log holds of a use, in its order.

    ``related``: ids that its entries name. ``whole``: nothing was cut off.
    """

    subject: str
    links: tuple[Link, ...]
    related: tuple[str, ...]
    whole: bool

    def reached(self, stage: str) -> bool:
        """Whether an entry of that stage is there."""
        return any(link.stage == stage for link in self.links)


def chain_of(
    subjects: Sequence[str], about: Callable[[str], Sequence[Found]], naming: Callable[[str], Sequence[Found]]
) -> Chain:
    """The entries about ``subjects``, those whose body names one of them, and those about what these name."""
    found: dict[int, Found] = {}
    for subject in subjects:
        found |= {one.index: one for one in (*about(subject), *naming(subject))}
    own = dict.fromkeys(
        name for _, one in sorted(found.items()) for name in (one.entry.subject, *ids_named(one.entry)) if name
    )
    related = [name for name in own if name not in subjects and not name.startswith("did:")][: CHAIN_ENTRIES.value]
    for name in related:
        if len(found) > CHAIN_ENTRIES.value:
            break
        found |= {one.index: one for one in about(name)}
    ordered = [one for _, one in sorted(found.items())]
    links = tuple(Link(one, _STAGE.get(one.entry.kind, "other")) for one in ordered[: CHAIN_ENTRIES.value])
    return Chain(subjects[0], links, tuple(related), len(ordered) <= CHAIN_ENTRIES.value)
