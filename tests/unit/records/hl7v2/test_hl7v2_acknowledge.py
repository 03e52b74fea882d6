"""Acknowledgements by version and mode, and batch files with their counts."""

from __future__ import annotations

import pytest

from xinglin.records.hl7v2 import (
    ACCEPTED,
    NOT_KEPT,
    Accepts,
    BadMessage,
    Outcome,
    answer_codes,
    check_header,
    parse_message,
    read_answer,
    read_header,
    split_batch,
)
from xinglin.records.hl7v2.acknowledge import CONDITIONS, acknowledge
from xinglin.records.hl7v2.header import HEADER_BYTES, MAX_CONTROL_ID_CHARS, Header

AT = 1709280000000
SECRET = "\rPID|1||7654321||Geheim^Name"


def header(version: str = "2.5", rest: str = "", kind: str = "ADT^A01^ADT_A01", head: str = "MSH|^~\\&") -> Header:
    found = read_header(f"{head}|HIS|A|XL|B|20240301||{kind}|M7|T|{version}{rest}{SECRET}".encode())
    assert found is not None
    return found


def answers(asked: Header, outcome: Outcome, both: bool = False) -> list[list[str]]:
    made = acknowledge(asked, outcome, "X1", AT, both)
    assert b"Geheim" not in b"".join(made) and b"7654321" not in b"".join(made)
    return [one.decode(asked.charset).split("\r") for one in made]


def test_the_original_mode_swaps_applications_and_echoes_what_the_header_says() -> None:
    asked = header(rest="||||||UNICODE UTF-8")
    assert answers(asked, ACCEPTED) == [
        [
            "MSH|^~\\&|XL|B|HIS|A|20240301080000+0000||ACK^A01^ACK|X1|T|2.5||||||UNICODE UTF-8",
            "MSA|AA|M7",
            "",
        ]
    ]


@pytest.mark.parametrize(
    ("version", "kind", "msa", "err"),
    [
        ("2.3", "ACK^A01", "MSA|AR|M7|Unsupported version id|||203^Unsupported version id^HL70357", "old"),
        ("2.3.1", "ACK^A01^ACK", "MSA|AR|M7|Unsupported version id|||203^Unsupported version id^HL70357", "old"),
        ("2.4", "ACK^A01^ACK", "MSA|AR|M7|Unsupported version id|||203^Unsupported version id^HL70357", "old"),
        ("2.5", "ACK^A01^ACK", "MSA|AR|M7", "new"),
        ("2.5.1", "ACK^A01^ACK", "MSA|AR|M7", "new"),
        ("2.8", "ACK^A01^ACK", "MSA|AR|M7", "new"),
    ],
)
def test_err_is_written_as_the_version_has_it(version: str, kind: str, msa: str, err: str) -> None:
    forms = {
        "old": "ERR|MSH^1^12^203&Unsupported version id&HL70357",
        "new": "ERR||MSH^1^12|203^Unsupported version id^HL70357|E||||Unsupported version id",
    }
    ((head, answer, error, _),) = answers(header(version), Outcome("R", 203, ("MSH", 12)))
    assert (head.split("|")[8], head.split("|")[11], answer, error) == (kind, version, msa, forms[err])


def test_other_separators_are_echoed() -> None:
    asked = read_header(b"MSH$%~?*$A$B$C$D$1$$ORU%R01$7$P$2.4\rPID$1")
    assert asked
    assert acknowledge(asked, NOT_KEPT, "X1", AT)[0].split(b"\r")[:3] == [
        b"MSH$%~?*$C$D$A$B$20240301080000+0000$$ACK%R01%ACK$X1$P$2.4",
        b"MSA$AE$7$Application internal error$$$207%Application internal error%HL70357",
        b"ERR$%%%207*Application internal error*HL70357",
    ]


