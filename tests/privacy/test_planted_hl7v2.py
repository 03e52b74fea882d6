"""A planted identifier in any field of any HL7 v2 segment does not survive a profile that does not keep it."""

from __future__ import annotations

import datetime as dt
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.privacy.deidentify import SHIPPED, BadRecord, Keys, compile_profile, load_profile, shipped
from xinglin.privacy.deidentify.model import DROP, Profile
from xinglin.privacy.deidentify.names import read_spec, segments
from xinglin.privacy.deidentify.v2_forms import test_of_position as form_of
from xinglin.records.v2maps.data import maps

KEYS = Keys("study", "data", bytes(range(32)))
TODAY = dt.date(2026, 11, 22)
VERSIONS = ("v2_3", "v2_3_1", "v2_4", "v2_5", "v2_5_1", "v2_6", "v2_7", "v2_8_2")
COMPONENTS, SUBS, REPEATS = 6, 3, 2
OBX_TYPES = (
    "NM",
    "ST",
    "TX",
    "FT",
    "CE",
    "CWE",
    "SN",
    "DT",
    "TS",
    "DTM",
    "TM",
    "ID",
    "IS",
    "XPN",
    "XAD",
    "CX",
    "ED",
    "RP",
)
HEADER = "MSH|^~\\&|PLANTAPP|PLANTFAC|PLANTREC|PLANTRFAC|20240301||ADT^A01^ADT_A01|PLANTID|P|2.5"
Place = tuple[str, int, int, int, str]


def defined() -> dict[str, int]:
    """Segments and their fields by hl7apy's definitions and HL7's maps together, and one of a vendor's own."""
    found: dict[str, int] = {"ZPI": 12}
    for version in VERSIONS:
        for name, spec in importlib.import_module(f"hl7apy.{version}.segments").SEGMENTS.items():
            if len(name) == 3 and len(spec) > 1 and name not in ("MSH", "FHS", "BHS", "BTS", "FTS", "DSC", "ADD"):
                found[name] = max(found.get(name, 0), len(spec[1]))
    for name, rows in maps().segments.items():
        segment = name.partition("[")[0]
        if segment != "MSH":
            found[segment] = max([found[segment], *(row.at[0] for row in rows)])
    return found


SEGMENTS = defined()


def planted(segment: str, fields: int, kind: str = "") -> tuple[str, dict[str, Place]]:
    """A segment with a token in each sub-component of each repetition, half of them in an escape sequence."""
    tokens: dict[str, Place] = {}
    texts = []
    for field in range(1, fields + 1):
        if segment == "OBX" and field == 2:
            texts.append(kind)
            continue
        repeats = []
        for repeat in range(REPEATS):
            components = []
            for component in range(1, COMPONENTS + 1):
                subs = []
                for sub in range(1, SUBS + 1):
                    token = f"Q{len(tokens)}X{repeat}Q"
                    tokens[token] = (segment, field, component, sub, kind)
                    hidden = f"\\X{token.encode().hex().upper()}\\" if len(tokens) % 2 else token
                    subs.append(hidden)
                components.append("&".join(subs))
            repeats.append("^".join(components))
        texts.append("~".join(repeats))
    return f"{segment}|" + "|".join(texts), tokens


def message(line: str) -> bytes:
    return f"{HEADER}\rPID|1||7^^^HIS^MR||Zhang^San\r{line}\r".encode()


def kept(profile: Profile, place: Place) -> bool:
    """Whether a profile keeps a position, read slowly."""
    segment, field, component, sub, kind = place
    for spec, action in profile.hl7v2.get(segment, {}).items():
        at = read_spec(segment, spec)
        if at[:3] == (field, component, sub) and at[3] in ("", kind) and action.do in ("keep", "note"):
            return True
    return False


def cases() -> Iterator[tuple[str, int, str]]:
    for segment, fields in sorted(SEGMENTS.items()):
        if segment == "OBX":
            yield from ((segment, fields, kind) for kind in OBX_TYPES)
        else:
            yield segment, fields, ""


