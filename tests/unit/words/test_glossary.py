"""Every word of the code's own lists has its term in both languages."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from xinglin.access.dossier import KINDS as DOSSIERS
from xinglin.catalogue.confirming import STATES as CONFIRMATIONS
from xinglin.catalogue.entry import CUSTODY
from xinglin.catalogue.quality import KINDS as QUALITY
from xinglin.console.seats import ROLES as SEAT_ROLES
from xinglin.contract.breach import BREACHES
from xinglin.contract.templates.drafting import NAMES as TEMPLATES
from xinglin.evidence.entry import KINDS
from xinglin.intake.reconcile import REASONS as MISSING
from xinglin.kernel.states import StateTable
from xinglin.privacy.noise.budget import KINDS as BUDGET
from xinglin.terms.consent import CATEGORIES
from xinglin.terms.grades import GRADES, OPERATIONS, REQUIREMENTS
from xinglin.terms.law.facts import RELATIONS
from xinglin.terms.purposes import BASES, PURPOSES
from xinglin.terms.vocabulary import ACTIONS, CLASSES, DUTIES, OPERANDS, OPERATORS
from xinglin.trust.leaves import REASONS as REVOCATIONS
from xinglin.trust.leaves import ROLES
from xinglin.wire.product_orders import ORDER_REASONS
from xinglin.words.glossary import glossary, label_of, plain

SOURCES = Path(__file__).resolve().parents[3] / "src"
LISTS: dict[str, Iterable[str]] = {
    "role": [*ROLES, *SEAT_ROLES],
    "purpose": PURPOSES,
    "operation": OPERATIONS,
    "grade": GRADES,
    "requirement": REQUIREMENTS,
    "kind": KINDS,
    "basis": BASES,
    "breach": BREACHES,
    "category": CATEGORIES,
    "action": ACTIONS,
    "duty": DUTIES,
    "operand": OPERANDS,
    "operator": OPERATORS,
    "quality": QUALITY,
    "confirmation": CONFIRMATIONS,
    "noise": BUDGET,
    "order": ORDER_REASONS,
    "revocation": REVOCATIONS,
    "custody": CUSTODY,
    "template": TEMPLATES,
    "dossier": DOSSIERS,
    "missing": MISSING,
    "relation": RELATIONS,
    "recipient-class": CLASSES["recipientClass"],
    "environment": CLASSES["environment"],
    "output-type": CLASSES["outputType"],
    "population": CLASSES["population"],
    "verdict": ("yes", "no", "ask", "permit", "deny", "silent", "approve", "reject", "abstain", "release", "withhold"),
}


def state_tables() -> list[StateTable]:
    """Every table of states in the sources."""
    found = []
    for path in sorted((SOURCES / "xinglin").rglob("*.py")):
        if "StateTable(" in path.read_text(encoding="utf-8") and "kernel" not in path.parts:
            module = importlib.import_module(".".join(path.relative_to(SOURCES).with_suffix("").parts))
            found += [value for value in vars(module).values() if isinstance(value, StateTable)]
    return found


def lacking(group: str, words: Iterable[str]) -> list[str]:
    return [f"{group}.{word}" for word in words if not label_of(f"{group}.{word}", "zh")]


@pytest.mark.parametrize("group", sorted(LISTS))
def test_every_word_of_a_list_has_its_term(group: str) -> None:
    assert not lacking(group, LISTS[group])


def test_every_state_move_and_table_has_its_term() -> None:
    tables = state_tables()
    assert len(tables) > 20
    for table in tables:
        assert not lacking("state", table.states)
        assert not lacking("event", {event for _, event, _ in table.moves})
        assert not lacking("machine", [table.name])


def test_the_rule_sees_a_word_that_has_no_term() -> None:
    assert lacking("state", ["active", "unheard-of"]) == ["state.unheard-of"]


def test_labels_are_in_their_languages() -> None:
    for term in glossary().values():
        assert term.en and term.zh and term.key == plain(term.key)
        assert term.en.isascii() or term.key.startswith("machine."), term
        if term.key.startswith("word."):
            assert term.meaning_en and term.meaning_zh


def test_no_word_is_explained_twice() -> None:
    words = [term.en for term in glossary().values() if term.key.startswith("word.")]
    assert len(set(words)) == len(words)
