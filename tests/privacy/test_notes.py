"""Identifiers in generated notes: what is found, by kind, in sentences that no rule was made for."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest
from tests.privacy.notes_generator import Note, notes

from xinglin.privacy.deidentify.text import find, redact
from xinglin.privacy.deidentify.text.model import NOTHING

COUNT = 150


class Quality(NamedTuple):
    """Shares of what is there that was found whole, by kind; share of what was found that is there."""

    recall: dict[str, float]
    precision: float


def measured(found: list[Note], *, with_record: bool) -> Quality:
    hits: Counter[str] = Counter()
    total: Counter[str] = Counter()
    right = wrong = 0
    for note in found:
        spans = find(note.text, note.known if with_record else NOTHING)
        covered = {place for span in spans for place in range(span.start, span.end)}
        true = {place for one in note.truth for place in range(one.start, one.end)}
        for one in note.truth:
            total[one.kind] += 1
            places = range(one.start, one.end)
            hits[one.kind] += all(place in covered or not note.text[place].isalnum() for place in places)
        for span in spans:
            fine = any(place in true for place in range(span.start, span.end))
            right, wrong = right + fine, wrong + (not fine)
    return Quality({kind: hits[kind] / total[kind] for kind in total}, right / (right + wrong))


@pytest.mark.parametrize("damaged", [False, True], ids=["clean", "damaged"])
@pytest.mark.parametrize("language", ["chinese", "english"])
def test_with_the_patients_own_record_nearly_nothing_is_missed(language: str, damaged: bool) -> None:
    """Held-out sentences; slips of the pen, letters read for digits, full-width digits in the damaged ones."""
    quality = measured(notes(COUNT, language, "held-out", seed=5, damaged=damaged), with_record=True)
    least = 0.90 if damaged else 0.98
    assert min(quality.recall.values()) >= least, quality
    assert quality.recall["name"] >= 0.99 and quality.precision >= 0.95, quality


@pytest.mark.parametrize(("language", "least"), [("chinese", 0.86), ("english", 0.90)])
def test_without_a_record_numbers_are_found_and_most_names(language: str, least: float) -> None:
    quality = measured(notes(COUNT, language, "held-out", seed=6), with_record=False)
    certain = {"identity_number", "phone", "email", "bank_card", "date", "address", "plate", "passport", "age"}
    assert all(share >= 0.98 for kind, share in quality.recall.items() if kind in certain), quality
    assert quality.recall["name"] >= least and quality.precision >= 0.95, quality


@pytest.mark.parametrize("language", ["chinese", "english"])
def test_what_a_hospital_knows_never_stays_in_a_redacted_note(language: str) -> None:
    for note in notes(60, language, "development", seed=7):
        after = redact(note.text, find(note.text, note.known))
        left = [one for one in note.known.names + note.known.staff if len(one) > 1 and one in after]
        assert not left
        assert not [number for number in note.known.phones + note.known.ids if number in after]
