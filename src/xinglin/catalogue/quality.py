"""Quality as values: a check, what it found, a hospital's scorecard, and the part of it that may be published.

The six kinds are those of the OHDSI Data Quality Dashboard (Blacketer et al., J Am Med Inform Assoc 2021; Kahn et
al. 2016) with its completeness, conformance (here ``validity``) and plausibility, and uniqueness, integrity of
references and timeliness beside them. A check is data: what rows it is about and what makes one of them fail, in
SQL over a table's current view; nothing here runs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant

Kind = Literal["completeness", "validity", "plausibility", "uniqueness", "integrity", "timeliness"]
Severity = Literal["error", "warning", "notice"]
State = Literal["passed", "failed", "nothing"]
Join = Literal["", "patient", "death", "encounter", "repeats", "refers"]

KINDS: dict[Kind, str] = {
    "completeness": "完整性",
    "validity": "规范性",
    "plausibility": "合理性",
    "uniqueness": "唯一性",
    "integrity": "一致性",
    "timeliness": "及时性",
}
"""The kinds, with their Chinese names (GB/T 36344-2018 has the same characteristics)."""

RULES_VERSION = 1
"""Version of the closed list of checks; it grows when a check is added or changed."""

FEW = 10
"""Fewer persons than this are never told of in public."""


class QualityCheck(msgspec.Struct, frozen=True):
    """One check of one table. ``applies`` and ``fails``: SQL conditions over the row ``f`` (and what is joined).

    ``join``: what stands beside the row: its ``patient`` record (``p``), the ``death`` of the person (``d``), its
    ``encounter`` (``e``), the row that ``column`` ``refers`` to (``r``, of table ``of``), or its number among rows
    with the same ``needs`` (``repeats``: ``f."#n"``, and ``f."#first"``, the patient of the first). ``needs``:
    columns without which there is nothing to check. ``threshold``: the share of failing rows above which the check
    fails. ``words``, ``words_zh``: what a failing row is, in English and in Chinese.
    """

    id: str
    kind: Kind
    table: str
    column: str
    fails: str
    words: str
    words_zh: str
    applies: str = "true"
    join: Join = ""
    needs: tuple[str, ...] = ()
    of: str = ""
    threshold: float = 0.0
    severity: Severity = "warning"


class CheckResult(msgspec.Struct, frozen=True):
    """What a check found: rows that it was about, rows that failed, and the persons behind both. Never leaves."""

    check: str
    kind: Kind
    table: str
    column: str
    severity: Severity
    rows: int
    failing: int
    persons: int
    persons_failing: int
    threshold: float
    state: State

    @property
    def share(self) -> float:
        """Failing rows by rows; 0 where there are none."""
        return self.failing / self.rows if self.rows else 0.0


class Scorecard(msgspec.Struct, frozen=True):
    """Every check of every table at one instant, over the pinned versions of ``snapshot``. Version 1; append-only."""

    at: Instant
    snapshot: str
    results: tuple[CheckResult, ...]
    rules: int = RULES_VERSION
    format: int = 1

    def failed(self, severity: Severity | None = None) -> tuple[CheckResult, ...]:
        """Checks that failed, worst first."""
        order = ("error", "warning", "notice")
        found = [one for one in self.results if one.state == "failed" and severity in (None, one.severity)]
        return tuple(sorted(found, key=lambda one: (order.index(one.severity), -one.share, one.check)))

    def digest(self) -> str:
        """``sha256:…`` of everything that was found."""
        rows = [[one.check, one.rows, one.failing, one.state] for one in self.results]
        return canonical_digest({"at": self.at, "snapshot": self.snapshot, "rules": self.rules, "results": rows})


class PublicResult(msgspec.Struct, frozen=True):
    """A check's outcome as it may be told. ``failing_percent``: whole percents, -1 where it is not told
    (fewer than ``FEW`` persons on one side of it); ``state`` is then all there is."""

    check: str
    kind: Kind
    table: str
    column: str
    state: State
    failing_percent: int


class QualityStatement(msgspec.Struct, frozen=True):
    """What a hospital says in public about its data's quality. Version 1; append-only.

    ``scores``: by kind, checks passed in whole percents of those that found something to check.
    """

    at: Instant
    scores: dict[str, int]
    results: tuple[PublicResult, ...]
    rules: int = RULES_VERSION
    format: int = 1


def judge(check: QualityCheck, rows: int, failing: int, persons: int, persons_failing: int) -> CheckResult:
    """The result of a check by what was counted.

    >>> some = QualityCheck("x", "validity", "t", "c", "false", "", "", threshold=0.1)
    >>> judge(some, 100, 11, 100, 11).state, judge(some, 100, 10, 100, 10).state, judge(some, 0, 0, 0, 0).state
    ('failed', 'passed', 'nothing')
    """
    state: State = "nothing" if not rows else "failed" if failing > check.threshold * rows else "passed"
    return CheckResult(
        check.id,
        check.kind,
        check.table,
        check.column,
        check.severity,
        rows,
        failing,
        persons,
        persons_failing,
        check.threshold,
        state,
    )


def quality_statement(card: Scorecard, *, few: int = FEW) -> QualityStatement:
    """The public part of a scorecard.

    Guarantee: checks about fewer than ``few`` persons are left out; a share is told only where at least ``few``
    persons fail and at least ``few`` do not, or where nobody fails or passes among ``few`` or more; no count is.
    The share is rounded to a whole percent.
    """
    told = tuple(_public(one, few) for one in card.results if one.persons >= few and one.rows)
    return QualityStatement(card.at, _scores(told), told, card.rules)


def _public(one: CheckResult, few: int) -> PublicResult:
    failing, passing = one.persons_failing, one.persons - one.persons_failing
    # Nobody and a few look alike, and so do all and nearly all: neither tells of a person.
    told = failing >= few and passing >= few
    percent = round(100 * one.share) if told else -1
    # The verdict of a check that a handful of persons decide would tell of them: it is the side they do not move.
    state: State = one.state if told or failing >= few else "passed"
    return PublicResult(one.check, one.kind, one.table, one.column, state, percent)


def _scores(told: Iterable[PublicResult]) -> dict[str, int]:
    passed: dict[str, list[bool]] = {}
    for one in told:
        passed.setdefault(one.kind, []).append(one.state == "passed")
    return {kind: round(100 * sum(found) / len(found)) for kind, found in sorted(passed.items())}
