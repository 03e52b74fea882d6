"""Passwords: argon2id with the second parameters of RFC 9106, and what NIST SP 800-63B-4 asks of a password.

Length counts, composition does not: at least 12 characters, none of the commonest, and not the account's own name.
"""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from xinglin.console.people.errors import WeakPassword
from xinglin.kernel.limits import Limit

LEAST_CHARACTERS = 12
PASSWORD_CHARACTERS = Limit("password", 256, "characters")
AT_ONCE = 4
"""Passwords checked at a time: each takes 64 MiB."""

_SHORTEST_NAME = 3
_ROWS = (
    "1234567890",
    "0987654321",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "1qaz2wsx3edc4rfv",
)
_ROWS_JOINED = "".join(_ROWS[2:5])
_ORNAMENTS = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_LOOKS_LIKE = str.maketrans("@4301!$57", "aaeoiisst")
_COMMON_WORDS = """password passwort passphrase letmein letmeinnow welcome welcomeback iloveyou monkey dragon sunshine
    princess football baseball superman batman trustno administrator admin administrador root toor superuser guest
    default changeme changemenow changethis secret topsecret login access computer internet whatever master qwerty
    qwertyuiop asdfghjkl zxcvbnm michael jennifer jordan hunter ranger shadow killer starwars pokemon google samsung
    hospital hospitals doctor nurse patient patients medical medicine health healthcare clinic research researcher
    ethics ethicist operator regulator xinglin console woaini woaiwojia mima woxihuanni nihao nihaoma zhongguo
    beijing shanghai yiyuan yisheng huanzhe hushi jiankang yiliao correcthorsebatterystaple"""
_COMMON = frozenset(_COMMON_WORDS.split())


class Passwords:
    """Hashes and checks passwords; an account that is not there takes as long as one that is."""

    def __init__(self, hasher: PasswordHasher | None = None, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._nobody = self._hasher.hash(entropy(32).hex())

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        with self._turns:
            return self._hasher.hash(_typed(password))

    def right(self, kept: str, password: str) -> bool:
        """Whether a password is the one; with nothing kept the answer is no, after the same work."""
        if len(password) > PASSWORD_CHARACTERS.value:
            return False
        with self._turns:
            try:
                self._hasher.verify(kept or self._nobody, _typed(password))
            except (VerificationError, InvalidHashError):
                return False
        return bool(kept)

    def outdated(self, kept: str) -> bool:
        """Whether what is kept was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


def check_password(password: str, *, name: str = "", label: str = "") -> None:
    """Raise ``WeakPassword`` for a password that is short, too long, common, or holds the account's name."""
    typed = _typed(password)
    if len(typed) < LEAST_CHARACTERS:
        raise WeakPassword(
            "short",
            f"The password is shorter than {LEAST_CHARACTERS} characters.",
            remedy="Use a sentence, or let a password manager choose.",
        )
    if len(typed) > PASSWORD_CHARACTERS.value:
        raise WeakPassword("long", f"The password is longer than {PASSWORD_CHARACTERS.value} characters.")
    folded = typed.casefold()
    if any(len(one) >= _SHORTEST_NAME and one.casefold() in folded for one in (name, label)):
        raise WeakPassword("name", "The password holds the account's name.", remedy="Choose another.")
    if _common(folded):
        raise WeakPassword(
            "common", "The password is one that is tried first.", remedy="Choose words that nobody would put together."
        )


def _typed(password: str) -> str:
    """One spelling for one password, however the keyboard composed it."""
    return unicodedata.normalize("NFKC", password)


def _common(folded: str) -> bool:
    """Common words with ornaments, a unit over and over, or a run along the keyboard."""
    letters = "".join(one for one in folded if one.isalpha())
    alike = "".join(one for one in _ORNAMENTS.sub("", folded).translate(_LOOKS_LIKE) if one.isalpha())
    if {letters, alike, folded, _unit(letters)} & _COMMON or _repeats(folded):
        return True
    plain = "".join(one for one in folded if one.isalnum())
    return any(_repeats(plain) or plain in row * 4 for row in (*_ROWS, _ROWS_JOINED, _ROWS[0] + _ROWS[2]))


def _unit(text: str) -> str:
    """The shortest text that gives ``text`` when it is written over and over."""
    return text[: (text + text).find(text, 1)]


def _repeats(text: str) -> bool:
    return bool(text) and len(_unit(text)) <= len(text) // 2 and len(_unit(text)) <= 8
