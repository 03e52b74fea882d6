"""Noise and locks of the query tools that add a little noise to counts: i2b2 and SHRINE.

The noise is a function of a key that stays at the node and of who is counted: the same persons give the same count,
however often and in whatever words it is asked, so that averaging repeats gives nothing. It is a rounded, clamped
Gaussian as those tools publish it and **no** differential privacy: differences of overlapping counts still add up.

Source: i2b2 community wiki, "Setfinder Query - Lockout Properties"; ``GaussianBoxMuller.java`` (independent noise,
not followed here); Dwork, Roth (2014), §1 on averaging.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Sequence
from functools import cache

from xinglin.kernel.instants import Instant
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.privacy.packs.errors import BadRelease
from xinglin.privacy.packs.model import NO_LIMIT, Pack, Settings

KEY_BYTES = 16
_DAY_MS = 86_400_000
_WHOLE = 2**64


def noise_of(settings: Settings, key: bytes, subject: bytes) -> int:
    """The noise of one count, from -clamp to clamp, the same for the same ``key`` and ``subject``.

    ``subject`` says who is counted (a digest of the persons). Weights are exp(-k² / 2σ²), cut at the clamp. Raises
    ``BadRelease`` for a key of fewer than ``KEY_BYTES`` bytes.
    """
    if len(key) < KEY_BYTES:
        raise BadRelease("Noise that repeats needs a key that nobody can guess.", remedy="Hand in 16 bytes or more.")
    if not settings.noise_sigma or not settings.noise_clamp:
        return 0
    drawn = int.from_bytes(hmac.new(key, b"xinglin pack noise/1" + subject, hashlib.sha256).digest()[:8], "big")
    for value, end in _steps(float(settings.noise_sigma), settings.noise_clamp):
        if drawn < end:
            return value
    return settings.noise_clamp


@cache
def _steps(sigma: float, clamp: int) -> tuple[tuple[int, int], ...]:
    weights = [math.exp(-(k * k) / (2 * sigma * sigma)) for k in range(-clamp, clamp + 1)]
    total, so_far, steps = sum(weights), 0.0, []
    for k, weight in zip(range(-clamp, clamp + 1), weights, strict=True):
        so_far += weight
        steps.append((k, int(so_far / total * _WHOLE)))
    return tuple(steps)


def check_repeats(pack: Pack, asked: Sequence[Instant], now: Instant) -> Verdict:
    """Whether the same question may be answered again.

    ``asked``: when the same person asked it before and was answered. Denied from the ``lock_repeats``-th
    repeat within ``lock_days`` on; the lock opens as the oldest of them ages.

    >>> from xinglin.privacy.packs.loading import shipped
    >>> bool(check_repeats(shipped("i2b2"), [0] * 6, now=10)), bool(check_repeats(shipped("i2b2"), [0] * 7, now=10))
    (True, False)
    """
    s = pack.settings
    if s.lock_repeats >= NO_LIMIT or not s.lock_days:
        return Allowed()
    recent = [at for at in asked if now - at < s.lock_days * _DAY_MS]
    if len(recent) < s.lock_repeats:
        return Allowed((f"lock_repeats={s.lock_repeats}",))
    return deny(
        "privacy.repeated",
        f"The same question was answered {s.lock_repeats} times within {s.lock_days} days"
        f" (pack {pack.names_of('lock_repeats')}).",
        "Use the answers given so far.",
    )
