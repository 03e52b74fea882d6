"""What is known of the parts of a sound resource: one that passed every check of its FHIR R4 definitions.

Where the definitions say that an element is an object, it is one; where they say that it occurs several times, it is a
list with items and without nulls. A view that is compiled for sound resources asks for none of that again.
``fhir.quick`` is what makes sure of it.
"""

from __future__ import annotations

import msgspec

from xinglin.records.fhir.definitions import is_defined
from xinglin.records.fhir.primitives import is_primitive
from xinglin.records.fhir.shapes import names_of

RELEASE = "R4"
"""The release of which resources are told to be sound."""


class Kind(msgspec.Struct, frozen=True):
    """What the items of a part are: objects of a defined type, or primitive values (``type`` is empty)."""

    type: str = ""


class Known(msgspec.Struct, frozen=True):
    """An element as the definitions have it. ``kind`` None: they say nothing of what is in it."""

    many: bool
    kind: Kind | None


NOWHERE = Known(False, None)
"""No sound object of the type has the element."""


def kind_of_resource(resource: str) -> Kind | None:
    """The kind of a type of resources; None where there are no definitions of it."""
    return Kind(resource) if is_defined(resource) else None


def element(kind: Kind | None, name: str, *, choice: bool = False) -> Known | None:
    """The element under a JSON name in objects of a kind; None where the definitions do not decide.

    ``choice``: the name may also be the first part of another one (``value`` of ``valueQuantity``).

    >>> element(Kind("Observation"), "category")
    Known(many=True, kind=Kind(type='CodeableConcept'))
    >>> element(Kind("Observation"), "value", choice=True) is None
    True
    """
    if kind is None or not kind.type or name == "resourceType" or name[:1] == "_":
        return None
    names = names_of(kind.type, RELEASE)
    if choice and any(each.startswith(name) and each[len(name)].isupper() for each in names if len(each) > len(name)):
        return None
    found = names.get(name)
    if found is None:
        return NOWHERE
    return Known(found[0].many, _kind(found[1].name))


def _kind(name: str) -> Kind | None:
    path = name.removeprefix("@")
    if is_primitive(path):
        return Kind()
    return Kind(path) if is_defined(path) and path not in ("Resource", "Extension", "Element") else None
