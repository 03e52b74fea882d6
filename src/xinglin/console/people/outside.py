"""Sign-in at one's own institution: OpenID Connect, authorization code with PKCE, one configured issuer.

1 a state, a nonce and a verifier are derived from this browser's token, and the browser is sent to the issuer; 2 what
comes back carries the state, once, and names the issuer (RFC 9207); 3 the code is changed for an ID token, with the
verifier (RFC 7636); 4 its signature is checked by a key of the issuer, with an algorithm of the list; 5 issuer,
audience, times and nonce; 6 the subject is bound to an account of this console, or nobody is let in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from xinglin.console.people.errors import OutsideRefused
from xinglin.console.people.forms import text_of
from xinglin.console.people.issuer import Issuer
from xinglin.console.people.model import SessionRecord, Step
from xinglin.console.people.return_to import local_path
from xinglin.console.people.service import People
from xinglin.kernel.instants import Clock

CALLBACK = "/sign-in/institution/back"
LEEWAY_S = 60
_RETURN_CHARACTERS = 500
_SCOPES = {"sub": "openid", "email": "openid email"}


class Outside:
    """One institution's sign-in for the console at ``url``. ``claim``: which one names the subject."""

    def __init__(
        self,
        people: People,
        issuer: Issuer,
        url: str,
        clock: Clock,
        claim: str = "sub",
    ) -> None:
        self._people, self._issuer, self._clock = people, issuer, clock
        self._back, self._claim = url + CALLBACK, claim

    def begin(self, token: str, return_to: str = "/") -> str:
        """Where the browser goes; what has to come back follows from its token, and nothing is kept of it.

        Of whoever is signed in the issuer asks for a fresh proof. Raises ``OutsideRefused``.
        """
        found = self._people.sessions.find(token)
        if found is None:
            raise _refused("over", "The sign-in form is too old.")
        metadata = self._issuer.metadata()
        digest = hashlib.sha256(self._word("verifier", token, found).encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._issuer.client_id,
            "redirect_uri": self._back,
            "scope": _SCOPES.get(self._claim, "openid profile"),
            "state": self._state(token, found, local_path(return_to)),
            "nonce": self._word("nonce", token, found),
            "code_challenge": text_of(digest),
            "code_challenge_method": "S256",
        }
        if found.stage == "in":
            asked |= {"prompt": "login", "max_age": "0"}
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{joint}{urlencode(asked)}"

    def came_back(self, token: str, given: Mapping[str, str], *, from_: str) -> Step:
        """What the browser brought back. Raises ``OutsideRefused`` with the check at which it fell."""
        found = self._people.sessions.take(token)
        if found is None:
            return Step("refused", code="over")
        return_to = _return_of(given.get("state", ""))
        if not hmac.compare_digest(given.get("state", "").encode(), self._state(token, found, return_to).encode()):
            raise _refused("state", "The answer belongs to another sign-in.")
        metadata = self._issuer.metadata()
        if given.get("iss", metadata.issuer if not metadata.names_itself else "") != metadata.issuer:
            raise _refused("iss", "The answer comes from another issuer.")
        if "error" in given or not given.get("code"):
            raise _refused("refused_there", "The institution's sign-in did not let you in.")
        claims = self._issuer.claims(given["code"], self._word("verifier", token, found), self._back)
        self._check(claims, self._word("nonce", token, found), again=found.stage == "in")
        subject = claims.get(self._claim, "")
        if self._claim == "email" and claims.get("email_verified") is not True:
            raise _refused("email", "The institution did not verify the address.")
        person = self._people.accounts.bound(metadata.issuer, subject) if isinstance(subject, str) and subject else None
        if person is None:
            return Step("refused", code="unknown_here")
        if found.stage == "in":
            if found.person != person.id:
                raise _refused("sub", "Somebody else signed in there.")
            if person.second_factor:
                raise _refused("factor", "This account proves itself by its second factor.")
            step = self._people.proved(token, found, person, from_)
            return msgspec.structs.replace(step, return_to=return_to)
        return self._people.passed(token, person, from_, return_to, proved=_seconds(claims, "auth_time") * 1000)

    def _check(self, claims: Mapping[str, Any], word: str, *, again: bool) -> None:
        """What the ID token says: OpenID Connect Core 1.0, section 3.1.3.7."""
        now_s = self._clock() // 1000
        audience = claims.get("aud")
        listed = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        mine = self._issuer.client_id
        if claims.get("iss") != self._issuer.name:
            raise _refused("iss", "The ID token is another issuer's.")
        if mine not in listed or claims.get("azp", mine) != mine or (len(listed) > 1 and "azp" not in claims):
            raise _refused("aud", "The ID token is for another client.")
        expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
        if not expires or expires <= now_s - LEEWAY_S or not issued or issued > now_s + LEEWAY_S:
            raise _refused("exp", "The ID token is of another time.")
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), word.encode()):
            raise _refused("nonce", "The ID token was made for another sign-in.")
        if again and now_s - _seconds(claims, "auth_time") > LEEWAY_S * 5:
            raise _refused("auth_time", "The institution did not ask anew who you are.")

    def _state(self, token: str, found: SessionRecord, return_to: str) -> str:
        """Where it goes on, and the word of this browser for it."""
        told = return_to if len(return_to) <= _RETURN_CHARACTERS else "/"
        return f"{text_of(told.encode())}.{self._word('state', token, found, told)}"

    def _word(self, purpose: str, token: str, found: SessionRecord, *parts: str) -> str:
        return self._people.sessions.word_of(f"institution {purpose}", token, found, *parts)


def _return_of(state: str) -> str:
    """Where a state says that it goes on; any other text is checked as if it said nothing."""
    told = state.partition(".")[0]
    try:
        return local_path(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)).decode())
    except ValueError:
        return "/"


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    """An instant of a claim (s); 0 where there is none."""
    told = claims.get(name)
    return int(told) if isinstance(told, int | float) and not isinstance(told, bool) and 0 < told < 1 << 40 else 0


def _refused(reason: str, what: str) -> OutsideRefused:
    return OutsideRefused(reason, what, remedy="Begin the sign-in again; if it stays, tell who runs this console.")
