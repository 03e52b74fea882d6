"""What the hospital says of its published data sets beside their descriptions: words, terms, who may know of them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import msgspec

from xinglin.catalogue.entry import Listing, check_listing
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import system_clock
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.house_policy import HousePolicy
from xinglin.node.law import terms_reasons
from xinglin.node.pack_rules import NodePacks
from xinglin.node.tables import Tables
from xinglin.stores.tls import write_private
from xinglin.terms.errors import TermsError
from xinglin.terms.pack_named import packs_required
from xinglin.wire.channel import Published
from xinglin.wire.errors import Refused

log = logging.getLogger("xinglin.node.listings")
LISTINGS_FILE = "listings.json"


class Listings:
    """Listings by data set, in the node's folder; read anew each time."""

    def __init__(self, folder: Path, tables: Tables, house: HousePolicy | None = None) -> None:
        self._file, self._tables, self._house = folder / LISTINGS_FILE, tables, house

    def kept(self) -> dict[str, Listing]:
        """Every listing by its data set."""
        if not self._file.exists():
            return {}
        found = decode_json(self._file.read_bytes(), tuple[Listing, ...])  # type: ignore[arg-type]
        return {one.data_set: one for one in found}

    def keep(self, listing: Listing) -> Listing:
        """Keep or replace a listing; ``Refused`` with every reason, of the law file too."""
        described = self._tables.published.get(listing.data_set)
        verdict = check_listing(listing, self._tables.published)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)
        said = listing.statement
        if said is not None and described is not None and said.description_digest != described.digest():
            words = "The statement is of another version of the description."
            raise Refused(deny("catalogue.listing", words, "Make it again: xinglin catalogue statement.").reasons)
        if listing.policy is not None:
            reasons = terms_reasons(self._file.parent, listing.data_set, listing.policy, system_clock())
            if reasons:
                raise Refused(reasons)
        found = self.kept() | {listing.data_set: listing}
        write_private(self._file, msgspec.json.encode(tuple(found.values())))
        return listing

    def publication(self) -> Published:
        """The report that the hub gets: terms tightened by the hospital's own policy.

        A statement of an older description is left out, not the listing; terms that cannot be tightened are left out.
        """
        described = {name: one.digest() for name, one in self._tables.published.items()}
        said = [
            one
            if one.statement is None or one.statement.description_digest == described[one.data_set]
            else msgspec.structs.replace(one, statement=None)
            for one in self._said(described)
        ]
        return Published(self._tables.encoded(), msgspec.json.encode(said))

    def _said(self, described: Collection[str]) -> list[Listing]:
        """What is said of every data set, with the hospital's disclosure packs; nothing of one without either."""
        packs, kept = NodePacks(self._file.parent, self._house), self.kept()
        texts, of_house, found = packs.texts(), packs.asked("statistics", None), []
        for name in sorted(described):
            said = self._tightened(kept[name]) if name in kept else None
            asked = set(of_house)
            if said is not None and said.policy is not None:
                asked |= set(packs_required(said.policy, "statistics"))
            if said is not None or texts or asked:
                whole = Listing(name) if said is None else said
                found.append(msgspec.structs.replace(whole, packs=texts, packs_asked=tuple(sorted(asked))))
        return found

    def _tightened(self, listing: Listing) -> Listing:
        if self._house is None or listing.policy is None:
            return listing
        try:
            return msgspec.structs.replace(listing, policy=self._house.tighten(listing.policy))
        except TermsError as error:
            log.error("terms of '%s' are not published: %s", listing.data_set, error.code)
            return msgspec.structs.replace(listing, policy=None)
