"""Lineage as OpenLineage run events (specification 2-0-2), with the schema and column lineage facets (both 1-2-0).

Events say what a job made of what; they hold names of columns and digests, and no value of a row. A data set that has
sources has one job and one run, which starts and completes at the same instant; its id is derived from the edges, so
that the same lineage is the same events. What decides which rows there are stands under the facet's ``dataset``.
"""

from __future__ import annotations

import uuid
from typing import Any

from xinglin.catalogue.lineage import Edge, Field, Layer, LineageGraph
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant, to_text

EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
COLUMN_SCHEMA = (
    "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet"
)
FIELDS_SCHEMA = "https://openlineage.io/spec/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
PRODUCER = "urn:xinglin:lineage:1"
ROWS = "*"
"""The column of a product that stands for its rows."""
_RUNS = uuid.UUID("8f0c6e0e-4d0a-5d7e-9a56-2f8f4a1c7b10")

_HOW: dict[str, tuple[str, str]] = {
    "same": ("DIRECT", "IDENTITY"),
    "made": ("DIRECT", "TRANSFORMATION"),
    "counted": ("DIRECT", "AGGREGATION"),
    "chosen": ("INDIRECT", "FILTER"),
}


def lineage_events(graph: LineageGraph, namespace: str, at: Instant) -> tuple[dict[str, Any], ...]:
    """START and COMPLETE of each data set's run as JSON values, sources first.

    ``namespace``: the node, a URI or a DID. The specification asks for one START and one end a run; the facets stand
    in the COMPLETE event.
    """
    return tuple(
        event
        for layer, dataset in graph.datasets()
        if any((edge.target.layer, edge.target.dataset) == (layer, dataset) for edge in graph.edges)
        for event in _events(graph, layer, dataset, namespace, at)
    )


def _events(
    graph: LineageGraph, layer: Layer, dataset: str, namespace: str, at: Instant
) -> tuple[dict[str, Any], dict[str, Any]]:
    edges = [edge for edge in graph.edges if (edge.target.layer, edge.target.dataset) == (layer, dataset)]
    inputs = sorted({(edge.source.layer, edge.source.dataset) for edge in edges})
    job = f"{layer}.{dataset}"
    told = [[str(edge.target), edge.source.layer, str(edge.source), edge.how, edge.by] for edge in edges]
    run = uuid.uuid5(_RUNS, f"{namespace} {job} {at} {canonical_digest(told)}")
    head = {
        "eventTime": to_text(at),
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": {"runId": str(run), "facets": {}},
        "job": {"namespace": namespace, "name": job, "facets": {}},
    }
    started = head | {
        "eventType": "START",
        "inputs": [_dataset(namespace, f"{each}.{name}", {}) for each, name in inputs],
        "outputs": [_dataset(namespace, job, {})],
    }
    made = {"schema": _fields(graph, layer, dataset), "columnLineage": _columns(edges, namespace)}
    done = head | {
        "eventType": "COMPLETE",
        "inputs": [
            _dataset(namespace, f"{each}.{name}", {"schema": _fields(graph, each, name)}) for each, name in inputs
        ],
        "outputs": [_dataset(namespace, job, made)],
    }
    return started, done


def _dataset(namespace: str, name: str, facets: dict[str, Any]) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "facets": facets}


def _fields(graph: LineageGraph, layer: Layer, dataset: str) -> dict[str, Any]:
    names = [field.name for field in graph.fields_of(layer, dataset) if field.name != ROWS]
    return {"_producer": PRODUCER, "_schemaURL": FIELDS_SCHEMA, "fields": [{"name": name} for name in names]}


def _columns(edges: list[Edge], namespace: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    rows = []
    for edge in sorted(edges):
        found = _input(edge.source, edge, namespace)
        if edge.target.name == ROWS:
            rows.append(found)
        else:
            fields.setdefault(edge.target.name, {"inputFields": []})["inputFields"].append(found)
    return {"_producer": PRODUCER, "_schemaURL": COLUMN_SCHEMA, "fields": fields, "dataset": rows}


def _input(source: Field, edge: Edge, namespace: str) -> dict[str, Any]:
    kind, subtype = _HOW[edge.how]
    return {
        "namespace": namespace,
        "name": f"{source.layer}.{source.dataset}",
        "field": source.name,
        "transformations": [{"type": kind, "subtype": subtype, "description": edge.by, "masking": False}],
    }
