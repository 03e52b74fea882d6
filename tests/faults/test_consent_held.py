"""What is held of the register of choices under faults: a writer killed, a backup put back, a register that regrew."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.node.test_consent import CHECKED, Clock, agreement, use

from xinglin.node.consent import NodeConsent, record, withdraw
from xinglin.node.consent_held import HeldChoices
from xinglin.node.intake.wiring import open_consent_register
from xinglin.stores.consent_register import ConsentRegister
from xinglin.terms.consent import Choice, ConsentUse, Rule, person_filter

ROOT = Path(__file__).resolve().parent.parent.parent
WRITER = """
import sys
from pathlib import Path
from xinglin.node.consent import withdraw

folder, first = Path(sys.argv[1]), int(sys.argv[2])
for number in range(first, first + 10_000):
    withdraw(folder, f"p{number}", "desk")
    print(f"p{number}", flush=True)
"""
ACKNOWLEDGED = 12
USE = ConsentUse(study="heart", purpose="health-research", institutions=(), at=2**52)


def is_all_of_it(held: HeldChoices, register: ConsentRegister) -> bool:
    last = register.last()
    return held.persons(last, USE) == person_filter(register.choices(last), USE)


@pytest.mark.slow
def test_kill_9_of_who_records_and_no_withdrawal_that_was_confirmed_is_late(tmp_path: Path) -> None:
    """Another process records, as the command does; a run that reads after a receipt leaves the person out."""
    withdraw(tmp_path, "p0", "desk")
    consent, confirmed = NodeConsent(tmp_path, Clock()), {"p0"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    for life in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(1 + life * 10_000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as writer:
            assert writer.stdout is not None
            for number in range(ACKNOWLEDGED):
                confirmed.add(writer.stdout.readline().strip())
                found = consent.persons(use(f"run-{life}-{number}"), agreement(), 0)
                assert confirmed <= set(found.without)
            writer.send_signal(signal.SIGKILL)
            confirmed |= {line.strip() for line in writer.stdout if line.endswith("\n")}
        assert confirmed <= set(consent.persons(use(f"run-{life}"), agreement(), 0).without)
    register = open_consent_register(tmp_path)
    everybody = {choice.person for choice in register.choices()}
    assert set(consent.persons(use("last"), agreement(), 0).without) == everybody
    register.close()
    consent.close()


def backup(folder: Path, into: Path) -> None:
    with sqlite3.connect(folder / "intake.db") as source, sqlite3.connect(into) as target:
        source.backup(target)


def put_back(folder: Path, saved: Path) -> None:
    """In place, as it is done to a database that somebody has open."""
    with sqlite3.connect(saved) as source, sqlite3.connect(folder / "intake.db") as target:
        source.backup(target)


@pytest.mark.parametrize("more", [0, 2, 3, 9])
def test_a_register_that_went_back_is_read_as_a_whole(
    tmp_path: Path, more: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Shorter than what is held, as long, and longer: the numbers are the same, and who said what under them is not."""
    clock, saved = Clock(), tmp_path / "saved.db"
    permit = Rule("permit")
    record(tmp_path, [Choice(f"p{n}", permit, clock(), "desk", identity=CHECKED) for n in range(5)], clock)
    backup(tmp_path, saved)
    register = open_consent_register(tmp_path)
    held = HeldChoices(register)
    for person in ("p1", "p2", "p7"):
        withdraw(tmp_path, person, "desk", clock=clock)
    assert held.persons(register.last(), USE).without == ("p1", "p2", "p7")
    put_back(tmp_path, saved)
    for number in range(more):
        withdraw(tmp_path, f"p{number + 3}", "desk", clock=clock)
    assert is_all_of_it(held, register)
    assert held.persons(register.last(), USE).without == tuple(sorted(f"p{number + 3}" for number in range(more)))
    assert "not the one that was read" in caplog.text and "p3" not in caplog.text
    caplog.clear()
    withdraw(tmp_path, "p0", "desk", clock=clock)
    assert is_all_of_it(held, register) and not caplog.text, "followed again from there"
    register.close()


def test_a_register_that_cannot_be_read_raises_and_what_was_held_is_not_served(tmp_path: Path) -> None:
    clock = Clock()
    withdraw(tmp_path, "p1", "desk", clock=clock)
    register = open_consent_register(tmp_path)
    held = HeldChoices(register)
    assert is_all_of_it(held, register)
    withdraw(tmp_path, "p2", "desk", clock=clock)
    with sqlite3.connect(tmp_path / "intake.db") as connection:
        (value,) = connection.execute("SELECT value FROM consent_choice WHERE number = 2").fetchone()
        connection.execute("UPDATE consent_choice SET value = x'c1' WHERE number = 2")
    for _ in range(2):
        with pytest.raises(Exception, match=r"valid|malformed"):
            held.persons(2, USE)
    with sqlite3.connect(tmp_path / "intake.db") as connection:
        connection.execute("UPDATE consent_choice SET value = ? WHERE number = 2", (value,))
    assert is_all_of_it(held, register) and held.persons(2, USE).without == ("p1", "p2")
    register.close()
