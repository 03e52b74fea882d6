"""A VCF with many people, without some of them: their columns say nothing any more.

Lines and columns stay where they were, so that rows still find their place. What is kept is what made a row of
somebody else: lines with their genotypes, in the columns of their samples. Emptied are the names and genotypes of all
other samples, lines on which nobody who stays carries an allele, alleles that nobody who stays carries, what is
counted over all samples (INFO but annotations) and lines of the header that may name samples. QUAL and FILTER, which
a joint call gives to a line as a whole, stay: rows of those who stay hold them.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection

from xinglin.kernel.limits import Limit
from xinglin.records.genomics.alleles import parse_call
from xinglin.records.genomics.lines import GZIP, Broken, blocks, first_line

REWRITTEN_BYTES = Limit("a VCF that is rewritten", 2 * 1024**3, "bytes")
"""A larger one is erased whole."""
_PLACE = re.compile(r"line (\d+) sample (\d+)\Z")
_ERASED = re.compile(r"__erased_\d+__")
_HEADER = (b"##fileformat=", b"##fileDate=", b"##reference=", b"##contig=", b"##assembly=", b"##INFO=", b"##FORMAT=",
           b"##FILTER=", b"##ALT=")  # fmt: skip
_ANNOTATIONS = (b"ANN=", b"CSQ=", b"GENEINFO=", b"Gene.refGene=", b"GENE=", b"SYMBOL=", b"ExonicFunc.refGene=",
                b"Func.refGene=", b"MC=")  # fmt: skip
_NOBODYS = b"<*>"
"""An alternate allele that makes no row, in place of one that nobody who stays carries."""


def is_vcf(body: bytes) -> bool:
    """Whether the bytes are a VCF, gzipped or not."""
    return body.startswith(b"##fileformat=VCF") or (
        body.startswith(GZIP) and first_line(body).startswith(b"##fileformat=VCF")
    )


def is_erased(sample: str) -> bool:
    """Whether a sample's name is one that ``without_samples`` wrote.

    >>> is_erased("__erased_2__"), is_erased("erased_2")
    (True, False)
    """
    return _ERASED.fullmatch(sample) is not None


def without_samples(body: bytes, keep: Collection[str], drop: Collection[str]) -> bytes | None:
    """``body`` with no more than the samples that have rows at the places ``keep`` (``line 7 sample 2``) and none at
    ``drop``; None where nothing is left, or the file is larger than ``REWRITTEN_BYTES``."""
    dropped = {found[1] for place in drop if (found := _parsed(place))}
    kept: dict[int, set[int]] = {}
    for place in keep:
        if (found := _parsed(place)) and found[1] not in dropped:
            kept.setdefault(found[0], set()).add(found[1])
    if not kept:
        return None
    samples = {sample for line in kept.values() for sample in line}
    made: list[bytes] = []
    number = size = 0
    try:
        for block in blocks(body):
            size += len(block)
            if size > REWRITTEN_BYTES.value:
                return None
            for line in block.removesuffix(b"\n").split(b"\n"):
                number += 1
                made.append(_line(line.removesuffix(b"\r"), kept.get(number, set()), samples))
    except Broken:
        pass  # What came before is whole, and read.
    whole = b"\n".join(made) + b"\n"
    return gzip.compress(whole, mtime=0) if body.startswith(GZIP) else whole


def _parsed(place: str) -> tuple[int, int] | None:
    found = _PLACE.match(place)
    return (int(found[1]), int(found[2])) if found else None


def _line(line: bytes, carriers: set[int], samples: set[int]) -> bytes:
    if line.startswith(b"##"):
        return line if line.startswith(_HEADER) else b"##erased="
    cells = line.split(b"\t")
    if line.startswith(b"#"):
        names = [name if at in samples else b"__erased_%d__" % at for at, name in enumerate(cells[9:], 1)]
        return b"\t".join([*cells[:9], *names])
    if not carriers or len(cells) < 10:
        return b""
    cells[9:] = [cell if at in samples else b"." for at, cell in enumerate(cells[9:], 1)]
    alternates = cells[4].split(b",")
    carried = _carried(cells, carriers, len(alternates))
    stays = [at in carried for at in range(1, len(alternates) + 1)]
    cells[4] = b",".join(one if here else _NOBODYS for one, here in zip(alternates, stays, strict=True))
    cells[7] = _info(cells[7], {one for one, here in zip(alternates, stays, strict=True) if here}, all(stays))
    return b"\t".join(cells)


def _carried(cells: list[bytes], carriers: set[int], alternates: int) -> set[int]:
    """Numbers of the alleles that those who stay carry: all of them where a genotype that was not called made rows."""
    layout = cells[8].split(b":")
    at = layout.index(b"GT") if b"GT" in layout else -1
    found: set[int] = set()
    for sample in carriers:
        fields = cells[8 + sample].split(b":") if 8 + sample < len(cells) else []
        call = parse_call(fields[at].decode("ascii", "replace")) if 0 <= at < len(fields) else None
        found.update(call.alleles if call is not None and max(call.alleles) >= 0 else range(1, alternates + 1))
    return found


def _info(text: bytes, alternates: set[bytes], whole: bool) -> bytes:
    """The annotations of the alleles that stay. VEP names alleles by what they have in common: all of them, or none."""
    found = []
    for field in text.split(b";"):
        if field.startswith(b"ANN="):
            own = [one for one in field[4:].split(b",") if one.split(b"|", 1)[0] in alternates]
            if own:
                found.append(b"ANN=" + b",".join(own))
        elif field.startswith(_ANNOTATIONS) and (whole or not field.startswith(b"CSQ=")):
            found.append(field)
    return b";".join(found) or b"."
