"""A peer of our own: an HTTP server and client that speak the protocol as its reference says, and nothing of xinglin.

It plays ``TCK_PARTICIPANT``: a path is answered 404 until somebody listens there, as with the official kit; every
message is held to the official schemas, in both directions; a refusal counts only as 4xx other than 404.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any
from urllib.parse import unquote

import httpx
from tests.conformance.official import CONTEXT, Schemas

PARTICIPANT = "TCK_PARTICIPANT"
PATIENCE_S = 30.0
RETRIES_S = (0.2, 0.4)
Message = dict[str, Any]
Reply = tuple[int, Message]


class Listener:
    """What arrives at one path, in its order."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        self._arrived: Queue[Message] = Queue()

    def took(self, message: Message) -> None:
        """A message came."""
        self._arrived.put(message)

    def next(self, kind: str) -> Message:
        """The next message, which is a ``kind``."""
        try:
            found = self._arrived.get(timeout=PATIENCE_S)
        except Empty:
            raise AssertionError(f"no {kind} came to {self.path} within {PATIENCE_S} s") from None
        assert found["@type"] == kind, f"a {found['@type']} came, not a {kind}"
        return found

    def nothing_more(self, wait_s: float = 0.0) -> None:
        """Nothing is left that nobody asked for."""
        if wait_s:
            time.sleep(wait_s)
        assert self._arrived.empty(), f"{self._arrived.get()['@type']} came to {self.path} unasked"


class Peer:
    """One server on loopback and one client; ``problems`` collects what was wrong with what came in."""

    def __init__(self, schemas: Schemas, provider_url: str, triggers: dict[str, str], authorization: str) -> None:
        self.schemas, self.provider_url, self.triggers = schemas, provider_url, triggers
        self.authorization = authorization
        self.problems: list[str] = []
        self.missed: list[str] = []
        self._routes: list[tuple[str, re.Pattern[str], Callable[[Message], Reply]]] = []
        self._guard = threading.Lock()
        self._numbers = itertools.count(1)
        self._client = httpx.Client(timeout=PATIENCE_S, trust_env=False, headers={"authorization": authorization})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where this peer is reached."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    def new_pid(self) -> str:
        """An id of ours that was never used."""
        return f"urn:uuid:{next(self._numbers):08x}-0000-4000-8000-{time.time_ns() & 0xFFFFFFFFFFFF:012x}"

    def address(self) -> tuple[str, str]:
        """A fresh address of ours and its path; every second one ends in a slash, for both spellings are legal."""
        number = next(self._numbers)
        return f"{self.url}/side-{number}" + "/" * (number % 2), f"/side-{number}"

    # What comes in

    def route(self, method: str, pattern: str, answer: Callable[[Message], Reply]) -> None:
        """Serve a path; the newest route for it wins."""
        with self._guard:
            self._routes.insert(0, (method, re.compile(pattern), answer))

    def received(self, method: str, path: str, header: str, kind: str, body: bytes) -> Reply:
        """One request of the connector under test."""
        if header != self.authorization:
            self.problems.append(f"{path}: the Authorization header is {header!r}")
        path = unquote(path)
        with self._guard:
            found = next((a for m, p, a in self._routes if m == method and p.fullmatch(path)), None)
        message: Message = {}
        if method == "GET":
            return found(message) if found else (404, {})
        try:
            assert kind.partition(";")[0].strip() in ("application/json", "application/ld+json"), f"body is {kind}"
            message = self.schemas.check(json.loads(body))
            assert message["@type"].endswith("Message"), f"a {message['@type']} is no request"
        except (AssertionError, ValueError) as problem:
            self.problems.append(f"{method} {path}: {problem}")
            return 400, {}
        if found is None:
            self.missed.append(path)
            return 404, {}
        return found(message)

    # What goes out

    def message(self, kind: str, **members: Any) -> Message:
        """A valid message."""
        return self.schemas.check({"@context": [CONTEXT], "@type": kind, **members})

    def post(self, url: str, message: Message, status: int, *kinds: str) -> Message:
        """POST until it is taken; a 4xx other than 404 is tried again twice, as the official kit does."""
        response = self._client.post(url, json=message)
        for wait_s in RETRIES_S:
            if not 400 <= response.status_code < 500 or response.status_code == 404:
                break
            time.sleep(wait_s)
            response = self._client.post(url, json=message)
        assert response.status_code == status, f"{message['@type']} to {url}: {response.status_code} {response.text}"
        return self._typed(response, *kinds)

    def refused(self, url: str, message: Message) -> Message:
        """POST what the present state does not take: 4xx other than 404, with the typed error."""
        response = self._client.post(url, json=message)
        code = response.status_code
        assert 400 <= code < 500 and code != 404, f"{message['@type']} to {url}: {code} {response.text}"
        kind = "TransferError" if "/transfers/" in url else "ContractNegotiationError"
        error = self._typed(response, kind)
        assert (error["providerPid"], error["consumerPid"]) == (message["providerPid"], message["consumerPid"])
        return error

    def get(self, url: str, *kinds: str, status: int = 200) -> Message:
        """GET something of the protocol."""
        response = self._client.get(url)
        assert response.status_code == status, f"{url}: {response.status_code} {response.text}"
        return self._typed(response, *kinds)

    def raw(self, method: str, url: str, **parts: Any) -> httpx.Response:
        """A request as it is."""
        return self._client.request(method, url, **parts)

    def trigger(self, what: str, **members: str) -> None:
        """Make the connector under test begin something as consumer."""
        body = {"providerId": PARTICIPANT, **members}
        response = self._client.post(self.triggers[what], json=body)
        assert response.is_success, f"{self.triggers[what]}: {response.status_code} {response.text}"

    def _typed(self, response: httpx.Response, *kinds: str) -> Message:
        kind = response.headers.get("content-type", "").partition(";")[0]
        assert kind in ("application/json", "application/ld+json"), f"the answer is {kind!r}"
        return self.schemas.check(response.json(), *kinds)


def _handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("content-length") or 0)))

        def _answer(self, body: bytes) -> None:
            header, kind = self.headers.get("authorization") or "", self.headers.get("content-type") or ""
            status, reply = peer.received(self.command, self.path.partition("?")[0], header, kind, body)
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_words: Any) -> None:
            """Nothing is printed."""

    return Handler
