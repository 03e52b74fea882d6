"""What an asker is told of an extract's refusal: reasons of texts and published facts, and none of a record."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from xinglin.kernel.verdict import Reason
from xinglin.node.extracts import NodeExtracts
from xinglin.privacy.deidentify.errors import BadConfiguration, BadProfile, BadRecord, NeedsToday


@pytest.mark.parametrize(
    ("error", "of_rows"), [(BadRecord, True), (BadConfiguration, True), (BadProfile, False), (NeedsToday, False)]
)
def test_a_record_that_cannot_be_deidentified_is_an_answer_about_rows(error: Any, of_rows: bool) -> None:
    record = SimpleNamespace(reasons=(Reason(error.code, "words", "remedy"),))
    desk = SimpleNamespace(database=SimpleNamespace(record=lambda run: record))
    store = SimpleNamespace(mark_of=lambda run: "a mark")
    extracts = cast("NodeExtracts", SimpleNamespace(_desk=desk, store=store))
    assert NodeExtracts.looked(extracts, "run-a") is of_rows
