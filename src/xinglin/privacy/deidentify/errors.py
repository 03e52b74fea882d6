"""Errors of de-identification: each names the place in the profile or in the record, never a value."""

from __future__ import annotations

from xinglin.privacy.errors import PrivacyError


class DeidentifyError(PrivacyError):
    """Root of what can go wrong here; ``place`` says where (``tables.patient.birth_date``)."""

    code = "privacy.deidentify"

    def __init__(self, what: str, *, place: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(f"{place}: {what}" if place else what, why=why, remedy=remedy)
        self.place = place


class BadProfile(DeidentifyError):
    """A profile that cannot be read, or asks for what cannot be done with a field."""

    code = "privacy.deidentify.profile"


class UnknownField(BadProfile):
    """A profile names what does not exist; ``nearest`` is the closest known name, or empty."""

    code = "privacy.deidentify.unknown_field"

    def __init__(self, name: str, place: str, nearest: str = "") -> None:
        remedy = f"Did you mean '{nearest}'?" if nearest else ""
        super().__init__(f"'{name}' is not known here.", place=place, remedy=remedy)
        self.name, self.nearest = name, nearest


class NeedsToday(DeidentifyError):
    """A profile that hides high ages was compiled without saying which day it is."""

    code = "privacy.deidentify.needs_today"


class BadKeys(DeidentifyError):
    """Keys that are too short, or name no study or data set."""

    code = "privacy.deidentify.keys"


class BadRecord(DeidentifyError):
    """A record that cannot be de-identified at all; nothing of it is given."""

    code = "privacy.deidentify.record"


class NoProfile(DeidentifyError):
    """No profile gives this reader anything."""

    code = "privacy.deidentify.no_profile"


class BadConfiguration(DeidentifyError):
    """A FHIR anonymizer configuration that cannot be read."""

    code = "privacy.deidentify.configuration"
