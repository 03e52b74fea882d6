"""Consent at real hospitals: an objection is in force for the next run, and one person's is seen by nobody outside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from xinglin.lake.delta import Lake
from xinglin.node.consent import withdraw
from xinglin.sample import generate_space
from xinglin.sdk import Study
from xinglin.sdk.errors import Withheld
from xinglin.testing import SampleSpace, tap
from xinglin.testing.sample_space import TABLE, wait_until

pytestmark = pytest.mark.slow

COLUMNS = ("age", "sex")


def xinglin(space: SampleSpace, hospital: str, *words: str) -> Any:
    command = [
        sys.executable,
        "-m",
        "xinglin",
        "consent",
        *words,
        "--folder",
        str(space.node_folder(hospital)),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return msgspec.json.decode(done.stdout)


def keys_of(space: SampleSpace, hospital: str) -> list[str]:
    lake = Lake(space.node_folder(hospital) / "lake")
    rows: pa.Table = lake.datasets(lake.current([TABLE]))[TABLE].to_table()
    return sorted(set(map(str, rows.column("person").to_pylist())))


def persons(space: SampleSpace, study: Study) -> int:
    return int(space.data(study, COLUMNS).describe("age").rows()[0]["rows"])


@pytest.fixture
def tapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SampleSpace, list[bytes]]]:
    """A space, and every message that its hospitals sent, as it was sent."""
    sent: list[bytes] = []
    said = tap._said

    def looked_at(path: str, body: bytes) -> Any:
        sent.append(body)
        return said(path, body)

    monkeypatch.setattr(tap, "_said", looked_at)
    space = SampleSpace(tmp_path, generate_space(), tapped=True)
    try:
        space.open()
        yield space, sent
    finally:
        space.close()


def test_one_withdrawal_is_seen_by_nobody_and_ten_are_in_force(tapped: tuple[SampleSpace, list[bytes]]) -> None:
    space, sent = tapped
    study = space.study("consent", COLUMNS)
    before = persons(space, study)
    first, *others = keys_of(space, "a")
    seen = xinglin(space, "a", "preview", "deny", first)
    assert any(one["study"] == study.id and one["changes"] for one in seen)
    receipt = xinglin(space, "a", "withdraw", first)

    with pytest.raises(Withheld) as ended:
        persons(space, study)
    told = f"{ended.value} {ended.value.reasons}"
    assert ended.value.codes == ("privacy.differencing",)
    assert space.dids["a"] not in told and first not in told

    for key in others[:9]:
        withdraw(space.node_folder("a"), key, "desk at the ward")
    assert persons(space, study) == before - 10

    wait_until(lambda: xinglin(space, "a", "history", first)[0]["leaf"] >= 0, "the choice is in the log")
    space.sdk.log.refresh()
    (leaf,) = space.sdk.log.about(receipt["digest"])
    assert (leaf.entry.kind, set(leaf.entry.commitments)) == ("change", {"what"})
    outside = [space.hub_folder, space.witness_folder, space.folder / "researcher"]
    held = [(file.name, file.read_bytes()) for folder in outside for file in folder.rglob("*") if file.is_file()]
    held += [("a message", body) for body in sent]
    assert any(receipt["digest"].encode() in data for name, data in held if name == "a message")
    for number, secret in enumerate((first, *others[:9], receipt["id"], "desk at the ward")):
        assert len(secret) >= 6
        assert not [(number, name) for name, data in held if secret.encode() in data], "something personal left"
