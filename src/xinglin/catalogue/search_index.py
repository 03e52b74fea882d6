"""The index that searches read: words, facets, months, terms and audiences, each as a set of entries.

Held in memory and made of the store's entries at the start; a changed entry is taken out and put in again. Entry
numbers are the store's, so that order and pages outlive a restart.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from xinglin.catalogue.eligible import ANSWERS, StudyFacts, purposes_of, standing
from xinglin.catalogue.entry import CUSTODY, CatalogueEntry
from xinglin.catalogue.search_bits import Members, Posting, flat, members
from xinglin.catalogue.search_words import concepts_of, synonyms, terms_of
from xinglin.terms.policy import Policy
from xinglin.terms.purposes import PURPOSES

FACETS = ("grade", "table", "variable", "purpose", "region", "institution", "years", "custody", "origin")
STUDIES_KNOWN = 32
"""Studies whose answers are kept."""
_STUDIED = {code: one for code, one in PURPOSES.items() if not one.prohibited and code != "disease-research"}
_TITLE, _VARIABLE, _KEYWORD, _WORDS, _LEVEL = 7, 5, 4, 2, 1


class SearchIndex:
    """All entries, found by anything; not for several threads that write."""

    def __init__(self, entries: Iterable[tuple[int, CatalogueEntry]] = ()) -> None:
        self._entries: dict[int, CatalogueEntry] = {}
        self._numbers: dict[str, int] = {}
        self._postings: dict[str, Posting] = {}
        self._words: list[str] | None = None
        self._facets: dict[str, dict[str, Members]] = {name: {} for name in FACETS}
        self._first: dict[str, Members] = {}
        self._last: dict[str, Members] = {}
        self._policies: dict[tuple[str, str], tuple[Policy | None, Members]] = {}
        self._purposes: dict[str, tuple[str, ...]] = {}
        self._digests: dict[Policy, str] = {}
        self._audience: dict[str, Members] = {}
        self._sources: dict[str, Members] = {}
        self._open, self._terms, self._stated = Members(), Members(), Members()
        self._answers: dict[str, dict[tuple[str, str], str]] = {}
        for number, entry in entries:
            self.put(number, entry)

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, number: int) -> CatalogueEntry:
        """The entry of a number; ``KeyError`` where there is none."""
        return self._entries[number]

    def number_of(self, entry_id: str) -> int | None:
        """An entry's number by its id."""
        return self._numbers.get(entry_id)

    def seen(self, entry_id: str, asker: str) -> CatalogueEntry | None:
        """The entry, where ``asker`` may know of it."""
        number = self._numbers.get(entry_id)
        entry = self._entries[number] if number is not None else None
        return entry if entry is not None and entry.visible_to(asker) else None

    def all_visible(self, asker: str) -> tuple[CatalogueEntry, ...]:
        """This hub's own entries that ``asker`` may know of, by id."""
        found = [self._entries[number] for number in members(self.visible_to(asker))]
        return tuple(sorted((one for one in found if not one.origin), key=lambda one: one.entry_id))

    def of_source(self, source: str) -> set[int]:
        """Numbers of a provider's own entries, or of a federated source's (``origin:`` and its name)."""
        found = self._sources.get(source)
        return set(found.entries) if found is not None else set()

    def put(self, number: int, entry: CatalogueEntry) -> None:
        """Take an entry in, in the place of what had its number or its id."""
        for old in (number, self._numbers.get(entry.entry_id)):
            if old is not None and old in self._entries:
                self.drop(old)
        self._entries[number] = entry
        self._numbers[entry.entry_id] = number
        for term, weight in _weighed(entry).items():
            posting = self._postings.get(term)
            if posting is None:
                posting = self._postings[term] = Posting()
                if self._words is not None and not term.startswith("#"):
                    insort(self._words, term)
            posting.put(number, weight)
        self._mark(number, entry, there=True)

    def drop(self, number: int) -> None:
        """Take an entry out."""
        entry = self._entries.pop(number)
        del self._numbers[entry.entry_id]
        for term in _weighed(entry):
            self._postings[term].put(number, 0)
        self._mark(number, entry, there=False)

    def visible_to(self, asker: str) -> int:
        """Everything that ``asker`` may know of."""
        own = self._audience.get(asker)
        return self._open.bits() | (own.bits() if own is not None else 0)

    @property
    def bonus(self) -> tuple[int, int]:
        """A point for published terms, two for a statement: what tells more stands first."""
        return self._terms.bits(), self._stated.bits()

    def planes(self, term: str) -> tuple[int, ...]:
        """Weights of a term, plane by plane."""
        found = self._postings.get(term)
        return found.planes() if found is not None else (0, 0, 0)

    def beginning_with(self, start: str, most: int) -> Iterator[str]:
        """Words that begin so, in order."""
        if self._words is None:
            self._words = sorted(term for term in self._postings if not term.startswith("#"))
        at = bisect_left(self._words, start)
        for term in self._words[at : at + most]:
            if not term.startswith(start):
                return
            yield term

    def chosen(self, facet: str, values: Sequence[str]) -> int:
        """Entries with one of these values."""
        found = 0
        for value in values:
            having = self._facets[facet].get(value)
            found |= having.bits() if having is not None else 0
        return found

    def counts(self, facet: str, among: int, most: int) -> Iterator[tuple[int, str]]:
        """(count, value) of the values that entries of ``among`` have; beyond ``most`` values are passed over."""
        table = flat(among)
        for at, (value, having) in enumerate(self._facets[facet].items()):
            if at == most:
                return
            count = (having.bits() & among).bit_count() if having.dense else having.within(table)
            if count:
                yield count, value

    def within_months(self, start: str, end: str, among: int) -> int:
        """Entries whose time touches the range; those that tell no time only where no range is given."""
        found = among
        if start:
            found &= _any(having for month, having in self._last.items() if month >= start)
        if end:
            found &= _any(having for month, having in self._first.items() if month <= end)
        return found

    def judged(self, among: int, study: StudyFacts) -> dict[str, int]:
        """Entries by answer for a study. A policy is judged once for each study, however many data sets have it."""
        known = self._answers_for(study)
        found = dict.fromkeys(ANSWERS, 0)
        table = flat(among)
        rows = {answer: bytearray(len(table)) for answer in ANSWERS}
        for key, (policy, having) in self._policies.items():
            there = having.bits() & among if having.dense else having.within(table)
            if not there:
                continue
            answer = known.get(key)
            if answer is None:
                answer = known[key] = standing(policy, key[1], study).answer
            if having.dense:
                found[answer] |= there
                continue
            for entry in having.entries:
                if entry >> 3 < len(table):
                    rows[answer][entry >> 3] |= table[entry >> 3] & 1 << (entry & 7)
        return {answer: found[answer] | int.from_bytes(rows[answer], "little") for answer in ANSWERS}

    def _answers_for(self, study: StudyFacts) -> dict[tuple[str, str], str]:
        key = msgspec.json.encode(study, order="sorted").decode()
        known = self._answers.pop(key, None)
        self._answers[key] = known = {} if known is None else known
        while len(self._answers) > STUDIES_KNOWN:
            del self._answers[next(iter(self._answers))]
        return known

    def label(self, facet: str, value: str) -> tuple[str, str]:
        """A facet's value in English and Chinese."""
        if facet == "variable":
            return synonyms().label(value)
        if facet == "table":
            named = concepts_of(value)
            return (value, synonyms().label(named[0])[1]) if named else (value, value)
        if facet == "purpose":
            return (_STUDIED[value].words, _STUDIED[value].words_zh)
        if facet == "custody":
            return CUSTODY.get(value, (value, value))
        return (value, value)

    def variables_about(self, entry: CatalogueEntry, wanted: set[str]) -> tuple[str, ...]:
        """The entry's variables that one of these terms is about, as ``table.column``."""
        return tuple(
            f"{one.table}.{one.name}" if one.table else one.name
            for one in entry.variables
            if not wanted.isdisjoint(terms_of(one.name)) or not wanted.isdisjoint(terms_of(one.words))
        )

    def _mark(self, number: int, entry: CatalogueEntry, *, there: bool) -> None:
        for facet, values in self._faceted(entry).items():
            for value in values:
                _put(self._facets[facet], value, number, there)
        for months, month in ((self._first, entry.first_month), (self._last, entry.last_month)):
            if month:
                _put(months, month, number, there)
        if entry.restricted:
            for did in {entry.provider, *entry.audience}:
                _put(self._audience, did, number, there)
        _put(self._sources, f"origin:{entry.origin}" if entry.origin else entry.provider, number, there)
        key = (self._digest(entry.policy), entry.grade)
        _, having = self._policies.setdefault(key, (entry.policy, Members()))
        having.put(number, there=there)
        if there:
            self._open.put(number, there=not entry.restricted)
            self._terms.put(number, there=entry.policy is not None)
            self._stated.put(number, there=entry.records > 0)
        else:
            for one in (self._open, self._terms, self._stated):
                one.put(number, there=False)

    def _faceted(self, entry: CatalogueEntry) -> dict[str, Iterable[str]]:
        return {
            "grade": (entry.grade,),
            "table": entry.tables,
            "variable": {name for one in entry.variables for name in _meant(one.name, one.words)},
            "purpose": self._purposes_of(entry.policy),
            "region": (entry.region,) if entry.region else (),
            "institution": (entry.institution,) if entry.institution else (),
            "years": _years(entry.first_month, entry.last_month),
            "custody": (entry.custody,),
            "origin": (entry.origin,) if entry.origin else (),
        }

    def _digest(self, policy: Policy | None) -> str:
        if policy is None:
            return ""
        if policy not in self._digests:
            self._digests[policy] = policy.digest()
        return self._digests[policy]

    def _purposes_of(self, policy: Policy | None) -> tuple[str, ...]:
        if policy is None:
            return ()
        digest = self._digest(policy)
        if digest not in self._purposes:
            self._purposes[digest] = purposes_of(policy, _STUDIED)
        return self._purposes[digest]


