"""Chinese texts: one pass finds the words that give something away; each is followed up where it stands."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator

import msgspec

from xinglin.privacy.deidentify.text.model import Span
from xinglin.privacy.deidentify.text.trie import pattern_of
from xinglin.privacy.deidentify.text.words import letters, words

HAN = "[㐀-鿿]"
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
_PLATES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领"
_DOTTED = re.compile(f"{HAN}{{1,8}}·{HAN}{{1,8}}(?:·{HAN}{{1,8}})?")
_EPONYM = re.compile(
    "[㐀-鿿]{0,2}?(?:综合征|综合症|病|征|氏|法|试验|评分|瘤|线|反射|囊肿|现象|定律|分级|分期|量表|呼吸)"
)
_COLON = re.compile("[ \t]{0,3}(?:\\(签[字名]\\)|签[字名])?[:：][ \t_]{0,4}|[ \t]{1,4}")
_ROADS = ("路", "大道", "街", "巷", "弄", "胡同", "村", "小区", "花园", "公寓", "家园", "里", "苑")
_PERSONAL_MARKS = ' \t,，。;；:：、()（）/|[]【】\n"“”'
_PLACES_BEFORE = 22
_TOWARDS = "住于在到至往自"
_PROFESSIONS = ("护士", "医生", "医师", "助手", "麻醉师")
_NOT_A_SEX = "科病厕士儿童生孩人婴"
_AGE_BEFORE = re.compile("(?<![0-9.])(9[0-9]|1[0-2][0-9]) ?周?\\Z")
_AGE_BEHIND = re.compile("[: ]{0,3}(9[0-9]|1[0-2][0-9])(?![0-9])")
_BEFORE_TITLE = "请经由向与和及遵按据找随告知系问嘱后日今同任者报属"


class _Names(msgspec.Struct, frozen=True):
    """``behind``: a name and what may follow it; ``last``: one that ends a text; ``usual``: of usual characters."""

    behind: re.Pattern[str]
    spaced: re.Pattern[str]
    last: re.Pattern[str]
    no_names: frozenset[str]
    rare: frozenset[str]
    surnames: frozenset[str]
    two: frozenset[str]
    likely: re.Pattern[str]
    usual: re.Pattern[str]


@functools.cache
def _names() -> _Names:
    never, surnames = (
        re.escape(letters("chinese", "never_given")),
        letters("chinese", "surnames") + letters("chinese", "more_surnames"),
    )
    usual, common = letters("chinese", "given"), letters("chinese", "surnames")
    two = "|".join(words("chinese", "surnames_of_two"))
    given = f"(?:(?![{never}]){HAN})"
    name = f"(?:(?:{two}){given}{{1,2}}|[{surnames}]{given}{{1,2}})"
    end = (
        '(?=[,，。;；:：、)）(（ \t\n/|\\[\\]"”]|\\Z|男|女|系|因|诉|于|同志|先生|女士|小姐|医|主任|主管|主治|副|教授|'
        "护士|大夫|陪|签|代|共|及|和|与|在|到|为|之|是|说|称|来|今|现|自|的|[0-9])"
    )
    return _Names(
        behind=re.compile(name + end),
        spaced=re.compile(f"[{surnames}] {{1,3}}{given}(?: {{0,3}}{given})?{end}"),
        last=re.compile(f"(?:(?:{two}){given}{{1,2}}|[{surnames}]{given}{{0,2}})\\Z"),
        no_names=frozenset(words("chinese", "no_names")),
        rare=frozenset(letters("chinese", "rare_alone")),
        surnames=frozenset(surnames),
        two=frozenset(words("chinese", "surnames_of_two")),
        likely=re.compile(f"(?:(?:{two})[{usual}]{{1,2}}|[{surnames}][{usual}]{{1,2}})"),
        usual=re.compile(f"(?:{two})[{usual}]{{1,2}}|[{common}][{usual}]{{1,2}}"),
    )


Follow = Callable[[str, int, int], Iterator[Span]]


@functools.cache
def _triggers() -> tuple[re.Pattern[str], dict[str, tuple[Follow, ...]]]:
    """The pattern of all words that give something away, and what to do at each."""
    told: dict[str, list[Follow]] = {}

    def add(name: str, *follows: Follow) -> None:
        for word in words("chinese", name):
            told.setdefault(word, []).extend(follows)

    add("name_labels", _labelled_name)
    for word in words("chinese", "name_labels"):
        if word.endswith(_PROFESSIONS):
            told[word].append(_likely_behind)
    add("name_words", _name_at_once)
    add("so_called", _name_behind)
    add("prefixed", _likely_behind)
    add("relatives", _likely_behind, _labelled_name)
    add("titles", _titled)
    add("record_labels", _number_of("record_number"))
    add("insurance_labels", _number_of("insurance_number"))
    add("account_labels", _account)
    add("address_labels", _labelled_address)
    add("work_labels", _labelled_work)
    add("postcode_labels", _postcode)
    add("provinces", _province)
    for word in _ROADS:
        told.setdefault(word, []).append(_road)
    for word in _PLATES:
        told.setdefault(word, []).append(_plate)
    told.setdefault("月", []).append(_day)
    told.setdefault("老", []).append(_called_old)
    told.setdefault("者", []).append(_labelled_name)
    told.setdefault("岁", []).append(_aged)
    told.setdefault("年龄", []).append(_age_label)
    for word in "男女":
        told.setdefault(word, []).append(_sexed)
    return re.compile(pattern_of(told)), {word: tuple(follows) for word, follows in told.items()}


def chinese_spans(text: str) -> Iterator[Span]:
    """Spans of names, addresses, labelled numbers and dates in a plain text."""
    pattern, told = _triggers()
    for match in pattern.finditer(text):
        start, end = match.span()
        for follow in told[match.group()]:
            yield from follow(text, start, end)
    if "·" in text:
        for match in _DOTTED.finditer(text):
            if not _EPONYM.match(text, match.end()) and not _EPONYM.search(match.group().rpartition("·")[2]):
                yield Span(match.start(), match.end(), "name", "form")
    yield from _standing(text)


def before_date(text: str, start: int) -> Iterator[Span]:
    """A signature: a name in front of a date, behind the end of a sentence or a line."""
    place = start
    while place > 0 and text[place - 1] in " \t" and start - place < 6:
        place -= 1
    if place < start:
        yield from _name_up_to(text, place, "\n。;；/ \t")


def is_name(word: str) -> bool:
    """Whether what has the form of a name is not a word of another meaning."""
    bare = word.replace(" ", "")
    known = _names().no_names
    return bare not in known and bare[:2] not in known


# --- what follows a word -------------------------------------------------------------------


def _labelled_name(text: str, start: int, end: int) -> Iterator[Span]:
    colon = _COLON.match(text, end)
    if colon is None or (
        colon.group().isspace() and text[start:end] in ("医师", "医生", "护士", "报告", "审核", "患者", "病人")
    ):
        return
    place = colon.end()
    for _ in range(4):
        names = _names()
        found = names.behind.match(text, place) or names.spaced.match(text, place) or names.likely.match(text, place)
        if found is None or not is_name(found.group()):
            return
        yield Span(place, found.end(), "name", "label")
        place = found.end()
        if text[place : place + 1] not in ("/", ",", "、", "，") or not text[place : place + 1]:
            return
        place += 1


def _name_at_once(text: str, start: int, end: int) -> Iterator[Span]:
    del start
    found = _names().behind.match(text, end + (text[end : end + 1] == " "))
    if found is not None and is_name(found.group()):
        following = text[found.end() : found.end() + 1]
        if not following or following in ",，(（:： \t\n男女系因诉、。;；":
            yield Span(found.start(), found.end(), "name", "context")


def _name_behind(text: str, start: int, end: int) -> Iterator[Span]:
    del start
    place = end
    while place < len(text) and text[place] in " (（:：" and place - end < 2:
        place += 1
    found = _names().behind.match(text, place)
    if found is not None and is_name(found.group()):
        yield Span(place, found.end(), "name", "context")


def _likely_behind(text: str, start: int, end: int) -> Iterator[Span]:
    """A name right behind a relative or a profession, whatever follows it."""
    place = end
    while place < len(text) and text[place] in " (（:：,，" and place - end < 2:
        place += 1
    found = _names().likely.match(text, place)
    if found is None:
        yield from _name_behind(text, start, end)
        return
    name = found.group()
    if is_name(name):
        yield Span(place, found.end(), "name", "context")


def _called_old(text: str, start: int, end: int) -> Iterator[Span]:
    """``老张`` at the beginning of a clause."""
    before, name = text[start - 1 : start], text[end : end + 1]
    begins = not before or before in _PERSONAL_MARKS
    surname = name in _names().surnames and name not in _names().rare
    if begins and surname and text[end + 1 : end + 2] not in ("", "人", "年"):
        yield Span(end, end + 1, "name", "context")


def _standing(text: str) -> Iterator[Span]:
    """A name of usual characters: of two between marks, of three or four anywhere."""
    names = _names()
    for match in names.usual.finditer(text):
        name = match.group()
        if len(name) == 2:
            start, end = match.span()
            if "㐀" <= text[start - 1 : start] <= "鿿" or "㐀" <= text[end : end + 1] <= "鿿":
                continue
        elif name[1:] in names.no_names:
            continue
        if is_name(name):
            yield Span(match.start(), match.end(), "name", "form")


def _titled(text: str, start: int, end: int) -> Iterator[Span]:
    del end
    found = _names().last.search(text, max(0, start - 4), start)
    if found is None or text[start - 1] == "副":
        return
    for place in _cuts(text, found.start(), start):
        word, before = text[place:start], text[place - 1 : place]
        alone = len(word) == 1
        if not is_name(word):
            continue
        if not before or before in _PERSONAL_MARKS or not ("㐀" <= before <= "鿿"):
            yield Span(place, start, "name", "context")
            return
        if (not alone and _names().likely.fullmatch(word)) or (
            before in _BEFORE_TITLE and not (alone and word in _names().rare)
        ):
            yield Span(place, start, "name", "context")
            return


def _cuts(text: str, first: int, end: int) -> Iterator[int]:
    """Places where a name before a title may begin: each surname between, the farthest first."""
    names = _names()
    for place in range(first, end):
        if text[place] in names.surnames or text[place : place + 2] in names.two:
            yield place


def _name_up_to(text: str, end: int, marks: str) -> Iterator[Span]:
    found = _names().last.search(text, max(0, end - 4), end)
    if found is None:
        return
    for place in _cuts(text, found.start(), end):
        before = text[place - 1 : place]
        if end - place >= 2 and (not before or before in marks) and is_name(text[place:end]):
            yield Span(place, end, "name", "context")
            return


def _sexed(text: str, start: int, end: int) -> Iterator[Span]:
    """``张伟，男，45岁``: what stands before the sex at the beginning of a clause."""
    if text[end : end + 1] in _NOT_A_SEX and text[end : end + 1]:
        return
    place = start
    if text[max(0, place - 3) : place] in ("性别:", "性别："):
        place -= 3
    elif text[max(0, place - 2) : place] == "性别":
        place -= 2
    marked = place
    while place > 0 and text[place - 1] in " \t,，、;/(（" and marked - place < 4:
        place -= 1
    if place < marked or place == start:
        yield from _name_up_to(text, place, _PERSONAL_MARKS)


def _number_of(kind: str) -> Follow:
    def follow(text: str, start: int, end: int) -> Iterator[Span]:
        del start
        found = _LABELLED_NUMBER.match(text, end)
        if found is not None:
            yield Span(found.start(1), found.end(1), kind, "label")

    return follow


def _account(text: str, start: int, end: int) -> Iterator[Span]:
    del start
    found = _ACCOUNT.match(text, end)
    if found is not None:
        yield Span(found.start(1), found.end(1), "account", "label")


def _labelled_address(text: str, start: int, end: int) -> Iterator[Span]:
    del start
    found = _LABELLED_ADDRESS.match(text, end)
    if found is not None:
        yield Span(found.start(1), found.end(1), "address", "label")


def _labelled_work(text: str, start: int, end: int) -> Iterator[Span]:
    del start
    found = _LABELLED_WORK.match(text, end)
    if found is not None:
        yield Span(found.start(1), found.end(1), "organisation", "label")


def _postcode(text: str, start: int, end: int) -> Iterator[Span]:
    del start
    found = _POSTCODE.match(text, end)
    if found is not None:
        yield Span(found.start(1), found.end(1), "address", "label")


def _province(text: str, start: int, end: int) -> Iterator[Span]:
    hospital = _HOSPITAL.match(text, end)
    if hospital is not None:
        yield Span(start, hospital.end(), "organisation", "form")
        return
    found = _FROM_PROVINCE.match(text, end)
    if found is not None:
        yield Span(start, found.end(), "address", "form")


def _road(text: str, start: int, end: int) -> Iterator[Span]:
    """A road with a number behind it, and the places before it, back to a mark or a word such as ``住``."""
    after = _AFTER_ROAD.match(text, end)
    if after is None:
        return
    first = start
    while first > 0 and start - first < _PLACES_BEFORE and "㐀" <= text[first - 1] <= "鿿":
        first -= 1
    first = max([first, *(text.rfind(word, first, start) + 1 for word in _TOWARDS)])
    if start - first >= 1:
        yield Span(first, after.end(), "address", "form")


def _aged(text: str, start: int, end: int) -> Iterator[Span]:
    del end
    found = _AGE_BEFORE.search(text, max(0, start - 5), start)
    if found is not None:
        yield Span(found.start(1), found.end(1), "age", "form")


def _age_label(text: str, start: int, end: int) -> Iterator[Span]:
    del start
    found = _AGE_BEHIND.match(text, end)
    if found is not None:
        yield Span(found.start(1), found.end(1), "age", "label")


def _plate(text: str, start: int, end: int) -> Iterator[Span]:
    found = _PLATE.match(text, end)
    if found is not None:
        yield Span(start, found.end(), "plate", "form")


def _day(text: str, start: int, end: int) -> Iterator[Span]:
    """A date around ``月``; months that are a length of time (3个月) have no number right before it."""
    del end
    before = _DAY.search(text, max(0, start - 12), start)
    after = _DAY_AFTER.match(text, start)
    if before is None or after is None:
        return
    if "年" in before.group() or after.group()[-1] in "日号" or len(after.group()) > 2:
        first = before.start()
        yield Span(first, after.end(), "date", "form")
        yield from before_date(text, first)
