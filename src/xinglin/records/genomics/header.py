"""A VCF's header: version, genome build, samples, and how annotations are laid out."""

from __future__ import annotations

import re

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.records.genomics.errors import BadVcf

HEADER_LINES = Limit("lines of a VCF's header", 1_000_000, "lines")
SAMPLES = Limit("samples of a VCF", 100_000, "samples")
VERSIONS = frozenset(f"VCFv4.{minor}" for minor in range(6))
FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_LENGTHS = {
    248_956_422: "GRCh38",
    242_193_529: "GRCh38",
    249_250_621: "GRCh37",
    243_199_373: "GRCh37",
    248_387_328: "T2T-CHM13",
}
"""Length of chromosome 1 or 2 in each build."""
_NAMES = (
    (re.compile(r"grch38|hg38|hs38|\bb38\b|gca_000001405\.(?:1[5-9]|2\d)", re.IGNORECASE), "GRCh38"),
    (re.compile(r"grch37|hg19|hs37|\bb37\b|human_g1k_v37|gca_000001405\.(?:[1-9]|1[0-4])\b", re.IGNORECASE), "GRCh37"),
    (re.compile(r"chm13|t2t", re.IGNORECASE), "T2T-CHM13"),
    (re.compile(r"ncbi36|hg18|\bb36\b", re.IGNORECASE), "NCBI36"),
)
_LENGTH = re.compile(r"[<,]length=(\d+)")
_ASSEMBLY = re.compile(r'[<,]assembly="?([^",>]{1,200})')
_FORMAT = re.compile(r'Format:\s*"?([\w|. /-]{1,20000})')
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")


class VcfHeader(msgspec.Struct, frozen=True):
    """``build``: empty where the header says none. ``samples``: names in order. ``annotation``: fields of ``CSQ``.

    ``date``: of the file, ``YYYY-MM-DD`` or empty. ``lines``: how many there are, the column line among them.
    """

    version: str
    build: str
    samples: tuple[str, ...]
    annotation: tuple[str, ...]
    date: str
    lines: int


def build_named(text: str) -> str:
    """The genome build that a reference's or an assembly's name means; empty where it is none that is known.

    >>> build_named("file:///ref/hg19.fa"), build_named("GCA_000001405.15"), build_named("x")
    ('GRCh37', 'GRCh38', '')
    """
    return next((build for pattern, build in _NAMES if pattern.search(text)), "")


class HeaderReading:
    """Takes the lines of a header; ``done`` gives it. Raises ``BadVcf``."""

    def __init__(self) -> None:
        self._version = ""
        self._reference = ""
        self._assembly = ""
        self._length = ""
        self._annotation: tuple[str, ...] = ()
        self._date = ""
        self._lines = 0

    def take(self, line: str) -> VcfHeader | None:
        """One line; the header, once the line with the columns is there."""
        self._lines += 1
        HEADER_LINES.check(self._lines)
        if self._lines == 1:
            self._version = line.removeprefix("##fileformat=").strip()
            if not line.startswith("##fileformat=") or self._version not in VERSIONS:
                raise BadVcf("This is no VCF of version 4.", place="line 1", remedy="Convert it with bcftools view.")
            return None
        if line.startswith("##"):
            self._meta(line)
            return None
        if line.startswith("#"):
            return self._columns(line)
        raise BadVcf("A VCF's header ends without its line of columns.", place=f"line {self._lines}")

    def _meta(self, line: str) -> None:
        if line.startswith("##reference="):
            self._reference = self._reference or build_named(line[12:])
        elif line.startswith("##contig="):
            found, length = _ASSEMBLY.search(line), _LENGTH.search(line)
            self._assembly = self._assembly or (build_named(found[1]) if found else "")
            self._length = self._length or (_LENGTHS.get(int(length[1][:12]), "") if length else "")
        elif line.startswith("##assembly="):
            self._assembly = self._assembly or build_named(line)
        elif line.startswith("##INFO=<ID=CSQ,") and (layout := _FORMAT.search(line)):
            self._annotation = tuple(part.strip() for part in layout[1].split("|"))
        elif line.startswith("##fileDate=") and (date := _DATE.fullmatch(line[11:].strip())):
            self._date = "-".join(date.groups())

    def _columns(self, line: str) -> VcfHeader:
        names = line.rstrip("\r\n").split("\t")
        if tuple(names[:8]) != FIXED or (len(names) > 8 and names[8] != "FORMAT"):
            raise BadVcf("The columns of the VCF are not those of the standard.", place=f"line {self._lines}")
        samples = tuple(names[9:])
        SAMPLES.check(len(samples))
        if len(set(samples)) != len(samples):
            raise BadVcf("Two samples of the VCF have one name.", place=f"line {self._lines}")
        build = self._reference or self._assembly or self._length
        return VcfHeader(self._version, build, samples, self._annotation, self._date, self._lines)


def read_header(text: str) -> VcfHeader:
    """The header at the beginning of a text. Raises ``BadVcf``."""
    reading = HeaderReading()
    for line in text.splitlines():
        found = reading.take(line)
        if found is not None:
            return found
    raise BadVcf("The VCF ends within its header.")
