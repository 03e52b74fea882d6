"""Burned-in text is found by the real Tesseract and blanked; without the program nothing is given."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from tests.conftest import missing
from tests.unit.privacy.deidentify_dicom.test_actions import deidentifier
from tests.unit.privacy.deidentify_dicom.test_objects import instance, read

from xinglin.feeds.ocr import Tesseract
from xinglin.privacy.deidentify.dicom import UnreadableInstance


@pytest.fixture
def tesseract() -> Tesseract:
    if shutil.which("tesseract") is None:
        missing("ocr", "no tesseract: install tesseract-ocr")
    return Tesseract()


def drawn(text: str, light: bool) -> np.ndarray:
    """A noisy picture with ``text`` near its top."""
    noise = np.random.default_rng(3).integers(90, 140, size=(200, 400)).astype(np.uint8)
    image = Image.fromarray(noise)
    ImageDraw.Draw(image).text((20, 12), text, fill=255 if light else 0, font=ImageFont.load_default(24))
    return np.asarray(image)


@pytest.mark.parametrize("light", [True, False])
def test_a_drawn_name_is_blanked_and_the_image_stays(tesseract: Tesseract, light: bool) -> None:
    picture = drawn("ZHANG WEIGUO 19900307", light)
    data = instance(
        Modality="SC", Rows=200, Columns=400, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=picture.tobytes()
    )
    found = read(deidentifier(finder=tesseract).file(data, "Patient/7")).pixel_array
    extreme = 255 if light else 0
    letters = picture == extreme
    assert letters.sum() > 500
    assert (found[letters] == 0).mean() > 0.98
    assert (found[60:] == picture[60:]).mean() > 0.9


def test_without_the_program_nothing_is_given() -> None:
    with pytest.raises(UnreadableInstance):
        deidentifier(finder=Tesseract(program="no-such-program")).file(instance(Modality="SC"), "Patient/7")


def test_a_language_that_is_not_installed_is_a_named_error(tesseract: Tesseract) -> None:
    with pytest.raises(UnreadableInstance):
        Tesseract(languages=("zzz",)).find(np.zeros((20, 20), dtype=np.uint8))
