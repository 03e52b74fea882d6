"""Rules that are certain: under which numbers records meet, what links a pair, what speaks against it."""

from __future__ import annotations

from xinglin.patients.model import Link, Traits, pair_of
from xinglin.patients.names import compatible
from xinglin.patients.traits import births_differ
from xinglin.records.fhir.references import identifier_key

_KNOWN_BY = "Patient/i-"
_FULL = len("1980-01-01")
_GENERATION = 12
"""Years between a parent's birth and a child's, at least."""


def keys_of(traits: Traits) -> tuple[str, ...]:
    """Texts that records of one person share; two records without a common one are not compared by rule.

    >>> keys_of(Traits("his/Patient/i-ab"))
    ('number i-ab', 'number his/i-ab')
    """
    if not traits.held:
        return ()
    found = [f"master {index}|{person}" for index, person in traits.masters]
    if traits.merged:
        found.append(into_key(traits.merged))
    if traits.id is not None and traits.id.kind != "damaged":
        found.append(f"id {traits.id.kind} {traits.id.number}")
    if traits.insurance and traits.name.key and traits.birth:
        found.append(f"insurance {traits.insurance}|{traits.name.key}|{traits.birth}")
    found += _number_keys(traits)
    return tuple(found)


def into_key(target: str) -> str:
    """The text under which records are found that were merged into ``target``."""
    return f"into {target}"


def bare_of(traits: Traits) -> str:
    """The key that facts have which name this person by the record's number alone; "" where it has none."""
    space, _ = _space(traits.key)
    return space + identifier_key(*_split(traits.number)) if traits.number else ""


def certain(one: Traits, other: Traits) -> Link | None:
    """The strongest rule that finds the pair, with the fields that agree; what speaks against it is ``against``."""
    rule = _rule(one, other)
    return Link(pair_of(one.key, other.key), rule, agreeing(one, other)) if rule else None


def _rule(one: Traits, other: Traits) -> str:
    if one.merged == other.key or other.merged == one.key:
        return "merge"
    if set(one.masters) & set(other.masters):
        return "crosswalk"
    if _same_id(one, other):
        if one.id is not None and one.id.checked:
            return "national_id"
        if one.birth == other.birth and len(one.birth) == _FULL:
            return "document"
    if _insured(one) and _insured(one) == _insured(other):
        return "insurance"
    return "identifier" if set(_number_keys(one)) & set(_number_keys(other)) else ""


def against(one: Traits, other: Traits) -> tuple[str, ...]:
    """Fields that say that two records are not of one person, whatever number they share.

    A number that contradicts the record's own birth date or sex is a relative's, as likely as not. Tests are
    nobody. Twins have one birth date, and their order.
    """
    found = []
    mine, theirs = dict(one.masters), dict(other.masters)
    if any(theirs.get(index, person) != person for index, person in mine.items()):
        found.append("master")
    if _checked(one) and _checked(other) and one.id != other.id:
        found.append("national_id")
    if births_differ(one.birth, other.birth) or _doubts(one, other, "birth_date"):
        found.append("birth_date")
    if (one.sex and other.sex and one.sex != other.sex) or _doubts(one, other, "sex"):
        found.append("sex")
    if _no_names_of_one(one, other):
        found.append("name")
    if one.multiple and other.multiple and one.multiple != other.multiple:
        found.append("multiple_birth")
    return tuple(found)


def worth_a_look(one: Traits, other: Traits) -> bool:
    """Whether a person should look at a pair that shares a number and has something against it.

    A child registered under a parent's number is no riddle; a test patient neither.
    """
    if one.name.test or other.name.test or one.name.newborn != other.name.newborn:
        return False
    years = abs(int(one.birth[:4]) - int(other.birth[:4])) if one.birth and other.birth else 0
    return not (years >= _GENERATION and one.name.key != other.name.key)


def twins(one: Traits, other: Traits) -> bool:
    """Whether two records may be of siblings born together, or of a child not named yet: born one day, of one
    family, reached at one place, and not of one name."""
    if not one.birth or one.birth != other.birth:
        return False
    if one.multiple and other.multiple and one.multiple != other.multiple:
        return True
    if one.name.newborn or other.name.newborn:
        return True
    same_family = bool(one.name.family) and one.name.family == other.name.family
    return same_family and one.name.key != other.name.key and not _same_id(one, other)


_SAME_OR_NOTHING = frozenset({"identifier", "postal_code"})
"""Fields in which one person may well say two things: only agreement tells something."""
_OTHER_OR_NOTHING = frozenset({"multiple_birth"})
"""Fields in which many persons say the same: only difference tells something."""


def _fields(one: Traits, other: Traits) -> tuple[tuple[str, object, object], ...]:
    """What both say, field by field."""
    return (
        ("national_id", one.id, other.id),
        ("insurance_id", one.insurance, other.insurance),
        ("identifier", one.number, other.number),
        ("name", one.name.key, other.name.key),
        ("birth_date", one.birth, other.birth),
        ("sex", one.sex, other.sex),
        ("phone", one.phone, other.phone),
        ("address", one.address, other.address),
        ("postal_code", one.postal, other.postal),
        ("multiple_birth", one.multiple, other.multiple),
    )


def agreeing(one: Traits, other: Traits) -> tuple[str, ...]:
    """Names of the fields in which both say the same."""
    same = (field for field, mine, theirs in _fields(one, other) if mine and mine == theirs)
    return tuple(field for field in same if field not in _OTHER_OR_NOTHING)


def differing(one: Traits, other: Traits) -> tuple[str, ...]:
    """Names of the fields in which both say something, and not the same."""
    apart = (field for field, mine, theirs in _fields(one, other) if mine and theirs and mine != theirs)
    return tuple(field for field in apart if field not in _SAME_OR_NOTHING)


def _no_names_of_one(one: Traits, other: Traits) -> bool:
    if one.name.test or other.name.test:
        return True
    unnamed = one.name.newborn or other.name.newborn
    return (unnamed and _same_id(one, other)) or not compatible(one.name, other.name)


def _number_keys(traits: Traits) -> tuple[str, ...]:
    """A number is of its issuer everywhere where that is a URI, else within its namespace alone."""
    space, id_ = _space(traits.key)
    if id_.startswith(_KNOWN_BY):
        known = id_.removeprefix("Patient/")
        return (f"number {known}", f"number {space}{known}") if space else (f"number {known}",)
    if not traits.number:
        return ()
    issuer, number = _split(traits.number)
    known = identifier_key(issuer, number).removeprefix("Patient/")
    return (f"number {known}" if ":" in issuer else f"number {space}{known}",)


def _split(number: str) -> tuple[str, str]:
    issuer, _, value = number.partition("|")
    return issuer, value


def _space(key: str) -> tuple[str, str]:
    """The namespace of a key, and the rest."""
    space, kind, id_ = key.rpartition("Patient/")
    return (space, kind + id_) if kind else ("", key)


def _insured(traits: Traits) -> tuple[str, str, str] | None:
    found = (traits.insurance, traits.name.key, traits.birth)
    return found if all(found) and len(traits.birth) == _FULL and not traits.name.newborn else None


def _same_id(one: Traits, other: Traits) -> bool:
    return one.id is not None and one.id.kind != "damaged" and one.id == other.id


def _checked(traits: Traits) -> bool:
    return traits.id is not None and traits.id.checked and not traits.doubts


def _doubts(one: Traits, other: Traits, field: str) -> bool:
    return _same_id(one, other) and (field in one.doubts or field in other.doubts)
