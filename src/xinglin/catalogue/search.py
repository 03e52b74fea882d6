"""Search over the catalogue: words in two languages, facets, what a study may use, ranking, pages by cursor.

Guarantee: whoever may not see an entry learns nothing of it. What an asker sees is cut out first; counts, facets, the
weight of a word, the order and cursors are made of what is left alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from xinglin.catalogue.eligible import ANSWERS, Standing, StudyFacts, check_study, standing
from xinglin.catalogue.entry import CatalogueEntry
from xinglin.catalogue.errors import CatalogueError
from xinglin.catalogue.search_bits import add, best_first, members
from xinglin.catalogue.search_index import FACETS, SearchIndex
from xinglin.catalogue.search_words import Part, parts_of
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.limits import Limit

PAGE = Limit("entries of a page", 100, "entries")
CHOSEN = Limit("values chosen of a facet", 64, "values")
FACET_SHOWN = 20
FACET_LOOKED = 4_000
"""Values of a facet that are counted at most."""
PREFIX_WORDS = 24
PREFIX_LOOKED = 1_000


class BadSearch(CatalogueError):
    """A search whose facet, month, answer or cursor is none of ours."""

    code = "catalogue.bad_search"


class Search(msgspec.Struct, frozen=True):
    """What is sought. ``chosen``: values by facet, one of each facet's is enough. Months as ``2024-03``, inclusive.

    ``study``: judge each data set for it; ``answers``: only data sets with these answers (of ``ANSWERS``).
    """

    text: str = ""
    chosen: dict[str, tuple[str, ...]] = {}
    from_month: str = ""
    to_month: str = ""
    study: StudyFacts | None = None
    answers: tuple[str, ...] = ()
    cursor: str = ""
    most: int = 20


class Hit(msgspec.Struct, frozen=True):
    """An entry on a page: its score, the variables that the words are about, and what the study may expect."""

    entry: CatalogueEntry
    score: int
    variables: tuple[str, ...] = ()
    standing: Standing | None = None


class FacetValue(msgspec.Struct, frozen=True):
    """A value of a facet with how many data sets have it, everything else as it is chosen."""

    value: str
    words: str
    words_zh: str
    count: int


class Found(msgspec.Struct, frozen=True):
    """One page. ``total``: data sets in all. ``understood``: what each part of the text was taken for.

    ``some_words``: no data set has every word, so those with some are shown.
    """

    hits: tuple[Hit, ...]
    total: int
    facets: dict[str, tuple[FacetValue, ...]]
    understood: tuple[Part, ...] = ()
    answers: dict[str, int] = {}
    some_words: bool = False
    after: str = ""


def search(index: SearchIndex, asked: Search, asker: str) -> Found:
    """The page that ``asker`` (a DID) gets. Raises ``BadSearch``, ``UnknownFact`` or ``LimitExceeded``."""
    _check(asked)
    visible = index.visible_to(asker)
    parts = parts_of(asked.text)
    worded, total, some = _worded(index, parts, visible)
    scopes = {name: index.chosen(name, values) for name, values in asked.chosen.items() if values}
    timed = index.within_months(asked.from_month, asked.to_month, visible)
    base = worded & timed
    judged: dict[str, int] = {}
    for scope in scopes.values():
        base &= scope
    if asked.study is not None:
        judged = index.judged(worded & timed, asked.study)
    result = base
    if asked.answers:
        result = base & _union(judged.get(answer, 0) for answer in asked.answers)
    add(total, index.bonus)
    page, after = _page(asked, index, total, result, asker)
    allowed = _union(judged.get(answer, 0) for answer in asked.answers) if asked.answers else -1
    facets = {
        name: _counted(index, name, worded & timed & allowed & _others(scopes, name), asked.chosen.get(name, ()))
        for name in FACETS
    }
    return Found(
        tuple(_hit(index, number, score, parts, asked.study) for score, number in page),
        result.bit_count(),
        facets,
        parts,
        {answer: (having & base).bit_count() for answer, having in judged.items()},
        some,
        after,
    )


def _check(asked: Search) -> None:
    PAGE.check(asked.most)
    unknown = [name for name in asked.chosen if name not in FACETS]
    if unknown or asked.most < 1:
        raise BadSearch("The search names an unknown facet or page size.", remedy=f"Facets: {', '.join(FACETS)}.")
    for values in asked.chosen.values():
        CHOSEN.check(len(values))
    for month in (asked.from_month, asked.to_month):
        if month and not _is_month(month):
            raise BadSearch(f"{month[:20]!r} is no month.", remedy="Write 2024-03.")
    if asked.answers and asked.study is None:
        raise BadSearch("Answers are sought without a study.", remedy="State what the study is.")
    if any(answer not in ANSWERS for answer in asked.answers):
        raise BadSearch("An answer is none of ours.", remedy=f"Answers: {', '.join(ANSWERS)}.")
    if asked.study is not None:
        check_study(asked.study)


def _is_month(text: str) -> bool:
    year, _, month = text.partition("-")
    plain = len(text) == 7 and text.isascii() and year.isdigit() and month.isdigit()
    return plain and 1 <= int(month) <= 12


def _worded(index: SearchIndex, parts: Sequence[Part], visible: int) -> tuple[int, list[int], bool]:
    """(entries, scores, whether only some words were found): entries with all parts, else with some."""
    total: list[int] = []
    every, some = visible, 0
    everybody = max(visible.bit_count(), 1)
    for part in parts:
        planes = [0, 0, 0]
        for term in _terms(index, part, visible):
            for at, plane in enumerate(index.planes(term)):
                planes[at] |= plane & visible
        having = planes[0] | planes[1] | planes[2]
        every &= having
        some |= having
        share = having.bit_count() / everybody
        add(total, tuple(planes), 3 if share < 0.001 else 2 if share < 0.02 else 1 if share < 0.2 else 0)
        add(total, (having,), 4)
    if not parts:
        return visible, total, False
    return (every, total, False) if every else (some, total, bool(some))


def _terms(index: SearchIndex, part: Part, visible: int) -> Iterator[str]:
    """The part's terms; where none of them is in anything that is seen, words that begin like it."""
    if any(_union(index.planes(term)) & visible for term in part.terms):
        yield from part.terms
        return
    for term in part.terms:
        if len(term) < 3 or term.startswith("#"):
            continue
        seen = (one for one in index.beginning_with(term, PREFIX_LOOKED) if _union(index.planes(one)) & visible)
        yield from islice(seen, PREFIX_WORDS)


