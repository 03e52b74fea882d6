"""One recogniser of everything: the patient's own words first, then checksums, labels, forms and contexts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from xinglin.privacy.deidentify.text.chinese import before_date, chinese_spans
from xinglin.privacy.deidentify.text.english import english_spans
from xinglin.privacy.deidentify.text.forms import formed
from xinglin.privacy.deidentify.text.model import NOTHING, Known, Span
from xinglin.privacy.deidentify.text.normal import plain
from xinglin.privacy.deidentify.text.numbers import runs
from xinglin.privacy.deidentify.text.own import own_spans

if TYPE_CHECKING:
    from xinglin.privacy.deidentify.text.plugins import Recogniser

_WESTERN = re.compile("[A-Z][a-z]{2}|[a-z]{3} [a-z]{3}")
_WEIGHT = {"known": 4, "checksum": 3, "label": 2, "form": 1, "context": 1}


def find(text: str, known: Known = NOTHING, more: Sequence[Recogniser] = ()) -> list[Span]:
    """Spans of ``text`` that name a person, in order, none over another.

    ``known``: the dictionary of the patient's own record. ``more``: recognisers of somebody else's; what they find
    counts like a form. Time grows in proportion to the text. Where spans overlap they become one, of the kind that is
    surest (known, checksum, label, form). It finds what it has rules for: nothing promises that a text is anonymous.

    >>> [(span.kind, span.why) for span in find("患者姓名：李雷，身份证11010519491231002X")]
    [('name', 'label'), ('identity_number', 'checksum')]
    """
    form = plain(text)
    found: list[Span] = []
    if known != NOTHING:
        found.extend(own_spans(form, known))
    numbers = runs(form)
    found.extend(numbers)
    found.extend(formed(form))
    if not form.isascii():
        found.extend(chinese_spans(form))
        found.extend(span for one in numbers if one.kind == "date" for span in before_date(form, one.start))
    if _WESTERN.search(form):
        found.extend(english_spans(form))
    for recogniser in more:
        found.extend(_inside(recogniser.find(text), len(text)))
    return _merged(found)


def _inside(spans: Iterable[Span], length: int) -> Iterable[Span]:
    """What another recogniser found, as far as it lies in the text."""
    return (span for span in spans if 0 <= span.start < span.end <= length)


def _merged(found: list[Span]) -> list[Span]:
    found.sort(key=lambda span: (span.start, -span.end))
    out: list[Span] = []
    for span in found:
        if out and span.start < out[-1].end:
            out[-1] = _joined(out[-1], span)
        else:
            out.append(span)
    return out


def _joined(one: Span, other: Span) -> Span:
    """Both together, of the kind that is surest; of two equally sure ones, the longer one's."""

    def weight(span: Span) -> tuple[int, int]:
        return _WEIGHT.get(span.why, 1), span.end - span.start

    surest = max(one, other, key=weight)
    return Span(min(one.start, other.start), max(one.end, other.end), surest.kind, surest.why)
