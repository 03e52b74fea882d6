"""Writes a sample hospital into a lake: every table one Delta table, one commit."""

from __future__ import annotations

from xinglin.lake.delta import Lake
from xinglin.sample.hospital import SampleHospital


def write_hospital(hospital: SampleHospital, lake: Lake) -> dict[str, int]:
    """The version of each table after ``hospital`` is written; writing again replaces, older versions stay.

    Raises what ``Lake.replace`` raises.
    """
    return {name: lake.replace(name, table.to_arrow()) for name, table in hospital.tables.items()}
