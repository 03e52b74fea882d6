"""One person out of a VCF of many: nothing of theirs stays, and the others' rows are as they were."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.intake.hospital import Hospital

from xinglin.intake.erasing import Erasure
from xinglin.intake.model import Source
from xinglin.intake.redaction import redact
from xinglin.records.genomics.erasing import REWRITTEN_BYTES, is_vcf, without_samples
from xinglin.records.genomics.reader import VcfReader
from xinglin.records.model import ReadContext
from xinglin.stores.intake_lake import LakeFacts

MAPPING = "[genomics]\npatient_pattern = 'S(\\d+)'\nmissing = \"keep\"\n"
HEAD = (
    "##fileformat=VCFv4.2\n##reference=GRCh38\n##SAMPLE=<ID=S2,Name=Wanda>\n##bcftools_viewCommand=view -s S2 x\n"
    "##contig=<ID=1>\n"
)
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2\tS3\n"
LINES = (
    "1\t5\trs1\tA\tG\t.\tPASS\tAC=2;AN=6;ANN=G|missense|x|GENE1\tGT:AD\t0/1:5,6\t1/1:0,9\t0/0:8,0\n"
    "1\t6\t.\tC\tT\t.\t.\tAC=1\tGT\t0/0\t0/1\t0/0\n"
    "1\t7\t.\tA\tG,T\t.\t.\tANN=G|stop|x|GENE2,T|silent|x|GENE2\tGT\t0/1\t2/2\t./.\n"
    "1\t8\t.\tA\tAT\t.\t.\t.\tGT\t0/1\t.\t1|1\n"
    "damaged\n"
)
VCF = (HEAD + COLUMNS + LINES).encode()


def rows(body: bytes, missing: str = "skip") -> list[dict[str, object]]:
    context = ReadContext("x", 0, mapping=MAPPING.replace("keep", missing))
    return [
        dict(zip(mapped.columns, row, strict=True))
        for part in VcfReader().read(body, context)
        for mapped in part.mapped
        for row in mapped.rows
    ]


def places(body: bytes, patient: str, missing: str = "skip") -> tuple[set[str], set[str]]:
    """Places of others and of the person, as the erasure asks for them."""
    found = rows(body, missing)
    return (
        {str(row["place"]) for row in found if row["patient"] != patient},
        {str(row["place"]) for row in found if row["patient"] == patient},
    )


@pytest.mark.parametrize("packed", [False, True])
def test_one_sample_goes_and_the_others_stay(packed: bool) -> None:
    body = gzip.compress(VCF) if packed else VCF
    media_type = "application/gzip" if packed else "text/x-vcf"
    rest = redact(media_type, body, *places(body, "Patient/2"), {"Patient/2"})
    assert rest is not None and is_vcf(rest) and rest.startswith(b"\x1f\x8b") == packed
    assert rows(rest) == [row for row in rows(VCF) if row["patient"] != "Patient/2"]
    text = gzip.decompress(rest) if packed else rest
    for word in (b"S2", b"Wanda", b"1/1:0,9", b"2/2", b"AC=", b"AN=", b"silent", b"damaged", b"\t6\t"):
        assert word not in text, word
    assert text.count(b"\n") == VCF.count(b"\n")


def test_an_allele_that_nobody_else_carries_is_not_told() -> None:
    rest = without_samples(VCF, *places(VCF, "Patient/2"))
    assert rest is not None
    cells = rest.split(b"\n")[8].split(b"\t")
    assert cells[4] == b"G,<*>" and cells[9:] == [b"0/1", b".", b"./."]
    assert cells[7] == b"ANN=G|stop|x|GENE2"


def test_an_emptied_column_is_nobody_s_whatever_the_pattern_says() -> None:
    rest = without_samples(VCF, *places(VCF, "Patient/2"))
    assert rest is not None
    parts = list(VcfReader().read(rest, ReadContext("x", 0, mapping=MAPPING.replace("S(", "("))))
    assert not any(one.place.startswith("sample") for part in parts for one in part.unread)
    assert {row["patient"] for row in rows(rest, "keep")} <= {"Patient/1", "Patient/3"}


def test_erasing_twice_and_erasing_everybody() -> None:
    once = without_samples(VCF, *places(VCF, "Patient/2"))
    assert once is not None
    twice = without_samples(once, *places(once, "Patient/1"))
    assert twice is not None
    assert rows(twice) == [row for row in rows(VCF) if row["patient"] == "Patient/3"]
    assert without_samples(twice, *places(twice, "Patient/3")) is None
    assert without_samples(VCF, {"line 1", "header"}, set()) is None


def test_a_person_with_two_samples_loses_both() -> None:
    body = VCF.replace(b"\tS3\n", b"\tS2b\n")
    rest = without_samples(body, *places(body, "Patient/2"))
    assert rest is not None
    assert {row["patient"] for row in rows(rest)} == {"Patient/1"}
    assert b"S2" not in rest


def test_a_file_that_is_no_vcf_or_too_large_goes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.records.genomics import erasing

    assert redact("application/gzip", gzip.compress(b"a,b\n1,2\n"), {"line 2"}, {"line 3"}, set()) is None
    keep, drop = places(VCF, "Patient/2")
    monkeypatch.setattr(erasing, "REWRITTEN_BYTES", type(REWRITTEN_BYTES)("x", len(VCF), "bytes"))
    assert without_samples(VCF, keep, drop) is not None
    monkeypatch.setattr(erasing, "REWRITTEN_BYTES", type(REWRITTEN_BYTES)("x", len(VCF) - 1, "bytes"))
    assert without_samples(VCF, keep, drop) is None


def test_a_compressed_file_that_ends_too_early_keeps_what_could_be_read() -> None:
    whole = gzip.compress(VCF * 1)
    cut = whole[:-12]
    keep, drop = places(cut, "Patient/2") if rows(cut) else (set(), set())
    rest = without_samples(cut, keep, drop)
    assert rest is None or rows(rest) == [row for row in rows(cut) if row["patient"] != "Patient/2"]


GENOTYPES = st.sampled_from(["0/0", "0/1", "1/1", "1|2", "2/2", "./.", "0/2", "1", "."])


@given(
    st.lists(st.tuples(*[GENOTYPES] * 3), min_size=1, max_size=6), st.integers(1, 3), st.sampled_from(["skip", "keep"])
)
def test_whoever_goes_the_others_rows_are_as_they_were(
    calls: list[tuple[str, str, str]], gone: int, missing: str
) -> None:
    lines = [f"1\t{at}\t.\tA\tG,AT\t.\t.\tAC=1\tGT\t{a}\t{b}\t{c}\n" for at, (a, b, c) in enumerate(calls, 10)]
    body = (HEAD + COLUMNS + "".join(lines)).encode()
    before = rows(body, missing)
    rest = without_samples(body, *places(body, f"Patient/{gone}", missing))
    others = [row for row in before if row["patient"] != f"Patient/{gone}"]
    assert (rows(rest, missing) if rest is not None else []) == others


def test_an_erasure_rewrites_the_kept_file_and_every_table(tmp_path: Path) -> None:
    opened = Hospital(tmp_path)
    try:
        opened.ledger.register(Source("genomes", mapping=MAPPING.replace("keep", "skip")), 1)
        (sent,) = opened.send(VCF.decode(), source="genomes", media_type="text/x-vcf")
        opened.intake.drain()
        others = {row["id"] for row in opened.rows("variant") if row["patient"] != "Patient/2"}
        eraser = Erasure(opened.intake, opened.raw, opened.ledger, opened.preparer, LakeFacts(opened.lake))  # type: ignore[arg-type]
        done = eraser.erase(["Patient/2"])
        assert (done.objects, done.redacted) == (1, 1)
        opened.intake.drain()
        assert {row["id"] for row in opened.rows("variant")} == others
        moved = opened.accounts.moved_to(sent.digest)
        assert moved and b"S2" not in opened.raw.read(moved)
    finally:
        opened.close()
