"""Errors of watermarks."""

from __future__ import annotations

from xinglin.privacy.errors import PrivacyError


class BadMarkPlan(PrivacyError):
    """A plan that names no column, a column twice, or a budget that is none."""

    code = "privacy.watermark_plan"


class TooFewCells(PrivacyError):
    """A table in which too few cells can carry the mark for a recipient to be found again."""

    code = "privacy.watermark_cells"
