"""CSV as hospitals write it: characters, delimiters, quotes, ragged rows; every row is accounted for."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from typing import Any

import pytest
from tests.unit.records.tabular.conftest import PATIENTS

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.limits import Limit
from xinglin.records.errors import Unreadable
from xinglin.records.model import ReadContext
from xinglin.records.tabular import archive
from xinglin.records.tabular.errors import BadArchive, BadMapping, NoMapping
from xinglin.records.tabular.reader import TabularReader

Reading = Any
CHINESE = PATIENTS.replace("{id}", "{住院号}").replace('"name" }', '"姓名" }')


def names(rows: list[dict[str, Any]]) -> list[Any]:
    return [row["name"] for row in rows]


def unread(reads: list[Any]) -> dict[str, str]:
    return {one.place: one.code for read in reads for one in read.unread}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_is_seen(encoding: str, reading: Reading) -> None:
    body = "住院号,姓名\n1,张三\n2,欧阳小倩\n3,𠮷野\n".encode(encoding)
    found, _ = reading(CHINESE, body)
    assert names(found["patient"]) == ["张三", "欧阳小倩", "𠮷野"]


def test_latin_1_is_not_taken_for_chinese(reading: Reading) -> None:
    found, _ = reading(PATIENTS, "id,name\n1,Müller\n2,Núñez\n".encode("latin-1"))
    assert names(found["patient"]) == ["Müller", "Núñez"]


def test_bytes_that_are_no_characters_cost_their_own_row(reading: Reading) -> None:
    body = "住院号,姓名\n1,张三\n2,".encode() + b"\xff\xfe" + "李\n3,王五\n4,赵六六六六六六六\n".encode()
    found, reads = reading(CHINESE, body)
    assert names(found["patient"]) == ["张三", "王五", "赵六六六六六六六"]
    assert unread(reads) == {"line 3": "tabular.bad_characters"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^"])
def test_the_delimiter_is_seen(delimiter: str, reading: Reading) -> None:
    lines = [["id", "name", "note"], ["1", "Ann", "1,5; x"], ["2", "Bob", "y"]]
    body = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines).encode()
    found, _ = reading(PATIENTS, body)
    assert names(found["patient"]) == ["Ann", "Bob"]


def test_line_ends_of_every_kind(reading: Reading) -> None:
    for end in ("\n", "\r\n", "\r"):
        found, _ = reading(PATIENTS, end.join(["id,name", "1,Ann", "2,Bob", ""]).encode())
        assert names(found["patient"]) == ["Ann", "Bob"], repr(end)


def test_ragged_rows_are_unread_by_their_line(reading: Reading) -> None:
    body = b'id,name\n1,Ann\n2\n\n3,"B\nob"\n4,C,D\n5,Eve\n6,F,\n'
    found, reads = reading(PATIENTS, body)
    assert names(found["patient"]) == ["Ann", "B\nob", "Eve"]
    assert [row["place"] for row in found["patient"]] == ["line 2", "line 5", "line 8"]
    assert unread(reads) == {f"line {line}": "tabular.ragged_row" for line in (3, 7, 9)}
    assert not any("D" in one.words for read in reads for one in read.unread)


def test_a_quote_that_is_never_closed_costs_its_own_line(reading: Reading) -> None:
    body = b'id,name\n1,Ann\n2,"Bob\n3,Cid\n4,"D\nD"\n5,Eve\n'
    found, reads = reading(PATIENTS, body)
    assert names(found["patient"]) == ["Ann", "Cid", "D\nD", "Eve"]
    assert [row["place"] for row in found["patient"]] == ["line 2", "line 4", "line 5", "line 7"]
    assert unread(reads) == {"line 3": "tabular.open_quote"}


def test_two_open_quotes_do_not_swallow_the_rows_between(reading: Reading) -> None:
    rows = [f"{number},n{number}" for number in range(200)]
    rows[50], rows[150] = '50,"n50', '150,"n150'
    found, reads = reading(PATIENTS, ("id,name\n" + "\n".join(rows) + "\n").encode())
    assert len(found["patient"]) == 198
    assert unread(reads) == {"line 52": "tabular.open_quote", "line 152": "tabular.open_quote"}


def test_nul_and_spaces_are_taken_away(reading: Reading) -> None:
    found, _ = reading(PATIENTS, "id,name\n1,\0\n2, An\0n \n3,\u3000王\u3000\n".encode())
    assert names(found["patient"]) == [None, "Ann", "王"]


def test_title_rows_above_the_header_are_passed_over(reading: Reading) -> None:
    found, _ = reading(PATIENTS, b"Export of 2024\n\nid,name\n1,Ann\n2,Bob\n")
    assert names(found["patient"]) == ["Ann", "Bob"]
    assert found["patient"][0]["place"] == "line 4"


def test_columns_of_a_file_without_a_header(reading: Reading) -> None:
    mapping = PATIENTS.replace("[[table]]", '[source]\nheader = 0\ncolumns = ["id", "name"]\n[[table]]', 1)
    found, _ = reading(mapping, b"1,Ann\n2,Bob\n")
    assert names(found["patient"]) == ["Ann", "Bob"]


def test_a_file_larger_than_a_block_keeps_lines_and_order(reading: Reading) -> None:
    rows = [f'{number},"n{number}"' for number in range(150_000)]
    rows[70_000] = "70000"
    rows[149_999] = "149999,x,y"
    rows[99_999] = '99999,"two\nlines"'
    found, reads = reading(PATIENTS, ("id,name\n" + "\n".join(rows)).encode())
    assert len(found["patient"]) == 149_998
    assert unread(reads) == {"line 70002": "tabular.ragged_row", "line 150002": "tabular.ragged_row"}
    assert found["patient"][-1]["place"] == "line 150001"
    assert found["patient"][69_999]["place"] == "line 70001"


def test_the_two_ways_of_reading_agree(reading: Reading) -> None:
    """Whatever a file holds, the fast way and the recovering way give the same rows."""
    chance = random.Random(7)
    for _ in range(60):
        cells = ["a", "", "b c", '"q"', '"x,y"', '"l\nm"', '""', "é", '"a""b"']
        rows = [[str(number), chance.choice(cells)] for number in range(chance.randrange(1, 30))]
        text = "id,name\n" + "".join(",".join(row) + "\n" for row in rows)
        fast, _ = reading(PATIENTS, text.encode())
        slow, reads = reading(PATIENTS, (text + '9999,"open\n').encode())
        assert slow["patient"] == fast["patient"]
        assert list(unread(reads).values()) == ["tabular.open_quote"]


def zipped(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in members.items():
            made.writestr(name, body)
    return held.getvalue()


def test_members_are_chosen_and_junk_is_passed_over(reading: Reading) -> None:
    body = zipped(
        {
            "__MACOSX/._a.csv": b"\0\0junk",
            ".DS_Store": b"x",
            "d/a.csv": b"id,name\n1,Ann\n",
            "d/b.csv.gz": gzip.compress(b"id,name\n2,Bob\n"),
            "d/readme.txt": b"not a table",
        }
    )
    mapping = PATIENTS.replace("[[table]]", '[source]\nmembers = ["*.csv"]\n[[table]]', 1)
    found, _ = reading(mapping, body)
    assert [(row["name"], row["place"]) for row in found["patient"]] == [
        ("Ann", "a.csv line 2"),
        ("Bob", "b.csv line 2"),
    ]


def test_an_archive_that_grows_too_much_is_refused(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({"a.csv": b"id,name\n" + b"0" * 60_000_000})
    with pytest.raises(LimitExceeded, match="grows"):
        reading(PATIENTS, bomb)
    with pytest.raises(LimitExceeded, match="grows"):
        reading(PATIENTS, gzip.compress(b"0" * 60_000_000))
    monkeypatch.setattr(archive, "INNER_BYTES", Limit("bytes inside", 16, "bytes"))
    assert reading(PATIENTS, zipped({"a.csv": b"id,name\n1,Ann12\n"}))[0]["patient"]
    with pytest.raises(LimitExceeded, match="16 bytes"):
        reading(PATIENTS, zipped({"a.csv": b"id,name\n1,Ann123\n"}))
    monkeypatch.setattr(archive, "MEMBERS", Limit("members", 2, "members"))
    with pytest.raises(LimitExceeded, match="2 members"):
        reading(PATIENTS, zipped({f"{number}.csv": b"" for number in range(3)}))


def test_archives_within_archives_end_somewhere(reading: Reading) -> None:
    body = zipped({"a.csv": b"id,name\n1,Ann\n"})
    assert reading(PATIENTS, zipped({"1.zip": body}))[0]["patient"]
    with pytest.raises(LimitExceeded, match="within"):
        reading(PATIENTS, zipped({"2.zip": zipped({"1.zip": body})}))


def test_damage_is_named(reading: Reading) -> None:
    whole = zipped({"a.csv": b"id,name\n" + bytes(random.Random(1).randbytes(5_000)).hex().encode()})
    for body in (whole[:-40], gzip.compress(b"id,name\n1,Ann")[:-9]):
        with pytest.raises(BadArchive):
            reading(PATIENTS, body)
    with pytest.raises(Unreadable, match="no row"):
        reading(PATIENTS, b"")


def test_the_first_wrong_column_is_named_with_the_nearest(reading: Reading) -> None:
    with pytest.raises(BadMapping, match="Did you mean 'names'"):
        reading(PATIENTS, b"id,names\n1,Ann\n")
    with pytest.raises(NoMapping):
        list(TabularReader().read(b"a", ReadContext("x", 0)))


def test_repeated_and_empty_names_are_told_apart(reading: Reading) -> None:
    mapping = PATIENTS.replace('{ column = "name" }', '{ text = "{name}-{name_2}-{column_4}" }')
    found, _ = reading(mapping, b"id,name,name,,x\n1,a,b,c,d\n2,e,f,g,h\n")
    assert names(found["patient"]) == ["a-b-c", "e-f-g"]