def test_the_definitions_are_whole() -> None:
    assert len(SEGMENTS) > 150
    assert {name.partition("[")[0] for name in maps().segments} <= set(segments())
    assert all(SEGMENTS[name] == fields for name, fields in segments().items() if name in SEGMENTS)


@pytest.mark.parametrize("name", SHIPPED)
def test_only_what_the_profile_keeps_survives(name: str) -> None:
    profile = shipped(name)
    compiled = compile_profile(profile, KEYS, TODAY)
    survived = 0
    for segment, fields, kind in cases():
        line, tokens = planted(segment, fields, kind)
        given = compiled.message(message(line)).decode()
        for token in re.findall(r"Q\d+X\dQ", given):
            assert kept(profile, tokens[token]), (tokens[token], kind)
            survived += 1
        assert "\\X" not in given, segment
        assert "Zhang" not in given and "PLANTAPP" not in given and "PLANTREC" not in given
        assert "PLANTID" not in given
    assert survived > 20, "the test would also pass if nothing were ever given"


def test_segments_of_vendors_and_unknown_positions_are_not_given() -> None:
    given = compile_profile(shipped("hipaa-limited"), KEYS, TODAY).message(message("ZPI|1|secret^secret\rZZZ|secret"))
    assert b"Z" not in given.replace(b"ZPI", b"Z") and b"secret" not in given


def test_a_kept_value_can_hold_no_separator_of_its_own() -> None:
    compiled = compile_profile(shipped("hipaa-limited"), KEYS, TODAY)
    given = compiled.message(message("PV1|1|I\\F\\\\R\\\\S\\\\T\\\\E\\\\X0D\\ZXX"))
    assert given.split(b"\r")[2] == b"PV1|1|I\\F\\\\R\\\\S\\\\T\\\\E\\\\X0D\\ZXX"


def test_what_is_no_message_is_refused_and_nothing_of_it_is_said() -> None:
    compiled = compile_profile(shipped("public"), KEYS, TODAY)
    with pytest.raises(BadRecord) as refused:
        compiled.message(b"Zhang San, born 1990")
    assert "Zhang" not in str(refused.value)


def test_a_profile_of_one_position_gives_nothing_else() -> None:
    text = 'format = 1\nname = "one"\ntitle = "t"\nsource = "s"\n[hl7v2.PID]\nkeep = ["8"]\n'
    compiled = compile_profile(load_profile(text), KEYS, TODAY)
    for segment, fields, kind in cases():
        line, tokens = planted(segment, fields, kind)
        given = compiled.message(message(line)).decode()
        found = [tokens[token][:4] for token in re.findall(r"Q\d+X\dQ", given)]
        assert set(found) <= {("PID", 8, 1, 1)}
    assert all(DROP not in fields.values() for fields in load_profile(text).hl7v2.values())


def segment_of(name: str, line: str) -> str:
    """The line that a profile makes of one line."""
    lines = compile_profile(shipped(name), KEYS, TODAY).message(message(line)).decode().split("\r")
    return next((each for each in reversed(lines) if each.startswith(line[:3] + "|")), "")


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(
    "line",
    [
        "OBX|1|NM|1^a||13.5 PLANTED",
        "OBX|1|NM|1^a||13.5~PLANTED",
        "OBX|1|NM|1^a||PLANTED\\T\\13.5",
        "OBX|1|SN|1^a||PLANTED^13.5",
        "OBX|1|SN|1^a||<^13.5 PLANTED",
        "OBX|1|SN|1^a||^1^PLANTED^2",
        "OBX|1|SN|1^a||^1^-^2 PLANTED",
        "OBX|PLANTED|PLANTED|1^a|PLANTED|||3.5-5.5 PLANTED",
        "RXE||1^a|1 PLANTED|2 PLANTED||||||3 PLANTED||4 PLANTED",
        "PID|1||7||||19900101 PLANTED",
        "PID|1||7||||19900101\\X504C414E544544\\",
        "PV1|1|I" + "|" * 42 + "202403011200 PLANTED|20240302PLANTED",
        "OBX|1|NM|1^a|||||||||20240101PLANTED||20240301120000+0800 PLANTED",
        "OBX|1|DT|1^a||20240301 PLANTED",
        "SPM|1||||||||||||PLANTED|||||20240301 PLANTED^20240302 PLANTED",
    ],
)
def test_text_in_or_behind_numbers_and_dates_is_not_given(name: str, line: str) -> None:
    assert "PLANTED" not in segment_of(name, line)


