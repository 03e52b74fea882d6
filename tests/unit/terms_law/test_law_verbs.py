"""``xinglin law``: packs, show and check, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.terms_law.cases import FEW, OWN
from typer.testing import CliRunner

from xinglin.cli.law_verbs import app
from xinglin.cli.output import printer
from xinglin.terms.law.loading import PACKS

TERMS = """packs = ["own", "data_security_law"]

[facts]
matter = "stroke-2026"
at = 2026-11-22T08:00:00+08:00
data_class = "general"
persons = 100
foreign_court = false
documents = ["processing-rules", "dengbao-filing"]
measures = ["classification", "training", "access-control", "logging", "risk-monitoring", "incident-plan"]

[[answers]]
rule = "data_security_law.lawful-collection"
yes = true
by = "data protection officer"
at = "2026-11-01T00:00:00Z"
days = 30
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "own.toml").write_text(OWN + FEW, encoding="utf-8")

    def call(words: str, terms: str = TERMS, *, as_json: bool = True) -> tuple[int, Any]:
        (tmp_path / "terms.toml").write_text(terms, encoding="utf-8")
        printer.as_json = as_json
        done = CliRunner().invoke(app, words.replace("@", f"{tmp_path}/").split())
        return done.exit_code, json.loads(done.stdout) if as_json else done.stdout

    yield call
    printer.as_json = False


def test_packs(run: Any) -> None:
    code, rows = run("packs")
    assert (code, [row["name"] for row in rows]) == (0, list(PACKS))
    assert sum(row["articles"] for row in rows) == 160
    assert "中华人民共和国个人信息保护法" in run("packs", as_json=False)[1]


def test_show(run: Any) -> None:
    code, told = run("show ehds")
    assert code == 0
    assert {one["rule"] for one in told["rules"]} >= {"ehds.opt-out", "ehds.anonymous-by-default"}
    assert [one["id"] for one in told["clocks"]][:2] == ["applicant-completes", "permit-decision"]
    text = run("show ehds", as_json=False)[1]
    assert "[draft]" in text
    assert "asks a person (365 days)" in text
    code, told = run("show pipel")
    assert (code, told["code"]) == (1, "terms.law")
    assert "Did you mean 'pipl'?" in told["remedy"]
    assert run("show own --pack @own.toml")[1]["rules"][0]["checked"] == "the number of persons is at most 100"


def test_check(run: Any) -> None:
    code, told = run("check @terms.toml --pack @own.toml")
    assert (code, told["allowed"], told["reasons"]) == (0, True, [])
    assert told["counts"] == {"not applicable": 4, "satisfied": 5}
    assert "Answered by data protection officer" in json.dumps(told["report"])
    text = run("check @terms.toml --pack @own.toml --all", as_json=False)[1]
    assert "NOT APPLICABLE  data_security_law.important-data-export" in text
    assert text.endswith("9 articles: 4 not applicable, 5 satisfied. Nothing is in the way.\n")


def test_check_ends_with_one_and_every_reason(run: Any) -> None:
    late = TERMS.replace("2026-11-22T08", "2026-12-02T08").replace("persons = 100", "persons = 101")
    code, told = run("check @terms.toml --pack @own.toml", late)
    assert (code, told["allowed"]) == (1, False)
    assert [one["code"] for one in told["reasons"]] == [
        "terms.law.own.few",
        "terms.law_unanswered.data_security_law.lawful-collection",
    ]
    code, text = run("check @terms.toml --pack @own.toml", late, as_json=False)
    assert code == 1
    assert "NEEDS AN ANSWER  data_security_law.lawful-collection" in text
    assert "What would have to change: Ask for fewer." in text


@pytest.mark.parametrize(
    ("old", "new", "nearest"),
    [
        ('"own", ', '"won", ', "Known:"),
        ("[facts]", "[fact]", "Did you mean 'facts'?"),
        ("persons = 100", "person = 100", "Did you mean 'persons'?"),
        ("days = 30", "day = 30", "Did you mean 'days'?"),
        ("days = 30", "days = 366", "Answer again"),
        ("days = 30", 'days = "x"', "days = 30"),
        ("lawful-collection", "lawful-colection", "lawful-collection"),
        ("yes = true", 'yes = "true"', "yes, by and at"),
        ('by = "data protection officer"', 'by = " "', "Name both"),
        ('"2026-11-01T00:00:00Z"', '"2026-11-01"', "zone"),
        ("packs =", "packs = []\npack =", "Did you mean 'packs'?"),
        ('["own", "data_security_law"]', "[]", "packs ="),
        ("[[answers]]", "[answers]", "[[answers]]"),
        ("=", "==", "syntax"),
    ],
)
def test_terms_that_cannot_be_read(run: Any, old: str, new: str, nearest: str) -> None:
    assert old in TERMS
    code, told = run("check @terms.toml --pack @own.toml", TERMS.replace(old, new, 1))
    assert (code, told["code"]) == (1, "terms.law")
    assert nearest in told["remedy"] + told["what"], told
