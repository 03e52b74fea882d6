"""Documents, genomes and OMOP through the intake's own steps: everything is accounted for and fits its table."""

from __future__ import annotations

import pytest
from tests.unit.records.documents.cda_documents import ccda, wst
from tests.unit.records.documents.files import docx, paragraph, pdf

from xinglin.intake.model import Source
from xinglin.intake.ports import Kept, Work
from xinglin.intake.preparing import Preparation
from xinglin.intake.standard import standard_steps
from xinglin.records.documents import wrap_document
from xinglin.records.sniffing import sniff

VCF = (
    b"##fileformat=VCFv4.2\n##reference=GRCh38\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2\n"
    b"1\t5\t.\tA\tG,T\t.\t.\t.\tGT\t1/2\t0/1\n1\t6\t.\tA\tG\t.\t.\t.\tGT\t0/0\t0/1\nbad\n"
)
OMOP = b"person_id,gender_concept_id,year_of_birth\n1,8507,1970\n2,8532,1980\n"
MAPPING = '[documents]\npatient_pattern = "MRN: (\\\\d+)"\n[genomics]\npatient_pattern = "S(\\\\d)"'


@pytest.mark.parametrize(("body", "mapping", "tables", "counts"), [
    (ccda(), MAPPING, {"condition", "document", "note", "immunization", "report"}, (25, 0)),
    (wst(), MAPPING, {"condition", "document", "note", "location"}, (18, 0)),
    (pdf("MRN: 5"), MAPPING, {"document", "note"}, (1, 0)),
    (docx(paragraph("MRN: 5")), MAPPING, {"document", "note"}, (1, 0)),
    (docx(paragraph("nobody")), MAPPING, set(), (1, 1)),
    (VCF, MAPPING, {"variant"}, (5, 1)),
    (OMOP, "", {"patient"}, (2, 0)),
    (wrap_document(pdf("x"), "application/pdf", "Patient/1"), "", {"document", "note"}, (1, 0)),
])  # fmt: skip
def test_an_object_through_the_steps(body: bytes, mapping: str, tables: set[str], counts: tuple[int, int]) -> None:
    media_type = sniff(body, "x.csv").media_type
    source = Source("documents", mapping=mapping, namespace="h")
    kept = Kept("0" * 64, 1, len(body), False, "documents", media_type, 1_700_000_000_000, "inpatient")
    preparation = Preparation(standard_steps(), b"k" * 32)
    parts = list(preparation.prepare(Work(kept, source, media_type), body))
    assert sum(part.received for part in parts) == counts[0]
    assert sum(len(part.unread) for part in parts) == counts[1]
    assert all(part.received == part.accepted + len(part.unread) + len(part.rejects) for part in parts)
    made = preparation.tables({}, 1, 1_700_000_000_000)
    assert tables <= set(made) if tables else not made
    for name, table in made.items():
        if "patient" in table.schema.names:
            assert all(one.startswith("h/Patient/") for one in table["patient"].to_pylist()), name


def test_a_person_of_many_in_one_genome_file_is_refused_alone() -> None:
    from xinglin.intake.digests import person_digest

    source = Source("documents", mapping=MAPPING)
    kept = Kept("0" * 64, 1, len(VCF), False, "documents", "text/x-vcf", 1_700_000_000_000, "inpatient")
    erased = {person_digest(b"k" * 32, "Patient/1")}
    preparation = Preparation(standard_steps(), b"k" * 32, erased)
    parts = list(preparation.prepare(Work(kept, source, "text/x-vcf"), VCF))
    assert [len(part.rejects) for part in parts] == [1]
    assert [part.accepted for part in parts] == [3]
    assert set(preparation.tables({}, 1, 0)["variant"]["patient"].to_pylist()) == {"Patient/2"}
