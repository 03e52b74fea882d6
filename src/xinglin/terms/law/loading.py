"""Packs are read from TOML, the shipped ones and a hospital's own; whatever is unknown is refused, with its place."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar, get_args

import msgspec

from xinglin.kernel.canonical import sha256_digest
from xinglin.kernel.limits import Limit
from xinglin.terms.law.conditions import ALWAYS, read_condition
from xinglin.terms.law.errors import LawError, unknown_word
from xinglin.terms.law.model import PACK_VERSION, Clock, Pack, Rule, Status, Withdrawal
from xinglin.terms.places import read_place
from xinglin.terms.purposes import BASES

PACKS = (
    "data_security_law",
    "dengbao_miping",
    "ehds",
    "ethics_review_2023",
    "gdpr",
    "hipaa",
    "human_genetic_resources",
    "iso27799",
    "network_data_2025",
    "pipl",
)
"""The packs that are shipped."""

T = TypeVar("T", Withdrawal, Clock)

PACK_BYTES = Limit("law pack", 262_144, "bytes")
RULES = Limit("rules of a law pack", 500, "rules")
ANSWER_DAYS = Limit("days that an answer holds", 1_096, "days")
DEFAULT_ANSWER_DAYS = 365

_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}\Z")
_NAME = re.compile(r"[a-z][a-z0-9_]{1,62}\Z")
_PACK_FIELDS = ("version", "name", "title", "title_zh", "status", "since", "jurisdiction", "source", "note")
_TABLES = ("rule", "withdrawal", "clock")
_RULE_FIELDS = (
    "id",
    "article",
    "words",
    "words_zh",
    "applies_when",
    "check",
    "remedy",
    "source",
    "judgement",
    "question",
    "question_zh",
    "valid_days",
    "relaxable",
    "second_hand",
    "draft",
)


@cache
def load_pack(name: str) -> Pack:
    """A pack of the package by its name; ``LawError`` with the nearest name where there is none."""
    if name not in PACKS:
        raise unknown_word("law pack", name, PACKS)
    return read_pack((files(__package__) / "packs" / f"{name}.toml").read_text("utf-8"))


def read_pack(text: str) -> Pack:
    """The pack that a TOML text states; ``LawError`` says what cannot be read, where, and the nearest known word."""
    PACK_BYTES.check(len(text.encode("utf-8", "replace")))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LawError("A law pack is no TOML.", why=str(error), remedy="Mend its syntax.") from error
    _only(table, (*_PACK_FIELDS, *_TABLES), "field of a pack", "")
    if table.get("version") != PACK_VERSION:
        raise LawError("The pack's version is not known.", remedy=f"Write version = {PACK_VERSION}, or upgrade.")
    head: dict[str, Any] = {
        name: _text(table, name, "", empty=name == "note") for name in _PACK_FIELDS if name != "version"
    }
    _checked_head(head)
    name, source = head["name"], head["source"]
    rules = tuple(_rule(one, name, source, number) for number, one in enumerate(_list(table, "rule"), 1))
    RULES.check(len(rules))
    withdrawals = tuple(_struct(one, Withdrawal, name) for one in _list(table, "withdrawal"))
    clocks = tuple(_struct(one, Clock, name) for one in _list(table, "clock"))
    for one in withdrawals:
        if one.basis not in BASES:
            raise unknown_word("basis", one.basis, BASES, f"{name}: ")
    _once([one.id for one in rules], "rule", name)
    _once([one.id for one in clocks], "clock", name)
    _once([one.basis for one in withdrawals], "withdrawal", name)
    if not rules:
        raise LawError(f"{name}: a pack has rules.", remedy="Write [[rule]] tables.")
    return Pack(
        **head,
        digest=sha256_digest(text.encode()),
        rules=tuple(sorted(rules, key=lambda one: one.id)),
        withdrawals=withdrawals,
        clocks=clocks,
    )


def _checked_head(head: dict[str, Any]) -> None:
    if not _NAME.match(head["name"]):
        raise LawError("A pack has a plain name.", remedy="Use small letters, digits and _.")
    if head["status"] not in get_args(Status):
        raise unknown_word("status", head["status"], get_args(Status), f"{head['name']}: ")
    if read_place(head["jurisdiction"]) is None and head["jurisdiction"] != "any":
        raise LawError(f"{head['name']}: the jurisdiction is no place.", remedy="Write a place, or any.")
    try:
        date.fromisoformat(head["since"])
    except ValueError as error:
        raise LawError(f"{head['name']}: 'since' is no date.", remedy="Write it as 2021-11-01.") from error


def _rule(table: Any, pack: str, source: str, number: int) -> Rule:
    named = table.get("id") if isinstance(table, dict) else None
    place = f"{pack}.{named}: " if isinstance(named, str) else f"{pack}, rule {number}: "
    if not isinstance(table, dict):
        raise LawError(f"{place}a rule is a table.", remedy="Write [[rule]].")
    _only(table, _RULE_FIELDS, "field of a rule", place)
    id_ = _text(table, "id", place)
    if not _ID.match(id_):
        raise LawError(f"{place}a rule has a plain id.", remedy="Use small letters, digits and -.")
    flags = {name: _flag(table, name, place, name == "second_hand") for name in ("relaxable", "second_hand", "draft")}
    judged = _flag(table, "judgement", place, False)
    question = _text(table, "question", place, empty=not judged)
    if judged != bool(question):
        raise LawError(f"{place}a judgement has a question, and only one.", remedy="Write both, or neither.")
    if not judged and "check" not in table:
        raise LawError(f"{place}a rule checks something, or asks a person.", remedy="Write check, or judgement.")
    days = table.get("valid_days", DEFAULT_ANSWER_DAYS if judged else 0)
    if isinstance(days, bool) or not isinstance(days, int) or (days < 1 if judged else days != 0):
        raise LawError(f"{place}an answer holds some days.", remedy="Write valid_days of a judgement, 1 or more.")
    ANSWER_DAYS.check(days)
    applies = read_condition(table["applies_when"], f"{place}applies_when") if "applies_when" in table else ALWAYS
    return Rule(
        id=id_,
        pack=pack,
        article=_text(table, "article", place),
        words=_text(table, "words", place),
        words_zh=_text(table, "words_zh", place),
        applies=applies,
        check=read_condition(table["check"], f"{place}check") if "check" in table else ALWAYS,
        remedy=_text(table, "remedy", place),
        source=_text(table, "source", place, empty=True) or source,
        question=question,
        question_zh=_text(table, "question_zh", place, empty=not judged),
        valid_days=days,
        **flags,
    )


def _struct(table: Any, kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        fields = [one.name for one in msgspec.structs.fields(kind)]
        unknown = [word for word in table if word not in fields] if isinstance(table, dict) else []
        if unknown:
            raise unknown_word("field", unknown[0], fields, f"{place}: ") from error
        raise LawError(
            f"{place}: a {kind.__name__.lower()} cannot be read.", why=str(error), remedy="Mend it."
        ) from error


def _list(table: dict[str, Any], name: str) -> list[Any]:
    found = table.get(name, [])
    if not isinstance(found, list):
        raise LawError(f"'{name}' is a list of tables.", remedy=f"Write [[{name}]].")
    return found


def _only(table: dict[str, Any], known: tuple[str, ...], what: str, place: str) -> None:
    for word in table:
        if word not in known:
            raise unknown_word(what, word, known, place)


def _text(table: dict[str, Any], name: str, place: str, *, empty: bool = False) -> str:
    found = table.get(name, "")
    if not isinstance(found, str) or not (found.strip() or empty):
        raise LawError(f"{place}'{name}' is missing or no text.", remedy="Write it.")
    return found


def _flag(table: dict[str, Any], name: str, place: str, default: bool) -> bool:
    found = table.get(name, default)
    if not isinstance(found, bool):
        raise LawError(f"{place}'{name}' is true or false.", remedy="Write one of them.")
    return found


def _once(names: list[str], what: str, place: str) -> None:
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise LawError(f"{place}: {what} '{double[0]}' is there twice.", remedy="Keep one.")
