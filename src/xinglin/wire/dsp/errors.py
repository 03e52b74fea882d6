"""Errors of the protocol; each becomes a CatalogError, ContractNegotiationError or TransferError."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied


class DspError(XinglinError):
    """Root; ``status`` is the HTTP status of the typed error message."""

    code = "dsp.error"
    status = 400


class BadMessage(DspError):
    """A message that is not what the protocol says it is."""

    code = "dsp.bad_message"


class BadMove(DspError):
    """A message that the present state does not take, or not from this side."""

    code = "dsp.illegal_move"


class NotThere(DspError):
    """An unknown id, or one of somebody else's: the answer is the same."""

    code = "dsp.not_found"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is nothing with this id for you.", remedy="Check the id and your authorisation.")


class NotAuthenticated(DspError):
    """A caller whose header names no participant."""

    code = "dsp.not_authenticated"
    status = 401

    def __init__(self) -> None:
        super().__init__("The caller is not a participant.", remedy="Send a valid Authorization header.")


class NotAllowed(DspError):
    """The terms say no; carries every reason."""

    code = "dsp.denied"
    status = 403

    def __init__(self, denied: Denied, *, status: int = 403) -> None:
        super().__init__(
            " ".join(reason.words for reason in denied.reasons),
            remedy=" ".join(dict.fromkeys(reason.remedy for reason in denied.reasons if reason.remedy)),
        )
        self.reasons = denied.reasons
        self.status = status


class Busy(DspError):
    """Another message for the same process is being worked on; the sender tries again."""

    code = "dsp.busy"
    status = 409

    def __init__(self) -> None:
        super().__init__("This process is busy with another message.", remedy="Send the message again.")


class TooMany(DspError):
    """A participant that has as many processes open as one may have, or began as many within the hour."""

    code = "dsp.too_many_open"
    status = 429

    def __init__(self, most: int, what: str = "open", remedy: str = "End some, then ask again.") -> None:
        super().__init__(f"You have {most} processes {what}, and no more is admitted.", remedy=remedy)


class Unreachable(DspError):
    """A counterparty that does not answer, or an address that we do not call."""

    code = "dsp.unreachable"
    status = 502
