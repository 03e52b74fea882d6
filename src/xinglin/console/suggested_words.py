"""What a proposed mapping says, in the reader's language: meanings of columns and the reasons for them."""

from __future__ import annotations

import re

from xinglin.records.tabular.suggest import SAID
from xinglin.records.tabular.words import meanings
from xinglin.words import N_, Words

_REASONS = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (r"the name is in use for it", N_("the name is in use for it")),
        (r"the name and a number", N_("the name and a number")),
        (r"the name holds '(?P<word>.*)'", N_("the name holds “%(word)s”")),
        (r"the name is close to '(?P<word>.*)'", N_("the name is close to “%(word)s”")),
        (r"values are of the kind '(?P<kind>.*)'", N_("values are of the kind “%(kind)s”")),
        (r"values look like it \((?P<share>.*)\)", N_("values look like it (%(share)s)")),
        (r"only (?P<share>.*) of the values look like it", N_("only %(share)s of the values look like it")),
        (r"the name is a medicine's", N_("the name is a medicine's")),
        (r"its values say whether it is given", N_("its values say whether it is given")),
        (r"the name is a measurement's", N_("the name is a measurement's")),
        (r"the name says that it counts", N_("the name says that it counts")),
        (r"values are numbers", N_("values are numbers")),
        (r"it stands between medicines and has their words", N_("it stands between medicines and has their words")),
        (r"nothing in its name or values is known", N_("nothing in its name or values is known")),
        (r"a column of (?P<table>\w+) in OMOP CDM 5.4", N_("a column of %(table)s in OMOP CDM 5.4")),
        (r"it is not in the shipped mapping of this table", N_("it is not in the shipped mapping of this table")),
        (re.escape(SAID), N_("a person said so")),
    )
)
_NOTES = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (
            r"No column names the person: the visit '(?P<visit>.*)' stands for the person\. Correct this .*",
            N_("No column names the person: the visit “%(visit)s” stands for the person. Correct this first."),
        ),
        (
            r"No column names the person: each line counts as a person\. Correct this .*",
            N_("No column names the person: each line counts as a person. Correct this first."),
        ),
        (
            r"The units of measurements in columns of their own are the usual ones: check them\.",
            N_("The units of measurements in columns of their own are the usual ones: check them."),
        ),
    )
)
_KINDS = {
    "count": N_("a count"),
    "medicine": N_("a medicine, given or not"),
    "measure": N_("a measurement"),
}


def reason_words(words: Words, reason: str) -> str:
    """A reason of a guess in the reader's language; one that is not known stays as it is."""
    return _told(words, _REASONS, reason)


def note_words(words: Words, note: str) -> str:
    """A note of a proposal in the reader's language; one that is not known stays as it is."""
    return _told(words, _NOTES, note)


def meaning_label(words: Words, meaning: str) -> str:
    """What a column is about: the name that is most in use for it, and the meaning's key."""
    if meaning in _KINDS:
        return words.text(_KINDS[meaning])
    return meaning_labels(words).get(meaning, meaning)


def meaning_labels(words: Words) -> dict[str, str]:
    """Every meaning that a person can choose, by key."""
    found = {}
    for one in meanings():
        named = one.chinese if words.language == "zh" else one.english
        found[one.key] = f"{named[0].replace('_', ' ')} ({one.key})" if named else one.key
    return found


def _told(words: Words, known: tuple[tuple[re.Pattern[str], str], ...], text: str) -> str:
    for pattern, said in known:
        if (found := pattern.fullmatch(text)) is not None:
            return words.text(said, **found.groupdict()) if found.groupdict() else words.text(said)
    return text
