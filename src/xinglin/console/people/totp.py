"""The second factor by numbers: RFC 6238 codes of an authenticator app, each good once, and recovery codes.

SHA-1, six digits, 30 seconds: what every authenticator app understands. One step of the clock to either side is taken.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from xinglin.kernel.instants import Instant

SECRET_BYTES = 20
DIGITS = 6
STEP_S = 30
RECOVERY_CODES = 10
_RECOVERY_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_RECOVERY_LENGTH = 10
_LOOKS_LIKE = str.maketrans("ilo", "110")


def matching_step(secret: bytes, code: str, now: Instant, last: int) -> int:
    """The time step whose code this is, later than ``last``; 0 for none. Every candidate is compared."""
    given = "".join(code.split())
    if not (given.isascii() and given.isdigit() and len(given) == DIGITS):
        return 0
    maker = _maker(secret)
    present = now // 1000 // STEP_S
    found = 0
    for step in (present - 1, present, present + 1):
        right = hmac.compare_digest(maker.generate(step * STEP_S), given.encode())
        found = step if right and step > last else found
    return found


def code_at(secret: bytes, now: Instant) -> str:
    """The code of an instant; what an authenticator app shows."""
    return _maker(secret).generate(now // 1000).decode()


def secret_text(secret: bytes) -> str:
    """The secret as it is typed into an app: base 32 in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def app_address(secret: bytes, account: str, institution: str) -> str:
    """The ``otpauth:`` address that an app reads from a QR code."""
    label = quote(f"{institution}:{account}", safe="")
    given = {
        "secret": secret_text(secret).replace(" ", ""),
        "issuer": institution,
        "algorithm": "SHA1",
        "digits": str(DIGITS),
        "period": str(STEP_S),
    }
    return f"otpauth://totp/{label}?{urlencode(given, quote_via=quote)}"


def new_recovery_codes(entropy: Callable[[int], bytes]) -> tuple[str, ...]:
    """Ten codes of 50 random bits."""
    return tuple(_recovery_code(entropy(_RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES))


def recovery_typed(code: str) -> str:
    """A recovery code as it is compared, however it was typed; empty for what cannot be one."""
    given = "".join(one for one in code.casefold() if one.isalnum()).translate(_LOOKS_LIKE)
    return given if len(given) == _RECOVERY_LENGTH and set(given) <= set(_RECOVERY_LETTERS) else ""


def _recovery_code(random: bytes) -> str:
    letters = "".join(_RECOVERY_LETTERS[byte % len(_RECOVERY_LETTERS)] for byte in random)
    return f"{letters[:5]}-{letters[5:]}"


def _maker(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303
