"""Errors of the FHIR feeds; none of them holds a token, a secret or what a server said about a person."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class FhirFeedError(XinglinError):
    """Anything that goes wrong between a FHIR server and this node."""

    code = "feeds.fhir"


class UnsafeAddress(FhirFeedError):
    """An address that is not HTTPS, or not the one server that this feed may speak to."""

    code = "feeds.fhir_address"


class ServerAway(FhirFeedError):
    """The server did not answer, or asked to wait, more often than a call is tried."""

    code = "feeds.fhir_away"


class ServerRefused(FhirFeedError):
    """The server answered no; ``status`` is its HTTP status."""

    code = "feeds.fhir_refused"

    def __init__(self, what: str, status: int, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.status = status


class ExportExpired(FhirFeedError):
    """The server no longer has the export or one of its files: it has to be asked for anew."""

    code = "feeds.fhir_expired"


class BadAnswer(FhirFeedError):
    """An answer that is not what FHIR says it is."""

    code = "feeds.fhir_answer"


class BadKey(FhirFeedError):
    """A text that is no private key of the kind that is asked for; nothing of it is told."""

    code = "feeds.fhir_key"
