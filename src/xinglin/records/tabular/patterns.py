"""What values look like: identity numbers, codes with check digits, dates, units, words of sex and of yes and no."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date

from xinglin.records.tabular.dates import AMBIGUOUS, to_time
from xinglin.records.tabular.values import to_number

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
_PHONE = re.compile(r"(?:\+?86[- ]?)?1[3-9]\d{9}\Z|0\d{2,3}-?\d{7,8}\Z|\+?1?[- .]?\(?\d{3}\)?[- .]\d{3}[- .]\d{4}\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}\Z")
_ICD10 = re.compile(r"[A-TV-Z]\d[0-9A-Z](?:\.?[0-9A-Zx]{1,4}(?:[x.]?\d{1,4})?)?(?:[+*†])?\Z")
_ICD9 = re.compile(r"(?:\d{3}(?:\.\d{1,2})?|V\d{2}(?:\.\d{1,2})?|E\d{3}(?:\.\d)?)\Z")
_ICD9_PROCEDURE = re.compile(r"\d{2}\.\d{1,2}(?:\d{2}|x\d{3})?\Z")
_LOINC = re.compile(r"\d{1,7}-\d\Z")
_ATC = re.compile(r"[A-DGHJL-NPRSV]\d{2}[A-Z](?:[A-Z](?:\d{2})?)?\Z")
_CHINESE_NAME = re.compile(r"[\u4e00-\u9fff]{2,4}(?:·[\u4e00-\u9fff]{1,8})?\Z")
_VARIANT = re.compile(r"rs\d{3,}\Z|[ACGT]{1,12}[/>|][ACGT]{1,12}\Z|[01.][/|][01.]\Z|(?:NM|NP|NC)_\d+\.\d+:")
_BAND = re.compile(r"[\[(]?\d{1,3}\s*(?:-|~|～|至)\s*\d{1,3}[\])]?(?:岁)?\Z|(?:>=?|≥)\s*\d{1,3}\Z|\d{1,3}\+\Z")
_UNIT = re.compile(
    r"(?:m?mol|[µuμnp]?mol|[mµuμnpk]?g|[mµuμdf]?[Ll]|m?IU|U|mm?Hg|%|10[\^*E]?\d+|/L|cells|kPa|℃|°C|sec|s|fl|pg|"
    r"次/分|片|支|粒|袋|盒|瓶|贴|丸|万单位|单位)(?:[/.].{1,12})?\Z"
)
SEX = frozenset({"male", "female", "m", "f", "男", "女", "男性", "女性", "unknown", "unknown/invalid", "u", "other"})
SEX |= frozenset({"未知", "未说明", "未知的性别", "未说明的性别", "1", "2", "0", "9", "o"})
BOOLEAN_PAIRS = (
    frozenset({"yes", "no"}),
    frozenset({"y", "n"}),
    frozenset({"true", "false"}),
    frozenset({"t", "f"}),
    frozenset({"是", "否"}),
    frozenset({"有", "无"}),
)


_SURNAMES = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史"
    "顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文欧闫肖付樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳邢路岳齐梅莫庄辛管祝左涂谷祁时舒耿牟卜詹关苗凌费纪靳盛童欧"
)
_SURNAMES_OF_TWO = ("欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒", "令狐", "夏侯")
_NAMES = 0.8


def personal_name(value: str) -> bool:
    """Whether it looks like a Chinese person's name: a surname in use and a given name of one or two characters.

    >>> personal_name("欧阳明"), personal_name("王小红"), personal_name("心内科")
    (True, True, False)
    """
    if not _CHINESE_NAME.match(value) or "·" in value:
        return bool(_CHINESE_NAME.match(value))
    return value[:2] in _SURNAMES_OF_TWO or (len(value) <= 3 and value[0] in _SURNAMES)


def names_persons(values: Iterable[str]) -> bool:
    """Whether a column's different values, three at least, are nearly all persons' names."""
    found = [personal_name(value) for value in values]
    return len(found) >= 3 and sum(found) >= _NAMES * len(found)


def identity_number(value: str) -> bool:
    """Whether it is a Chinese identity number (GB 11643): 18 characters, a date, the right check digit.

    >>> identity_number("11010519491231002X"), identity_number("110105194912310021")
    (True, False)
    """
    text = value.upper()
    if len(text) != 18 or not text[:17].isdigit() or not _date8(text[6:14]):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _ID_WEIGHTS, strict=False))
    return _ID_CHECK[total % 11] == text[17]


def _date8(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def loinc(value: str) -> bool:
    """Whether it is a LOINC code with the right check digit (modulus 10).

    >>> loinc("4548-4"), loinc("4548-5")
    (True, False)
    """
    if not _LOINC.match(value):
        return False
    digits, check = value.split("-")
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return (10 - total % 10) % 10 == int(check)


def band(value: str) -> bool:
    """Whether it is a span of ages: ``[10-20)``, ``>=65``, ``80+``."""
    return bool(_BAND.match(value))


def dated(value: str) -> bool:
    """Whether it is a date or a time, also one whose day and month cannot be told apart."""
    if len(value) < 6 or (value.isdigit() and len(value) not in (8, 12, 14)):
        return False
    text, flag = to_time(value)
    return flag == AMBIGUOUS or (text is not None and len(text) >= 10 and "1850" <= text[:4] <= "2100")


def numeric(value: str) -> bool:
    """Whether it is a finite number."""
    return to_number(value)[0] is not None


def free_text(value: str) -> bool:
    """Whether it is a sentence and no word of a list."""
    return len(value) > 40 or value.count(" ") > 6 or ("。" in value) or value.count("，") > 1


def _rule(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: bool(pattern.match(value))


PATTERNS: dict[str, Callable[[str], bool]] = {
    "identity number": identity_number,
    "phone": _rule(_PHONE),
    "e-mail": _rule(_EMAIL),
    "loinc": loinc,
    "atc": _rule(_ATC),
    "icd-10": _rule(_ICD10),
    "icd-9-cm": _rule(_ICD9),
    "icd-9-cm procedure": _rule(_ICD9_PROCEDURE),
    "variant": _rule(_VARIANT),
    "age band": band,
    "date": dated,
    "sex": lambda value: value.casefold() in SEX,
    "unit": _rule(_UNIT),
    "number": numeric,
    "person's name": _rule(_CHINESE_NAME),
    "free text": free_text,
}


def shares(values: Iterable[tuple[str, int]]) -> dict[str, float]:
    """The share of rows (value, count) that each pattern fits."""
    pairs = list(values)
    total = sum(count for _, count in pairs)
    if not total:
        return {}
    found = {name: sum(count for value, count in pairs if rule(value)) / total for name, rule in PATTERNS.items()}
    return {name: share for name, share in found.items() if share > 0}
