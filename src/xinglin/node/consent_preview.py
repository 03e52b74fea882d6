"""What a choice would change, before it is made: which studies and agreements it touches, and from when."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from xinglin.contract import Agreement
from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import Clock, Instant, system_clock
from xinglin.kernel.verdict import Denied, Verdict
from xinglin.node.agreements import read_offer
from xinglin.node.consent import consent_use
from xinglin.node.intake.wiring import known_consent_register
from xinglin.node.settings import NodeSettings
from xinglin.node.wiring import open_node_database
from xinglin.stores.node_rows import AgreementRow
from xinglin.terms.consent import Choice, ConsentUse, Rule, Where, effective
from xinglin.terms.consent_use import StudyWord
from xinglin.terms.request import Plan

RUNNING = ("countersigned", "active", "suspended")
"""States of an agreement under which a study may still run."""
_NEVER: Instant = 2**62


class Touched(msgspec.Struct, frozen=True):
    """One agreement, before and after: whether the person's rows are seen, what changes, and from when (0: never).

    ``running``: runs under way that end with the rows with which they began.
    """

    agreement: str
    study: str
    state: str
    purpose: str
    before: bool
    after: bool
    since: Instant
    words: str
    running: int = 0

    @property
    def changes(self) -> bool:
        """Whether anything changes for this study."""
        return self.before != self.after


class Uses(msgspec.Struct, frozen=True):
    """What a person said, and every use of this node's agreements: read once, for each choice that is weighed."""

    said: tuple[Choice, ...]
    asked: tuple[tuple[AgreementRow, ConsentUse, bool, int], ...]

    def after(self, choices: Sequence[Choice]) -> tuple[Touched, ...]:
        """What these choices, were they recorded now, would change."""
        weighed = Weighed((*self.said, *choices))
        return tuple(_touched(row, use, before, weighed, n) for row, use, before, n in self.asked)


class Weighed:
    """One person's choices, weighed once for all uses that they cannot tell apart: most studies here are alike to them.

    They tell studies and tables apart by name alone, where a rule names one, and cutoffs by which choices came before.
    """

    def __init__(self, choices: Sequence[Choice]) -> None:
        self._choices = choices
        wheres = [where for one in choices if one.rule is not None for where in _wheres(one.rule)]
        self._studies = frozenset(name for where in wheres for name in where.studies)
        self._names_classes = any(where.classes for where in wheres)
        self._instants = sorted({one.at for one in choices})
        self._known: dict[ConsentUse, Verdict] = {}

    def verdict(self, use: ConsentUse) -> Verdict:
        """``effective`` of these choices and ``use``."""
        study = use.study if use.study in self._studies else ""
        classes = use.classes if self._names_classes else None
        alike = msgspec.structs.replace(use, study=study, classes=classes, cutoff=self._next(use.cutoff))
        found = self._known.get(alike)
        if found is None:
            found = self._known[alike] = effective(self._choices, alike)
        return found

    def _next(self, cutoff: Instant | None) -> Instant | None:
        """The first choice that does not bind: whatever cutoff lies between it and the choice before means the same."""
        if cutoff is None:
            return None
        place = bisect_left(self._instants, cutoff)
        return self._instants[place] if place < len(self._instants) else _NEVER


def _wheres(rule: Rule) -> Iterator[Where]:
    yield rule.where
    for one in rule.exceptions:
        yield from _wheres(one)


def preview(
    folder: Path, settings: NodeSettings, choices: Sequence[Choice], clock: Clock = system_clock
) -> tuple[Touched, ...]:
    """What choices of one person, were they recorded now, would change at this node; nothing is written."""
    return uses_of(folder, settings, choices[0].person, clock).after(choices)


def uses_of(folder: Path, settings: NodeSettings, person: str, clock: Clock = system_clock) -> Uses:
    """Every use under an agreement of this node, as it stands towards the person now."""
    register = known_consent_register(folder)
    said: tuple[Choice, ...] = ()
    words: dict[str, StudyWord] = {}
    if register is not None:
        try:
            said = tuple(choice for _, choice in register.history(person))
            words = {word.study: word for word in register.words()}
        finally:
            register.close()
    database = open_node_database(folder, settings, clock)
    try:
        rows = [row for row in database.agreements() if row.state in RUNNING]
        running = Counter(decode_json(row.plan, Plan).study for row in database.open_runs())
    finally:
        database.close()
    found, now, weighed = [], clock(), Weighed(said)
    for row in rows:
        agreement = _offer(row.offered)
        for purpose in agreement.terms.purposes:
            use = consent_use(words.get(agreement.study), agreement, purpose, row.since, now)
            found.append((row, use, bool(weighed.verdict(use)), running[agreement.study]))
    return Uses(said, tuple(found))


@lru_cache(2048)
def _offer(offered: bytes) -> Agreement:
    """An offer's agreement: a page reads every one of them, and none ever changes."""
    return read_offer(offered)


def _touched(row: AgreementRow, use: ConsentUse, before: bool, weighed: Weighed, running: int) -> Touched:
    verdict = weighed.verdict(use)
    after = bool(verdict)
    since: Instant = use.at if before != after else 0
    if before != after:
        words = (
            "From the next run on the person is in." if after else "From the next run on the person's rows are gone."
        )
    elif after and use.cutoff is not None and not weighed.verdict(msgspec.structs.replace(use, cutoff=None)):
        law = f" ({use.article})" if use.article else ""
        words = f"Does not bind this study{law}: it holds for later agreements."
    else:
        told = " ".join(reason.words for reason in verdict.reasons) if isinstance(verdict, Denied) else ""
        words = f"Nothing changes. {told}".strip()
    return Touched(row.agreement_id, row.study, row.state, use.purpose, before, after, since, words, running)
