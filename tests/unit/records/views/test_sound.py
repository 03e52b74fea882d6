"""Views compiled for sound resources give the rows of those that take nothing for granted, on whatever is sound."""

from __future__ import annotations

import copy
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from xinglin.records.fhir import FhirReader
from xinglin.records.fhir.quick import passes
from xinglin.records.model import ReadContext, Resource
from xinglin.records.views.compiled import OFTEN, compile_view
from xinglin.records.views.definition import parse_view
from xinglin.records.views.errors import NotOneValue
from xinglin.records.views.mapping import map_resources
from xinglin.records.views.shipped import canonical_views
from xinglin.records.views.sound import NOWHERE, Kind, Known, element

CONTEXT = ReadContext("test", 0)


@pytest.fixture(scope="module")
def resources(shared_data: Path) -> list[Resource]:
    """The resources of ten patients."""
    bodies: list[bytes] = []
    with tarfile.open(shared_data / "synthea" / "bundles.tar.xz") as archive:
        for member in archive:
            opened = archive.extractfile(member) if member.isfile() else None
            if opened is not None and len(bodies) < 10:
                bodies.append(opened.read())
    return [one for body in bodies for part in FhirReader().read(body, CONTEXT) for one in part.resources]


def both(body: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """What each view of a resource says of it, in general and compiled for a sound resource of its shape."""
    for view in canonical_views().by_resource.get(body["resourceType"], ()):
        yield _said(view.compiled._any_shape, body), _said(view.compiled.of_shape(tuple(body), True), body)


def _said(function: Any, body: Any) -> Any:
    try:
        return function(body)
    except NotOneValue as error:
        return error.code


def test_resources_without_a_finding_are_sound(resources: list[Resource]) -> None:
    assert all(one.sound and not one.flags for one in resources)
    odd = [b'{"resourceType":"Patient","id":"1","gender":"unsaid"}', b'{"resourceType":"Patient","id":"1","x":1}']
    found = [one for body in odd for part in FhirReader().read(body, CONTEXT) for one in part.resources]
    assert [one.sound for one in found] == [False, False]
    assert not any(one.sound for part in FhirReader(checked=False).read(odd[0], CONTEXT) for one in part.resources)
    r5 = ReadContext("test", 0, release="R5")
    plain = b'{"resourceType":"Patient","id":"1"}'
    assert [one.sound for c in (CONTEXT, r5) for part in FhirReader().read(plain, c) for one in part.resources] == [
        True,
        False,
    ]


def test_real_resources_have_the_same_rows(resources: list[Resource]) -> None:
    shapes: set[tuple[str, ...]] = set()
    for one in resources:
        shape = (one.body["resourceType"], *one.body)
        if shape in shapes:
            continue
        shapes.add(shape)
        for general, sound in both(one.body):
            assert sound == general
    assert len(shapes) > 20


def test_changed_resources_that_are_sound_still_have_the_same_rows(resources: list[Resource]) -> None:
    chance = random.Random(11)
    firsts = {one.body["resourceType"]: one.body for one in resources}
    compared = 0
    for _ in range(250):
        for body in firsts.values():
            changed = copy.deepcopy(body)
            for _ in range(chance.randint(1, 4)):
                _change(changed, chance)
            if passes(changed, "R4"):
                compared += 1
                for general, sound in both(changed):
                    assert sound == general, orjson.dumps(changed)
    assert compared > 500


def _change(body: dict[str, Any], chance: random.Random) -> None:
    """One element of it left out, or an item of a list left out, doubled or moved."""
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [body]
    while waiting:
        some = waiting.pop()
        inner = list(some.items()) if isinstance(some, dict) else list(enumerate(some))
        places += [(some, key) for key, _ in inner if key not in ("resourceType", "id")]
        waiting += [each for _, each in inner if isinstance(each, dict | list)]
    holder, key = chance.choice(places)
    if isinstance(holder, dict):
        if isinstance(holder[key], dict) and chance.random() < 0.3:
            holder[key] = {}
        else:
            del holder[key]
    elif chance.random() < 0.5:
        holder.append(copy.deepcopy(holder[key]))
    elif len(holder) > 1:
        del holder[key]


def test_several_values_are_refused_alike() -> None:
    view = compile_view(
        parse_view({"resource": "Patient", "select": [{"column": [{"name": "family", "path": "name.family"}]}]})
    )
    two = {"resourceType": "Patient", "name": [{"family": "Li"}, {"family": "Wang"}]}
    for function in (view._any_shape, view.of_shape(tuple(two), True)):
        with pytest.raises(NotOneValue):
            function(two)


def test_a_frequent_shape_is_told_apart_by_what_is_known_of_it() -> None:
    sound = Resource({"resourceType": "Patient", "id": "1", "name": [{"family": "Li"}]}, "entry[0]", sound=True)
    odd = Resource({"resourceType": "Patient", "id": "1", "name": {"family": "Li"}}, "entry[0]")
    for _ in range(OFTEN.value + 2):
        assert map_resources([sound]) == map_resources([odd])


def test_what_definitions_say_of_elements() -> None:
    assert element(Kind("Patient"), "birthDate") == Known(False, Kind())
    assert element(Kind("Observation"), "component") == Known(True, Kind("Observation.component"))
    assert element(Kind("Patient"), "colour") is NOWHERE
    assert element(Kind("Observation"), "value", choice=True) is None  # value[x]
    assert element(Kind("Quantity"), "value", choice=True) == Known(False, Kind())
    assert element(Kind("Patient"), "contained") == Known(True, None)
    assert element(None, "id") is element(Kind(), "id") is None
