"""Charts drawn on the server as SVG: each has a title, a description and the table that stands behind it.

No script, no inline style: colours are classes (``assets/screens/charts.css``), and nothing is told by colour alone.
"""

from __future__ import annotations

from xinglin.console.charts.bars import Bar, Bin, Group, bars, columns, histogram
from xinglin.console.charts.curves import Line, Mark, Step, lines, spark, survival
from xinglin.console.charts.forest import Estimate, forest
from xinglin.console.charts.gauges import Budget, gauge, ring
from xinglin.console.charts.graph import Link, Node, graph
from xinglin.console.charts.heat import Cell, heat
from xinglin.console.charts.lanes import Lane, Station, lanes
from xinglin.console.charts.model import Chart
from xinglin.console.charts.qr import qr

__all__ = [
    "Bar",
    "Bin",
    "Budget",
    "Cell",
    "Chart",
    "Estimate",
    "Group",
    "Lane",
    "Line",
    "Link",
    "Mark",
    "Node",
    "Station",
    "Step",
    "bars",
    "columns",
    "forest",
    "gauge",
    "graph",
    "heat",
    "histogram",
    "lanes",
    "lines",
    "qr",
    "ring",
    "spark",
    "survival",
]
