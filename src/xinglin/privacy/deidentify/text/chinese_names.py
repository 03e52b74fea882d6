"""Names in Chinese texts: behind a label, a relative or a profession, before a title or a sex, or of usual characters.

What has the form of a name is a surname of the packaged table and one or two characters that given names are made of.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from xinglin.privacy.deidentify.text.model import Span
from xinglin.privacy.deidentify.text.trie import pattern_of
from xinglin.privacy.deidentify.text.words import letters, words

HAN = "[㐀-鿿]"
_COLON = re.compile("[ \t]{0,3}(?:\\(签[字名]\\)|签[字名])?[:：][ \t_]{0,4}|[ \t]{1,4}")
_COLON_BEGINS = frozenset(" \t(签:：")
_MARKS = frozenset(' \t,，。;；:：、()（）/|[]【】\n"“”')
_SENTENCE_MARKS = frozenset("\n。;；/ \t")
_GAP, _GAP_OR_COMMA = re.compile("[ (（:：]{0,2}"), re.compile("[ (（:：,，]{0,2}")
_SPACE_BEFORE_DATE, _MARKS_BEFORE_SEX = 6, 4
_NOT_A_SEX = frozenset("科病厕士儿童生孩人婴")
_BEFORE_NAME = "由请向与和遵嘱随找同让叫被经"
"""Behind these, and before a mark or what a person does, two usual characters are a name."""
_BEFORE_TITLE = frozenset("请经由向与和及遵按据找随告知系问嘱后日今同任者报属")
_ALONE_AFTER_COLON = frozenset(("医师", "医生", "护士", "报告", "审核", "患者", "病人"))
"""Words that stand before anything: without a colon they say nothing about a name."""
_LISTED = 4
"""Names behind one label."""
NO_SPANS: Sequence[Span] = ()


class _Names(msgspec.Struct, frozen=True):
    """``behind``: a name and what may follow it; ``last``: one that ends a text; ``likely``: of usual given names.

    ``standing``: of usual characters anywhere, ``standing_two``: with a surname of two characters.
    """

    behind: re.Pattern[str]
    spaced: re.Pattern[str]
    last: re.Pattern[str]
    likely: re.Pattern[str]
    standing: re.Pattern[str]
    standing_two: re.Pattern[str]
    no_names: frozenset[str]
    rare: frozenset[str]
    surnames: frozenset[str]
    two: frozenset[str]


@functools.cache
def _names() -> _Names:
    common, usual = letters("chinese", "surnames"), letters("chinese", "given")
    surnames = common + letters("chinese", "more_surnames")
    pairs = words("chinese", "surnames_of_two")
    two, given = "|".join(pairs), _han_without(letters("chinese", "never_given"))
    end = (
        '(?=[,，。;；:：、)）(（ \t\n/|\\[\\]"”男女系因诉于医副陪签代共及和与在到为之是说称来今现自的0-9]'
        "|\\Z|同志|先生|女士|小姐|主任|主管|主治|教授|护士|大夫)"
    )
    deed = f"(?={pattern_of(words('chinese', 'deeds'))})"
    return _Names(
        behind=re.compile(f"(?:(?:{two}){given}{{1,2}}|[{surnames}]{given}{{1,2}}){end}"),
        spaced=re.compile(f"[{surnames}] {{1,3}}{given}(?: {{0,3}}{given})?{end}"),
        last=re.compile(f"(?:(?:{two}){given}{{1,2}}|[{surnames}]{given}{{0,2}})\\Z"),
        likely=re.compile(f"(?:(?:{two})[{usual}]{{1,2}}|[{surnames}][{usual}]{{1,2}})"),
        standing=re.compile(
            f"[{common}{letters('chinese', 'surnames_only')}][{usual}]"
            f"(?:[{usual}]|(?<!{HAN}..)(?:(?!{HAN})|{end}|{deed})|(?<=[{_BEFORE_NAME}]..)(?:{end}|{deed}))"
        ),
        standing_two=re.compile(f"(?:{two})[{usual}]{{1,2}}"),
        no_names=frozenset(words("chinese", "no_names")),
        rare=frozenset(letters("chinese", "rare_alone")),
        surnames=frozenset(surnames),
        two=frozenset(pairs),
    )


def _han_without(never: str) -> str:
    """The class of all characters but some: one look instead of two."""
    places = [0x33FF, *sorted(map(ord, set(never))), 0xA000]
    runs = [(one + 1, other - 1) for one, other in pairwise(places) if other - one > 1]
    return f"[{''.join(f'{chr(one)}-{chr(other)}' for one, other in runs)}]"


def is_name(word: str) -> bool:
    """Whether what has the form of a name is not a word of another meaning."""
    bare = word.replace(" ", "")
    known = _names().no_names
    return bare not in known and bare[:2] not in known


# --- behind a word --------------------------------------------------------------------------


def labelled(text: str, start: int, end: int) -> Sequence[Span]:
    """Names behind a label and a colon, several where marks stand between them."""
    colon = _COLON.match(text, end) if text[end : end + 1] in _COLON_BEGINS else None
    if colon is None or (colon.group().isspace() and text[start:end] in _ALONE_AFTER_COLON):
        return NO_SPANS
    names, found, place = _names(), [], colon.end()
    for _ in range(_LISTED):
        name = names.behind.match(text, place) or names.spaced.match(text, place) or names.likely.match(text, place)
        if name is None or not is_name(name.group()):
            break
        found.append(Span(place, name.end(), "name", "label"))
        place = name.end()
        if text[place : place + 1] not in ("/", ",", "、", "，"):
            break
        place += 1
    return found


def at_once(text: str, start: int, end: int) -> Sequence[Span]:
    """A name right behind a word such as ``患者``, and a mark or the sex behind it."""
    del start
    found = _names().behind.match(text, end + (text[end : end + 1] == " "))
    if found is not None and is_name(found.group()):
        following = text[found.end() : found.end() + 1]
        if not following or following in ",，(（:： \t\n男女系因诉、。;；":
            return (Span(found.start(), found.end(), "name", "context"),)
    return NO_SPANS


def behind(text: str, start: int, end: int) -> Sequence[Span]:
    """A name behind a word such as ``名叫``."""
    del start
    gap = _GAP.match(text, end)
    found = _names().behind.match(text, gap.end() if gap else end)
    if found is not None and is_name(found.group()):
        return (Span(found.start(), found.end(), "name", "context"),)
    return NO_SPANS


def likely_behind(text: str, start: int, end: int) -> Sequence[Span]:
    """A name right behind a relative or a profession, whatever follows it."""
    gap = _GAP_OR_COMMA.match(text, end)
    found = _names().likely.match(text, gap.end() if gap else end)
    if found is None:
        return behind(text, start, end)
    return (Span(found.start(), found.end(), "name", "context"),) if is_name(found.group()) else NO_SPANS


def called_old(text: str, start: int, end: int) -> Sequence[Span]:
    """``老张`` at the beginning of a clause."""
    name = text[end : end + 1]
    begins = start == 0 or text[start - 1] in _MARKS
    if (
        begins
        and name in _names().surnames
        and name not in _names().rare
        and text[end + 1 : end + 2] not in ("", "人", "年")
    ):
        return (Span(end, end + 1, "name", "context"),)
    return NO_SPANS


# --- before a word ---------------------------------------------------------------------------


def titled(text: str, start: int, end: int) -> Sequence[Span]:
    """A name before a title."""
    del end
    names = _names()
    found = names.last.search(text, max(0, start - 4), start)
    if found is None or text[start - 1] == "副":
        return NO_SPANS
    for place in _cuts(text, found.start(), start):
        word, before = text[place:start], text[place - 1 : place]
        if not is_name(word):
            continue
        alone = len(word) == 1
        if (
            not before
            or not ("㐀" <= before <= "鿿")
            or (not alone and names.likely.fullmatch(word))
            or (before in _BEFORE_TITLE and not (alone and word in names.rare))
        ):
            return (Span(place, start, "name", "context"),)
    return NO_SPANS


def _cuts(text: str, first: int, end: int) -> Iterator[int]:
    """Places where a name before a title may begin: each surname between, the farthest first."""
    names = _names()
    for place in range(first, end):
        if text[place] in names.surnames or text[place : place + 2] in names.two:
            yield place


def _up_to(text: str, end: int, marks: frozenset[str]) -> Sequence[Span]:
    """A name that ends at ``end``, behind one of the marks."""
    found = _names().last.search(text, max(0, end - 4), end)
    if found is None:
        return NO_SPANS
    for place in _cuts(text, found.start(), end):
        if end - place >= 2 and (place == 0 or text[place - 1] in marks) and is_name(text[place:end]):
            return (Span(place, end, "name", "context"),)
    return NO_SPANS


def before_date(text: str, start: int) -> Sequence[Span]:
    """A signature: a name in front of a date, behind the end of a sentence or a line."""
    place = start
    while place > 0 and text[place - 1] in " \t" and start - place < _SPACE_BEFORE_DATE:
        place -= 1
    return _up_to(text, place, _SENTENCE_MARKS) if place < start else NO_SPANS


def before_sex(text: str, start: int, end: int) -> Sequence[Span]:
    """``张伟，男，45岁``: what stands before the sex at the beginning of a clause."""
    if text[end : end + 1] in _NOT_A_SEX:
        return NO_SPANS
    place = start
    if text[max(0, place - 3) : place] in ("性别:", "性别："):
        place -= 3
    elif text[max(0, place - 2) : place] == "性别":
        place -= 2
    marked = place
    while place > 0 and text[place - 1] in " \t,，、;/(（" and marked - place < _MARKS_BEFORE_SEX:
        place -= 1
    return _up_to(text, place, _MARKS) if place < marked or place == start else NO_SPANS


# --- anywhere --------------------------------------------------------------------------------


def standing(text: str) -> list[Span]:
    """A name of usual characters: of two where a name may stand, of three or four anywhere."""
    names = _names()
    no_names = names.no_names
    return [
        Span(match.start(), match.end(), "name", "form")
        for pattern in (names.standing, names.standing_two)
        for match in pattern.finditer(text)
        if (name := match.group()) not in no_names and name[:2] not in no_names and name[1:] not in no_names
    ]
