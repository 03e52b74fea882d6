"""Whole objects: real files of several makers, private attributes, dates, UIDs, pixels, and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless
from tests.unit.privacy.deidentify_dicom.test_actions import IDENTITY, KEYS, NAME, deidentifier

from xinglin.privacy.deidentify.dicom import (
    BadDicomProfile,
    Box,
    BurnedInText,
    DicomDeidentifier,
    DicomKeys,
    UnreadableInstance,
    load_dicom_profile,
)
from xinglin.privacy.deidentify.dicom.profile import shipped_dicom
from xinglin.privacy.deidentify.keys import Keys, Pseudonyms

SAFE = {one.creator for one in shipped_dicom("basic").private}
FILES = ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "rtplan.dcm", "rtdose_1frame.dcm", "reportsi.dcm")


def real(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert path is not None
    with open(path, "rb") as file:
        return file.read()


def read(data: bytes) -> Dataset:
    return dcmread(DicomBytesIO(data))


def instance(**changes: object) -> bytes:
    """A small CT of a planted patient."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    made.PatientName, made.PatientID, made.PatientBirthDate = NAME, IDENTITY, "19900307"
    made.Modality, made.StudyDate, made.Manufacturer = "CT", "20240229", "Maker"
    made.Rows = made.Columns = 4
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelData = np.full((4, 4), 0x0FFF, dtype="<u2").tobytes()
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    target = DicomBytesIO()
    made.save_as(target, enforce_file_format=True)
    return target.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_real_files_lose_their_identities_and_stay_readable(name: str) -> None:
    before = real(name)
    after = deidentifier("longitudinal").file(before, "Patient/7")
    old, new = read(before), read(after)
    for keyword in ("InstitutionName", "ReferringPhysicianName", "OperatorsName", "StationName", "PatientAddress"):
        assert str(new.get(keyword) or "") in ("", "REMOVED")
    assert new.PatientIdentityRemoved == "YES" and new.file_meta.ImplementationClassUID.startswith("2.25.")
    private = [element for element in new.iterall() if element.tag.is_private and element.tag.element > 0xFF]
    assert all(element.private_creator in SAFE and element.VR in ("DS", "FL", "FD") for element in private)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert str(old[keyword].value).encode() not in after
        assert new[keyword].value.startswith("2.25.")
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
    if "PixelData" in old:
        assert np.array_equal(old.pixel_array, new.pixel_array)


def test_the_pseudonym_is_that_of_tables_and_fhir_resources_of_the_study() -> None:
    new = read(deidentifier().file(instance(), "Patient/7"))
    assert new.PatientID == Pseudonyms(KEYS).of("Patient/7").removeprefix("Patient/") == str(new.PatientName)


def test_two_studies_cannot_join_and_one_study_stays_consistent() -> None:
    profile = shipped_dicom("basic")
    one, other = (DicomDeidentifier(profile, DicomKeys(Keys(study, "images", b"s" * 32))) for study in ("a", "b"))
    first, again, foreign = (read(who.file(instance(), "Patient/7")) for who in (one, one, other))
    assert first.SOPInstanceUID == again.SOPInstanceUID and first.PatientID == again.PatientID
    assert first.SOPInstanceUID != foreign.SOPInstanceUID and first.PatientID != foreign.PatientID


def test_references_between_objects_point_at_the_renamed_objects() -> None:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"
    new = read(deidentifier().file(instance(ReferencedImageSequence=Items([item])), "Patient/7"))
    found = new.ReferencedImageSequence[0]
    assert found.ReferencedSOPInstanceUID == new.SOPInstanceUID
    assert found.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


@given(first=st.dates(date(1950, 1, 1), date(2049, 1, 1)), second=st.dates(date(1950, 1, 1), date(2049, 1, 1)))
def test_dates_of_a_person_keep_their_intervals(first: date, second: date) -> None:
    made = Dataset()
    made.StudyDate, made.ContentDate = f"{first:%Y%m%d}", f"{second:%Y%m%d}"
    deidentifier("longitudinal").dataset(made, "Patient/7")
    found = [date(int(text[:4]), int(text[4:6]), int(text[6:])) for text in (made.StudyDate, made.ContentDate)]
    assert found[1] - found[0] == second - first and found[0] != first


