"""A hospital's own law file (TOML): packs, facts, a fence and a pilot, for all and by data set or study.

``packs``, ``[facts]``, ``[fence]`` and ``pilot`` hold for everything; ``[data_set.NAME]`` and ``[study.NAME]`` hold the
same parts for one. Packs are joined, fences tighten, a fact or pilot of a study goes before that of its data set.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from xinglin.kernel.instants import Instant, to_text
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied
from xinglin.terms.fences import Fence, check_fence, tighten
from xinglin.terms.law.errors import LawError, unknown_word
from xinglin.terms.law.loading import load_pack
from xinglin.terms.law.model import Pack
from xinglin.terms.law.stated import PACKS_NAMED, TERMS_BYTES
from xinglin.terms.law.subject import LawSubject, read_subject

SECTIONS = Limit("data sets and studies of a law file", 1_000, "sections")
_PARTS = ("packs", "facts", "fence", "pilot")
_KINDS = ("data_set", "study")


class Section(msgspec.Struct, frozen=True):
    """What is said in one place of the file."""

    packs: tuple[Pack, ...] = ()
    facts: dict[str, Any] = {}
    fence: Fence | None = None
    pilot: str = ""


class Applied(msgspec.Struct, frozen=True):
    """What holds for one study on one data set; ``pilot``: the name of its file, or ``""``."""

    packs: tuple[Pack, ...]
    subject: LawSubject
    fence: Fence | None
    pilot: str


class LawFile(msgspec.Struct, frozen=True):
    """The file, read: every word of it is known."""

    everything: Section = Section()
    data_sets: dict[str, Section] = {}
    studies: dict[str, Section] = {}

    def of(self, data_set: str, study: str, at: Instant) -> Applied:
        """What holds for ``study`` (``""``: for none by name) on ``data_set``; answers are about the study, or else
        about the data set."""
        sections = self._sections(data_set, study)
        packs = {pack.digest: pack for one in sections for pack in one.packs}
        facts = {name: value for one in sections for name, value in one.facts.items()}
        fence: Fence | None = None
        for one in sections:
            if one.fence is not None:
                fence = one.fence if fence is None else tighten(fence, one.fence)
        pilots = [one.pilot for one in sections if one.pilot]
        subject = read_subject({**facts, "matter": study or data_set, "at": to_text(at)})
        return Applied(tuple(packs.values()), subject, fence, pilots[-1] if pilots else "")

    @property
    def packs(self) -> tuple[Pack, ...]:
        """Every pack that is named anywhere."""
        sections = (self.everything, *self.data_sets.values(), *self.studies.values())
        return tuple({pack.digest: pack for one in sections for pack in one.packs}.values())

    def _sections(self, data_set: str, study: str) -> tuple[Section, ...]:
        named = (self.data_sets.get(data_set), self.studies.get(study))
        return (self.everything, *(one for one in named if one is not None))


def read_law_file(text: str, own: Iterable[Pack] = ()) -> LawFile:
    """The file; ``own`` packs are named in it like the shipped ones.

    Raises ``LawError`` for whatever is unknown, with the nearest known word.
    """
    TERMS_BYTES.check(len(text.encode("utf-8", "replace")))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LawError("The law file is no TOML.", why=str(error), remedy="Mend its syntax.") from error
    mine = {pack.name: pack for pack in own}
    everything = _section({name: one for name, one in table.items() if name not in _KINDS}, mine, "law", _KINDS)
    found = {kind: _named(table.get(kind, {}), mine, kind) for kind in _KINDS}
    return LawFile(everything, found["data_set"], found["study"])


def _named(table: Any, mine: Mapping[str, Pack], kind: str) -> dict[str, Section]:
    if not isinstance(table, dict):
        raise LawError(f"'{kind}' has tables.", remedy=f"Write [{kind}.NAME].")
    SECTIONS.check(len(table))
    return {name: _section(one, mine, f"{kind}.{name[:60]}") for name, one in table.items()}


def _section(table: Any, mine: Mapping[str, Pack], place: str, others: tuple[str, ...] = ()) -> Section:
    if not isinstance(table, dict):
        raise LawError(f"{place}: it is a table.", remedy=f"Write [{place}].")
    for word in table:
        if word not in _PARTS:
            raise unknown_word("part of a law file", word, (*_PARTS, *others), f"{place}: ")
    facts = table.get("facts", {})
    if not isinstance(facts, dict) or "at" in facts or "matter" in facts:
        raise LawError(f"{place}: facts are a table without 'at' and 'matter'.", remedy="The node knows these two.")
    read_subject({**facts, "matter": "law", "at": to_text(0)})
    pilot = table.get("pilot", "")
    if not isinstance(pilot, str) or "/" in pilot or "\\" in pilot or pilot.startswith("."):
        raise LawError(f"{place}: a pilot is named by its file.", remedy='Write pilot = "heart.pilot".')
    return Section(_packs(table.get("packs", []), mine, place), facts, _fence(table.get("fence"), place), pilot)


def _packs(names: Any, mine: Mapping[str, Pack], place: str) -> tuple[Pack, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LawError(f"{place}: packs are a list of names.", remedy='Write packs = ["pipl"].')
    PACKS_NAMED.check(len(names))
    return tuple(mine[name] if name in mine else load_pack(name) for name in dict.fromkeys(names))


def _fence(table: Any, place: str) -> Fence | None:
    if table is None:
        return None
    try:
        fence = msgspec.convert({"name": place, **table} if isinstance(table, dict) else table, Fence)
    except msgspec.ValidationError as error:
        known = [one.name for one in msgspec.structs.fields(Fence)]
        raise LawError(f"{place}: the fence cannot be read.", why=str(error), remedy=f"Known: {known}.") from error
    checked = check_fence(fence)
    if isinstance(checked, Denied):
        raise LawError(f"{place}: {checked.reasons[0].words}", remedy=checked.reasons[0].remedy)
    return fence
