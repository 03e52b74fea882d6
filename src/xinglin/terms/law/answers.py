"""Answers of persons to the questions that no program can decide: who, when, until when, and to which wording."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.terms.law.conditions import DAY_MS
from xinglin.terms.law.errors import LawError
from xinglin.terms.law.model import Rule
from xinglin.terms.request import is_name

NOTE_CHARS = Limit("note of an answer", 2_000, "characters")
WHO_CHARS = Limit("name of who answers", 240, "characters")


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``rule`` (as ``pack.rule``), for one ``matter``: ``yes`` satisfies it from ``at`` until before ``expires``.

    ``by``: who answered. ``asks``: digest of the question that was answered. Append-only; a later answer replaces.
    """

    rule: str
    matter: str
    yes: bool
    by: str
    at: Instant
    expires: Instant
    asks: str
    note: str = ""
    version: int = 1


def record_answer(
    rule: Rule, *, matter: str, yes: bool, by: str, at: Instant, days: int | None = None, note: str = ""
) -> Answer:
    """The answer to a rule's question, for ``days`` (1 to the rule's own limit, which is meant where none is given).

    Raises ``LawError`` where the rule asks no person, nobody answers, or the answer is to hold too long.
    """
    held = rule.valid_days if days is None else days
    if not rule.question:
        raise LawError(f"{rule.key} asks no person.", remedy="Mend the facts that it checks.")
    if not by.strip() or not is_name(matter):
        raise LawError("An answer says who gave it, and on which matter.", remedy="Name both.")
    if not 1 <= held <= rule.valid_days:
        raise LawError(f"An answer to {rule.key} holds 1 to {rule.valid_days} days.", remedy="Answer again then.")
    NOTE_CHARS.check(len(note))
    WHO_CHARS.check(len(by))
    expires = at + held * DAY_MS
    return Answer(
        rule=rule.key, matter=matter, yes=yes, by=by, at=at, expires=expires, asks=rule.asks, note=note.strip()
    )


def standing(rule: Rule, matter: str, at: Instant, answers: Iterable[Answer]) -> Answer | None:
    """The newest answer to this wording on this matter that holds at ``at``; of two at one instant, the "no".

    An expired answer does not bring back an older one: only the newest counts, and only until it expires.
    """
    same = [one for one in answers if one.rule == rule.key and one.matter == matter and one.version == 1]
    asks = rule.asks if same else ""
    given = [one for one in same if one.asks == asks and one.by.strip() and one.at <= at]
    newest = max(given, key=lambda one: (one.at, not one.yes), default=None)
    if newest is None or at >= min(newest.expires, newest.at + rule.valid_days * DAY_MS):
        return None
    return newest
