"""The confidentiality table of DICOM PS3.15 (E.1-1): what becomes of each attribute under which options.

Source: PS3.15 edition 2026c for the basic profile; the columns of the options are those of 2020, and for attributes
that are newer they follow the rule by which the standard fills them (``tools/dicom_profile.py``).
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Set as AbstractSet
from importlib import resources

import msgspec

from xinglin.privacy.deidentify.dicom.errors import BadDicomProfile

DICOM_OPTIONS: dict[str, tuple[str, str]] = {
    "clean_pixels": ("113101", "Clean Pixel Data Option"),
    "graphics": ("113103", "Clean Graphics Option"),
    "structure": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "moved_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe_private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}
"""Options by name: code and meaning of context group 7050 (PS3.16), recorded in each object."""

BASIC = ("113100", "Basic Application Confidentiality Profile")

_PRIORITY = ("X", "K", "C")
"""Where several options speak of one attribute: removing goes before keeping, keeping before cleaning."""


class Attribute(msgspec.Struct, frozen=True):
    """A row of the table: ``tag & mask`` is ``number``; ``basic``: the basic profile's action code.

    ``options``: action by option name. ``by_rule``: the option columns follow the rule, not the printed table.
    """

    number: int
    mask: int
    vr: str
    keyword: str
    basic: str
    options: dict[str, str]
    by_rule: bool

    def action(self, chosen: AbstractSet[str]) -> str:
        """The action code under the ``chosen`` options: K, C, or the basic profile's."""
        found = {code for name, code in self.options.items() if name in chosen}
        return next((code for code in _PRIORITY if code in found), self.basic)


@functools.cache
def attributes() -> dict[int, Attribute]:
    """Rows by tag; repeating groups (50xx, 60xx) stand under their lowest tag, see ``attribute_of``."""
    text = resources.files(__package__).joinpath("confidentiality.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    found = (
        Attribute(
            number=int(row["tag"], 16),
            mask=int(row["mask"], 16),
            vr=row["vr"],
            keyword=row["keyword"],
            basic=row["basic"],
            options=_pairs(row["options"]),
            by_rule=row["from"] == "rule",
        )
        for row in rows
    )
    return {one.number: one for one in found}


@functools.cache
def _repeating() -> tuple[Attribute, ...]:
    return tuple(one for one in attributes().values() if one.mask != 0xFFFFFFFF)


def attribute_of(tag: int) -> Attribute | None:
    """The row of a tag, repeating groups included; ``None`` where the table says nothing."""
    found = attributes().get(tag)
    if found is not None and found.mask == 0xFFFFFFFF:
        return found
    return next((one for one in _repeating() if tag & one.mask == one.number), None)


def check_options(chosen: AbstractSet[str]) -> None:
    """Raise ``BadDicomProfile`` for an unknown option, or for both date options at once."""
    unknown = sorted(chosen - DICOM_OPTIONS.keys())
    if unknown:
        known = ", ".join(DICOM_OPTIONS)
        raise BadDicomProfile(f"There is no option {unknown[0]!r}.", remedy=f"Options: {known}.")
    if {"full_dates", "moved_dates"} <= chosen:
        raise BadDicomProfile(
            "Dates are kept or moved, not both.", remedy="Name one of 'full_dates' and 'moved_dates'."
        )


def _pairs(text: str) -> dict[str, str]:
    return dict(part.split("=") for part in text.split()) if text else {}
