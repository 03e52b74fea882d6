"""SMART Backend Services at the workspace's door: a client proves itself by a signed assertion and gets a short token.

Source: SMART App Launch 2.2, "Client Authentication: Asymmetric" and "Backend Services". A token names its client and
scopes, lives for ``TOKEN_S`` seconds in memory alone, and opens nothing outside this process.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec

from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit
from xinglin.sdk.workspace.clients import ALGORITHMS, Client, Clients

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE_S = 300
TOKEN_S = 300
TOKENS = Limit("tokens at one time", 1_024, "tokens")
SEEN = Limit("assertions remembered", 16_384, "assertions")
ASSERTION_BYTES = Limit("client assertion size", 16 * 1024, "bytes")
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]+)\.(read|rs|r|s)\Z")


class NotGiven(msgspec.Struct, frozen=True):
    """Why there is no token, as OAuth 2.0 says it (RFC 6749, section 5.2)."""

    error: str
    error_description: str
    status: int = 400


class Token(msgspec.Struct, frozen=True):
    """What a token opens: types of resources (``*``: all), of which client's extracts, until when (ms)."""

    client: Client
    scopes: tuple[str, ...]
    ends: int

    def opens(self, kind: str) -> bool:
        """Whether resources of that type may be read with it."""
        return any(scope.partition("/")[2].partition(".")[0] in ("*", kind) for scope in self.scopes)


class Given(msgspec.Struct, frozen=True):
    """A granted token."""

    access_token: str
    scope: str
    token_type: str = "bearer"  # noqa: S105 - the protocol's word
    expires_in: int = TOKEN_S


class Tokens:
    """Grants and checks tokens; one for a process. ``url``: of the token endpoint, the audience of assertions."""

    def __init__(self, clients: Clients, url: str, clock: Clock) -> None:
        self._clients, self._url, self._clock = clients, url, clock
        self._live: dict[str, Token] = {}
        self._seen: dict[str, int] = {}

    def grant(self, form: dict[str, str]) -> Given | NotGiven:
        """The token that a form asks for.

        1. The form is one of client credentials with an assertion. 2. The assertion is signed with a registered key by
        ES384 or RS384. 3. It names its client as issuer and subject and this endpoint as audience, lives five minutes
        at most, and was not seen before. 4. Every scope is one for reading.
        """
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION_TYPE:
            return NotGiven("unsupported_grant_type", "Client credentials with a signed assertion are taken.")  # 1
        claims = self._claims(form.get("client_assertion", ""))  # 2
        client = None if claims is None else self._proved(claims)  # 3
        if client is None:
            return NotGiven("invalid_client", "The assertion is not one of an enrolled client.", 401)
        scopes = tuple(dict.fromkeys(form.get("scope", "").split()))
        if not scopes or not all(_SCOPE.match(one) for one in scopes):  # 4
            return NotGiven("invalid_scope", "Scopes are system/TYPE.read or system/TYPE.rs.")
        self._forget()
        if len(self._live) >= TOKENS.value:
            return NotGiven("temporarily_unavailable", "Too many tokens are out.", 503)
        token = secrets.token_urlsafe(32)
        self._live[_digest(token)] = Token(client, scopes, self._clock() + TOKEN_S * 1000)
        return Given(token, " ".join(scopes))

    def check(self, authorization: str) -> Token | None:
        """What a request's token opens; None without one in force. A client that was removed since opens nothing."""
        kind, _, token = authorization.partition(" ")
        found = self._live.get(_digest(token.strip())) if kind.lower() == "bearer" else None
        if found is None or found.ends <= self._clock():
            return None
        return found if self._clients.every().get(found.client.id) == found.client else None

    def _claims(self, assertion: str) -> dict[str, Any] | None:
        """The claims of an assertion that a registered key of the client it names signed."""
        from joserfc import jws
        from joserfc.errors import JoseError

        if not 0 < len(assertion) <= ASSERTION_BYTES.value:
            return None
        try:
            header = jws.extract_compact(assertion.encode()).headers()
        except (JoseError, ValueError, TypeError, AttributeError):
            return None
        for client in self._clients.every().values():
            claims = self._signed(client, header, assertion)
            if claims is not None and claims.get("iss") == client.id:
                return claims
        return None

    def _signed(self, client: Client, header: dict[str, Any], assertion: str) -> dict[str, Any] | None:
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            key = self._key(client, header)
            return dict(jwt.decode(assertion, key, algorithms=[str(header.get("alg"))]).claims) if key else None
        except (JoseError, ValueError, TypeError, AttributeError):
            return None

    def _key(self, client: Client, header: dict[str, Any]) -> Any:
        from joserfc.jwk import ECKey, RSAKey

        kind, curve = ALGORITHMS.get(str(header.get("alg")), ("", ""))
        for one in client.keys:
            if kind and one.get("kty") == kind and one.get("crv", "") == curve and one.get("kid") == header.get("kid"):
                return (ECKey if kind == "EC" else RSAKey).import_key(one)
        return None

    def _proved(self, claims: dict[str, Any]) -> Client | None:
        now_s = self._clock() // 1000
        client = self._clients.every().get(str(claims.get("sub")))
        ends, jti = claims.get("exp"), claims.get("jti")
        if client is None or claims.get("iss") != client.id or self._url not in _listed(claims.get("aud")):
            return None
        if not isinstance(ends, int) or not now_s < ends <= now_s + ASSERTION_LIFE_S:
            return None
        if not isinstance(jti, str) or not 1 <= len(jti) <= 256:
            return None
        self._seen = {name: until for name, until in self._seen.items() if until >= now_s}
        name = _digest(f"{client.id}\0{jti}")
        if name in self._seen or len(self._seen) >= SEEN.value:
            return None
        self._seen[name] = ends
        return client

    def _forget(self) -> None:
        now = self._clock()
        self._live = {name: one for name, one in self._live.items() if one.ends > now}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _listed(value: Any) -> Iterable[str]:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
