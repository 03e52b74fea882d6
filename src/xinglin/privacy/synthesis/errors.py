"""Errors of the sub-room: what cannot be synthesised, and why. No error tells of a row."""

from __future__ import annotations

from xinglin.privacy.errors import PrivacyError


class SynthesisError(PrivacyError):
    """Root of these errors."""

    code = "privacy.synthesis"


class BadSchema(SynthesisError):
    """Published facts that contradict themselves: no columns, a range upside down, levels twice, a rule on nothing."""

    code = "privacy.synthesis.bad_schema"


class BadColumns(SynthesisError):
    """Columns that are not the schema's: a name that lacks, lengths that differ, texts where numbers belong."""

    code = "privacy.synthesis.bad_columns"


class TooLittleBudget(SynthesisError):
    """A budget with which no column could be told from noise, or none at all."""

    code = "privacy.synthesis.too_little_budget"


class Overspent(SynthesisError):
    """A part asked for more than what is left of the whole: a defect, and nothing was measured."""

    code = "privacy.synthesis.overspent"


class TooWide(SynthesisError):
    """More columns, levels or cells than the limits allow."""

    code = "privacy.synthesis.too_wide"


class BadModel(SynthesisError):
    """Bytes that are no model, or a model of a version that is not known here."""

    code = "privacy.synthesis.bad_model"
