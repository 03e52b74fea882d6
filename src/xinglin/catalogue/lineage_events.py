"""Lineage as OpenLineage run events (specification 2-0-2), with the schema and column lineage facets.

An event says what a job made of what; it holds names of columns and digests, and no value of a row. One event a
data set that has sources; job and run ids are derived from the edges, so that the same lineage is the same events.
"""

from __future__ import annotations

import uuid
from typing import Any

from xinglin.catalogue.lineage import Edge, Field, LineageGraph
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant, to_text

EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
COLUMN_SCHEMA = (
    "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet"
)
FIELDS_SCHEMA = "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
PRODUCER = "https://github.com/xinglin/xinglin"
_RUNS = uuid.UUID("8f0c6e0e-4d0a-5d7e-9a56-2f8f4a1c7b10")

_HOW: dict[str, tuple[str, str]] = {
    "same": ("DIRECT", "IDENTITY"),
    "made": ("DIRECT", "TRANSFORMATION"),
    "counted": ("DIRECT", "AGGREGATION"),
    "chosen": ("INDIRECT", "FILTER"),
}


def lineage_events(graph: LineageGraph, namespace: str, at: Instant) -> tuple[dict[str, Any], ...]:
    """COMPLETE events as JSON values, sources first. ``namespace``: the node (its DID, or a URI)."""
    return tuple(
        _event(graph, layer, dataset, namespace, at)
        for layer, dataset in graph.datasets()
        if any((edge.target.layer, edge.target.dataset) == (layer, dataset) for edge in graph.edges)
    )


def _event(graph: LineageGraph, layer: str, dataset: str, namespace: str, at: Instant) -> dict[str, Any]:
    edges = [edge for edge in graph.edges if (edge.target.layer, edge.target.dataset) == (layer, dataset)]
    inputs = sorted({(edge.source.layer, edge.source.dataset) for edge in edges})
    job = f"{layer}.{dataset}"
    told = [[str(edge.target), edge.source.layer, str(edge.source), edge.how, edge.by] for edge in edges]
    run = uuid.uuid5(_RUNS, f"{namespace} {job} {at} {canonical_digest(told)}")
    names = sorted({edge.target.name for edge in edges})
    return {
        "eventType": "COMPLETE",
        "eventTime": to_text(at),
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": {"runId": str(run), "facets": {}},
        "job": {"namespace": namespace, "name": job, "facets": {}},
        "inputs": [
            {
                "namespace": namespace,
                "name": f"{each}.{name}",
                "facets": {"schema": _fields([field.name for field in graph.fields_of(each, name)])},
            }
            for each, name in inputs
        ],
        "outputs": [
            {
                "namespace": namespace,
                "name": job,
                "facets": {"schema": _fields(names), "columnLineage": _columns(edges, names, namespace)},
            }
        ],
    }


def _fields(names: list[str]) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": FIELDS_SCHEMA, "fields": [{"name": name} for name in names]}


def _columns(edges: list[Edge], names: list[str], namespace: str) -> dict[str, Any]:
    fields = {}
    for name in names:
        own = sorted(edge for edge in edges if edge.target.name == name)
        fields[name] = {"inputFields": [_input(edge.source, edge, namespace) for edge in own]}
    return {"_producer": PRODUCER, "_schemaURL": COLUMN_SCHEMA, "fields": fields}


def _input(source: Field, edge: Edge, namespace: str) -> dict[str, Any]:
    kind, subtype = _HOW[edge.how]
    return {
        "namespace": namespace,
        "name": f"{source.layer}.{source.dataset}",
        "field": source.name,
        "transformations": [{"type": kind, "subtype": subtype, "description": edge.by, "masking": False}],
    }
