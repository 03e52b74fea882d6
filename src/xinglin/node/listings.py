"""What the hospital says of its published data sets beside their descriptions: words, terms, who may know of them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xinglin.catalogue.entry import Listing, check_listing
from xinglin.kernel.codec import decode_json
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.tables import Tables
from xinglin.stores.tls import write_private
from xinglin.wire.channel import Published
from xinglin.wire.errors import Refused

LISTINGS_FILE = "listings.json"


class Listings:
    """Listings by data set, in the node's folder; read anew each time."""

    def __init__(self, folder: Path, tables: Tables) -> None:
        self._file, self._tables = folder / LISTINGS_FILE, tables

    def kept(self) -> dict[str, Listing]:
        """Every listing by its data set."""
        if not self._file.exists():
            return {}
        found = decode_json(self._file.read_bytes(), tuple[Listing, ...])  # type: ignore[arg-type]
        return {one.data_set: one for one in found}

    def keep(self, listing: Listing) -> Listing:
        """Keep or replace a listing; ``Refused`` with every reason where it cannot be shown."""
        described = self._tables.published.get(listing.data_set)
        verdict = check_listing(listing, self._tables.published)
        if isinstance(verdict, Denied):
            raise Refused(verdict.reasons)
        said = listing.statement
        if said is not None and described is not None and said.description_digest != described.digest():
            words = "The statement is of another version of the description."
            raise Refused(deny("catalogue.listing", words, "Make it again: xinglin catalogue statement.").reasons)
        found = self.kept() | {listing.data_set: listing}
        write_private(self._file, msgspec.json.encode(tuple(found.values())))
        return listing

    def publication(self) -> Published:
        """The report that the hub gets. A statement of an older description is left out, not the listing."""
        described = {name: one.digest() for name, one in self._tables.published.items()}
        said = [
            one
            if one.statement is None or one.statement.description_digest == described[one.data_set]
            else msgspec.structs.replace(one, statement=None)
            for one in self.kept().values()
            if one.data_set in described
        ]
        return Published(self._tables.encoded(), msgspec.json.encode(said))
