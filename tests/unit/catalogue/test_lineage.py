"""Graphs of columns and their picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from xinglin.catalogue.lineage import Edge, Field, LineageGraph, lineage_graph
from xinglin.catalogue.lineage_picture import PICTURE_FIELDS, lineage_picture
from xinglin.kernel.errors import LimitExceeded

SHEET, SEGMENT = Field("sheet", "lab", "数值"), Field("segment", "OBX", "5")
ELEMENT = Field("resource", "Observation", "valueQuantity.value")
VALUE, CODE = Field("canonical", "observation", "value_number"), Field("canonical", "observation", "code")
MEAN, EVERY = Field("product", "means", "mean"), Field("product", "means", "*")
GRAPH = lineage_graph(
    [
        Edge(VALUE, SHEET, "same", "mapping lab"),
        Edge(ELEMENT, SEGMENT, "made", "map OBX[Observation]"),
        Edge(VALUE, ELEMENT, "same", "view observation"),
        Edge(MEAN, VALUE, "counted", "sha256:1"),
        Edge(EVERY, CODE, "chosen", "sha256:1"),
        Edge(EVERY, CODE, "chosen", "sha256:1"),
    ]
)
AT = 1_700_000_000_000


def test_a_column_is_followed_to_the_source() -> None:
    assert len(GRAPH.edges) == 5
    found = {edge.source for edge in GRAPH.upstream([MEAN]).edges}
    assert found == {VALUE, SHEET, ELEMENT, SEGMENT}
    assert {edge.target for edge in GRAPH.downstream([SEGMENT]).edges} == {ELEMENT, VALUE, MEAN}
    assert GRAPH.sources_of(EVERY)[0].how == "chosen"
    assert str(SEGMENT) == "OBX-5"


def test_a_circle_ends() -> None:
    circle = lineage_graph([Edge(VALUE, CODE), Edge(CODE, VALUE)])
    assert circle.upstream([VALUE]) == circle


@pytest.mark.parametrize(("language", "words"), [("en", "canonical tables"), ("zh", "规范表")])
def test_the_picture_is_well_formed_and_the_same_every_time(language: str, words: str) -> None:
    drawn = lineage_picture(GRAPH, language)
    assert drawn == lineage_picture(LineageGraph(GRAPH.edges), language)
    root = ET.fromstring(drawn)
    texts = {node.text for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {words, "数值", "mean"} <= texts
    paths = [node for node in root.iter("{http://www.w3.org/2000/svg}path") if node.find("{*}title") is not None]
    assert len(paths) == len(GRAPH.edges)


def test_the_picture_holds_no_markup_of_a_name() -> None:
    evil = Field("sheet", "<script>", '"><script>alert(1)</script>')
    drawn = lineage_picture(lineage_graph([Edge(VALUE, evil)]))
    assert "<script" not in drawn
    ET.fromstring(drawn)


def test_a_picture_has_a_limit() -> None:
    many = [Edge(VALUE, Field("sheet", "s", f"c{n}")) for n in range(PICTURE_FIELDS.value)]
    with pytest.raises(LimitExceeded):
        lineage_picture(lineage_graph(many))
    lineage_picture(lineage_graph(many[:-1]))
