"""The closed list of checks, made from tables of data: what must be there, what may be said, what can be true.

Ids read ``kind.what.table.column``; they never change. Thresholds are shares of the rows that a check is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from xinglin.catalogue.canonical_levels import FIXED_LEVELS
from xinglin.catalogue.canonical_tables import CANONICAL_TABLES, canonical_table
from xinglin.catalogue.quality import Join, Kind, QualityCheck, Severity
from xinglin.catalogue.quality_ranges import BOUNDS, BOUNDS_BY_AGE, FEMALE_ONLY_TESTS, MALE_ONLY_TESTS, Bounds

DAY = "INTERVAL 1 DAY"
LATE_DAYS = 7
AFTER_DEATH_DAYS = 60
"""As the Data Quality Dashboard has it: billing and results may come after a death."""
AROUND_VISIT_DAYS = 7

_REQUIRED = """
patient sex 0.01
patient birth_date 0.01
encounter class 0.02
encounter started 0.001
encounter ended 0.3
condition code|code_source|code_source_text 0.001
condition onset|recorded 0.02
observation code|code_source|code_source_text 0.001
observation effective|issued 0.01
observation value_number|value_text|value|value_source|value_source_text|value_boolean|value_time|absent_reason 0.1
medication code|code_source|code_source_text 0.001
medication started|authored 0.02
medication dose_number 0.5
procedure code|code_source|code_source_text 0.001
procedure started 0.02
immunization code|code_source|code_source_text 0.001
immunization occurred 0.01
allergy code|code_source|code_source_text 0.001
report code|code_source|code_source_text 0.01
specimen collected|received 0.1
imaging modality 0.01
imaging started 0.02
note body 0.001
claim amount 0.5
"""

_STANDARD = """
condition code 0.05
observation code 0.1
medication code 0.1
procedure code 0.2
immunization code 0.05
allergy code 0.2
report code 0.3
"""

_SYSTEMS = {
    ("condition", "code"): ("snomed.info/sct", "icd-10", "icd-11", "id.who.int/icd", "icd-9-cm", "icd-o", "icpc"),
    ("observation", "code"): ("loinc.org", "snomed.info/sct"),
    ("medication", "code"): ("whocc.no/atc", "rxnorm", "snomed.info/sct", "ndc"),
    ("procedure", "code"): ("snomed.info/sct", "icd-9-cm", "icd-10-pcs", "cpt", "hcpcs", "ops", "cdt"),
    ("immunization", "code"): ("cvx", "whocc.no/atc", "snomed.info/sct"),
}
_FORMS = {
    "ICD-10": ("condition", "code", "%icd-10%", r"[A-Z][0-9][0-9A-Z]([.][0-9A-Zx+*]{1,9})?", "icd10"),
    "LOINC": ("observation", "code", "%loinc%", r"[0-9]{1,7}-[0-9]", "loinc"),
    "ATC": ("medication", "code", "%atc%", r"[A-Z]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?", "atc"),
    "SNOMED CT": ("condition", "code", "%snomed%", r"[1-9][0-9]{5,17}", "snomed"),
}
_SPANS = (
    ("encounter", "started", "ended"),
    ("condition", "onset", "abatement"),
    ("medication", "started", "ended"),
    ("procedure", "started", "ended"),
    ("appointment", "started", "ended"),
    ("claim", "started", "ended"),
    ("specimen", "collected", "received"),
    ("observation", "effective", "issued"),
    ("report", "effective", "issued"),
    ("observation", "range_low", "range_high"),
)
_EVENTS = (
    ("encounter", "started"),
    ("condition", "onset"),
    ("condition", "recorded"),
    ("observation", "effective"),
    ("medication", "started"),
    ("procedure", "started"),
    ("immunization", "occurred"),
    ("report", "effective"),
    ("specimen", "collected"),
    ("imaging", "started"),
    ("death", "died_at"),
)
_IN_VISIT = (("observation", "effective"), ("procedure", "started"), ("condition", "recorded"), ("report", "effective"))
_NEGATIVE = (
    ("medication", "dose_number"),
    ("medication", "quantity"),
    ("medication", "days_supply"),
    ("claim", "amount"),
    ("claim", "quantity"),
    ("specimen", "quantity"),
    ("encounter", "length_days"),
    ("imaging", "instances"),
)
_SAME = {
    "encounter": ("patient", "started", "ended", "class", "department"),
    "condition": ("patient", "encounter", "code", "code_source", "onset", "recorded", "use", "rank", "tooth"),
    "observation": (
        "patient",
        "encounter",
        "report",
        "code",
        "code_source",
        "component",
        "effective",
        "value_number",
        "value_text",
        "value_source",
        "specimen",
        "tooth",
    ),
    "medication": ("patient", "encounter", "kind", "code", "code_source", "started", "authored", "dose_number"),
    "procedure": ("patient", "encounter", "code", "code_source", "started", "tooth", "body_site_source"),
    "immunization": ("patient", "code", "code_source", "occurred", "lot"),
}
_REFERS = (
    ("observation", "report", "report"),
    ("observation", "specimen", "specimen"),
    ("report", "specimen", "specimen"),
    ("medication", "based_on", "medication"),
    ("claim", "claim", "claim"),
    ("encounter", "part_of", "encounter"),
)
_FEMALE = (
    ("C51", "C58"),
    ("D06", "D06"),
    ("D25", "D28"),
    ("N70", "N98"),
    ("O00", "O99"),
    ("Z32", "Z37"),
    ("Z39", "Z39"),
)
_MALE = (("C60", "C63"), ("D29", "D29"), ("N40", "N51"))
_FEMALE_SNOMED = ("72892002", "77386006", "398254007", "19169002", "79586000", "363354003", "363443007")
_MALE_SNOMED = ("399068003", "254900004", "126906006", "92691004", "266569009")


@cache
def quality_checks() -> tuple[QualityCheck, ...]:
    """Every check, in a fixed order.

    >>> len({check.id for check in quality_checks()}) == len(quality_checks())
    True
    """
    makers = (_complete, _standard, _valid, _spans, _moments, _visits, _ranges, _sexes, _unique, _integrity, _timely)
    return tuple(check for make in makers for check in make())


def quality_check(id_: str) -> QualityCheck | None:
    """The check of that id, or ``None``."""
    return next((one for one in quality_checks() if one.id == id_), None)


def checks_of(table: str) -> tuple[QualityCheck, ...]:
    """The checks of one table."""
    return tuple(one for one in quality_checks() if one.table == table)


def _check(
    what: str,
    kind: Kind,
    table: str,
    column: str,
    fails: str,
    words: tuple[str, str],
    *,
    applies: str = "true",
    join: Join = "",
    needs: tuple[str, ...] = (),
    of: str = "",
    threshold: float = 0.0,
    severity: Severity = "warning",
) -> QualityCheck:
    id_ = f"{kind}.{what}.{table}.{column}".rstrip(".")
    wanted = tuple(dict.fromkeys((*((column,) if column else ()), *needs)))
    return QualityCheck(
        id_, kind, table, column, fails, words[0], words[1], applies, join, wanted, of, threshold, severity
    )


def _complete() -> Iterator[QualityCheck]:
    for line in _REQUIRED.strip().splitlines():
        table, names, threshold = line.split()
        columns = tuple(names.split("|"))
        fails = " AND ".join(f'f."{name}" IS NULL' for name in columns)
        # A fact that did not happen, or a panel, has no value of its own.
        applies = "f.status IN ('final', 'amended', 'corrected')" if columns[0] == "value_number" else "true"
        needs = (*columns, *(("status",) if applies != "true" else ()))
        words = (f"{table} without {columns[0]}", f"{table} 缺少 {columns[0]}")
        yield _check(
            "value",
            "completeness",
            table,
            columns[0],
            fails,
            words,
            applies=applies,
            needs=needs,
            threshold=float(threshold),
        )


def _standard() -> Iterator[QualityCheck]:
    for line in _STANDARD.strip().splitlines():
        table, column, threshold = line.split()
        said = f'(f."{column}_source" IS NOT NULL OR f."{column}_source_text" IS NOT NULL OR f."{column}" IS NOT NULL)'
        yield _check(
            "standard_code",
            "completeness",
            table,
            column,
            f'f."{column}" IS NULL',
            (f"{table}.{column} has no standard code", f"{table}.{column} 没有对应的标准编码"),
            applies=said,
            needs=(f"{column}_source", f"{column}_source_text"),
            threshold=float(threshold),
        )
        yield _check(
            "source_code",
            "completeness",
            table,
            column,
            f'coalesce(f."{column}_source", f."{column}") IS NULL',
            (f"{table}.{column} has words and no code", f"{table}.{column} 只有文字没有编码"),
            applies=said,
            needs=(f"{column}_source", f"{column}_source_text"),
            threshold=0.05,
            severity="notice",
        )


def _valid() -> Iterator[QualityCheck]:
    for (table, column), levels in FIXED_LEVELS.items():
        listed = ", ".join(f"'{level}'" for level in levels)
        words = (f"{table}.{column} is not of its value set", f"{table}.{column} 不在值域内")
        fails, said = f'f."{column}" NOT IN ({listed})', f'f."{column}" IS NOT NULL'
        yield _check("value_set", "validity", table, column, fails, words, applies=said, severity="error")
    for (table, column), systems in _SYSTEMS.items():
        known = " OR ".join(f"contains(lower(f.\"{column}_system\"), '{system}')" for system in systems)
        words = (f"the code is of a system that {table} does not expect", f"{table} 的编码体系不是预期的体系")
        said = f'f."{column}" IS NOT NULL AND f."{column}_system" IS NOT NULL'
        yield _check(
            "domain", "validity", table, column, f"NOT ({known})", words, applies=said, needs=(f"{column}_system",),
            threshold=0.01,
        )  # fmt: skip
    for name, (table, column, system, form, what) in _FORMS.items():
        said = f'f."{column}" IS NOT NULL AND lower(f."{column}_system") LIKE \'{system}\''
        fails = f"NOT regexp_full_match(f.\"{column}\", '{form}')"
        words = (f"not the form of a {name} code", f"不符合 {name} 编码格式")
        yield _check(
            what, "validity", table, column, fails, words, applies=said, needs=(f"{column}_system",), severity="error"
        )
    yield _check(
        "unit", "validity", "observation", "value_unit", "f.value_unit IS NULL",
        ("the unit was not translated to UCUM", "单位未能转换为 UCUM"),
        applies="f.value_number IS NOT NULL AND f.value_unit_source IS NOT NULL",
        needs=("value_number", "value_unit_source"), threshold=0.05,
    )  # fmt: skip
    yield _check(
        "value_without_unit", "validity", "observation", "value_number",
        "f.value_unit IS NULL AND f.value_unit_source IS NULL",
        ("a number without a unit", "数值没有单位"), applies="f.value_number IS NOT NULL",
        needs=("value_unit", "value_unit_source"), threshold=0.1, severity="notice",
    )  # fmt: skip
    for table in [one.name for one in CANONICAL_TABLES if any(column.name == "tooth" for column in one.columns)]:
        words = ("not an FDI tooth number (ISO 3950)", "不是 FDI 牙位编号（ISO 3950）")
        fails = "NOT regexp_full_match(f.tooth, '([1-4][1-8]|[5-8][1-5])')"
        yield _check("tooth", "validity", table, "tooth", fails, words, applies="f.tooth IS NOT NULL")
    words = ("not a genome build that is known here", "未知的参考基因组版本")
    fails = "f.build NOT IN ('GRCh37', 'GRCh38', 'T2T-CHM13')"
    yield _check("build", "validity", "variant", "build", fails, words, applies="f.build IS NOT NULL")


def _spans() -> Iterator[QualityCheck]:
    for table, start, end in _SPANS:
        # Two moments of the same day may be told the other way round by clocks of two devices.
        slack = f" + {DAY}" if start in ("collected", "effective") else ""
        fails = f'f."{start}" > f."{end}"{slack}'
        said = f'f."{start}" IS NOT NULL AND f."{end}" IS NOT NULL'
        words = (f"{end} is before {start}", f"{end} 早于 {start}")
        yield _check(
            "order", "plausibility", table, end, fails, words, applies=said, needs=(start,), threshold=0.001,
            severity="error",
        )  # fmt: skip
    for table, column in _NEGATIVE:
        words = (f"{column} is negative", f"{column} 为负数")
        fails, said = f'f."{column}" < 0', f'f."{column}" IS NOT NULL'
        yield _check("negative", "plausibility", table, column, fails, words, applies=said, threshold=0.001)


def _moments() -> Iterator[QualityCheck]:
    for table, column in _EVENTS:
        said = f'f."{column}" IS NOT NULL'
        yield _check(
            "future", "plausibility", table, column, f'f."{column}" > f.recorded_at + {DAY}',
            (f"{column} is in the future", f"{column} 在未来"), applies=said, needs=("recorded_at",),
            severity="error",
        )  # fmt: skip
        yield _check(
            "birth", "plausibility", table, column, f'f."{column}" < p.birth_date - {DAY}',
            (f"{column} is before birth", f"{column} 早于出生日期"), applies=f"{said} AND p.birth_date IS NOT NULL",
            join="patient", needs=("patient",), threshold=0.001, severity="error",
        )  # fmt: skip
        if table != "death":
            yield _check(
                "death", "plausibility", table, column,
                f'f."{column}" > d.died_at + INTERVAL {AFTER_DEATH_DAYS} DAY',
                (f"{column} is more than {AFTER_DEATH_DAYS} days after death",
                 f"{column} 晚于死亡 {AFTER_DEATH_DAYS} 天以上"),
                applies=f"{said} AND d.died_at IS NOT NULL", join="death", needs=("patient",), threshold=0.01,
            )  # fmt: skip
    words = ("older than 120 years at the visit", "就诊时年龄超过 120 岁")
    yield _check(
        "age", "plausibility", "encounter", "started", "date_diff('year', p.birth_date, f.started) > 120", words,
        applies="f.started IS NOT NULL AND p.birth_date IS NOT NULL", join="patient", needs=("patient",),
    )  # fmt: skip


def _visits() -> Iterator[QualityCheck]:
    around = f"INTERVAL {AROUND_VISIT_DAYS} DAY"
    for table, column in _IN_VISIT:
        yield _check(
            "visit", "plausibility", table, column,
            f'f."{column}" < e.started - {around} OR f."{column}" > e.ended + {around}',
            (f"{column} is more than a week away from its visit", f"{column} 与所属就诊相差一周以上"),
            applies=f'f."{column}" IS NOT NULL AND e.started IS NOT NULL', join="encounter", needs=("encounter",),
            threshold=0.05,
        )  # fmt: skip


def _ranges() -> Iterator[QualityCheck]:
    for one in BOUNDS:
        yield _bounds(one, f"range_{one.code}_{_plain(one.unit)}", "", ())
    for one in BOUNDS_BY_AGE:
        first, before = one.years
        age = f"date_diff('day', p.birth_date, f.effective) / 365.25 >= {first} AND "
        age += f"date_diff('day', p.birth_date, f.effective) / 365.25 < {before}"
        yield _bounds(one, f"range_{one.code}_{_plain(one.unit)}_{first}_{before}", age, ("patient", "effective"))


def _bounds(one: Bounds, what: str, more: str, needs: tuple[str, ...]) -> QualityCheck:
    applies = f"f.code = '{one.code}' AND f.value_unit = '{one.unit}' AND f.value_number IS NOT NULL"
    span = f" from {one.years[0]} to {one.years[1]} years" if more else ""
    span_zh = f"（{one.years[0]} 至 {one.years[1]} 岁）" if more else ""
    return _check(
        what, "plausibility", "observation", "value_number",
        f"f.value_number NOT BETWEEN {one.low:g} AND {one.high:g}",
        (f"{one.name} outside {one.low:g} to {one.high:g} {one.unit}{span}",
         f"{one.name_zh}超出 {one.low:g} 至 {one.high:g} {one.unit}{span_zh}"),
        applies=f"{applies} AND {more}" if more else applies, join="patient" if more else "",
        needs=("code", "value_unit", *needs), threshold=0.01,
    )  # fmt: skip


def _sexes() -> Iterator[QualityCheck]:
    icd10 = "lower(f.code_system) LIKE '%icd-10%' AND lower(f.code_system) NOT LIKE '%pcs%'"
    for sex, other, ranges, snomed in (
        ("female", "male", _FEMALE, _FEMALE_SNOMED),
        ("male", "female", _MALE, _MALE_SNOMED),
    ):
        spans = " OR ".join(f"substr(f.code, 1, 3) BETWEEN '{first}' AND '{last}'" for first, last in ranges)
        own = f"({icd10} AND ({spans})) OR (contains(f.code_system, 'snomed') AND f.code IN ({_listed(snomed)}))"
        zh = "女性" if sex == "female" else "男性"
        yield _check(
            f"sex_{sex}", "plausibility", "condition", "code", f"p.sex = '{other}'",
            (f"a diagnosis that only {sex} persons have", f"仅{zh}可有的诊断"),
            applies=f"({own}) AND p.sex IN ('male', 'female')", join="patient", needs=("patient", "code_system"),
            severity="error",
        )  # fmt: skip
        # Section and body system of ICD-10-PCS; chapters of ICD-9-CM volume 3.
        pcs, volume3 = ("'0U%'", ("65", "75")) if sex == "female" else ("'0V%'", ("60", "64"))
        done = f"(contains(lower(f.code_system), 'pcs') AND f.code LIKE {pcs}) OR "
        done += "(contains(lower(f.code_system), 'icd-9') AND "
        done += f"substr(f.code, 1, 2) BETWEEN '{volume3[0]}' AND '{volume3[1]}')"
        yield _check(
            f"sex_{sex}", "plausibility", "procedure", "code", f"p.sex = '{other}'",
            (f"a procedure that only {sex} persons have", f"仅{zh}可有的手术操作"),
            applies=f"({done}) AND p.sex IN ('male', 'female')", join="patient", needs=("patient", "code_system"),
            severity="error",
        )  # fmt: skip
        tests = FEMALE_ONLY_TESTS if sex == "female" else MALE_ONLY_TESTS
        yield _check(
            f"sex_{sex}", "plausibility", "observation", "code", f"p.sex = '{other}'",
            (f"a test that only {sex} persons have", f"仅{zh}可做的检验"),
            applies=f"f.code IN ({_listed(tests)}) AND p.sex IN ('male', 'female')", join="patient",
            needs=("patient",), threshold=0.01,
        )  # fmt: skip


def _unique() -> Iterator[QualityCheck]:
    for table, columns in _SAME.items():
        words = (f"the same {table} is there more than once", f"重复的 {table} 记录")
        said = "f.started IS NOT NULL" if table == "encounter" else "coalesce(f.code, f.code_source) IS NOT NULL"
        yield _check(
            "same", "uniqueness", table, "", 'f."#n" > 1', words, applies=said, join="repeats", needs=columns,
            threshold=0.001,
        )  # fmt: skip
    words = ("another record of the same identity number, not linked", "同一身份证号的另一份未关联档案")
    yield _check(
        "national_id", "uniqueness", "patient", "national_id", 'f.patient IS DISTINCT FROM f."#first"', words,
        applies="f.national_id IS NOT NULL AND f.patient IS NOT NULL", join="repeats", severity="error",
    )  # fmt: skip


def _integrity() -> Iterator[QualityCheck]:
    for table in CANONICAL_TABLES:
        if table.of_person and table.name != "patient":
            yield _check(
                "patient", "integrity", table.name, "patient", "p.id IS NULL",
                ("its patient is not in the table of patients", "患者不在患者表中"),
                applies="f.patient IS NOT NULL", join="patient", severity="error",
            )  # fmt: skip
        if any(column.name == "encounter" for column in table.columns):
            yield _check(
                "encounter", "integrity", table.name, "encounter", "e.id IS NULL",
                ("its visit is not in the table of visits", "就诊不在就诊表中"),
                applies="f.encounter IS NOT NULL", join="encounter", threshold=0.001, severity="error",
            )  # fmt: skip
    for name, column, of in _REFERS:
        yield _check(
            "refers", "integrity", name, column, "r.id IS NULL",
            (f"what {column} names is not in {of}", f"{column} 所指的 {of} 不存在"),
            applies=f'f."{column}" IS NOT NULL', join="refers", of=of, threshold=0.01,
        )  # fmt: skip


def _timely() -> Iterator[QualityCheck]:
    for table, column in (("encounter", "started"), ("observation", "effective"), ("condition", "recorded")):
        if canonical_table(table) is None:
            continue
        words = (f"came more than {LATE_DAYS} days after {column}", f"晚于 {column} {LATE_DAYS} 天以上才到达")
        fails = f'f.recorded_at > f."{column}" + INTERVAL {LATE_DAYS} DAY'
        yield _check(
            "late", "timeliness", table, column, fails, words, applies=f'f."{column}" IS NOT NULL',
            needs=("recorded_at",), threshold=0.1, severity="notice",
        )  # fmt: skip


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _plain(unit: str) -> str:
    """A unit as a part of an id: what is no letter or digit becomes ``_``."""
    return "".join(c if c.isalnum() else "_" for c in unit).strip("_").lower()
