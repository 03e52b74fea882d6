"""Calls to one FHIR server: who asks, what is tried again, and which addresses may be asked at all.

A token goes to the origin of the server's base address and nowhere else. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from xinglin.feeds.fhir_errors import BadAnswer, BadKey, ServerAway, ServerRefused, UnsafeAddress
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit

ATTEMPTS = Limit("tries of one call", 8, "tries")
WAIT_S = Limit("wait between two tries", 300, "seconds")
ANSWER_BYTES = Limit("answer size", 256 * 1024 * 1024, "bytes")
TOKEN_ANSWER_BYTES = Limit("token answer size", 64 * 1024, "bytes")
ASSERTION_S = 240
_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Sleep = Callable[[float], Awaitable[None]]


class Bearer(msgspec.Struct, frozen=True):
    """A token that does not change."""

    token: str

    def __repr__(self) -> str:
        return "Bearer(token=***)"


class Basic(msgspec.Struct, frozen=True):
    """A name and a password."""

    name: str
    password: str

    def __repr__(self) -> str:
        return "Basic(***)"


class BackendService(msgspec.Struct, frozen=True):
    """SMART Backend Services (``private_key_jwt``): the client's id, its private key as PEM, where tokens are given.

    ``key_id``: the key's id in the set that the server has of this client.
    """

    client_id: str
    token_url: str
    private_key: str
    key_id: str
    algorithm: Literal["ES384", "RS384"] = "ES384"
    scope: str = "system/*.rs"

    def __repr__(self) -> str:
        return f"BackendService(algorithm={self.algorithm!r}, private_key=***)"


Access = Bearer | Basic | BackendService | None


class FhirServer(msgspec.Struct, frozen=True):
    """One FHIR server: ``base`` is its service base URL.

    ``file_origins``: other origins from which files may be fetched, without a token. ``plain_loopback``: plain HTTP
    is allowed to this machine itself.
    """

    base: str
    access: Access = None
    file_origins: tuple[str, ...] = ()
    plain_loopback: bool = False


@dataclass(frozen=True)
class Answer:
    """A whole answer: ``headers`` are found whatever their case."""

    status: int
    headers: httpx.Headers
    content: bytes


class FhirSession:
    """Calls with one client, which carries TLS trust and time limits, and follows no redirect.

    ``clock`` and ``sleep`` are handed in so that tests can set them.
    """

    def __init__(
        self, server: FhirServer, client: httpx.AsyncClient, clock: Clock, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.base = server.base.rstrip("/") + "/"
        self.sleep, self.clock = sleep, clock
        self._server, self._client = server, client
        self._origin = origin_of(self.base, server.plain_loopback)
        self._files = {self._origin, *(origin_of(each, server.plain_loopback) for each in server.file_origins)}
        self._token, self._token_ends = "", 0

    def address(self, path: str) -> str:
        """The address of a path below the base, or of a URL that the server named, if it is the server's own."""
        url = urljoin(self.base, path)
        if origin_of(url, self._server.plain_loopback) != self._origin:
            raise UnsafeAddress("The server named an address of another server.", remedy="Ask for one behind its base.")
        return url

    async def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, expect: frozenset[int] | None = None
    ) -> Answer:
        """One call, tried again while the server is away or busy.

        Gives an answer with a status of ``expect`` (200 alone where it is not told). Raises ``ServerAway``,
        ``ServerRefused`` or ``LimitExceeded``.
        """
        url = self.address(path)
        for attempt in range(ATTEMPTS.value):
            try:
                async with self.stream(method, url, True, headers=headers, expect=expect) as answer:
                    return Answer(answer.status_code, answer.headers, await _whole(answer))
            except httpx.TransportError:
                await self.sleep(_backoff(attempt))
        raise ServerAway(f"An answer broke off {ATTEMPTS.value} times.")

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        with_token: bool,
        *,
        headers: dict[str, str] | None = None,
        expect: frozenset[int] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The same, with the body still to be read. ``with_token``: only to the server's own origin."""
        answer = await self._answered(method, url, with_token, headers or {}, expect or frozenset((200,)))
        try:
            yield answer
        finally:
            await answer.aclose()

    def file_address(self, url: str, with_token: bool) -> str:
        """The address of an exported file: of the server's origin, or without a token of one that is allowed."""
        full = urljoin(self.base, url)
        origin = origin_of(full, self._server.plain_loopback)
        if origin != self._origin and (with_token or origin not in self._files):
            remedy = "Name that origin as one of file_origins, if the export's files lie there."
            raise UnsafeAddress("The server named a file of another server.", remedy=remedy)
        return full

    async def _answered(
        self, method: str, url: str, with_token: bool, headers: dict[str, str], expect: frozenset[int]
    ) -> httpx.Response:
        renewed, words = False, ""
        for attempt in range(ATTEMPTS.value):
            try:
                own = await self._authorization() if with_token else {}
                request = self._client.build_request(method, url, headers={**headers, **own})
                answer = await self._client.send(request, stream=True, follow_redirects=False)
            except httpx.TransportError as error:
                words = type(error).__name__
                await self.sleep(_backoff(attempt))
                continue
            status = answer.status_code
            if status in expect:
                return answer
            await answer.aclose()
            if status == 401 and isinstance(self._server.access, BackendService) and not renewed:
                self._token, renewed = "", True
            elif status in _AGAIN:
                words = f"HTTP {status}"
                await self.sleep(retry_after(answer.headers.get("retry-after"), self.clock(), _backoff(attempt)))
            else:
                raise ServerRefused(f"The FHIR server answered {status} to {method}.", status, remedy=_remedy(status))
        remedy = "Look whether the server is up; the feed goes on where it was."
        raise ServerAway(f"A call was tried {ATTEMPTS.value} times.", why=words, remedy=remedy)

    async def _authorization(self) -> dict[str, str]:
        access = self._server.access
        if access is None:
            return {}
        if isinstance(access, Basic):
            return {"Authorization": _basic(access)}
        if isinstance(access, Bearer):
            return {"Authorization": f"Bearer {access.token}"}
        if not self._token or self.clock() >= self._token_ends:
            await self._renew(access)
        return {"Authorization": f"Bearer {self._token}"}

    async def _renew(self, access: BackendService) -> None:
        origin_of(access.token_url, self._server.plain_loopback)
        form = {
            "grant_type": "client_credentials",
            "scope": access.scope,
            "client_assertion_type": _JWT_BEARER,
            "client_assertion": client_assertion(access, self.clock()),
        }
        answer = await self._client.post(access.token_url, data=form, follow_redirects=False)
        if answer.status_code in _AGAIN:
            raise httpx.ConnectError("the token endpoint is busy")
        if answer.status_code != 200:
            remedy = "Check the client id, the key that is registered with the server, and the scope."
            raise ServerRefused("The server gives this client no token.", answer.status_code, remedy=remedy)
        TOKEN_ANSWER_BYTES.check(len(answer.content))
        try:
            given = msgspec.json.decode(answer.content, type=_Token)
        except msgspec.DecodeError as error:
            raise BadAnswer("The token endpoint did not answer with a token.") from error
        if given.token_type.lower() != "bearer":
            raise BadAnswer("The token endpoint gave no bearer token.")
        self._token = given.access_token
        self._token_ends = self.clock() + max(0, given.expires_in - 15) * 1000


