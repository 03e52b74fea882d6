"""A mapping: what it refuses, by place and nearest name, and what it makes of rows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.records.tabular.conftest import HEAD

from xinglin.kernel.errors import LimitExceeded
from xinglin.records.tabular.errors import BadMapping
from xinglin.records.tabular.mapping import mapping_digest, parse_mapping
from xinglin.records.tabular.toml_text import write_toml

Reading = Any
BLOCK = '[[table]]\ninto = "condition"\nid = "Condition/{visit}-{@rank}"\npatient = "Patient/{id}"\n'
FIELDS = HEAD + BLOCK + 'each = ["a"]\n[table.columns]\n'

WHOLE = (
    HEAD
    + """
[source]
null = ["", "?"]
zone = "Asia/Shanghai"

[[table]]
into = "patient"
id = "Patient/{id}"
keep = "last"
partial = true
[table.columns]
sex = { column = "sex", codes = "sex" }
birth_date = { column = "born" }

[[table]]
into = "condition"
id = "Condition/{visit}-{@rank}"
patient = "Patient/{id}"
each = ["d1", "d2"]
when = [{ column = "@value", present = true }, { column = "status", not_in = ["void"] }]
version_at = "changed"
[table.columns]
code = { column = "@value", codes = "dx" }
rank = { column = "@rank" }
recorded = { column = "changed" }
note = { const = 7 }

[[table]]
into = "observation"
id = "Observation/{visit}"
patient = "Patient/{id}"
when = [{ column = "lab", present = true }]
[table.columns]
code = { column = "item", system = "http://loinc.org", standard = true, words = "words" }
result = { column = "lab", unit_column = "unit", range_column = "range" }

[codes.sex]
[codes.sex.map]
"男" = "male"
"女" = "female"

[codes.dx]
system = "http://hl7.org/fhir/sid/icd-10"
source_system = "urn:local:dx"
words = { F9 = "fever" }
[codes.dx.map]
F1 = "R50.9"
F2 = { code = "R51", loss = "wider", text = "headache" }

