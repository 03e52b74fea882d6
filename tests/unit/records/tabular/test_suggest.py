"""Suggested mappings: of exports of Chinese and English hospitals, and of 101,766 real rows."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.conftest import missing
from tests.slowness import slowness

from xinglin.catalogue.checks import check_data_set
from xinglin.catalogue.model import DataSetDescription
from xinglin.kernel.verdict import Allowed
from xinglin.records.model import ReadContext
from xinglin.records.tabular.describe import product_description
from xinglin.records.tabular.mapping import parse_mapping
from xinglin.records.tabular.product import product_arrow, product_schema
from xinglin.records.tabular.reader import TabularReader
from xinglin.records.tabular.suggest import suggest
from xinglin.records.tabular.suggestion import Suggestion
from xinglin.records.tabular.trial import try_mapping

DID = "did:xinglin:" + "a" * 26


def fills(found: Suggestion) -> dict[str, tuple[str, ...]]:
    return {one.name: tuple(name for name in one.into if not name.startswith("product.")) for one in found.columns}


def export(columns: dict[str, Any], rows: int = 60, encoding: str = "gb18030") -> bytes:
    chance = random.Random(3)
    lines = [",".join(columns)]
    lines += [",".join(str(make(number, chance)) for make in columns.values()) for number in range(rows)]
    return "\n".join(lines).encode(encoding)


def pick(*values: str) -> Any:
    return lambda number, chance: chance.choice(values)


def day(number: int, chance: random.Random) -> str:
    return f"2024-0{chance.randrange(1, 9)}-{chance.randrange(10, 28)}"


FRONT_PAGE = {
    "住院号": lambda n, c: f"ZY{100 + n // 2}",
    "住院流水号": lambda n, c: 9000 + n,
    "患者姓名": pick("张三", "李四", "王小五"),
    "身份证号": lambda n, c: "11010519491231002X",
    "性别": pick("男", "女"),
    "出生日期": pick("1949-12-31", "1960-01-05"),
    "联系电话": pick("13800138000", "13911112222"),
    "入院日期": day,
    "出院日期": day,
    "出院科室": pick("心内科", "骨科"),
    "离院方式": pick("1", "2", "5"),
    "主诊断编码": pick("I21.900", "E11.900", "J18.900"),
    "主诊断名称": pick("急性心肌梗死", "2型糖尿病", "肺炎"),
    "现病史": lambda n, c: "患者三天前无明显诱因出现胸闷，气促，伴咳嗽，无发热。既往体健，否认药物过敏史。",
    "总费用": lambda n, c: round(c.uniform(1000, 90000), 2),
}
LABORATORY = {
    "病案号": lambda n, c: 100 + n // 5,
    "就诊流水号": lambda n, c: 500 + n // 5,
    "检验项目代码": pick("718-7", "2345-7"),
    "检验项目名称": pick("血红蛋白", "葡萄糖"),
    "检验结果": pick("5.6", "<0.1", "阴性", "13.2↑"),
    "单位": pick("g/L", "mmol/L"),
    "参考范围": pick("3.9-6.1", "115-150"),
    "报告时间": lambda n, c: "2024-03-01 08:30:00",
}
PINYIN = {
    "BAH": lambda n, c: 100 + n // 2,
    "JZLSH": lambda n, c: 500 + n,
    "XM": pick("张三", "李四"),
    "XB": pick("1", "2"),
    "CSRQ": pick("19491231", "19600105"),
    "RYRQ": pick("20240301", "20240405"),
    "CYRQ": pick("20240309", "20240412"),
    "ZYZDBM": pick("I21.9", "E11.9"),
}
ORDERS = {
    "patient_id": lambda n, c: n // 4,
    "visit_id": lambda n, c: n // 2,
    "order_id": lambda n, c: 10_000 + n,
    "drug_name": pick("Metformin 500mg", "Aspirin 100mg"),
    "dose": pick("500", "100"),
    "dose_unit": pick("mg", "g"),
    "route": pick("oral", "iv"),
    "frequency": pick("bid", "qd"),
    "order_date": day,
}


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            FRONT_PAGE,
            {
                "住院流水号": "encounter.identifier",
                "住院号": "patient.identifier",
                "患者姓名": "patient.name",
                "身份证号": "patient.national_id",
                "性别": "patient.sex",
                "出生日期": "patient.birth_date",
                "联系电话": "patient.phone",
                "入院日期": "encounter.started",
                "出院日期": "encounter.ended",
                "出院科室": "encounter.department",
                "离院方式": "encounter.discharge_disposition",
                "主诊断编码": "condition.code",
                "主诊断名称": "condition.code",
                "现病史": "note.body",
            },
        ),
        (
            LABORATORY,
            {
                "病案号": "patient",
                "检验项目代码": "observation.code",
                "检验项目名称": "observation.code",
                "检验结果": "observation.result",
                "单位": "observation.result",
                "参考范围": "observation.result",
                "报告时间": "observation.issued",
            },
        ),
        (
            PINYIN,
            {
                "BAH": "patient.identifier",
                "JZLSH": "encounter.identifier",
                "XM": "patient.name",
                "XB": "patient.sex",
                "CSRQ": "patient.birth_date",
                "RYRQ": "encounter.started",
                "CYRQ": "encounter.ended",
                "ZYZDBM": "condition.code",
            },
        ),
        (
            ORDERS,
            {
                "drug_name": "medication.code",
                "dose": "medication.dose_number",
                "dose_unit": "medication.dose_number",
                "route": "medication.route",
                "frequency": "medication.frequency_text",
                "order_date": "medication.started",
            },
        ),
    ],
    ids=["front page", "laboratory", "pinyin", "orders"],
)
def test_exports_of_hospitals_are_understood(columns: dict[str, Any], told: dict[str, str]) -> None:
    body = export(columns)
    found = suggest(body, "export.csv")
    assert parse_mapping(found.toml) == found.mapping
    filled = fills(found)
    wrong = {name: filled[name] for name, into in told.items() if into != "patient" and into not in filled[name]}
    assert not wrong
    tried = try_mapping(found.toml, body)
    assert (tried.accepted, tried.unread) == (60, 0)
    assert all(0 < one.confidence <= 1 and one.reasons for one in found.columns if one.meaning)


def test_what_names_a_person_is_never_published_as_data() -> None:
    found = suggest(export(FRONT_PAGE), "export.csv")
    roles = {one.name: one.role for one in found.columns}
    named = {"住院号", "住院流水号", "患者姓名", "身份证号", "出生日期", "联系电话"}
    assert {name for name, role in roles.items() if role == "identifier"} == named
    assert next(one for one in found.columns if one.name == "现病史").kind == "text"
    description = product_description(found.mapping.product)  # type: ignore[arg-type]
    assert isinstance(check_data_set(DataSetDescription("x", DID, "x", (description,))), Allowed)
    published = str([one for one in description.columns if one.role == "data"])
    assert "张三" not in published and "13800138000" not in published


def test_an_identity_number_is_known_by_its_check_digit() -> None:
    columns = {"编号一": lambda n, c: _identity(n), "数值": pick("1.5", "2.5")}
    found = suggest(export(columns), "x.csv")
    assert found.columns[0].meaning == "person.national_id"
    assert found.columns[0].role == "identifier"


def _identity(number: int) -> str:
    text = f"1101051949123{number:04d}"[:17].ljust(17, "1")
    text = f"11010519491231{number:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return text + "10X98765432"[sum(int(a) * b for a, b in zip(text, weights, strict=True)) % 11]


def test_nobody_s_extreme_and_no_rare_level_is_published() -> None:
    lines = ["id,age,city"] + [f"{n},{20 + n % 50},{'Paris' if n % 2 else 'Rome'}" for n in range(400)]
    lines += ["900,119,Timbuktu", "901,21,Nuuk"]
    found = suggest("\n".join(lines).encode(), "x.csv")
    product = found.mapping.product
    assert product is not None
    age, city = product.columns["age"], product.columns["city"]
    assert (age.low, age.high, age.flag) == (20, 70, "range_clipped")
    assert (city.levels, city.flag) == (("Paris", "Rome"), "rare_merged")
    assert "Timbuktu" not in found.toml and "119" not in found.toml


def test_a_person_is_counted_once_however_far_apart_their_rows_lie() -> None:
    cities = {0: "Nuuk", 70_000: "Nuuk", 140_000: "Nuuk"}
    lines = [f"{n % 7},{cities.get(n, 'Rome' if n % 7 < 3 else 'Oslo')}" for n in range(140_001)]
    lines += [f"{n + 10},{'Rome' if n % 2 else 'Oslo'}" for n in range(40)]
    lines += [f"{n},Nuuk" for n in range(7)]
    found = suggest(("person_id,city\n" + "\n".join(lines)).encode(), "x.csv")
    assert found.mapping.product is not None
    assert found.mapping.product.columns["city"].levels == ("Oslo", "Rome")


@pytest.fixture(scope="module")
def diabetes(shared_data: Path) -> bytes:
    path = shared_data / "diabetes130" / "dataset_diabetes.zip"
    if not path.is_file():
        missing("data", "the data folder holds no diabetes130")
    return path.read_bytes()


@pytest.fixture(scope="module")
def suggested(diabetes: bytes) -> Suggestion:
    return suggest(diabetes, "dataset_diabetes.zip")


def test_diabetes130_is_understood_without_editing(suggested: Suggestion) -> None:
    assert parse_mapping(suggested.toml) == suggested.mapping
    into = [block.into for block in suggested.mapping.table]
    assert sorted(into) == ["condition", "encounter", "medication", *["observation"] * 3, "patient"]
    medication = next(block for block in suggested.mapping.table if block.into == "medication")
    assert len(medication.each) == 23
    codes = suggested.mapping.codes
    assert codes["discharge_disposition_id"].map["11"] == "exp"
    assert codes["admission_source_id"].map["7"] == "emd"
    assert codes["admission_type_id"].map["1"] == "EM"
    product = suggested.mapping.product
    assert product is not None and len(product.columns) == 50
    assert product.columns["age"].levels[:2] == ("[0-10)", "[10-20)")
    assert len(product.columns["diag_1"].levels) > 300
    assert {name for name, column in product.columns.items() if column.role == "identifier"} == {
        "encounter_id",
        "patient_nbr",
    }
    description = product_description(product)
    assert isinstance(check_data_set(DataSetDescription("diabetes", DID, "d", (description,))), Allowed)


def test_diabetes130_becomes_rows(diabetes: bytes, suggested: Suggestion) -> None:
    began = time.process_time()
    context = ReadContext("feed", 0, mapping=suggested.toml)
    counts: dict[str, int] = {}
    products = []
    received = accepted = 0
    for read in TabularReader().read(diabetes, context):
        assert not read.unread
        received, accepted = received + read.received, accepted + read.accepted
        for mapped in read.mapped:
            counts[mapped.table] = counts.get(mapped.table, 0) + len(mapped.rows)
            if mapped.table == "diabetic_data":
                products.append(mapped)
    assert (received, accepted) == (101_766, 101_766)
    assert (counts["encounter"], counts["patient"], counts["diabetic_data"]) == (101_766, 71_518, 101_766)
    assert counts["condition"] == 303_496
    assert time.process_time() - began < 60 * slowness()
    schema = product_schema(suggested.mapping)
    assert schema is not None
    table = pa.concat_tables([product_arrow(one, schema, {"batch": 1, "source": "feed"}) for one in products])
    assert table.num_rows == 101_766
    assert table.schema.field("time_in_hospital").type == pa.int64()
    assert table.column("patient").null_count == 0
    assert table.column("time_in_hospital").null_count == 0
