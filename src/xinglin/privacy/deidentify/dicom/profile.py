"""A DICOM profile: options of the standard, technical texts that stay, safe private attributes, rules of regions."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Any

import msgspec

from xinglin.privacy.deidentify.dicom.confidentiality import check_options
from xinglin.privacy.deidentify.dicom.errors import BadDicomProfile
from xinglin.privacy.deidentify.dicom.regions import RegionRule


class SafePrivate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A private attribute known to be safe: ``creator``, ``group`` (odd) and the last byte of its element."""

    creator: str
    group: int
    element: int


class DicomProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of DICOM objects under one profile.

    ``options``: of PS3.15 (``confidentiality.DICOM_OPTIONS``). ``texts``: keywords of attributes whose text stays
    although the table does not list them; each value is still checked against the patient's own strings. A text
    attribute that neither the table nor this list names is dropped. ``private``: safe private attributes, used with
    the option ``safe_private``. ``regions``: where text is burned in; the first rule that fits holds. ``days``: by how
    much dates move at most.
    """

    name: str
    options: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    private: tuple[SafePrivate, ...] = ()
    regions: tuple[RegionRule, ...] = ()
    days: int = 180

    def __post_init__(self) -> None:
        check_options(frozenset(self.options))
        if not 1 <= self.days <= 3650:
            raise BadDicomProfile("Dates move by 1 to 3650 days.", remedy="State days in that range.")
        if any(one.group % 2 == 0 or not 0 <= one.element <= 0xFF for one in self.private):
            raise BadDicomProfile(
                "A private attribute has an odd group and an element from 0 to 255.",
                remedy="State the group and the last byte of the element.",
            )
        unknown = [word for word in self.texts if not _is_keyword(word)]
        if unknown:
            raise BadDicomProfile(f"{unknown[0]!r} is no attribute of DICOM.", remedy="Use keywords of PS3.6.")


def load_dicom_profile(text: str) -> DicomProfile:
    """The profile of a TOML page; ``technical = true`` adds the packaged list of technical texts.

    Raises ``BadDicomProfile`` for what cannot be read, an unknown option, keyword or field.
    """
    try:
        page: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadDicomProfile(f"The profile is no TOML: {error}", remedy="Mend the page.") from error
    if page.pop("technical", False):
        own = page.get("texts", [])
        page["texts"] = [*(own if isinstance(own, list) else []), *_packaged()["texts"]]
        page["private"] = [*page.get("private", []), *_packaged()["private"]]
    if page.pop("shipped_regions", False):
        page["regions"] = [*page.get("regions", []), *_packaged()["regions"]]
    try:
        return msgspec.convert(page, DicomProfile)
    except msgspec.ValidationError as error:
        raise BadDicomProfile(f"The profile is not as it should be: {error}", remedy="Mend the page.") from error


@functools.cache
def shipped_dicom(name: str) -> DicomProfile:
    """``basic``, ``longitudinal`` (dates moved, the patient's characteristics kept) or ``public``.

    Raises ``BadDicomProfile`` for another name.

    >>> shipped_dicom("basic").options
    ('clean_pixels', 'safe_private')
    """
    pages = _packaged()["profiles"]
    if name not in pages:
        raise BadDicomProfile(f"There is no profile {name!r}.", remedy=f"Shipped: {', '.join(sorted(pages))}.")
    packaged = {key: _packaged()[key] for key in ("texts", "private", "regions")}
    return msgspec.convert({"name": name, **packaged, **pages[name]}, DicomProfile)


@functools.cache
def _packaged() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("shipped.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@functools.cache
def _keywords() -> frozenset[str]:
    from pydicom.datadict import DicomDictionary

    return frozenset(entry[4] for entry in DicomDictionary.values())


def _is_keyword(word: str) -> bool:
    return word in _keywords()
