"""What a reader may see: the profiles made for readers like that one, and of several the strictest action a field."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from xinglin.privacy.deidentify.actions import meet_fields
from xinglin.privacy.deidentify.errors import NoProfile
from xinglin.privacy.deidentify.model import DROP, Action, Forms, Profile, Readers


def for_reader(profiles: Sequence[Profile], lane: str, grade: str, purpose: str) -> Profile:
    """The profile for a reader: the intersection of all of ``profiles`` that admit lane, grade and purpose.

    ``lane``: ``research``, ``public-health``, ``industry``, ``emergency``, ``public`` or a space's own. ``grade``: L1
    to L3. ``purpose``: a word of the space. Raises ``NoProfile`` where none admits the reader: nothing is given then.

    Guarantee: nothing that one of the profiles hides is shown.
    """
    admitted = [profile for profile in profiles if admits(profile.readers, lane, grade, purpose)]
    if not admitted:
        raise NoProfile(
            "No profile is made for this reader.", place="readers", remedy="Ask the data's holder for a profile."
        )
    return reduce(intersect, admitted)


def admits(readers: Readers, lane: str, grade: str, purpose: str) -> bool:
    """Whether a profile is for such a reader; an empty list of it admits every one.

    >>> admits(Readers(lanes=("research",)), "research", "L2", "GRU")
    True
    """
    asked = ((readers.lanes, lane), (readers.grades, grade), (readers.purposes, purpose))
    return all(not allowed or given in allowed for allowed, given in asked)


def intersect(one: Profile, other: Profile) -> Profile:
    """The strictest of two, field by field."""
    if one == other:
        return one
    return Profile(
        name=f"{one.name}+{other.name}",
        title=f"{one.title}; {other.title}",
        source=f"{one.source}; {other.source}",
        tables=_met(one.tables, other.tables),
        fhir={kind: _dotted(fields, one, other, kind) for kind, fields in _met(one.fhir, other.fhir).items()},
        hl7v2=_met(one.hl7v2, other.hl7v2),
        extensions=meet_fields(one.extensions, other.extensions),
        readers=Readers(),
        label=one.label if one.label == other.label else "PSEUDED",
    )


def _met(one: Forms, other: Forms) -> dict[str, dict[str, Action]]:
    """What only one of them names at all is not given; as a general list it may still be met by a special one."""
    return {name: meet_fields(one.get(name, {}), other.get(name, {})) for name in dict.fromkeys((*one, *other))}


def _dotted(fields: dict[str, Action], one: Profile, other: Profile, kind: str) -> dict[str, Action]:
    """An element that only one of them narrows by dotted names would fall back to its type's list: it is dropped."""
    heads = [{name.partition(".")[0] for name in each.fhir.get(kind, {}) if "." in name} for each in (one, other)]
    apart = heads[0] ^ heads[1]
    return {name: DROP if name.partition(".")[0] in apart else action for name, action in fields.items()}