def _page(
    asked: Search, index: SearchIndex, total: list[int], result: int, asker: str
) -> tuple[list[tuple[int, int]], str]:
    mark = canonical_digest(msgspec.to_builtins([asked.text, sorted(asked.chosen.items()), asked.from_month,
        asked.to_month, asked.answers, asked.study and msgspec.json.encode(asked.study, order="sorted").decode(), asker,
    ]))[7:23]  # fmt: skip
    score_at, number_at = _read_cursor(asked.cursor, mark, index, result) if asked.cursor else (-1, -1)
    page: list[tuple[int, int]] = []
    for score, group in best_first(total, result):
        if score_at >= 0 and score > score_at:
            continue
        rest = group >> (number_at + 1) << (number_at + 1) if score == score_at else group
        page += ((score, number) for number in members(rest, most=asked.most + 1 - len(page)))
        if len(page) > asked.most:
            page.pop()
            last = page[-1]
            return page, _cursor(last[0], index.entry(last[1]).entry_id, mark)
    return page, ""


def _cursor(score: int, entry_id: str, mark: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([score, entry_id, mark])).decode().rstrip("=")


def _read_cursor(cursor: str, mark: str, index: SearchIndex, result: int) -> tuple[int, int]:
    wrong = BadSearch("The cursor is none of this search's.", remedy="Begin at the first page.")
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        score, entry_id, given = msgspec.json.decode(data, type=tuple[int, str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise wrong from error
    number = index.number_of(entry_id)
    if given != mark or score < 0 or number is None or not result >> number & 1:
        raise wrong
    return score, number


def _counted(index: SearchIndex, facet: str, among: int, chosen: Sequence[str]) -> tuple[FacetValue, ...]:
    counts = sorted(index.counts(facet, among, FACET_LOOKED), key=lambda one: (-one[0], one[1]))
    kept = counts[:FACET_SHOWN] + [one for one in counts[FACET_SHOWN:] if one[1] in chosen]
    return tuple(FacetValue(value, *index.label(facet, value), count) for count, value in kept)


def _others(scopes: dict[str, int], name: str) -> int:
    found = -1
    for other, scope in scopes.items():
        if other != name:
            found &= scope
    return found


def _hit(index: SearchIndex, number: int, score: int, parts: Sequence[Part], study: StudyFacts | None) -> Hit:
    entry = index.entry(number)
    wanted = {term for part in parts for term in part.terms}
    named = index.variables_about(entry, wanted) if wanted else ()
    judged = standing(entry.policy, entry.grade, study) if study is not None else None
    return Hit(entry, score, named, judged)


def _union(sets: Iterable[int]) -> int:
    found = 0
    for one in sets:
        found |= one
    return found
