"""De-identification profiles of a hospital: the shipped ones, and its own as ``profiles/NAME.toml`` in its folder.

A table that is no canonical one is de-identified by a profile of the hospital's own, or not at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Reason
from xinglin.terms.request import is_name

if TYPE_CHECKING:
    from xinglin.privacy.deidentify import Profile

PROFILES_FOLDER = "profiles"
LANE = "research"
"""Whom an extract is for; a profile of the care lane shows more than that."""


class NodeProfiles:
    """Finds a profile by its name; the hospital's own go before shipped ones of the same name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / PROFILES_FOLDER

    def text(self, name: str) -> str:
        """The text of the hospital's own profile; "" where it has none of that name."""
        place = self._folder / f"{name}.toml"
        return place.read_text(encoding="utf-8") if is_name(name) and place.is_file() else ""

    def profile(self, name: str) -> Profile:
        """The profile; raises ``UnknownField`` or ``BadProfile``."""
        from xinglin.privacy.deidentify import load_profile, shipped

        own = self.text(name)
        return load_profile(own) if own else shipped(name)

    def faults(self, name: str, grade: str, purpose: str) -> tuple[Reason, ...]:
        """Why the profile may not be used for an extract of that grade and purpose; nothing where it may."""
        try:
            found = self.profile(name)
        except (XinglinError, OSError, UnicodeDecodeError):
            words = f"This hospital has no de-identification profile {name[:80]!r}."
            return (Reason("extract.profile_unknown", words, "Name a shipped one, or ask the hospital for its own."),)
        readers = found.readers
        said = (("lane", readers.lanes, LANE), ("grade", readers.grades, grade), ("purpose", readers.purposes, purpose))
        reasons = [
            Reason("extract.profile_readers", f"The profile is not made for the {what} {mine!r}.", "Name another.")
            for what, theirs, mine in said
            if theirs and mine not in theirs
        ]
        if found.name != name:
            words = f"The hospital's profile {name[:80]!r} calls itself {found.name[:80]!r}."
            reasons.append(Reason("extract.profile_unknown", words, "Ask the hospital to name it as its file."))
        return tuple(reasons)
