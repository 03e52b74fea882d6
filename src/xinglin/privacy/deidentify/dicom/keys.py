"""What replaces identities in DICOM: pseudonyms, UIDs and shifts of one study and data set."""

from __future__ import annotations

from xinglin.privacy.deidentify.keys import Keys, Prf, Pseudonyms, Shifts

_STANDARD_ROOT = "1.2.840.10008."


class DicomKeys:
    """The replacements of one study; the same input gives the same output, in every object.

    ``days``: by how much dates move at most. Guarantee: as ``Keys``: without its secret, what two studies are given
    cannot be joined.
    """

    def __init__(self, keys: Keys, days: int = 180) -> None:
        self._uids = Prf(keys.derive("dicom-uid"))
        self._pseudonyms, self._shifts, self._days = Pseudonyms(keys), Shifts(keys), days
        self._known: dict[str, str] = {}

    def uid(self, uid: str) -> str:
        """A UID below 2.25 (PS3.5 B.2) in place of ``uid``; UIDs of the standard itself stay."""
        if not uid or uid.startswith(_STANDARD_ROOT):
            return uid
        found = self._known.get(uid)
        if found is None:
            found = self._known[uid] = f"2.25.{int.from_bytes(self._uids.of(uid), 'big')}"
        return found

    def pseudonym(self, person: str) -> str:
        """32 hexadecimal digits, those that FHIR resources and tables of the same study carry for the person."""
        return self._pseudonyms.of(person).rpartition("/")[2]

    def shift(self, person: str) -> int:
        """Days by which the person's dates move, never 0."""
        return self._shifts.of(person, self._days)