class _Token(msgspec.Struct):
    access_token: str
    token_type: str = "bearer"  # noqa: S105
    expires_in: int = 300


async def _whole(answer: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in answer.aiter_bytes():
        size += len(chunk)
        ANSWER_BYTES.check(size)
        parts.append(chunk)
    return b"".join(parts)


def client_assertion(access: BackendService, now: int) -> str:
    """The signed claim by which a client asks for a token (SMART App Launch 2.2, asymmetric authentication)."""
    import secrets

    from joserfc import jwt

    key = _private_key(access.private_key, access.algorithm)
    claims = {
        "iss": access.client_id,
        "sub": access.client_id,
        "aud": access.token_url,
        "exp": now // 1000 + ASSERTION_S,
        "iat": now // 1000,
        "jti": secrets.token_urlsafe(24),
    }
    header = {"alg": access.algorithm, "typ": "JWT", "kid": access.key_id}
    return jwt.encode(header, claims, key, algorithms=[access.algorithm])


def key_thumbprint(private_key: str, algorithm: str) -> str:
    """The thumbprint (RFC 7638) of a PEM key's public half; raises ``BadKey``."""
    return str(_private_key(private_key, algorithm).thumbprint())


def public_key_set(private_key: str, algorithm: str, key_id: str = "") -> dict[str, Any]:
    """The JWK set that is registered with the server: the public half alone. Raises ``BadKey``."""
    key = _private_key(private_key, algorithm)
    public = key.as_dict(private=False)
    own = {"kid": key_id or key.thumbprint(), "use": "sig", "alg": algorithm, "key_ops": ["verify"]}
    return {"keys": [{**public, **own}]}


def _private_key(text: str, algorithm: str) -> Any:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    kind, least = (ECKey, "P-384") if algorithm == "ES384" else (RSAKey, "2048 bits or more")
    remedy = f"A PEM file of {'an EC key on' if kind is ECKey else 'an RSA key of'} {least}, without a passphrase."
    try:
        key: Any = kind.import_key(text)
        fits = key.is_private and (key.curve_name == "P-384" if kind is ECKey else key.raw_value.key_size >= 2048)
    except (JoseError, ValueError, TypeError, AttributeError):
        raise BadKey("The key of this client cannot be read.", remedy=remedy) from None
    if not fits:
        raise BadKey("The key of this client is of another kind.", remedy=remedy)
    return key


def origin_of(url: str, plain_loopback: bool) -> str:
    """Scheme, host and port of a URL that may be asked; ``UnsafeAddress`` for any other."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UnsafeAddress("An address is not a URL.") from error
    secure = parts.scheme == "https" or (parts.scheme == "http" and plain_loopback and _is_loopback(host))
    if not secure or not host or "@" in parts.netloc:
        raise UnsafeAddress("An address is not HTTPS.", remedy="Use HTTPS; plain HTTP is for this machine only.")
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def retry_after(text: str | None, now: int, otherwise: float) -> float:
    """Seconds that a server asks to wait (seconds or a date), at most ``WAIT_S``; ``otherwise`` where it does not."""
    if not text:
        return otherwise
    if text.strip().isdigit():
        return float(min(int(text.strip()[:9]), WAIT_S.value))
    try:
        until = email.utils.parsedate_to_datetime(text)
        return min(max(until.timestamp() - now / 1000, 0.0), float(WAIT_S.value))
    except (ValueError, TypeError, OverflowError):
        return otherwise


def _backoff(attempt: int) -> float:
    return float(min(0.5 * 2**attempt, WAIT_S.value))


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "Check what this client may read on the server."
    return "Redirects are not followed: use the server's final address." if 300 <= status < 400 else ""


def _basic(access: Basic) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{access.name}:{access.password}".encode()).decode()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
