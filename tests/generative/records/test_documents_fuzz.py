"""Documents, genomes and OMOP files of any bytes: rows, unread records or a named error, and in linear time."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.records.documents.cda_documents import ccda, de, section, wst
from tests.unit.records.documents.files import docx, paragraph, pdf, tiff

from xinglin.kernel.errors import LimitExceeded
from xinglin.records.documents import CdaReader, DocumentReader, WithTexts, extract_text
from xinglin.records.errors import RecordsError
from xinglin.records.fhir import FhirReader
from xinglin.records.genomics import VcfReader, WithVcf
from xinglin.records.model import Mapped, Read, ReadContext, Reader
from xinglin.records.omop import WithOmop
from xinglin.records.shape import shape
from xinglin.records.tabular import TabularReader
from xinglin.records.views import map_resources

NAMED = (RecordsError, LimitExceeded)
MAPPING = '[documents]\npatient = "Patient/1"\n[genomics]\npatient = "Patient/1"'
VCF = (
    b"##fileformat=VCFv4.2\n##reference=GRCh38\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2\n"
    b"chr1\t100\trs1\tCAA\tC,CA\t50\tPASS\tDP=30;ANN=C|missense|x|G1|\tGT:AD:DP:GQ\t0/1:1,2,3:6:9\t1|2:0,1,1:2:3\n"
    b"X\t5\t.\tA\t<DEL>\t.\t.\tEND=9\tGT\t1\t./.\n"
)
RTF = (
    rb"{\rtf1\ansi\ansicpg936{\fonttbl{\f0\fcharset134 S;}}\f0 \'d6\'f7\par{\field{\*\fldinst{HYPERLINK "
    rb"\"http://x\"}}{\fldrslt y}}\u20303?}"
)
DOCX = docx(paragraph("x") + "<w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>", header1=paragraph("h"))


def omop() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        made.writestr("PERSON.csv", "person_id,gender_concept_id,year_of_birth\n1,8507,1970\n")
        made.writestr("CONCEPT.csv", "concept_id\tvocabulary_id\tconcept_code\tstandard_concept\n8507\tGender\tM\tS\n")
    return held.getvalue()


def reads(reader: Reader, body: bytes) -> None:
    """Everything adds up and fits its tables, or the error has a name."""
    try:
        parts = list(reader.read(body, ReadContext("fuzz", 0, mapping=MAPPING)))
    except NAMED as error:
        assert error.code
        return
    for part in parts:
        assert part.received == len(part.resources) + part.accepted + len(part.unread) + sum(part.ignored.values())
        for mapped in every(part):
            shape(mapped, batch=1, recorded_at=0, source="s", message="0")


def every(part: Read) -> Iterator[Mapped]:
    yield from map_resources(part.resources)
    yield from part.mapped


@st.composite
def damaged(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A whole document with some bytes changed, cut, doubled or put in."""
    body = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(body) - 1, 0)))
        end = min(len(body), at + draw(st.integers(1, 200)))
        what = draw(st.sampled_from(("cut", "put", "double", "flip", "end")))
        if what == "cut":
            del body[at:end]
        elif what == "put":
            body[at:at] = draw(
                st.binary(max_size=20) | st.sampled_from((b"<", b'"', b"\t", b"999999999999", b"&a;", b"]]>"))
            )
        elif what == "double":
            body[end:end] = body[at:end]
        elif what == "flip" and body:
            body[at] ^= draw(st.integers(1, 255))
        elif what == "end":
            del body[at:]
    return bytes(body)


FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(damaged((ccda(), wst())))
@example(ccda().replace(b"2021", b"9999"))
@example(ccda().replace(b"2345-7", b"\xf0\x9f\x92\x8a"))
def test_damaged_cda(body: bytes) -> None:
    reads(CdaReader(), body)


ATTRIBUTES = st.sampled_from(
    ("code", "value", "unit", "nullFlavor", "root", "extension", "codeSystem", "moodCode", "ID")
)
STATEMENTS = ("observation", "act", "organizer", "procedure", "substanceAdministration", "encounter", "supply")
LINKS = ("component", "section", "entry", "entryRelationship", "consumable", "manufacturedProduct", "subject", "author")
PARTS = ("code", "value", "effectiveTime", "low", "high", "id", "text", "title", "list", "item", "table", "tr", "td")
NAMES = st.sampled_from((*STATEMENTS, *LINKS, *PARTS, "participant", "participantRole", "playingEntity"))
ELEMENTS = ("DE05.01.024.00", "DE05.01.025.00", "DE04.30.015.00", "DE02.10.023.00", "2.16.156.10011.2.2.1")
WORDS = st.sampled_from((*ELEMENTS, "1", "20240301", "UNK", "EVN", "INT", "9" * 400, "-", "mmHg", "#x", "11450-4", ""))


