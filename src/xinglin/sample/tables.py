"""A generated hospital's exports: CSV files in GB18030 with Chinese column names, as its HIS writes them."""

from __future__ import annotations

import csv
import io

from xinglin.sample.facts import DISEASE, persons
from xinglin.sample.hospital import SampleHospital

ENCODING = "gb18030"
_SEX = {"female": "女", "male": "男"}


def exports(hospital: SampleHospital) -> dict[str, bytes]:
    """File names and bytes: persons, results and diagnoses. A comma inside a text is quoted, lines end with CRLF."""
    people: list[list[object]] = [["病历号", "姓名", "性别", "出生日期", "联系电话"]]
    results: list[list[object]] = [
        ["检验单号", "病历号", "就诊流水号", "项目代码", "项目名称", "结果", "单位", "检验时间"]
    ]
    diagnoses: list[list[object]] = [["诊断流水号", "病历号", "就诊流水号", "诊断编码", "诊断名称", "诊断时间"]]
    for person in persons(hospital):
        visit, at = f"V{person.key}", f"{person.examined_at:%Y-%m-%d %H:%M:%S}"
        born = f"{person.birth_date:%Y/%m/%d}"
        people.append([person.key, person.name, _SEX[person.sex], born, person.phone])
        for number, finding in enumerate(person.findings, 1):
            value = finding.value if not isinstance(finding.value, bool) else ("是" if finding.value else "否")
            measure = finding.measure
            results.append(
                [f"R{person.key}-{number}", person.key, visit, measure.local, measure.words_zh, value, measure.unit, at]
            )
        if person.disease:
            code, _, words_zh = DISEASE
            diagnoses.append([f"D{person.key}", person.key, visit, code, words_zh, at])
    return {"患者基本信息.csv": _file(people), "检验结果.csv": _file(results), "诊断.csv": _file(diagnoses)}


def _file(rows: list[list[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode(ENCODING)
