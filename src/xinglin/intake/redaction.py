"""Objects with many people, without one of them.

What is kept of an object is what is known to be of others: a part that nobody could read, or that names the
person, goes too. Kept parts stay where they were (an entry without a resource, an empty line), so that rows
still find their place. ``None``: nothing is left, or there is no way to take a part out.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import msgspec

from xinglin.records.genomics.erasing import is_vcf, without_samples
from xinglin.records.genomics.reader import MEDIA_TYPES
from xinglin.records.hl7v2.batch import split_batch
from xinglin.records.hl7v2.errors import BadMessage

_UNIT = re.compile(r"(line \d+|entry\[\d+\]|message\[\d+\])(?=$|[ /])")
_LINE = re.compile(r"line (\d+)")
_JSON = frozenset({"application/fhir+json", "application/json"})
_LINES = frozenset({"application/fhir+ndjson", "application/x-ndjson"})
_CSV = frozenset({"text/csv", "application/csv"})
_HL7 = frozenset({"x-application/hl7-v2+er7", "application/hl7-v2", "application/edi-hl7v2"})
_VCF = frozenset({*MEDIA_TYPES, "application/gzip"})
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def redact(
    media_type: str, body: bytes, keep: Collection[str], drop: Collection[str], persons: Collection[str]
) -> bytes | None:
    """``body`` with no more than the records at the places ``keep``.

    ``drop``: places of records about the persons. ``persons``: their keys as the source writes them
    (``Patient/12``): a part that holds one goes, whatever its place says.
    """
    if media_type in _VCF and is_vcf(body):
        return without_samples(body, keep, drop)
    units = {unit for place in keep if (unit := _unit(place))} - {_unit(place) for place in drop}
    if not units:
        return None
    names = _Names(persons)
    if media_type in _JSON | _LINES:
        entries = any(unit.startswith("entry") for unit in units)
        return _bundle(body, units, names) if entries else _lines(body, units, names)
    if media_type in _CSV:
        first = min((int(unit[5:]) for unit in map(_unit, (*keep, *drop)) if unit.startswith("line")), default=0)
        return _sheet(body, units, first)
    if media_type in _HL7:
        return _messages(body, units)
    return None


def _unit(place: str) -> str:
    """The part of the object that a place lies in; empty where it is the object itself."""
    found = _UNIT.match(place)
    return found[1] if found else ""


class _Names:
    """Whether a text names one of the persons, or an entry of theirs by its address."""

    def __init__(self, persons: Collection[str]) -> None:
        self._names = {name.encode() for name in persons if name}
        self._compile()

    def learn(self, address: Any) -> None:
        """An address that stands for a person in this object alone (``urn:uuid:…``)."""
        if isinstance(address, str) and address:
            self._names.add(address.encode())
            self._compile()

    def within(self, text: bytes) -> bool:
        """Whether one of them is named."""
        return bool(self._names) and self._pattern.search(text) is not None

    def _compile(self) -> None:
        joined = b"|".join(re.escape(name) for name in sorted(self._names))
        self._pattern = re.compile(rb"(?<![A-Za-z0-9])(?:" + joined + rb")(?![A-Za-z0-9.\-])")


def _bundle(body: bytes, units: set[str], names: _Names) -> bytes | None:
    try:
        parsed = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    entries = parsed.get("entry") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        return None
    for number, entry in enumerate(entries):
        if f"entry[{number}]" not in units and isinstance(entry, dict) and _is_person(entry.get("resource"), names):
            names.learn(entry.get("fullUrl"))
    kept = [
        entry if f"entry[{number}]" in units and not names.within(_encoder.encode(entry)) else {}
        for number, entry in enumerate(entries)
    ]
    if not any(kept):
        return None
    return _encoder.encode({"resourceType": "Bundle", "type": parsed.get("type", "collection"), "entry": kept})


def _is_person(resource: Any, names: _Names) -> bool:
    if not isinstance(resource, dict) or resource.get("resourceType") != "Patient":
        return False
    return names.within(f"Patient/{resource.get('id')}".encode())


def _lines(body: bytes, units: set[str], names: _Names) -> bytes | None:
    lines = body.split(b"\n")
    kept = [
        line if f"line {number}" in units and not names.within(line) else b"" for number, line in enumerate(lines, 1)
    ]
    return b"\n".join(kept) if any(kept) else None


def _sheet(body: bytes, units: set[str], first: int) -> bytes | None:
    """Records of a sheet by the line on which they begin; what stands before the first one is its head.

    Bytes of another code than those that keep ASCII apart (UTF-16) are not taken apart.
    """
    if b"\x00" in body or first < 1:
        return None
    kept, line, inside = [], 1, False
    begins, record = 1, bytearray()
    for text in body.splitlines(keepends=True):
        if not inside:
            begins, record = line, bytearray()
        record += text
        inside ^= text.count(b'"') % 2 == 1
        line += 1
        if not inside:
            kept.append(bytes(record) if begins < first or f"line {begins}" in units else _empty(record))
    if inside:
        return None
    return b"".join(kept)


def _empty(record: bytes | bytearray) -> bytes:
    return b"\n" * len(record.splitlines())


def _messages(body: bytes, units: set[str]) -> bytes | None:
    try:
        kept = [message for place, message in split_batch(body) if place in units]
    except BadMessage:
        return None
    return b"\r".join(kept) + b"\r" if kept else None
