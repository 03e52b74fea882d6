"""Places, numbers behind labels, ages and dates in Chinese texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from xinglin.privacy.deidentify.text.chinese_names import HAN, NO_SPANS, before_date
from xinglin.privacy.deidentify.text.model import Span

_SMALL = (
    "自治州|自治县|地区|新区|街道|社区|大道|胡同|小区|花园|公寓|大厦|广场|家园|号楼|单元|"
    "[市县区旗盟州镇乡村屯庄寨路街巷弄苑里栋幢座组队层楼室户号]"
)
_PIECE = "[㐀-鿿A-Za-z0-9·-]"
_FROM_PROVINCE = re.compile(
    "(?:省|市|壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区)?"
    f"{_PIECE}{{1,12}}?(?:{_SMALL})(?:{_PIECE}{{0,12}}?(?:{_SMALL})){{0,8}}(?:[0-9]{{2,4}})?"
)
_AFTER_ROAD = re.compile(
    " ?[0-9一二三四五六七八九十百]{1,5} ?(?:支弄|弄|号楼|号院|号|栋|幢|座|组|队|社|楼|单元|-)"
    f"(?:{_PIECE}{{0,6}}?(?:{_SMALL})){{0,5}}(?:[0-9]{{2,4}})?"
)
_LABELLED_ADDRESS = re.compile(
    "[:： 为在是]{0,3}([㐀-鿿][㐀-鿿A-Za-z0-9·#()（） -]{2,60}?)(?=[,，。;；\\n]|  |电话|邮编|联系|手机|\\Z)"
)
_LABELLED_WORK = re.compile("[:： ]{0,2}([㐀-鿿A-Za-z0-9()（）]{4,30}?)(?=[,，。;；\\n ]|\\Z|工作|上班)")
_POSTCODE = re.compile("[:： ]{0,3}([0-9]{6})(?![0-9])")
_HOSPITAL = re.compile(
    f"(?:省|市|自治区)?{HAN}{{0,12}}?(?:医院|卫生院|保健院|卫生服务中心|门诊部|卫生室)(?:{HAN}{{0,4}}(?:院区|分院))?"
)
_LABELLED_NUMBER = re.compile("(?:号码|编号|号)?[:#为是 ]{0,4}([A-Za-z]{0,6}[-_]?[0-9][A-Za-z0-9_-]{2,24})")
_ACCOUNT = re.compile("[:号为是 ]{0,4}([A-Za-z0-9_-]{5,20})")
_DAY = re.compile(
    "(?:(?:(?:18|19|20)?[0-9]{2}|[一二〇零○两三四五六七八九]{4}) ?年 ?)?(?:[0-9]{1,2}|[一二三四五六七八九十]{1,3}) ?\\Z"
)
_DAY_AFTER = re.compile(
    "月(?: ?(?:[0-9]{1,2}|[一二三四五六七八九十]{1,3}) ?[日号])?"
    "(?:(?:[上下]午|凌晨|晚)?[0-9]{1,2}(?:时|点|:[0-9]{2})(?:[0-9]{1,2}分)?)?"
)
_PLATE = re.compile("[A-HJ-NP-Z][· ]?[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])")
PLATES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领"
_PLACES_BEFORE = 22
_TOWARDS = frozenset("住于在到至往自")
_AGE_BEFORE = re.compile("(?<![0-9.])(9[0-9]|1[0-2][0-9]) ?周?\\Z")
_AGE_BEHIND = re.compile("[: ]{0,3}(9[0-9]|1[0-2][0-9])(?![0-9])")
Follow = Callable[[str, int, int], Sequence[Span]]
"""What is done at a word: from a text and the place of the word to spans."""


def behind(pattern: re.Pattern[str], kind: str, why: str = "label") -> Follow:
    """The first group of a pattern that begins where the word ends."""

    def follow(text: str, start: int, end: int) -> Sequence[Span]:
        del start
        found = pattern.match(text, end)
        return (Span(found.start(1), found.end(1), kind, why),) if found is not None else NO_SPANS

    return follow


address, workplace = behind(_LABELLED_ADDRESS, "address"), behind(_LABELLED_WORK, "organisation")
postcode, account = behind(_POSTCODE, "address"), behind(_ACCOUNT, "account")
record_number, insurance_number = (
    behind(_LABELLED_NUMBER, "record_number"),
    behind(_LABELLED_NUMBER, "insurance_number"),
)
age_behind = behind(_AGE_BEHIND, "age")


def province(text: str, start: int, end: int) -> Sequence[Span]:
    """A hospital or an address behind the name of a province."""
    found, kind = _HOSPITAL.match(text, end), "organisation"
    if found is None:
        found, kind = _FROM_PROVINCE.match(text, end), "address"
    return (Span(start, found.end(), kind, "form"),) if found is not None else NO_SPANS


def road(text: str, start: int, end: int) -> Sequence[Span]:
    """A road with a number behind it, and the places before it, back to a mark or a word such as ``住``."""
    after = _AFTER_ROAD.match(text, end)
    if after is None:
        return NO_SPANS
    first = start
    while (
        first > max(0, start - _PLACES_BEFORE) and "㐀" <= text[first - 1] <= "鿿" and text[first - 1] not in _TOWARDS
    ):
        first -= 1
    return (Span(first, after.end(), "address", "form"),) if first < start else NO_SPANS


def age_before(text: str, start: int, end: int) -> Sequence[Span]:
    """An age above 89 before ``岁``."""
    del end
    found = _AGE_BEFORE.search(text, max(0, start - 5), start)
    return (Span(found.start(1), found.end(1), "age", "form"),) if found is not None else NO_SPANS


def plate(text: str, start: int, end: int) -> Sequence[Span]:
    """A number plate behind the letter of a province."""
    found = _PLATE.match(text, end)
    return (Span(start, found.end(), "plate", "form"),) if found is not None else NO_SPANS


def day(text: str, start: int, end: int) -> Sequence[Span]:
    """A date around ``月``; months that are a length of time (3个月) have no number right before it."""
    del end
    before = _DAY.search(text, max(0, start - 12), start)
    after = _DAY_AFTER.match(text, start) if before is not None else None
    if before is None or after is None:
        return NO_SPANS
    if "年" in before.group() or after.group()[-1] in "日号" or len(after.group()) > 2:
        return (Span(before.start(), after.end(), "date", "form"), *before_date(text, before.start()))
    return NO_SPANS
