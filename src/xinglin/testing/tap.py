"""A tap on the hospitals' line: a CONNECT proxy that ends TLS, so that a test can stop a message at a named point.

Every message is signed inside, so what passes is what was sent; the tap can only hold it or lose it, as any
proxy on the way could. Words for a message: ``Upload 1`` (a message of the secure sum with its round),
``leaf delivered`` (an entry on its way into the log), else the name of the report or order.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import ssl
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from xinglin.evidence.entry import decode_entry
from xinglin.evidence.submission import decode_batch
from xinglin.kernel.codec import decode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.secure import parse
from xinglin.stores.tls import client_context, make_certificate
from xinglin.trust.envelope import Signed
from xinglin.wire.channel import LogSubmission, Order, Orders, Report, Reports, RunMessage, RunRelay
from xinglin.wire.space import Space

When = Literal["said", "taken", "told"]
"""Before the hub has it; after the hub took it and before the node knows; on its way from the hub to the node."""
HOLD_MOST_S = 60.0


class NeverCame(XinglinError):
    """A message that a test waits for did not pass."""

    code = "testing.never_came"


class Hold:
    """One message to be stopped, once: ``wait`` until it is there, then ``release`` or ``lose`` it."""

    def __init__(self, who: str, what: str, when: When) -> None:
        self.who, self.what, self.when = who, what, when
        self._there, self._decided = threading.Event(), threading.Event()
        self._lost = False

    def wait(self, timeout_s: float = 30.0) -> None:
        """Return when the message is held; ``NeverCame`` after ``timeout_s`` seconds."""
        if not self._there.wait(timeout_s):
            raise NeverCame(f"'{self.what}' ({self.when}) did not pass within {timeout_s:g} s.")

    @property
    def there(self) -> bool:
        """Whether the message has come."""
        return self._there.is_set()

    def release(self) -> None:
        """Let it pass, now or when it comes."""
        self._decided.set()

    def lose(self) -> None:
        """Drop it and cut the connection, now or when it comes."""
        self._lost = True
        self._decided.set()

    def stop_here(self) -> bool:
        """Called by the tap with the message in hand; whether it may pass."""
        self._there.set()
        return self._decided.wait(HOLD_MOST_S) and not self._lost


class Tap:
    """The proxy, serving on loopback until ``close``. ``url`` and ``ca_file`` go into a node's settings."""

    def __init__(self, folder: Path, space: Space) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        hub = urlsplit(space.hub_url)
        self.hub = (hub.hostname or "", hub.port or 443)
        make_certificate(folder, (self.hub[0],), dt.datetime.now(dt.UTC))
        self.ca_file = folder / "tls.crt"
        self.to_hub = client_context(space.certificate_pem)
        self.to_node = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.to_node.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self._holds: list[Hold] = []
        self._made: list[Hold] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Line)
        self._server.tap = self
        self._thread = threading.Thread(target=self._server.serve_forever, name="tap", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens, as a proxy's URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def hold(self, who: str, what: str, when: When = "said") -> Hold:
        """Stop the next message ``what`` of (or for) the node with DID ``who``."""
        made = Hold(who, what, when)
        with self._lock:
            self._holds.append(made)
            self._made.append(made)
        return made

    def passes(self, who: str, names: Iterable[str], when: When) -> bool:
        """Whether a message with these names may go on; blocks while it is held."""
        chosen = set(names)
        with self._lock:
            found = next((h for h in self._holds if (h.who, h.when) == (who, when) and h.what in chosen), None)
            if found is None:
                return True
            self._holds.remove(found)
        return found.stop_here()

    def forget(self) -> None:
        """Hold nothing any more; what is held now is let go."""
        with self._lock:
            for hold in self._made:
                hold.release()
            self._made.clear()
            self._holds.clear()

    def close(self) -> None:
        """Let everything go and stop serving."""
        self.forget()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tap: Tap

    def handle_error(self, request: object, client_address: object) -> None:
        """A killed process cuts its connections: nothing to tell."""


class _Line(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    _upstream: http.client.HTTPSConnection | None = None

    def do_CONNECT(self) -> None:
        """Open the tunnel, and end TLS here."""
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = self.server.tap.to_node.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        """Pass it on."""
        self._answer(*self._ask(b""))

    def do_POST(self) -> None:
        """Pass it on, unless a test holds it."""
        body = self.rfile.read(int(self.headers["content-length"]))
        who, said = _said(self.path, body)
        if not self.server.tap.passes(who, said, "said"):
            self._cut()
            return
        status, kind, answer = self._ask(body)
        told = _told(answer) if self.path == "/node/poll" and status == 200 else ()
        if self.server.tap.passes(who, said, "taken") and self.server.tap.passes(who, told, "told"):
            self._answer(status, kind, answer)
        else:
            self._cut()

    def finish(self) -> None:
        """Close both sides."""
        if self._upstream is not None:
            self._upstream.close()
        with contextlib.suppress(OSError):  # the node is gone
            super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""

    def _ask(self, body: bytes) -> tuple[int, str, bytes]:
        tap = self.server.tap
        if self._upstream is None:
            self._upstream = http.client.HTTPSConnection(*tap.hub, context=tap.to_hub, timeout=60)
        headers = {"content-type": self.headers.get("content-type", ""), "content-length": str(len(body))}
        try:
            self._upstream.request(self.command, self.path, body or None, headers)
            answer = self._upstream.getresponse()
            return answer.status, answer.getheader("content-type", ""), answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            raise

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        head = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def _cut(self) -> None:
        self.close_connection = True


def _said(path: str, body: bytes) -> tuple[str, tuple[str, ...]]:
    if not path.startswith("/node/"):
        return "", ()
    signed = Signed.from_bytes(body)
    if path == "/node/poll":
        return signed.signer, ()
    reports = decode_msgpack(signed.payload, Reports).reports
    return signed.signer, tuple(name for report in reports for name in _names(report))


def _told(answer: bytes) -> tuple[str, ...]:
    return tuple(name for order in decode_msgpack(answer, Orders).orders for name in _names(order))


def _names(message: Report | Order) -> tuple[str, ...]:
    if isinstance(message, RunMessage):
        return (f"{message.kind} {message.round}",)
    if isinstance(message, RunRelay):
        inner = parse(message.payload)
        return (f"{type(inner).__name__} {getattr(inner, 'round', 0)}",)
    if isinstance(message, LogSubmission):
        return tuple(f"leaf {decode_entry(entry).kind}" for entry in decode_batch(message.batch).entries)
    return (type(message).__name__,)
