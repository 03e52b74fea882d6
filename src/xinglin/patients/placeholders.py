"""What is written where nothing is known: placeholder numbers and names, newborns without a name, test patients."""

from __future__ import annotations

import re

_NOT_KNOWN = frozenset(
    {"无", "无名", "无名氏", "无姓名", "不详", "不祥", "未知", "未名", "未提供", "待查", "待定", "佚名",
    "匿名", "某某", "某", "路人甲", "路人乙", "无证件", "无身份证", "未带", "未录入", "空", "unknown",
    "unk", "none", "null", "nil", "na", "n/a", "nan", "noname", "anonymous",
    "anon", "missing", "johndoe", "janedoe", "doejohn", "doejane", "notknown",
    "x", "xx", "xxx", "unidentified"}
)  # fmt: skip
"""As they are written without spaces, in lower case."""
_NOT_KNOWN_PART = re.compile(
    r"无名氏|无名(男|女)|身份不明|不明身份|姓名不详|unidentified|unknown|^(john|jane)doe\d*$|^doe(john|jane)\d*$"
)
_NEWBORN = re.compile(
    r"新生儿|^(男|女)?婴(儿)?[甲乙丙丁1-9]?$|^.{1,4}之(长|次|大|小|双|三|[甲乙丙丁])?(子|女|男|婴|孙)([一二三甲乙丙丁大小ab1-9])?$"
    r"|^.{2,4}(大宝|二宝|三宝|毛毛|宝宝|之宝)([一二三甲乙1-9])?$|\b(newborn|infant|baby)\b|^(boy|girl) ([a-d1-9]|of)\b"
    r"|\bbab?y(boy|girl)\b"
)
_TEST = re.compile(
    r"测试|演示|培训|体验(用户|患者)|虚拟患者|\btest(s|ing|patient|er)?\d*\b|\b(demo|dummy|zztest|zzz+)\d*\b|^test|^zz"
)
_RUNS = "01234567890123456789 98765432109876543210 ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SHORT = 4
"""Characters below which a number says nothing."""


def is_placeholder_number(plain: str) -> bool:
    """Whether a number (letters and digits alone) stands for "not known".

    >>> [is_placeholder_number(text) for text in ("000000", "111111111", "12345678", "NONE", "13912345678")]
    [True, True, True, True, False]
    """
    if len(plain) < SHORT or len(set(plain)) == 1 or plain in _RUNS or plain.lower() in _NOT_KNOWN:
        return True
    digits = plain.strip("X")
    return len(set(digits)) <= 1 or set(plain[:-1]) == {"0"} or _is_birth_alone(plain)


def _is_birth_alone(plain: str) -> bool:
    """Zeros but for a birth date in the middle: ``000000198001010000``."""
    return len(plain) == 18 and plain[:6] in ("000000", "111111", "999999") and plain[14:17] in ("000", "111", "999")


def is_unknown_name(name: str) -> bool:
    """Whether a name (lower-case) says that nobody knows it.

    >>> is_unknown_name("无名氏"), is_unknown_name("无名氏3"), is_unknown_name("john doe"), is_unknown_name("张三")
    (True, True, True, False)
    """
    tight = name.replace(" ", "")
    return tight in _NOT_KNOWN or bool(_NOT_KNOWN_PART.search(tight))


def is_newborn_name(name: str) -> bool:
    """Whether a name (lower-case) is that of a child not named yet: it is the mother's.

    >>> [is_newborn_name(n) for n in ("王丽之子", "王丽之次女", "新生儿", "baby boy smith", "李之龙", "王丽")]
    [True, True, True, True, False, False]
    """
    return bool(_NEWBORN.search(name))


def is_test_name(name: str) -> bool:
    """Whether a name (lower-case) is of a test.

    >>> is_test_name("测试患者1"), is_test_name("test patient"), is_test_name("testa rossa"), is_test_name("contest")
    (True, True, True, False)
    """
    return bool(_TEST.search(name))
