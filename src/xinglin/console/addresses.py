"""Parts of an address: every name that stands in a path of the console was written by ``segment``."""

from __future__ import annotations

from urllib.parse import quote

NOTHING = "~"
"""What stands for a name that no address can carry; it names nothing anywhere."""


def segment(name: object) -> str:
    """A name or number as one part of a path, quoted: it neither ends the path nor leads elsewhere.

    Browsers take ``.`` and ``..`` out of a path however they are quoted, and a quoted slash arrives as a slash: such a
    name gives way to ``NOTHING``.

    >>> segment("sha256:ab"), segment("心率?#1"), segment("../revoke?"), segment("..")
    ('sha256:ab', '%E5%BF%83%E7%8E%87%3F%231', '~', '~')
    """
    text = str(name)
    if text in ("", ".", "..") or "/" in text:
        return NOTHING
    return quote(text, safe=":")
