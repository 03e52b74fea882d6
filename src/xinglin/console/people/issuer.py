"""An OpenID Connect issuer as its client meets it: metadata, keys, and the code that becomes an ID token.

Speaks TLS, except to this machine's loopback; follows no redirect; reads no more than a limit. Signatures are checked
by joserfc against a list of algorithms in which neither ``none`` nor a shared secret stands.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from xinglin.console.people.errors import OutsideRefused
from xinglin.kernel.instants import Clock
from xinglin.kernel.limits import Limit

if TYPE_CHECKING:
    import httpx
    from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA")
ANSWER_BYTES = Limit("answer of an issuer", 512 * 1024, "bytes")
METADATA_S = 60 * 60
KEYS_S = 60
"""Keys are asked for anew no more often, however many tokens name a key that is not known."""

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class Metadata(msgspec.Struct, frozen=True):
    """What an issuer says of itself (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    names_itself: bool = msgspec.field(name="authorization_response_iss_parameter_supported", default=False)


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    token_type: str = ""


class Issuer:
    """One issuer and this console as its client. ``http`` follows no redirects and has timeouts."""

    def __init__(self, name: str, client_id: str, client_secret: str, http: httpx.Client, clock: Clock) -> None:
        _check_address(name)
        self.name, self.client_id = name, client_id
        self._secret, self._http, self._clock = client_secret, http, clock
        self._lock = threading.Lock()
        self._metadata: tuple[int, Metadata] | None = None
        self._keys: tuple[int, KeySet] | None = None

    def metadata(self) -> Metadata:
        """What the issuer says of itself, asked for once an hour. Raises ``OutsideRefused``."""
        with self._lock:
            now = self._clock()
            if self._metadata is None or now - self._metadata[0] > METADATA_S * 1000:
                address = f"{self.name.rstrip('/')}/.well-known/openid-configuration"
                found = self._asked(Metadata, "GET", address)
                if found.issuer != self.name:
                    raise _refused("iss", "The issuer calls itself by another name.")
                for one in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                    _check_address(one)
                self._metadata = (now, found)
            return self._metadata[1]

    def claims(self, code: str, verifier: str, back: str) -> dict[str, Any]:
        """What the ID token for a code says, its signature checked. Raises ``OutsideRefused``."""
        metadata = self.metadata()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        auth: tuple[str, str] | None = None
        if self._secret and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            auth = (quote(self.client_id, safe=""), quote(self._secret, safe=""))
        else:
            form |= {"client_id": self.client_id} | ({"client_secret": self._secret} if self._secret else {})
        tokens = self._asked(_Tokens, "POST", metadata.token_endpoint, form, auth)
        return self._checked(tokens.id_token)

    def _checked(self, token: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError

        for again in (False, True):
            try:
                claims = jwt.decode(token, self._key_set(anew=again), algorithms=list(ALGORITHMS)).claims
            except InvalidKeyIdError as error:
                if again:
                    raise _refused("signature", "The ID token names no key of its issuer.") from error
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise _refused("signature", "The ID token is not signed as it has to be.") from error
            else:
                return dict(claims)
        raise _refused("signature", "The ID token names no key of its issuer.")

    def _key_set(self, *, anew: bool) -> KeySet:
        """The issuer's public keys for signatures."""
        from joserfc.jwk import KeySet

        address = self.metadata().jwks_uri
        with self._lock:
            now = self._clock()
            age_ms = now - self._keys[0] if self._keys is not None else METADATA_S * 1000 + 1
            if self._keys is None or age_ms > METADATA_S * 1000 or (anew and age_ms > KEYS_S * 1000):
                found = self._asked(dict[str, Any], "GET", address)
                listed = found.get("keys")
                public = [
                    one
                    for one in (listed if isinstance(listed, list) else [])
                    if isinstance(one, dict) and one.get("kty") in ("RSA", "EC", "OKP") and one.get("use") != "enc"
                ]
                self._keys = (now, KeySet.import_key_set({"keys": public}))
            return self._keys[1]

    def _asked(
        self,
        kind: type[Any],
        method: str,
        address: str,
        form: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Any:
        import httpx

        try:
            with self._http.stream(
                method, address, data=form, auth=auth, headers={"accept": "application/json"}
            ) as answer:
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    ANSWER_BYTES.check(len(body))
                if answer.status_code != 200:
                    raise _refused("answer", f"The institution's sign-in answers {answer.status_code}.")
            return msgspec.json.decode(body, type=kind)
        except httpx.HTTPError as error:
            raise _refused("unreachable", "The institution's sign-in does not answer.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _refused("answer", "The institution's sign-in answers something else.") from error


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise _refused("address", "The institution's sign-in has to be reached over TLS.")


def _refused(reason: str, what: str) -> OutsideRefused:
    return OutsideRefused(reason, what, remedy="Try again later; if it stays, tell who runs this console.")
