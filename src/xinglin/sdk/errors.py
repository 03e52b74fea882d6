"""Errors of the SDK. A "no" of a hospital, the hub or the rules is ``Refused``, with every reason."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.wire.errors import Refused

__all__ = ["NoAgreement", "NotAnswered", "NotVerified", "Refused", "RunEnded", "SdkError", "Unreachable", "Withheld"]


class SdkError(XinglinError):
    """Root of this room's errors."""

    code = "sdk.error"


class Unreachable(SdkError):
    """The hub does not answer, or not with what can be listened to."""

    code = "sdk.unreachable"


class NoAgreement(SdkError):
    """The study has no active agreement to run under."""

    code = "sdk.no_agreement"


class NotAnswered(SdkError):
    """Hospitals that have not answered in time; ``waiting_for`` holds their labels."""

    code = "sdk.timeout"

    def __init__(self, waiting_for: tuple[str, ...], waited_s: float) -> None:
        super().__init__(
            f"{', '.join(waiting_for)} did not answer within {waited_s:g} s.",
            remedy="Wait again later: the offers stay, and the hospitals' officers decide.",
        )
        self.waiting_for = waiting_for


class NotVerified(SdkError):
    """Something that the hub handed over does not check out: it is not used."""

    code = "sdk.not_verified"


class RunEnded(SdkError):
    """A run that ended without a result; ``state`` is its final state, ``reasons`` say why where the pool knows."""

    code = "sdk.run_ended"

    def __init__(self, run_id: str, state: str, words: str, reasons: tuple[Reason, ...] = ()) -> None:
        super().__init__(f"The run ended as '{state}': {words}", remedy=_REMEDIES.get(state, "Ask again."))
        self.run_id, self.state, self.reasons = run_id, state, reasons


class Withheld(Refused):
    """Nothing of the run may be released: the pooled result is not safe, or a hospital's rules stopped it on its way.

    ``reasons`` are facts about the pool, or of the rules of a hospital that they name; never of its rows.
    """

    code = "sdk.withheld"

    def __init__(self, run_id: str, reasons: tuple[Reason, ...]) -> None:
        super().__init__(reasons)
        self.run_id = run_id


_REMEDIES = {
    "too_few": "Ask again when the hospitals are connected, or with other hospitals.",
    "failed": "Show the run's id to the operator; the evidence log tells how far it came.",
    "cancelled": "Ask again when you want the result.",
    "no_result": "Change the model or the cohort as the words say.",
}
