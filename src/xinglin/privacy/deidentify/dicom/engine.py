"""The walk: each element of an object gets the action of the profile; private ones go, UIDs and dates are consistent.

1. the patient's own strings are gathered from the whole object;
2. the pixels are cleaned by rule or finder, or the object is refused; compressed frames lose their comments;
3. every element, at every depth, gets its action;
4. the file's head is built anew, and the method is recorded in the object.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.privacy.deidentify.dicom.confidentiality import BASIC, DICOM_OPTIONS, attribute_of
from xinglin.privacy.deidentify.dicom.errors import UnreadableInstance
from xinglin.privacy.deidentify.dicom.frames import clean_frames
from xinglin.privacy.deidentify.dicom.known import KnownStrings
from xinglin.privacy.deidentify.dicom.profile import DicomProfile
from xinglin.privacy.deidentify.dicom.regions import clean_pixels, clear_unused_bits, cut_behind_pixels
from xinglin.privacy.deidentify.dicom.values import (
    BULK,
    DATES,
    NUMBERS,
    TEXTS,
    capped_age,
    dummy,
    is_code,
    is_moment,
    is_number,
    moved,
)
from xinglin.records.dicom.header import broken_header

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    from xinglin.privacy.deidentify.dicom.keys import DicomKeys
    from xinglin.privacy.deidentify.dicom.regions import TextFinder

Cleaner = Callable[[str], str | None]
"""A free text without identifiers, or ``None`` where it cannot be cleaned."""

DEPTH = 32
"""Sequences inside sequences, at most."""

_IMPLEMENTATION = "2.25.226041914037184561836247523451720513025"
_PSEUDONYMS = frozenset((0x00100010, 0x00100020))  # PatientName, PatientID
_SIMPLER = {"X/Z": "Z", "X/D": "D", "Z/D": "D", "X/Z/D": "D"}
KEPT_BULK = frozenset(
    (
        "PixelData", "FloatPixelData", "DoubleFloatPixelData", "RedPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData", "AlphaPaletteColorLookupTableData",
        "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
        "SegmentedBluePaletteColorLookupTableData", "BlendingLookupTableData", "LUTData", "WaveformData",
        "SpectroscopyData", "VectorGridData", "PointCoordinatesData", "DoublePointCoordinatesData",
        "LongPrimitivePointIndexList", "LongTrianglePointIndexList", "LongEdgePointIndexList",
        "LongVertexPointIndexList", "TrackPointIndexList", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
        "BadPixelImage", "TwoDimensionalToThreeDimensionalMapData", "WaveformPaddingValue", "ChannelMinimumValue",
        "ChannelMaximumValue",
    )
)  # fmt: skip
"""Bulk values that the table does not list and that are images, tables of colours, signals or geometry."""


class DicomReport(msgspec.Struct, frozen=True):
    """What was done to one object: elements by action (``dropped``, ``emptied``, ``replaced``, ``kept`` …)."""

    actions: dict[str, int]
    pixels: str


class DicomDeidentifier:
    """One profile for one study. ``cleaner``: for free texts (option ``descriptors``); ``finder``: text in pixels.

    Guarantee: an attribute leaves as it came only where the table or the profile keeps it, its value has the form of
    its representation, and it holds none of the patient's own strings.
    """

    def __init__(
        self,
        profile: DicomProfile,
        keys: DicomKeys,
        cleaner: Cleaner | None = None,
        finder: TextFinder | None = None,
    ) -> None:
        self._profile, self._keys, self._cleaner, self._finder = profile, keys, cleaner, finder
        self._chosen = frozenset(profile.options)
        self._texts = frozenset(profile.texts)
        self._safe = {(one.creator, one.group, one.element) for one in profile.private}
        self._action = functools.cache(self._action_of)

    def file(self, data: bytes, person: str, known: Iterable[str] = ()) -> bytes:
        """A Part 10 file in place of ``data``; see ``dataset``. Raises ``UnreadableInstance`` too."""
        from pydicom import config, dcmread
        from pydicom.filebase import DicomBytesIO

        config.settings.reading_validation_mode = config.IGNORE
        try:
            found = dcmread(DicomBytesIO(data))
            self.dataset(found, person, known)
            target = DicomBytesIO()
            found.save_as(target, enforce_file_format=True)
        except broken_header() as error:
            raise _unreadable(error) from error
        return target.getvalue()

    def dataset(self, dataset: Dataset, person: str, known: Iterable[str] = ()) -> DicomReport:
        """Change ``dataset`` in place. ``person``: key of the patient, as tables and FHIR resources of the study name
        them; ``known``: strings from the patient's own record. Raises ``BurnedInText``.
        """
        counts: dict[str, int] = {}
        strings = KnownStrings(dataset, lambda *place: self._action(*place) == "K", known)
        pixels = clean_pixels(dataset, self._profile.regions, self._finder) if self._cleans else ""
        cut_behind_pixels(dataset)
        clear_unused_bits(dataset)
        clean_frames(dataset)
        walk = _Walk(self, strings, person, counts)
        walk.items(dataset, 0)
        self._record(dataset, pixels)
        self._head(dataset)
        return DicomReport(counts, pixels)

    @property
    def _cleans(self) -> bool:
        return "clean_pixels" in self._chosen

    def _action_of(self, tag: int, vr: str, keyword: str) -> str:
        """The action code; for what the table does not list, one by representation."""
        row = attribute_of(tag)
        if row is not None:
            code = row.action(self._chosen)
            return _SIMPLER.get(code, code)
        if not keyword:
            return "X"
        if vr == "SQ":
            return "R"
        if vr in TEXTS:
            return "T" if keyword in self._texts else "X"
        if vr in BULK:
            return "K" if keyword in KEPT_BULK else "X"
        if vr in DATES:
            return "K" if "full_dates" in self._chosen else "C" if "moved_dates" in self._chosen else "X"
        if vr == "UI":
            return "K" if "uids" in self._chosen else "U"
        return "N" if vr in NUMBERS or vr in ("IS", "DS", "CS", "AS") else "X"

    def _record(self, dataset: Dataset, pixels: str) -> None:
        """PS3.15 E.1.1: that it was done, how, and what became of the dates."""
        from pydicom.dataset import Dataset as Item
        from pydicom.sequence import Sequence

        dataset.PatientIdentityRemoved = "YES"
        method = f"xinglin {self._profile.name}"
        dataset.DeidentificationMethod = [method, *([pixels[:64]] if pixels else [])]
        done = [name for name in self._profile.options if name != "clean_pixels" or pixels]
        codes = [BASIC, *(DICOM_OPTIONS[name] for name in done)]
        items = []
        for value, meaning in codes:
            item = Item()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
            items.append(item)
        dataset.DeidentificationMethodCodeSequence = Sequence(items)
        full, changed = "full_dates" in self._chosen, "moved_dates" in self._chosen
        dataset.LongitudinalTemporalInformationModified = "UNMODIFIED" if full else "MODIFIED" if changed else "REMOVED"
        if pixels:
            dataset.BurnedInAnnotation = "NO"

    def _head(self, dataset: Dataset) -> None:
        """A head of its own: the old one may name stations and carry private information."""
        from pydicom.dataset import FileMetaDataset
        from pydicom.uid import UID

        old = getattr(dataset, "file_meta", None)
        meta = FileMetaDataset()
        syntax = old.get("TransferSyntaxUID") if old is not None else None
        meta.TransferSyntaxUID = UID(str(syntax or "1.2.840.10008.1.2.1"))
        meta.MediaStorageSOPClassUID = UID(str(dataset.get("SOPClassUID", "") or ""))
        meta.MediaStorageSOPInstanceUID = UID(str(dataset.get("SOPInstanceUID", "") or ""))
        meta.ImplementationClassUID = UID(_IMPLEMENTATION)
        dataset.file_meta = meta
        dataset.preamble = b"\0" * 128


class _Walk:
    """The actions on one object."""

    def __init__(self, home: DicomDeidentifier, strings: KnownStrings, person: str, counts: dict[str, int]) -> None:
        self._home, self._strings, self._person, self._counts = home, strings, person, counts
        self._keys, self._cleaner = home._keys, home._cleaner
        self._days = self._keys.shift(person)

    def items(self, dataset: Dataset, depth: int) -> None:
        """Every element of ``dataset`` and below."""
        if depth > DEPTH:
            raise UnreadableInstance("Sequences lie too deep in each other.", remedy=f"At most {DEPTH}.")
        for tag in list(dataset.keys()):
            if tag.group % 2:
                self._private(dataset, tag)
                continue
            element = dataset[tag]
            action = self._home._action(int(tag), element.VR, element.keyword)
            if depth and element.keyword == "PixelData":
                action = "X"  # an image inside a sequence: nobody cleaned its pixels
            told = self._do(dataset, element, action, depth)
            self._counts[told] = self._counts.get(told, 0) + 1

    def _do(self, dataset: Dataset, element: DataElement, action: str, depth: int) -> str:
        if action == "X":
            del dataset[element.tag]
            return "dropped"
        if element.VR == "SQ" and action not in ("Z", "D"):
            for item in element.value or ():
                self.items(item, depth + 1)
            return "walked"
        if action in ("Z", "D"):
            return self._replace(element, action)
        if action in ("U", "X/Z/U*"):
            element.value = _each(element.value, lambda uid: self._keys.uid(str(uid)))
            return "renamed"
        if action == "C":
            return self._clean(dataset, element)
        return self._keep(dataset, element)

    def _replace(self, element: DataElement, action: str) -> str:
        from pydicom.dataset import Dataset as Item
        from pydicom.sequence import Sequence

        if int(element.tag) in _PSEUDONYMS:
            element.value = self._keys.pseudonym(self._person)
            return "pseudonym"
        if action == "Z":
            element.value = Sequence([]) if element.VR == "SQ" else "" if element.VR not in BULK else b""
            return "emptied"
        if element.VR == "SQ":
            element.value = Sequence([Item()])
        elif element.VR == "UI":
            element.value = _each(element.value, lambda uid: self._keys.uid(str(uid)))
        else:
            element.value = dummy(element.VR)
        return "replaced"

    def _clean(self, dataset: Dataset, element: DataElement) -> str:
        """Dates move; texts go through the cleaner; what cannot be cleaned goes."""
        if element.VR in DATES:
            values = [moved(element.VR, str(one), self._days) for one in _listed(element.value) if str(one)]
        elif element.VR in TEXTS and self._cleaner is not None:
            values = [self._cleaner(str(one)) for one in _listed(element.value)]
            values = [None if one is None or self._strings.in_text(one) else one for one in values]
        else:
            values = [None]
        if any(one is None for one in values):
            del dataset[element.tag]
            return "dropped"
        element.value = values if len(values) > 1 else values[0] if values else ""
        return "cleaned"

    def _keep(self, dataset: Dataset, element: DataElement) -> str:
        if element.VR == "AS":
            aged = [capped_age(str(one)) for one in _listed(element.value)]
            if all(aged):
                element.value = aged[0] if len(aged) == 1 else aged
                return "kept"
        elif self._may_stay(element):
            return "kept"
        del dataset[element.tag]
        return "dropped"

    def _may_stay(self, element: DataElement) -> bool:
        """Whether the values have the form of their representation and hold none of the patient's strings."""
        vr = element.VR
        if vr in NUMBERS or vr in BULK or " or " in vr:
            return True
        texts = [str(one) for one in _listed(element.value)]
        if vr in ("IS", "DS"):
            return all(not text or (is_number(text) and not self._strings.is_one(text)) for text in texts)
        if vr in DATES:
            return all(is_moment(vr, text) for text in texts)
        if vr == "CS":
            return all(is_code(text) and not self._strings.in_text(text) for text in texts)
        return not any(self._strings.in_text(text) for text in texts)

    def _private(self, dataset: Dataset, tag: Any) -> None:
        """A private attribute stays only where the profile names it and its value is a number."""
        told = "dropped"
        if self._is_safe(dataset, tag):
            told = "kept"
        else:
            del dataset[tag]
        self._counts[told] = self._counts.get(told, 0) + 1

    def _is_safe(self, dataset: Dataset, tag: Any) -> bool:
        if "safe_private" not in self._home._chosen:
            return False
        if tag.element < 0x100:
            creator = str(dataset[tag].value)
            return any(creator == name and tag.group == group for name, group, _ in self._home._safe)
        owner = dataset.get((tag.group, tag.element >> 8))
        creator = str(owner.value) if owner is not None else ""
        if (creator, tag.group, tag.element & 0xFF) not in self._home._safe:
            return False
        element = dataset[tag]
        if element.VR in NUMBERS:
            return True
        return element.VR in ("DS", "IS") and all(
            is_number(str(one)) and not self._strings.is_one(str(one)) for one in _listed(element.value)
        )


def _listed(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__") or hasattr(value, "components"):
        return [value]
    return list(value)


def _each(value: Any, change: Callable[[Any], str]) -> Any:
    found = [change(one) for one in _listed(value)]
    return found if len(found) > 1 else found[0] if found else ""


def _unreadable(error: Exception) -> UnreadableInstance:
    return UnreadableInstance(
        "The bytes are no DICOM instance that can be read and written.",
        why=type(error).__name__,
        remedy="Send the object again; keep it out of the extract until it can be read.",
    )
