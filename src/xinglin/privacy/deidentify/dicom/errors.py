"""Errors of DICOM de-identification; none holds a value of an instance."""

from __future__ import annotations

from xinglin.privacy.errors import PrivacyError


class BadDicomProfile(PrivacyError):
    """A profile names an option, an attribute or a setting that is not known."""

    code = "privacy.bad_dicom_profile"


class UnreadableInstance(PrivacyError):
    """The bytes are no DICOM instance, or its pixels cannot be decoded here."""

    code = "privacy.unreadable_instance"


class BurnedInText(PrivacyError):
    """The pixels may show a person's text, and no rule says where."""

    code = "privacy.burned_in_text"


class BadStream(UnreadableInstance):
    """A compressed frame that cannot be read to its end; ``why`` says where, and holds no byte of it."""

    code = "privacy.bad_stream"

    def __init__(self, why: str) -> None:
        super().__init__(
            "A compressed frame cannot be read to its end.",
            why=why,
            remedy="Send the object again, or uncompressed; keep it out of the extract until it can be read.",
        )
