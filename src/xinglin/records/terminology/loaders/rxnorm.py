"""RxNorm from the National Library of Medicine's release in RRF."""

from __future__ import annotations

from xinglin.records.terminology.loaders.files import Files, Told, one_file, piped, provenance, some_files
from xinglin.records.terminology.model import CodeSystem, Concept, VocabularyFile
from xinglin.records.terminology.systems import RXNORM

WANTED = ("RXNCONSO.RRF", "RXNREL.RRF")
LICENCE = "RxNorm: public domain (SAB=RXNORM), National Library of Medicine"
_ORDER = "SCD SBD GPCK BPCK IN PIN MIN BN SCDC SBDC SCDF SBDF SCDG SBDG DF DFG"
_RANK = {kind: number for number, kind in enumerate(_ORDER.split())}
_GIVEN_UP = frozenset("OEY")


def load_rxnorm(files: Files, told: Told) -> VocabularyFile:
    """RxNorm's own concepts (other vocabularies in the file are passed over); ``isa`` gives parents.

    Raises ``BadVocabulary``.
    """
    name, body = one_file(files, "RXNCONSO.RRF")
    best: dict[str, tuple[int, str, str]] = {}
    names: dict[str, list[tuple[str, str]]] = {}
    alive: set[str] = set()
    skipped = 0
    for fields in piped(name, body, 17):
        code, language, source, kind, text, given_up = (
            fields[0],
            fields[1],
            fields[11],
            fields[12],
            fields[14],
            fields[16],
        )
        if source != "RXNORM":
            skipped += 1
            continue
        names.setdefault(code, []).append(("en" if language == "ENG" else language.lower(), text))
        if given_up not in _GIVEN_UP:
            alive.add(code)
        rank = _RANK.get(kind, len(_RANK))
        if code not in best or rank < best[code][0]:
            best[code] = (rank, text, kind)
    parents = _parents(files)
    concepts = tuple(
        Concept(
            code,
            text,
            tuple(parents.get(code, ())),
            tuple(dict.fromkeys(names[code])),
            (("TTY", kind),),
            code not in alive,
        )
        for code, (_, text, kind) in best.items()
    )
    told_of = provenance(files, told, "National Library of Medicine", LICENCE)
    version = told.version or told_of.digest[7:19]
    system = CodeSystem(RXNORM, version, "RxNorm", told_of, bool(parents), True, len(concepts))
    return VocabularyFile(systems=((system, concepts),), skipped=skipped)


def _parents(files: Files) -> dict[str, list[str]]:
    """The relationship of a row says what its second concept is to its first."""
    found: dict[str, list[str]] = {}
    for name, body in some_files(files, "RXNREL.RRF"):
        for fields in piped(name, body, 11):
            wider, narrower, relation, source = fields[0], fields[4], fields[7], fields[10]
            if relation == "isa" and source == "RXNORM" and wider and narrower:
                found.setdefault(narrower, []).append(wider)
    return found
