"""Units: as they were written to UCUM, checked against its grammar, and numbers from one to another.

UCUM 2.1. Reading words is ours; grammar and conversion are ucumvert's and pint's, each unit asked for once.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

from xinglin.records.terminology.errors import CannotConvert
from xinglin.records.terminology.unit_words import COMMON, FOLDED, PARTS, WHOLE

UNIT_CHARACTERS = 64
"""A longer text is no unit."""
UCUM = "http://unitsofmeasure.org"

_RAISED = str.maketrans({digit: f"^{plain}" for plain, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")} | {"⁻": "^-"})
_SIGNS = str.maketrans({"μ": "u", "µ": "u", "×": "x", "✕": "x", "∕": "/", "÷": "/", "·": ".", "•": ".", "－": "-"})
_TEN = re.compile(r"\A(?:[xX*](?=10))?10(?:[\^*~]|\*\*|[eE]\+?|-(?=\d+/)|(?=\(\d\d?\)))\(?(-?\d{1,2})\)?(?![\d.])")
_DAY = re.compile(r"/24(?:h|hr|hrs|H|小时)\Z")
_SPLIT = re.compile(r"([/.*()])")
_EXPONENT = re.compile(r"\A(.*[a-zA-Z\]])\^?(-?\d)\Z")


@lru_cache(maxsize=16_384)
def normal_unit(text: str) -> str | None:
    """The UCUM unit that is meant, or None where that cannot be told.

    >>> normal_unit("mmHg"), normal_unit("×10^9/L"), normal_unit("μmol/l"), normal_unit("MG/DL"), normal_unit("次/分")
    ('mm[Hg]', '10*9/L', 'umol/L', 'mg/dL', '/min')
    >>> normal_unit("see note") is None
    True
    """
    if not text or len(text) > UNIT_CHARACTERS:
        return None
    if text in COMMON:
        return text
    said = plain_unit(text)
    if not said:
        return None
    known = WHOLE.get(said) or (said if said in COMMON else None)
    if known:
        return known
    powered = _DAY.sub("/(24.h)", _TEN.sub(r"10*\1", said))
    by_parts = powered if "{" in powered else "".join(map(_part, _SPLIT.split(powered)))
    for candidate in (powered, by_parts):
        folded = FOLDED.get(candidate.casefold())
        if folded:
            return folded
    return next((one for one in (by_parts, powered) if is_unit(one)), None)


def plain_unit(text: str) -> str:
    """The text in plain letters, without spaces: full-width forms, raised digits and Greek mu are written out.

    >>> plain_unit("× 10⁹ ／ Ｌ")
    'x10^9/L'
    """
    plain = unicodedata.normalize("NFKC", re.sub(r"\^\^", "^", text.translate(_RAISED)))
    return re.sub(r"\^(\d)\^(\d)", r"^\1\2", "".join(plain.translate(_SIGNS).split())).replace("^-^", "^-")


def _part(factor: str) -> str:
    known = PARTS.get(factor)
    if known:
        return known
    match = _EXPONENT.match(factor)
    if match is None or factor.startswith("10*"):
        return factor
    unit, power = match.groups()
    return PARTS.get(unit, unit) + power


@lru_cache(maxsize=16_384)
def is_unit(text: str) -> bool:
    """Whether the text is a UCUM unit (case-sensitive codes).

    >>> is_unit("mg/dL"), is_unit("[pH]"), is_unit("mmHg")
    (True, True, False)
    """
    if text in COMMON:
        return True
    if not text or len(text) > UNIT_CHARACTERS or not text.isascii() or any(sign.isspace() for sign in text):
        return False
    from lark.exceptions import LarkError

    try:
        _grammar().parse(text)
    except LarkError:
        return False
    return True


@cache
def _grammar() -> Any:
    from ucumvert import get_ucum_parser

    return get_ucum_parser()


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


def convert(value: float, source: str, target: str, *, molar_mass_g: float | None = None) -> float:
    """A number of ``source`` units in ``target`` units (UCUM).

    An amount of substance becomes a mass only with the substance's ``molar_mass_g`` (grams a mole): UCUM does not
    know what was measured. Raises ``CannotConvert``.

    >>> round(convert(180.0, "mg/dL", "g/L"), 3), round(convert(5.5, "mmol/L", "mg/dL", molar_mass_g=180.156), 1)
    (1.8, 99.1)
    """
    if source == target and is_unit(source):
        return value
    factor, offset = _line(source, target, molar_mass_g)
    return value * factor + offset


@lru_cache(maxsize=4_096)
def _line(source: str, target: str, molar_mass_g: float | None) -> tuple[float, float]:
    """Factor and offset; the scales of UCUM that are no straight line are refused."""
    here, there = _pint(source), _pint(target)
    if here.dimensionality != there.dimensionality:
        here, there = _weighed(here, there, source, target, molar_mass_g)
    from pint import errors

    registry = _registry()
    try:
        zero, one, two = (float(registry.Quantity(n, here.units).to(there.units).magnitude) for n in (0.0, 1.0, 2.0))
    except (errors.PintError, ArithmeticError, TypeError) as error:
        raise CannotConvert("scale", f"{source} and {target} are units of different scales.") from error
    if abs((two - one) - (one - zero)) > 1e-9 * max(abs(two), abs(one), 1e-300):
        raise CannotConvert("scale", f"{source} to {target} is no straight line.")
    factor = (one - zero) * float(here.magnitude) / float(there.magnitude)
    return _rounded(factor), _rounded(zero / float(there.magnitude))


def _rounded(number: float) -> float:
    """Twelve digits: what subtracting scales adds beyond them is noise."""
    return float(f"{number:.12g}")


def _weighed(here: Any, there: Any, source: str, target: str, molar_mass_g: float | None) -> tuple[Any, Any]:
    """Both as masses, where one is an amount of substance."""
    ratio = here.dimensionality / there.dimensionality
    substance, mass = ratio.get("[substance]", 0), ratio.get("[mass]", 0)
    if not (substance == -mass and abs(substance) == 1 and len(ratio) == 2):
        raise CannotConvert("dimension", f"{source} and {target} measure different things.")
    if molar_mass_g is None or not molar_mass_g > 0:
        raise CannotConvert(
            "molar",
            f"{source} to {target} needs the molar mass of what was measured.",
            why="An amount of substance has a mass only for a known substance.",
            remedy="Give molar_mass_g, in grams a mole.",
        )
    weight = _pint("g/mol") * molar_mass_g
    return (here * weight, there) if substance == 1 else (here / weight, there)


@lru_cache(maxsize=4_096)
def _pint(unit: str) -> Any:
    from lark.exceptions import LarkError
    from pint import errors

    if not is_unit(unit):
        raise CannotConvert("unknown", "A unit is not one of UCUM's.")
    try:
        found = _registry().from_ucum(unit)
        if hasattr(found, "dimensionality"):
            return found
        # A bare number or an annotation comes back as the text that it is.
        return _registry().from_ucum("g/g") * (float(unit) if unit.isdigit() else 1.0)
    except (LarkError, errors.PintError, ArithmeticError, TypeError, ValueError, AttributeError) as error:
        raise CannotConvert("scale", f"{unit} is on a scale of its own.") from error
