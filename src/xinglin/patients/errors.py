"""Errors of the patient index; none of them holds a value of a record."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class PatientsError(XinglinError):
    """Anything that goes wrong with the patient index."""

    code = "patients.error"


class UnknownPatient(PatientsError):
    """A key that the index has no record of."""

    code = "patients.unknown"


class UnknownReview(PatientsError):
    """A number under which nothing waits for review."""

    code = "patients.no_review"


class SameClerk(PatientsError):
    """Four eyes are asked for, and the same person looked twice."""

    code = "patients.same_clerk"


class NoName(PatientsError):
    """A decision without the name of whom it is of."""

    code = "patients.no_name"


class NotApart(PatientsError):
    """Two records that are one, or are not of one person: there is nothing to undo."""

    code = "patients.not_linked"


class BadCrosswalk(PatientsError):
    """A file that is no crosswalk from records to a master index."""

    code = "patients.bad_crosswalk"


class NoLinkage(PatientsError):
    """Probabilistic matching was asked for, and its library is not installed."""

    code = "patients.no_linkage"


class IndexSealed(PatientsError):
    """What the index holds was changed, or sealed under another key."""

    code = "patients.sealed"


class BadPolicy(PatientsError):
    """What a hospital decided about its index cannot be read."""

    code = "patients.bad_policy"
