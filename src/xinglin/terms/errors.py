"""Errors of the room: terms that cannot even be stated."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class TermsError(XinglinError):
    """Terms that cannot be stated: a threshold below one, an unknown word where one is written."""

    code = "terms.error"
