"""Alleles made comparable, and what a genotype says of one of them.

Trimming is that of Tan, Abecasis and Kang (Bioinformatics 2015) as far as it goes without the reference sequence:
what both alleles end with goes first, then what they begin with. An indel that could be moved further to the left
is told, since only the reference could say.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

BASES = re.compile(r"[ACGTURYKMSWBDHVNacgturykmswbdhvn]+").fullmatch
NOT_ALIGNED = "genomics.not_left_aligned"
_SEPARATORS = re.compile(r"[/|]")
HETEROZYGOUS, HOMOZYGOUS, HEMIZYGOUS = "heterozygous", "homozygous", "hemizygous"
PLOIDY = 64
"""A genotype with more alleles is not one."""


def trimmed(position: int, reference: str, alternate: str) -> tuple[int, str, str, bool]:
    """Position and alleles without what they share, and whether the place is surely the leftmost.

    >>> trimmed(100, "CAAA", "CAA")
    (100, 'CA', 'C', True)
    >>> trimmed(100, "GCAT", "GCTT")
    (102, 'A', 'T', True)
    >>> trimmed(100, "A", "AA")
    (100, 'A', 'AA', False)
    """
    shortest = min(len(reference), len(alternate)) - 1
    end = 0
    while end < shortest and reference[-1 - end] == alternate[-1 - end]:
        end += 1
    if end:
        reference, alternate = reference[:-end], alternate[:-end]
        shortest -= end
    sure = len(reference) == len(alternate) or reference[-1] != alternate[-1]
    start = 0
    while start < shortest and reference[start] == alternate[start]:
        start += 1
    return position + start, reference[start:], alternate[start:], sure


def chromosome_name(name: str) -> str:
    """Without ``chr``, mitochondria as MT.

    >>> chromosome_name("chr1"), chromosome_name("chrM"), chromosome_name("X")
    ('1', 'MT', 'X')
    """
    plain = name[3:] if name[:3].lower() == "chr" and len(name) > 3 else name
    return "MT" if plain in ("M", "Mt", "mt") else plain


class Call(msgspec.Struct, frozen=True):
    """A genotype: numbers of its alleles (-1: not called), and whether it is phased (None: one allele alone)."""

    alleles: tuple[int, ...]
    phased: bool | None


@lru_cache(maxsize=4096)
def parse_call(text: str) -> Call | None:
    """A GT field (VCF 4.4 §1.6.2); None where it is none.

    >>> parse_call("0|1"), parse_call("./."), parse_call("1"), parse_call("a")
    (Call(alleles=(0, 1), phased=True), Call(alleles=(-1, -1), phased=False), Call(alleles=(1,), phased=None), None)
    """
    plain = text[1:] if text[:1] in ("/", "|") else text
    parts = _SEPARATORS.split(plain)
    if len(parts) > PLOIDY:
        return None
    alleles = []
    for part in parts:
        if part == ".":
            alleles.append(-1)
        elif part.isascii() and part.isdecimal() and len(part) < 6:
            alleles.append(int(part))
        else:
            return None
    return Call(tuple(alleles), None if len(parts) == 1 else "/" not in plain)


@lru_cache(maxsize=16384)
def seen_from(call: Call, allele: int, chromosome: str) -> tuple[str, str | None]:
    """The genotype as ``allele`` sees it (1 itself, 0 the reference, . another or not called), and its zygosity.

    >>> seen_from(parse_call("1|2"), 2, "7"), seen_from(parse_call("1"), 1, "X"), seen_from(parse_call("./1"), 1, "7")
    (('.|1', 'heterozygous'), ('1', 'hemizygous'), ('./1', None))
    """
    words = ["1" if one == allele else "0" if one == 0 else "." for one in call.alleles]
    text = ("|" if call.phased else "/").join(words)
    own, known = call.alleles.count(allele), sum(one >= 0 for one in call.alleles)
    if not own:
        return text, None
    if len(call.alleles) == 1 or (own == known == len(call.alleles) and chromosome in ("Y", "MT")):
        return text, HEMIZYGOUS
    if own == len(call.alleles):
        return text, HOMOZYGOUS
    return text, None if known == own else HETEROZYGOUS
