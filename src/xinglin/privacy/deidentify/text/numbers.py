"""Runs of digits: what each one is, by checksum, form, and the words before it."""

from __future__ import annotations

import re

from xinglin.privacy.deidentify.identifiers import (
    is_american_phone,
    is_card,
    is_day,
    is_identity_number,
    is_old_identity_number,
    is_phone,
    looks_like_identity,
)
from xinglin.privacy.deidentify.text.model import Span

_RUN = re.compile(
    "[0-9+(](?=[-0-9OoIlBXx* .()/:]{4})[0-9]?"
    "(?:[0-9]|[OoIlBXx*](?=[0-9OoIlXx*]{2})|[Xx](?![A-Za-z])|[- .()/:]{1,2}(?=[0-9])){4,40}"
)
"""Digits with what people put between them; O, I and l as they are misread among digits."""

_MISREAD = str.maketrans("OoIlB", "00118")
_BETWEEN = re.compile(r"[^0-9Xx*]")
_CLOCK = "(?:[ T]*[0-9]{1,2}(?::[0-9]{2}){1,2}(?:\\.[0-9]+)?)?"
_ISO = re.compile("(?:18|19|20)[0-9]{2}([-./])(?:0?[1-9]|1[0-2])\\1(?:0?[1-9]|[12][0-9]|3[01])(?=[ T]|\\Z)" + _CLOCK)
_AMERICAN_DAY = re.compile(r"(?:0?[1-9]|1[0-2])([-/])(?:0?[1-9]|[12]\d|3[01])\1(?:(?:18|19|20)\d\d|\d\d)(?=[ ]|\Z)")
_EUROPEAN_DAY = re.compile(r"(?:0?[1-9]|[12]\d|3[01])([-./])(?:0?[1-9]|1[0-2])\1(?:18|19|20)\d\d(?=[ ]|\Z)")
_SOCIAL = re.compile(r"\d{3}-\d{2}-\d{4}\Z")
_SOCIAL_LENGTH = 11
_PUNCTUATED_PHONE = re.compile(r"\(?\+?1?[- .]?\(?[2-9]\d{2}\)?[-. ]{1,2}[2-9]\d{2}[-. ]\d{4}\Z")
_ADDRESS_OF_NET = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\Z")
_TIME = re.compile(r"\d\d?:\d\d(?::\d\d)?\Z")

# Held against lower case: a pattern that is told to fold case itself looks at every place.
_PHONE_WORDS = re.compile(
    "(?:电话|手机|联系方式|联系号码|来电|致电|拨打|座机|热线|传真|tel|phone|cell|mobile|fax|call(?:ed)?(?: at)?)"
    "[^0-9]{0,6}\\Z"
)
_ID_WORDS = re.compile("(?:身份证|证件|公民身份|身份号|id card|identity)[^0-9]{0,10}\\Z")
_INSURANCE_WORDS = re.compile(
    "(?:医保|社保|社会保障|新农合|参保|insurance|policy|medicare|medicaid|member)[^0-9]{0,10}\\Z"
)
_RECORD_WORDS = re.compile(
    "(?:住院|门诊|病历|病案|登记|就诊|检查|影像|条码|条形码|标本|样本|病理|超声|放射|流水|申请单?|报告|床位?|卡|档案|急诊|体检|手术|医嘱|处方)"
    "(?:号码?|编号|id|no\\.?)?[^0-9。;,]{0,4}\\Z"
    "|(?:编号|序号|单号|号码|mrn|fin|csn|accession|record|chart|account|acct|encounter|visit|specimen|case)"
    "(?: ?(?:number|no|num|id|#))?[^0-9。;,]{0,4}\\Z|(?:no\\.?|id|#)[: ]{0,3}\\Z"
)
_CARD_WORDS = re.compile(r"(?:银行|卡号|账号|账户|信用卡|借记卡|card)[^0-9]{0,8}\Z")
_LOOK_BACK = 18
_PAPER = re.compile(
    r"(?<![0-9A-Za-z])(?:[EGDSP][A-Z]?[0-9]{7,8}|[HM][0-9]{8}(?:[0-9]{2})?|[A-Z]{3}[0-9]{12})(?![^\W_])"
)
_LETTERS_OF_PAPERS, _GLUED_LEAST = 3, 11
_MEASURE = re.compile(r"\s?(?:×|x10|\*10|mm|ml|mg|ug|μg|kg|cm|IU|U/|%|℃|元|次/|/L|/HP|个|cells)", re.I)


def runs(text: str) -> list[Span]:
    """Spans of the digits in a plain text (``normal.plain``); those that are values of medicine are left alone."""
    found: list[Span] = []
    for match in _RUN.finditer(text):
        start, run = match.start(), match.group().rstrip("-./:() ")
        before = text[start - 1 : start]
        if before != "." and not (before.isalnum() and before.isascii()):
            _split(text, start, run, found)
        elif before != ".":
            _glued(text, start, run, found)
    return found


