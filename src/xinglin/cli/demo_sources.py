"""The demo's hospitals bring what they have: an HL7 v2 feed, FHIR resources, exports in GB18030, CT phantoms."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xinglin.catalogue.model import DataSetDescription
from xinglin.intake.model import Tally
from xinglin.node.intake.connecting import describe
from xinglin.node.intake.loading import load
from xinglin.node.intake.sources import Files, SourceFile, write_source
from xinglin.node.intake.wiring import open_intake, open_lake
from xinglin.node.joining import open_node_keys
from xinglin.node.settings import NodeSettings
from xinglin.sample.hospital import SampleHospital
from xinglin.sample.sources import SampleSource, sources


class Brought(msgspec.Struct, frozen=True):
    """What one hospital brought: its sources, what became of their records, new rows by table."""

    sources: tuple[str, ...]
    size_bytes: int
    tally: Tally
    rows: dict[str, int]


def bring(hospital: SampleHospital, node_folder: Path, exports: Path) -> Brought:
    """Write the hospital's sources to ``exports`` and take them into its node, as ``xinglin connect`` does."""
    found = sources(hospital)
    opened = open_intake(node_folder, NodeSettings(), open_node_keys(node_folder))
    tally, size, rows = Tally(), 0, dict[str, int]()
    try:
        for one in found:
            source, files = _written(one, node_folder, exports)
            loaded = load(opened, source.source(node_folder), files)
            tally, size = tally.plus(loaded.tally), size + loaded.size_bytes
            for table, count in loaded.rows.items():
                rows[table] = rows.get(table, 0) + count
    finally:
        opened.close()
    return Brought(tuple(f"{one.name} ({one.media_type})" for one in found), size, tally, rows)


def described(hospital: SampleHospital, node_folder: Path, did: str, name: str) -> DataSetDescription:
    """The data set that the hospital publishes, made of what its tables hold now."""
    return describe(open_lake(node_folder, NodeSettings()), name, f"Cardiology at {hospital.profile.name}", did)


def _written(one: SampleSource, node_folder: Path, exports: Path) -> tuple[SourceFile, list[Path]]:
    place = exports / one.name
    place.mkdir(parents=True, exist_ok=True)
    files = [place / name for name in one.files]
    for path, body in zip(files, one.files.values(), strict=True):
        path.write_bytes(body)
    mapping = f"{one.name}.toml" if one.mapping else ""
    source = SourceFile(one.name, files=Files(files[-1].name), media_type=one.media_type, mapping=mapping)
    write_source(node_folder, source, one.mapping)
    return source, files
