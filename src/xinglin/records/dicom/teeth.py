"""FDI tooth numbers (ISO 3950) of a header: from coded structures, or from the words that describe them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from xinglin.records.dicom.header import Header

_KINDS = {
    ("central", "incisor"): 1, ("lateral", "incisor"): 2, ("canine",): 3, ("first", "premolar"): 4,
    ("second", "premolar"): 5, ("first", "molar"): 6, ("second", "molar"): 7, ("third", "molar"): 8,
}  # fmt: skip
_QUADRANTS = {
    ("maxillary", "right"): 1,
    ("maxillary", "left"): 2,
    ("mandibular", "left"): 3,
    ("mandibular", "right"): 4,
}
_UPPER, _LOWER = ("maxillary", "upper", "maxilla"), ("mandibular", "lower", "mandible")
_FDI_SCHEMES = ("FDI", "ISO3950", "ISO 3950", "ISO_3950", "I3950", "1.0.3950")
_FDI = re.compile(r"(?:[1-4][1-8]|[5-8][1-5])")
_CIDS = (4018, 4019)
_SEQUENCES = ("PrimaryAnatomicStructureSequence", "AnatomicRegionSequence")
_MODIFIERS = ("PrimaryAnatomicStructureModifierSequence", "AnatomicRegionModifierSequence")


def fdi_teeth(header: Header) -> tuple[str, ...]:
    """Teeth that the image is of, as FDI numbers in order; empty where the header names none.

    Codes of CID 4018 and 4019 (PS3.16), codes of an FDI scheme, or English words of either. For deciduous molars
    the fourth and fifth place are the first and second molar.
    """
    found = {tooth for item in _coded(header) if (tooth := _of_item(item))}
    return tuple(sorted(found))


def tooth_of_words(words: str) -> str:
    """The FDI number of a tooth in English words; "" where they name none.

    >>> tooth_of_words("Permanent maxillary right first molar tooth"), tooth_of_words("Mandible")
    ('16', '')
    """
    said = set(re.findall(r"[a-z]+", words.lower()))
    jaw = "maxillary" if said & set(_UPPER) else "mandibular" if said & set(_LOWER) else ""
    side = "right" if "right" in said else "left" if "left" in said else ""
    kind = next((number for names, number in _KINDS.items() if said.issuperset(names)), 0)
    if not kind and "lateral" in said and "tooth" in said:
        kind = 2
    quadrant = _QUADRANTS.get((jaw, side), 0)
    if not kind or not quadrant or "supernumerary" in said:
        return ""
    if said & {"deciduous", "primary"}:
        kind = {6: 4, 7: 5}.get(kind, kind)
        return f"{quadrant + 4}{kind}" if kind <= 5 else ""
    return f"{quadrant}{kind}"


def _coded(header: Header) -> Iterable[Header]:
    for name in _SEQUENCES:
        for item in header.items(name):
            yield item
            for modifier in _MODIFIERS:
                yield from item.items(modifier)


def _of_item(item: Header) -> str:
    code, scheme, words = item.text("CodeValue"), item.text("CodingSchemeDesignator"), item.text("CodeMeaning")
    if scheme.upper() in _FDI_SCHEMES:
        plain = code.replace(".", "").replace("#", "")
        return plain if _FDI.fullmatch(plain) else ""
    return _known().get(code, "") or tooth_of_words(words)


@cache
def _known() -> dict[str, str]:
    """FDI number by SNOMED CT and SNOMED RT code."""
    from pydicom.sr._concepts_dict import concepts
    from pydicom.sr._snomed_dict import mapping

    found: dict[str, str] = {}
    listed: dict[str, dict[str, tuple[str, list[int]]]] = concepts["SCT"]  # type: ignore[assignment]
    for values in listed.values():
        for code, (words, groups) in values.items():
            tooth = tooth_of_words(words) if set(groups) & set(_CIDS) else ""
            if tooth:
                found[code] = tooth
                retired = mapping["SCT"].get(code)
                if retired:
                    found[retired] = tooth
    return found