def _glued(text: str, start: int, run: str, found: list[Span]) -> None:
    """Behind letters only papers, and what gives itself away, are told from a code."""
    first = start
    while first > max(0, start - _LETTERS_OF_PAPERS) and "A" <= text[first - 1] <= "Z":
        first -= 1
    paper = _PAPER.match(text, first) if first < start else None
    if paper is not None:
        found.append(Span(first, paper.end(), "passport", "form"))
    bare = _BETWEEN.sub("", run.translate(_MISREAD))
    evident = _self_evident(run, bare) if len(bare) >= _GLUED_LEAST else None
    if evident is not None:
        found.append(Span(start, start + len(run), *evident))


def _split(text: str, start: int, run: str, found: list[Span]) -> None:
    """A run may begin with a date that numbers follow."""
    head = _day_at_head(run)
    if head is not None:
        found.append(Span(start, start + head.end(), "date", "form"))
        _rest(text, start + head.end(), run[head.end() :], found)
        return
    kind, why = _kind(text, start, run)
    if kind:
        found.append(Span(start, start + len(run), kind, why))
    elif " " in run:
        # Two numbers that only stand beside each other.
        first, _, rest = run.partition(" ")
        _rest(text, start, first, found)
        _rest(text, start + len(first) + 1, rest, found)


def _rest(text: str, start: int, run: str, found: list[Span]) -> None:
    bare = run.lstrip(" -./:()")
    if len(bare) >= 5:
        _split(text, start + len(run) - len(bare), bare, found)


def _day_at_head(run: str) -> re.Match[str] | None:
    """A date with marks between its parts at the beginning of a run."""
    if run[:2] in ("18", "19", "20") and run[4:5] in ("-", ".", "/"):
        return _ISO.match(run)
    if run[1:2] in ("-", "/", ".") or run[2:3] in ("-", "/", "."):
        return _AMERICAN_DAY.match(run) or _EUROPEAN_DAY.match(run)
    return None


def _kind(text: str, start: int, run: str) -> tuple[str, str]:
    if run.count(".") == 3 and _ADDRESS_OF_NET.match(run):
        return ("url", "form") if all(int(part) < 256 for part in run.partition(":")[0].split(".")) else ("", "")
    if ":" in run and _TIME.match(run):
        return "", ""
    bare = run if run.isdigit() else _BETWEEN.sub("", run.translate(_MISREAD))
    if len(bare) < 5:
        return "", ""
    return (
        _self_evident(run, bare)
        or _by_words(text[max(0, start - _LOOK_BACK) : start].lower(), run, bare)
        or _long(text, start, run, bare)
        or ("", "")
    )


def _self_evident(run: str, bare: str) -> tuple[str, str] | None:
    if len(bare) >= 15:
        upper = bare.upper()
        if is_identity_number(upper):
            return "identity_number", "checksum"
        if is_card(bare):
            return "bank_card", "checksum"
        if looks_like_identity(upper) or is_old_identity_number(bare):
            return "identity_number", "form"
    if "*" in bare:
        return ("identity_number" if len(bare) >= 15 else "number", "form") if len(bare) >= 11 else None
    if len(bare) < 9:
        return None
    if "." not in run and is_phone(bare):
        return "phone", "form"
    if len(run) == _SOCIAL_LENGTH and _SOCIAL.match(run.translate(_MISREAD)):
        return "identity_number", "form"
    if not run.isdigit() and _PUNCTUATED_PHONE.match(run) and is_american_phone(bare):
        return "phone", "form"
    return None


def _by_words(before: str, run: str, bare: str) -> tuple[str, str] | None:
    if len(bare) >= 7 and _PHONE_WORDS.search(before):
        return "phone", "label"
    if len(bare) >= 12 and _ID_WORDS.search(before):
        return "identity_number", "label"
    if _INSURANCE_WORDS.search(before):
        return "insurance_number", "label"
    if len(bare) >= 10 and _CARD_WORDS.search(before):
        return "bank_card", "label"
    if "." not in run and _RECORD_WORDS.search(before):
        return "record_number", "label"
    return None


def _long(text: str, start: int, run: str, bare: str) -> tuple[str, str] | None:
    """What is left: a date without marks, or too long to be a value."""
    if len(run) == 8 and is_day(run) and "1900" <= run[:4] <= "2100":
        return "date", "form"
    if len(run) in (12, 14) and run.isdigit() and is_day(run[:8]) and run[8:10] < "24":
        return "date", "form"
    if "." in run or "/" in run or ":" in run:
        return None
    if len(bare) >= 9 and not _MEASURE.match(text, start + len(run)) and " " not in run:
        return "number", "form"
    return None
