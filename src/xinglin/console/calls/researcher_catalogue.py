"""The catalogue as a researcher's seat asks it: search, one data set, comparison, made-up rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.catalogue.eligible import StudyFacts
from xinglin.console.addresses import segment
from xinglin.console.calls.seat_calls import Hit
from xinglin.console.errors import NotThere
from xinglin.console.lines import Lines
from xinglin.console.seats import Seat
from xinglin.wire.errors import Refused

if TYPE_CHECKING:
    import pyarrow as pa

    from xinglin.access.form import Form
    from xinglin.access.register import PermitEntry
    from xinglin.catalogue.comparing import Comparison
    from xinglin.catalogue.entry import CatalogueEntry
    from xinglin.catalogue.model import DataSetDescription
    from xinglin.catalogue.search import Found
    from xinglin.catalogue.search import Hit as CatalogueHit
    from xinglin.sdk.catalogue import Catalogue
    from xinglin.sdk.space import Space
    from xinglin.wire.catalogue import EntryView

TWIN_PERSONS = 200
HOLDERS = 100


class DataSetShown(msgspec.Struct, frozen=True):
    """A data set whole. ``holders``: entries of the same name, of every hospital; ``permits``: who used it."""

    view: EntryView
    holders: tuple[CatalogueHit, ...]
    permits: tuple[PermitEntry, ...]


class CatalogueCalls:
    """The space's catalogue, as far as this seat's account may see it."""

    def __init__(self, seat: Seat, lines: Lines) -> None:
        self._seat, self._lines = seat, lines

    def search(
        self,
        text: str = "",
        chosen: Mapping[str, Sequence[str]] | None = None,
        study: StudyFacts | None = None,
        **asked: Any,
    ) -> Found:
        """One page of data sets; ``asked``: months, answers, cursor, how many."""
        with self._lines.space(self._seat.folder) as space:
            return _catalogue(space).search(text, chosen, study=study, **asked)

    def every(
        self, text: str, chosen: Mapping[str, Sequence[str]], study: StudyFacts | None, **asked: Any
    ) -> list[CatalogueEntry]:
        """Entries of all pages, at most a thousand, for an export."""
        found: list[CatalogueEntry] = []
        cursor = ""
        while len(found) < 1_000:
            page = self.search(text, chosen, study, cursor=cursor, most=100, **asked)
            found += [one.entry for one in page.hits]
            cursor = page.after
            if not cursor:
                break
        return found

    def entry(self, entry_id: str, study: StudyFacts | None = None) -> EntryView:
        """One entry; raises ``NotThere`` for one that this account may not know of."""
        with self._lines.space(self._seat.folder) as space:
            return _entry(space, entry_id, study)

    def data_set(self, entry_id: str, study: StudyFacts | None = None) -> DataSetShown:
        """One entry with where else it is, and permits that the public register names for it."""
        from xinglin.sdk.access import Access

        with self._lines.space(self._seat.folder) as space:
            view = _entry(space, entry_id, study)
            name, provider = view.entry.name, view.entry.provider
            permits = [one for one in Access(space).register() if name in one.data_sets]
            mine = [one for one in permits if view.entry.institution in one.hospitals or provider in one.hospitals]
            holders = _holders(space, name, study)
        return DataSetShown(view, holders, tuple(sorted(mine, key=lambda one: -one.granted)))

    def holders(self, name: str, study: StudyFacts | None = None) -> tuple[CatalogueHit, ...]:
        """Entries of one name, of every hospital that publishes it, judged for a study where one is stated."""
        with self._lines.space(self._seat.folder) as space:
            return _holders(space, name, study)

    def compare(self, entry_ids: Sequence[str], study: StudyFacts | None = None) -> Comparison:
        """Two to five data sets side by side; raises ``BadComparison`` and ``NotThere``."""
        with self._lines.space(self._seat.folder) as space:
            try:
                return _catalogue(space).compare(entry_ids, study)
            except Refused as refused:
                raise _not_there(refused) from refused

    def description(self, name: str, provider: str = "") -> DataSetDescription:
        """What is published under a name, of one hospital or of the first; raises ``Refused``."""
        from xinglin.sdk.twins import published

        with self._lines.space(self._seat.folder) as space:
            return published(space.data_sets(name), name, provider, {})

    def descriptions(self, name: str) -> dict[str, DataSetDescription]:
        """What is published under a name, by the hospital's DID."""
        with self._lines.space(self._seat.folder) as space:
            return space.data_sets(name).get(name, {})

    def twin(self, entry: CatalogueEntry, persons: int = TWIN_PERSONS) -> dict[str, pa.Table]:
        """Made-up rows of every table, from published facts alone: no permission, no cost."""
        from xinglin.sdk.twins import twins_of

        return twins_of(self.description(entry.name, entry.provider), persons)

    def dcat(self, entry_id: str) -> dict[str, Any]:
        """An entry as DCAT (JSON-LD)."""
        with self._lines.space(self._seat.folder) as space:
            _entry(space, entry_id, None)
            return next(iter(_catalogue(space).dcat(entry_id)))

    def find(self, text: str, most: int = 8) -> tuple[Hit, ...]:
        """Data sets that a text is about."""
        found = self.search(text, most=most)
        return tuple(
            Hit(f"{one.entry.title} · {one.entry.institution}", "object.data-set", path_of(one.entry.entry_id))
            for one in found.hits
        )


def facts_of_form(form: Form) -> StudyFacts:
    """A study as its form states it to policies."""
    values: dict[str, str | tuple[str, ...]] = {}
    if form.project.purpose:
        values["purpose"] = form.project.purpose
    if form.project.basis:
        values["consentBasis"] = form.project.basis
    if form.outputs.types:
        values["outputType"] = tuple(sorted(form.outputs.types))
    return StudyFacts(form.settings.operation, values)


def path_of(entry_id: str) -> str:
    """The page of a data set: ids hold ``#`` and may hold ``/``.

    >>> path_of("did:example:a/b#heart")
    '/data-sets/did:example:a~1b%23heart'
    """
    return "/data-sets/" + segment(entry_id.replace("~", "~0").replace("/", "~1"))


def id_of(part: str) -> str:
    """The id that a page's path names.

    >>> id_of("did:example:a~1b#heart")
    'did:example:a/b#heart'
    """
    return part.replace("~1", "/").replace("~0", "~")


def _catalogue(space: Space) -> Catalogue:
    from xinglin.sdk.catalogue import Catalogue

    return Catalogue(space)


def _entry(space: Space, entry_id: str, study: StudyFacts | None) -> EntryView:
    try:
        return _catalogue(space).entry(entry_id, study)
    except Refused as refused:
        raise _not_there(refused) from refused


def _not_there(refused: Refused) -> Exception:
    if refused.status == 404:
        return NotThere("There is no such data set.", remedy="Search the catalogue.")
    return refused


def _holders(space: Space, name: str, study: StudyFacts | None) -> tuple[CatalogueHit, ...]:
    found = _catalogue(space).search(name, study=study, most=HOLDERS)
    return tuple(one for one in found.hits if one.entry.name == name)