@pytest.mark.parametrize(
    ("accept", "application", "good", "bad", "good_both"),
    [
        ("", "", ("AA",), ("AE",), ("AA",)),
        ("AL", "NE", ("CA",), ("CE",), ("CA",)),
        ("AL", "", ("CA",), ("CE",), ("CA",)),
        ("AL", "AL", ("CA",), ("CE",), ("CA", "AA")),
        ("NE", "AL", ("AA",), ("AE",), ("AA",)),
        ("", "AL", ("AA",), ("AE",), ("AA",)),
        ("NE", "NE", (), (), ()),
        ("ER", "NE", (), ("CE",), ()),
        ("SU", "NE", ("CA",), (), ("CA",)),
        ("NE", "ER", (), ("AE",), ()),
        ("NE", "SU", ("AA",), (), ("AA",)),
        ("ER", "AL", (), ("CE",), ("AA",)),
        ("al", "??", ("CA",), ("CE",), ("CA",)),
    ],
)
def test_the_enhanced_mode_answers_as_asked(
    accept: str, application: str, good: tuple[str, ...], bad: tuple[str, ...], good_both: tuple[str, ...]
) -> None:
    asked = header(rest=f"|||{accept}|{application}")
    assert answer_codes(asked, ACCEPTED) == good
    assert answer_codes(asked, NOT_KEPT) == bad
    assert answer_codes(asked, ACCEPTED, both=True) == good_both
    assert [one[1].split("|")[1] for one in answers(asked, ACCEPTED, both=True)] == list(good_both)
    for made in acknowledge(asked, NOT_KEPT, "X1", AT):
        assert read_answer(made).worth_repeating == (read_answer(made).code in ("AE", "CE"))


@pytest.mark.parametrize("outcome", [ACCEPTED, *(Outcome("E", code) for code in CONDITIONS), Outcome("R", 200)])
@pytest.mark.parametrize("version", ["2.3", "2.5.1"])
def test_what_is_answered_is_read_back(outcome: Outcome, version: str) -> None:
    body = acknowledge(header(version), outcome, "X1", AT)[0]
    answer = read_answer(body)
    assert (answer.code, answer.control_id, answer.positive) == ("A" + outcome.kind, "M7", outcome.kind == "A")
    assert answer.condition == ("" if outcome.kind == "A" else str(outcome.condition))
    assert parse_message(body).flags == ()


def test_what_is_no_answer_is_told() -> None:
    with pytest.raises(BadMessage) as refused:
        read_answer(b"MSH|^~\\&|A|||||x|ACK|1|P|2.5\rMSA|XX|1")
    assert refused.value.code == "hl7v2.no_answer"


@pytest.mark.parametrize(
    ("asked", "accepts", "condition"),
    [
        (header(), Accepts(), 0),
        (header(kind=""), Accepts(), 200),
        (header(version="3.0"), Accepts(), 203),
        (header(version=""), Accepts(), 203),
        (header(version="2.10"), Accepts(), 0),
        (header(), Accepts(types=frozenset({"ADT"})), 0),
        (header(), Accepts(types=frozenset({"ADT^A01"})), 0),
        (header(), Accepts(types=frozenset({"ADT^A08"})), 201),
        (header(), Accepts(types=frozenset({"ORU"})), 200),
        (header(), Accepts(processing_ids=frozenset({"P"})), 202),
        (header(), Accepts(processing_ids=frozenset({"T"})), 0),
        (header(head="MSH|^^^^"), Accepts(), 100),
    ],
)
def test_what_is_taken_by_its_header(asked: Header, accepts: Accepts, condition: int) -> None:
    assert check_header(asked, accepts).condition == condition


@pytest.mark.parametrize("data", [b"", b"PID|1", b"\x00" * 99, b"\x0b\x1c", b"GET / HTTP/1.1", b"MS"])
def test_without_msh_there_is_no_header(data: bytes) -> None:
    assert read_header(data) is None


