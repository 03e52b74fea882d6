"""The catalogue from an account: search, what a study may use and why not, comparison, DCAT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.catalogue.comparing import Comparison
from xinglin.catalogue.eligible import StudyFacts
from xinglin.catalogue.search import Found, Hit, Search
from xinglin.wire.catalogue import CompareCall, DcatCall, DcatPage, EntryCall, EntryView, SourceView

if TYPE_CHECKING:
    from xinglin.sdk.session import Session


class Catalogue:
    """Everything that this account may see of the space's catalogue.

    >>> from xinglin.sdk.catalogue import Catalogue                             # doctest: +SKIP
    >>> Catalogue(space).search("收缩压", {"grade": ["L2"]}).total                    # doctest: +SKIP
    12
    """

    def __init__(self, session: Session) -> None:
        self._client = session.client

    def search(
        self,
        text: str = "",
        chosen: Mapping[str, Sequence[str]] | None = None,
        *,
        study: StudyFacts | None = None,
        answers: Sequence[str] = (),
        from_month: str = "",
        to_month: str = "",
        cursor: str = "",
        most: int = 20,
    ) -> Found:
        """One page. ``chosen``: values by facet (``{"grade": ["L2"]}``). The next page begins at ``after``."""
        picked = {name: tuple(values) for name, values in (chosen or {}).items()}
        asked = Search(text, picked, from_month, to_month, study, tuple(answers), cursor, most)
        return self._client.post("/v1/catalogue/search", asked, Found)

    def eligible(
        self, study: StudyFacts, text: str = "", chosen: Mapping[str, Sequence[str]] | None = None, *, most: int = 1_000
    ) -> list[Hit]:
        """Data sets (at most ``most``), each with whether the study may use it, every reason and what would help."""
        hits: list[Hit] = []
        cursor = ""
        while len(hits) < most:
            size = min(100, most - len(hits))
            found = self.search(text, chosen, study=study, cursor=cursor, most=size)
            hits += found.hits
            cursor = found.after
            if not cursor:
                break
        return hits

    def entry(self, entry_id: str, study: StudyFacts | None = None) -> EntryView:
        """One entry whole; ``Refused`` (404) where there is none for this account."""
        return self._client.post("/v1/catalogue/entry", EntryCall(entry_id, study), EntryView)

    def compare(self, entry_ids: Sequence[str], study: StudyFacts | None = None) -> Comparison:
        """Two to five data sets side by side."""
        return self._client.post("/v1/catalogue/compare", CompareCall(tuple(entry_ids), study), Comparison)

    def dcat(self, entry_id: str = "") -> Iterator[dict[str, Any]]:
        """DCAT of one entry, or of the whole catalogue, document after document."""
        cursor = ""
        while True:
            page = self._client.post("/v1/catalogue/dcat", DcatCall(entry_id, cursor), DcatPage)
            yield page.document
            cursor = page.after
            if not cursor:
                return

    def sources(self) -> list[SourceView]:
        """Catalogs of others that are read here, and which are stale."""
        return self._client.get("/v1/catalogue/sources", list[SourceView])


def study_facts(action: str = "statistics", **values: str | Sequence[str]) -> StudyFacts:
    """A study as it states itself: ``study_facts(purpose="public-health", recipientClass=["university"])``."""
    return StudyFacts(action, {name: one if isinstance(one, str) else tuple(one) for name, one in values.items()})


def facts_of(values: Mapping[str, Sequence[str]], action: str) -> StudyFacts:
    """Facts as a command line gives them: several values of a name are a set."""
    kept = {name: tuple(one) if len(one) > 1 else one[0] for name, one in values.items()}
    return msgspec.convert({"action": action, "values": kept}, StudyFacts)