def test_high_ages_are_one_and_the_method_is_recorded() -> None:
    new = read(deidentifier("longitudinal").file(instance(PatientAge="097Y", PatientSex="F"), "Patient/7"))
    assert new.PatientAge == "090Y" and new.PatientSex == "F"
    codes = [item.CodeValue for item in new.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113111", "113107", "113108", "113105"]
    assert new.LongitudinalTemporalInformationModified == "MODIFIED"


def test_what_is_hidden_beside_the_elements_goes_too() -> None:
    """The preamble, the private part of the head, unused bits of pixels, overlays, an attribute under another form."""
    data = bytearray(instance())
    data[:18] = IDENTITY.encode()
    made = read(bytes(data))
    made.file_meta.PrivateInformationCreatorUID = "1.2.3"
    made.file_meta.PrivateInformation = IDENTITY.encode()
    made.PixelData = np.full((4, 4), 0xF123, dtype="<u2").tobytes()
    made.add_new(0x60000010, "US", 4)
    made.add_new(0x60003000, "OW", IDENTITY.encode())
    made.add_new(0x00280010, "LO", IDENTITY)  # Rows, said to be a text
    made.add_new(0x00091010, "LO", IDENTITY)
    made.add_new(0x00090010, "LO", "SOMEONE")
    target = DicomBytesIO()
    made.save_as(target, enforce_file_format=True)
    after = deidentifier().file(target.getvalue(), "Patient/7")
    assert IDENTITY.encode() not in after and b"SOMEONE" not in after
    assert set(np.frombuffer(read(after).PixelData, dtype="<u2")) == {0x0123}


@pytest.mark.parametrize("profile", ["basic", "longitudinal", "public"])
def test_no_text_stays_in_a_time_a_date_or_behind_the_pixels(profile: str) -> None:
    made = read(instance())
    made.add_new(0x00080030, "TM", "ZHANG^SAN^MRN12345")
    made.add_new(0x00080033, "TM", ["101112", "LISI"])
    made.add_new(0x0008002A, "DT", "20200101 PLANTEDDT LISI 13800138000")
    made.add_new(0x00080023, "DA", "20200101LISI")
    made.add_new(0x00181078, "DT", "20200101101112.5+0800")
    made.PixelData = made.PixelData + b"PLANTED LISI"
    deidentifier(profile).dataset(made, "Patient/7")
    target = DicomBytesIO()
    made.save_as(target, enforce_file_format=True)
    body = target.getvalue()
    assert not [word for word in (b"ZHANG", b"LISI", b"PLANTED", b"13800138000", b"MRN") if word in body]
    if profile == "longitudinal":
        assert made[0x00181078].value != "20200101101112.5+0800" and made[0x00181078].value.endswith("101112.5+0800")


def test_a_kept_text_that_names_the_patient_goes() -> None:
    made = instance(
        SpecificCharacterSet="ISO_IR 192",
        ConvolutionKernel="for Zhang Weiguo",
        BodyPartExamined="CHEST",
        PulseSequenceName="张伟",
    )
    after = read(deidentifier().file(made, "Patient/7", known=("张伟",)))
    assert "ConvolutionKernel" not in after and "PulseSequenceName" not in after
    assert after.BodyPartExamined == "CHEST" and after.Manufacturer == "Maker"


def test_a_safe_private_number_stays_with_its_creator_and_a_text_in_its_place_goes() -> None:
    made = read(instance())
    block = made.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    block.add_new(0x0E, "FL", 1.5)
    block.add_new(0x0D, "LO", NAME)
    block.add_new(0x0F, "FL", 2.5)
    deidentifier().dataset(made, "Patient/7")
    assert [int(element.tag) for element in made if element.tag.is_private] == [0x20050010, 0x2005100E]


def ultrasound(**changes: object) -> bytes:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 1, 2
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 3, 3
    return instance(**{"Modality": "US", "SequenceOfUltrasoundRegions": Items([region]), **changes})


def test_ultrasound_keeps_its_declared_regions_and_nothing_beside_them() -> None:
    found = read(deidentifier().file(ultrasound(), "Patient/7"))
    expected = np.zeros((4, 4), dtype="<u2")
    expected[2:4, 1:4] = 0x0FFF
    assert np.array_equal(found.pixel_array, expected) and found.BurnedInAnnotation == "NO"
    assert "113101" in [item.CodeValue for item in found.DeidentificationMethodCodeSequence]


REFUSED = (
    ultrasound(SequenceOfUltrasoundRegions=Items([])),
    instance(BurnedInAnnotation="YES"),
    instance(Modality="SC"),
    instance(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]),
)


