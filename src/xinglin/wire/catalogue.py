"""Calls about the catalogue (JSON), behind the door with the scope ``catalogue``.

``POST /v1/catalogue/search`` (a ``Search``; ``Found``) · ``GET /v1/catalogue/entry?id=`` (``EntryView``) ·
``POST /v1/catalogue/compare`` (``CompareCall``; ``Comparison``) · ``POST /v1/catalogue/dcat`` (``DcatCall``;
``DcatPage``) · ``GET /v1/catalogue/sources``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xinglin.catalogue.eligible import Standing, StudyFacts
from xinglin.catalogue.entry import CatalogueEntry
from xinglin.kernel.instants import Instant

FRESH_MS = 24 * 3600 * 1000
"""An entry of another catalog that was not heard of for longer is said to be stale."""


class EntryCall(msgspec.Struct, frozen=True):
    """One entry by its id, judged for a study where one is named."""

    entry_id: str
    study: StudyFacts | None = None


class EntryView(msgspec.Struct, frozen=True):
    """One entry whole. ``offer``: its terms as an ODRL offer without target; ``stale``: not heard of for a day."""

    entry: CatalogueEntry
    offer: dict[str, Any] | None = None
    standing: Standing | None = None
    stale: bool = False


class CompareCall(msgspec.Struct, frozen=True):
    """Two to five entries by id, judged for a study where one is named."""

    entry_ids: tuple[str, ...]
    study: StudyFacts | None = None


class DcatCall(msgspec.Struct, frozen=True):
    """One entry (``entry_id``), or a page of the whole catalogue from ``cursor`` on."""

    entry_id: str = ""
    cursor: str = ""


class DcatPage(msgspec.Struct, frozen=True):
    """A JSON-LD document, and where the next one begins (empty at the end)."""

    document: dict[str, Any]
    after: str = ""


class SourceView(msgspec.Struct, frozen=True):
    """A federated catalog as members see it."""

    participant: str
    read: Instant
    entries: int
    stale: bool
    trouble: str = ""
