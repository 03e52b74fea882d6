"""Local words and codes that are known: sex, urgency, where from and where to, to the codes of FHIR."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from xinglin.records.tabular.model import Code, CodeMap

PRIORITY = "http://terminology.hl7.org/CodeSystem/v3-ActPriority"
CLASS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
ADMIT = "http://terminology.hl7.org/CodeSystem/admit-source"

_SEX = {
    "male": ("male", "m", "男", "男性", "1"),
    "female": ("female", "f", "女", "女性", "2"),
    "unknown": ("unknown", "u", "unknown/invalid", "未知", "未知的性别", "未说明", "未说明的性别", "0", "9"),
    "other": ("other", "o", "其他"),
}
_NOTHING = re.compile(r"null\Z|not mapped|not available|unknown|invalid|不详|未知|-+\Z", re.I)
# The first rule that is found in the word holds; ``wider``: the code says less than the word did.
_RULES: dict[str, tuple[tuple[str, str | Code], ...]] = {
    "priority": (
        (r"emergency|急诊", "EM"),
        (r"trauma", Code("EM", loss="wider")),
        (r"urgent", "UR"),
        (r"elective|择期|择日", "EL"),
        (r"routine|常规", "R"),
    ),
    "class": (
        (r"急诊|emerg", "EMER"),
        (r"门诊|outpat|ambul|clinic", "AMB"),
        (r"住院|inpat|acute|admit", "IMP"),
        (r"home|家庭", "HH"),
        (r"tele|virtual|互联网|远程", "VR"),
    ),
    "disposition": (
        (r"expired|died|deceased|死亡", "exp"),
        (r"\bama\b|against medical|非医嘱", "aadvice"),
        (r"hospice", "hosp"),
        (r"\brehab", "rehab"),
        (r"psychiatric", "psy"),
        (r"long[- ]term", "long"),
        (r"\bsnf\b|nursing|swing bed", Code("snf", loss="wider")),
        (r"home health|under care of home", Code("home", loss="wider")),
        (r"转社区|转院|转其他", "other-hcf"),
        (r"home|医嘱离院", "home"),
        (r"hospital|institution|facility|icf", Code("other-hcf", loss="wider")),
        (r"其他|other|still patient|neonat", Code("oth", loss="wider")),
    ),
    "admit": (
        (r"emergency|急诊", "emd"),
        (r"born|birth|baby|delivery|新生儿", Code("born", loss="wider")),
        (r"nursing|\bsnf\b", "nursing"),
        (r"rehab", "rehab"),
        (r"psych", "psych"),
        (r"physician referral", "mp"),
        (r"clinic|outpatient|门诊", "outp"),
        (r"transfer from (a )?hosp|hospital inpt|其他医疗机构", "hosp-trans"),
        (r"critic?i?al access hospital", Code("hosp-trans", loss="wider")),
        (r".", Code("other", loss="wider")),
    ),
}
_SYSTEMS = {"priority": PRIORITY, "class": CLASS, "disposition": DISPOSITION, "admit": ADMIT}

NATIONAL: dict[str, dict[str, str]] = {
    "disposition": {
        "1": "医嘱离院",
        "2": "医嘱转院",
        "3": "医嘱转社区卫生服务机构/乡镇卫生院",
        "4": "非医嘱离院",
        "5": "死亡",
        "9": "其他",
    },
    "admit": {"1": "急诊", "2": "门诊", "3": "其他医疗机构转入", "9": "其他"},
}
"""Code lists of the front page of the in-patient record (RC019, RC026), where a source gives only the digits."""


def sex_codes(values: Iterable[str]) -> CodeMap:
    """The map of the words of sex that occur.

    >>> sex_codes(["男", "F"]).map
    {'男': 'male', 'F': 'female'}
    """
    known = {word: code for code, words in _SEX.items() for word in words}
    return CodeMap(map={value: known[value.casefold()] for value in values if value.casefold() in known})


def code_map(kind: str, values: Iterable[str], words: Mapping[str, str]) -> CodeMap:
    """The map of a coded column by its words (or the words of its codes).

    ``kind``: priority, class, disposition or admit. A word that says nothing becomes no code.
    """
    given: dict[str, str | Code] = {}
    for value in values:
        text = words.get(value, value).strip()
        if _NOTHING.match(text):
            given[value] = ""
            continue
        found = next((code for rule, code in _RULES[kind] if re.search(rule, text, re.I)), None)
        if found is not None:
            given[value] = found
    labels = {value: " ".join(text.split()) for value, text in words.items() if value in given and text.strip()}
    return CodeMap(map=given, system=_SYSTEMS[kind], other="keep", words=labels)