def _weighed(entry: CatalogueEntry) -> dict[str, int]:
    """Every term of an entry with its weight: the highest of the places where it stands."""
    found: dict[str, int] = {}
    for weight, texts in _texts(entry):
        for text in texts:
            for term in terms_of(text):
                if found.get(term, 0) < weight:
                    found[term] = weight
    return found


def _texts(entry: CatalogueEntry) -> tuple[tuple[int, Iterable[str]], ...]:
    return (
        (_TITLE, (entry.title, entry.name)),
        (_VARIABLE, (text for one in entry.variables for text in (one.name, one.words) if text)),
        (_KEYWORD, (*entry.keywords, *entry.tables, entry.institution, entry.region)),
        (_WORDS, (entry.words,)),
        (_LEVEL, (level for one in entry.variables for level in one.levels[:50])),
    )


def _meant(name: str, words: str) -> tuple[str, ...]:
    """What a variable is counted as: the concepts it names, or else its own name."""
    return concepts_of(name) or concepts_of(words) or (name.lower(),)


def _years(first: str, last: str) -> tuple[str, ...]:
    if not first or not last or not (first[:4].isdigit() and last[:4].isdigit()):
        return ()
    start, end = int(first[:4]), int(last[:4])
    return tuple(str(year) for year in range(start, min(end, start + 200) + 1))


def _put(sets: dict[str, Members], key: str, number: int, there: bool) -> None:
    having = sets.get(key)
    if having is None:
        having = sets[key] = Members()
    having.put(number, there=there)
    if not having.entries:
        del sets[key]


def _any(sets: Iterable[Members]) -> int:
    found = 0
    for one in sets:
        found |= one.bits()
    return found
