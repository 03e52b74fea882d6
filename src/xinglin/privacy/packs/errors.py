"""Errors of the packs: a pack that cannot be read, a table that cannot be judged."""

from __future__ import annotations

from xinglin.privacy.errors import PrivacyError


class BadPack(PrivacyError):
    """A pack that is no pack: unknown settings, values out of range, a threshold that rounding gives away."""

    code = "privacy.bad_pack"


class BadRelease(PrivacyError):
    """A table that is handed over for release and does not fit together."""

    code = "privacy.bad_release"
