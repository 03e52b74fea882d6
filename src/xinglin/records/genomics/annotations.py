"""Gene and consequence of an allele: SnpEff's ANN, VEP's CSQ, ClinVar's GENEINFO, ANNOVAR's columns."""

from __future__ import annotations

from urllib.parse import unquote

Told = tuple[str | None, str | None]
_NOTHING: Told = (None, None)
_GENES = ("GENEINFO=", "Gene.refGene=", "GENE=", "SYMBOL=")
ENTRIES = 1_000
"""Annotations of one allele beyond that many are not looked at."""


class Annotations:
    """How one file annotates. ``layout``: the fields of its CSQ, empty where it has none."""

    def __init__(self, layout: tuple[str, ...]) -> None:
        at = {name.upper(): number for number, name in enumerate(layout)}
        self._allele, self._number = at.get("ALLELE", 0), at.get("ALLELE_NUM", -1)
        self._gene, self._consequence = at.get("SYMBOL", -1), at.get("CONSEQUENCE", 1)
        self._pick = at.get("PICK", -1)

    def of(self, info: str, reference: str, alternates: list[str], number: int) -> Told:
        """Gene and consequence of the alternate ``number`` (from 1)."""
        if annotated := _field(info, "ANN="):
            return self._snpeff(annotated, alternates[number - 1])
        if annotated := _field(info, "CSQ="):
            return self._vep(annotated, reference, alternates, number)
        if not any(name in info for name in _GENES):
            return _NOTHING
        fields = info.split(";")
        for name in _GENES:
            for field in fields:
                if field.startswith(name):
                    gene = field[len(name) :].split("|", 1)[0].split(":", 1)[0].split(",", 1)[0]
                    return _plain(gene), _exonic(fields)
        return _NOTHING

    def _snpeff(self, text: str, alternate: str) -> Told:
        for entry in text.split(",", ENTRIES)[:ENTRIES]:
            parts = entry.split("|", 5)
            if len(parts) > 3 and parts[0] == alternate:
                return _plain(parts[3]), _plain(parts[1])
        return _NOTHING

    def _vep(self, text: str, reference: str, alternates: list[str], number: int) -> Told:
        wanted = None if self._number >= 0 else vep_allele(reference, alternates, number)
        first: Told | None = None
        for entry in text.split(",", ENTRIES)[:ENTRIES]:
            parts = entry.split("|")
            if not self._is_for(parts, wanted, number, len(alternates)):
                continue
            found = (_part(parts, self._gene), _part(parts, self._consequence))
            if _part(parts, self._pick) == "1":
                return found
            first = first or found
        return first or _NOTHING

    def _is_for(self, parts: list[str], wanted: str | None, number: int, count: int) -> bool:
        if wanted is None:
            return _part(parts, self._number) == str(number)
        return (
            count == 1
            or _part(parts, self._allele) == (wanted or None)
            or parts[self._allele : self._allele + 1] == [wanted]
        )


def _field(info: str, name: str) -> str:
    """The value of a field of INFO; empty where it has none."""
    at = info.find(name)
    while at > 0 and info[at - 1] != ";":
        at = info.find(name, at + 1)
    if at < 0:
        return ""
    end = info.find(";", at)
    return info[at + len(name) :] if end < 0 else info[at + len(name) : end]


def vep_allele(reference: str, alternates: list[str], number: int) -> str:
    """How VEP writes an allele: without the base that all alleles begin with, ``-`` for nothing.

    >>> vep_allele("CA", ["C"], 1), vep_allele("A", ["T"], 1)
    ('-', 'T')
    """
    alternate = alternates[number - 1]
    every = [reference, *alternates]
    if any(len(one) != len(reference) for one in alternates) and all(one[:1] == reference[:1] for one in every):
        return alternate[1:] or "-"
    return alternate


def _exonic(fields: list[str]) -> str | None:
    for name in ("ExonicFunc.refGene=", "Func.refGene=", "MC="):
        for field in fields:
            if field.startswith(name):
                return _plain(field[len(name) :].split(",", 1)[0].rpartition("|")[2])
    return None


def _part(parts: list[str], at: int) -> str | None:
    return _plain(parts[at]) if 0 <= at < len(parts) else None


def _plain(text: str) -> str | None:
    if not text or text == ".":
        return None
    return unquote(text) if "%" in text else text
