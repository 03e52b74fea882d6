"""Whether somebody left a run since it read: who said something since is looked at, and nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.node.test_consent import CHECKED, Clock, agreement, use

from xinglin.node.consent import NodeConsent, record, say_of_study, withdraw
from xinglin.stores import consent_register
from xinglin.stores.consent_register import ConsentRegister
from xinglin.terms.consent import Choice, Rule, Where
from xinglin.terms.consent_use import StudyWord

WORD = StudyWord("heart", "consent", ("gdpr",), "Wang", 1)


def run_of(folder: Path, clock: Clock, basis: bool) -> NodeConsent:
    """A node at which some persons chose and a run has read."""
    for person in ("p1", "p2", "p3"):
        record(folder, [Choice(person, Rule("permit"), clock(), "desk", identity=CHECKED)], clock)
    withdraw(folder, "p3", "desk", clock=clock)
    if basis:
        say_of_study(folder, WORD)
    consent = NodeConsent(folder, clock)
    consent.persons(use(), agreement(), 0)
    assert not consent.said_since(use()) and not consent.left_since(use(), agreement(), 0)
    return consent


@pytest.mark.parametrize("few", [0, 1_000])
@pytest.mark.parametrize("basis", [False, True])
def test_who_leaves_is_found_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int, basis: bool
) -> None:
    monkeypatch.setattr(consent_register, "FEW", few)
    clock = Clock()
    consent = run_of(tmp_path, clock, basis)
    withdraw(tmp_path, "p3", "desk", clock=clock)  # was out before
    withdraw(tmp_path, "p1", "desk", Where(purposes=("education",)), clock=clock)  # of another use
    record(tmp_path, [Choice("p9", Rule("permit"), clock(), "desk", identity=CHECKED)], clock)  # came in
    assert consent.said_since(use()) and not consent.left_since(use(), agreement(), 0)
    withdraw(tmp_path, "p1", "desk", clock=clock)
    assert consent.left_since(use(), agreement(), 0)
    consent.close()


def test_the_choices_of_everybody_else_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    consent = run_of(tmp_path, clock, True)
    withdraw(tmp_path, "p2", "desk", clock=clock)

    def all_of_them(*_: Any) -> Any:
        raise AssertionError("every choice is read")

    monkeypatch.setattr(ConsentRegister, "choices", all_of_them)
    assert consent.left_since(use(), agreement(), 0)
    consent.close()


def test_another_word_on_the_study_is_held_against_everybody(tmp_path: Path) -> None:
    clock = Clock()
    withdraw(tmp_path, "p3", "desk", clock=clock)
    consent = NodeConsent(tmp_path, clock)
    consent.persons(use(), agreement(), 0)
    say_of_study(tmp_path, WORD)  # from now on nobody is in who did not permit
    assert consent.left_since(use(), agreement(), 0)
    consent.close()
