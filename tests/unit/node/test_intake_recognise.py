"""What a hospital names is found out; what nobody can connect is said so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xinglin.node.intake.keys import KEYS_FILE, add_key, drop_old_keys, open_ring
from xinglin.node.intake.recognise import NotRecognised, listener, of_files, recognise
from xinglin.node.intake.sources import read_sources, write_source
from xinglin.node.vault import CannotOpen, Vault
from xinglin.records import sniffing
from xinglin.sample import generate_space
from xinglin.sample.hl7v2 import messages
from xinglin.sample.tables import exports
from xinglin.trust.keys import PrivateKeys


@pytest.mark.parametrize(
    ("what", "way"),
    [
        ("mllp://:2575", "mllp"),
        ("dicom://PACS@0.0.0.0:11112", "dicom"),
        ("web://:8080", "web"),
        ("https://fhir.hospital.example/r4", "fhir"),
        ("postgresql+psycopg://reader@db/his", "sql"),
        ("oracle://reader@db/his", "sql"),
    ],
)
def test_addresses(what: str, way: str) -> None:
    found = recognise(what)
    assert found.way == way
    if way in ("mllp", "dicom", "web"):
        assert listener(found).way == way


@pytest.mark.parametrize("what", ["ftp://x/y", "mllp://:x", "mllp://host", "no such file.csv", ""])
def test_what_is_nothing_is_refused(what: str) -> None:
    with pytest.raises(NotRecognised) as caught:
        listener(recognise(what))
    assert caught.value.remedy


def test_a_folder_of_exports(tmp_path: Path) -> None:
    place = tmp_path / "HIS 导出 2025"
    place.mkdir()
    for name, body in exports(generate_space()[3]).items():
        (place / name).write_bytes(body)
    found = recognise(str(place))
    assert (found.way, found.media_type, len(found.files), found.name) == ("folder", sniffing.CSV, 3, "his-2025")
    write_source(tmp_path, of_files(found, watch=True))
    assert read_sources(tmp_path)[0].folder is not None
    (place / "feed.hl7").write_bytes(next(messages(generate_space()[3])))
    assert recognise(str(place)).media_type == ""


def test_a_program_is_not_a_source(tmp_path: Path) -> None:
    (tmp_path / "x.csv.exe").write_bytes(b"MZ\x00\x00" + os.urandom(100))
    with pytest.raises(NotRecognised):
        recognise(str(tmp_path / "x.csv.exe"))


def test_the_ring_is_kept_sealed_and_changed(tmp_path: Path) -> None:
    keys = PrivateKeys.generate()
    first = open_ring(tmp_path, Vault(keys))
    assert open_ring(tmp_path, Vault(keys)) == first
    assert first.current.key not in (tmp_path / KEYS_FILE).read_bytes()
    second = add_key(tmp_path, Vault(keys))
    assert second.old == (first.current,)
    assert open_ring(tmp_path, Vault(keys)) == second
    assert drop_old_keys(tmp_path, Vault(keys)).old == ()
    assert open_ring(tmp_path, Vault(keys)).current == second.current
    with pytest.raises(CannotOpen):
        open_ring(tmp_path, Vault(PrivateKeys.generate()))
