"""Lineage events go through the classes of OpenLineage's own Python package and come out as they went in.

The package's classes are generated from the specification: they demand its required fields, check that a run's id is
a UUID and an event's time a date and time, and write the URL of the schema that they were generated from.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from openlineage.client import event_v2 as ol
from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset
from openlineage.client.serde import Serde
from tests.unit.catalogue.test_lineage import AT, GRAPH

from xinglin.catalogue.lineage import Edge, Field, lineage_graph
from xinglin.catalogue.lineage_events import PRODUCER, lineage_events

NODE = "did:example:node"
Event = dict[str, Any]


def events() -> list[Event]:
    return [copy.deepcopy(event) for event in lineage_events(GRAPH, NODE, AT)]


def read(event: Event) -> ol.RunEvent:
    """The event by the package's classes. A field that they do not know, or miss, is an error."""
    rest = dict(event)
    schema = rest.pop("schemaURL")
    found = ol.RunEvent(
        eventType=ol.RunState(rest.pop("eventType")),
        run=ol.Run(**rest.pop("run")),
        job=ol.Job(**rest.pop("job")),
        inputs=[ol.InputDataset(**_with_facets(one)) for one in rest.pop("inputs")],
        outputs=[ol.OutputDataset(**_with_facets(one)) for one in rest.pop("outputs")],
        **rest,
    )
    assert found.schemaURL == schema
    return found


def _with_facets(dataset: Event) -> Event:
    readers: dict[str, Callable[[Event], Any]] = {"schema": _schema, "columnLineage": _column_lineage}
    return dataset | {"facets": {name: readers[name](facet) for name, facet in dataset["facets"].items()}}


def _schema(facet: Event) -> Any:
    own = {name: value for name, value in facet.items() if not name.startswith("_")}
    fields = [schema_dataset.SchemaDatasetFacetFields(**field) for field in own.pop("fields")]
    found = schema_dataset.SchemaDatasetFacet(fields=fields, producer=facet["_producer"], **own)
    assert found._schemaURL == facet["_schemaURL"]
    return found


def _column_lineage(facet: Event) -> Any:
    own = {name: value for name, value in facet.items() if not name.startswith("_")}
    fields = {
        name: column_lineage_dataset.Fields(**(field | {"inputFields": [_input(one) for one in field["inputFields"]]}))
        for name, field in own.pop("fields").items()
    }
    dataset = [_input(one) for one in own.pop("dataset")]
    found = column_lineage_dataset.ColumnLineageDatasetFacet(
        fields=fields, dataset=dataset, producer=facet["_producer"], **own
    )
    assert found._schemaURL == facet["_schemaURL"]
    return found


def _input(field: Event) -> Any:
    return column_lineage_dataset.InputField(
        **(
            field
            | {"transformations": [column_lineage_dataset.Transformation(**one) for one in field["transformations"]]}
        )
    )


def told(value: Any) -> Any:
    """Without what is empty, which the package adds to its own classes."""
    if isinstance(value, dict):
        return {name: told(one) for name, one in value.items() if one not in (None, {}, [])}
    return [told(one) for one in value] if isinstance(value, list) else value


def test_events_come_out_of_the_package_as_they_went_in() -> None:
    for event in events():
        assert told(Serde.to_dict(read(event))) == told(event)


def test_each_run_starts_once_and_completes_once() -> None:
    by_run: dict[str, list[str]] = {}
    for event in events():
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert list(by_run.values()) == [["START", "COMPLETE"]] * 3
    jobs = [event["job"]["name"] for event in events()[1::2]]
    assert jobs == ["resource.Observation", "canonical.observation", "product.means"]


def test_what_the_specification_demands() -> None:
    for event in events():
        assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
        assert event["eventTime"] == "2023-11-14T22:13:20.000Z"
        assert event["producer"] == PRODUCER
        for dataset in (event["job"], *event["inputs"], *event["outputs"]):
            assert dataset["namespace"] == NODE
            assert dataset["name"]
        for dataset in (*event["inputs"], *event["outputs"]):
            for facet in dataset["facets"].values():
                assert facet["_producer"] == PRODUCER
                assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")


def test_columns_lead_to_columns_and_filters_to_the_whole() -> None:
    facet = events()[-1]["outputs"][0]["facets"]["columnLineage"]
    assert facet["fields"] == {
        "mean": {
            "inputFields": [
                {
                    "namespace": NODE,
                    "name": "canonical.observation",
                    "field": "value_number",
                    "transformations": [
                        {"type": "DIRECT", "subtype": "AGGREGATION", "description": "sha256:1", "masking": False}
                    ],
                }
            ]
        }
    }
    (row,) = facet["dataset"]
    assert (row["field"], row["transformations"][0]["type"], row["transformations"][0]["subtype"]) == (
        "code",
        "INDIRECT",
        "FILTER",
    )
    names = [one["name"] for one in events()[-1]["outputs"][0]["facets"]["schema"]["fields"]]
    assert names == ["mean"]


def test_inputs_of_columns_are_inputs_of_the_run() -> None:
    for event in events()[1::2]:
        known = {(one["namespace"], one["name"]): one["facets"]["schema"]["fields"] for one in event["inputs"]}
        facet = event["outputs"][0]["facets"]["columnLineage"]
        fields = [one for field in facet["fields"].values() for one in field["inputFields"]]
        for one in (*fields, *facet["dataset"]):
            assert {"name": one["field"]} in known[one["namespace"], one["name"]]


def test_the_same_lineage_is_the_same_events_and_another_is_another_run() -> None:
    assert events() == events()
    other = lineage_graph([*GRAPH.edges, Edge(Field("product", "means", "n"), Field("canonical", "observation", "id"))])
    runs = {event["run"]["runId"] for event in lineage_events(other, NODE, AT)}
    assert events()[-1]["run"]["runId"] not in runs
    assert {event["run"]["runId"] for event in lineage_events(GRAPH, NODE, AT + 1)}.isdisjoint(
        event["run"]["runId"] for event in events()
    )


@pytest.mark.parametrize(
    "path",
    [
        ("run", "runId"),
        ("job", "namespace"),
        ("job", "name"),
        ("eventTime",),
        ("outputs", 0, "namespace"),
        ("outputs", 0, "name"),
        ("outputs", 0, "facets", "columnLineage", "fields"),
        ("outputs", 0, "facets", "columnLineage", "fields", "mean", "inputFields"),
        ("outputs", 0, "facets", "columnLineage", "fields", "mean", "inputFields", 0, "field"),
        ("outputs", 0, "facets", "columnLineage", "fields", "mean", "inputFields", 0, "transformations", 0, "type"),
    ],
)
def test_the_package_refuses_what_lacks_a_required_field(path: tuple[Any, ...]) -> None:
    event = events()[-1]
    inner: Any = event
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    with pytest.raises((TypeError, KeyError)):
        read(event)


@pytest.mark.parametrize(("path", "value"), [("runId", "run-1"), ("eventTime", "2023-11-14")])
def test_the_package_refuses_what_is_no_uuid_and_no_instant(path: str, value: str) -> None:
    event = events()[-1]
    (event["run"] if path == "runId" else event)[path] = value
    with pytest.raises(ValueError):
        read(event)
