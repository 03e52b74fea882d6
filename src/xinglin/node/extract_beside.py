"""An extract beside every earlier one of the hospital: whoever joins them finds nobody among fewer than k.

In the computing child. Whoever asks, for which study and which workspace: workspaces talk to each other, and one that
holds two extracts joins them. Classes are cut so that they neither split nor mix those of earlier extracts; what
cannot be cut so is refused. The index of an extract is kept by the node before anything of it can leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xinglin.kernel.verdict import Denied, deny

if TYPE_CHECKING:
    from xinglin.node.extract_columns import Columns
    from xinglin.privacy.anonymity import Anonymised, Quasi, ReleaseIndex, Rules

Persons = np.ndarray[Any, np.dtype[Any]]
BESIDE = "extract.beside_earlier"
_REFUSED = deny(
    BESIDE,
    "Joined with earlier extracts of this hospital, some persons could be told from all but fewer than k others.",
    "Ask for the rows of an earlier extract again, or for a cohort that differs from it by whole groups; or use the "
    "extract that is there.",
)


class Beside:
    """The earlier extracts of the hospital. ``key``: of their indexes; ``earlier``: indexes as bytes."""

    def __init__(self, earlier: Sequence[bytes], key: bytes) -> None:
        from xinglin.privacy.anonymity import ReleaseIndex

        self._key = key
        self._every = [ReleaseIndex.from_bytes(one) for one in earlier]
        self.compared = len(self._every)

    def anonymised(
        self, columns: Columns, quasi: Sequence[Quasi], rules: Rules, persons: Persons
    ) -> Anonymised | Denied:
        """k-anonymous by itself, and together with every earlier extract that shares a person with it."""
        from xinglin.privacy.anonymity import TooFewPersons, Unreachable, anonymise, anonymise_among

        shared = self._sharing(persons)
        if not shared:
            return anonymise(columns, quasi, rules, persons=persons)
        try:
            found = anonymise_among(columns, quasi, rules, persons, shared, self._key)
        except (TooFewPersons, Unreachable):
            anonymise(columns, quasi, rules, persons=persons)  # raises where it could not be made alone either
            return _REFUSED
        return _REFUSED if found.loss.suppressed > rules.suppression else found

    def index(self, run: str, made: Anonymised, persons: Persons, rules: Rules) -> bytes | Denied:
        """The index of an extract that was made, to be kept; ``Denied`` where it may not stand beside the earlier ones.

        ``persons``: of the rows that stay.
        """
        from xinglin.privacy.anonymity import compare_releases, index_release

        names = tuple(one.name for one in rules.held())
        index = index_release(run, made.columns, made.classes, persons, self._key, rules.k, names, rules.l or 1)
        shared = self._sharing(persons)
        return _REFUSED if isinstance(compare_releases(shared, index), Denied) else index.to_bytes()

    def _sharing(self, persons: Persons) -> list[ReleaseIndex]:
        from xinglin.privacy.anonymity.releases import keyed_person

        if not self._every:
            return []
        mine = {keyed_person(self._key, one) for one in np.unique(persons).tolist()}
        return [one for one in self._every if not mine.isdisjoint(one.pseudonyms())]
