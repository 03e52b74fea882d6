"""ATC from a CSV file: codes and names under the headings that its editions use."""

from __future__ import annotations

import re

from xinglin.records.terminology.errors import BadVocabulary
from xinglin.records.terminology.loaders.files import Files, Told, one_file, provenance, table
from xinglin.records.terminology.model import CodeSystem, Concept, VocabularyFile
from xinglin.records.terminology.systems import ATC

LICENCE = "WHO Collaborating Centre for Drug Statistics Methodology"
_CODES = ("atc_code", "atc code", "atc", "code", "atc编码", "编码")
_NAMES = ("atc_name", "atc level name", "atc name", "name", "level name", "atc名称", "名称")
_SHAPE = re.compile(r"[A-Z](?:\d\d(?:[A-Z](?:[A-Z](?:\d\d)?)?)?)?")
_LENGTHS = (7, 5, 4, 3, 1)


def load_atc(files: Files, told: Told) -> VocabularyFile:
    """Codes of all five levels; a substance with several defined doses is one concept. Raises ``BadVocabulary``."""
    name, body = one_file(files, "*.csv")
    found: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    skipped = 0
    columns: tuple[str, str] | None = None
    for row in table(name, body, ()):
        columns = columns or _columns(name, list(row))
        code = row[columns[0]].strip().upper()
        if not _SHAPE.fullmatch(code):
            skipped += 1
            continue
        doses = found.setdefault(code, (row[columns[1]].strip(), []))[1]
        dose = " ".join(row.get(key, "").strip() for key in ("ddd", "uom", "adm_r")).strip()
        if dose and "NA" not in dose.split()[:1]:
            doses.append(("ddd", dose))
    if not found:
        raise BadVocabulary("The file has no ATC codes.", place=name)
    concepts = tuple(
        Concept(code, text, _parent(code), (), tuple(dict.fromkeys(doses))) for code, (text, doses) in found.items()
    )
    told_of = provenance(files, told, "WHO Collaborating Centre", LICENCE)
    match = re.search(r"(\d{4}(?:-\d\d-\d\d)?)", name)
    version = told.version or (match.group(1) if match else told_of.digest[7:19])
    system = CodeSystem(ATC, version, "ATC", told_of, True, True, len(concepts))
    return VocabularyFile(systems=((system, concepts),), skipped=skipped)


def _columns(name: str, header: list[str]) -> tuple[str, str]:
    plain = {column.strip().casefold(): column for column in header}
    code = next((plain[word] for word in _CODES if word in plain), None)
    text = next((plain[word] for word in _NAMES if word in plain), None)
    if code is None or text is None:
        raise BadVocabulary("The file has no columns atc_code and atc_name.", place=f"{name} line 1")
    return code, text


def _parent(code: str) -> tuple[str, ...]:
    shorter = next((length for length in _LENGTHS if length < len(code)), 0)
    return (code[:shorter],) if shorter else ()
