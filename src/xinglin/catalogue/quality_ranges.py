"""What a measurement can be in a living person: bounds by LOINC code and UCUM unit, by age and by sex.

The bounds are wide on purpose: they catch a wrong unit, a shifted decimal point or another quantity, not an
illness. Sources: record extremes in the literature and the limits of instruments; a hospital may tighten its own.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Bounds(msgspec.Struct, frozen=True):
    """Inclusive bounds of one code in one unit. ``years``: ages (from, before) that they are for; ``sex``: or sex."""

    code: str
    unit: str
    low: float
    high: float
    name: str
    name_zh: str
    years: tuple[int, int] = (0, 0)
    sex: Literal["", "female", "male"] = ""


_VITAL = """
8867-4|/min|0|350|heart rate|心率
9279-1|/min|0|150|respiratory rate|呼吸频率
8310-5|Cel|20|46|body temperature|体温
8310-5|[degF]|68|115|body temperature|体温
8480-6|mm[Hg]|20|350|systolic blood pressure|收缩压
8462-4|mm[Hg]|5|260|diastolic blood pressure|舒张压
2708-6|%|10|100|oxygen saturation|血氧饱和度
59408-5|%|10|100|oxygen saturation|血氧饱和度
29463-7|kg|0.2|650|body weight|体重
8302-2|cm|20|280|body height|身高
39156-5|kg/m2|5|250|body mass index|体重指数
9269-2|{score}|3|15|Glasgow coma score|格拉斯哥昏迷评分
72514-3|{score}|0|10|pain score|疼痛评分
"""
_LABORATORY = """
2345-7|mg/dL|5|2500|glucose|葡萄糖
2339-0|mg/dL|5|2500|glucose|葡萄糖
14749-6|mmol/L|0.2|140|glucose|葡萄糖
15074-8|mmol/L|0.2|140|glucose|葡萄糖
4548-4|%|2|25|haemoglobin A1c|糖化血红蛋白
2160-0|mg/dL|0.02|60|creatinine|肌酐
38483-4|mg/dL|0.02|60|creatinine|肌酐
14682-9|umol/L|2|5500|creatinine|肌酐
3094-0|mg/dL|0.5|400|urea nitrogen|尿素氮
6299-2|mg/dL|0.5|400|urea nitrogen|尿素氮
2951-2|mmol/L|80|220|sodium|钠
2947-0|mmol/L|80|220|sodium|钠
2823-3|mmol/L|0.8|20|potassium|钾
6298-4|mmol/L|0.8|20|potassium|钾
2075-0|mmol/L|40|180|chloride|氯
2069-3|mmol/L|40|180|chloride|氯
17861-6|mg/dL|2|30|calcium|钙
49765-1|mg/dL|2|30|calcium|钙
718-7|g/dL|0.5|30|haemoglobin|血红蛋白
718-7|g/L|5|300|haemoglobin|血红蛋白
4544-3|%|2|85|haematocrit|红细胞压积
6690-2|10*3/uL|0|2000|leukocytes|白细胞
6690-2|10*9/L|0|2000|leukocytes|白细胞
777-3|10*3/uL|0|5000|platelets|血小板
777-3|10*9/L|0|5000|platelets|血小板
789-8|10*6/uL|0.2|15|erythrocytes|红细胞
2093-3|mg/dL|10|3000|cholesterol|总胆固醇
14647-2|mmol/L|0.3|80|cholesterol|总胆固醇
2085-9|mg/dL|1|300|HDL cholesterol|高密度脂蛋白
2571-8|mg/dL|5|20000|triglycerides|甘油三酯
1742-6|U/L|0|50000|alanine aminotransferase|丙氨酸氨基转移酶
1920-8|U/L|0|50000|aspartate aminotransferase|天冬氨酸氨基转移酶
1975-2|mg/dL|0|100|bilirubin|总胆红素
1751-7|g/dL|0.3|8|albumin|白蛋白
2744-1|[pH]|6.3|8|arterial pH|动脉血酸碱度
33914-3|mL/min/{1.73_m2}|0|300|glomerular filtration rate|肾小球滤过率
2857-1|ng/mL|0|50000|prostate specific antigen|前列腺特异抗原
"""


def _read(lines: str) -> tuple[Bounds, ...]:
    rows = (line.split("|") for line in lines.strip().splitlines())
    return tuple(Bounds(code, unit, float(low), float(high), en, zh) for code, unit, low, high, en, zh in rows)


BOUNDS: tuple[Bounds, ...] = (*_read(_VITAL), *_read(_LABORATORY))
"""Of everybody."""

BOUNDS_BY_AGE: tuple[Bounds, ...] = (
    Bounds("8302-2", "cm", 20, 110, "body height", "身高", (0, 2)),
    Bounds("8302-2", "cm", 80, 280, "body height", "身高", (18, 200)),
    Bounds("29463-7", "kg", 0.2, 30, "body weight", "体重", (0, 2)),
    Bounds("29463-7", "kg", 15, 650, "body weight", "体重", (18, 200)),
    Bounds("8480-6", "mm[Hg]", 20, 180, "systolic blood pressure", "收缩压", (0, 2)),
)
"""Narrower where the age is known."""

MALE_ONLY_TESTS = ("2857-1", "10886-0", "12841-3", "83112-3")
"""LOINC: prostate specific antigen in its forms."""

FEMALE_ONLY_TESTS = ("2106-3", "2118-8", "21198-7", "80384-1", "11778-8", "11996-6", "11884-4", "49051-6")
"""LOINC: pregnancy tests, gestational age, delivery date, gravidity."""
