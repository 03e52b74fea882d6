"""What stands in the place of a span: its kind, a surrogate that stays the same in a study, or a date moved."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Sequence

from xinglin.privacy.deidentify.keys import Keys, Prf
from xinglin.privacy.deidentify.text.model import KINDS, Span

How = Callable[[str, str], str]
"""From a kind and the characters of a span to what stands in its place."""

_YEAR_FIRST = re.compile(r"(\d{4})(\D{1,2})(\d{1,2})(\D{1,2})(\d{1,2})(.*)", re.DOTALL)
_HAN = re.compile(r"[㐀-鿿]")


def redact(text: str, spans: Sequence[Span], how: How | None = None, keep: Collection[str] = ()) -> str:
    """``text`` with each span replaced: by ``[kind]`` (``[姓名]`` in a Chinese text) unless ``how`` says otherwise.

    ``keep``: kinds that stay. ``spans`` as ``find`` gives them: in order, none over another.

    >>> redact("王芳来电", [Span(0, 2, "name", "context")])
    '[姓名]来电'
    """
    chinese = bool(_HAN.search(text))
    out, place = [], 0
    for span in spans:
        if span.kind in keep or span.start < place:
            continue
        old = text[span.start : span.end]
        new = how(span.kind, old) if how is not None else tag(span.kind, chinese=chinese)
        out += [text[place : span.start], new]
        place = span.end
    return "".join([*out, text[place:]])


def tag(kind: str, *, chinese: bool = False) -> str:
    """The kind in brackets."""
    return f"[{KINDS.get(kind, kind) if chinese else kind.upper()}]"


class Surrogates:
    """Stand-ins that are the same for the same characters in one study: ``[name 7f3a]``; dates move by ``days``.

    Guarantee: as ``Keys``: without its secret a stand-in tells nothing but that two places named the same.
    """

    def __init__(self, keys: Keys, days: int = 0) -> None:
        self._prf, self._days = Prf(keys.derive("note")), days

    def __call__(self, kind: str, old: str) -> str:
        """See ``How``."""
        if kind == "date" and self._days:
            moved = _moved(old, self._days)
            if moved is not None:
                return moved
        if kind == "date" or kind == "age":
            return tag(kind, chinese=bool(_HAN.search(old)))
        mark = self._prf.of(f"{kind}\x1f{''.join(old.split()).casefold()}").hex()[:8]
        return f"[{KINDS[kind] if kind in KINDS and _HAN.search(old) else kind} {mark}]"


def _moved(text: str, days: int) -> str | None:
    """A date that begins with its year, moved and written the same way."""
    found = _YEAR_FIRST.fullmatch(text)
    if found is None:
        return None
    year, one, month, two, day, rest = found.groups()
    try:
        moved = dt.date(int(year), int(month), int(day)) + dt.timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return f"{moved.year}{one}{moved.month:0{len(month)}d}{two}{moved.day:0{len(day)}d}{rest}"
