"""Text that is burned into pixels: rules of regions, blanking, and the plug-in that looks for text.

A rule tells by modality and device where a patient's text stands; where no rule tells and the kind of object is
known for it, the object is refused rather than given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.deidentify.dicom.errors import BadDicomProfile, BurnedInText, UnreadableInstance

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Frame = NDArray[Any]
_UNCOMPRESSED = frozenset(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"))
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


class Box(msgspec.Struct, frozen=True, array_like=True):
    """A rectangle of pixels: left and top edge, width and height."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.x, self.y) < 0 or min(self.width, self.height) < 1:
            raise BadDicomProfile("A region lies in the image and is not empty.", remedy="State x, y, width, height.")


class RegionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which objects (every condition that is stated holds) and what becomes of their pixels.

    ``modality``, ``manufacturer``, ``model`` (each one of), ``image_type`` (one of, among the object's values),
    ``burned_in`` (one of; ``""``: not said), ``rows`` and ``columns``. ``blank``: boxes set to the lowest value;
    ``keep = "declared"``: all but the ultrasound regions that the object declares; ``refuse``: it is not given.
    """

    name: str
    modality: tuple[str, ...] = ()
    manufacturer: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    image_type: tuple[str, ...] = ()
    burned_in: tuple[str, ...] = ()
    rows: int = 0
    columns: int = 0
    blank: tuple[Box, ...] = ()
    keep: str = ""
    refuse: bool = False

    def __post_init__(self) -> None:
        if sum((bool(self.blank), bool(self.keep), self.refuse)) != 1 or self.keep not in ("", "declared"):
            raise BadDicomProfile(
                f"The rule {self.name!r} does not say one thing.",
                remedy="State boxes to 'blank', keep = \"declared\", or refuse = true.",
            )

    def fits(self, dataset: Dataset) -> bool:
        """Whether the rule speaks of this object."""
        told = {
            "modality": self.modality,
            "manufacturer": self.manufacturer,
            "model": self.model,
            "burned_in": self.burned_in,
        }
        keywords = {"model": "ManufacturerModelName", "burned_in": "BurnedInAnnotation"}
        for name, wanted in told.items():
            if wanted and _text(dataset, keywords.get(name, name.capitalize())) not in wanted:
                return False
        if self.image_type and not set(self.image_type) & set(_texts(dataset, "ImageType")):
            return False
        return all(
            not wanted or dataset.get(keyword) == wanted
            for keyword, wanted in (("Rows", self.rows), ("Columns", self.columns))
        )


class TextFinder(Protocol):
    """A plug-in that finds text in pixels (optical character recognition); ``name`` is recorded in the object."""

    name: str

    def find(self, frame: Frame) -> Sequence[Box]:
        """Boxes around every text of a frame: rows × columns, or rows × columns × 3, as stored."""
        ...


def clean_pixels(dataset: Dataset, rules: Sequence[RegionRule], finder: TextFinder | None) -> str:
    """Blank what the first fitting rule names, and what ``finder`` finds; what was done, in a few words.

    Guarantee: nothing is given whose rule says refuse, unless a ``finder`` looked at every frame. Compressed pixels
    that have to change are decoded and stored uncompressed; ``UnreadableInstance`` where they cannot be decoded.
    ``BurnedInText`` names the rule.
    """
    rule = next((one for one in rules if one.fits(dataset)), None)
    if "PixelData" not in dataset:
        return ""
    if rule is None and finder is None:
        return ""
    if rule is not None and rule.refuse and finder is None:
        raise BurnedInText(
            f"The pixels may show a person's text (rule: {rule.name}).",
            remedy="State a rule with the regions to blank, or set up a finder of text.",
        )
    pixels = _pixels(dataset)
    done = []
    if rule is not None and not rule.refuse:
        _apply(rule, dataset, pixels)
        done.append(f"regions: {rule.name}")
    if finder is not None:
        for frame in pixels:
            for box in finder.find(frame):
                _blank(frame, box)
        done.append(f"text finder: {finder.name}")
    _store(dataset, pixels)
    return "; ".join(done)


def clear_unused_bits(dataset: Dataset) -> None:
    """Set bits above those stored to zero in plain pixels: retired overlays, or anything else, may hide there."""
    allocated, stored, high = (dataset.get(name) for name in ("BitsAllocated", "BitsStored", "HighBit"))
    if "PixelData" not in dataset or allocated != 16 or not stored or stored >= 16 or high != stored - 1:
        return
    if _syntax(dataset) not in _UNCOMPRESSED or dataset.get("PixelRepresentation"):
        return
    if len(dataset.PixelData) % 2:
        return
    words = np.frombuffer(dataset.PixelData, dtype="<u2")
    used = np.uint16((1 << stored) - 1)
    if (words & ~used).any():
        dataset.PixelData = (words & used).tobytes()


def cut_behind_pixels(dataset: Dataset) -> None:
    """Cut plain pixels to the length that the image has: what stands behind it is no image (``frames``: compressed)."""
    words = ("Rows", "Columns", "BitsAllocated")
    if "PixelData" not in dataset or _syntax(dataset) not in _UNCOMPRESSED or not all(dataset.get(w) for w in words):
        return
    samples, frames = int(dataset.get("SamplesPerPixel") or 1), int(dataset.get("NumberOfFrames") or 1)
    bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.BitsAllocated) * samples * frames
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    length = -(-bits // 8)
    if len(dataset.PixelData) > length + length % 2:
        dataset.PixelData = dataset.PixelData[:length] + b"\0" * (length % 2)


def _apply(rule: RegionRule, dataset: Dataset, pixels: list[Frame]) -> None:
    if rule.keep == "declared":
        kept = _declared(dataset)
        for frame in pixels:
            shown = np.zeros(frame.shape[:2], dtype=bool)
            for box in kept:
                shown[box.y : box.y + box.height, box.x : box.x + box.width] = True
            frame[~shown] = 0
        return
    for frame in pixels:
        for box in rule.blank:
            _blank(frame, box)


def _blank(frame: Frame, box: Box) -> None:
    frame[box.y : box.y + box.height, box.x : box.x + box.width] = 0


def _declared(dataset: Dataset) -> list[Box]:
    boxes = []
    for item in dataset.get("SequenceOfUltrasoundRegions") or ():
        x0, y0, x1, y1 = (int(item.get(f"RegionLocation{edge}", -1)) for edge in ("MinX0", "MinY0", "MaxX1", "MaxY1"))
        if 0 <= x0 <= x1 and 0 <= y0 <= y1:
            boxes.append(Box(x0, y0, x1 - x0 + 1, y1 - y0 + 1))
    if not boxes:
        raise BurnedInText(
            "The ultrasound object declares no region, so its text cannot be told from its image.",
            remedy="State a rule with the regions to blank, or set up a finder of text.",
        )
    return boxes


def _pixels(dataset: Dataset) -> list[Frame]:
    """Frames that may be written to, in the colours that are stored."""
    from pydicom.pixels import pixel_array

    try:
        found = np.array(pixel_array(dataset, raw=True))
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise UnreadableInstance(
            "The pixels cannot be decoded here.",
            why=type(error).__name__,
            remedy="Send the object uncompressed, or install a decoder for its transfer syntax.",
        ) from error
    frames = int(dataset.get("NumberOfFrames") or 1)
    return [found] if frames == 1 else [found[number] for number in range(frames)]


def _store(dataset: Dataset, frames: list[Frame]) -> None:
    from pydicom.uid import UID

    stacked = frames[0] if len(frames) == 1 else np.stack(frames)
    if stacked.dtype.byteorder == ">":
        stacked = stacked.astype(stacked.dtype.newbyteorder("<"))
    body = stacked.tobytes()
    dataset.PixelData = body + b"\0" * (len(body) % 2)
    dataset["PixelData"].is_undefined_length = False
    if dataset.get("SamplesPerPixel", 1) > 1:
        dataset.PlanarConfiguration = 0
    if _syntax(dataset) not in _UNCOMPRESSED:
        dataset.file_meta.TransferSyntaxUID = UID(_EXPLICIT_LITTLE)
    if dataset.get("BitsAllocated") == 8:
        dataset["PixelData"].VR = "OB"


def _syntax(dataset: Dataset) -> str:
    return str(getattr(dataset, "file_meta", {}).get("TransferSyntaxUID", ""))


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()


def _texts(dataset: Dataset, keyword: str) -> list[str]:
    found = dataset.get(keyword) or ()
    return [str(one).strip() for one in ([found] if isinstance(found, str) else found)]
