"""How far sources were read: found again, sealed, forgotten when asked."""

from __future__ import annotations

from pathlib import Path

from xinglin.node.vault import Vault
from xinglin.stores.intake_watermarks import IntakeWatermarks, LastPull
from xinglin.trust.keys import PrivateKeys


def test_marks_are_sealed_and_found_again(tmp_path: Path) -> None:
    vault = Vault(PrivateKeys.generate())
    marks = IntakeWatermarks.in_folder(tmp_path, vault.seal, vault.open)
    assert marks.get("his", "rows") is None and marks.last("his") is None
    marks.put("his", "rows", b"read up to 2024-03-01", 1)
    marks.put("his", "rows", b"read up to 2024-03-02", 2)
    marks.put("ehr", "Patient", b"x", 2)
    marks.ended("his", 5, 9)
    marks.ended("his", 15, 19)
    marks.close()
    again = IntakeWatermarks.in_folder(tmp_path, vault.seal, vault.open)
    assert again.get("his", "rows") == b"read up to 2024-03-02"
    assert again.last("his") == LastPull(15, 19)
    assert again.forget("his") == 1 and again.get("his", "rows") is None
    assert again.get("ehr", "Patient") == b"x"
    again.close()
    assert not any(b"read up" in path.read_bytes() for path in tmp_path.iterdir())
