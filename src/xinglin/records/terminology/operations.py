"""What is asked of a vocabulary: look a code up, validate it, compare two, translate one.

FHIR R4 §4.7 to 4.10 (``$lookup``, ``$validate-code``, ``$subsumes``, ``$translate``). A "no" is a value.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from xinglin.records.terminology.errors import UnknownCode, UnknownSystem
from xinglin.records.terminology.expansion import contains
from xinglin.records.terminology.icd10 import SYSTEMS, standard_icd
from xinglin.records.terminology.model import CodeSystem, Concept, Equivalence, Translation
from xinglin.records.terminology.ports import Vocabulary
from xinglin.records.terminology.systems import ICD10_CM, UCUM, canonical_system
from xinglin.records.terminology.units import is_unit, normal_unit

Subsumption = Literal["equivalent", "subsumes", "subsumed-by", "not-subsumed"]


class Found(msgspec.Struct, frozen=True):
    """A concept in its code system."""

    system: CodeSystem
    concept: Concept


class Validated(msgspec.Struct, frozen=True):
    """Whether a code is valid; ``words`` say why not, ``display`` is the right one, ``inactive`` as it is."""

    valid: bool
    words: str = ""
    display: str = ""
    version: str = ""
    inactive: bool = False


class Translated(msgspec.Struct, frozen=True):
    """What maps and rules make of a code, the closest first; ``found``: there is a target at all."""

    found: bool
    targets: tuple[Translation, ...] = ()


def lookup(vocabulary: Vocabulary, system: str, code: str, version: str = "") -> Found:
    """The concept. Raises ``UnknownSystem`` or ``UnknownCode``."""
    url = canonical_system(system)
    held = _held(vocabulary, url, version)
    concept = vocabulary.concept(url, code, version)
    if concept is None:
        raise UnknownCode(f"{held.name} {held.version} has no such code.")
    return Found(held, concept)


def validate_code(
    vocabulary: Vocabulary,
    code: str,
    system: str = "",
    *,
    display: str = "",
    version: str = "",
    value_set: str = "",
) -> Validated:
    """Whether a code is one of its system and, where one is named, of a value set; and its display, where given.

    UCUM needs nothing loaded. Raises ``UnknownSystem`` or ``UnknownValueSet``.
    """
    url = canonical_system(system)
    if url == UCUM and not value_set:
        better = normal_unit(code)
        said = f"UCUM writes it {better}." if better and better != code else "It is no unit of UCUM."
        return Validated(True, "", code) if is_unit(code) else Validated(False, said)
    if value_set:
        found = contains(vocabulary, value_set, url, code)
        if found is None:
            return Validated(False, "The code is not in the value set.")
        url, listed = found
    else:
        _held(vocabulary, url, version)
        listed = ""
    held = vocabulary.system(url, version)
    concept = vocabulary.concept(url, code, version)
    if concept is None:
        if value_set:
            return Validated(not display or display == listed, "", listed)
        if held is not None and held.fragment:
            return Validated(True, "The code is not in the part of its code system that is known here.")
        return Validated(False, "The code is not in its code system.", "", held.version if held else "")
    edition, shown = held.version if held else "", concept.display or listed
    names = {_plain(name) for name in (*concept.names(), listed) if name}
    if display and names and _plain(display) not in names:
        return Validated(False, "The display is none of the code's names.", shown, edition, concept.inactive)
    return Validated(True, "", shown, edition, concept.inactive)


def subsumes(vocabulary: Vocabulary, system: str, a: str, b: str, version: str = "") -> Subsumption:
    """How ``a`` stands to ``b``: ``subsumes`` says that ``a`` is wider. Raises ``UnknownSystem`` or ``UnknownCode``."""
    url = canonical_system(system)
    for code in (a, b):
        lookup(vocabulary, url, code, version)
    if a == b:
        return "equivalent"
    if vocabulary.is_below(url, b, a, version):
        return "subsumes"
    return "subsumed-by" if vocabulary.is_below(url, a, b, version) else "not-subsumed"


def translate(vocabulary: Vocabulary, system: str, code: str, target: str = "", url: str = "") -> Translated:
    """Targets of a code by the loaded maps (or the one at ``url``), and by the rules of ICD-10.

    ``target``: only codes of this system. What a map says is *unmapped* is no target.
    """
    source, wanted = canonical_system(system), canonical_system(target)
    found = list(vocabulary.translations(source, code, url))
    if not url and source in (*SYSTEMS, ICD10_CM):
        icd = standard_icd(source, code)
        if icd is not None and (icd[0], icd[1]) != (code, source):
            held = vocabulary.concept(icd[1], icd[0])
            told: Equivalence = "equivalent" if icd[2] == "equivalent" else "wider"
            found.append(Translation(icd[0], icd[1], told, held.display if held else "", "rules of ICD-10"))
    targets = [one for one in found if one.code and wanted in ("", one.system)]
    unique = {(one.system, one.code): one for one in reversed(targets)}
    order = ("equivalent", "wider", "narrower", "related")
    ranked = sorted(unique.values(), key=lambda one: order.index(one.equivalence))
    return Translated(bool(ranked), tuple(ranked))


def _held(vocabulary: Vocabulary, url: str, version: str) -> CodeSystem:
    held = vocabulary.system(url, version)
    if held is None:
        raise UnknownSystem(
            f"The code system {url or 'without a name'} is not loaded{' in this version' if version else ''}.",
            remedy="Load it with xinglin terms load.",
        )
    return held


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
