"""The profile language (TOML, format 1).

A *list* says what fields are: under each table, FHIR type and segment it sorts field names by *word* (``when``,
``coded``, ``name`` …). A *profile* extends lists, adds fields of its own, and says in ``[actions]`` what is done
with each word. A word without an action, and a field without a word, are dropped.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.kernel.limits import Limit
from xinglin.privacy.deidentify.actions import read_action
from xinglin.privacy.deidentify.errors import BadProfile, UnknownField
from xinglin.privacy.deidentify.model import DROP, FORMAT, KEEP, Action, Profile, Readers
from xinglin.privacy.deidentify.names import check_column, check_element, is_resource, read_spec
from xinglin.privacy.deidentify.nearest import nearest

SHIPPED = (
    "hipaa-safe-harbor",
    "hipaa-limited",
    "gb-t-37964",
    "gb-t-42460",
    "gdpr-pseudonymised",
    "emergency",
    "public",
)
"""The profiles that are shipped."""
LISTS = ("clinical", "clinical-fhir", "clinical-types", "clinical-hl7v2")
"""The lists that are shipped: what the fields of canonical tables, FHIR and HL7 v2 are."""

PROFILE_BYTES = Limit("profile size", 262_144, "bytes")
PROFILE_FIELDS = Limit("fields of a profile", 20_000, "fields")
_FORMS = ("tables", "fhir", "hl7v2", "own")
_KEYS = ("format", "name", "title", "source", "extends", "label", "readers", "only", "actions", "extensions", *_FORMS)
_READERS = ("lanes", "grades", "purposes")
Words = dict[str, dict[str, dict[str, str]]]
"""By form and table, type or segment: the word of each field."""


def load_profile(toml: str) -> Profile:
    """A profile from its text. Raises ``BadProfile`` and ``UnknownField`` (with the nearest known name)."""
    parsed = _parsed(toml)
    own = _words(parsed)
    words: Words = {form: {} for form in _FORMS}
    listed: set[str] = set()
    extends = parsed.get("extends", [])
    if not isinstance(extends, list):
        raise BadProfile("'extends' is a list of names.", place="extends")
    for name in extends:
        inherited = _shipped_list(name)
        listed |= _used(inherited)
        _overlay(words, inherited)
    used = _used(own)
    actions = _actions(parsed.get("actions", {}), used | listed)
    for word in sorted(used - set(actions)):
        raise UnknownField(word, "actions", nearest(word, actions))
    _overlay(words, own)
    return _built(parsed, _only(parsed, words), actions)


@cache
def shipped(name: str) -> Profile:
    """A profile that is shipped. Raises ``UnknownField``."""
    if name not in SHIPPED:
        raise UnknownField(name, "profiles", nearest(name, SHIPPED))
    return load_profile(_text(name))


def _text(name: str) -> str:
    return (files("xinglin.privacy.deidentify") / "shipped" / f"{name}.toml").read_text(encoding="utf-8")


@cache
def _shipped_list(name: str) -> Words:
    if name not in LISTS:
        raise UnknownField(name, "extends", nearest(name, LISTS))
    return _words(_parsed(_text(name)))


def _parsed(toml: str) -> dict[str, Any]:
    PROFILE_BYTES.check(len(toml.encode("utf-8", "surrogatepass")))
    try:
        parsed = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise BadProfile("It is not TOML.", place="profile", why=str(error)) from error
    for key in parsed:
        if key not in _KEYS:
            raise UnknownField(key, "profile", nearest(key, _KEYS))
    if parsed.get("format") != FORMAT:
        raise BadProfile(f"Only format {FORMAT} is known.", place="format", remedy=f"Write 'format = {FORMAT}'.")
    return parsed


def _words(parsed: dict[str, Any]) -> Words:
    words: Words = {}
    total = 0
    for form in _FORMS:
        words[form] = {name: _sorted(form, name, section) for name, section in _table(parsed, form).items()}
        total += sum(map(len, words[form].values()))
    PROFILE_FIELDS.check(total)
    return words


def _table(parsed: dict[str, Any], name: str) -> dict[str, Any]:
    section = parsed.get(name, {})
    if not isinstance(section, dict):
        raise BadProfile("It is a table.", place=name)
    return section


def _sorted(form: str, name: str, section: Any) -> dict[str, str]:
    """The word of each field of one table, type or segment."""
    place = f"{form}.{name}"
    if not isinstance(section, dict):
        raise BadProfile("It sorts field names by word.", place=place)
    found: dict[str, str] = {}
    for word, fields in section.items():
        if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
            raise BadProfile("A word is given a list of field names.", place=f"{place}.{word}")
        for field in fields:
            _check(form, name, field)
            if found.setdefault(field, word) != word:
                raise BadProfile(f"'{field}' stands under two words.", place=place)
    return found


def _check(form: str, name: str, field: str) -> None:
    if form == "own" and canonical_table(name) is not None:
        raise BadProfile("A canonical table is no table of one's own.", place=f"own.{name}")
    if form == "tables":
        check_column(name, field)
    elif form == "fhir":
        check_element(name, field)
    elif form == "hl7v2":
        read_spec(name, field)


def _used(words: Words) -> set[str]:
    return {word for form in words.values() for fields in form.values() for word in fields.values()}


def _overlay(words: Words, more: Words) -> None:
    for form, sections in more.items():
        for name, fields in sections.items():
            words[form][name] = {**words[form].get(name, {}), **fields}


def _only(parsed: dict[str, Any], words: Words) -> Words:
    """Of what the lists name, the tables, resource types and segments that the profile wants; data types stay."""
    only = _table(parsed, "only")
    for form, wanted in only.items():
        if form not in _FORMS:
            raise UnknownField(form, "only", nearest(form, _FORMS))
        for name in wanted:
            if name not in words[form]:
                raise UnknownField(str(name), f"only.{form}", nearest(str(name), words[form]))
    return {
        form: {name: fields for name, fields in sections.items() if form not in only or _wanted(name, only[form])}
        for form, sections in words.items()
    }


def _wanted(name: str, wanted: list[str]) -> bool:
    data_type = name[:1].isupper() and not name.isupper() and not is_resource(name.partition(".")[0])
    return name in wanted or data_type or name.partition(".")[0] in wanted


def _actions(section: Any, used: set[str]) -> dict[str, Action]:
    if not isinstance(section, dict):
        raise BadProfile("It gives each word an action.", place="actions")
    for word in section:
        if word not in used:
            raise UnknownField(word, "actions", nearest(word, used))
    named = {word: read_action(value, f"actions.{word}") for word, value in section.items()}
    return {"keep": KEEP, "drop": DROP, **named}


def _built(parsed: dict[str, Any], words: Words, actions: dict[str, Action]) -> Profile:
    for key in ("name", "title", "source"):
        if not isinstance(parsed.get(key), str) or not parsed[key]:
            raise BadProfile("A profile has a name, a title and a source.", place=key)
    forms = {
        form: {name: _allowed(fields, actions) for name, fields in sections.items()} for form, sections in words.items()
    }
    extensions = {url: read_action(value, f"extensions.{url}") for url, value in _table(parsed, "extensions").items()}
    return Profile(
        name=parsed["name"],
        title=parsed["title"],
        source=parsed["source"],
        tables={**forms["own"], **forms["tables"]},
        fhir=forms["fhir"],
        hl7v2=forms["hl7v2"],
        extensions=extensions,
        readers=_readers(parsed.get("readers", {})),
        label=str(parsed.get("label", "PSEUDED")),
    )


def _allowed(fields: dict[str, str], actions: dict[str, Action]) -> dict[str, Action]:
    """What is dropped stays named: it goes before what a more general list says."""
    return {field: actions.get(word, DROP) for field, word in fields.items()}


def _readers(section: Any) -> Readers:
    if not isinstance(section, dict) or any(key not in _READERS for key in section):
        unknown = next((key for key in section if key not in _READERS), "") if isinstance(section, dict) else ""
        raise UnknownField(unknown, "readers", nearest(unknown, _READERS))
    if not all(isinstance(each, list) for each in section.values()):
        raise BadProfile("Lanes, grades and purposes are lists of words.", place="readers")
    return Readers(**{key: tuple(map(str, each)) for key, each in section.items()})
