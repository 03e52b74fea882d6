"""Errors of the room ``sample``."""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class SampleError(XinglinError):
    """A data folder that is not what it was said to be, or a sample that cannot be made."""

    code = "sample.error"
