"""Documents and genomes: VCF to rows, CDA to facts, PDF and Word to text."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Callable

from bench._report import quick, say

from xinglin.records.documents import CdaReader, extract_text
from xinglin.records.genomics import VcfReader
from xinglin.records.model import ReadContext, Reader
from xinglin.records.views import map_resources

GENOMES = '[genomics]\npatient_pattern = "^S(.+)$"'
_V3 = 'xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_ALLELES = (("A", "G"), ("C", "T"), ("CA", "C"), ("G", "GTT"))


def vcf(lines: int, samples: int) -> bytes:
    """An annotated VCF in which every sample carries every variant."""
    head = "##fileformat=VCFv4.2\n##reference=GRCh38\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
    names = "\t".join(f"S{number}" for number in range(samples))
    calls = "\t".join(["0/1:15,15:30:99:0,1,2"] * samples)
    made = [f"{head}\t{names}"]
    for number in range(lines):
        reference, alternate = _ALLELES[number % 4]
        info = f"DP=30;AF=0.5;ANN={alternate}|missense_variant|MODERATE|GENE{number % 99}|x|transcript"
        place = (
            f"chr{1 + number % 22}\t{1000 + number * 7}\trs{number}\t{reference}\t{alternate}\t{50 + number % 100}.5"
        )
        made.append(f"{place}\tPASS\t{info}\tGT:AD:DP:GQ:PL\t{calls}")
    return ("\n".join(made) + "\n").encode()


def cda(results: int) -> bytes:
    """A CDA with a section of so many results, and their narrative as a table."""
    code = 'codeSystem="2.16.840.1.113883.6.1"'
    entries = "".join(
        f'<entry><observation classCode="OBS" moodCode="EVN"><id root="1.2.3" extension="{number}"/>'
        f'<code code="2345-7" {code}/><effectiveTime value="202103040809+0800"/>'
        f'<value xsi:type="PQ" value="{number}" unit="mg/dL"/></observation></entry>'
        for number in range(results)
    )
    rows = "".join(f"<tr><td>Glucose</td><td>{number} mg/dL</td></tr>" for number in range(results))
    patient = '<patientRole><id root="1.2.4" extension="7"/><patient><name>x</name></patient></patientRole>'
    text = f"<text><table><tbody>{rows}</tbody></table></text>"
    section = f'<section><code code="30954-2" {code}/><title>Results</title>{text}{entries}</section>'
    head = '<id root="1.2.5" extension="1"/><effectiveTime value="20210305"/>'
    body = f"<component><structuredBody><component>{section}</component></structuredBody></component>"
    return f"<ClinicalDocument {_V3}>{head}<recordTarget>{patient}</recordTarget>{body}</ClinicalDocument>".encode()


def pdf(pages: int) -> bytes:
    """A PDF of text, 40 lines a page."""
    lines = "".join(
        f"BT /F1 10 Tf 50 {760 - 18 * at} Td (Line {at} of a discharge summary) Tj ET\n" for at in range(40)
    )
    page = "<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /Contents 4 0 R >>"
    kids = " ".join(f"{number} 0 R" for number in range(5, 5 + pages))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} /MediaBox [0 0 612 792] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(lines)} >>\nstream\n{lines}\nendstream",
        *[page] * pages,
    ]
    body = "".join(f"{number} 0 obj\n{one}\nendobj\n" for number, one in enumerate(objects, 1))
    return f"%PDF-1.4\n{body}trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n0\n%%EOF".encode()


def timed(work: Callable[[], int]) -> tuple[int, float, float]:
    """What was counted, CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    count = work()
    return count, time.process_time() - cpu, time.perf_counter() - wall


def rows(reader: Reader, bodies: list[bytes], mapping: str) -> int:
    """Rows of all objects; resources are mapped by their views."""
    count = 0
    for body in bodies:
        for part in reader.read(body, ReadContext("bench", 0, mapping=mapping)):
            mapped = [*map_resources(part.resources), *part.mapped]
            count += sum(len(one.rows) for one in mapped)
    return count


def main(arguments: list[str]) -> None:
    """VCF with one sample, with many, and gzipped; CDA; PDF."""
    size = 2_000 if quick(arguments) else 100_000
    one, many = vcf(size, 1), vcf(max(size // 500, 1), 500)
    for name, what, body, promise in (
        ("documents.vcf", "annotated variants of one sample to rows", one, ""),
        ("documents.vcf_gzip", "the same, gzipped", gzip.compress(one), ""),
        ("documents.vcf_samples", "variants of 500 samples to rows", many, ""),
    ):
        count, cpu, wall = timed(lambda body=body: rows(VcfReader(), [body], GENOMES))  # type: ignore[misc]
        say(name, what, count / cpu, "/s a core", promise, f"wall {wall:.2f} s, {count} rows, {len(body):,} bytes")
    documents = [cda(200)] * max(size // 2_000, 2)
    count, cpu, wall = timed(lambda: rows(CdaReader(), documents, ""))
    told = f"wall {wall:.2f} s, {count} rows of {len(documents)} documents of {len(documents[0]):,} bytes"
    say("documents.cda", "CDA of 200 results to rows of all tables", count / cpu, "rows/s a core", "", told)
    pages = max(size // 1_000, 2)
    found, cpu, wall = timed(lambda: len(extract_text("application/pdf", pdf(pages)).text))
    say(
        "documents.pdf",
        "text of a PDF, 40 lines a page",
        pages / cpu,
        "pages/s a core",
        "",
        f"wall {wall:.2f} s, {found:,} characters",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
