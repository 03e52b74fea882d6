"""Carries messages to counterparties over HTTP (port: ``xinglin.wire.dsp.ports.Sender``)."""

from __future__ import annotations

import ssl

import httpx

from xinglin.connector.pinning import pinned_client
from xinglin.kernel.limits import Limit
from xinglin.wire.dsp.errors import Unreachable
from xinglin.wire.dsp.ports import Answer

ANSWER_SIZE = Limit("size of a counterparty's answer", 8 * 1024 * 1024, "bytes")
JSON = "application/json"


class HttpSender:
    """``plain_http``: whether http may be called at all; which addresses may, is the client's to refuse."""

    def __init__(self, client: httpx.AsyncClient, *, plain_http: bool = False) -> None:
        self._client, self._plain_http = client, plain_http

    @classmethod
    def fresh(
        cls,
        *,
        plain_http: bool = False,
        private: bool = False,
        timeout_s: float = 15.0,
        verify: ssl.SSLContext | bool = True,
    ) -> HttpSender:
        """With a client of its own: no proxy from the environment, no redirects, no local network unless ``private``.

        The address that is checked is the one that is called (``pinning``).
        """
        client = pinned_client(verify=verify, private=private, timeout_s=timeout_s)
        return cls(client, plain_http=plain_http)

    async def post(self, url: str, body: bytes, authorization: str) -> Answer:
        """See the port."""
        headers = {"content-type": JSON, "accept": JSON} | ({"authorization": authorization} if authorization else {})
        return await self._ask("POST", url, headers, body)

    async def get(self, url: str, authorization: str) -> Answer:
        """See the port."""
        headers = {"accept": JSON} | ({"authorization": authorization} if authorization else {})
        return await self._ask("GET", url, headers, None)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _ask(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        if not url.startswith("https://") and not self._plain_http:
            raise Unreachable("The address is not https.")
        headers = headers | {"accept-encoding": "identity"}
        try:
            async with self._client.stream(method, url, headers=headers, content=body) as response:
                if is_packed(response):
                    raise Unreachable("The counterparty's answer is compressed, which was not asked for.")
                read = bytearray()
                async for part in response.aiter_bytes():
                    read += part
                    if len(read) > ANSWER_SIZE.value:
                        raise Unreachable("The counterparty's answer is too long.")
                following = response.links.get("next", {}).get("url", "")
                return Answer(response.status_code, bytes(read), _retry_after(response), following)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Unreachable(f"Nobody answers: {type(error).__name__}.") from error


def is_packed(response: httpx.Response) -> bool:
    """Whether an answer is compressed: a part of it could unpack to any size."""
    found: str = response.headers.get("content-encoding", "identity")
    return found.strip().lower() != "identity"


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() and len(text) < 6 else 0.0
