"""Errors of the terminology; none of them holds a value of a record."""

from __future__ import annotations

from xinglin.kernel.errors import ReasonedError
from xinglin.records.errors import RecordsError, Unreadable


class TerminologyError(RecordsError):
    """Anything that goes wrong with code systems, maps and units."""

    code = "terms.error"


class BadVocabulary(Unreadable):
    """A file that is not the vocabulary that it was said to be; ``place`` is where reading ended."""

    code = "terms.bad_vocabulary"


class UnknownSystem(TerminologyError):
    """A code system that is not loaded, in no version or not in the one that was asked for."""

    code = "terms.unknown_system"


class UnknownCode(TerminologyError):
    """A code that its code system does not have."""

    code = "terms.unknown_code"


class UnknownValueSet(TerminologyError):
    """A value set that is not loaded."""

    code = "terms.unknown_value_set"


class UnknownMap(TerminologyError):
    """A concept map that is not loaded."""

    code = "terms.unknown_map"


class UnknownFilter(TerminologyError):
    """A value set chooses concepts in a way that is not known here."""

    code = "terms.unknown_filter"


class BadRequest(TerminologyError):
    """The parameters of an operation do not say enough, or contradict themselves."""

    code = "terms.bad_request"


class CannotConvert(ReasonedError, TerminologyError):
    """A number of one unit that is none of another; ``reason``: unknown, dimension, molar or scale."""

    code = "terms.cannot_convert"


class NoLocalCode(TerminologyError):
    """A local code that nothing was proposed for."""

    code = "terms.no_local_code"


class BadReview(TerminologyError):
    """A reviewer's file that cannot be taken as it is; nothing of it was."""

    code = "terms.bad_review"
