"""What a hospital and the hub keep of extracts, on either database; and the vault that rows lie in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.access.people import NORTH, keys

from xinglin.access.output_review import cast_output_vote
from xinglin.stores import extract_hub
from xinglin.stores.database_errors import StoreUnavailable
from xinglin.stores.extract_hub import ExtractRow, HubExtracts, RelayFull
from xinglin.stores.extract_node import MarkRow, NodeExtractStore
from xinglin.stores.extract_vault import CannotRead, ExtractVault
from xinglin.wire.extracts import ExtractView


def test_a_vote_stands_and_is_of_what_was_shown(urls: Any) -> None:
    store = NodeExtractStore(urls(), accept_loss=True)
    mine, who = keys("chair"), keys("chair").did
    yes = cast_output_vote(mine, NORTH.did, NORTH.public, "run-a", "d", "release")
    no = cast_output_vote(mine, NORTH.did, NORTH.public, "run-a", "d", "withhold")
    assert store.add_vote("run-a", "d", who, yes) and not store.add_vote("run-a", "d", who, no)
    assert store.votes("run-a", "d") == {who: yes} and store.votes("run-a", "other") == {} == store.votes("run-b", "d")
    store.close()


def test_reviewers_and_marks(urls: Any) -> None:
    store = NodeExtractStore(urls(), accept_loss=True)
    for did in ("did:b", "did:a", "did:b"):
        store.appoint(did, 1)
    store.dismiss("did:b")
    assert store.reviewers() == ("did:a",)
    row = MarkRow("run-a", "sha256:x", "did:w", 5)
    store.add_mark(row)
    store.add_mark(MarkRow("run-a", "sha256:y", "did:v", 6))
    assert store.mark_of("run-a") == row and store.mark_of("run-b") is None
    store.set_mark_plan("run-a", b"{}")
    assert [one.plan for one in store.marks()] == [b"{}"]
    store.close()


def test_the_hub_keeps_ciphertext_until_it_is_fetched(urls: Any) -> None:
    store = HubExtracts(urls(), accept_loss=True)
    view = ExtractView("run-a", "asked", 1, "did:n", "did:w", 1, 1)
    row = ExtractRow("run-a", "did:r", "did:w", "did:n", b"request", b"plan", view)
    store.add(row)
    store.add(row)
    assert store.one("run-a") == row and store.unfinished() == (row,)
    assert store.of("did:r", 10) == store.of("did:w", 10) == (row,) and store.of("did:n", 10) == ()
    store.add_part("run-a", 1, b"one")
    store.add_part("run-a", 1, b"another")
    assert store.part("run-a", 1) == b"one" and store.parts("run-a") == 1 and store.part("run-a", 2) is None
    store.say(ExtractView("run-a", "taken", 2, "did:n", "did:w", 1, 2), over=True)
    store.drop_parts("run-a")
    assert store.unfinished() == () and store.parts("run-a") == 0
    store.close()


def test_a_hospital_leaves_room_for_the_others(urls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RELAYED_BYTES", 1_000), ("RELAYED_OF_NODE", 600)):
        monkeypatch.setattr(extract_hub, name, replace(getattr(extract_hub, name), value=value))
    store = HubExtracts(urls(), accept_loss=True)
    for node in ("a", "b"):
        view = ExtractView(f"run-{node}", "asked", 1, node, "did:w", 1, 1)
        store.add(ExtractRow(f"run-{node}", "did:r", "did:w", node, b"request", b"plan", view))
    store.add_part("run-a", 1, b"x" * 500)
    store.add_part("run-a", 1, b"x" * 500)
    with pytest.raises(StoreUnavailable):
        store.add_part("run-a", 2, b"x")
    store.add_part("run-b", 1, b"y" * 250)
    with pytest.raises(RelayFull):
        store.add_part("run-b", 2, b"y")
    store.drop_parts("run-a")
    store.add_part("run-b", 2, b"y" * 250)
    assert store.parts("run-a") == 0 and store.parts("run-b") == 2
    store.close()


def test_what_lies_in_the_vault_is_encrypted_bound_to_its_name_and_its_owner(tmp_path: Path) -> None:
    vault = ExtractVault(keys("workspace"), tmp_path / "v")
    vault.keep("run-a/files/rows.parquet", b"a row of somebody")
    place = tmp_path / "v" / "run-a" / "files" / "rows.parquet"
    assert b"somebody" not in place.read_bytes() and place.stat().st_mode & 0o077 == 0
    assert vault.open("run-a/files/rows.parquet") == b"a row of somebody"
    assert vault.names() == ("run-a/files/rows.parquet",)
    place.with_name("other").write_bytes(place.read_bytes())
    for name in ("run-a/files/other", "run-a/files/none", "../x", "/etc/passwd", "run-a//x", ".hidden"):
        with pytest.raises(CannotRead):
            vault.open(name)
    with pytest.raises(CannotRead):
        ExtractVault(keys("stranger"), tmp_path / "v").open("run-a/files/rows.parquet")
    damaged = bytearray(place.read_bytes())
    damaged[-1] ^= 1
    place.write_bytes(bytes(damaged))
    with pytest.raises(CannotRead):
        vault.open("run-a/files/rows.parquet")
    vault.drop("run-a/files/rows.parquet")
    vault.drop("run-a/files/rows.parquet")
    assert not vault.has("run-a/files/rows.parquet")
    assert vault.secret("marks") == vault.secret("marks") != vault.secret("pseudonyms") and len(vault.secret("x")) == 32
