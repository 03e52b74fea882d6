"""Packs as values: rules, withdrawals and clocks, as their files state them."""

from __future__ import annotations

from typing import Literal

import msgspec

from xinglin.kernel.canonical import canonical_digest
from xinglin.terms.law.conditions import Condition

PACK_VERSION = 1
"""Of the form of a pack's file; a newer one is refused."""

Status = Literal["in force", "adopted", "draft", "standard"]
Effect = Literal["binding", "outputs-withheld", "not-binding"]
Regime = Literal["opt-in", "opt-out", "none"]
Frozen = Literal["leaves", "stays"]
Reach = Literal["at once", "later permits"]


class Rule(msgspec.Struct, frozen=True):
    """An article: when it ``applies``, what it asks (``check``), and the remedy.

    ``question`` (where not empty) is for a person, a "yes" satisfies it for ``valid_days``. ``relaxable``: a
    supervisor of a pilot may sign it away for the pilot's time. ``second_hand``: the text was read through others.
    """

    id: str
    pack: str
    article: str
    words: str
    words_zh: str
    applies: Condition
    check: Condition
    remedy: str
    source: str
    question: str = ""
    question_zh: str = ""
    valid_days: int = 0
    relaxable: bool = False
    second_hand: bool = True
    draft: bool = False

    @property
    def key(self) -> str:
        """``pack.rule``."""
        return f"{self.pack}.{self.id}"

    @property
    def asks(self) -> str:
        """The digest of the question: an answer to another wording is none to this one."""
        return canonical_digest((self.key, self.article, self.question))


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a withdrawal or objection does to a use on ``basis``.

    ``frozen``: whether the person leaves a frozen cohort. ``reach``: uses at once, or only permits issued later.
    """

    basis: str
    effect: Effect
    regime: Regime
    frozen: Frozen
    reach: Reach
    article: str
    words: str
    words_zh: str


class Clock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a step of a permit may take, in calendar months or weeks, and how far it may be prolonged."""

    id: str
    article: str
    words: str
    words_zh: str
    source: str
    months: int = 0
    weeks: int = 0
    extension_months: int = 0
    accelerated_months: int = 0
    accelerated_extension_months: int = 0
    waits: bool = False
    """Whether the time in which the office waits for the applicant does not count."""


class Pack(msgspec.Struct, frozen=True):
    """The rules of one law or control list; ``since`` is the day on which they apply (ISO date), ``digest`` its file's.

    A pack that is chosen is checked before that day as well: choosing it means to follow it.
    """

    name: str
    title: str
    title_zh: str
    status: Status
    since: str
    jurisdiction: str
    source: str
    digest: str
    rules: tuple[Rule, ...]
    withdrawals: tuple[Withdrawal, ...] = ()
    clocks: tuple[Clock, ...] = ()
    note: str = ""

    def rule(self, id_: str) -> Rule | None:
        """The rule of that id."""
        return next((one for one in self.rules if one.id == id_), None)
