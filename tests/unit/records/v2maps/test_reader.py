"""The reader: every message of an object is accounted for, and nothing that bytes can be ends it otherwise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.records.errors import Unreadable
from xinglin.records.hl7v2.errors import BadMessage
from xinglin.records.model import Read, ReadContext
from xinglin.records.v2maps import Hl7v2Reader
from xinglin.records.v2maps.options import BadMapping

CONTEXT = ReadContext(source="his", received_at=0)
GOOD = "MSH|^~\\&|HIS|A|||20240301080000||ADT^A08|{n}|P|2.5\rPID|1||{n}^^^HIS^MR||张^三\r"
NOBODY = "MSH|^~\\&|HIS|A|||20240301080000||ADT^A08|9|P|2.5\rPID|1||||李^四\r"
OTHER = "MSH|^~\\&|HIS|A|||20240301080000||MFN^M02|9|P|2.5\rMFI|STF\r"
BROKEN = "MSH|\r"


def read(text: str | bytes, context: ReadContext = CONTEXT) -> list[Read]:
    body = text if isinstance(text, bytes) else text.encode()
    parts = list(Hl7v2Reader().read(body, context))
    for part in parts:
        given = len(part.resources) + part.accepted + len(part.unread) + sum(part.ignored.values())
        assert given == part.received
    return parts


def test_one_message() -> None:
    (part,) = read(GOOD.format(n=7))
    assert [(one.body["id"], one.place) for one in part.resources] == [("HIS.7", "PID")]


def test_a_batch_accounts_for_each_message_and_one_bad_one_stays_alone() -> None:
    messages = [GOOD.format(n=1), NOBODY, OTHER, BROKEN, GOOD.format(n=2)]
    (part,) = read("FHS|^~\\&\rBHS|^~\\&\r" + "".join(messages) + "BTS|5\rFTS|1\r")
    assert [(one.body["id"], one.place) for one in part.resources] == [
        ("HIS.1", "message[1]/PID"),
        ("HIS.2", "message[5]/PID"),
    ]
    assert [(one.place.partition("/")[0], one.code) for one in part.unread] == [
        ("message[2]", "hl7v2.no_patient"),
        ("message[4]", "hl7v2.header_short"),
    ]
    assert part.ignored == {"hl7v2 MFN: no map": 1}
    assert part.received == 5


def test_a_trailer_that_counts_otherwise_loses_nothing() -> None:
    (part,) = read("BHS|^~\\&\r" + GOOD.format(n=1) + "BTS|3\r")
    assert len(part.resources) == 1
    assert [one.code for one in part.unread] == ["hl7v2.batch_count"]


@pytest.mark.parametrize("body", [b"", b"\r\n", b"<xml/>", b"BROKEN|", BROKEN.encode()])
def test_what_is_no_message_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(BadMessage):
        read(body)


def test_large_files_come_in_parts() -> None:
    parts = read("".join(GOOD.format(n=n) for n in range(5_001)))
    assert len(parts) == 2
    assert sum(part.received for part in parts) == 5_001


def test_an_unknown_mapping_is_refused() -> None:
    with pytest.raises(BadMapping):
        read(GOOD.format(n=1), ReadContext(source="his", received_at=0, mapping='[hl7v2]\nsex = "other"'))


def test_values_never_stand_in_words() -> None:
    (part,) = read(NOBODY + GOOD.format(n=1))
    assert "李" not in repr(part.unread)


SEGMENTS = ["PID", "PD1", "NK1", "MRG", "PV1", "PV2", "AL1", "IAM", "DG1", "PR1", "IN1", "ORC", "OBR", "OBX", "NTE",
            "TQ1", "SPM", "RXO", "RXE", "RXD", "RXG", "RXA", "RXR", "SCH", "AIS", "AIP", "AIL", "TXA", "FT1", "ZZ1",
            "EVN", "PRT", "ROL", "GT1"]  # fmt: skip
TYPES = ["ADT^A01", "ADT^A40", "ADT^A37", "ADT^A24", "ORU^R01", "ORM^O01", "OML^O21", "MDM^T02", "VXU^V04", "RDE^O11",
         "RDS^O13", "RAS^O17", "SIU^S12", "DFT^P03", "MFN^M02"]  # fmt: skip
PIECES = ["", '""', "7", "X", "张^三", "1^2&3^4", "20240301", "2024", "20241399", "NM", "SN", "ED", "RP", "TS",
          "^^^HIS^MR", "<5", ">^1^:^2", "~", "a~b~c", "\\T\\", "\\X00\\", "A&B&C^D&E^F", "Base64",
          "999999999999999999999", "1e400",
          "-1", "Y", "F", "N", "^^^^^", "&&&"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TYPES), st.lists(st.sampled_from(SEGMENTS), max_size=12), st.integers(0, 2**32))
def test_no_fields_break_it(kind: str, names: list[str], seed: int) -> None:
    pick = random.Random(seed)
    lines = [f"MSH|^~\\&|A|B|C|D|20240301||{kind}|1|P|2.5", "PID|1||7^^^HIS^MR"]
    lines += [f"{name}|" + "|".join(pick.choice(PIECES) for _ in range(pick.randrange(50))) for name in names]
    for part in read("\r".join(lines)):
        for one in part.resources:
            assert len(one.body["id"]) <= 64
            assert one.body["id"].isascii()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_it(noise: bytes) -> None:
    for body in (noise, b"MSH|^~\\&|" + noise, GOOD.format(n=1).encode() + noise):
        try:
            read(body)
        except Unreadable:
            continue
