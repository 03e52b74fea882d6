"""Charts: any finite numbers and any labels give well-formed XML, named, escaped, with the table behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.console.charts import (
    Bar,
    Bin,
    Budget,
    Cell,
    Chart,
    Estimate,
    Group,
    Lane,
    Line,
    Link,
    Mark,
    Node,
    Station,
    Step,
    bars,
    columns,
    forest,
    gauge,
    graph,
    heat,
    histogram,
    lanes,
    lines,
    qr,
    ring,
    spark,
    survival,
)
from xinglin.console.charts.axes import nice_ticks, scale_of
from xinglin.console.charts.graph import layered
from xinglin.console.charts.model import ChartError
from xinglin.kernel.errors import LimitExceeded

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "\"><script>alert(1)</script><g x='&\x00\x1b\ud800\u202e\ufffe"
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
SHARE = st.floats(min_value=0, max_value=1)
LABEL = st.text(max_size=30) | st.just(HOSTILE)
TITLE = LABEL.filter(lambda text: bool(text.strip()))


def sound(chart: Chart) -> ET.Element:
    """The chart's root, after what holds for every chart was looked at."""
    root = ET.fromstring(str(chart.svg))
    assert root.tag == SVG + "svg"
    text = str(chart.svg)
    assert not re.search(r"\b(nan|inf)\b", re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "><", text), re.IGNORECASE)
    assert "<script" not in text
    assert not any("style" in one.attrib or any(name.startswith("on") for name in one.attrib) for one in root.iter())
    first, second = root[0], root[1]
    assert (first.tag, second.tag) == (SVG + "title", SVG + "desc")
    assert root.attrib["aria-labelledby"].split() == [first.attrib["id"], second.attrib["id"]]
    assert (first.text or "").strip() == " ".join((chart.title).split("\r")).strip() or first.text is not None
    ids = [one.attrib["id"] for one in root.iter() if "id" in one.attrib]
    assert len(ids) == len(set(ids))
    x, y, width, height = map(float, root.attrib["viewBox"].split())
    assert (x, y) == (0, 0)
    assert width > 0
    assert height > 0
    assert all(len(row) == len(chart.columns) for row in chart.rows)
    return root


@given(TITLE, st.lists(st.builds(Bar, LABEL, NUMBER, LABEL, st.booleans()), max_size=8))
def test_bars(title: str, found: list[Bar]) -> None:
    sound(bars(title, found))


@given(st.data(), st.lists(LABEL, max_size=6))
def test_columns(data: st.DataObject, series: list[str]) -> None:
    value = st.none() | NUMBER
    values = st.tuples(*[value] * len(series))
    groups = data.draw(st.lists(st.builds(Group, LABEL, values), max_size=6))
    sound(columns("t", groups, series, counted=HOSTILE, named=HOSTILE))


@given(st.lists(st.builds(Bin, NUMBER, NUMBER, st.none() | POSITIVE), max_size=8))
def test_histogram(bins: list[Bin]) -> None:
    sound(histogram("t", bins, unit=HOSTILE))


@given(st.lists(st.builds(Line, LABEL, st.lists(st.builds(Mark, NUMBER, NUMBER), max_size=6).map(tuple)), max_size=6))
def test_lines(series: list[Line]) -> None:
    sound(lines("t", series, across=HOSTILE, counted=HOSTILE))


STEPS = st.lists(st.builds(Step, POSITIVE, SHARE, SHARE, SHARE, st.none() | POSITIVE), max_size=6)


@given(st.lists(st.tuples(LABEL, STEPS), max_size=4))
def test_survival(groups: list[tuple[str, Sequence[Step]]]) -> None:
    sound(survival("t", groups, across=HOSTILE))


@given(st.lists(NUMBER, max_size=20))
def test_spark(values: list[float]) -> None:
    sound(spark("t", values))


RATIO = st.floats(min_value=1e-300, allow_infinity=False, allow_nan=False)


@given(st.lists(st.builds(Estimate, LABEL, NUMBER, NUMBER, NUMBER, LABEL), max_size=6))
def test_forest(found: list[Estimate]) -> None:
    sound(forest("t", found))


@given(st.lists(st.builds(Estimate, LABEL, RATIO, RATIO, RATIO), max_size=6))
def test_forest_of_ratios(found: list[Estimate]) -> None:
    sound(forest("t", found, log=True, across=HOSTILE))


@given(st.builds(Budget, POSITIVE, POSITIVE, POSITIVE, st.none() | POSITIVE, LABEL), LABEL)
def test_gauge(budget: Budget, unit: str) -> None:
    sound(gauge("t", budget, unit=unit))


@given(TITLE, NUMBER, NUMBER)
def test_ring(title: str, left: float, of: float) -> None:
    sound(ring(title, left, of))


@given(st.data(), st.lists(LABEL, max_size=5), st.lists(LABEL, max_size=5))
def test_heat(data: st.DataObject, rows: list[str], named: list[str]) -> None:
    cell = st.builds(Cell, st.none() | NUMBER, LABEL, LABEL)
    size = len(named)
    cells = [data.draw(st.lists(cell, min_size=size, max_size=size)) for _ in rows]
    sound(heat("t", rows, named, cells))


STATION = st.builds(Station, st.sampled_from(["done", "now", "next", "failed", "skipped"]), LABEL)


