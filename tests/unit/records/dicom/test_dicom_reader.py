"""Headers to rows: whose, which series, which teeth; character sets; damage of every kind."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian
from tests.unit.records.dicom.phantoms import cbct, code, encoded, intraoral, phantom

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.records.dicom import Archive, BadDicom, DicomReader, headers_only, open_header
from xinglin.records.dicom.bounds import HEADER_BYTES, SERIES_INSTANCES
from xinglin.records.dicom.header import dataset_offset
from xinglin.records.dicom.pixels import frame_of
from xinglin.records.dicom.series import Summary, SummaryInstance, encode_summary
from xinglin.records.dicom.teeth import tooth_of_words
from xinglin.records.errors import RecordsError
from xinglin.records.model import Read, ReadContext
from xinglin.records.shape import shape

CONTEXT = ReadContext("pacs", 1_709_251_200_000)


def read(body: bytes, charset: str = "utf-8") -> Read:
    (part,) = DicomReader().read(body, ReadContext("pacs", 1, charset=charset))
    given = part.accepted + len(part.unread) + sum(part.ignored.values())
    assert part.received == given == 1
    return part


def row(body: bytes, table: str, charset: str = "utf-8") -> dict[str, Any]:
    (found,) = [one for one in read(body, charset).mapped if one.table == table]
    return dict(zip(found.columns, found.rows[0], strict=True))


def test_an_instance_gives_its_person_and_its_series() -> None:
    person, image = row(encoded(phantom()), "patient"), row(encoded(phantom()), "imaging")
    assert person["id"] == image["patient"] == "Patient/TREE.P0017"
    wanted = {"identifier": "P0017", "identifier_system": "TREE", "name": "张三", "family": "张", "given": "三"}
    wanted |= {"sex": "female", "birth_date": "1962-05-13", "partial": True}
    assert wanted.items() <= person.items()
    wanted_image = {
        "id": "ImagingSeries/2.25.1234567890.1", "study": "2.25.1234567890.0", "series": "2.25.1234567890.1",
        "modality": "CT", "description": "胸部平扫", "started": "2024-03-01T08:20:00+08:00", "rows": 16,
        "pixel_spacing_mm": 0.5, "slice_thickness_mm": 1.5, "kvp": 120.0, "tube_current_ma": 80.0,
        "exposure_mas": 40.0, "body_site_source_text": "CHEST", "accession": "A77", "where_kept": "object",
        "voxel_mm": "0.5 0.5 1.5", "flags": None, "transfer_syntax": "1.2.840.10008.1.2.1",
    }  # fmt: skip
    assert wanted_image.items() <= image.items()


def test_rows_have_the_columns_of_their_tables() -> None:
    for body in (encoded(phantom()), encoded(intraoral()), encode_summary(Summary("1", "2", "Patient/3", ()))):
        for mapped in read(body).mapped:
            table = canonical_table(mapped.table)
            assert table is not None
            shaped = shape(mapped, batch=1, recorded_at=1, source="pacs", message="0")
            assert shaped.num_rows == 1
            assert not shaped["flags"].to_pylist()[0]


def test_slices_of_a_series_say_the_same_of_it() -> None:
    one, two = (row(encoded(phantom(number)), "imaging") for number in (1, 2))
    assert one == two


def test_what_exposure_control_varies_is_left_to_the_summary() -> None:
    varied = row(encoded(phantom(ExposureModulationType="ANGULAR")), "imaging")
    assert "tube_current_ma" not in varied
    assert varied["kvp"] == 120.0


def test_a_cone_beam_volume_keeps_its_geometry() -> None:
    image = row(encoded(cbct()), "imaging")
    assert image["voxel_mm"] == "0.3 0.3 0.3"
    assert (image["field_of_view_mm"], image["kvp"], image["tube_current_ma"]) == (80.0, 90.0, 5.0)
    assert image["exposure_mas"] == 60.0


def test_a_multi_frame_volume_keeps_its_geometry() -> None:
    measures, groups = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.2, 0.2], "0.2"
    groups.PixelMeasuresSequence = [measures]
    made = cbct(NumberOfFrames=2, PixelSpacing=None, SliceThickness=None, SharedFunctionalGroupsSequence=[groups])
    assert row(encoded(made), "imaging")["voxel_mm"] == "0.2 0.2 0.2"


def test_teeth_are_fdi_numbers() -> None:
    assert row(encoded(intraoral()), "imaging")["tooth"] == "16 46"
    assert row(encoded(intraoral()), "imaging")["laterality"] == "R"
    words = code("X1", "99LOCAL", "Lower left primary second molar")
    assert row(encoded(intraoral(PrimaryAnatomicStructureSequence=[words])), "imaging")["tooth"] == "75"


@pytest.mark.parametrize(
    ("words", "tooth"),
    [
        ("Permanent maxillary left third molar tooth", "28"),
        ("Mandibular right lateral incisor tooth", "42"),
        ("Mandibular left lateral tooth", "32"),
        ("Deciduous maxillary right first molar tooth", "54"),
        ("Deciduous mandibular left canine tooth", "73"),
        ("Supernumerary permanent mandibular left canine tooth", ""),
        ("Deciduous mandibular left third molar tooth", ""),
        ("Maxilla", ""),
    ],
)
def test_teeth_in_words(words: str, tooth: str) -> None:
    assert tooth_of_words(words) == tooth


@pytest.mark.parametrize("charset", ["GB18030", "GBK", "ISO_IR 192", "\\ISO 2022 IR 58"])
def test_chinese_names_in_every_character_set(charset: str) -> None:
    made = phantom(charset=charset.split("\\") if "\\" in charset else charset)
    person = row(encoded(made), "patient")
    assert (person["name"], person["family"]) == ("张三", "张")


def test_a_character_set_may_begin_with_its_escape() -> None:
    name = b"Zhang^XiaoDong=\x1b$)A" + "张".encode("gb2312") + b"^\x1b$)A" + "小东".encode("gb2312") + b"="
    made = phantom(charset=["", "ISO 2022 IR 58"], PatientName="N" * (len(name) + len(name) % 2))
    body = encoded(made).replace(b"N" * (len(name) + len(name) % 2), name.ljust(len(name) + len(name) % 2))
    assert row(body, "patient")["name"] == "张小东"


def test_undeclared_and_untrue_character_sets_are_read_and_flagged() -> None:
    made = phantom(charset="ISO_IR 192", PatientName="Zhang^San", StudyDescription="placeholder!")
    body = encoded(made).replace(b"placeholder!", "胸部平扫".encode("gb18030").ljust(12))
    assert row(body, "imaging")["description"] == "胸部平扫"
    assert row(body, "imaging")["flags"] == "dicom.wrong_charset"
    plain = body.replace(b"ISO_IR 192", b"ISO_IR 6  ")
    assert row(plain, "imaging", "gb18030")["flags"] == "dicom.assumed_charset"


def test_without_person_or_series_a_record_is_unread() -> None:
    assert read(encoded(phantom(PatientID=""))).unread[0].code == "dicom.no_patient"
    assert read(encoded(phantom(SeriesInstanceUID=None))).unread[0].code == "dicom.no_series"
    assert read(encoded(phantom(SeriesInstanceUID="none/../x"))).unread[0].code == "dicom.bad_uid"


@pytest.mark.parametrize("cut", [0, 132, 140, 200, 400, 700])
def test_a_header_that_is_cut_off_is_no_header(cut: int) -> None:
    with pytest.raises(BadDicom):
        read(encoded(phantom())[:cut])


def test_pixel_data_that_is_cut_off_is_flagged() -> None:
    assert row(encoded(phantom())[:-100], "imaging")["flags"] == "dicom.truncated"


def test_a_file_without_preamble_is_read() -> None:
    body = encoded(phantom())
    assert row(body[dataset_offset(body) :], "imaging")["modality"] == "CT"


def test_wrong_representations_cost_one_value() -> None:
    body = encoded(phantom())
    at = body.index(struct.pack("<HH", 0x28, 0x10))
    odd = body[:at] + struct.pack("<HH2sH", 0x28, 0x10, b"US", 3) + b"abc" + body[at + 10 :]
    image = row(odd, "imaging")
    assert image["rows"] is None
    assert image["columns"] == 16
    assert image["flags"] == "dicom.bad_value"
    assert row(encoded(phantom(KVP=None)).replace(b"1.5 ", b"x.y "), "imaging")["slice_thickness_mm"] is None


def test_a_deflated_file_is_read_within_a_limit() -> None:
    made = phantom()
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    body = encoded(made)
    assert row(body, "imaging")["transfer_syntax"] == str(DeflatedExplicitVRLittleEndian)
    start = dataset_offset(body)
    packer = zlib.compressobj(wbits=-15)
    bomb = struct.pack("<HH2sHI", 9, 0x1010, b"OB", 0, 1 << 30)
    packed = packer.compress(bomb) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    with pytest.raises(BadDicom):
        read(body[:start] + packed)


def test_a_header_longer_than_the_limit_is_refused() -> None:
    made = phantom(PixelData=None)
    made.add_new(0x00091001, "OB", bytes(HEADER_BYTES.value))
    with pytest.raises(BadDicom, match="at most"):
        read(encoded(made))


def test_sequences_nested_beyond_reason_do_not_end_the_reader() -> None:
    body = encoded(phantom(PixelData=None))
    nested = b"".join(
        struct.pack("<HH2sHI", 0x40, 0xA730, b"SQ", 0, 0xFFFFFFFF) + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
        for _ in range(5000)
    )
    with pytest.raises(BadDicom):
        read(body + nested)


def test_every_file_of_pydicom_is_read_or_refused_by_name() -> None:
    outcomes: dict[str, int] = {}
    for path in Path(pydicom.__file__).parent.glob("data/**/*.dcm"):
        try:
            part = read(path.read_bytes())
            name = "read" if part.mapped else next(iter([one.code for one in part.unread] or ["ignored"]))
        except BadDicom:
            name = "refused"
        outcomes[name] = outcomes.get(name, 0) + 1
    assert outcomes["read"] >= 60
    assert outcomes.get("refused", 0) <= 6


def test_damaged_bytes_raise_nothing_else() -> None:
    body, chance = encoded(phantom()), random.Random(7)
    for _ in range(300):
        spoiled = bytearray(body)
        for _ in range(chance.randrange(1, 6)):
            spoiled[chance.randrange(128, len(spoiled))] = chance.randrange(256)
        try:
            read(bytes(spoiled[: chance.choice([len(spoiled), chance.randrange(len(spoiled))])]))
        except RecordsError:
            continue


def test_no_value_of_a_header_stands_in_an_error() -> None:
    with pytest.raises(BadDicom) as caught:
        read(encoded(phantom())[:700])
    assert "P0017" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_header_alone_says_where_the_rest_is() -> None:
    body = encoded(phantom())
    cut = headers_only(body, open_header(body), Archive("PACS1", "https://pacs/dicom-web", len(body), "00"))
    assert len(cut) < len(body) - 300
    image = row(cut, "imaging")
    assert image["where_kept"] == "pacs"
    assert image | {"where_kept": "object"} == row(body, "imaging")
    assert b"P0017" in cut


def test_a_summary_counts_each_instance_once() -> None:
    slices = tuple(SummaryInstance(f"1.{n}", 1000, 1, "object", 80.0 + n) for n in (2, 1, 3))
    body = encode_summary(Summary("1", "1.0", "Patient/P", slices))
    assert body == encode_summary(Summary("1", "1.0", "Patient/P", slices[::-1]))
    image = row(body, "imaging")
    assert (image["id"], image["patient"]) == ("ImagingSeries/1.0", "Patient/P")
    assert (image["instances"], image["size_bytes"], image["tube_current_ma"]) == (3, 3000, 82.0)
    with pytest.raises(RecordsError):
        read(b'{"study": 1}')
    with pytest.raises(RecordsError):
        read(b'{"study": "1", "series": "2", "patient": "3", "instances": [], "format": 2}')


def test_a_series_has_a_limit() -> None:
    from xinglin.kernel.errors import LimitExceeded

    many = (SummaryInstance("1", 1),) * (SERIES_INSTANCES.value + 1)
    with pytest.raises(LimitExceeded):
        encode_summary(Summary("1", "2", "3", many))


def test_frames_lie_where_they_were_written() -> None:
    made = phantom(NumberOfFrames=3, PixelData=b"".join(bytes([n]) * 512 for n in (1, 2, 3)))
    body = encoded(made)
    pixels = open_header(body).pixels
    assert pixels is not None
    assert [frame_of(pixels, body, n, 3, 16 * 16 * 16) for n in range(3)] == [bytes([n]) * 512 for n in (1, 2, 3)]
    assert frame_of(pixels, body, 3, 3, 16 * 16 * 16) is None
