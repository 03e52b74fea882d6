"""A file of terms as people write it (TOML): the facts of a use, the packs it is checked by, the answers given."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import Any

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.terms.law.answers import Answer, record_answer
from xinglin.terms.law.errors import LawError, unknown_word
from xinglin.terms.law.loading import load_pack
from xinglin.terms.law.model import Pack, Rule
from xinglin.terms.law.subject import LawSubject, read_instant_of, read_subject

TERMS_BYTES = Limit("file of terms", 262_144, "bytes")
PACKS_NAMED = Limit("law packs of terms", 64, "packs")

_ANSWER_FIELDS = ("rule", "yes", "by", "at", "days", "note")


class StatedTerms(msgspec.Struct, frozen=True):
    """What a file states."""

    subject: LawSubject
    packs: tuple[Pack, ...]
    answers: tuple[Answer, ...]


def read_stated(text: str, own: Iterable[Pack] = ()) -> StatedTerms:
    """The facts, packs and answers of a file; ``own`` packs are named in it like the shipped ones.

    Raises ``LawError`` for whatever is unknown, with the nearest known word.
    """
    TERMS_BYTES.check(len(text.encode("utf-8", "replace")))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LawError("The terms are no TOML.", why=str(error), remedy="Mend their syntax.") from error
    for word in table:
        if word not in ("packs", "facts", "answers"):
            raise unknown_word("part of terms", word, ("packs", "facts", "answers"))
    mine = {pack.name: pack for pack in own}
    names = table.get("packs", [])
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise LawError("The terms name no law packs.", remedy='Write packs = ["pipl", …].')
    PACKS_NAMED.check(len(names))
    packs = tuple(mine[name] if name in mine else load_pack(name) for name in dict.fromkeys(names))
    facts = table.get("facts")
    if not isinstance(facts, dict):
        raise LawError("The terms state no facts.", remedy="Write [facts] with matter and at.")
    subject = read_subject(facts)
    given = table.get("answers", [])
    if not isinstance(given, list):
        raise LawError("Answers are a list of tables.", remedy="Write [[answers]].")
    rules = {rule.key: rule for pack in packs for rule in pack.rules}
    return StatedTerms(subject, packs, tuple(_answer(one, rules, subject.matter) for one in given))


def _answer(table: Any, rules: dict[str, Rule], matter: str) -> Answer:
    if not isinstance(table, dict):
        raise LawError("An answer is a table.", remedy="Write [[answers]].")
    for word in table:
        if word not in _ANSWER_FIELDS:
            raise unknown_word("field of an answer", word, _ANSWER_FIELDS)
    rule = rules.get(str(table.get("rule")))
    if rule is None:
        asked = [key for key, one in rules.items() if one.question]
        raise unknown_word("rule of these packs", table.get("rule"), asked)
    yes, by, days, note = table.get("yes"), table.get("by"), table.get("days"), table.get("note", "")
    if not isinstance(yes, bool) or not isinstance(by, str) or not isinstance(note, str):
        raise LawError(f"The answer to {rule.key} says yes or no, and by whom.", remedy="Write yes, by and at.")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int)):
        raise LawError(f"The answer to {rule.key} holds a number of days.", remedy="Write days = 30, or leave it out.")
    at = read_instant_of("at", table.get("at"))
    return record_answer(rule, matter=matter, yes=yes, by=by, at=at, days=days, note=note)
