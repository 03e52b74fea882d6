"""The shipped data: where it is from, its size, and that the tool still makes it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

from xinglin.records.v2maps.data import maps, table

ROOT = Path(__file__).resolve().parents[4]
FOLDER = files("xinglin.records.v2maps")
MOST_BYTES = 900_000


def test_the_data_names_its_source_and_stays_small() -> None:
    data = FOLDER.joinpath("maps.json").read_bytes()
    assert len(data) < MOST_BYTES
    assert json.loads(data)["provenance"]["licence"] == "Apache-2.0"


def test_every_table_that_a_row_names_is_there_or_known_to_be_missing() -> None:
    named = {row.codes for rows in (*maps().segments.values(), *maps().datatypes.values()) for row in rows if row.codes}
    missing = {name for name in named if not table(name)}
    # HL7 has these tables without one mapped code: the source's own code is all there is.
    assert len(missing) <= 20, missing


def test_each_override_has_its_reason() -> None:
    own = tomllib.loads(FOLDER.joinpath("overrides.toml").read_text(encoding="utf-8"))
    entries = [entry for part in ("datatype", "segment", "codes") for entry in own[part].values()]
    assert all(len(entry["why"]) > 5 for entry in entries)
    assert len(entries) > 50


def test_the_tool_makes_exactly_this(shared_data: Path) -> None:
    archive = shared_data / "v2-to-fhir-maps" / "maps.tar.xz"
    words = [sys.executable, str(ROOT / "tools" / "v2_maps.py"), str(archive), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
