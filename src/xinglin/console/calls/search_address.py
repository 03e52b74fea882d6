"""A catalogue search as the address of its page says it, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlencode

import msgspec

from xinglin.catalogue.eligible import ANSWERS
from xinglin.catalogue.search_index import FACETS

PATH = "/catalogue"
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")


class Asked(msgspec.Struct, frozen=True):
    """What is sought: words, values by facet, months (``2024-03``), a study to match, its answers, a cursor."""

    text: str = ""
    chosen: dict[str, tuple[str, ...]] = {}
    from_month: str = ""
    to_month: str = ""
    study: str = ""
    answers: tuple[str, ...] = ()
    cursor: str = ""

    @property
    def narrowed(self) -> bool:
        """Whether anything is asked for at all."""
        return bool(self.text or self.chosen or self.from_month or self.to_month or self.answers)

    def has(self, facet: str, value: str) -> bool:
        """Whether a value of a facet is chosen."""
        return value in self.chosen.get(facet, ())

    def toggled(self, facet: str, value: str) -> str:
        """The address with a value of a facet chosen, or no longer."""
        values = set(self.chosen.get(facet, ())) ^ {value}
        chosen = {**self.chosen, facet: tuple(sorted(values))}
        return address(msgspec.structs.replace(self, chosen=chosen, cursor=""))

    def changed(self, **changes: str | tuple[str, ...]) -> str:
        """The address with other words, months, study, answers or cursor; the first page unless a cursor is given."""
        return address(msgspec.structs.replace(self, **{"cursor": "", **changes}))


def asked_of(query: Mapping[str, str]) -> Asked:
    """What an address asks for; words that are none of ours are left out."""
    chosen = {name: _values(query[name]) for name in FACETS if query.get(name)}
    answers = tuple(one for one in query.get("answers", "").split(",") if one in ANSWERS)
    study = query.get("study", "")
    return Asked(
        query.get("q", "").strip()[:400],
        {name: values for name, values in chosen.items() if values},
        _month(query.get("from", "")),
        _month(query.get("to", "")),
        study,
        answers if study else (),
        query.get("after", ""),
    )


def address(asked: Asked, **more: str) -> str:
    """The address of a search; ``more``: further words of it.

    >>> address(Asked("heart", {"grade": ("L1", "L2")}))
    '/catalogue?q=heart&grade=L1%2CL2'
    """
    words = {
        "q": asked.text,
        **{name: ",".join(quote(one, safe="") for one in values) for name, values in asked.chosen.items()},
        "from": asked.from_month,
        "to": asked.to_month,
        "study": asked.study,
        "answers": ",".join(asked.answers),
        "after": asked.cursor,
        **more,
    }
    told = {name: value for name, value in words.items() if value}
    return PATH + ("?" + urlencode(told) if told else "")


def _month(text: str) -> str:
    """A month as the catalogue reads it; empty for anything else."""
    return text if _MONTH.match(text) else ""


def _values(text: str) -> tuple[str, ...]:
    return tuple(sorted({unquote(one) for one in text.split(",") if one}))
