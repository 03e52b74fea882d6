"""The cookie of a session: not for scripts, not across sites, and only over TLS where there is any."""

from __future__ import annotations

from typing import Protocol

import msgspec

from xinglin.console.people.sessions import ABSOLUTE_S

_PLAIN = "xinglin_session"


class Served(Protocol):
    """What is needed of the console's settings."""

    @property
    def https(self) -> bool:
        """Whether browsers reach it over TLS."""


class Cookie(msgspec.Struct, frozen=True):
    """A cookie as it is set; ``max_age_s`` 0 takes it away."""

    name: str
    value: str
    secure: bool
    max_age_s: int = ABSOLUTE_S
    path: str = "/"
    http_only: bool = True
    same_site: str = "lax"


def cookie_name(settings: Served) -> str:
    """Under TLS a name that browsers take from this host alone (``__Host-``)."""
    return f"__Host-{_PLAIN}" if settings.https else _PLAIN


def cookie_of(settings: Served, token: str) -> Cookie:
    """The cookie that carries a token; an empty token takes the cookie away."""
    return Cookie(cookie_name(settings), token, settings.https, ABSOLUTE_S if token else 0)
