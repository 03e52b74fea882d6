"""VCF files as a reader: one row for each alternate allele that a sample carries.

A *record* is one sample's genotype on one line. Lines are read some megabytes at a time; a damaged one is unread
alone. Samples without a patient are unread before anything else, so that a replay makes their rows once the mapping
names them. Alternates that are no alleles (``*``, ``<NON_REF>``, none) make no row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from xinglin.kernel.instants import Instant
from xinglin.records.genomics.alleles import BASES, NOT_ALIGNED, Call, chromosome_name, parse_call, seen_from, trimmed
from xinglin.records.genomics.annotations import Annotations
from xinglin.records.genomics.erasing import is_erased
from xinglin.records.genomics.errors import BadVcf
from xinglin.records.genomics.header import HeaderReading, VcfHeader
from xinglin.records.genomics.lines import GZIP, Broken, blocks, first_line
from xinglin.records.genomics.options import Options, options_of, patient_of, specimen_of
from xinglin.records.model import Mapped, Read, ReadContext, Reader, Unread
from xinglin.records.moments import moment_of

MEDIA_TYPES = ("text/x-vcf", "text/vcf", "application/vcf", "application/x-vcf", "application/x-vcf+gzip")
PART_ROWS = 20_000
ALTERNATES = 256
"""A line with more alternate alleles is not read."""
NO_PATIENT, BAD_LINE, TRUNCATED, NO_SAMPLE = (
    "genomics.no_patient",
    "genomics.bad_line",
    "genomics.truncated",
    "genomics.no_sample",
)
_WORDS = {
    NO_PATIENT: "The source's [genomics] table does not say whose sample this is.",
    BAD_LINE: "The line is not one of a VCF.",
    TRUNCATED: "The compressed file ends too early, or is damaged from here on.",
    NO_SAMPLE: "The VCF has no samples: it is about nobody.",
}
NOT_CARRIED, NOT_CALLED, NO_ALLELE = (
    "genomics: the sample does not carry the allele",
    "genomics: the genotype was not called",
    "genomics: the line has no alternate allele",
)
COLUMNS = tuple(
    "id patient version_at place flags status build chromosome position reference alternate variant_id genotype "  # noqa: SIM905
    "zygosity phased quality filter depth genotype_quality allele_fraction gene consequence sample specimen".split()
)
_ONE_BASE = frozenset("ACGT")
_SPANNING = frozenset(("*", "<*>", "<NON_REF>", ".", ""))
_Allele = tuple[int, int, str, str, str | None]
"""Number, position, reference, alternate, flags."""
_Layout = tuple[int, int, int, int, int]
"""Places of GT, DP, GQ, AD, and AF or VAF in a sample's fields; -1 where there is none."""


class VcfReader:
    """VCF 4.x, text or gzip (a ``records.model.Reader``). ``[genomics]`` of the mapping says whose samples are."""

    media_types = MEDIA_TYPES

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """Parts of some thousand rows. Raises ``BadVcf`` or ``BadGenomics``."""
        options = options_of(context.mapping)
        lines = _Lines(body)
        header = lines.header()
        if not header.samples:
            yield Read(1, unread=(Unread("header", NO_SAMPLE, _WORDS[NO_SAMPLE]),))
            return
        calls = _Calls(header, options, context)
        if calls.unread:
            yield Read(len(calls.unread), unread=tuple(calls.unread))
        if not calls.samples:
            return
        for block in lines.rest():
            for line in block:
                lines.number += 1
                if line:
                    calls.take(line, lines.number)
                    if len(calls.rows) >= PART_ROWS:
                        yield calls.part()
        if lines.broken:
            calls.bad.append(Unread(f"line {lines.number}", TRUNCATED, _WORDS[TRUNCATED]))
        yield calls.part()


class WithVcf:
    """A reader of archives that hands gzipped VCF to the reader of VCF."""

    def __init__(self, inner: Reader) -> None:
        self._inner, self._vcf = inner, VcfReader()
        self.media_types = inner.media_types

    def read(self, body: bytes, context: ReadContext) -> Iterator[Read]:
        """As the reader that the object is for."""
        genomes = body.startswith(GZIP) and first_line(body).startswith(b"##fileformat=VCF")
        yield from (self._vcf if genomes else self._inner).read(body, context)


