"""What our own people ask of other connectors: their catalog, and the data of a transfer."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urljoin, urlsplit

import httpx
import msgspec

from xinglin.connector.addresses import check_address, check_reachable
from xinglin.connector.errors import ConnectorError, NotPossible
from xinglin.connector.sending import is_packed
from xinglin.kernel.codec import decode_json
from xinglin.kernel.limits import Limit
from xinglin.wire.dsp import messages as m
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Document, Present, ProcessRow, Sender

PAGES = Limit("pages of a catalog", 10_000, "pages")
FETCHED = Limit("size of fetched data", 1024**3, "bytes")
RESUMES = 8
_REPR_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


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


async def fetch(
    client: httpx.AsyncClient,
    row: ProcessRow,
    path: Path,
    *,
    trial: bool = False,
    most_bytes: int = FETCHED.value,
) -> int:
    """Fetch the data of a started transfer (we are the consumer) into ``path``; how many bytes it has in the end.

    What an earlier, broken fetch left in ``path`` is kept and gone on with, as long as the provider says that the
    bytes are still the same (``If-Range``); each lost connection is taken up again, at most ``RESUMES`` times.
    The address is the provider's own word: it must be https and lie outside local networks, unless this is a
    ``trial``. ``BadAnswer`` for more than ``most_bytes``, and for bytes whose SHA-256 is not the one that the provider
    names (``Repr-Digest``, RFC 9530); neither is left in ``path``.
    """
    if not row.data_address:
        raise NotPossible("The transfer has no data address.", remedy="Wait until it is started.")
    address = msgspec.json.decode(row.data_address, type=m.DataAddress)
    check_address(address.endpoint)
    await check_reachable(address.endpoint, plain_http=trial, private=trial)
    headers = {"accept-encoding": "identity", "authorization": f"Bearer {address.value_of('authorization')}"}
    part = _Part(path, most_bytes)
    for _ in range(RESUMES):
        try:
            return await _fetch_on(client, address.endpoint, headers, part)
        except httpx.TransportError:
            continue
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            words = f"The provider's answer or address cannot be read: {type(error).__name__}."
            raise BadAnswer(words, remedy="Ask the provider.") from error
    raise Unreachable("The connection was lost too often.", remedy="Fetch again: it goes on where it stopped.")


async def _fetch_on(client: httpx.AsyncClient, url: str, headers: dict[str, str], part: _Part) -> int:
    have, etag = part.had()
    asked = headers | ({"range": f"bytes={have}-", "if-range": etag} if have else {})
    async with client.stream("GET", url, headers=asked) as response:
        if response.status_code == 416 and response.headers.get("content-range") == f"bytes */{have}":
            part.named(response.headers.get("repr-digest", ""))
            return part.done()
        if response.status_code not in (200, 206):
            words = f"The data was refused with status {response.status_code}."
            raise BadAnswer(words, remedy="A token lives an hour: ask for a new transfer by the agreement's id.")
        if is_packed(response):
            raise BadAnswer("The data are compressed, which was not asked for.", remedy="Ask the provider.")
        again = response.status_code == 206
        if again and not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
            raise BadAnswer("The provider sent another part than it was asked for.")
        part.named(response.headers.get("repr-digest", ""))
        with part.begin(response.headers.get("etag", ""), again=again) as file:
            async for piece in response.aiter_bytes():
                part.took(file, piece)
    return part.done()


class _Part:
    """A file that is being fetched, and beside it what the provider calls these bytes."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path, self._mark, self._most = path, path.with_name(f"{path.name}.etag"), most_bytes
        self._size, self._digest = 0, ""

    def had(self) -> tuple[int, str]:
        if not (self._path.exists() and self._mark.exists()):
            return 0, ""
        return self._path.stat().st_size, self._mark.read_text(encoding="utf-8")

    def named(self, header: str) -> None:
        """What the whole must be, where the provider says so."""
        found = _REPR_DIGEST.search(header)
        self._digest = base64.b64decode(found.group(1)).hex() if found else ""

    def begin(self, etag: str, *, again: bool) -> BinaryIO:
        if not again:
            self._path.unlink(missing_ok=True)
        self._mark.write_text(etag, encoding="utf-8")
        self._size = self._path.stat().st_size if self._path.exists() else 0
        return self._path.open("ab")

    def took(self, file: BinaryIO, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._most:
            raise self._refused(f"The data are more than {self._most} bytes.")
        file.write(piece)

    def done(self) -> int:
        if self._digest and digest_of_file(self._path) != self._digest:
            raise self._refused("The bytes are not those that the provider names: their SHA-256 is another.")
        self._mark.unlink(missing_ok=True)
        return self._path.stat().st_size

    def _refused(self, words: str) -> BadAnswer:
        self._path.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)
        return BadAnswer(words, remedy="Ask the provider.")


def digest_of_file(path: Path) -> str:
    """SHA-256 of a fetched file, in hexadecimal digits, to compare with the provider's."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
