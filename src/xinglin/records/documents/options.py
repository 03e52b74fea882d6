"""What a source's mapping says of documents: its ``[documents]`` table."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache

import msgspec

from xinglin.records.documents.bounds import PATTERN_CHARS
from xinglin.records.documents.errors import BadOptions

Patterns = str | tuple[str, ...]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    r"""Whose a document is that does not say so itself, and what else is known of it.

    ``patients``: the patient's key by the document's SHA-256 (a manifest). ``patient``: one key for all.
    ``patient_pattern``: expressions whose first group is the patient's number in the text (``住院号[:：]\s*(\w+)``),
    written into ``patient_key``; two different numbers are nobody's. ``encounter_pattern`` likewise; an encounter's
    number, where it is found. ``created_pattern``: a date (YYYY-MM-DD, YYYY年MM月DD日 …). ``type``, ``type_system``,
    ``type_text``: kind of document. ``patient_ids``: roots (OIDs) of a CDA's identifiers, the preferred first.
    """

    patients: dict[str, str] = {}
    patient: str = ""
    patient_pattern: Patterns = ()
    patient_key: str = "Patient/{}"
    encounter_pattern: Patterns = ()
    encounter_key: str = "Encounter/{}"
    created_pattern: Patterns = ()
    type: str = ""
    type_system: str = ""
    type_text: str = ""
    patient_ids: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def options_of(mapping: str) -> Options:
    """The ``[documents]`` table of a mapping text; the defaults where there is none. Raises ``BadOptions``.

    >>> options_of('[documents]\\npatient = "Patient/1"').patient, options_of("").patient
    ('Patient/1', '')
    """
    if not mapping.strip():
        return Options()
    remedy = "See the fields of [documents] in the documentation of the source's mapping."
    try:
        options = msgspec.convert(tomllib.loads(mapping).get("documents", {}), Options)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise BadOptions("The mapping's [documents] table is not known.", why=str(wrong), remedy=remedy) from wrong
    for name in ("patient_pattern", "encounter_pattern", "created_pattern"):
        compiled(getattr(options, name), name)
    for name in ("patient_key", "encounter_key"):
        if getattr(options, name).count("{}") != 1:
            raise BadOptions(f"{name} has no place for the number.", remedy='Write "Patient/{}".')
    return options


@lru_cache(maxsize=256)
def compiled(patterns: Patterns, name: str = "pattern") -> tuple[re.Pattern[str], ...]:
    """Expressions with one group each. Raises ``BadOptions``."""
    found = []
    for text in (patterns,) if isinstance(patterns, str) else patterns:
        if len(text) > PATTERN_CHARS.value:
            raise BadOptions(f"{name} is longer than {PATTERN_CHARS.value} characters.")
        try:
            pattern = re.compile(text)
        except (re.error, OverflowError, RecursionError) as wrong:
            raise BadOptions(f"{name} is no expression.", why=str(wrong)) from wrong
        if pattern.groups != 1:
            raise BadOptions(f"{name} needs exactly one group: the number.", remedy=r"Write MRN:\s*(\d+).")
        found.append(pattern)
    return tuple(found)
