"""One recogniser of everything: the patient's own words first, then checksums, labels, forms and contexts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from xinglin.privacy.deidentify.text.chinese import chinese_spans
from xinglin.privacy.deidentify.text.chinese_names import before_date
from xinglin.privacy.deidentify.text.english import english_spans
from xinglin.privacy.deidentify.text.forms import formed
from xinglin.privacy.deidentify.text.model import NOTHING, Known, Span
from xinglin.privacy.deidentify.text.normal import plain
from xinglin.privacy.deidentify.text.numbers import runs
from xinglin.privacy.deidentify.text.own import own_spans
from xinglin.privacy.deidentify.text.repeated import repeated

if TYPE_CHECKING:
    from xinglin.privacy.deidentify.text.ports import Recogniser

_UNSEEN = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_WESTERN = re.compile("[A-Z][a-z]{2}")
_PASSAGE = re.compile("[\x00-\x7f]{3,}")
_START = attrgetter("start")
_WEIGHT = {"known": 4, "checksum": 3, "label": 2, "form": 1, "context": 1}


def find(text: str, known: Known = NOTHING, more: Sequence[Recogniser] = ()) -> list[Span]:
    """Spans of ``text`` that name a person, in order, none over another.

    ``known``: the dictionary of the patient's own record. ``more``: recognisers of somebody else's; what they find
    counts like a form. Time grows in proportion to the text. Where spans overlap they become one, of the kind that is
    surest (known, checksum, label, form). It finds what it has rules for: nothing promises that a text is anonymous.

    >>> [(span.kind, span.why) for span in find("患者姓名：李雷，身份证11010519491231002X")]
    [('name', 'label'), ('identity_number', 'checksum')]
    """
    if not text.isascii() and _UNSEEN.search(text):
        return _seen(text, known, more)
    form = plain(text)
    found: list[Span] = []
    if known != NOTHING:
        found.extend(own_spans(form, known))
    numbers = runs(form)
    found.extend(numbers)
    found.extend(formed(form))
    if not form.isascii():
        found.extend(chinese_spans(form))
        for one in numbers:
            if one.kind == "date":
                found.extend(before_date(form, one.start))
    if form.isascii():
        found.extend(english_spans(form))
    elif _WESTERN.search(form):
        found.extend(_western_spans(form))
    for recogniser in more:
        found.extend(_inside(recogniser.find(text), len(text)))
    spans = _merged(found)
    again = repeated(form, spans)
    return _merged(spans + again) if again else spans


def _western_spans(form: str) -> list[Span]:
    """What the English rules find in the passages of another text that are written in Latin letters."""
    found = []
    for passage in _PASSAGE.finditer(form):
        if _WESTERN.search(passage.group()):
            at = passage.start()
            found += [Span(at + one.start, at + one.end, one.kind, one.why) for one in english_spans(passage.group())]
    return found


def _seen(text: str, known: Known, more: Sequence[Recogniser]) -> list[Span]:
    """The spans of a text that holds characters nobody sees (zero width, soft hyphens): found without them."""
    places = [place for place, letter in enumerate(text) if not _UNSEEN.match(letter)]
    shown = "".join([text[place] for place in places])
    return [
        Span(places[span.start], places[span.end - 1] + 1, span.kind, span.why) for span in find(shown, known, more)
    ]


def _inside(spans: Iterable[Span], length: int) -> Iterable[Span]:
    """What another recogniser found, as far as it lies in the text."""
    return (span for span in spans if 0 <= span.start < span.end <= length)


def _merged(found: list[Span]) -> list[Span]:
    """Spans that overlap as one, of the kind that is surest; of two equally sure ones, the longer one's."""
    found.sort(key=_START)
    out: list[Span] = []
    last: Span | None = None
    for span in found:
        if last is None or span.start >= last.end:
            out.append(span)
            last = span
            continue
        if span.end <= last.end and _WEIGHT.get(span.why, 1) <= _WEIGHT.get(last.why, 1):
            continue
        surest = max(last, span, key=_weight)
        last = out[-1] = Span(last.start, max(last.end, span.end), surest.kind, surest.why)
    return out


def _weight(span: Span) -> tuple[int, int]:
    return _WEIGHT.get(span.why, 1), span.end - span.start
