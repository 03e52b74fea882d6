"""A CONNECT proxy that cuts every connection on which nothing passed for a while, as hospital proxies do."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tunnel: Tunnel

    def handle_error(self, request: object, client_address: object) -> None:
        """Either side may cut at any time."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.server.tunnel.carry(self.connection, upstream)
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Tunnel:
    """Serving on loopback until ``close``; ``cuts`` counts idle connections that were cut."""

    def __init__(self, idle_s: float) -> None:
        self.idle_s, self.cuts, self.opened = idle_s, 0, 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.tunnel = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def carry(self, one: socket.socket, other: socket.socket) -> None:
        """Pass bytes both ways until a side ends or nothing passed for ``idle_s`` seconds."""
        self.opened += 1
        towards = {one: other, other: one}
        while ready := select.select([one, other], [], [], self.idle_s)[0]:
            for side in ready:
                data = side.recv(65536)
                if not data:
                    return
                towards[side].sendall(data)
        self.cuts += 1
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
