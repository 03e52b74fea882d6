"""What is typed into the console is bounded before anything is done with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.console.hall import Hall

from xinglin.console.errors import BadField, NotThere
from xinglin.console.policy_form import policy_of_form
from xinglin.console.questions import Question
from xinglin.console.screens.budgets import cap
from xinglin.console.screens.hospital_home import publish_new
from xinglin.console.screens.mapping import ASKED_CHARACTERS, code, key_of, key_text
from xinglin.console.visit import FIELD_CHARACTERS, Form
from xinglin.records.terminology.local import LocalKey
from xinglin.words import Words

LONG = "9" * 5_000


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    hall = Hall(tmp_path, "regulator", "researcher", "operator", "patient")
    yield hall
    hall.close()


def visiting(**calls: Any) -> Any:
    return SimpleNamespace(words=Words.of("en", "UTC"), calls=SimpleNamespace(**calls), query={}, now=0)


@pytest.mark.parametrize(
    "rho",
    [
        "1e999999999",
        "1E5",
        "-1",
        "NaN",
        "Infinity",
        "0x1",
        "1_000",
        "٣",
        "1.",
        ".5",
        "0." + "1" * 13,
        LONG,
        "1/3",
    ],
)
def test_a_cap_is_plain_digits_of_a_bounded_length(rho: str) -> None:
    asked: list[str] = []
    visit = visiting(budgets=SimpleNamespace(cap=lambda _data_set, given, _study: asked.append(given)))
    began = time.monotonic()
    with pytest.raises(BadField):
        cap.function(visit, Form({"rho": [rho]}), "set")
    assert asked == [] and time.monotonic() - began < 1


@pytest.mark.parametrize("rho", ["0", "0.1", "12", "999999999999.999999999999"])
def test_a_cap_in_digits_is_set_as_it_was_written(rho: str) -> None:
    asked: list[str] = []
    visit = visiting(budgets=SimpleNamespace(cap=lambda _data_set, given, _study: asked.append(given)))
    cap.function(visit, Form({"rho": [rho]}), "set")
    assert asked == [rho]


def test_a_name_to_publish_is_short_and_so_is_where_it_leads() -> None:
    most = "x" * FIELD_CHARACTERS.value
    for name in (most, "a" * 65, "a b", "é", "../x"):
        with pytest.raises(BadField):
            publish_new.function(visiting(), Form({"name": [name]}))
    assert len(publish_new.function(visiting(), Form({"name": ["a" * 64], "title": [most]})).path) < 400


def test_a_local_codes_name_is_looked_for_by_its_beginning() -> None:
    asked: list[str] = []
    key = LocalKey("feed", "column", "", "code")
    row = SimpleNamespace(key=key, text="Sodium", unit="")
    mapping = SimpleNamespace(
        unmapped=lambda: [row], codes=list, candidates=lambda text, _unit: asked.append(text) or ()
    )
    visit = visiting(mapping=mapping)
    visit.query = {"q": "a" * 60_000}
    code.function(visit, key_text(key))
    assert [len(one) for one in asked] == [ASKED_CHARACTERS]
    with pytest.raises(NotThere):
        key_of("A" * 100_000)


@pytest.mark.parametrize("deed", [f"drop-{LONG}", f"limit-{LONG}", f"unlimit-{LONG}-{LONG}"])
def test_a_button_with_a_number_without_end_does_nothing(deed: str) -> None:
    assert policy_of_form(Form({}), deed).permissions == ()


def test_bins_without_end_are_no_edit() -> None:
    from xinglin.console.repairs import repairs_of
    from xinglin.kernel.verdict import Reason

    question = Question("study-x", "SELECT 1", "histogram", {"bins": (LONG,)})
    repairs_of(Words.of("en", "UTC"), question, (Reason("privacy.small_cell", "x"),), (), {})


@pytest.mark.parametrize(
    "path",
    [
        f"/evidence?text={LONG}", f"/evidence?after={LONG}", f"/evidence?since={LONG}", f"/evidence/{LONG}",
        f"/evidence/bundle/{LONG}", f"/evidence/chain/{LONG}", f"/evidence/{LONG}/receipt", f"/evidence/{LONG}/qr",
        f"/evidence?page={LONG}", f"/oversight/participants?page={LONG}", f"/find?q={LONG}",
        f"/oversight/freeze?subject={LONG}", f"/public/receipts/{LONG}",
    ],
)  # fmt: skip
def test_a_number_without_end_in_an_address_is_answered_like_any_other(path: str, hall: Hall) -> None:
    assert hall.get(path, "regulator").status_code in (200, 404, 422, 503)


def test_a_patient_is_given_no_bundle(hall: Hall) -> None:
    assert hall.get("/evidence/bundle/0", "regulator").status_code == 200
    assert hall.get("/evidence/bundle/0", "patient").status_code in (401, 403, 303)
    from xinglin.console.screens.evidence import bundle

    assert "patient" not in bundle.roles and "regulator" in bundle.roles and "*" not in bundle.roles
