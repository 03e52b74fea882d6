"""The catalog as counterparties see it: data sets, their offers without target, pages, and the filter."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from xinglin.connector.model import ConnectorSettings
from xinglin.kernel.limits import Limit
from xinglin.wire.dsp.errors import BadMessage
from xinglin.wire.dsp.messages import Document
from xinglin.wire.dsp.policies import check_offer
from xinglin.wire.dsp.ports import Caller, Entry, Page, Wanted

FILTERS = Limit("items of a catalog filter", 32, "items")
FILTER_VALUES = Limit("values of a filter's item", 256, "values")
_OPERANDS = {"@id": "ids", "id": "ids", "keyword": "keywords", "format": "formats", "text": "text"}


class ListedOffers:
    """A catalog of entries in memory (port: ``xinglin.wire.dsp.ports.Offers``); ``visible`` decides for each caller."""

    def __init__(self, entries: Iterable[Entry], visible: Callable[[Caller, Entry], bool] = lambda _c, _e: True):
        self._entries = {entry.data_set: entry for entry in entries}
        self._ids = sorted(self._entries)
        self._visible = visible
        for entry in self._entries.values():
            for offer in entry.offers:
                check_offer(offer)
                if "target" in offer:
                    raise BadMessage(f"The offer of {entry.data_set} in the catalog has a target.")

    async def page(self, caller: Caller, wanted: Wanted, cursor: str, most: int) -> Page:
        """See the port."""
        backwards, last = _cursor(cursor)
        at = bisect_right(self._ids, last) if last else 0
        if backwards:
            at = max(at - 1, 0)
            ids: Iterable[str] = reversed(self._ids[:at])
        else:
            ids = (self._ids[k] for k in range(at, len(self._ids)))
        found: list[Entry] = []
        more = False
        for data_set in ids:
            entry = self._entries[data_set]
            if not (self._visible(caller, entry) and matches(entry, wanted)):
                continue
            if len(found) == most:
                more = True
                break
            found.append(entry)
        if backwards:
            found.reverse()
        return _page(found, backwards, bool(last), more)

    async def entry(self, caller: Caller, data_set: str) -> Entry | None:
        """See the port."""
        found = self._entries.get(data_set)
        return found if found is not None and self._visible(caller, found) else None


def _page(found: list[Entry], backwards: bool, inside: bool, more: bool) -> Page:
    if not found:
        return Page(())
    before = more if backwards else inside
    after = True if backwards else more
    return Page(
        tuple(found),
        before=cursor_of(found[0].data_set, backwards=True) if before else "",
        after=cursor_of(found[-1].data_set) if after else "",
    )


def cursor_of(data_set: str, *, backwards: bool = False) -> str:
    """Where the page after (or before) this data set begins."""
    return base64.urlsafe_b64encode(f"{'<' if backwards else '>'}{data_set}".encode()).decode()


def _cursor(cursor: str) -> tuple[bool, str]:
    if not cursor:
        return False, ""
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadMessage("The cursor is none of ours.", remedy="Follow the Link header as it is.") from error
    if text[:1] not in ("<", ">") or len(text) < 2:
        raise BadMessage("The cursor is none of ours.", remedy="Follow the Link header as it is.")
    return text[0] == "<", text[1:]


def matches(entry: Entry, wanted: Wanted) -> bool:
    """Whether every given part of the filter holds.

    >>> matches(Entry("d", (), keywords=("heart",)), Wanted(keywords=("heart", "lung")))
    True
    """
    if wanted.ids and entry.data_set not in wanted.ids:
        return False
    if wanted.keywords and not set(wanted.keywords) & set(entry.keywords):
        return False
    if wanted.formats and not set(wanted.formats) & set(entry.formats):
        return False
    if not wanted.text:
        return True
    labels = (value for value in entry.labels.values() if isinstance(value, str))
    return any(wanted.text.casefold() in text.casefold() for text in (entry.data_set, *entry.keywords, *labels))


def read_filter(items: tuple[Any, ...]) -> Wanted:
    """The filter of a catalog request: constraints on ``@id``, ``keyword``, ``format`` (eq, isAnyOf) or ``text`` (eq).

    Anything else is ``BadMessage``: a filter that is not understood is never passed over.
    """
    if len(items) > FILTERS.value:
        raise BadMessage(f"The filter has more than {FILTERS.value} items.")
    parts: dict[str, Any] = {}
    for item in items:
        name, values = _one(item)
        if name in parts:
            raise BadMessage(f"The filter names {item['leftOperand']!r} twice.")
        parts[name] = values[0] if name == "text" else values
    return Wanted(**parts)


def _one(item: Any) -> tuple[str, tuple[str, ...]]:
    wrong = BadMessage(
        "The filter is not supported.",
        remedy="Send items with 'leftOperand' (@id, keyword, format or text), 'operator' (eq or isAnyOf) and "
        "'rightOperand'.",
    )
    if not isinstance(item, dict) or item.keys() != {"leftOperand", "operator", "rightOperand"}:
        raise wrong
    left, operator, right = item["leftOperand"], item["operator"], item["rightOperand"]
    name = _OPERANDS.get(left) if isinstance(left, str) else None
    if name is None or operator not in ("eq", "isAnyOf") or (name == "text" and operator != "eq"):
        raise wrong
    values = [right] if operator == "eq" else right
    if not isinstance(values, list) or not 0 < len(values) <= FILTER_VALUES.value:
        raise wrong
    if not all(isinstance(one, str) and one for one in values):
        raise wrong
    return name, tuple(values)


def catalog_document(settings: ConnectorSettings, page: Page) -> Document:
    """A page as the protocol's Catalog; ``dataset`` is left out where there is none."""
    service = service_of(settings)
    document: Document = {
        "@context": list(settings.contexts),
        "@id": f"urn:xinglin:catalog:{settings.participant}",
        "@type": "Catalog",
        "participantId": settings.participant,
        "service": [service],
    }
    if page.entries:
        document["dataset"] = [data_set_document(entry, service["@id"]) for entry in page.entries]
    return document


def data_set_document(entry: Entry, service: str | Document) -> Document:
    """A data set with its offers and distributions."""
    return {
        **entry.labels,
        "@id": entry.data_set,
        "@type": "Dataset",
        **({"keyword": list(entry.keywords)} if entry.keywords else {}),
        "hasPolicy": list(entry.offers),
        "distribution": [{"@type": "Distribution", "format": one, "accessService": service} for one in entry.formats],
    }


def service_of(settings: ConnectorSettings) -> Document:
    """This connector as the catalog's data service."""
    return {
        "@id": f"urn:xinglin:service:{settings.participant}",
        "@type": "DataService",
        "endpointURL": settings.provider_url,
    }
