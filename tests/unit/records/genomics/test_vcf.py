"""VCF to rows: alleles, genotypes, annotations, samples and persons, damaged lines."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from xinglin.records.errors import Unreadable
from xinglin.records.genomics import VcfReader, WithVcf, read_header
from xinglin.records.genomics import lines as text_lines
from xinglin.records.genomics.alleles import parse_call, seen_from, trimmed
from xinglin.records.genomics.annotations import Annotations
from xinglin.records.genomics.errors import BadGenomics, BadVcf
from xinglin.records.genomics.reader import ALTERNATES, PART_ROWS
from xinglin.records.model import Read, ReadContext
from xinglin.records.shape import shape
from xinglin.records.tabular import TabularReader
from xinglin.records.tabular.errors import NoMapping

TWO = '[genomics.samples]\nS1 = "Patient/1"\nS2 = "Patient/2"'
HEAD = "##fileformat=VCFv4.3\n##fileDate=20240301\n##reference=file:///ref/GRCh38.fa\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"


def vcf(*lines: str, samples: str = "S1\tS2", head: str = HEAD) -> bytes:
    text = "\n".join("\t".join(line.split()) for line in lines)
    return f"{head}{COLUMNS}\t{samples}\n{text}\n".encode()


def read(body: bytes, mapping: str = TWO) -> list[Read]:
    parts = list(VcfReader().read(body, ReadContext("x", 0, mapping=mapping)))
    for part in parts:
        assert part.received == part.accepted + len(part.unread) + sum(part.ignored.values())
    return parts


def rows(body: bytes, mapping: str = TWO) -> list[dict[str, Any]]:
    return [
        dict(zip(mapped.columns, row, strict=True))
        for part in read(body, mapping)
        for mapped in part.mapped
        for row in mapped.rows
    ]


def test_a_line_gives_a_row_for_each_sample_that_carries_the_allele() -> None:
    line = "chr7 117559590 rs113993960 ATCT A 99.5 PASS DP=61 GT:AD:DP:GQ 0/1:15,15:30:99 0|0:31,0:31:99"
    (row,) = rows(vcf(line))
    assert (row["build"], row["chromosome"], row["position"]) == ("GRCh38", "7", 117559590)
    assert (row["reference"], row["alternate"], row["variant_id"]) == ("ATCT", "A", "rs113993960")
    assert (row["genotype"], row["zygosity"], row["phased"]) == ("0/1", "heterozygous", False)
    assert (row["quality"], row["filter"], row["depth"], row["genotype_quality"]) == (99.5, "PASS", 30, 99.0)
    assert (row["allele_fraction"], row["sample"], row["patient"]) == (0.5, "S1", "Patient/1")
    assert row["version_at"] == 1709222400000
    (part,) = read(vcf(line))
    assert (part.received, part.ignored) == (2, {"genomics: the sample does not carry the allele": 1})
    shaped = shape(part.mapped[0], batch=1, recorded_at=0, source="s", message="0")
    assert shaped["flags"].to_pylist() == [None]


def test_multiallelic_lines_are_split_and_trimmed() -> None:
    found = rows(vcf("1 100 . CAA C,CA,CAAA . . . GT:AD 1/2:1,4,5,0 0|3:9,0,0,1"))
    told = [(row["alternate"], row["reference"], row["position"], row["genotype"], row["zygosity"]) for row in found]
    assert told == [
        ("C", "CAA", 100, "1/.", "heterozygous"),
        ("C", "CA", 100, "./1", "heterozygous"),
        ("CA", "C", 100, "0|1", "heterozygous"),
    ]
    assert [row["allele_fraction"] for row in found] == [0.4, 0.5, 0.1]
    assert len({row["id"] for row in found}) == 3


def test_the_same_variant_written_in_two_ways_is_one_fact() -> None:
    one = rows(vcf("1 100 . CAAA CAA . . . GT 0/1 0/0"))
    other = rows(vcf("chr1 100 rs1 CA C 5 . . GT 0/1 0/0"))
    assert one[0]["id"] == other[0]["id"]
    assert one[0]["flags"] is None


@pytest.mark.parametrize(("given", "made"), [
    ((5, "A", "G"), (5, "A", "G", True)),
    ((5, "AT", "AG"), (6, "T", "G", True)),
    ((5, "GGA", "GA"), (5, "GG", "G", False)),
    ((5, "TCA", "T"), (5, "TCA", "T", True)),
    ((5, "AC", "GT"), (5, "AC", "GT", True)),
    ((5, "ACT", "AGT"), (6, "C", "G", True)),
    ((5, "C", "CAC"), (5, "C", "CAC", False)),
])  # fmt: skip
def test_trimming(given: tuple[int, str, str], made: tuple[int, str, str, bool]) -> None:
    assert trimmed(*given) == made


def test_what_only_the_reference_could_move_is_flagged() -> None:
    (row,) = rows(vcf("1 100 . A AA . . . GT 0/1 0/0"))
    assert row["flags"] == "genomics.not_left_aligned"


@pytest.mark.parametrize(("call", "chromosome", "zygosity", "phased"), [
    ("1/1", "1", "homozygous", False),
    ("1|0", "1", "heterozygous", True),
    ("1", "X", "hemizygous", None),
    ("1/1", "Y", "hemizygous", False),
    ("1", "MT", "hemizygous", None),
    ("1/1/1", "1", "homozygous", False),
    ("0/0/1", "1", "heterozygous", False),
    ("./1", "1", None, False),
    ("|0|1", "1", "heterozygous", True),
    ("/1/1", "1", "homozygous", False),
])  # fmt: skip
def test_genotypes(call: str, chromosome: str, zygosity: str | None, phased: bool | None) -> None:
    parsed = parse_call(call)
    assert parsed is not None
    assert (seen_from(parsed, 1, chromosome)[1], parsed.phased) == (zygosity, phased)


def test_genotypes_that_were_not_called() -> None:
    body = vcf("1 100 . A G . . . GT ./. 0/1", "1 101 . A G . . . DP 3 4")
    assert [row["patient"] for row in rows(body)] == ["Patient/2"]
    assert read(body)[0].ignored == {"genomics: the genotype was not called": 3}
    kept = rows(body, f'[genomics]\nmissing = "keep"\n{TWO}')
    assert [(row["genotype"], row["zygosity"]) for row in kept] == [
        ("./.", None),
        ("0/1", "heterozygous"),
        (".", None),
        (".", None),
    ]


def test_symbolic_alleles_and_breakends_are_kept_and_others_are_none() -> None:
    found = rows(
        vcf(
            "1 100 . A <DEL> . PASS SVTYPE=DEL;END=500 GT 0/1 0/0",
            "2 321681 bnd_W G G]17:198982] 6 PASS SVTYPE=BND GT 0/1 0/0",
            "1 100 . A *,<NON_REF>,. . . . GT 0/1 2/2",
            "1 100 . A . . . . GT 0/0 0/0",
        )
    )
    assert [row["alternate"] for row in found] == ["<DEL>", "G]17:198982]"]
    assert [row["zygosity"] for row in found] == ["heterozygous"] * 2


def test_annotations() -> None:
    snpeff = "ANN=T|missense_variant|MODERATE|BRCA2|x,G|stop_gained|HIGH|BRCA1|x"
    assert rows(vcf(f"1 1 . A G . . {snpeff} GT 0/1 0/0"))[0]["gene"] == "BRCA1"
    vep = '##INFO=<ID=CSQ,Number=.,Type=String,Description="VEP. Format: Allele|Consequence|SYMBOL|PICK">\n'
    line = "1 1 . CA C,CG . . CSQ=-|frameshift_variant|TP53|,-|intron|TP53|1,G|missense_variant|KRAS| GT 1/2 0/0"
    first, second = rows(vcf(line, head=HEAD + vep))
    assert (first["gene"], first["consequence"]) == ("TP53", "intron")
    assert second["gene"] is None or second["gene"] == "KRAS"
    clinvar = rows(vcf("1 1 . A G . . GENEINFO=CFTR:1080|X:1;MC=SO:0001583|missense_variant GT 0/1 0/0"))[0]
    assert (clinvar["gene"], clinvar["consequence"]) == ("CFTR", "missense_variant")
    assert Annotations(("Allele", "Consequence", "SYMBOL", "ALLELE_NUM")).of("CSQ=x|a%3Bb|G|2", "A", ["C", "T"], 2) == (
        "G",
        "a;b",
    )


@pytest.mark.parametrize(("line", "build"), [
    ("##reference=file:///x/hg19.fa", "GRCh37"),
    ("##reference=hs38DH.fa", "GRCh38"),
    ("##contig=<ID=1,length=249250621,assembly=b37>", "GRCh37"),
    ("##contig=<ID=chr1,length=248956422>", "GRCh38"),
    ('##contig=<ID=1,assembly="GCA_000001405.15">', "GRCh38"),
    ("##source=x", ""),
])  # fmt: skip
def test_the_build(line: str, build: str) -> None:
    assert read_header(f"##fileformat=VCFv4.2\n{line}\n{COLUMNS}\tS1\n").build == build


def test_a_build_that_nobody_names_is_flagged_or_told_by_the_mapping() -> None:
    body = vcf("1 1 . A G . . . GT 0/1 0/0", head="##fileformat=VCFv4.1\n")
    assert rows(body)[0]["flags"] == "genomics.no_build"
    assert rows(body, f'[genomics]\nbuild = "GRCh37"\n{TWO}')[0]["build"] == "GRCh37"


def test_samples_without_a_patient_are_unread_and_named_later() -> None:
    body = vcf("1 1 . A G . . . GT 0/1 0/1")
    first, rest = read(body, '[genomics.samples]\nS2 = "Patient/2"')
    assert [(one.place, one.code) for one in first.unread] == [("sample 1", "genomics.no_patient")]
    assert "S1" not in first.unread[0].words
    assert (rest.received, rest.accepted) == (1, 1)
    (alone,) = read(body, "")
    assert (alone.received, len(alone.unread)) == (2, 2)
    pattern = "[genomics]\npatient_pattern = '^S(\\d)$'\nspecimen_key = 'Specimen/{}'"
    assert [(row["patient"], row["specimen"]) for row in rows(body, pattern)] == [
        ("Patient/1", "Specimen/S1"),
        ("Patient/2", "Specimen/S2"),
    ]
    sites = f"{HEAD}{COLUMNS.removesuffix(chr(9) + 'FORMAT')}\n1\t1\t.\tA\tG\t.\t.\t.\n".encode()
    assert read(sites)[0].unread[0].code == "genomics.no_sample"


def test_persons_of_one_line_have_places_of_their_own() -> None:
    found = rows(vcf("1 1 . A G . . . GT 0/1 0/1"))
    assert [row["place"] for row in found] == ["line 5 sample 1", "line 5 sample 2"]


def test_damaged_lines_are_unread_alone() -> None:
    good = "1 100 . A G . . . GT 0/1 0/0"
    bad = (
        "1 x . A G . . . GT 0/1 0/0", "1 1 . A G . . . GT 0/1", "1 1 . A? G . . . GT 0/1 0/0",
        "1 1 . A G . . . GT 0/2 0/0", "1 1 . A G . . . GT 0:1 a/b", "1 1 . A !! . . . GT 0/1 0/0", "junk",
        f"1 1 . A {','.join(['G'] * (ALTERNATES + 1))} . . . GT 0/1 0/0",
    )  # fmt: skip
    (part,) = read(vcf(good, *bad, good))
    assert [one.place for one in part.unread] == [f"line {number}" for number in range(6, 6 + len(bad))]
    assert {one.code for one in part.unread} == {"genomics.bad_line"}
    assert part.accepted == 2


def test_gzip_and_blocked_gzip() -> None:
    lines = vcf(*[f"1 {at} . A G . . . GT 0/1 0/0" for at in range(1, 3001)])
    half = len(lines) // 2
    for body in (gzip.compress(lines), gzip.compress(lines[:half]) + gzip.compress(lines[half:]) + gzip.compress(b"")):
        parts = list(WithVcf(TabularReader()).read(body, ReadContext("x", 0, mapping=TWO)))
        assert sum(part.accepted for part in parts) == 3000
    cut = read(gzip.compress(lines)[:-2000])
    assert cut[-1].unread[0].code == "genomics.truncated"
    with pytest.raises(NoMapping):
        list(WithVcf(TabularReader()).read(gzip.compress(b"a,b\n1,2\n"), ReadContext("x", 0)))


def test_windows_lines_and_large_files_come_in_parts() -> None:
    body = vcf(*[f"1 {at} . A G . . . GT 0/1 1/1" for at in range(1, PART_ROWS + 2)])
    parts = read(body.replace(b"\n", b"\r\n"))
    assert [part.accepted for part in parts] == [PART_ROWS, PART_ROWS, 2]
    assert rows(body.replace(b"\n", b"\r\n"))[-1]["place"] == f"line {PART_ROWS + 5} sample 2"


@pytest.mark.parametrize("body", [
    b"", b"##fileformat=VCFv4.2\n", b"##fileformat=VCFv5.0\n", b"#CHROM", b"##fileformat=VCFv4.2\n1\t2\n",
    b"##fileformat=VCFv4.2\n#CHROM\tPOS\n", vcf(samples="S1\tS1"), b"\x1f\x8bxx",
    gzip.compress(b"##fileformat=VCFv4.2\n"),
])  # fmt: skip
def test_what_is_no_vcf(body: bytes) -> None:
    with pytest.raises(BadVcf) as caught:
        read(body)
    assert isinstance(caught.value, Unreadable)


def test_a_line_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = text_lines.LINE_BYTES
    monkeypatch.setattr(text_lines, "_PIECE", 64)
    monkeypatch.setattr(text_lines, "LINE_BYTES", type(limit)(limit.name, 128, limit.unit))
    assert list(text_lines.blocks(b"a" * 128)) == [b"a" * 128]
    with pytest.raises(Exception, match="129"):
        list(text_lines.blocks(b"a" * 129))


@pytest.mark.parametrize("text", [
    "[genomics]\nx = 1", "[genomics]\npatient_pattern = '('", "[genomics]\npatient_pattern = 'a'", "[genomics",
    "[genomics]\npatient_key = 'x'", "[genomics]\nmissing = 'maybe'",
])  # fmt: skip
def test_options_that_are_not_known(text: str) -> None:
    with pytest.raises(BadGenomics):
        read(vcf(), text)
