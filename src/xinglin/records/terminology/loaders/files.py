"""What loaders read: the files of a vocabulary by name, as they were handed over or out of an archive."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from xinglin.kernel.canonical import sha256_digest
from xinglin.records.tabular.archive import matches, members
from xinglin.records.terminology.errors import BadVocabulary
from xinglin.records.terminology.model import FILE_BYTES, Provenance

Files = Mapping[str, bytes]
"""The bytes of each file by its path inside the vocabulary."""

FIELD_CHARACTERS = 1_000_000
"""A longer field of a table is no field."""


class Told(msgspec.Struct, frozen=True):
    """What the owner says of the files: ``source`` (empty: the publisher), version and licence where they lack them."""

    source: str = ""
    version: str = ""
    licence: str = ""
    system: str = ""


def unpack(name: str, body: bytes, wanted: Sequence[str]) -> dict[str, bytes]:
    """The wanted files of an archive, or the file itself. Raises ``BadArchive`` or ``LimitExceeded``."""
    FILE_BYTES.check(len(body))
    return dict(members(body, name, wanted))


def provenance(files: Files, told: Told, source: str, licence: str) -> Provenance:
    """Where the files came from; the digest is of all of them, by name."""
    if len(files) == 1:
        digest = sha256_digest(next(iter(files.values())))
    else:
        digest = sha256_digest("\n".join(f"{name} {sha256_digest(files[name])}" for name in sorted(files)).encode())
    return Provenance(told.source or source, told.licence or licence, digest)


def one_file(files: Files, *patterns: str) -> tuple[str, bytes]:
    """The only file with one of these names. Raises ``BadVocabulary`` where there is none, or several."""
    found = some_files(files, *patterns)
    if len(found) != 1:
        words = " or ".join(patterns)
        many = f"{len(found)} files are" if found else "No file is"
        raise BadVocabulary(f"{many} called {words}.", remedy="Give the publisher's archive as it is.")
    return found[0]


def some_files(files: Files, *patterns: str) -> list[tuple[str, bytes]]:
    """The files with one of these names, by name."""
    return [(name, files[name]) for name in sorted(files) if matches(name, patterns)]


def table(
    name: str, body: bytes, needed: Sequence[str], delimiter: str = ",", *, quoted: bool = True
) -> Iterator[dict[str, str]]:
    """The rows of a table with a header, by column; raises ``BadVocabulary`` where a needed column is missing."""
    label = name.rsplit("/", 1)[-1]
    rows = _rows(label, body, delimiter, quoted)
    header = next(rows, (0, []))[1]
    missing = [column for column in needed if column not in header]
    if missing:
        raise BadVocabulary(f"{label} has no column {missing[0]}.", place=f"{label} line 1")
    for number, row in rows:
        if len(row) > len(header):
            raise BadVocabulary(f"{label} has a row of {len(row)} fields.", place=f"{label} line {number}")
        yield dict(zip(header, row + [""] * (len(header) - len(row)), strict=True))


def piped(name: str, body: bytes, width: int) -> Iterator[list[str]]:
    """The rows of a file of the UMLS (RRF): fields between pipes, no header."""
    label = name.rsplit("/", 1)[-1]
    for number, line in enumerate(_text(label, body), 1):
        fields = line.rstrip("\r\n").split("|")
        if len(fields) < width:
            raise BadVocabulary(f"{label} has a row of {len(fields)} fields.", place=f"{label} line {number}")
        yield fields


def _rows(label: str, body: bytes, delimiter: str, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    lines = _text(label, body)
    if not quoted:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, line.rstrip("\r\n").split(delimiter)
        return
    csv.field_size_limit(FIELD_CHARACTERS)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise BadVocabulary(f"{label} is no table.", place=f"{label} line {reader.line_num}") from error


def _text(label: str, body: bytes) -> Iterator[str]:
    number = 0
    try:
        for line in io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline=""):
            number += 1
            yield line
    except UnicodeDecodeError as error:
        raise BadVocabulary(f"{label} is not UTF-8.", place=f"{label} line {number + 1}") from error