@st.composite
def trees(draw: st.DrawFn) -> str:
    """Elements of CDA in any order."""

    def made(inner: list[str]) -> str:
        name = draw(NAMES)
        told = "".join(f' {key}="{draw(WORDS)}"' for key in draw(st.lists(ATTRIBUTES, max_size=3, unique=True)))
        kind = draw(st.sampled_from(("", ' xsi:type="PQ"', ' xsi:type="CD"', ' xsi:type="BL"', ' xsi:type="IVL_TS"')))
        return f"<{name}{told}{kind}>{''.join(inner)}</{name}>"

    layer = [made([]) for _ in range(draw(st.integers(1, 6)))]
    for _ in range(draw(st.integers(1, 5))):
        size = draw(st.integers(1, 3))
        layer = [made(layer[at : at + size]) for at in range(0, len(layer), size)] + [made([])]
    return "".join(layer)


@settings(FUZZ, max_examples=60)
@given(trees())
def test_any_elements_of_cda(tree: str) -> None:
    reads(CdaReader(), ccda(f"<component><section>{tree}</section></component>"))
    reads(CdaReader(), wst(section("29548-5", "x", tree, tree)))
    reads(CdaReader(), ccda(header=tree))


@FUZZ
@given(damaged((pdf("One", "Two"), RTF, DOCX, tiff(3), b"\xff\xd8\xff")))
def test_damaged_files(body: bytes) -> None:
    reads(DocumentReader(), body)
    for media_type in ("application/pdf", "application/rtf", "text/html", "text/plain", "image/tiff"):
        extract_text(media_type, body).text.encode()


@FUZZ
@given(st.binary(max_size=500))
def test_any_bytes(body: bytes) -> None:
    for reader in (
        CdaReader(),
        DocumentReader(),
        VcfReader(),
        WithVcf(WithOmop(TabularReader())),
        WithTexts(FhirReader()),
    ):
        reads(reader, body)
    for prefix in (b"%PDF-1.7\n", b"{\\rtf1", b"II*\0", b"##fileformat=VCFv4.2\n", b"\x1f\x8b", b"PK\x03\x04"):
        reads(DocumentReader(), prefix + body)
        reads(WithVcf(WithOmop(TabularReader())), prefix + body)


@FUZZ
@given(damaged((VCF,)))
@example(VCF.replace(b"0/1", b"0" * 70_000))
@example(VCF.replace(b"100", "٣".encode()))
@example(VCF.replace(b"\t100\t", "\t²\t".encode()))
@example(VCF.replace(b"1,2,3", "²,2,3".encode()))
@example(VCF.replace(b":6:9", ":²:9".encode()))
@example(VCF.replace(b"GT:AD", "GT:ＡD".encode()).replace(b"1,2,3", "²,2,3".encode()))
def test_damaged_vcf(body: bytes) -> None:
    reads(VcfReader(), body)


@settings(max_examples=60, deadline=None)
@given(damaged((omop(),)))
def test_damaged_omop(body: bytes) -> None:
    reads(WithOmop(TabularReader()), body)


def entries(count: int) -> bytes:
    return ccda(section("30954-2", "x", "", *[de("DE04.10.186.00", "x", '<value xsi:type="PQ" value="1"/>')] * count))


def pairs(count: int) -> bytes:
    components = "".join(f"<component>{de('DE04.30.015.00', 'x', '<value/>')}</component>" for _ in range(count))
    return ccda(section("30954-2", "x", "", f"<organizer>{components}</organizer>"))


def deep(count: int) -> bytes:
    text = "<list><item>" * 60 + '<content ID="a">x</content>' * (count * 4) + "</item></list>" * 60
    return ccda(section("11450-4", "x", text))


def sections(count: int) -> bytes:
    return ccda(*(section("8716-3", "x", "y") for _ in range(count)))


def html(count: int) -> bytes:
    return b"<td>" * count * 8 + b"<!" * count + b"&" * count


def alleles(count: int) -> bytes:
    alternates = ",".join(["GT" * 40] * 200)
    line = f"1\t5\t.\t{'GT' * 50}\t{alternates}\t.\t.\t.\tGT\t1/2\t3/4\n"
    return VCF + (line * count).encode()


@pytest.mark.parametrize("make", [entries, pairs, deep, sections, html, alleles])
def test_time_is_linear(make: Callable[[int], bytes]) -> None:
    """Four times the document takes no more than some eight times the time."""
    took = []
    for count in (100, 400):
        body = make(count)
        best = 9e9
        for _ in range(2):
            began = time.process_time()
            if make is html:
                extract_text("text/html", body)
            else:
                reads(VcfReader() if make is alleles else CdaReader(), body)
            best = min(best, time.process_time() - began)
        took.append(best)
    assert took[1] < 8 * took[0] + 0.2, took