class _Lines:
    """The lines of one file, by blocks, numbered."""

    def __init__(self, body: bytes) -> None:
        self._blocks = blocks(body)
        self._left: list[str] = []
        self.number = 0
        self.broken = False

    def header(self) -> VcfHeader:
        reading = HeaderReading()
        while True:
            lines = self._next()
            if lines is None:
                raise BadVcf("The VCF ends within its header.")
            for at, line in enumerate(lines):
                self.number += 1
                found = reading.take(line)
                if found is not None:
                    self._left = lines[at + 1 :]
                    return found

    def rest(self) -> Iterator[list[str]]:
        yield self._left
        while (lines := self._next()) is not None:
            yield lines

    def _next(self) -> list[str] | None:
        try:
            block = next(self._blocks, None)
        except Broken:
            self.broken = True
            return None
        if block is None:
            return None
        text = block.decode("utf-8", "replace").replace("\r\n", "\n")
        return text.removesuffix("\n").split("\n")


class _Sample:
    """One sample with a patient. ``at``: its column."""

    __slots__ = ("at", "head", "name", "patient", "place", "specimen")

    def __init__(self, at: int, name: str, patient: str, specimen: str | None, build: str) -> None:
        self.at, self.name, self.patient, self.specimen = at, name, patient, specimen
        self.head = f"{patient}\x1f{name}\x1f{build}\x1f".encode("utf-8", "replace")
        self.place = f" sample {at - 8}"


class _Calls:
    """Lines to rows."""

    def __init__(self, header: VcfHeader, options: Options, context: ReadContext) -> None:
        self._build = options.build or header.build or None
        self._flags = "" if self._build else "genomics.no_build"
        self._missing = options.missing == "keep"
        self._annotations = Annotations(header.annotation)
        self._version: Instant | None = _midnight(header.date, context.zone)
        self._columns = len(header.samples) + 9
        self._formats: dict[str, _Layout] = {}
        self.samples: list[_Sample] = []
        self.unread: list[Unread] = []
        self.rows: list[tuple[Any, ...]] = []
        self.bad: list[Unread] = []
        self._accepted = 0
        self._ignored = {NOT_CARRIED: 0, NOT_CALLED: 0, NO_ALLELE: 0}
        for at, name in enumerate(header.samples, 9):
            if is_erased(name):
                continue
            patient = patient_of(options, name)
            if patient:
                self.samples.append(_Sample(at, name, patient, specimen_of(options, name), self._build or ""))
            else:
                self.unread.append(Unread(f"sample {at - 8}", NO_PATIENT, _WORDS[NO_PATIENT]))

    def part(self) -> Read:
        """What was taken since the last part."""
        received = self._accepted + len(self.bad) + sum(self._ignored.values())
        mapped = (Mapped("variant", COLUMNS, self.rows),) if self.rows else ()
        ignored = {words: count for words, count in self._ignored.items() if count}
        read = Read(received, mapped=mapped, accepted=self._accepted, unread=tuple(self.bad), ignored=ignored)
        self.rows, self.bad, self._accepted = [], [], 0
        self._ignored = dict.fromkeys(self._ignored, 0)
        return read

    def take(self, line: str, number: int) -> None:
        """One line of data."""
        cells = line.split("\t")
        if len(cells) != self._columns or not cells[1].isdecimal() or len(cells[1]) > 12:
            self._refuse(number)
            return
        position, reference, alternate = int(cells[1]), cells[3], cells[4]
        alleles: list[_Allele] | None
        if reference in _ONE_BASE and alternate in _ONE_BASE:
            alternates, alleles = [alternate], [(1, position, reference, alternate, None)]
        else:
            alternates = alternate.split(",")
            alleles = _alleles(position, reference.upper(), alternates) if BASES(reference) else None
        if alleles is None:
            self._refuse(number)
        elif not alleles:
            self._ignored[NO_ALLELE] += len(self.samples)
        else:
            self._take(cells, number, alternates, alleles)

    def _refuse(self, number: int) -> None:
        self.bad.append(Unread(f"line {number}", BAD_LINE, _WORDS[BAD_LINE]))

    def _take(self, cells: list[str], number: int, alternates: list[str], alleles: list[_Allele]) -> None:
        layout = self._formats.get(cells[8])
        if layout is None:
            layout = self._formats[cells[8]] = _layout(cells[8])
            if len(self._formats) > 1_000:
                self._formats.clear()
        at = layout[0]
        first = len(self.rows)
        told: dict[int, tuple[Any, ...]] = {}
        by_number = {one[0]: one for one in alleles}
        accepted = carried = called = 0
        for sample in self.samples:
            fields = cells[sample.at].split(":")
            call = parse_call(fields[at]) if 0 <= at < len(fields) else parse_call(".")
            if call is None or max(call.alleles) > len(alternates):
                del self.rows[first:]
                self._refuse(number)
                return
            before = len(self.rows)
            if max(call.alleles) < 0:
                if not self._missing:
                    called += 1
                    continue
                wanted = alleles
            else:
                wanted = [by_number[one] for one in dict.fromkeys(call.alleles) if one in by_number]
            for one in wanted:
                shared = told.get(one[0])
                if shared is None:
                    shared = told[one[0]] = self._shared(cells, alternates, one)
                self.rows.append(self._row(sample, number, fields, layout, call, one, shared))
            if len(self.rows) > before:
                accepted += 1
            else:
                carried += 1
        self._accepted += accepted
        self._ignored[NOT_CARRIED] += carried
        self._ignored[NOT_CALLED] += called

    def _shared(self, cells: list[str], alternates: list[str], one: _Allele) -> tuple[Any, ...]:
        """What all samples' rows of an allele have in common."""
        number, position, reference, alternate, flags = one
        chromosome = chromosome_name(cells[0])
        gene, consequence = self._annotations.of(cells[7], cells[3], alternates, number)
        marks = " ".join(filter(None, (self._flags, flags))) or None
        key = f"{chromosome}\x1f{position}\x1f{reference}\x1f{alternate}".encode()
        return (
            key,
            marks,
            chromosome,
            cells[2] if cells[2] != "." else None,
            _number(cells[5]),
            cells[6] if cells[6] != "." else None,
            gene,
            consequence,
            cells[7] if self._columns == 10 else "",
        )

    def _row(
        self,
        sample: _Sample,
        line: int,
        fields: list[str],
        layout: _Layout,
        call: Call,
        one: _Allele,
        shared: tuple[Any, ...],
    ) -> tuple[Any, ...]:
        key, marks, chromosome, name, quality, passed, gene, consequence, info = shared
        genotype, zygosity = seen_from(call, one[0], chromosome)
        size = len(fields)
        _, depth_at, quality_at, counts_at, share_at = layout
        own = fields[depth_at] if 0 <= depth_at < size else ""
        return (
            "Variant/v-" + hashlib.blake2b(sample.head + key, digest_size=16).hexdigest(),
            sample.patient,
            self._version,
            f"line {line}{sample.place}",
            marks,
            "final",
            self._build,
            chromosome,
            one[1],
            one[2],
            one[3],
            name,
            genotype,
            zygosity,
            call.phased,
            quality,
            passed,
            int(own) if own.isdecimal() and len(own) < 12 else _info_depth(info),
            _number(fields[quality_at]) if 0 <= quality_at < size else None,
            _fraction(
                fields[counts_at] if 0 <= counts_at < size else "",
                fields[share_at] if 0 <= share_at < size else "",
                one[0],
            ),
            gene,
            consequence,
            sample.name,
            sample.specimen,
        )