def test_numbers_and_dates_are_given() -> None:
    given = segment_of("hipaa-limited", "OBX|1|NM|1^a||13.5|g|<3.5|||||||202403011200+0800")
    assert given == "OBX|1|NM|1||13.5|g|<3.5|||||||202403011200+0800"
    assert segment_of("hipaa-limited", "OBX|1|SN|1||>=^1^:^128|g|3.5 - 5.5").endswith("||>=^1^:^128|g|3.5 - 5.5")
    assert segment_of("hipaa-limited", "OBX|1|NM|1|| <0.01 ").endswith("||<0.01")
    assert segment_of("hipaa-limited", "PID|1||7||||19900101").endswith("||||19900101")


def test_every_date_and_number_of_the_shipped_lists_has_a_form() -> None:
    path = Path(importlib.import_module("xinglin.privacy.deidentify").__file__ or "").parent / "shipped"
    lists = tomllib.loads((path / "clinical-hl7v2.toml").read_text(encoding="utf-8"))["hl7v2"]
    for segment, words in lists.items():
        for spec in (each for word in ("when", "birth", "measured") for each in words.get(word, ())):
            field, component, sub, kind = read_spec(segment, spec)
            test = form_of(segment, (field, component, sub), kind)
            assert test is not None and not test("PLANTED"), (segment, spec)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_character_set_is_the_one_that_was_understood(name: str) -> None:
    compiled = compile_profile(shipped(name), KEYS, TODAY)

    def header(declared: str, text: str = "", codec: str = "utf-8") -> str:
        body = f"{HEADER}||||||{declared}\rPID|1||7||{text}\r".encode(codec)
        return compiled.message(body).decode(codec).split("\r")[0].split("|")[17]

    assert header("UNICODE UTF-8^PLANTED18^X") == header("UNICODE UTF-8~PLANTED") == "UNICODE UTF-8"
    assert header("PLANTED") == header("PLANTED^UNICODE UTF-8") == "ASCII"
    assert header("PLANTED", "\u5f20") == "UNICODE UTF-8"
    assert header("GB18030", "\u5f20\u4e09", "gb18030") == "GB 18030-2000"


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("broken", ["PLANTEDSEG|1|x", "|PLANTED", "PLANTED", "pid|PLANTED", " OBX|1|ST|||PLANTED"])
def test_a_broken_line_is_not_given(name: str, broken: str) -> None:
    for ending in ("\r", "\n", "\r\n"):
        for line in ("DG1|1||I10|x|20240301", "DG1|1||I10|x|", "AL1|1|FA|1", "PV1|1|I", "NTE|1||dizzy", "NTE"):
            whole = f"{HEADER}\rPID|1||7\r{line}\r{broken}\rDG1|2||I11\r".replace("\r", ending).encode()
            given = compile_profile(shipped(name), KEYS, TODAY).message(whole)
            assert b"PLANTED" not in given and b"pid" not in given
            assert b"I11" in given, "what follows is a segment again"


def test_a_person_is_known_by_the_whole_of_a_broken_line() -> None:
    compiled = compile_profile(shipped("gdpr-pseudonymised"), KEYS, TODAY)
    whole = f"{HEADER}\rPID|1||7||\nQuill^Orsolya\rNTE|1||Orsolya Quill is dizzy\r".encode()
    given = compiled.message(whole)
    assert b"Quill" not in given and b"dizzy" in given