@given(st.data(), st.lists(LABEL, max_size=6))
def test_lanes(data: st.DataObject, stations: list[str]) -> None:
    own = st.lists(STATION, min_size=len(stations), max_size=len(stations)).map(tuple)
    sound(lanes("t", stations, data.draw(st.lists(st.builds(Lane, LABEL, own, LABEL), max_size=4))))


@given(st.binary(max_size=300) | st.text(st.characters(codec="utf-8"), max_size=100))
def test_qr(content: bytes | str) -> None:
    sound(qr("t", content))


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_graph_of_any_edges_even_cycles(count: int, edges: list[tuple[int, int]]) -> None:
    nodes = [Node(str(n), HOSTILE, HOSTILE, f"/x/{n}") for n in range(count)]
    sound(graph("t", nodes, [Link(str(a % count), str(b % count), HOSTILE, True) for a, b in edges]))


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_layers_hold_every_name_once_and_targets_lie_right_of_sources(count: int, pairs: list[tuple[int, int]]) -> None:
    edges = [(f"{min(a, b) % count}", f"{max(a, b) % count}") for a, b in pairs]
    edges = [(a, b) for a, b in edges if int(a) < int(b)]
    layers = layered([str(n) for n in range(count)], edges)
    depth = {name: number for number, layer in enumerate(layers) for name in layer}
    assert len(depth) == sum(map(len, layers)) == count
    assert all(depth[a] < depth[b] for a, b in edges)


def test_the_order_of_layers_undoes_a_crossing() -> None:
    layers = layered(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
    assert [layers[0].index("a") < layers[0].index("b")] == [layers[1].index("y") < layers[1].index("x")]


def test_links_of_a_graph_can_be_reached_and_lead_nowhere_else() -> None:
    chart = graph("t", [Node("1", "one", href="/runs/1"), Node("2", "two")], [Link("1", "2")])
    root = sound(chart)
    assert root.attrib["role"] == "group"
    assert [one.attrib["href"] for one in root.iter(SVG + "a")] == ["/runs/1"]
    for bad in ("javascript:alert(1)", "//elsewhere.example", "/\\elsewhere.example", "http://elsewhere.example"):
        with pytest.raises(ChartError):
            graph("t", [Node("1", "one", href=bad)], [])


EMPTY: list[Callable[[], Chart]] = [
    lambda: bars("t", []),
    lambda: columns("t", [], []),
    lambda: histogram("t", []),
    lambda: lines("t", []),
    lambda: survival("t", [("a", [])]),
    lambda: forest("t", []),
    lambda: heat("t", [], [], []),
    lambda: lanes("t", [], []),
    lambda: graph("t", [], []),
]


@pytest.mark.parametrize("draw", EMPTY)
def test_an_empty_chart_says_so(draw: Callable[[], Chart]) -> None:
    text = "".join(one.text or "" for one in sound(draw()).iter(SVG + "text"))
    assert text in ("There is nothing to show yet.", "Nothing has started yet.")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(bad: float) -> None:
    for draw in (
        lambda: bars("t", [Bar("a", bad)]),
        lambda: columns("t", [Group("a", (bad,))], ["s"]),
        lambda: lines("t", [Line("a", (Mark(0, bad),))]),
        lambda: gauge("t", Budget(bad, 0, 1)),
        lambda: ring("t", bad, 1),
        lambda: spark("t", [bad]),
    ):
        with pytest.raises(ChartError):
            draw()


def test_more_series_than_can_be_told_apart_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        lines("t", [Line(str(n), ()) for n in range(7)])


def test_hidden_cells_are_hatched_and_named_without_their_value() -> None:
    chart = heat("t", ["men"], ["yes", "no"], [[Cell(12), Cell(None, rule="count-5")]])
    assert chart.rows == (("men", "12", "hidden by count-5"),)
    assert "url(#chart-" in chart.svg
    hidden = bars("t", [Bar("a", 3), Bar("b", 1, hidden=True)])
    assert hidden.rows == (("a", "3"), ("b", "not shown"))


def test_a_hostile_label_is_text_and_nothing_else() -> None:
    root = sound(bars(HOSTILE, [Bar(HOSTILE, 1)]))
    assert not list(root.iter(SVG + "script"))
    assert "\u202e" not in ET.tostring(root, encoding="unicode")


def test_labels_are_in_the_reader_s_language() -> None:
    zh = {"spent": "已用", "left": "剩余"}
    chart = gauge("t", Budget(1, 1, 4), say=lambda text, /, **values: zh.get(text, text) % values)
    assert [row[0] for row in chart.rows] == ["已用", "reserved", "剩余", "cap"]


@given(NUMBER, NUMBER)
def test_ticks_lie_within_and_rise(one: float, other: float) -> None:
    low, high = sorted((one, other))
    ticks = nice_ticks(low, high)
    slack = max(abs(low), abs(high)) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert list(ticks) == sorted(set(ticks))
    assert len(ticks) <= 14


@given(st.lists(NUMBER, min_size=1, max_size=6))
def test_every_value_has_a_place_on_its_scale(values: list[float]) -> None:
    scale = scale_of(values, 10, 110)
    assert all(10 <= scale.at(value) <= 110 for value in values)


def test_round_ticks() -> None:
    assert nice_ticks(0, 100) == (0, 20, 40, 60, 80, 100)
    assert nice_ticks(0, 0.3) == (0, 0.1, 0.2, 0.3)
