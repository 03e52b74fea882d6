"""Chinese texts: one pass finds the words that give something away; each is followed up where it stands."""

from __future__ import annotations

import functools
import re

from xinglin.privacy.deidentify.text import chinese_names as names
from xinglin.privacy.deidentify.text import chinese_places as places
from xinglin.privacy.deidentify.text.chinese_names import HAN
from xinglin.privacy.deidentify.text.chinese_places import Follow
from xinglin.privacy.deidentify.text.model import Span
from xinglin.privacy.deidentify.text.trie import search_of
from xinglin.privacy.deidentify.text.words import words

_DOTTED = re.compile(f"{HAN}{{1,8}}·{HAN}{{1,8}}(?:·{HAN}{{1,8}})?")
_EPONYM = re.compile(
    "[㐀-鿿]{0,2}?(?:综合征|综合症|病|征|氏|法|试验|评分|瘤|线|反射|囊肿|现象|定律|分级|分期|量表|呼吸)"
)
_ROADS = ("路", "大道", "街", "巷", "弄", "胡同", "村", "小区", "花园", "公寓", "家园", "里", "苑")
_PROFESSIONS = ("护士", "医生", "医师", "助手", "麻醉师")
_AT_LISTS: dict[str, tuple[Follow, ...]] = {
    "name_labels": (names.labelled,),
    "name_words": (names.at_once,),
    "so_called": (names.behind,),
    "prefixed": (names.likely_behind,),
    "relatives": (names.likely_behind, names.labelled),
    "titles": (names.titled,),
    "record_labels": (places.record_number,),
    "insurance_labels": (places.insurance_number,),
    "account_labels": (places.account,),
    "address_labels": (places.address,),
    "work_labels": (places.workplace,),
    "postcode_labels": (places.postcode,),
    "provinces": (places.province,),
}
"""What is done at the words of each packaged list, and at single words."""
_AT_WORDS: dict[str, Follow] = {
    **dict.fromkeys(_ROADS, places.road),
    **dict.fromkeys(places.PLATES, places.plate),
    "月": places.day,
    "老": names.called_old,
    "者": names.labelled,
    "岁": places.age_before,
    "年龄": places.age_behind,
    "男": names.before_sex,
    "女": names.before_sex,
}


@functools.cache
def _triggers() -> tuple[re.Pattern[str], dict[str, tuple[Follow, ...]]]:
    """The pattern of all words that give something away, and what to do at each."""
    told: dict[str, tuple[Follow, ...]] = {}
    for name, follows in _AT_LISTS.items():
        for word in words("chinese", name):
            also = (names.likely_behind,) if name == "name_labels" and word.endswith(_PROFESSIONS) else ()
            told[word] = tuple(dict.fromkeys((*told.get(word, ()), *follows, *also)))
    for word, follow in _AT_WORDS.items():
        told[word] = (*told.get(word, ()), follow)
    return re.compile(search_of(told)), told


def chinese_spans(text: str) -> list[Span]:
    """Spans of names, addresses, labelled numbers and dates in a plain text."""
    pattern, told = _triggers()
    found: list[Span] = []
    for match in pattern.finditer(text):
        start, end = match.span()
        for follow in told[match.group()]:
            found.extend(follow(text, start, end))
    if "·" in text:
        found += [
            Span(match.start(), match.end(), "name", "form")
            for match in _DOTTED.finditer(text)
            if not _EPONYM.match(text, match.end()) and not _EPONYM.search(match.group().rpartition("·")[2])
        ]
    found.extend(names.standing(text))
    return found
