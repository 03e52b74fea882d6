"""RFC 6962 proof vectors of transparency-dev/merkle: of 196, most must be refused."""

from __future__ import annotations

import base64
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from xinglin.evidence.errors import BadProof
from xinglin.evidence.tree import verify_consistency, verify_inclusion

Vector = tuple[str, dict[str, Any]]


@pytest.fixture(scope="session")
def vectors(shared_data: Path) -> list[Vector]:
    with tarfile.open(shared_data / "merkle-proofs" / "vectors.tar.gz") as archive:
        files = [member for member in archive.getmembers() if member.name.endswith(".json")]
        return [(each.name, json.load(archive.extractfile(each))) for each in files]  # type: ignore[arg-type]


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def hashes(texts: list[str] | None) -> list[bytes]:
    return [raw(text) for text in texts or []]


def refused(name: str, case: dict[str, Any]) -> bool:
    proof = hashes(case["proof"])
    try:
        if "inclusion/" in name:
            place = (case["leafIdx"], case["treeSize"])
            verify_inclusion(raw(case["leafHash"]), *place, proof, raw(case["root"]))
        else:
            sizes = (case["size1"], case["size2"])
            verify_consistency(*sizes, raw(case["root1"]), raw(case["root2"]), proof)
    except BadProof:
        return True
    return False


@pytest.mark.parametrize(("folder", "count"), [("inclusion/", 98), ("consistency/", 98)])
def test_every_vector_is_accepted_or_refused_as_published(vectors: list[Vector], folder: str, count: int) -> None:
    cases = [(name, case) for name, case in vectors if folder in name]
    assert len(cases) == count
    assert [name for name, case in cases if refused(name, case) != case["wantErr"]] == []
    assert sum(case["wantErr"] for _, case in cases) > count * 3 // 4
