"""From canonical columns to fields of the source, by what the package ships and by a hospital's mapping."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.intake.hospital import LAB, MAPPING, Hospital, results

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.lineage import Field, lineage_graph
from xinglin.intake.lineage import mapping_edges, segment_edges, source_edges, source_graph, trace, view_edges
from xinglin.intake.model import Source
from xinglin.kernel.instants import system_clock
from xinglin.lake.lineage import versions_of_fact
from xinglin.records.tabular.mapping import parse_mapping

V2 = Source("adt", media_type="x-application/hl7-v2+er7")


def sources(table: str, column: str, layer: str) -> set[str]:
    graph = lineage_graph((*view_edges(), *segment_edges()))
    found = graph.upstream([Field("canonical", table, column)])
    return {str(edge.source) for edge in found.edges if edge.source.layer == layer}


@pytest.mark.parametrize(
    ("table", "column", "element", "segment"),
    [
        ("patient", "birth_date", "Patient.birthDate", "PID-7"),
        ("patient", "sex", "Patient.gender", "PID-8"),
        ("condition", "code", "Condition.code.coding.code", "DG1-3.1"),
        ("condition", "onset", "Condition.onsetDateTime", "DG1-5"),
        ("observation", "value_number", "Observation.valueQuantity.value", "OBX-5"),
        ("observation", "code_source", "Observation.code.coding.code", "OBX-3.1"),
        ("encounter", "started", "Encounter.period.start", "PV1-44"),
    ],
)
def test_columns_lead_to_elements_and_segments(table: str, column: str, element: str, segment: str) -> None:
    assert element in sources(table, column, "resource")
    assert segment in sources(table, column, "segment")


def test_every_edge_of_a_view_names_a_stored_column() -> None:
    for edge in view_edges():
        table = canonical_table(edge.target.dataset)
        assert table is not None
        assert edge.target.name in {part.name for part in table.physical()}
        assert edge.source.name


def test_a_mapping_leads_to_the_sheets_columns() -> None:
    edges = {(str(edge.target), edge.source.name, edge.how) for edge in mapping_edges(parse_mapping(MAPPING))}
    assert {
        ("patient.id", "mrn", "made"),
        ("patient.sex", "sex", "same"),
        ("observation.id", "test", "made"),
        ("observation.code_source", "test", "same"),
        ("observation.value_number", "value", "same"),
    } <= edges


def test_sources_bring_what_they_can_fill() -> None:
    assert {edge.source.layer for edge in source_edges(LAB)} == {"sheet"}
    assert {edge.source.layer for edge in source_edges(Source("fhir"))} == {"resource"}
    assert {edge.source.layer for edge in source_edges(V2)} == {"resource", "segment"}
    only = source_graph([Source("fhir", tables=("patient",))])
    assert {name for layer, name in only.datasets() if layer == "canonical"} == {"patient"}


def test_a_fact_is_traced_to_the_raw_object(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path)
    hospital.ledger.register(LAB, system_clock())
    (kept,) = hospital.send(results(0, 3))
    hospital.intake.drain()
    versions = versions_of_fact(hospital.lake, "observation", "Observation/1-hb")
    (found,) = trace("observation", versions, hospital.accounts.object)
    assert (found.digest, found.source) == (kept.digest, "lab")
    assert found.place
    assert found.object is not None
    assert (found.object.media_type, found.object.state) == ("text/csv", "committed")
    assert "Observation/1" not in repr(found)
    hospital.close()
