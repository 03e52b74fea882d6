"""A database that somebody else wrote in: nothing of it is believed."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from tests.unit.console.people.conftest import HERE, NAME, PASSWORD, Opened, signed_in

from xinglin.console.people.entrance import Entrance
from xinglin.console.people.errors import KeyFault, PeopleTampered
from xinglin.console.people.model import Grant
from xinglin.console.people.seal import Seal, token_digest


@pytest.fixture
def rows(people: Entrance, tmp_path: Path) -> sqlite3.Connection:
    people.accounts.add("keeper", "Keeper (fictional)", "nine herons stand in line", [Grant("hub")])
    return sqlite3.connect(tmp_path / "console" / "people.db", isolation_level=None)


def value_of(rows: sqlite3.Connection, name: str) -> bytes:
    return bytes(rows.execute("SELECT value FROM person WHERE name = ?", (name,)).fetchone()[0])


def test_a_record_put_in_another_s_place_is_refused(people: Entrance, rows: sqlite3.Connection) -> None:
    rows.execute("UPDATE person SET value = ? WHERE name = 'keeper'", (value_of(rows, NAME),))
    with pytest.raises(PeopleTampered):
        people.sign_in(people.begin(), "keeper", PASSWORD, from_=HERE)


def test_a_name_moved_to_another_record_is_refused(people: Entrance, rows: sqlite3.Connection) -> None:
    rows.execute("UPDATE person SET name = 'gone' WHERE name = 'keeper'")
    rows.execute("UPDATE person SET name = 'keeper' WHERE name = ?", (NAME,))
    with pytest.raises(PeopleTampered):
        people.sign_in(people.begin(), "keeper", PASSWORD, from_=HERE)


def test_every_bit_of_a_record_counts(people: Entrance, rows: sqlite3.Connection) -> None:
    token = signed_in(people)
    value = value_of(rows, NAME)
    for at in (0, 12, len(value) // 2, len(value) - 1):
        bent = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
        rows.execute("UPDATE person SET value = ? WHERE name = ?", (bent, NAME))
        with pytest.raises(PeopleTampered):
            people.session(token)
    rows.execute("UPDATE person SET value = x'' WHERE name = ?", (NAME,))
    with pytest.raises(PeopleTampered):
        people.session(token)
    rows.execute("UPDATE person SET value = ? WHERE name = ?", (value, NAME))
    assert people.session(token) is not None


def test_a_session_written_by_somebody_else_is_none(people: Entrance, rows: sqlite3.Connection) -> None:
    mine = signed_in(people)
    keeper = signed_in(people, "keeper", "nine herons stand in line")
    stolen = rows.execute("SELECT value FROM session WHERE digest = ?", (token_digest(keeper),)).fetchone()[0]
    rows.execute("UPDATE session SET value = ? WHERE digest = ?", (stolen, token_digest(mine)))
    assert people.session(mine) is None and people.session(keeper) is not None
    planted = "p" * 43
    rows.execute(
        "INSERT INTO session (digest, person, seen, value) SELECT ?, person, seen, value FROM session WHERE digest = ?",
        (token_digest(planted), token_digest(keeper)),
    )
    assert people.session(planted) is None


def test_another_key_opens_nothing(people: Entrance, opened: Opened, tmp_path: Path) -> None:
    people.close()
    (tmp_path / "console" / "people.key").write_bytes(os.urandom(32))
    other = opened()
    with pytest.raises(PeopleTampered):
        other.sign_in(other.begin(), NAME, PASSWORD, from_=HERE)


def test_a_missing_key_is_not_made_anew_beside_accounts(people: Entrance, opened: Opened, tmp_path: Path) -> None:
    people.close()
    key = tmp_path / "console" / "people.key"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(KeyFault, match="missing"):
        opened()
    key.write_bytes(kept[:-1])
    key.chmod(0o600)
    with pytest.raises(KeyFault, match="32 bytes"):
        opened()
    key.write_bytes(kept)
    key.chmod(0o640)
    with pytest.raises(KeyFault, match="open to others"):
        opened()
    key.chmod(0o600)
    assert opened().accounts.needed(NAME).name == NAME


def test_digests_differ_by_purpose_and_by_how_words_are_split() -> None:
    seal = Seal(b"k" * 32)
    found = {
        seal.digest("tried", "ab", "c"),
        seal.digest("tried", "a", "bc"),
        seal.digest("from", "ab", "c"),
        Seal(b"l" * 32).digest("tried", "ab", "c"),
    }
    assert len(found) == 4
