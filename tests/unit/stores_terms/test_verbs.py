"""``xinglin terms``: from what is unmapped in the lake to a reviewed mapping, and questions to vocabularies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.records.terminology import vocabularies as held
from typer.testing import CliRunner

from xinglin.cli import terms_verbs
from xinglin.cli.output import printer
from xinglin.lake.delta import Lake
from xinglin.records.model import Mapped
from xinglin.records.shape import shape
from xinglin.records.terminology.translating import StoredTerms
from xinglin.stores.intake_ledger import IntakeLedger
from xinglin.stores.terms_store import TermsStore

NAMES = ("id", "patient", "version_at", "place", "code_source", "code_source_system", "code_source_text")
NAMES += ("value_number", "value_unit_source")


@pytest.fixture(autouse=True)
def as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer, "as_json", True)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node's folder whose lake holds laboratory rows with local codes."""
    rows = [
        (f"Observation/{n}", f"Patient/{n}", 1_700_000_000_000, "line", *local, 5.0, "×10^9/L")
        for n, local in enumerate([("WBC", "99LAB", "白细胞数目")] * 3 + [("QQ", "99LAB", "不知道")])
    ]
    (mapped,) = StoredTerms().translate([Mapped("observation", NAMES, rows)], "lis")
    table = shape(mapped, batch=1, recorded_at=1_700_000_000_000, source="lis", message="0" * 64)
    Lake(tmp_path / "lake").append_batch(1, {"observation": table})
    return tmp_path


def run(folder: Path, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(terms_verbs.app, [*words, "--folder", str(folder)])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_from_unmapped_codes_to_a_reviewed_mapping_with_its_evidence(node: Path, tmp_path: Path) -> None:
    ledger = IntakeLedger.in_folder(node)
    found = run(node, "unmapped")
    assert [(one["code"], one["seen"], one["unit"]) for one in found] == [("WBC", 3, "×10^9/L"), ("QQ", 1, "×10^9/L")]
    review = tmp_path / "review.csv"
    queue = run(node, "suggest", "--out", str(review))
    assert [(one["code"], one["target"]) for one in queue] == [("WBC", "6690-2"), ("QQ", "")]
    text = review.read_text(encoding="utf-8-sig").splitlines()
    text[1] = text[1].replace(",equivalent,,", ",equivalent,accept,")
    text[2] = text[2].replace(",equivalent,,", ",unmapped,accept,")
    review.write_text("\n".join(text), encoding="utf-8")
    changed = run(node, "accept", "--review", str(review), "--by", "ann")
    assert [(one["state"], one["by"], one["version"]) for one in changed] == [("accepted", "ann", 2)] * 2
    assert run(node, "unmapped") == []
    entries = [entry for entry in ledger.outbox() if entry.kind == "change"]
    assert [entry.values["codes"] for entry in entries] == [2, 2]
    assert "WBC" not in str(entries)
    ledger.close()
    store = TermsStore.in_folder(node)
    assert [one.target for one in store.accepted()] == ["6690-2", ""]


def test_single_decisions_are_taken_and_refused(node: Path) -> None:
    key = ("--system", "99LAB", "--by", "ann")
    assert run(node, "accept", "WBC", "6690-2", *key)[0]["target_system"] == "http://loinc.org"
    assert run(node, "reject", "WBC", *key)[0]["state"] == "rejected"
    assert run(node, "accept", "NEW", *key, code=1)["code"] == "terms.bad_request"


def test_vocabularies_are_loaded_listed_and_asked(node: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(held.as_json(held.BUNDLE))
    assert run(node, "load", "fhir", str(bundle), "--licence", "ours")["concepts"] == 5
    assert run(node, "list")["systems"][0]["provenance"]["licence"] == "ours"
    kinds = "http://example.org/kinds"
    assert run(node, "expand", "http://example.org/vs/animals")["expansion"]["total"] == 2
    assert run(node, "lookup", kinds, "dog")["parameter"][0]["name"] == "name"
    assert run(node, "translate", "http://example.org/local", "D")["parameter"][0]["valueBoolean"] is True
    assert (
        run(node, "validate", "mmHg", "--system", "http://unitsofmeasure.org")["parameter"][0]["valueBoolean"] is False
    )
    assert run(node, "lookup", kinds, "cat", code=1)["code"] == "terms.bad_request"
    assert run(node, "load", "loinc", str(bundle), code=1)["code"] == "terms.bad_vocabulary"


def test_one_name_gives_candidates_without_anything_loaded(tmp_path: Path) -> None:
    found = run(tmp_path, "suggest", "--text", "血清谷丙转氨酶", "--unit", "U/L")
    assert found[0]["code"] == "1742-6"
    assert run(tmp_path, "unmapped") == []
    assert len(run(tmp_path, "list", "--kinds")) == 10
