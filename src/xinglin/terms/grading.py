"""Grades beside the scales of others, the care lane, and the grade of what is released; as data, with Chinese words.

GB/T 39725-2020 (6.3) has five levels, and so has the national catalogue (NDI-TR-2025-06, codes 001 to 005). Neither
knows L1 to L3: the mapping is this space's own, shown to users beside each grade. A column that is a genome, or that
a rule marks as most sensitive, is level 5 whatever its grade says.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.terms.grades import GRADES, OPERATIONS, REQUIRED


class GradeWords(msgspec.Struct, frozen=True):
    """A grade, or the care lane, on other scales. ``level``: of GB/T 39725 and of the catalogue, 1 to 5."""

    name: str
    words: str
    words_zh: str
    level: int
    level_words: str
    level_words_zh: str

    @property
    def catalogue_code(self) -> str:
        """The national catalogue's security level, as its code table writes it."""
        return f"{self.level:03d}"


LEVELS = {
    1: ("may be used by anyone", "可完全公开使用的数据"),
    2: ("identifies no person; used widely on application", "可在较大范围内供访问使用的数据"),
    3: ("de-identified in part; for the people of one project", "可在中等范围内供访问使用的数据"),
    4: ("identifies a person; for those who treat the patient", "可在较小范围内供访问使用的数据"),
    5: ("the most sensitive; in the narrowest circle", "仅在极小范围内且在严格限制条件下供访问使用的数据"),
}
"""The five levels of GB/T 39725-2020, 6.3, in English and Chinese."""

CARE = "care"
_LIST = (
    GradeWords("L1", "anonymous aggregates that a gate released", "已放行的匿名汇总数据", 1, *LEVELS[1]),
    GradeWords("L2", "de-identified records", "去标识化记录", 3, *LEVELS[3]),
    GradeWords("L3", "genomes and other precisely identifying data", "基因组等可精确识别个人的数据", 4, *LEVELS[4]),
    GradeWords(CARE, "the minimum view for the treating clinician", "面向诊疗医师的最小视图", 4, *LEVELS[4]),
)
GRADE_WORDS = {one.name: one for one in _LIST}
"""Each grade and the care lane, with its level on the other scales."""

MOST_SENSITIVE = {
    "genome": "基因组",
    "hiv": "艾滋病",
    "sexually-transmitted": "性传播疾病",
    "mental-health": "精神健康",
}
"""Kinds of content that are level 5 whatever their grade."""

CARE_FIELDS = ("name_initial", "sex", "birth_date")
"""What of a person's identity the care lane shows, to check the match; never number, address or phone."""

CARE_REQUIREMENTS = {
    "treating_clinician": ("the asker treats the patient, by an attested role", "申请人是经证明的诊治医师"),
    "patient_match": ("name initial, sex and birth date are checked", "核对姓名首字、性别与出生日期"),
    "local_entry": ("a durable signed entry is written before the answer", "答复前写入持久的签名记录"),
    "confirmed_links": ("links that no person confirmed are not shown", "未经人工确认的关联不予展示"),
    "care_restrictions": (
        "the patient's care restrictions hold, unless glass is broken",
        "遵守患者的诊疗限制,紧急破例除外",
    ),
}
"""What a look-up in care requires; research objections do not apply to it."""

RELEASE_GRADES = {"disclosure/1": "L2", "l1/1": "L1"}
"""The grade of a release by the strictest rule pack that it passed: what passes the L1 pack is open to anyone."""

REQUIREMENT_WORDS_ZH = {
    "evidence": "每一步生效前先记录存证",
    "authorised_institution": "申请机构已准入且凭证有效",
    "agreement": "双方签署且有效的协议",
    "secure_sum": "只打开多家医院的汇总值",
    "release_allowance": "协议与数据集仍有放行额度",
    "differencing_guard": "与既往放行结果比对防差分",
    "disclosure_pack": "对汇总值执行披露控制规则",
    "output_review": "每次提取由人工审核",
    "enrolled_workspace": "提取结果留在登记的工作区",
    "proven_noise": "只有加入可证明噪声的测量结果可以离开,并从隐私预算支付",
    "watermark": "每份副本带有接收方水印",
    "named_study": "用途属于指定的那一项研究",
    "ethics_approval": "伦理批件覆盖研究、数据、用途与申请人",
    "security_assessment": "第三方安全测评",
    "protected_computation": "密态计算或可证明的机密环境",
}
"""Each requirement of a grade in Chinese; the English words are ``REQUIREMENTS``."""


def level_of(grade: str, content: Iterable[str] = ()) -> int:
    """The level of GB/T 39725 and of the catalogue; 5 for what is most sensitive, and for an unknown grade.

    >>> level_of("L2"), level_of("L3", ["genome"]), level_of("L7")
    (3, 5, 5)
    """
    known = GRADE_WORDS.get(grade)
    return 5 if known is None or any(one in MOST_SENSITIVE for one in content) else known.level


def release_grade(packs: Iterable[str], touched: str) -> str:
    """The grade of a release: the lowest that a pack it passed gives, and that of the data where none does.

    >>> release_grade(["disclosure/1"], "L2"), release_grade(["disclosure/1", "l1/1"], "L3"), release_grade([], "L3")
    ('L2', 'L1', 'L3')
    """
    given = [RELEASE_GRADES[pack] for pack in packs if pack in RELEASE_GRADES]
    return min([*given, touched] if touched in GRADES else given or ["L3"], key=GRADES.index)


def check_open_release(packs: Iterable[str]) -> Verdict:
    """Whether a release may be handed to somebody who is no party of its study: of grade L1 alone.

    Asked by whoever holds it, before a byte of it leaves: what is of another grade is sealed for its parties.

    >>> isinstance(check_open_release(["disclosure/1", "l1/1"]), Allowed)
    True
    """
    if release_grade(packs, "L3") == "L1":
        return Allowed()
    words = "The release is of grade L2: its plan names no L1 pack, so it stays with the parties of its study."
    return deny("terms.not_l1", words, "Ask anew under the pack l1/1: data.for_everyone().")


def grade_table() -> list[dict[str, str]]:
    """The table that users are shown: grades, their words, their level elsewhere."""
    return [
        {
            "grade": one.name,
            "words": one.words,
            "words_zh": one.words_zh,
            "gbt_39725_level": str(one.level),
            "catalogue_level": one.catalogue_code,
            "level_words": one.level_words,
            "level_words_zh": one.level_words_zh,
            "operations": ", ".join(op for op in OPERATIONS if (one.name, op) in REQUIRED) or "lookup",
        }
        for one in _LIST
    ]
