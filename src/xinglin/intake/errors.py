"""Errors of the intake; none of them holds a value of a record."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


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
