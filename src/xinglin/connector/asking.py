"""What our own people ask of other connectors: their catalog, and the data of a transfer."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urljoin, urlsplit

import httpx
import msgspec

from xinglin.connector.addresses import check_address
from xinglin.connector.errors import ConnectorError, NotPossible
from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import Limit
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Document, Present, ProcessRow, Sender

PAGES = Limit("pages of a catalog", 10_000, "pages")
RESUMES = 8


class BadAnswer(ConnectorError):
    """A counterparty whose answer is not what the protocol says."""

    code = "connector.bad_answer"


async def catalog(
    sender: Sender, present: Present, participant: str, address: str, wanted: tuple[Document, ...] = ()
) -> AsyncIterator[Document]:
    """Every data set of a counterparty's catalog, page after page by its ``Link`` headers."""
    check_address(address)
    here = f"{address.rstrip('/')}/catalog/request"
    body = m.encode(m.CatalogRequestMessage(context=m.HERE, filter=wanted))
    url = here
    for _ in range(PAGES.value):
        answer = await sender.post(url, body, await present(participant, url))
        if answer.status != 200:
            raise BadAnswer(f"The catalog was refused with status {answer.status}.")
        document = decode_json(answer.body, dict)
        if document.get("@type") != "Catalog" or not isinstance(document.get("dataset", []), list):
            raise BadAnswer("The answer is no Catalog.")
        for found in document.get("dataset", []):
            if isinstance(found, dict):
                yield found
        if not answer.next_url:
            return
        url = urljoin(here, answer.next_url)
        if _origin(url) != _origin(here):
            raise BadAnswer("The catalog's next page lies with somebody else.")
    raise BadAnswer(f"The catalog has more than {PAGES.value} pages.")


async def data_set(sender: Sender, present: Present, participant: str, address: str, id_: str) -> Document:
    """One data set of a counterparty's catalog, with its offers."""
    check_address(address)
    url = f"{address.rstrip('/')}/catalog/datasets/{quote(id_, safe=':')}"
    answer = await sender.get(url, await present(participant, url))
    if answer.status != 200:
        raise BadAnswer(f"The data set was refused with status {answer.status}.")
    found: Document = decode_json(answer.body, dict)
    if found.get("@id") != id_ or not isinstance(found.get("hasPolicy"), list) or not found["hasPolicy"]:
        raise BadAnswer("The answer is not this data set with its offers.")
    return found


async def fetch(client: httpx.AsyncClient, row: ProcessRow, path: Path) -> int:
    """Fetch the data of a started transfer (we are the consumer) into ``path``; how many bytes it has in the end.

    What an earlier, broken fetch left in ``path`` is kept and gone on with, as long as the provider says that the
    bytes are still the same (``If-Range``); each lost connection is taken up again, at most ``RESUMES`` times.
    """
    if not row.data_address:
        raise NotPossible("The transfer has no data address.", remedy="Wait until it is started.")
    address = msgspec.json.decode(row.data_address, type=m.DataAddress)
    check_address(address.endpoint)
    headers = {"accept-encoding": "identity", "authorization": f"Bearer {address.value_of('authorization')}"}
    part = _Part(path)
    for _ in range(RESUMES):
        try:
            return await _fetch_on(client, address.endpoint, headers, part)
        except httpx.TransportError:
            continue
    raise Unreachable("The connection was lost too often.", remedy="Fetch again: it goes on where it stopped.")


async def _fetch_on(client: httpx.AsyncClient, url: str, headers: dict[str, str], part: _Part) -> int:
    have, etag = part.had()
    asked = headers | ({"range": f"bytes={have}-", "if-range": etag} if have else {})
    async with client.stream("GET", url, headers=asked) as response:
        if response.status_code == 416 and response.headers.get("content-range") == f"bytes */{have}":
            return part.done()
        if response.status_code not in (200, 206):
            raise BadAnswer(f"The data was refused with status {response.status_code}.")
        with part.begin(response.headers.get("etag", ""), again=response.status_code == 206) as file:
            async for piece in response.aiter_bytes():
                file.write(piece)
    return part.done()


class _Part:
    """A file that is being fetched, and beside it what the provider calls these bytes."""

    def __init__(self, path: Path) -> None:
        self._path, self._mark = path, path.with_name(f"{path.name}.etag")

    def had(self) -> tuple[int, str]:
        if not (self._path.exists() and self._mark.exists()):
            return 0, ""
        return self._path.stat().st_size, self._mark.read_text(encoding="utf-8")

    def begin(self, etag: str, *, again: bool) -> BinaryIO:
        if not again:
            self._path.unlink(missing_ok=True)
        self._mark.write_text(etag, encoding="utf-8")
        return self._path.open("ab")

    def done(self) -> int:
        self._mark.unlink(missing_ok=True)
        return self._path.stat().st_size


def digest_of_file(path: Path) -> str:
    """SHA-256 of a fetched file, in hexadecimal digits, to compare with the provider's."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