def _alleles(position: int, reference: str, alternates: list[str]) -> list[_Allele] | None:
    """The alleles of a line, trimmed; symbolic ones and breakends as they are. None: one of them is nothing."""
    found: list[_Allele] = []
    if len(alternates) > ALTERNATES:
        return None
    for number, alternate in enumerate(alternates, 1):
        if alternate in _SPANNING:
            continue
        if BASES(alternate):
            if len(reference) == 1 == len(alternate):
                found.append((number, position, reference, alternate.upper(), None))
                continue
            at, shorter, other, sure = trimmed(position, reference, alternate.upper())
            found.append((number, at, shorter, other, None if sure else NOT_ALIGNED))
        elif alternate[:1] == "<" or "[" in alternate or "]" in alternate or "." in (alternate[:1], alternate[-1:]):
            found.append((number, position, reference, alternate, None))
        else:
            return None
    return found


def _layout(text: str) -> _Layout:
    names = text.split(":")
    at = {name: number for number, name in enumerate(names)}
    share = at.get("AF", at.get("VAF", -1))
    return at.get("GT", -1), at.get("DP", -1), at.get("GQ", -1), at.get("AD", -1), share


def _fraction(depths: str, shares: str, number: int) -> float | None:
    """The share of reads with the allele: of AD, else as AF or VAF says."""
    if depths:
        parts = depths.split(",")
        if number < len(parts) and depths.replace(",", "").isdecimal() and len(depths) < 1_000:
            counts = [int(part or 0) for part in parts]
            total = sum(counts)
            return counts[number] / total if total else None
    parts = shares.split(",")
    if shares and number <= len(parts):
        share = _number(parts[number - 1])
        return share if share is not None and 0 <= share <= 1 else None
    return None


def _number(text: str) -> float | None:
    if not text or text == ".":
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e300 and "_" not in text else None


def _info_depth(info: str) -> int | None:
    """The depth of a line with one sample."""
    at = 0 if info.startswith("DP=") else info.find(";DP=") + 1
    if not at and not info.startswith("DP="):
        return None
    text = info[at + 3 :].split(";", 1)[0]
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _midnight(date: str, zone: str) -> Instant | None:
    found = moment_of(date, zone) if date else None
    return found[0] if found and found[0] > 0 else None
