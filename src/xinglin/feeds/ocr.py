"""Text that is burned into pixels, found by Tesseract: the finder that DICOM de-identification may be handed.

Tesseract is a program of the hospital's own machine (Debian: ``tesseract-ocr``, ``tesseract-ocr-chi-sim``); nothing
is sent anywhere. What it finds is blanked; what it misses stays, so a hospital looks at a sample of each device
before it relies on it (docs/deidentification.md).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

import numpy as np

from xinglin.privacy.deidentify.dicom.errors import UnreadableInstance
from xinglin.privacy.deidentify.dicom.regions import Box, Frame

TIMEOUT_S = 60.0
"""For one frame; longer is refused, not given."""

_ENLARGED = 2
_MARGIN = 3
_COLUMNS = ("left", "top", "width", "height", "conf", "text")


class Tesseract:
    """Port ``TextFinder``: boxes around every word, in dark or in light letters.

    ``languages``: as Tesseract names them. Raises ``UnreadableInstance`` where the program is missing, fails, or takes
    more than ``TIMEOUT_S``.
    """

    name = "tesseract"

    def __init__(self, languages: Sequence[str] = ("eng",), program: str = "tesseract") -> None:
        self._program, self._languages = shutil.which(program) or "", "+".join(languages)

    def find(self, frame: Frame) -> list[Box]:
        """See the port; the frame is looked at as it is and inverted, enlarged twice."""
        grey = _grey(frame)
        boxes = [box for image in (grey, 255 - grey) for box in self._words(image)]
        rows, columns = grey.shape
        return [_widened(box, columns, rows) for box in boxes]

    def _words(self, image: Frame) -> list[Box]:
        large = np.repeat(np.repeat(image, _ENLARGED, axis=0), _ENLARGED, axis=1)
        head = f"P5 {large.shape[1]} {large.shape[0]} 255\n".encode()
        table = self._run(head + large.tobytes()).splitlines()
        names = table[0].split("\t") if table else []
        if not set(_COLUMNS) <= set(names):
            raise _failed("it printed no table")
        found = []
        for line in table[1:]:
            row = dict(zip(names, line.split("\t"), strict=False))
            if float(row["conf"]) < 0 or not any(map(str.isalnum, row.get("text", ""))):
                continue
            x, y, width, height = (int(row[name]) for name in _COLUMNS[:4])
            found.append(Box(x // _ENLARGED, y // _ENLARGED, -(-width // _ENLARGED), -(-height // _ENLARGED)))
        return found

    def _run(self, image: bytes) -> str:
        if not self._program:
            raise _failed("it is not installed")
        words = [self._program, "stdin", "stdout", "-l", self._languages, "--psm", "11", "tsv"]
        try:
            done = subprocess.run(words, input=image, capture_output=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise _failed("it took too long") from error
        if done.returncode:
            raise _failed("it could not read the frame, or lacks the language")
        return done.stdout.decode("utf-8", "replace")


def _grey(frame: Frame) -> Frame:
    """Eight bits, darkest to lightest."""
    values = frame.astype(np.float64)
    if values.ndim == 3:
        values = values.mean(axis=2)
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros(values.shape)
    return scaled.astype(np.uint8)


def _widened(box: Box, columns: int, rows: int) -> Box:
    left, top = max(box.x - _MARGIN, 0), max(box.y - _MARGIN, 0)
    right, bottom = min(box.x + box.width + _MARGIN, columns), min(box.y + box.height + _MARGIN, rows)
    return Box(left, top, max(right - left, 1), max(bottom - top, 1))


def _failed(why: str) -> UnreadableInstance:
    return UnreadableInstance(
        "The finder of burned-in text gave no answer.",
        why=f"Tesseract: {why}.",
        remedy="Install tesseract-ocr and the languages that are named, or state a rule with regions to blank.",
    )
