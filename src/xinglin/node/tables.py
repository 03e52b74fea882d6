"""What this hospital publishes, and the pinned snapshots that studies read."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xinglin.catalogue import DataSetDescription, check_data_set
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied
from xinglin.stores.tls import write_private
from xinglin.wire.errors import Refused

PUBLISHED_FILE = "published.json"


class NotPublished(XinglinError):
    """A data set that this hospital does not publish."""

    code = "node.not_published"


class Tables:
    """Published descriptions, kept in the node's folder as the hospital wrote them."""

    def __init__(self, folder: Path, did: str) -> None:
        self._file, self._did = folder / PUBLISHED_FILE, did
        self._published: dict[str, DataSetDescription] = {}
        if self._file.exists():
            found = msgspec.json.decode(self._file.read_bytes(), type=tuple[DataSetDescription, ...])
            self._published = {one.name: one for one in found}

    @property
    def published(self) -> dict[str, DataSetDescription]:
        """Data sets by name."""
        return dict(self._published)

    def publish(self, data_set: DataSetDescription) -> DataSetDescription:
        """Publish (or replace) a description as this hospital's; ``Refused`` when it is not well formed."""
        mine = msgspec.structs.replace(data_set, provider=self._did)
        verdict = check_data_set(mine)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)
        self._published[mine.name] = mine
        write_private(self._file, self.encoded())
        return mine

    def encoded(self) -> bytes:
        """All descriptions, as they travel."""
        return msgspec.json.encode(tuple(self._published.values()))

    def described(self, name: str) -> DataSetDescription:
        """The description of a data set; raises ``NotPublished``."""
        if name not in self._published:
            raise NotPublished(f"'{name[:80]}' is not published here.", remedy="See what is: xinglin node tables.")
        return self._published[name]
