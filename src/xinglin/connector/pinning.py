"""Connections to the very address that was checked: a name is looked up once, and what it stands for then is called.

Who controls a name's DNS could answer a check with one address and the connection with another (DNS rebinding). Here
look-up, check and connection are one step, below TLS: certificate, SNI and ``Host`` stay those of the name.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable

import httpcore
import httpx

from xinglin.connector.addresses import is_private, looked_up
from xinglin.wire.dsp.errors import Unreachable

CONNECTIONS, KEPT_ALIVE = 256, 64
Options = Iterable[httpcore.SOCKET_OPTION] | None


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Looks a name up, refuses it where any of its addresses is of a local network, and connects to one of these."""

    def __init__(self, *, private: bool, inner: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._private, self._inner = private, inner if inner is not None else httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's)
        local_address: str | None = None,
        socket_options: Options = None,
    ) -> httpcore.AsyncNetworkStream:
        """See ``httpcore``; the addresses are tried in the resolver's order."""
        failed: Exception | None = None
        for address in await addresses_of(host, port, private=self._private):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed if failed is not None else httpcore.ConnectError("The name has no address.")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's)
        socket_options: Options = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: a counterparty lies on the network."""
        raise httpcore.ConnectError("A socket of this machine is not called.")

    async def sleep(self, seconds: float) -> None:
        """See ``httpcore``."""
        await self._inner.sleep(seconds)


class PinnedTransport(httpx.AsyncHTTPTransport):
    """``httpx``'s transport over a pool whose connections are made by ``PinnedBackend``."""

    def __init__(self, *, verify: ssl.SSLContext | bool, private: bool) -> None:
        super().__init__(verify=verify, trust_env=False)
        context = verify if isinstance(verify, ssl.SSLContext) else httpx.create_ssl_context(verify, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=CONNECTIONS,
            max_keepalive_connections=KEPT_ALIVE,
            keepalive_expiry=5.0,
            network_backend=PinnedBackend(private=private),
        )


def pinned_client(*, verify: ssl.SSLContext | bool, private: bool, timeout_s: float) -> httpx.AsyncClient:
    """A client for addresses that others name: no proxy, no redirects, no local network unless ``private``."""
    transport = PinnedTransport(verify=verify, private=private)
    return httpx.AsyncClient(transport=transport, timeout=timeout_s, trust_env=False, follow_redirects=False)


async def addresses_of(host: str, port: int, *, private: bool) -> tuple[str, ...]:
    """The numeric addresses of a name now; ``Unreachable`` where one of them is of a local network."""
    addresses = await looked_up(host, port)
    if not private and any(is_private(one) for one in addresses):
        raise Unreachable("The address lies in a local network.")
    return addresses
