"""Where a sign-in goes on: a path of this console, and nothing that a browser could read as another site."""

from __future__ import annotations

from urllib.parse import urlsplit

_CHARACTERS = 2_000
_HOME = "/"


def local_path(text: str) -> str:
    """``text`` where it is a path of this console, else ``/``.

    >>> local_path("/runs?state=done"), local_path("//other.example"), local_path("/\\\\other.example")
    ('/runs?state=done', '/', '/')
    """
    if not text.startswith("/") or len(text) > _CHARACTERS:
        return _HOME
    # Browsers read a backslash as a slash, and drop tabs and line ends before they look.
    if text[1:2] in ("/", "\\") or "\\" in text or not all(" " < one <= "~" for one in text):
        return _HOME
    try:
        parts = urlsplit(text)
    except ValueError:
        return _HOME
    return _HOME if parts.scheme or parts.netloc else text
