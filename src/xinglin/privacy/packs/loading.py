"""Packs are read from TOML, the shipped ones and a hospital's own; every setting brings its source.

A pack is ``version``, ``name``, ``title``, ``title_zh``, ``note`` and a table ``[setting.NAME]`` for each setting that
it states, with ``value`` and ``source``. What is not known is refused.
"""

from __future__ import annotations

import re
import tomllib
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.privacy.packs.errors import BadPack
from xinglin.privacy.packs.model import PACK_VERSION, Dominance, Origin, Pack, Rounding, Settings, setting_fields
from xinglin.privacy.packs.rounding import shown_from

SHIPPED = (
    "bundesbank",
    "codex",
    "datashield",
    "ehds",
    "i2b2",
    "ons",
    "opensafely",
    "opensafely-midpoint6",
    "sacro",
    "shrine",
    "uk-llc",
    "xinglin",
)
"""The packs of the package; ``xinglin`` is the default of ``DisclosureRules``."""

PACK_BYTES = Limit("disclosure pack", 65_536, "bytes")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_HEAD = {"version", "name", "title", "title_zh", "note", "setting"}
_TYPES = {field.name: field.type for field in setting_fields()}


@cache
def shipped(name: str) -> Pack:
    """A pack of the package by its name; ``BadPack`` names those there are.

    >>> shipped("sacro").settings.min_cell
    10
    """
    if name not in SHIPPED:
        raise BadPack(f"There is no pack {name[:64]!r}.", remedy=f"Shipped are: {', '.join(SHIPPED)}.")
    return read_pack((files(__package__) / "shipped" / f"{name}.toml").read_text("utf-8"))


def read_pack(text: str) -> Pack:
    """The pack that a TOML text states.

    Raises ``BadPack`` for what is unknown, out of range or without a source, and for a threshold inside a step of
    its own rounding (the counts at that step would be given away).
    """
    PACK_BYTES.check(len(text.encode("utf-8", "replace")))
    try:
        table = tomllib.loads(text, parse_float=Fraction)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise BadPack("A pack is no TOML.", remedy="Mend its syntax.") from error
    unknown = sorted(table.keys() - _HEAD)
    if unknown or table.get("version") != PACK_VERSION:
        raise BadPack(f"A pack has version {PACK_VERSION} and the fields {', '.join(sorted(_HEAD))}.")
    name, title = table.get("name"), table.get("title")
    if not (isinstance(name, str) and _NAME.match(name) and isinstance(title, str) and title):
        raise BadPack("A pack has a name of small letters, digits and hyphens, and a title.")
    stated = table.get("setting", {})
    if not isinstance(stated, dict):
        raise BadPack("Settings stand in tables [setting.NAME].")
    values, origins = {}, []
    for key, entry in stated.items():
        values[key], source = _setting(key, entry)
        origins.append(Origin(key, name, source))
    if "min_cell" in values and "small" not in values:
        # A threshold that says nothing of what becomes of small counts hides them.
        values["small"] = "hide"
        origins.extend(msgspec.structs.replace(o, setting="small") for o in tuple(origins) if o.setting == "min_cell")
    pack = Pack(
        name,
        title,
        str(table.get("title_zh", title)),
        Settings(**values),
        tuple(sorted(origins)),
        str(table.get("note", "")),
    )
    if pack.settings.small == "hide" and shown_from(pack.settings) != pack.settings.min_cell:
        words = f"A threshold of {pack.settings.min_cell} lies inside a step of the rounding: counts are given away."
        raise BadPack(words, remedy=f"State min_cell = {shown_from(pack.settings)}.")
    return pack


def _setting(key: str, entry: Any) -> tuple[Any, str]:
    if key not in _TYPES:
        raise BadPack(f"There is no setting {key[:64]!r}.", remedy=f"Settings are: {', '.join(_TYPES)}.")
    if not isinstance(entry, dict) or entry.keys() != {"value", "source"}:
        raise BadPack(f"'{key}' has a value and a source.")
    source = entry["source"]
    if not (isinstance(source, str) and source.strip()):
        raise BadPack(f"'{key}' names no source.", remedy="Quote who publishes the value.")
    return setting_value(key, entry["value"]), source


def setting_value(key: str, value: Any) -> Any:
    """A setting's value as it is written in a pack; ``BadPack`` for one that cannot be read."""
    if key not in _TYPES:
        raise BadPack(f"There is no setting {key[:64]!r}.", remedy=f"Settings are: {', '.join(_TYPES)}.")
    try:
        if key == "dominance":
            return tuple(sorted(Dominance(r["n"], _fraction(r["share"]), bool(r.get("inclusive"))) for r in value))
        if key == "rounding":
            return Rounding(value["kind"], value.get("base", 1))
        if key == "formats_blocked":
            return tuple(sorted({str(v).lower().lstrip(".") for v in value}))
        if _TYPES[key] is Fraction:
            return _fraction(value)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise BadPack(f"'{key}' cannot be read.") from error
    if type(value) is not _TYPES[key]:
        raise BadPack(f"'{key}' is of another kind.")
    return value


def _fraction(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | str | Fraction):
        raise ValueError("no fraction")
    return Fraction(value)