def test_a_damaged_header_is_answered_with_what_can_be_known() -> None:
    for data in (b"MSH", b"MSHA", b"MSH|", b"MSH|^^^^|A|B|C", b"MSH|^~\\&|" + b"\xff" * 9999):
        asked = read_header(data)
        assert asked and acknowledge(asked, Outcome("R", 100), "X1", AT)[0].startswith(b"MSH|^~")
    asked = read_header(b"MSH|^~\\&|HIS|||||" + b"|ADT|" + b"9" * 500 + b"\x01|P|2.5")
    assert asked and asked.control_id == "9" * MAX_CONTROL_ID_CHARS
    glued = read_header(b"MSH|^~\\&|HIS|A|XL|B|1||ADT^A01|M7|P|2.5PID|1||7654321||Geheim^Name" + b"|" * HEADER_BYTES)
    assert glued and glued.version == "2.5"
    assert b"Geheim" not in acknowledge(glued, ACCEPTED, "X1", AT)[0]


def test_names_in_their_own_character_set_come_back_as_they_came() -> None:
    name = "医院".encode("gb18030")
    asked = read_header(b"MSH|^~\\&|" + name + b"|A|XL|B|1||ADT^A01|M7|P|2.5||||||GBK\rPID|1")
    assert asked and acknowledge(asked, ACCEPTED, "X1", AT)[0].split(b"|")[4] == name


FHS, BHS = "FHS|^~\\&|A", "BHS|^~\\&|A"
ONE, TWO = "MSH|^~\\&|1\rPID|1", "MSH|^~\\&|2\rNTE|1||see MSH|x"


@pytest.mark.parametrize(
    ("lines", "finding"),
    [
        ([FHS, BHS, ONE, TWO, "BTS|2", "FTS|1"], None),
        ([FHS, BHS, ONE, "BTS|1", BHS, TWO, "BTS|1|done", "FTS|2"], None),
        ([ONE, TWO], None),
        ([BHS, ONE, TWO, "BTS"], None),
        ([FHS, ONE, TWO, "FTS|1"], None),
        ([ONE, TWO, "BTS|2"], None),
        ([FHS, BHS, ONE, TWO, "BTS|3", "FTS|1"], ("hl7v2.batch_count", "BTS-1")),
        ([FHS, BHS, ONE, TWO, "BTS|x", "FTS|1"], ("hl7v2.batch_count", "BTS-1")),
        ([FHS, BHS, ONE, TWO, "BTS|2", "FTS|2"], ("hl7v2.batch_count", "FTS-1")),
        ([FHS, BHS, ONE, TWO, "BTS|2"], ("hl7v2.batch_truncated", "FHS")),
        ([FHS, BHS, ONE, TWO], ("hl7v2.batch_truncated", "BHS")),
        ([BHS, ONE, BHS, TWO, "BTS|1"], ("hl7v2.batch_truncated", "BHS")),
    ],
)
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\x1c\r\x0b"])
def test_batches_are_split_and_counted(lines: list[str], finding: tuple[str, str] | None, end: str) -> None:
    data = ("\ufeff" + end.join(line.replace("\r", end) if end < "\x0e" else line for line in lines) + end).encode()
    found, told = [], None
    try:
        for place, body in split_batch(data):
            found.append((place, body))
    except BadMessage as error:
        told = (error.code, error.place)
    assert [place for place, _ in found] == ["message[1]", "message[2]"]
    assert [parse_message(body).first("MSH").get(3) for _, body in found] == ["1", "2"]
    assert told == finding


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "hl7v2.empty"), (b"\r\n", "hl7v2.empty"), (b"x\rMSH|", "hl7v2.no_header")]
)
def test_what_is_no_batch_is_told_at_once(data: bytes, code: str) -> None:
    with pytest.raises(BadMessage) as refused:
        next(split_batch(data))
    assert refused.value.code == code


def test_a_batch_in_utf_16_stays_in_it() -> None:
    found = list(split_batch("\r".join([ONE, TWO.replace("see", "杏林")]).encode("utf-16")))
    assert [parse_message(body).flags for _, body in found] == [(), ()]
    assert parse_message(found[1][1]).first("NTE").get(3) == "杏林 MSH"
