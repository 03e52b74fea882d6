"""Other participants' catalogs over the Dataspace Protocol (port: ``xinglin.catalogue.ports.CatalogSource``)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from xinglin.connector.asking import catalog
from xinglin.connector.sending import HttpSender
from xinglin.connector.trusting import LiteralHeader
from xinglin.wire.dsp.ports import Document, Present, Sender


class DspCatalogs:
    """``POST /catalog/request`` with its pages; without ``present`` public catalogs alone answer."""

    def __init__(self, sender: Sender | None = None, present: Present | None = None) -> None:
        self._own = HttpSender.fresh() if sender is None else None
        self._sender: Sender = sender if sender is not None else self._own or HttpSender.fresh()
        self._present: Present = present or LiteralHeader()

    def data_sets(self, participant: str, address: str) -> AsyncIterator[Document]:
        """See the port."""
        return catalog(self._sender, self._present, participant, address)

    async def close(self) -> None:
        """Close its own connections."""
        if self._own is not None:
            await self._own.close()
