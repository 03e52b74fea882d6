"""The SDK's line to the hub: TLS pinned to the space's certificate, door tokens, refusals as exceptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from xinglin.evidence.notes import NOTE_BYTES
from xinglin.evidence.receipt import RECEIPT_BYTES
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.limits import MESSAGE_BYTES, Limit
from xinglin.kernel.verdict import Reason
from xinglin.sdk.account import Account
from xinglin.sdk.errors import Unreachable
from xinglin.stores.http_answers import Answer, UnfitAnswer, read_answer
from xinglin.stores.log_fetch import BUNDLE_BYTES
from xinglin.stores.tls import client_context
from xinglin.trust.doors import request_door_token
from xinglin.trust.dpop import DoorKey, prove
from xinglin.wire.calls import ENROL_BYTES
from xinglin.wire.errors import Problem, Refused
from xinglin.wire.extracts import SEALED_PART_BYTES
from xinglin.wire.space import Space

T = TypeVar("T")
SCOPES = frozenset({"runs", "agreements", "catalogue", "access"})
_RENEW_MS = 240_000
_NOT_LET_IN = 401
_TIMEOUT = httpx.Timeout(10.0, read=60.0)
_MOST = (
    ("/checkpoint", NOTE_BYTES),
    ("/tile/", BUNDLE_BYTES),
    ("/receipt/", RECEIPT_BYTES),
    ("/v1/enrol", ENROL_BYTES),
)
"""How long an answer can be, by the beginning of its path; ``MESSAGE_BYTES`` for every other."""


class HubClient:
    """Calls of one account. Not for several threads at once."""

    def __init__(self, account: Account, clock: Clock = system_clock, proxy: str | None = None) -> None:
        self._account, self._clock = account, clock
        self._http = _http(account.space, proxy)
        self._door_key = DoorKey.generate()
        self._token = ""
        self._token_at = 0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, kind: type[T], **params: Any) -> T:
        """``GET path`` behind the door, as ``kind``."""
        return self._call("GET", path, kind, None, params)

    def post(self, path: str, value: Any, kind: type[T]) -> T:
        """``POST path`` behind the door, as ``kind``."""
        return self._call("POST", path, kind, msgspec.json.encode(value), {})

    def get_bytes(self, path: str) -> bytes:
        """``GET path`` behind the door, as it is."""
        return self._again(lambda: self._sent("GET", path, None, {}))

    def get_open(self, path: str) -> bytes:
        """``GET path`` of what needs no token."""
        return _send(self._http, "GET", path, None, {}, {})

    def post_bytes(self, path: str, data: bytes, kind: type[T]) -> T:
        """``POST`` bytes to a path that needs no token; the answer as ``kind``."""
        return _read(_send(self._http, "POST", path, data, {}, {}), kind)

    def _call(self, method: str, path: str, kind: type[T], body: bytes | None, params: dict[str, Any]) -> T:
        return self._again(lambda: _read(self._sent(method, path, body, params), kind))

    def _again(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Refused as refused:
            if refused.status != _NOT_LET_IN:
                raise
        self._token = ""  # a hub that was moved or restored may not know the token: ask for a new one, once
        return ask()

    def _sent(self, method: str, path: str, body: bytes | None, params: dict[str, Any]) -> bytes:
        token = self._door_token()
        url = self._account.space.hub_url + path
        proof = prove(self._door_key, method, url, token, now=self._clock())
        headers = {"authorization": f"DPoP {token}", "dpop": proof}
        return _send(self._http, method, path, body, params, headers)

    def _door_token(self) -> str:
        now = self._clock()
        if not self._token or now - self._token_at > _RENEW_MS:
            space = self._account.space
            wish = request_door_token(
                self._account.keys,
                self._door_key,
                issuer=space.operator,
                audience=(space.operator,),
                scope=SCOPES,
                now=now,
            )
            answer = _send(self._http, "POST", "/v1/door", msgspec.json.encode(wish), {}, {})
            self._token, self._token_at = _read(answer, _Granted).access_token, now
        return self._token


class _LogProblem(msgspec.Struct, frozen=True):
    code: str
    words: str


class _Granted(msgspec.Struct, frozen=True):
    access_token: str


def post_open(space: Space, path: str, value: Any, kind: type[T]) -> T:
    """One call without a token, such as enrolment."""
    with _http(space, None) as http:
        return _read(_send(http, "POST", path, msgspec.json.encode(value), {}, {}), kind)


class OpenClient:
    """Reads what everybody may read of a space; needs no account."""

    def __init__(self, space: Space, proxy: str | None = None, ca_file: Path | None = None) -> None:
        self._http = _http(space, proxy, ca_file)

    def __enter__(self) -> OpenClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get_open(self, path: str) -> bytes:
        """``GET path``; raises ``Unreachable`` or ``Refused``."""
        return _send(self._http, "GET", path, None, {}, {})

    def get(self, path: str, kind: type[T]) -> T:
        """``GET path`` as ``kind``."""
        return _read(self.get_open(path), kind)

    def post(self, path: str, data: bytes, kind: type[T]) -> T:
        """``POST`` bytes to ``path``; the answer as ``kind``."""
        return _read(_send(self._http, "POST", path, data, {}, {}), kind)


def _http(space: Space, proxy: str | None, ca_file: Path | None = None) -> httpx.Client:
    context = client_context(space.certificate_pem, ca_file)
    return httpx.Client(base_url=space.hub_url, verify=context, timeout=_TIMEOUT, proxy=proxy, trust_env=False)


def _send(
    http: httpx.Client, method: str, path: str, body: bytes | None, params: dict[str, Any], headers: dict[str, str]
) -> bytes:
    asked = http.build_request(method, path, content=body, params=params, headers=headers)
    try:
        answer = read_answer(http, asked, _most(path))
    except httpx.HTTPError as error:
        raise Unreachable(
            f"The hub at {http.base_url} does not answer ({type(error).__name__}).",
            remedy="Check the network, then run 'xinglin doctor'.",
        ) from error
    except UnfitAnswer as error:
        words = f"The hub at {http.base_url} is not listened to."
        raise Unreachable(words, why=error.what, remedy=error.remedy) from error
    if 200 <= answer.status < 300:
        return answer.content
    raise Refused(_reasons(answer), status=answer.status)


def _most(path: str) -> Limit:
    """How long the answer of a path can be."""
    if path.startswith("/v1/extracts/") and "/parts/" in path:
        return SEALED_PART_BYTES
    return next((most for begins, most in _MOST if path.startswith(begins)), MESSAGE_BYTES)


def _reasons(answer: Answer) -> tuple[Reason, ...]:
    try:
        return msgspec.json.decode(answer.content, type=Problem).reasons
    except msgspec.DecodeError:
        pass
    try:
        said = msgspec.json.decode(answer.content, type=_LogProblem)
        return (Reason(said.code, said.words),)
    except msgspec.DecodeError:
        return (Reason("sdk.http", f"The hub answered {answer.status}.", "Run 'xinglin doctor'."),)


def _read(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise MalformedMessage(f"The hub's answer cannot be read: {error}.", remedy="Compare versions.") from error
