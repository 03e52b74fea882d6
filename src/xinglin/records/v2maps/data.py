"""The shipped maps: HL7's v2-to-FHIR concept maps with the project's own rows (``overrides.toml`` says why).

``maps.json`` is written by ``tools/v2_maps.py`` from github.com/HL7/v2-to-fhir (Apache-2.0), see ``provenance`` in
it. A row is ``at`` (field, component, sub-component; in a data type: component, sub-component), ``path`` (steps
``[name, index, repeats]``; ``@Type`` steps into a resource of its own), ``type`` (what the path ends in) and,
where there is one, ``by`` (the data type's map), ``codes`` (table), ``set`` (constants and operands) and ``if``.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

FORMAT = 1


class Row(msgspec.Struct, frozen=True):
    """One row of a map."""

    at: tuple[int, int, int]
    path: list[Any]
    type: str
    by: str = ""
    codes: str = ""
    set: list[Any] | None = None
    condition: list[Any] | None = msgspec.field(default=None, name="if")


class Maps(msgspec.Struct, frozen=True):
    """Everything: maps by name (``PID[Patient]``, ``XPN[HumanName]``) and tables by name."""

    provenance: dict[str, Any]
    segments: dict[str, list[Row]]
    datatypes: dict[str, list[Row]]
    codes: dict[str, dict[str, tuple[str, str, str]]]


@cache
def maps() -> Maps:
    """The shipped maps, read once. Raises ``ValueError`` for a version that this code does not know."""
    found = msgspec.json.decode(files(__package__).joinpath("maps.json").read_bytes(), type=Maps)
    if found.provenance.get("version") != FORMAT:
        raise ValueError("maps.json is of another version")
    return found


def plain(name: str) -> str:
    """A map's name without what its authors vary.

    >>> plain("ID[Code]"), plain("Yes/NoIndicator")
    ('id[code]', 'yesnoindicator')
    """
    return re.sub(r"[^a-z0-9\[\]]", "", name.lower())


@cache
def table(name: str) -> dict[str, tuple[str, str, str]]:
    """v2 code to (code, system, display); empty where HL7 has no such table."""
    found = {plain(key): rows for key, rows in maps().codes.items()}
    return found.get(plain(name), {})
