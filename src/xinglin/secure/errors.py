"""Errors of the secure sum: who, what, and what to do. Their texts never hold a value, a share or a key."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied


class SecureError(XinglinError):
    """Anything that stops a secure sum; ``who`` is the DID concerned, or empty."""

    code = "secure.error"

    def __init__(self, what: str, *, who: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.who = who


class InvalidSession(SecureError):
    """A roster or threshold under which no sum would be safe."""

    code = "secure.session"


class ValueRefused(SecureError):
    """A value outside its published bound, not finite, or not whole where it must be."""

    code = "secure.value"


class ForeignMessage(SecureError):
    """A message of another run, from outside the roster, or in another's name."""

    code = "secure.foreign"


class WrongRound(SecureError):
    """A message of a round that is over or has not begun."""

    code = "secure.round"

    def __init__(self, given: int, expected: int) -> None:
        super().__init__(
            f"The message belongs to round {given}; this is round {expected}.",
            remedy="Send the message of the present round; a finished round is never taken up again.",
        )
        self.given, self.expected = given, expected


class BadSignature(SecureError):
    """A signature that does not hold under the keys which the session names."""

    code = "secure.signature"


class WeakExchange(SecureError):
    """A public key of low order: its shared secret would be known to everybody."""

    code = "secure.weak_key"


class BadShare(SecureError):
    """A share that is forged, misdirected, missing, or does not add up to what was committed."""

    code = "secure.share"


class NotEnoughShares(SecureError):
    """Fewer shares than the threshold: the masks cannot be stripped."""

    code = "secure.shares_missing"


class AlreadyAnswered(SecureError):
    """The same question with other content: a node answers once, and repeats only that answer."""

    code = "secure.already_answered"


class AlteredTotal(SecureError):
    """A total that is not the sum of what the hospitals sent."""

    code = "secure.altered_total"


class Refused(SecureError):
    """A rule said no; ``codes`` names every reason."""

    code = "secure.refused"

    def __init__(self, denied: Denied, *, who: str = "") -> None:
        super().__init__(
            " ".join(reason.words for reason in denied.reasons),
            who=who,
            remedy=" ".join(reason.remedy for reason in denied.reasons if reason.remedy),
        )
        self.denied = denied

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the rule's reasons, in order."""
        return self.denied.codes
