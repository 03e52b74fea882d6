"""What the gate needs from outside. Every effect is keyed by run: done again, it takes effect once.

Any method may raise ``NotNow``; the use then pauses where it is. The abstract test suite of these ports
is ``tests/unit/gate/ports_suite.py``.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from xinglin.gate.model import Computed, Record, Stopped, Use
from xinglin.kernel.verdict import Denied, Verdict
from xinglin.privacy.differencing import ReleasedCell
from xinglin.terms.facts import Facts


class Inclusion(msgspec.Struct, frozen=True):
    """A leaf under a checkpoint that meets the node's own quorum policy."""

    index: int
    checkpoint_size: int


class Decider(Protocol):
    """Gathers what the node knows."""

    async def facts(self, use: Use, below: int | None = None) -> Facts:
        """The facts of ``use``, from the node's own copies and the quorum-cosigned log.

        The use's own nonce and its own charge do not count against it. ``below``: keys and revocations as
        of the entries below that log index (all known ones, if none); the clock and the age of the newest
        cosigned checkpoint are always the present ones.
        """
        ...

    def decided(self, use: Use, facts: Facts, verdict: Verdict, stage: str) -> None:
        """Keep what was decided on these facts; ``stage``: ``ask``, ``again`` or ``release``. Again replaces it."""
        ...


class Ledger(Protocol):
    """Charges of this node (``privacy.Allowance`` is the reference)."""

    async def reserve(self, use: Use) -> Verdict:
        """Take one answer of the agreement and of the data set for the run; again changes nothing.

        A noised answer takes none: its price is held of the budget of privacy, which it pays before its one upload.
        ``NotNow`` while other runs hold what it needs.
        """
        ...

    async def entry(self, run: str) -> str:
        """The digest of the entry by which the run paid for its noise; empty where it paid for none."""
        ...

    async def spend(self, run: str) -> None:
        """The answer is used; again changes nothing."""
        ...

    async def give_back(self, run: str) -> None:
        """Nothing left the node; again, or never reserved, changes nothing."""
        ...


class Computer(Protocol):
    """The query and the rounds of the secure sum."""

    async def compute(self, use: Use) -> Computed | Stopped | Denied:
        """Carry the run through, or take it up where a crash left it; again gives the same answer.

        ``Denied``: the opened total may not be said, with reasons about the pooled data alone.
        """
        ...

    async def uploaded(self, run: str) -> bool:
        """Whether anything derived from rows may have left; recorded durably before the first upload."""
        ...


class Evidence(Protocol):
    """The node's way into the log."""

    async def append(self, use: Use, kind: str, commitments: dict[str, str]) -> Inclusion:
        """Append a leaf of ``kind`` about the run and wait until it is included under the node's own quorum.

        Again, for the same run and kind, gives the same inclusion. ``NotNow`` while it is not included.
        """
        ...

    async def checkpoint_age_ms(self) -> int | None:
        """Age of the newest checkpoint of quorum; ``None`` when there is none."""
        ...

    async def all_authorised(
        self, use: Use, commitment: str, contributors: tuple[str, ...], salt: bytes
    ) -> int | Denied:
        """The highest index of the contributors' release-authorised leaves, once all carry this commitment.

        Only a leaf with its contributor's ``mark_of`` under ``salt`` counts: whoever runs the log can write one in
        any name, and does not know the salt. All of them under a checkpoint of quorum. ``NotNow`` while some are
        missing; ``Denied`` once one of them ended the run or committed to another result, or where an agreement of
        theirs was not in force below that index.
        """
        ...

    async def note_refusal(self, use: Use, codes: tuple[str, ...]) -> None:
        """Record a refusal for an authenticated asker; may drop above its rate limit."""
        ...


class Review(Protocol):
    """Persons of the hospital who look at what would leave."""

    async def reviewed(self, use: Use, computed: Computed) -> Verdict:
        """What they decided about exactly this outcome; ``NotNow`` while not all of them have. Again is the same."""
        ...

    async def entry(self, use: Use, computed: Computed) -> str:
        """What the release-authorised leaf commits to of their votes; empty where nobody was asked."""
        ...


class Releaser(Protocol):
    """Seals and hands over."""

    async def deliver(self, use: Use, result: bytes, commitment: str) -> Verdict:
        """Seal ``result`` to the request's recipients and hand it over; again for the run is one delivery.

        A recipient whose keys were revoked since is left out; ``Denied`` where none is left: nothing is handed over.
        """
        ...


class ReleaseStore(Protocol):
    """Durable records of uses, and the names of released cells."""

    async def open(self, fresh: Record) -> Record | Denied:
        """Keep ``fresh`` and remember its nonce in one step; or the run's record when there is one.

        ``Denied`` when the run is another request's, or the nonce was another run's.
        """
        ...

    async def save(self, before: Record, after: Record) -> None:
        """Replace ``before`` by ``after`` durably; ``RecordMoved`` when the stored one is not ``before``."""
        ...

    async def keep_cells(self, use: Use, cells: tuple[str, ...], compared: tuple[ReleasedCell, ...]) -> Verdict:
        """Keep the persons of the run's ``cells`` for later comparisons, once nothing is found to be missed.

        One step: of two runs that did not compare with each other, at most one is kept.

        Denied (``check_layout``) when a cell kept for the data set by another run is not in ``compared``.
        Again changes nothing.
        """
        ...

    async def drop_cells(self, run: str) -> None:
        """Forget the cells of a run that was withheld; again changes nothing."""
        ...