@pytest.mark.parametrize("data", REFUSED)
def test_an_object_whose_pixels_may_show_a_name_is_refused(data: bytes) -> None:
    with pytest.raises(BurnedInText):
        deidentifier().file(data, "Patient/7")


class TopRows:
    """A finder that marks the first row; what a finder sees is a frame."""

    name = "top rows"

    def find(self, frame: np.ndarray) -> Sequence[Box]:
        assert frame.shape == (4, 4)
        return [Box(0, 0, 4, 1)]


def test_a_finder_looks_at_every_frame_and_is_recorded() -> None:
    frames = np.full((3, 4, 4), 0x0FFF, dtype="<u2").tobytes()
    data = instance(Modality="SC", NumberOfFrames=3, PixelData=frames)
    found = read(deidentifier(finder=TopRows()).file(data, "Patient/7"))
    assert not found.pixel_array[:, 0].any() and (found.pixel_array[:, 1:] == 0x0FFF).all()
    assert "top rows" in str(found.DeidentificationMethod)


def test_a_hospitals_own_device_rule_comes_first() -> None:
    page = """
    name = "own"
    technical = true
    shipped_regions = true
    options = ["clean_pixels"]
    [[regions]]
    name = "our scanner"
    modality = ["SC"]
    manufacturer = ["Maker"]
    rows = 4
    blank = [[0, 0, 2, 2]]
    """
    who = DicomDeidentifier(load_dicom_profile(page), DicomKeys(KEYS))
    found = read(who.file(instance(Modality="SC"), "Patient/7"))
    assert not found.pixel_array[:2, :2].any() and found.pixel_array[2:].all()
    with pytest.raises(BurnedInText):
        who.file(instance(Modality="SC", Rows=2, Columns=8), "Patient/7")


BAD = (
    'name = "x"\noptions = ["all"]',
    'name = "x"\noptions = ["full_dates", "moved_dates"]',
    'name = "x"\ntexts = ["PatientsName"]',
    'name = "x"\ncolour = 1',
    'name = "x"\ndays = 0',
    'name = "x"\n[[regions]]\nname = "r"',
    'name = "x"\n[[regions]]\nname = "r"\nblank = [[0, 0, 0, 1]]',
    'name = "x"\n[[private]]\ncreator = "A"\ngroup = 8\nelement = 1',
    "name = ",
)


@pytest.mark.parametrize("page", BAD)
def test_a_bad_profile_is_refused(page: str) -> None:
    with pytest.raises(BadDicomProfile):
        load_dicom_profile(page)


@pytest.mark.parametrize("data", [b"", b"x" * 200, instance()[:180], real("CT_small.dcm")[:5000]])
def test_what_is_no_instance_is_a_named_error(data: bytes) -> None:
    try:
        after = deidentifier().file(data, "Patient/7")
    except UnreadableInstance:
        return
    assert b"CompressedSamples" not in after


def test_an_item_inside_items_without_end_is_refused() -> None:
    made = Dataset()
    inner = made
    for _ in range(40):
        item = Dataset()
        inner.ReferencedSeriesSequence = Items([item])
        inner = item
    with pytest.raises(UnreadableInstance):
        deidentifier().dataset(made, "Patient/7")


def test_pixels_that_cannot_be_decoded_are_refused_where_they_have_to_change() -> None:
    data = read(real("JPEG2000.dcm"))
    data.Modality, data.BurnedInAnnotation = "SC", "YES"
    data.file_meta.TransferSyntaxUID = JPEGLSLossless  # which it is not
    target = DicomBytesIO()
    data.save_as(target, enforce_file_format=True)
    with pytest.raises((UnreadableInstance, BurnedInText)):
        deidentifier().file(target.getvalue(), "Patient/7")
    with pytest.raises(UnreadableInstance):
        deidentifier(finder=TopRows()).file(target.getvalue(), "Patient/7")
