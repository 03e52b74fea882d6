"""Errors of the intake; none of them holds a value of a record."""

from __future__ import annotations

from xinglin.kernel.errors import ReasonedError, XinglinError


class IntakeError(XinglinError):
    """Anything that goes wrong between a source and the lake."""

    code = "intake.error"


class RawMissing(IntakeError):
    """An object that was never kept here."""

    code = "intake.raw_missing"


class RawErased(IntakeError):
    """An object that was erased; its tombstone says when."""

    code = "intake.raw_erased"


class RawDamaged(IntakeError):
    """Kept bytes that are not what was kept, or cannot be decrypted."""

    code = "intake.raw_damaged"


class NotKept(IntakeError):
    """An object that could not be made durable (the disk is full, the store does not answer): not acknowledged."""

    code = "intake.not_kept"


class UnknownSource(IntakeError):
    """A name that no source is registered under."""

    code = "intake.unknown_source"


class BadSource(IntakeError):
    """A source that cannot be registered as it was given."""

    code = "intake.bad_source"


class LedgerMoved(IntakeError):
    """Another process planned a batch meanwhile: two workers on one ledger; this one has to look again."""

    code = "intake.ledger_moved"


class BatchRefused(IntakeError):
    """The tables did not take a planned batch; it stays planned and is written again before anything else."""

    code = "intake.batch_refused"


class ReaderFailed(ReasonedError, IntakeError):
    """A reader broke on one object, or gave what cannot be; ``reason``: the code that the object is held under."""

    code = "intake.reader_failed"


class RawRetained(IntakeError):
    """An object that has to be kept longer; only an erasure order ends it before its time."""

    code = "intake.raw_retained"


class UnknownRetention(IntakeError):
    """A retention class that ``RETENTION_YEARS`` does not name."""

    code = "intake.unknown_retention"
