"""What goes wrong at a raw store beside its port's errors: a wrong key, another tenant, a newer format."""

from __future__ import annotations

from xinglin.intake.errors import IntakeError


class RawStoreError(IntakeError):
    """The root of the raw store's own errors."""

    code = "stores.raw"


class RawWrongKey(RawStoreError):
    """The key-encrypting key handed in is not the one that this folder's keys are wrapped under."""

    code = "stores.raw_wrong_key"


class RawForeign(RawStoreError):
    """The folder belongs to another tenant or store."""

    code = "stores.raw_foreign"


class RawTooNew(RawStoreError):
    """Something was written by a newer version, or under a suite that this program does not know."""

    code = "stores.raw_too_new"


class RawBusy(RawStoreError):
    """Another process has the folder open for writing."""

    code = "stores.raw_busy"


class RawClosed(RawStoreError):
    """The store was closed before the call."""

    code = "stores.raw_closed"


class RawUnavailable(RawStoreError):
    """The disk or the object store does not answer; try again."""

    code = "stores.raw_unavailable"
