"""What of earlier extracts a node keeps to compare new ones with: who stood in which class, in keyed pseudonyms.

Kept encrypted and durably before anything of an extract can leave, so that no kill between two steps lets one go out
uncompared; forgotten only where an extract ended before its release was authorised.
"""

from __future__ import annotations

from xinglin.kernel.limits import Limit
from xinglin.stores.extract_vault import ExtractVault

EARLIER_BYTES = Limit("indexes of a hospital's earlier extracts", 256 * 1024 * 1024, "bytes")
RELEASES_SECRET = "releases"  # noqa: S105 - the name of a purpose
_KIND = ".index"


class EarlierExtracts:
    """The indexes of every extract that this hospital made and that may have left."""

    def __init__(self, vault: ExtractVault) -> None:
        self._vault = vault

    @property
    def key(self) -> bytes:
        """The key of the indexes: the same for all, so that persons are found again."""
        return self._vault.secret(RELEASES_SECRET)

    def besides(self, run: str) -> tuple[bytes, ...]:
        """Every index but the run's own. Raises ``LimitExceeded`` where they are too many to be compared with."""
        names = [name for name in self._vault.names() if name.endswith(_KIND) and name != f"{run}{_KIND}"]
        found, size = [], 0
        for name in names:
            found.append(self._vault.open(name))
            size += len(found[-1])
            EARLIER_BYTES.check(size)
        return tuple(found)

    def keep(self, run: str, index: bytes) -> None:
        """Keep an extract's index; durable when this returns."""
        self._vault.keep(f"{run}{_KIND}", index)

    def forget(self, run: str) -> None:
        """An extract ended, and nothing of it was authorised."""
        self._vault.drop(f"{run}{_KIND}")
