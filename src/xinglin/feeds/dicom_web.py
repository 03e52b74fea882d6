"""DICOMweb inside the hospital (PS3.18): STOW-RS, QIDO-RS and WADO-RS on the raw store and the index.

Files are given as they are kept, in their own transfer syntax: nothing is re-encoded, and what would need it
(``/rendered``, another syntax) is answered 406. Where only a header is kept, metadata is given, and pixel data is
answered 404 with the title of the archive that has it. Every request shows a bearer token.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from xinglin.feeds.dicom_counting import SeriesCounter
from xinglin.feeds.dicom_model import DicomFeedError
from xinglin.feeds.dicom_multipart import BadMultipart, written
from xinglin.feeds.dicom_query import QIDO_LIMIT, parse_query, result_json
from xinglin.feeds.dicom_retrieve import NotHere, Retrieved, Retrieving, WrongForm
from xinglin.feeds.dicom_stow import Stored, Storing, outcome_json
from xinglin.feeds.shown_secret import SECRET_CHARACTERS, ShownSecret, bearer_token
from xinglin.intake.errors import IntakeError
from xinglin.intake.ports import RawStore
from xinglin.kernel.limits import Limit

log = logging.getLogger("xinglin.feeds.dicom")
OPEN = Limit("DICOMweb requests at once", 32, "requests")
JSON = "application/dicom+json"
BOUNDARY = "xinglin-dicom-7f0d6d1f5b0e4c0c"
_FORMS = ("studies", "series", "instances")
_COLUMNS = {"studies": "study", "series": "series", "instances": "instance"}
_END: Any = object()


class _No(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class _Answer(msgspec.Struct, frozen=True):
    status: int
    content_type: str
    pieces: Iterator[bytes]
    headers: tuple[tuple[bytes, bytes], ...] = ()


class DicomDoor:
    """The ASGI application. ``prefix``: path below which it answers; ``secret``: the bearer token.

    ``storing`` keeps what STOW-RS brings; ``raw`` and ``counter`` are what is read from.
    """

    def __init__(self, storing: Storing, raw: RawStore, counter: SeriesCounter, *, prefix: str, secret: str) -> None:
        if len(secret) < SECRET_CHARACTERS or not prefix.startswith("/") or prefix.endswith("/"):
            remedy = f"Give a secret of at least {SECRET_CHARACTERS} characters and a prefix like /dicom-web."
            raise DicomFeedError("A DICOMweb door is not safe to open.", remedy=remedy)
        self.prefix = prefix
        self._storing, self._counter = storing, counter
        self._retrieving = Retrieving(raw, counter.index)
        self._secret, self._open = ShownSecret(secret), 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        self._open += 1
        try:
            answer = await self._answer(scope, receive)
        except _No as no:
            answer = _words(no.status, no.words)
        except BadMultipart as error:
            answer = _words(413 if error.too_large else 400, error.what)
        except NotHere as error:
            answer = _words(404, error.what)
        except WrongForm as error:
            answer = _words(406, error.what)
        except IntakeError as error:
            log.warning("dicomweb.failed reason=%s", error.code)
            answer = _words(503, "Not possible now. Send it again.", ((b"retry-after", b"5"),))
        finally:
            self._open -= 1
        await _send(send, answer)

    async def _answer(self, scope: Any, receive: Any) -> _Answer:
        headers = {name.lower(): value for name, value in scope["headers"]}
        self._authorise(headers)
        if self._open > OPEN.value:
            raise _No(503, "Too many requests at once.")
        if not scope["path"].startswith(self.prefix + "/"):
            raise _No(404, "There is nothing here.")
        path = tuple(scope["path"][len(self.prefix) :].strip("/").split("/"))
        if scope["method"] == "POST":
            return await self._store(path, headers, receive, _base(scope, headers, self.prefix))
        if scope["method"] != "GET":
            raise _No(405, "DICOMweb is asked by GET and POST here.")
        accept = headers.get(b"accept", b"*/*").decode("latin-1")
        base = _base(scope, headers, self.prefix)
        query = scope.get("query_string", b"").decode("latin-1")
        await asyncio.to_thread(self._counter.follow)
        return await asyncio.to_thread(self._get, path, accept, query, base)

    def _authorise(self, headers: dict[bytes, bytes]) -> None:
        if not self._secret.is_shown(bearer_token(headers)):
            raise _No(401, "The bearer token is missing or wrong.")

    async def _store(self, path: tuple[str, ...], headers: dict[bytes, bytes], receive: Any, base: str) -> _Answer:
        if path[0] != "studies" or len(path) > 2:
            raise _No(404, "Instances are stored by POST to /studies or /studies/{study}.")
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        outcome = await self._storing.store(content_type, _chunks(receive), path[1] if len(path) == 2 else "")
        if outcome is None:
            raise _No(415, 'Instances come as multipart/related; type="application/dicom".')
        body = msgspec.json.encode(outcome_json(outcome, base))
        return _Answer(_stow_status(outcome), JSON, iter((body,)))

    def _get(self, path: tuple[str, ...], accept: str, query: str, base: str) -> _Answer:
        """QIDO-RS where the path ends in a kind, WADO-RS where it ends in a UID or in a form of it."""
        scope: list[tuple[str, str]] = []
        kinds: list[str] = []
        at = 0
        while at < len(path) and path[at] in _FORMS:
            kinds.append(path[at])
            if at + 1 == len(path):
                break
            scope.append((_COLUMNS[path[at]], path[at + 1]))
            at += 2
        if not kinds or kinds != sorted(set(kinds), key=_FORMS.index):
            raise _No(404, "There is nothing here.")
        if len(kinds) > len(scope):
            return self._search(kinds[-1], tuple(scope), accept, query, base)
        return _retrieved(self._retrieving.find(tuple(scope), path[at:], accept, base))

    def _search(self, level: str, scope: tuple[tuple[str, str], ...], accept: str, query: str, base: str) -> _Answer:
        if not any(one in accept for one in ("json", "*/*")):
            raise WrongForm("Queries are answered as application/dicom+json.")
        try:
            wanted = parse_query(level, parse_qsl(query, keep_blank_values=True), scope)
        except ValueError as error:
            raise _No(400, str(error)) from error
        asked = msgspec.structs.replace(wanted, limit=min(wanted.limit, QIDO_LIMIT.value) + 1)
        found = self._retrieving.present(self._counter.index.search(asked))
        more = len(found) > asked.limit - 1
        body = [result_json(one, wanted.level, base) for one in found[: asked.limit - 1]]
        if not body:
            return _Answer(204, JSON, iter(()))
        warning = ((b"warning", b'299 xinglin "There are more results: use limit and offset."'),) if more else ()
        return _Answer(200, JSON, iter((msgspec.json.encode(body),)), warning)


def _stow_status(outcome: Stored) -> int:
    if not outcome.failed:
        return 200
    return 202 if outcome.kept else 503 if outcome.again else 409


def _retrieved(found: Retrieved) -> _Answer:
    if found.parts is None:
        return _Answer(200, found.content_type, iter((found.body,)))
    kind = f'multipart/related; type="{found.content_type}"; boundary={BOUNDARY}'
    return _Answer(200, kind, written(found.parts, BOUNDARY))


def _words(status: int, words: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> _Answer:
    headers = (*headers, (b"www-authenticate", b"Bearer")) if status == 401 else headers
    return _Answer(status, "application/json", iter((msgspec.json.encode({"words": words}),)), headers)


async def _send(send: Any, answer: _Answer) -> None:
    headers = [(b"content-type", answer.content_type.encode()), (b"cache-control", b"no-store"), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    step: Callable[..., Any] = next
    while (piece := await asyncio.to_thread(step, answer.pieces, _END)) is not _END:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _chunks(receive: Any) -> Any:
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise BadMultipart("The connection ended within a message.")
        more = event.get("more_body", False)
        yield event.get("body", b"")


def _base(scope: Any, headers: dict[bytes, bytes], prefix: str) -> str:
    host = headers.get(b"host", b"localhost").decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{host}{prefix}"