[product]
name = "visits"
id = "{visit}"
patient = "Patient/{id}"
[product.columns.sex]
kind = "category"
levels = ["男"]
[product.columns.lab_value]
kind = "number"
column = "lab"
[product.columns.born]
kind = "date"
"""
)
BODY = """id,visit,sex,born,d1,d2,status,changed,item,words,lab,unit,range
p1,v1,男,1980-02-30,F1,?,ok,2024-03-01 08:00:00,718-7,Hb,<12.5↓,g/L,115～150
p1,v2,女,19800301,F2,F9,ok,2024-03-02 08:00:00,718-7,Hb,阴性,,
p2,v3,x,1980,F1,F1,void,,,,,,
,v4,男,,F1,?,ok,,,,1,,
p5,,男,,?,?,ok,,,,,,
,,,,,,,,,,,,
""".encode()


def test_one_row_feeds_several_tables(reading: Reading) -> None:
    found, reads = reading(WHOLE, BODY)
    names = ("id", "code", "code_loss", "code_source", "code_source_text")
    shown = [tuple(row[name] for name in names) for row in found["condition"]]
    assert shown == [
        ("Condition/v1-1", "R50.9", "equivalent", "F1", "F1"),
        ("Condition/v2-1", "R51", "wider", "F2", "headache"),
        ("Condition/v2-2", None, "unmapped", "F9", "fever"),
    ]
    assert {row["code_source_system"] for row in found["condition"]} == {"urn:local:dx"}
    assert [row["version_at"] for row in found["condition"]] == [1709251200000, 1709337600000, 1709337600000]
    assert found["condition"][0]["recorded"] == "2024-03-01T08:00:00+08:00"
    first, second = found["observation"]
    assert (first["value_number"], first["value_comparator"], first["interpretation"]) == (12.5, "<", "L")
    assert (first["range_low"], first["range_high"], first["value_unit_source"]) == (115.0, 150.0, "g/L")
    assert (first["code"], first["code_system"], first["code_source_text"]) == ("718-7", "http://loinc.org", "Hb")
    assert (second["value_number"], second["value_text"]) == (None, "阴性")
    assert sum(read.received for read in reads) == 6
    assert [read.ignored for read in reads if read.ignored] == [{"empty row": 1}]


def test_a_row_is_unread_as_a_whole(reading: Reading) -> None:
    found, reads = reading(WHOLE, BODY)
    unread = [one for read in reads for one in read.unread]
    assert [(one.place, one.code) for one in unread] == [("line 5", "tabular.no_id"), ("line 6", "tabular.no_id")]
    assert not any("v4" in str(row) or "p5" in str(row) for rows in found.values() for row in rows)


def test_what_cannot_be_converted_is_null_and_flagged(reading: Reading) -> None:
    found, _ = reading(WHOLE, BODY)
    assert [(row["id"], row["sex"], row["birth_date"], row["birth_year"]) for row in found["patient"]] == [
        ("Patient/p1", "female", "1980-03-01", 1980),
        ("Patient/p2", None, "1980", 1980),
    ]
    assert found["patient"][1]["flags"] == "tabular.unmapped_code:sex"
    assert found["patient"][0]["partial"] is True
    first, second, third = found["visits"]
    assert (first["sex"], first["lab_value"], first["born"]) == ("男", None, None)
    assert first["flags"] == "tabular.bad_number:lab_value tabular.bad_date:born"
    assert second["flags"] == "tabular.unlisted_level:sex tabular.bad_number:lab_value"
    assert (third["sex"], third["born"], third["patient"], third["id"]) == (None, "1980", "Patient/p2", "v3")


def test_a_row_without_a_key_is_told_by_its_digest(reading: Reading) -> None:
    mapping = HEAD + '[[table]]\ninto = "note"\nid = "N/{id}-{@digest}"\npatient = "Patient/{id}"\n'
    mapping += '[table.columns]\nbody = { column = "text" }\n'
    first, _ = reading(mapping, b"id,text\n1,a\n1,b\n")
    second, _ = reading(mapping, b"id,text\n0,x\n1,b\n1,a\n")
    assert {row["id"] for row in first["note"]} < {row["id"] for row in second["note"]}


def test_conditions(reading: Reading) -> None:
    for condition, told in (
        ('like = "I1*"', ["1"]),
        ('in = ["I10", "E11"]', ["1", "2"]),
        ('equals = "E11"', ["2"]),
        ("present = false", ["3"]),
        ('present = true, not_in = ["I10"]', ["2"]),
    ):
        mapping = HEAD + BLOCK.replace("-{@rank}", "") + f'when = [{{ column = "d", {condition} }}]\n'
        found, _ = reading(mapping, b"id,visit,d\n1,1,I10\n1,2,E11\n1,3,\n")
        assert [row["id"].split("/")[1] for row in found["condition"]] == told, condition


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("version = 2", "version", "version = 1"),
        (HEAD, "", "[[table]]"),
        (HEAD + BLOCK.replace("condition", "conditon"), "table[1].into", "'condition'"),
        (HEAD + BLOCK + 'wen = []\neach = ["a"]', "table[1].wen", "'when'"),
        (FIELDS + 'codee = { column = "x" }', "table[1].columns.codee", "'code'"),
        (
            HEAD + BLOCK + 'each = ["a"]\n[table.columns]\ncode = { colum = "x" }',
            "table[1].columns.code.colum",
            "'column'",
        ),
        (FIELDS + "code = { }", "table[1].columns.code", "Write one"),
        (
            HEAD + BLOCK + 'each = ["a"]\n[table.columns]\ncode = { column = "x", codes = "y" }',
            "table[1].columns.code",
            "",
        ),
        (HEAD + BLOCK, "table[1]", "each"),
        (HEAD + BLOCK.replace('patient = "Patient/{id}"\n', ""), "table[1].patient", "Patient/"),
        (HEAD + BLOCK.replace("{visit}-{@rank}", "x"), "table[1].id", "template"),
        (HEAD + BLOCK.replace("@rank", "@rang"), "table[1]", "'@rank'"),
        (HEAD + "[[table]\n", "", "line"),
        (HEAD + "table = 3", "", ""),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, place: str, remedy: str) -> None:
    with pytest.raises(BadMapping) as raised:
        parse_mapping(text)
    assert raised.value.path == place
    assert remedy in str(raised.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('name = "visits"', 'name = "patient"'), "canonical"),
        (('name = "visits"', 'name = "Visits"'), "lower-case"),
        (("columns.sex]", "columns.source]"), "the lake's own"),
        (("columns.sex]", 'columns."a b"]'), "plain"),
        (('kind = "number"', 'kind = "numbr"'), "'number'"),
        (('id = "{visit}"', 'id = "x"'), "Templates"),
    ],
)
def test_a_product_that_cannot_be_published_is_refused(change: tuple[str, str], words: str) -> None:
    with pytest.raises(BadMapping, match=words):
        parse_mapping(WHOLE.replace(*change))


def test_a_mapping_has_a_size_and_a_digest() -> None:
    with pytest.raises(LimitExceeded):
        parse_mapping(HEAD + "#" * 4 * 1024 * 1024)
    mapping = parse_mapping(WHOLE)
    again = parse_mapping(write_toml(mapping, {"": "a comment", "table[1]": "another"}))
    assert again == mapping
    assert mapping_digest(again) == mapping_digest(mapping) != mapping_digest(parse_mapping(WHOLE.replace("F9", "F8")))


OTHERS = """
[documents]
patient_pattern = 'MRN: (\\d+)'
[genomics.samples]
S1 = "Patient/7"
[hl7v2]
sex = "gb2261"
[omop]
zone = "Z"
"""


def test_tables_of_other_readers_are_kept_and_written() -> None:
    mapping = parse_mapping(WHOLE + OTHERS)
    assert mapping.documents == {"patient_pattern": r"MRN: (\d+)"}
    assert mapping.genomics["samples"] == {"S1": "Patient/7"}
    assert parse_mapping(write_toml(mapping)) == mapping
    assert mapping_digest(mapping) != mapping_digest(parse_mapping(WHOLE))


@pytest.mark.parametrize(("text", "path", "said"), [
    ('[documents]\npatint = "x"', "documents", "patint"),
    ('[documents]\npatient_pattern = "MRN"', "documents", "group"),
    ('[genomics]\npatient_pattern = "("', "genomics", "genomics"),
    ('[genomics]\nspecimen_key = "Specimen"', "genomics", "no place"),
    ('[hl7v2]\nsex = "gb"', "hl7v2", "gb"),
    ('[hl7v2]\nzones = "source"', "hl7v2", "zones"),
    ("[document]\nx = 1", "document", "Did you mean 'documents'?"),
])  # fmt: skip
def test_a_mistake_in_a_table_of_another_reader_has_its_place(text: str, path: str, said: str) -> None:
    for whole in (WHOLE + text, text) if path != "document" else (WHOLE + text,):
        with pytest.raises(BadMapping) as caught:
            parse_mapping(whole)
        assert caught.value.path == path
        assert said in str(caught.value)


def test_what_should_be_a_table_of_another_reader_and_is_none() -> None:
    with pytest.raises(BadMapping, match="not a table"):
        parse_mapping('documents = "x"\n' + WHOLE)


def test_a_mapping_for_other_readers_alone_makes_no_rows() -> None:
    from xinglin.records.model import ReadContext
    from xinglin.records.tabular.errors import NoMapping
    from xinglin.records.tabular.reader import TabularReader

    for text in (OTHERS, HEAD + OTHERS):
        assert not parse_mapping(text).makes_rows
        with pytest.raises(NoMapping, match="nothing of tables"):
            list(TabularReader().read(b"a,b\n1,2\n", ReadContext("x", 0, mapping=text)))
    with pytest.raises(BadMapping, match="makes nothing"):
        parse_mapping(HEAD)
